/* SPDX-License-Identifier: Apache-2.0 */
/* assets_table: what tools/embed.py generates and assets.c searches. Private to this folder. */
#ifndef VITRINE_ASSETS_ASSETS_TABLE_H
#define VITRINE_ASSETS_ASSETS_TABLE_H

#include "assets/assets.h"

extern const size_t asset_table_count;
extern const struct asset asset_table[]; /* sorted by path, as str_cmp orders */

#endif

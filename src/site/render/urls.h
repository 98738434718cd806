/* SPDX-License-Identifier: Apache-2.0 */
/* urls: the `urls` object of templates: urls.table(database, table, format=...) and so on. Plain text, escaped where it
 * is printed. */
#ifndef VITRINE_SITE_RENDER_URLS_H
#define VITRINE_SITE_RENDER_URLS_H

#include "codec/value.h"

struct request;

struct value urls_value(struct request *rq);

#endif

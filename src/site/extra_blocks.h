/* SPDX-License-Identifier: Apache-2.0 */
/* extra_blocks: the value of each block of tbl/extras.h. Which one is asked for, and where: extras.h. */
#ifndef VITRINE_SITE_EXTRA_BLOCKS_H
#define VITRINE_SITE_EXTRA_BLOCKS_H

#include "site/extras.h"

#define X(name, scopes, description) struct value extra_block_##name(struct extra_context *c);
#include "site/tbl/extras.h"
#undef X

#endif

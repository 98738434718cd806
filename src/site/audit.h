/* SPDX-License-Identifier: Apache-2.0 */
/* audit: who did what that decides over access (signing on, tokens), as rows of the table audit in the internal
 * database. Blocks: never on the loop's thread. */
#ifndef VITRINE_SITE_AUDIT_H
#define VITRINE_SITE_AUDIT_H

#include "base/str.h"

struct internal;

/* what: "token.make" and so on; detail: which one. A row that cannot be written is a line in the log: it holds nobody
 * up. At most LIMIT_AUDIT_ROWS are kept. */
void audit_add(struct internal *in, str actor, const char *what, str detail);

#endif

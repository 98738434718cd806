/* SPDX-License-Identifier: Apache-2.0 */
/* authorizer: what visitors' SQL may do. Reading: yes. Writing, ATTACH, PRAGMA (except a list), raw pages: no.
 *
 * Asked by SQLite while it compiles a statement. Sections between conn_trust_begin and conn_trust_end (conn_impl.h) pass. */
#ifndef VITRINE_DB_AUTHORIZER_H
#define VITRINE_DB_AUTHORIZER_H

#include "base/str.h"

struct conn;

void authorizer_install(struct conn *c);
/* Whether visitors may read a pragma (as pragma_NAME()). */
bool authorizer_pragma_allowed(str pragma);
/* The reason of the last refusal on this connection, or empty; cleared by each conn_prepare. */
str authorizer_reason(const struct conn *c);

#endif

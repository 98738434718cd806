/* SPDX-License-Identifier: Apache-2.0 */
/* authorizer: what visitors' SQL may do. Reading: yes. Writing, ATTACH, PRAGMA (except a list), raw pages: no.
 *
 * SQLite asks while it compiles a statement. Statements of conn_prepare_trusted() and conn_execute() pass. */
#ifndef VITRINE_DB_AUTHORIZER_H
#define VITRINE_DB_AUTHORIZER_H

struct conn;

void authorizer_install(struct conn *c);

#endif

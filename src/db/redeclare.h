/* SPDX-License-Identifier: Apache-2.0 */
/* redeclare: another CREATE TABLE for a table that stays as it is, row for row. */
#ifndef VITRINE_DB_REDECLARE_H
#define VITRINE_DB_REDECLARE_H

#include "db/conn.h"

/* Inside of a transaction that made the table (its schema cookie has been moved already). `sql` must describe the rows
 * that are there: the same columns in the same order, the same key, types that read what is stored as it is meant.
 * Statements that are open on the connection must be done. Blocks. Writer connections only. */
enum status conn_redeclare(struct conn *c, str table, str sql, struct err *err) MUST_USE;

#endif

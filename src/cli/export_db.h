/* SPDX-License-Identifier: Apache-2.0 */
/* export_db: a table, or the rows of a query, as a database of its own. */
#ifndef VITRINE_CLI_EXPORT_DB_H
#define VITRINE_CLI_EXPORT_DB_H

#include "db/conn.h"

/* `table`: copied as it is, with rowids and indexes (not triggers). `sql`: its rows into a table of the name `table`.
 * Empty `sql` = the table. The file stands in its place only when it is whole. CONFLICT: there
 * is such a file and `replace` is off. */
enum status export_database(struct arena *a, struct conn *from, str table, str sql, str path, bool replace,
                            uint64_t *ret_rows, struct err *err) MUST_USE;

#endif

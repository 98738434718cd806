/* SPDX-License-Identifier: Apache-2.0 */
/* target: the database file that an import writes to. */
#ifndef VITRINE_INGEST_TARGET_H
#define VITRINE_INGEST_TARGET_H

#include "db/conn.h"

/* A connection that may write; the file is made when it does not exist. `thrown_away`: nobody will miss the database
 * after a crash, so there is no journal and no waiting for the disk. Close with conn_close(). Statuses: those of
 * database_check(). */
enum status target_open(str path, bool thrown_away, struct conn **ret, struct err *err) MUST_USE;
/* A table name from the name of a file: never empty, no control characters, not "sqlite_...". */
str target_table_name(struct arena *a, str stem);
/* The same with "_2", "_3", ... when the database has such a table or view already. CONFLICT: too many. */
enum status target_free_name(struct arena *a, struct conn *c, str name, str *ret, struct err *err) MUST_USE;

#endif

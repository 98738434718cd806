/* SPDX-License-Identifier: Apache-2.0 */
/* dump: SQL text (`sqlite3 FILE .dump`, or CREATE TABLE and INSERT of other programs) run in a database of its own, so
 * that its tables can be imported like those of any database. Blocks. Private to this folder. */
#ifndef VITRINE_INGEST_DUMP_H
#define VITRINE_INGEST_DUMP_H

#include "ingest/source.h"

/* `path`: an empty file, thrown away after the import. INVALID names the line and the statement that failed. */
enum status dump_run(const struct source *s, str path, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* insert: the limit of an import. */
#ifndef VITRINE_BENCH_INSERT_H
#define VITRINE_BENCH_INSERT_H

/* Copies `table` of the database at `path` into a new database at `out`; prints {"seconds": ..., "rows": ...}, reading
 * not counted. Returns 0, or 1 with a message on standard error. */
int insert_once(const char *path, const char *table, const char *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* schema_impl: a snapshot while it is built, and its private parts. Private to src/db. */
#ifndef VITRINE_DB_SCHEMA_IMPL_H
#define VITRINE_DB_SCHEMA_IMPL_H

#include <stdatomic.h>

#include "base/map.h"
#include "db/schema.h"

struct schema_snapshot {
    struct schema schema; /* first: schema_unref gets this address */
    atomic_int refs;
    struct arena *arena;
    struct map *by_name;  /* exact name -> struct schema_table */
    struct map *by_lower; /* ASCII lower case -> the first such table */
    struct schema_table *tables;
    size_t table_cap;
};

struct schema_snapshot *snapshot_new(void) MUST_USE;
void snapshot_add(struct schema_snapshot *n, struct schema_table t);
/* Tables may move while they are added: the index is made when all are there. */
void snapshot_index(struct schema_snapshot *n);
struct schema_table *snapshot_find(const struct schema_snapshot *n, str name);

/* schema_load.c: fills tables from the connection, which is in a read transaction. */
enum status schema_load(struct conn *c, struct schema_snapshot *n, struct err *err) MUST_USE;
/* schema_rules.c: fts_table, hidden, is_shadow, label_column. */
enum status schema_rules(struct conn *c, struct schema_snapshot *n, struct err *err) MUST_USE;
/* Options after the closing parenthesis of CREATE TABLE. */
void schema_table_options(str sql, bool *ret_without_rowid, bool *ret_strict);
size_t find_nocase(str s, str needle, size_t from); /* offset or STR_NPOS */

#endif

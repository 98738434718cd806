/* SPDX-License-Identifier: Apache-2.0 */
/* write/table_def: a table as data, and its CREATE TABLE statement laid out as sqlite-utils does. Pure. */
#ifndef VITRINE_SITE_WRITE_TABLE_DEF_H
#define VITRINE_SITE_WRITE_TABLE_DEF_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/value.h"

struct def_column {
    str name, was; /* was: its name in the table that is rebuilt; empty = a new one */
    str type;      /* as declared; may be empty */
    bool not_null;
    bool unique;
    bool text_to_number;                 /* rebuilt: an empty text becomes null */
    str default_sql;                     /* p == NULL: none */
    str fk_table, fk_column, fk_actions; /* fk_table empty = none; actions: " ON DELETE CASCADE" */
};

struct table_def {
    str name;
    VEC(struct def_column) columns;
    VEC(str) pks;
    VEC(str) constraints; /* whole lines: UNIQUE ("a", "b"), FOREIGN KEY ... */
    bool strict, without_rowid;
};

str table_def_sql(struct arena *a, const struct table_def *d);
struct def_column *table_def_find(struct table_def *d, str name); /* ASCII case aside; NULL = none */

/* Types and defaults of the API. */
const char *def_type(str api_type);                       /* "text" -> "TEXT"; NULL = unknown */
str def_default_expression(str name);                     /* "current_timestamp" -> SQL; p == NULL = unknown */
str def_default_literal(struct arena *a, struct value v); /* a JSON value as SQL */
str def_text_literal(struct arena *a, str text);          /* 'text' */
/* The SQL text of a default as PRAGMA table_info gives it, ready for DEFAULT again. */
str def_default_again(struct arena *a, str expression);
extern const char *const def_expression_names[];
extern const size_t def_expression_count;
bool def_table_name_is_valid(str name);

struct conn;
/* Fills fk_column when it is empty with the single key of the other table; INVALID when there is no such table, key or
 * column. own_table may refer to itself. Runs SQL: writer's thread. (create.c) */
enum status write_resolve_fk(struct arena *a, struct conn *c, str own_table, struct def_column *column,
                             struct err *err) MUST_USE;

#endif

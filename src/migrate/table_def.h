/* SPDX-License-Identifier: Apache-2.0 */
/* table_def: a table as data: read from its CREATE TABLE, changed, written again laid out as sqlite-utils does. Pure
 * but for table_def_resolve_fk().
 *
 * What has a field here is written from the field; all else (CHECK, COLLATE, generated columns, names of constraints,
 * ON CONFLICT, comments) is kept as it was written. */
#ifndef VITRINE_MIGRATE_TABLE_DEF_H
#define VITRINE_MIGRATE_TABLE_DEF_H

#include "base/arena.h"
#include "base/err.h"

enum def_part { DEF_KEY, DEF_NOT_NULL, DEF_UNIQUE, DEF_DEFAULT, DEF_FK, DEF_PART_COUNT };

struct def_words {
    str before, after; /* "CONSTRAINT x ", " ON CONFLICT IGNORE" */
};

struct def_comments {
    VEC(str) before, after; /* on lines of their own; behind it on its line */
};

struct def_column {
    str name;
    str becomes; /* its name in the end; empty = the same. Constraints, keys and indexes still say `name` */
    str type;    /* as declared; may be empty */
    bool not_null, unique, generated;
    bool is_new;                         /* rebuilt: the table does not have it yet */
    str default_sql;                     /* p == NULL: none */
    str fk_table, fk_column, fk_actions; /* fk_table empty = none; column empty = its key; " ON DELETE CASCADE" */
    str more;                            /* " CHECK (...)", as written */
    str fill;                            /* rebuilt: SQL of its values; empty = those that it has */
    struct def_words words[DEF_PART_COUNT];
    struct def_comments comments;
};

enum def_constraint_kind { DEF_TABLE_KEY, DEF_TABLE_UNIQUE, DEF_TABLE_FK, DEF_TABLE_CHECK };

struct def_constraint {
    enum def_constraint_kind kind;
    str sql;          /* as written; for the key: what stands around its columns */
    VEC(str) columns; /* that it names; not of a CHECK */
    struct def_comments comments;
};

struct table_def {
    str name;
    VEC(struct def_column) columns;
    VEC(str) pks;
    VEC(str) pk_words; /* of a key written as a constraint of the table, one each: " COLLATE NOCASE DESC"; or none */
    str pk_order;      /* of a key written with its column: " DESC" */
    struct def_words pk_around;
    bool autoincrement;
    VEC(struct def_constraint) constraints; /* of the table; the key is not among them */
    bool strict, without_rowid;
    struct def_comments comments; /* of the table as such */
};

/* From the text in sqlite_schema. INVALID: no CREATE TABLE that can be read, with the place. */
enum status table_def_parse(struct arena *a, str sql, struct table_def *ret, struct err *err) MUST_USE;
/* A copy that can be changed without changing `d`. */
struct table_def table_def_copy(struct arena *a, const struct table_def *d);
str table_def_sql(struct arena *a, const struct table_def *d);

struct def_column *table_def_find(struct table_def *d, str name); /* ASCII case aside, by `name`; NULL = none */
/* By the name that it has or will have. */
struct def_column *table_def_find_any(struct table_def *d, str name);
bool table_def_is_key(const struct table_def *d, str column);
/* The single key that is the rowid: INTEGER PRIMARY KEY; NULL = none. */
const struct def_column *table_def_rowid_column(const struct table_def *d);
bool table_def_differs(struct arena *a, const struct table_def *x, const struct table_def *y); /* names apart */

/* Changes. Names must be of columns that are there. */
void table_def_set_key(struct arena *a, struct table_def *d, const str *names, size_t count);
void table_def_drop_fk(struct table_def *d, struct def_column *c);
/* Takes keys and constraints of this column alone with it. CONFLICT: it is part of one of several columns. */
enum status table_def_drop_column(struct arena *a, struct table_def *d, str name, struct err *err) MUST_USE;
/* Those that are named come first, in that order. */
void table_def_reorder(struct arena *a, struct table_def *d, const str *names, size_t count);
/* Text that becomes a number: an empty one becomes NULL. */
void table_def_set_type(struct arena *a, struct def_column *c, str type);

struct conn;
/* Fills fk_column when it is empty with the single key of the other table; INVALID when there is no such table, key or
 * column. own_table may refer to itself. Runs SQL. */
enum status table_def_resolve_fk(struct arena *a, struct conn *c, str own_table, struct def_column *column,
                                 struct err *err) MUST_USE;

#endif

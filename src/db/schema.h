/* SPDX-License-Identifier: Apache-2.0 */
/* schema: an immutable picture of one database's tables, shared by threads.
 *
 * Names are raw bytes as the file has them (callers that print replace invalid UTF-8). Everything is owned by the
 * snapshot and lives until its last schema_unref. Order of tables: as in sqlite_schema. */
#ifndef VITRINE_DB_SCHEMA_H
#define VITRINE_DB_SCHEMA_H

#include "db/conn.h"

enum schema_kind { SCHEMA_TABLE, SCHEMA_VIEW, SCHEMA_VIRTUAL };

struct schema_column {
    str name;
    str type;          /* as declared, may be empty */
    str default_value; /* SQL text; .p NULL = no default */
    bool notnull;
    int pk;     /* 1-based place in the primary key, 0 = not part of it */
    int hidden; /* 0 normal, 1 hidden column of a virtual table, 2 VIRTUAL generated, 3 STORED generated */
};

struct schema_fk {   /* outgoing */
    str other_table; /* as written; the table may not exist */
    const str *columns;
    const str *other_columns; /* resolved to the other table's primary key when left out; "" when that cannot be */
    size_t count;             /* 1 unless compound */
    str on_update, on_delete;
};

struct schema_incoming { /* single-column keys of other tables that point here */
    str other_table;     /* who refers to us */
    str other_column;
    str column; /* ours */
};

struct schema_index {
    str name;
    bool unique, partial;
    char origin;        /* 'c' CREATE INDEX, 'u' UNIQUE constraint, 'p' primary key */
    const str *columns; /* "" for an expression or the rowid */
    size_t column_count;
    str sql; /* empty for automatic ones */
};

struct schema_trigger {
    str name;
    str sql;
};

struct schema_table {
    enum schema_kind kind;
    str name;
    str sql;    /* CREATE statement as stored */
    str error;  /* why its columns cannot be read (broken view, module missing); empty = fine. Then there are no columns
                 */
    str module; /* virtual tables: "fts5" */
    const struct schema_column *columns; /* all, hidden ones too */
    size_t column_count;
    const str *column_names; /* those that SELECT * gives: hidden != 1 */
    size_t column_name_count;
    const str *pks; /* in key order; none for views and tables without a declared key */
    size_t pk_count;
    bool has_rowid; /* false: views, WITHOUT ROWID */
    bool use_rowid; /* a table (plain or virtual) without declared primary key: pages are made by rowid */
    bool strict;
    const struct schema_fk *fks;
    size_t fk_count;
    const struct schema_incoming *incoming;
    size_t incoming_count;
    const struct schema_index *indexes;
    size_t index_count;
    const struct schema_trigger *triggers;
    size_t trigger_count;
    bool is_fts;      /* FTS3, FTS4 or FTS5 itself */
    str fts_table;    /* FTS table whose content is this one, or itself; empty = none */
    bool hidden;      /* by Datasette's rules (configuration may hide more) */
    bool is_shadow;   /* internal table of a virtual table */
    str label_column; /* guessed: single UNIQUE text column, name/title, other column beside id/pk; empty = none */
};

struct schema {
    int64_t version;                   /* PRAGMA schema_version */
    const struct schema_table *tables; /* tables and virtual tables and views */
    size_t table_count;
    size_t view_count;  /* of them */
    bool is_spatialite; /* has geometry_columns and spatial_ref_sys made by SpatiaLite */
};

/* The snapshot that fits what `c` reads now. Costs one database_signature() when nothing changed; a reload runs in one
 * read transaction under the connection's deadline. The caller owns a reference. Statuses: those of stmt_step. */
enum status schema_get(struct conn *c, const struct schema **ret, struct err *err) MUST_USE;
/* The newest snapshot that any connection read, with a reference for the caller; NULL before the first. May be out of
 * date: for hints, not for answers. No I/O. */
const struct schema *schema_newest(struct database *db);
const struct schema *schema_ref(const struct schema *s);
void schema_unref(const struct schema *s); /* NULL is fine */

/* Exact name first, then as SQLite compares (ASCII case). NULL = none. sqlite_schema itself is not listed. */
const struct schema_table *schema_table(const struct schema *s, str name);
const struct schema_column *schema_column(const struct schema_table *t, str name); /* same way */
const struct schema_index *schema_index(const struct schema_table *t, str name);
/* The single-column foreign key on `column`; NULL = none. First one wins. */
const struct schema_fk *schema_fk_on(const struct schema_table *t, str column);
bool schema_column_is_pk(const struct schema_table *t, str name);

/* SQLite's affinity of a declared type (datatype3.html section 3.1). */
enum schema_affinity { AFFINITY_INTEGER, AFFINITY_TEXT, AFFINITY_BLOB, AFFINITY_REAL, AFFINITY_NUMERIC };
enum schema_affinity schema_affinity(str type);
const char *schema_affinity_name(enum schema_affinity affinity); /* "INTEGER" */

#endif

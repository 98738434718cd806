/* SPDX-License-Identifier: Apache-2.0 */
/* stmt — prepared statements, kept by the connection.
 *
 * Compiling costs 10-100 us, stepping a row of a cached statement about 1 us. The cache is an array of hashes that is
 * scanned (64 entries, some 20 ns) with the statements beside it. A statement in use is never handed out twice: the
 * second user gets one of its own that is not kept. Trusted and visitors' statements of the same text are different
 * entries, since the authorizer was asked for the one and not for the other; SQLite recompiles by itself when the
 * schema changes, so `trusted` is set again for each step. Tests: tests/unit/db/test_conn.c */
#include "db/stmt.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "db/conn_impl.h"
#include "db/sqlite_status.h"

#include "base/banned.h"

struct stmt {
    sqlite3_stmt *sqlite;
    struct conn *conn;
    str sql; /* owned */
    uint64_t hash, used_at;
    int64_t began_us; /* of the first step; 0 = not stepped yet */
    bool trusted, kept, in_use, writes;
    struct stmt *next, **link; /* conn->stmts_in_use */
};

static void stmt_free(struct stmt *s)
{
    sqlite3_finalize(s->sqlite);
    free((char *)(uintptr_t)s->sql.p);
    free(s);
}

static void mark_used(struct stmt *s)
{
    struct conn *c = s->conn;
    s->in_use = true;
    s->used_at = ++c->stmt_clock;
    s->next = c->stmts_in_use;
    s->link = &c->stmts_in_use;
    if (s->next)
        s->next->link = &s->next;
    c->stmts_in_use = s;
}

static struct stmt *cache_find(struct conn *c, str sql, uint64_t hash, bool trusted)
{
    for (size_t i = 0; i < c->stmt_count; i++) {
        struct stmt *s = c->stmts[i];
        if (c->stmt_hashes[i] == hash && !s->in_use && s->trusted == trusted && str_eq(s->sql, sql))
            return s;
    }
    return NULL;
}

static void cache_keep(struct conn *c, struct stmt *s)
{
    size_t place = c->stmt_count;
    if (place == LIMIT_DB_STMTS_PER_CONN) {
        for (size_t i = 0; i < c->stmt_count; i++)
            if (!c->stmts[i]->in_use && (place == c->stmt_count || c->stmts[i]->used_at < c->stmts[place]->used_at))
                place = i;
        if (place == c->stmt_count)
            return; /* all in use */
        stmt_free(c->stmts[place]);
    } else {
        c->stmt_count++;
    }
    c->stmts[place] = s;
    c->stmt_hashes[place] = s->hash;
    s->kept = true;
}

void stmt_drop_all(struct conn *c)
{
    for (size_t i = 0; i < c->stmt_count; i++)
        stmt_free(c->stmts[i]);
    c->stmt_count = 0;
}

/* True when nothing but white space, comments and semicolons follows. */
static bool is_blank_sql(struct conn *c, const char *p, const char *end)
{
    while (p < end) {
        sqlite3_stmt *more = NULL;
        const char *tail = NULL;
        if (*p == ' ' || *p == ';' || (*p >= '\t' && *p <= '\r')) {
            p++;
            continue;
        }
        int rc = sqlite3_prepare_v2(c->sqlite, p, (int)(end - p), &more, &tail);
        bool blank = rc == SQLITE_OK && !more;
        sqlite3_finalize(more);
        if (!blank)
            return false;
        p = tail > p ? tail : end;
    }
    return true;
}

static enum status compile(struct conn *c, str sql, bool trusted, sqlite3_stmt **ret, struct err *err)
{
    const char *tail = NULL;
    sqlite3_stmt *s = NULL;
    if (sql.n > LIMIT_DB_SQL_BYTES) {
        err_set(err, STATUS_TOO_LARGE, "the SQL statement has %zu bytes, the most is %d", sql.n, LIMIT_DB_SQL_BYTES);
        return STATUS_TOO_LARGE;
    }
    if (memchr(sql.p ? sql.p : "", 0, sql.n)) /* SQLite would stop there without a word */
        return err_set(err, STATUS_INVALID, "the query contains a null character");
    c->reason[0] = '\0';
    c->trusted = trusted;
    int rc = sqlite3_prepare_v3(c->sqlite, sql.p ? sql.p : "", (int)sql.n, SQLITE_PREPARE_PERSISTENT, &s, &tail);
    enum status st = STATUS_OK;
    if (rc != SQLITE_OK)
        st = conn_error(c, rc, err);
    else if (!s)
        st = err_set(err, STATUS_INVALID, "the SQL statement is empty");
    else if (!is_blank_sql(c, tail, sql.p + sql.n))
        st = err_set(err, STATUS_INVALID, "You can only execute one statement at a time.");
    c->trusted = false;
    if (st != STATUS_OK) {
        sqlite3_finalize(s);
        return st;
    }
    *ret = s;
    return STATUS_OK;
}

enum status stmt_compile(struct conn *c, str sql, struct sqlite3_stmt **ret, struct err *err)
{
    c->looked = false;
    return compile(c, sql, false, ret, err);
}

enum status conn_run(struct conn *c, str sql, struct err *err)
{
    sqlite3_stmt *s = NULL;
    if (sql.n > (size_t)LIMIT_DB_SCRIPT_BYTES)
        return err_set(err, STATUS_TOO_LARGE, "the SQL statement has %zu bytes, the most is %d", sql.n,
                       LIMIT_DB_SCRIPT_BYTES);
    c->reason[0] = '\0';
    c->trusted = false;
    int usual = sqlite3_limit(c->sqlite, SQLITE_LIMIT_SQL_LENGTH, LIMIT_DB_SCRIPT_BYTES);
    int rc = sqlite3_prepare_v2(c->sqlite, sql.p ? sql.p : "", (int)sql.n, &s, NULL);
    sqlite3_limit(c->sqlite, SQLITE_LIMIT_SQL_LENGTH, usual);
    if (rc == SQLITE_OK && s)
        while ((rc = sqlite3_step(s)) == SQLITE_ROW)
            continue;
    enum status st = rc == SQLITE_OK || rc == SQLITE_DONE ? STATUS_OK : conn_error(c, rc, err);
    sqlite3_finalize(s);
    if (sqlite3_get_autocommit(c->sqlite))
        database_touch(c->db);
    return st;
}

static enum status prepare(struct conn *c, str sql, bool trusted, struct stmt **ret_stmt, struct err *err)
{
    uint64_t hash = str_hash(sql);
    struct stmt *s = cache_find(c, sql, hash, trusted);
    c->looked = false;
    if (!s) {
        sqlite3_stmt *compiled;
        enum status st = compile(c, sql, trusted, &compiled, err);
        if (st != STATUS_OK)
            return st;
        s = MEM_NEW(struct stmt);
        *s = (struct stmt){.sqlite = compiled, .conn = c, .hash = hash, .trusted = trusted};
        s->sql = str_make(mem_cstr(sql), sql.n);
        s->writes = !sqlite3_stmt_readonly(compiled);
        cache_keep(c, s);
    }
    mark_used(s);
    *ret_stmt = s;
    return STATUS_OK;
}

enum status conn_prepare(struct conn *c, str sql, struct stmt **ret_stmt, struct err *err)
{
    return prepare(c, sql, false, ret_stmt, err);
}

enum status conn_prepare_trusted(struct conn *c, str sql, struct stmt **ret_stmt, struct err *err)
{
    return prepare(c, sql, true, ret_stmt, err);
}

void stmt_done(struct stmt *s)
{
    if (!s)
        return;
    ASSERT(s->in_use);
    if (s->began_us) {
        metric_add(METRIC_SQL_SECONDS, (uint64_t)(clock_mono_us() - s->began_us));
        metric_add(METRIC_SQL_STATEMENTS, 1);
        s->began_us = 0;
    }
    sqlite3_reset(s->sqlite);
    sqlite3_clear_bindings(s->sqlite);
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    s->in_use = false;
    if (s->conn->mode == CONN_WRITE && sqlite3_get_autocommit(s->conn->sqlite))
        database_touch(s->conn->db); /* after the commit: whoever reads from now on sees it */
    if (!s->kept)
        stmt_free(s);
}

void stmt_reset(struct stmt *s)
{
    sqlite3_reset(s->sqlite); /* its code is that of the last step, told already */
}

enum status stmt_step(struct stmt *s, struct err *err)
{
    struct conn *c = s->conn;
    c->trusted = s->trusted;
    if (!s->began_us)
        s->began_us = clock_mono_us();
    int rc = sqlite3_step(s->sqlite);
    c->trusted = false;
    if (LIKELY(rc == SQLITE_ROW))
        return STATUS_AGAIN;
    if (LIKELY(rc == SQLITE_DONE)) {
        if (s->writes && sqlite3_get_autocommit(c->sqlite))
            database_touch(c->db);
        return STATUS_OK;
    }
    enum status st = conn_error(c, rc, err);
    if (st == STATUS_TIMEOUT || st == STATUS_CANCELLED)
        metric_add(st == STATUS_TIMEOUT ? METRIC_SQL_TIMED_OUT : METRIC_SQL_CANCELLED, 1);
    return st;
}

/* ---- parameters ---- */

static enum status bound(struct stmt *s, int index, int rc, struct err *err)
{
    if (LIKELY(rc == SQLITE_OK))
        return STATUS_OK;
    if (rc == SQLITE_RANGE)
        return err_set(err, STATUS_RANGE, "the statement has no parameter %d", index);
    return conn_error(s->conn, rc, err);
}

int stmt_parameter_count(struct stmt *s)
{
    return sqlite3_bind_parameter_count(s->sqlite);
}

str stmt_parameter_name(struct stmt *s, int index)
{
    const char *name = sqlite3_bind_parameter_name(s->sqlite, index);
    return name && name[0] != '?' ? str_of(name + 1) : str_make("", 0);
}

enum status stmt_bind_null(struct stmt *s, int index, struct err *err)
{
    return bound(s, index, sqlite3_bind_null(s->sqlite, index), err);
}

enum status stmt_bind_i64(struct stmt *s, int index, int64_t v, struct err *err)
{
    return bound(s, index, sqlite3_bind_int64(s->sqlite, index, v), err);
}

enum status stmt_bind_f64(struct stmt *s, int index, double v, struct err *err)
{
    return bound(s, index, sqlite3_bind_double(s->sqlite, index, v), err);
}

enum status stmt_bind_text(struct stmt *s, int index, str v, struct err *err)
{
    int rc = sqlite3_bind_text64(s->sqlite, index, v.n ? v.p : "", v.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    return bound(s, index, rc, err);
}

enum status stmt_bind_text_static(struct stmt *s, int index, str v, struct err *err)
{
    int rc = sqlite3_bind_text64(s->sqlite, index, v.n ? v.p : "", v.n, SQLITE_STATIC, SQLITE_UTF8);
    return bound(s, index, rc, err);
}

enum status stmt_bind_blob(struct stmt *s, int index, str v, struct err *err)
{
    return bound(s, index, sqlite3_bind_blob64(s->sqlite, index, v.n ? v.p : "", v.n, SQLITE_TRANSIENT), err);
}

enum status stmt_bind(struct stmt *s, int index, struct db_value v, struct err *err)
{
    switch (v.kind) {
    case DB_NULL:
        return stmt_bind_null(s, index, err);
    case DB_INT:
        return stmt_bind_i64(s, index, v.i, err);
    case DB_FLOAT:
        return stmt_bind_f64(s, index, v.f, err);
    case DB_TEXT:
        return stmt_bind_text(s, index, v.s, err);
    case DB_BLOB:
        return stmt_bind_blob(s, index, v.s, err);
    }
    return STATUS_OK;
}

enum status stmt_bind_named(struct stmt *s, str name, struct db_value v, struct err *err)
{
    int count = sqlite3_bind_parameter_count(s->sqlite);
    enum status st = STATUS_OK;
    for (int i = 1; i <= count && st == STATUS_OK; i++) { /* :x and @x are two parameters of one name */
        const char *has = sqlite3_bind_parameter_name(s->sqlite, i);
        if (has && has[0] != '?' && str_eq(str_of(has + 1), name))
            st = stmt_bind(s, i, v, err);
    }
    return st;
}

/* ---- columns ---- */

int stmt_column_count(struct stmt *s)
{
    return sqlite3_column_count(s->sqlite);
}

static str or_empty(const char *text)
{
    return text ? str_of(text) : str_make("", 0);
}

str stmt_column_name(struct stmt *s, int column)
{
    return or_empty(sqlite3_column_name(s->sqlite, column));
}

str stmt_column_decltype(struct stmt *s, int column)
{
    return or_empty(sqlite3_column_decltype(s->sqlite, column));
}

enum db_kind stmt_column_kind(struct stmt *s, int column)
{
    switch (sqlite3_column_type(s->sqlite, column)) {
    case SQLITE_INTEGER:
        return DB_INT;
    case SQLITE_FLOAT:
        return DB_FLOAT;
    case SQLITE_TEXT:
        return DB_TEXT;
    case SQLITE_BLOB:
        return DB_BLOB;
    default:
        return DB_NULL;
    }
}

int64_t stmt_column_i64(struct stmt *s, int column)
{
    return sqlite3_column_int64(s->sqlite, column);
}

double stmt_column_f64(struct stmt *s, int column)
{
    return sqlite3_column_double(s->sqlite, column);
}

str stmt_column_text(struct stmt *s, int column)
{
    const char *p = (const char *)sqlite3_column_text(s->sqlite, column);
    return str_make(p, p ? (size_t)sqlite3_column_bytes(s->sqlite, column) : 0);
}

static const enum db_kind kinds[] = {[SQLITE_INTEGER] = DB_INT,
                                     [SQLITE_FLOAT] = DB_FLOAT,
                                     [SQLITE_TEXT] = DB_TEXT,
                                     [SQLITE_BLOB] = DB_BLOB,
                                     [SQLITE_NULL] = DB_NULL};

/* The column is looked up once: sqlite3_column_type, _text and _bytes would each do it again, which is a quarter of the
 * time of a long export. Such a value is "unprotected": safe while one thread uses the connection, and it does. */
struct db_value stmt_column_value(struct stmt *s, int column)
{
    sqlite3_value *value = sqlite3_column_value(s->sqlite, column);
    struct db_value v = {.kind = kinds[sqlite3_value_type(value)]};
    switch (v.kind) {
    case DB_NULL:
        break;
    case DB_INT:
        v.i = sqlite3_value_int64(value);
        break;
    case DB_FLOAT:
        v.f = sqlite3_value_double(value);
        break;
    case DB_TEXT:
        v.s.p = (const char *)sqlite3_value_text(value);
        v.s.n = v.s.p ? (size_t)sqlite3_value_bytes(value) : 0;
        break;
    case DB_BLOB:
        v.s.p = sqlite3_value_blob(value);
        v.s.n = (size_t)sqlite3_value_bytes(value);
        v.s.p = v.s.p ? v.s.p : ""; /* SQLite gives NULL for a blob of no bytes */
        break;
    }
    return v;
}

enum status conn_query_i64(struct conn *c, str sql, int64_t *ret, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(c, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    st = stmt_step(s, err);
    if (st == STATUS_AGAIN) {
        *ret = stmt_column_i64(s, 0);
        st = STATUS_OK;
    } else if (st == STATUS_OK) {
        st = err_set(err, STATUS_NOT_FOUND, "the query gave no row");
    }
    stmt_done(s);
    return st;
}

enum status conn_fetch_texts(struct conn *c, struct arena *a, str sql, str value, str **ret, size_t *ret_count,
                             struct err *err)
{
    struct stmt *s;
    VEC(str) all = {0};
    enum status st = conn_prepare_trusted(c, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    if (stmt_parameter_count(s))
        st = stmt_bind_text(s, 1, value, err);
    if (st == STATUS_OK)
        while ((st = stmt_step(s, err)) == STATUS_AGAIN)
            VEC_PUSH(a, &all, arena_str(a, stmt_column_text(s, 0)));
    stmt_done(s);
    *ret = all.items;
    *ret_count = all.count;
    return st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* conn — opening a connection with the house policy.
 *
 * What each connection gets, and why:
 *   mode=ro + query_only      nothing that a visitor sends can write, even if the authorizer let it through
 *   DEFENSIVE                 shadow tables and the schema cannot be written by SQL
 *   TRUSTED_SCHEMA off        views of an uploaded file cannot call functions or virtual tables with side effects (left
 * on when extensions are loaded: their functions are seldom marked innocuous) ATTACH create/write off   and the
 * authorizer refuses ATTACH; --crossdb files are attached before it is installed extension loading         on for the C
 * call only, off again at once: SQL load_extension() never works limits                    LIMIT_DB_* in base/limits.h
 *   temp_store default        sorts larger than the page cache go to a temporary file, not into memory: with
 *                             temp_store=MEMORY a visitor's ORDER BY could take all of it
 *   mmap                      only for immutable files: when another process truncates a mapped file, reading it is
 * SIGBUS Not here: modes of files (open.c), the cache (conn_cache.c), statements (stmt.c). Tests:
 * tests/unit/db/test_conn.c */
#include "db/conn.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/names.h"
#include "db/authorizer.h"
#include "db/conn_cache.h"
#include "db/conn_impl.h"
#include "db/functions.h"
#include "db/schema.h"
#include "db/sqlite_status.h"
#include "db/stmt.h"

#include "base/banned.h"

/* ---- set-up ---- */

static void set_limits(struct conn *c)
{
    static const struct {
        int id, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, LIMIT_DB_VALUE_BYTES},
        {SQLITE_LIMIT_SQL_LENGTH, LIMIT_DB_SQL_BYTES},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LIMIT_DB_LIKE_PATTERN_BYTES},
        {SQLITE_LIMIT_VDBE_OP, LIMIT_DB_VM_OPS},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        sqlite3_limit(c->sqlite, limits[i].id, limits[i].value);
    sqlite3_limit(c->sqlite, SQLITE_LIMIT_ATTACHED, (int)c->db->attached_count);
}

static void set_config(struct conn *c)
{
    sqlite3_extended_result_codes(c->sqlite, 1);
    sqlite3_db_config(c->sqlite, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(c->sqlite, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
    sqlite3_db_config(c->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (c->mode == CONN_WRITE && c->db->foreign_keys)
        sqlite3_db_config(c->sqlite, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    if (c->mode == CONN_READ) {
        sqlite3_db_config(c->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, c->db->extension_count > 0, NULL);
        sqlite3_db_config(c->sqlite, SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, 0, NULL);
        sqlite3_db_config(c->sqlite, SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, 0, NULL);
    }
}

static enum status set_pragmas(struct conn *c, const struct open_request *o, struct err *err)
{
    char sql[160];
    int n = 0;
    sql[0] = '\0';
    if (c->mode == CONN_READ)
        n = snprintf(sql, sizeof sql, "PRAGMA query_only=1;");
    if (c->db->cache_size_kb > 0)
        n += snprintf(sql + n, sizeof sql - (size_t)n, "PRAGMA cache_size=-%lld;", (long long)c->db->cache_size_kb);
    if (c->db->immutable)
        n += snprintf(sql + n, sizeof sql - (size_t)n, "PRAGMA mmap_size=%lld;", (long long)LIMIT_DB_MMAP_BYTES);
    int rc = n ? sqlite3_exec(c->sqlite, sql, NULL, NULL, NULL) : SQLITE_OK;
    return rc == SQLITE_OK ? STATUS_OK : open_error(o, rc, sqlite3_errmsg(c->sqlite), err);
}

/* "PATH" or "PATH:ENTRY"; a path may hold colons, so only a C identifier after the last one counts as an entry. */
static enum status load_extension(struct conn *c, const char *spec, struct err *err)
{
    bool by_name = strcmp(spec, "spatialite") == 0; /* Datasette's short name; the system's linker knows where it is */
    char *path = mem_cstr(by_name ? STR("mod_spatialite.so") : str_of(spec)), *message = NULL;
    char *colon = strrchr(path, ':');
    const char *entry = NULL;
    if (colon && colon[1] &&
        strspn(colon + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(colon + 1)) {
        *colon = '\0';
        entry = colon + 1;
    }
    sqlite3_db_config(c->sqlite, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    int rc = sqlite3_load_extension(c->sqlite, path, entry, &message);
    sqlite3_db_config(c->sqlite, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    enum status st = STATUS_OK;
    if (rc != SQLITE_OK) {
        st = err_set(err, STATUS_SQL, "cannot load the SQLite extension '%s': %s", spec,
                     message ? message : sqlite3_errstr(rc));
        err_hint(err, "%s",
                 by_name ? "Install it (Debian: libsqlite3-mod-spatialite), or give the full path of mod_spatialite.so."
                         : "Give the full path of the shared library, and its entry point as PATH:ENTRY when it has an "
                           "unusual name.");
    }
    sqlite3_free(message);
    free(path);
    return st;
}

static enum status attach(struct conn *c, size_t i, struct err *err)
{
    struct database *other = c->db->attached[i];
    enum status st = database_ticket(other, &c->attached_tickets[i], err);
    if (st != STATUS_OK)
        return st;
    struct open_request o = database_request(other, false);
    struct buf uri;
    buf_init(&uri, LIMIT_DB_PATH_BYTES);
    open_uri(&uri, &o, other->immutable || c->attached_tickets[i].needs_immutable);
    buf_printf(&uri, "&vfs=%s", sqlite3_vfs_find(NULL)->zName); /* else that of main, which may be memdb */
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(c->sqlite, "ATTACH ?1 AS ?2", -1, &s, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(s, 1, uri.p, (int)uri.n, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, c->db->attached_names[i], -1, SQLITE_STATIC);
        rc = sqlite3_step(s);
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    if (rc != SQLITE_OK)
        st = open_error(&o, rc, sqlite3_errmsg(c->sqlite), err);
    sqlite3_finalize(s);
    buf_release(&uri);
    if (st != STATUS_OK)
        err_prefix(err, "cannot attach '%s'", c->db->attached_names[i]);
    return st;
}

/* A writer waits longer, since it also waits for readers to end; what the options say holds for both. */
static int64_t busy_timeout_ms(const struct conn *c)
{
    int64_t ms = c->db->busy_timeout_ms;
    return c->mode == CONN_WRITE && ms == LIMIT_DB_BUSY_TIMEOUT_MS ? LIMIT_DB_WRITE_BUSY_MS : ms;
}

/* Opens the handle and makes it read the file. */
static enum status conn_setup(struct conn *c, struct err *err)
{
    struct open_request o = database_request(c->db, c->mode == CONN_WRITE);
    enum status st = open_sqlite(&o, c->db->immutable || c->ticket.needs_immutable, &c->sqlite, err);
    if (st != STATUS_OK)
        return st;
    set_config(c);
    deadline_init(&c->deadline, c->sqlite, busy_timeout_ms(c), c->mode == CONN_READ ? &c->db->reader_waited_us : NULL);
    st = set_pragmas(c, &o, err);
    for (size_t i = 0; st == STATUS_OK && i < c->db->extension_count; i++)
        st = load_extension(c, c->db->extensions[i], err);
    if (st == STATUS_OK)
        st = functions_register(c, err);
    for (size_t i = 0; st == STATUS_OK && i < c->db->attached_count; i++)
        st = attach(c, i, err);
    if (st != STATUS_OK)
        return st;
    set_limits(c);
    authorizer_install(c);
    /* Reads the schema, so that a damaged one is met here. */
    int rc = sqlite3_exec(c->sqlite, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
    return rc == SQLITE_OK ? STATUS_OK : open_error(&o, rc, sqlite3_errmsg(c->sqlite), err);
}

static void conn_free(struct conn *c)
{
    stmt_drop_all(c);
    schema_unref(c->schema);
    if (c->deadline.sqlite)
        deadline_release(&c->deadline);
    if (c->sqlite) {
        int rc = sqlite3_close(c->sqlite);
        ASSERT(rc == SQLITE_OK); /* a statement or blob of ours is still open */
    }
    db_file_unref(c->ticket.file); /* after sqlite3_close: see inode.c */
    for (size_t i = 0; i < c->db->attached_count; i++)
        db_file_unref(c->attached_tickets[i].file);
    database_drop(c->db);
    free(c);
}

static enum status open_once(struct database *db, enum conn_mode mode, struct conn **ret_conn, struct err *err)
{
    struct conn *c = MEM_NEW(struct conn);
    c->db = db;
    c->mode = mode;
    database_hold(db);
    enum status st = database_ticket(db, &c->ticket, err);
    if (st == STATUS_OK && c->ticket.needs_immutable)
        st = database_signature(db, &c->opened, err);
    if (st == STATUS_OK)
        st = conn_setup(c, err);
    if (st != STATUS_OK) {
        conn_free(c);
        return st;
    }
    *ret_conn = c;
    return STATUS_OK;
}

enum status conn_open(struct database *db, enum conn_mode mode, struct conn **ret_conn, struct err *err)
{
    if (mode == CONN_WRITE && db->immutable)
        return err_set(err, STATUS_FORBIDDEN, "the database '%s' is immutable", db->name);
    enum status st = open_once(db, mode, ret_conn, err);
    if (st != STATUS_IO && st != STATUS_FORBIDDEN)
        return st;
    /* Perhaps the last writer of a WAL took its -shm file away after we looked, or we are out of descriptors. */
    database_reinspect(db);
    conn_cache_drop(NULL);
    if (err)
        err_clear(err);
    return open_once(db, mode, ret_conn, err);
}

bool conn_is_current(struct conn *c)
{
    uint64_t generation;
    if (database_look(c->db, &generation, &c->acquired, NULL) != STATUS_OK || generation != c->ticket.generation)
        return false;
    c->looked = true;
    if (!c->ticket.needs_immutable || db_signature_equal(&c->acquired, &c->opened))
        return true;
    database_reinspect(c->db); /* it was not immutable after all */
    return false;
}

enum status conn_open_private(struct database *db, enum conn_mode mode, struct conn **ret_conn, struct err *err)
{
    return conn_open(db, mode, ret_conn, err);
}

void conn_close(struct conn *c)
{
    if (!c)
        return;
    conn_rest(c);
    conn_free(c);
}

/* ---- use ---- */

void conn_rest(struct conn *c)
{
    while (c->stmts_in_use)
        stmt_done(c->stmts_in_use);
    conn_deadline(c, 0, NULL);
    if (!sqlite3_get_autocommit(c->sqlite)) {
        c->trusted = true;
        sqlite3_exec(c->sqlite, "ROLLBACK", NULL, NULL, NULL);
        c->trusted = false;
    }
    c->in_read = c->looked = false;
}

struct database *conn_database(const struct conn *c)
{
    return c->db;
}

struct sqlite3 *conn_sqlite(struct conn *c)
{
    return c->sqlite;
}

void conn_deadline(struct conn *c, int64_t deadline_mono_us, const atomic_bool *cancelled)
{
    deadline_set(&c->deadline, deadline_mono_us, cancelled);
}

enum status conn_error(struct conn *c, int code, struct err *err)
{
    switch (code & 0xff) {
    case SQLITE_INTERRUPT:
    case SQLITE_BUSY:
        if (deadline_passed(&c->deadline)) {
            if (c->deadline.tripped == STATUS_TIMEOUT)
                return err_set(err, STATUS_TIMEOUT, "the SQL query took longer than its time limit");
            return err_set(err, STATUS_CANCELLED, "the SQL query was cancelled");
        }
        if ((code & 0xff) == SQLITE_INTERRUPT)
            return err_set(err, STATUS_CANCELLED, "the SQL query was interrupted");
        break;
    case SQLITE_AUTH:
        if (c->reason[0]) {
            err_set(err, STATUS_SQL, "not authorized: %s", c->reason);
            return STATUS_SQL;
        }
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
        c->broken = true;
        break;
    default:
        break;
    }
    return sqlite_err(err, code, sqlite3_errmsg(c->sqlite));
}

enum status conn_begin_read(struct conn *c, struct err *err)
{
    if (c->in_read)
        return STATUS_OK;
    /* BEGIN alone takes no snapshot: the first read does. */
    enum status st = conn_execute(c, STR("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1"), err);
    c->in_read = st == STATUS_OK;
    if (st != STATUS_OK)
        conn_end_read(c);
    return st;
}

void conn_end_read(struct conn *c)
{
    if (!sqlite3_get_autocommit(c->sqlite))
        (void)!conn_execute(c, STR("ROLLBACK"), NULL);
    c->in_read = false;
}

int64_t conn_changes(struct conn *c)
{
    return sqlite3_changes64(c->sqlite);
}

int64_t conn_last_rowid(struct conn *c)
{
    return sqlite3_last_insert_rowid(c->sqlite);
}

enum status conn_execute(struct conn *c, str sql, struct err *err)
{
    char *text = mem_cstr(sql);
    int64_t changes = sqlite3_total_changes64(c->sqlite);
    c->trusted = true;
    c->reason[0] = '\0';
    int rc = sqlite3_exec(c->sqlite, text, NULL, NULL, NULL);
    c->trusted = false;
    free(text);
    if (c->mode == CONN_WRITE && (changes != sqlite3_total_changes64(c->sqlite) || sqlite3_get_autocommit(c->sqlite)))
        database_touch(c->db);
    return rc == SQLITE_OK ? STATUS_OK : conn_error(c, rc, err);
}

enum status conn_keep_log(struct conn *c, struct err *err)
{
    int keep = 1;
    (void)sqlite3_file_control(c->sqlite, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    /* Without a limit it would not be made empty at the end. */
    return conn_execute(c, STR("pragma journal_size_limit = 1000000"), err);
}

enum status conn_vacuum(struct conn *c, struct err *err)
{
    int attached = sqlite3_limit(c->sqlite, SQLITE_LIMIT_ATTACHED, 1);
    enum status st = conn_execute(c, STR("VACUUM"), err);
    sqlite3_limit(c->sqlite, SQLITE_LIMIT_ATTACHED, attached);
    return st;
}

enum status conn_attach(struct conn *c, str file, const char *schema, struct err *err)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_PATH_BYTES);
    buf_puts(&sql, STR("ATTACH "));
    text_literal(&sql, file);
    buf_printf(&sql, " AS %s", schema);
    int attached = sqlite3_limit(c->sqlite, SQLITE_LIMIT_ATTACHED, -1);
    sqlite3_limit(c->sqlite, SQLITE_LIMIT_ATTACHED, attached + 1);
    enum status st = conn_execute(c, buf_str(&sql), err);
    if (st != STATUS_OK)
        sqlite3_limit(c->sqlite, SQLITE_LIMIT_ATTACHED, attached);
    buf_release(&sql);
    return st;
}

enum status conn_detach(struct conn *c, const char *schema, struct err *err)
{
    char sql[64];
    stmt_drop_all(c); /* prepared ones may name it */
    snprintf(sql, sizeof sql, "DETACH %s", schema);
    enum status st = conn_execute(c, str_of(sql), err);
    sqlite3_limit(c->sqlite, SQLITE_LIMIT_ATTACHED, sqlite3_limit(c->sqlite, SQLITE_LIMIT_ATTACHED, -1) - 1);
    return st;
}

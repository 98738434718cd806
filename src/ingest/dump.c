/* SPDX-License-Identifier: Apache-2.0 */
/* dump — statement by statement, in one transaction of ours.
 *
 * What a statement may do is limited by the authorizer of db/ (no ATTACH, no PRAGMA, no loading of code), and it runs
 * in a file that holds nothing else, and may not grow without end; nor may a statement run without end. What only
 * concerns the session that wrote the dump is left out (see `skipped`): transactions, settings, and SQLite's own
 * tables. Virtual tables of a dump (full-text indexes) are such rows of SQLite's own tables: they are not made, their
 * content tables are. Tests: tests/ingest/test_sqlite.py, fuzz target `sql_split`. */
#include "ingest/dump.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "db/conn.h"
#include "ingest/decode.h"
#include "ingest/sql_split.h"
#include "ingest/target.h"

#include "base/banned.h"

struct dump {
    const struct source *source;
    struct conn *conn;
    struct decode *decode;
    struct buf text; /* from the statement that is being read on */
    uint64_t line;   /* on which it begins */
    uint64_t made;   /* statements run */
    bool ended;
};

static bool is_skipped(str statement)
{
    static const char *const words[] = {"begin", "commit", "end",    "savepoint", "release", "start", "pragma",
                                        "set",   "lock",   "unlock", "analyze",   "vacuum",  "select"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (sql_word_is(statement, 0, words[i]))
            return true;
    str rest = statement; /* INSERT INTO sqlite_schema ..., DELETE FROM "sqlite_sequence" */
    if (!sql_word_is(rest, 0, "insert") && !sql_word_is(rest, 0, "delete"))
        return false;
    size_t at = str_find(rest, STR("sqlite_"));
    if (at == STR_NPOS || at > 40)
        return false;
    for (size_t i = 6; i < at; i++) /* only "INTO" or "FROM" and a quote may stand between */
        if (!strchr(" \t\r\nINTOFRMintofrm\"'`[", rest.p[i]))
            return false;
    return true;
}

static uint64_t lines_in(str s)
{
    uint64_t lines = 0;
    for (const char *p = s.p, *end = s.p + s.n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        lines++;
    return lines;
}

static enum status failed(const struct dump *d, uint64_t line, str statement, const struct err *why, struct err *err)
{
    str shown = utf8_cut(statement, 120);
    char text[128];
    for (size_t i = 0; i < shown.n; i++)
        text[i] = (unsigned char)shown.p[i] < ' ' ? ' ' : shown.p[i];
    enum status st = why->status == STATUS_SQL ? STATUS_INVALID : why->status;
    err_set(err, st, "%.*s line %llu: %s, in: %.*s%s", STR_ARG(d->source->name), (unsigned long long)line, why->text,
            (int)shown.n, text, shown.n < statement.n ? "..." : "");
    return err_hint(err,
                    "Nothing was imported. Only SQL that SQLite understands can be: sqlite3 FILE .dump writes it.");
}

static enum status run(struct dump *d, str whole, struct err *err)
{
    str statement = sql_trim(whole);
    uint64_t line = d->line + lines_in(str_sub(whole, 0, whole.n - statement.n));
    struct err why = ERR_INIT;
    d->line += lines_in(whole);
    if (!statement.n || str_is(statement, ";") || is_skipped(statement))
        return STATUS_OK;
    if (sql_word_is(statement, 0, "rollback")) {
        err_set(err, STATUS_INVALID, "%.*s line %llu takes everything back (ROLLBACK): the dump is not complete",
                STR_ARG(d->source->name), (unsigned long long)line);
        return err_hint(err, "Perhaps writing it met an error; make it anew.");
    }
    conn_deadline(d->conn, clock_mono_us() + LIMIT_INGEST_STATEMENT_MS * INT64_C(1000), NULL);
    enum status st = conn_run(d->conn, statement, &why);
    d->made += st == STATUS_OK;
    return st == STATUS_OK ? STATUS_OK : failed(d, line, statement, &why, err);
}

static enum status read_more(struct dump *d, struct err *err)
{
    size_t n;
    bool ill_formed;
    char *room = buf_reserve(&d->text, LIMIT_INGEST_BLOCK);
    if (!room) {
        err_set(err, STATUS_TOO_LARGE, "%.*s line %llu: a statement is longer than %d bytes", STR_ARG(d->source->name),
                (unsigned long long)d->line, LIMIT_DB_SCRIPT_BYTES);
        return err_hint(
            err, "Make the dump with one row a statement (mysqldump --skip-extended-insert, pg_dump --inserts).");
    }
    enum status st = decode_read(d->decode, room, LIMIT_INGEST_BLOCK, &n, &ill_formed, err);
    if (st != STATUS_OK)
        return st;
    d->text.n += n;
    d->ended = n == 0;
    return STATUS_OK;
}

static enum status run_all(struct dump *d, struct err *err)
{
    struct sql_split split = {0};
    enum status st = STATUS_OK;
    while (st == STATUS_OK && !(d->ended && !d->text.n)) {
        size_t length, at = 0;
        while (st == STATUS_OK && at < d->text.n &&
               sql_split(&split, str_from(buf_str(&d->text), at), d->ended, &length)) {
            st = run(d, str_sub(buf_str(&d->text), at, at + length), err);
            at += length;
            split = (struct sql_split){0};
        }
        buf_consume(&d->text, at);
        if (st == STATUS_OK && !d->ended)
            st = read_more(d, err);
    }
    return st;
}

/* A few words of SQL can make any number of rows: what they make may be so many times the text. */
static enum status bound_size(struct conn *c, const struct source *s, struct err *err)
{
    char sql[80];
    uint64_t times = s->packing == PACKING_NONE ? LIMIT_INGEST_DUMP_TIMES : LIMIT_INGEST_DUMP_TIMES * 20;
    uint64_t bytes = LIMIT_INGEST_DUMP_FREE + MIN(s->size_bytes, UINT64_C(1) << 40) * times;
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %llu",
             (unsigned long long)MIN(bytes / 4096, UINT64_C(4294967290)));
    return conn_execute(c, str_of(sql), err);
}

enum status dump_run(const struct source *s, str path, struct err *err)
{
    struct dump d = {.source = s, .line = 1};
    struct arena *a = arena_new(0);
    str sample;
    buf_init(&d.text, LIMIT_DB_SCRIPT_BYTES + LIMIT_INGEST_BLOCK);
    enum status st = decode_sample(a, s, 4096, &sample, err);
    if (st == STATUS_OK) {
        enum encoding e = encoding_utf16(sample);
        st = decode_new(s, e == ENCODING_UNKNOWN ? ENCODING_UTF8 : e, NULL, &d.decode, err);
    }
    if (st == STATUS_OK)
        st = target_open(path, true, &d.conn, err);
    if (st == STATUS_OK)
        st = bound_size(d.conn, s, err);
    if (st == STATUS_OK)
        st = conn_execute(d.conn, STR("BEGIN"), err);
    if (st == STATUS_OK)
        st = run_all(&d, err);
    if (st == STATUS_OK && !d.made)
        st = err_set(err, STATUS_INVALID, "%.*s holds no statement that makes a table", STR_ARG(s->name));
    if (st == STATUS_OK)
        st = conn_execute(d.conn, STR("COMMIT"), err);
    conn_close(d.conn);
    decode_free(d.decode);
    buf_release(&d.text);
    arena_free(a);
    return st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* import — POST /DB/TABLE/-/import: records of any number, each with an answer of its own.
 *
 *   body -> file (upload/sink.h) -> jsplit -> a batch of records -> writer (one job, one answer a record) -> text
 *
 * A batch is up to LIMIT_IMPORT_ROWS records; it shares its transaction with whatever else is being written, and its
 * answers are given after the COMMIT. The first batch is written before the status line is sent, so that what is wrong
 * with the whole request still has a status of its own; the others while the answer is being read: memory is one
 * batch, and a client that goes away ends the import after the batch in hand.
 *
 * What fails: a record that is no JSON object, lacks its key or meets a constraint fails alone. A text that cannot be
 * cut into records any more (a list that is not closed, a record that is too large) and whatever befalls the database
 * (disk full, another process's lock) ends the import: what was answered before is stored, the batch in hand is not.
 *
 * Tests: tests/site/test_import.py, tests/unit/codec/test_jsplit.c, tests/fuzz/fuzz_jsplit.c. */
#include "site/write/import.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "codec/jsplit.h"
#include "db/writer.h"
#include "site/actor.h"
#include "site/history.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/upload/sink.h"
#include "site/view/view.h"
#include "site/write/column_types.h"
#include "site/write/create.h"
#include "site/write/def.h"
#include "site/write/insert.h"
#include "site/write/write.h"

enum outcome { FAILED, CREATED, UPDATED, OUTCOMES };
static const char *const outcome_names[OUTCOMES] = {"error", "created", "updated"};

struct record {
    uint64_t index, line;
    struct value row; /* DICT; UNDEFINED when it could not be read */
    enum outcome outcome;
    str error;
    struct value key;
};

struct import {
    struct http_stream stream;
    struct arena *keep; /* of the options */
    struct writer *writer;
    str table, original, who;
    VEC(str) pks; /* as asked for */
    bool may_create, alter, lines, only_errors;
    struct value types; /* column types of the table */

    int fd;
    struct jsplit split;

    struct arena *work; /* of the batch */
    VEC(struct record) batch;
    struct writer_job job;
    bool table_is_new; /* made by this import: its columns come from the records */

    uint64_t counts[OUTCOMES];
    bool ended;
    struct err fault; /* why the rest was not read */
    struct buf text;  /* of the answer, not yet sent */
    size_t at;
    bool any_text;
};

/* ---- records ---- */

static enum status read_more(void *arg, struct buf *to, bool *ret_end, struct err *err)
{
    struct import *m = arg;
    char *p = buf_reserve(to, 65536);
    if (!p)
        return err_set(err, STATUS_TOO_LARGE, "a record is too large");
    ssize_t n;
    do
        n = read(m->fd, p, 65536);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, STATUS_IO, errno, "cannot read the records again");
    to->n += (size_t)n;
    *ret_end = n == 0;
    return STATUS_OK;
}

static void fail(struct import *m, struct record *r, const char *text)
{
    r->outcome = FAILED;
    r->error = arena_str(m->work, str_of(text));
}

static void check_types(struct import *m, struct record *r)
{
    struct value errors = value_list(m->work);
    column_types_wrong(m->work, m->types, r->row, errors);
    if (value_count(errors))
        r->error = value_at(errors, 0).s;
}

static void read_record(struct import *m, str text, struct record *r)
{
    struct err err = ERR_INIT;
    struct value v;
    str own = arena_str(m->work, text);
    enum status st = write_json(m->work, own, &v, &err);
    if (st == STATUS_OK && v.kind != VALUE_DICT)
        st = err_set(&err, STATUS_INVALID, "a record must be a JSON object");
    if (st == STATUS_OK && m->original.n && value_has(v, m->original))
        st = err_set(&err, STATUS_INVALID,
                     "the record has a column \"%.*s\" of its own: choose another for keep_original",
                     STR_ARG(m->original));
    if (st == STATUS_OK && !value_count(v))
        st = err_set(&err, STATUS_INVALID, "the record is empty");
    if (st == STATUS_OK)
        st = write_decode_row(m->work, v, &v, &err);
    if (st != STATUS_OK) {
        fail(m, r, err.text);
        return;
    }
    if (m->original.n)
        value_set(v, m->original, value_str(own));
    r->row = v;
    check_types(m, r);
}

/* AGAIN: there may be more. A fault is kept: what came before it is written first. */
static void read_batch(struct import *m)
{
    size_t bytes = 0;
    enum status st = STATUS_AGAIN;
    m->batch.items = NULL;
    m->batch.count = m->batch.cap = 0;
    arena_reset(m->work);
    while (st == STATUS_AGAIN && m->batch.count < LIMIT_IMPORT_ROWS && bytes < LIMIT_IMPORT_BYTES) {
        str text;
        st = jsplit_next(&m->split, &text, &m->fault);
        if (st != STATUS_AGAIN)
            break;
        struct record r = {.index = m->split.record - 1, .line = m->split.line, .row = VALUE_UNDEF};
        bytes += text.n;
        read_record(m, text, &r);
        VEC_PUSH(m->work, &m->batch, r);
    }
    m->ended = st != STATUS_AGAIN;
}

/* ---- writer's thread ---- */

struct run {
    struct import *m;
    struct conn *c;
    struct insert_plan plan;
    bool numbered; /* a row without key gets one */
    struct value last;
    str insert, update;
};

static struct value good_rows(struct import *m)
{
    struct value rows = value_list(m->work);
    for (size_t i = 0; i < m->batch.count; i++)
        if (!m->batch.items[i].error.n)
            value_push(rows, m->batch.items[i].row);
    return rows;
}

/* The table as it is now; made or given columns first where that was asked for. */
static enum status prepare(struct run *r, struct err *err)
{
    struct import *m = r->m;
    struct arena *a = m->work;
    struct value rows = good_rows(m), columns = value_list(a);
    struct db_value name = {.kind = DB_TEXT, .s = m->table};
    str schema;
    enum status st = write_schema_of(a, r->c, m->table, &schema, err);
    if (st == STATUS_OK && !schema.n && !m->may_create)
        st = err_set(err, STATUS_NOT_FOUND, "Table not found");
    if (st == STATUS_OK && !schema.n) {
        m->table_is_new = true;
        st = create_table_for_rows(a, r->c, m->table, m->pks.items, m->pks.count, rows, err);
    } else if (st == STATUS_OK && (m->alter || m->table_is_new)) {
        st = write_add_missing_columns(a, r->c, m->table, rows, err);
    }
    if (st == STATUS_OK)
        st = write_fetch(a, r->c, STR("select name, type, pk from pragma_table_xinfo(?) order by pk"), &name, 1,
                         SIZE_MAX, columns, err);
    if (st != STATUS_OK)
        return st;
    str *pks = ARENA_ARRAY(a, str, value_count(columns) + 1);
    r->plan.table = (struct insert_table){.name = m->table, .pks = pks};
    for (size_t i = 0; i < value_count(columns); i++) {
        struct value column = value_at(columns, i);
        if (VALUE_GET(column, "pk").i > 0)
            pks[r->plan.table.pk_count++] = VALUE_GET(column, "name").s;
        if (VALUE_GET(column, "pk").i == 1)
            r->numbered = str_eq_nocase(VALUE_GET(column, "type").s, STR("integer"));
    }
    r->numbered = !r->plan.table.pk_count || (r->plan.table.pk_count == 1 && r->numbered);
    return STATUS_OK;
}

static struct value key_of(const struct run *r, struct value row)
{
    const struct insert_table *t = &r->plan.table;
    struct value key = value_list(r->m->work);
    if (t->pk_count == 1)
        return value_get(row, t->pks[0]);
    for (size_t i = 0; i < t->pk_count; i++)
        value_push(key, value_get(row, t->pks[i]));
    return key;
}

/* The key column that the row lacks; empty = none. */
static str missing_key(const struct run *r, struct value row)
{
    for (size_t i = 0; i < r->plan.table.pk_count; i++)
        if (value_is_null(value_get(row, r->plan.table.pks[i])))
            return r->plan.table.pks[i];
    return (str){0};
}

static enum status insert(struct run *r, struct record *rec, struct err *err)
{
    struct arena *a = r->m->work;
    size_t n = value_count(rec->row);
    struct db_value *values = ARENA_ARRAY(a, struct db_value, n + 1);
    for (size_t i = 0; i < n; i++)
        values[i] = write_db_value(a, rec->row.dict->entries[i].value);
    rec->outcome = CREATED;
    return write_run(r->c, r->insert, values, n, err);
}

/* *ret_found: there is such a row, and it has the record's values now. */
static enum status update(struct run *r, struct record *rec, bool *ret_found, struct err *err)
{
    struct arena *a = r->m->work;
    const struct insert_table *t = &r->plan.table;
    size_t n = 0;
    struct db_value *values = ARENA_ARRAY(a, struct db_value, value_count(rec->row) + t->pk_count);
    for (size_t i = 0; i < value_count(rec->row); i++)
        if (!insert_is_key(&r->plan, rec->row.dict->entries[i].key))
            values[n++] = write_db_value(a, rec->row.dict->entries[i].value);
    for (size_t i = 0; i < t->pk_count; i++)
        values[n++] = write_db_value(a, value_get(rec->row, t->pks[i]));
    rec->outcome = UPDATED;
    enum status st = write_run(r->c, r->update, values, n, err);
    *ret_found = st == STATUS_OK && conn_changes(r->c) > 0;
    return st;
}

static enum status write_record(struct run *r, struct record *rec, struct err *err)
{
    struct arena *a = r->m->work;
    str missing = missing_key(r, rec->row);
    bool found = false, keyed = r->plan.table.pk_count && !missing.n;
    enum status st = STATUS_OK;
    if (missing.n && !r->numbered)
        return err_set(err, STATUS_INVALID, "the key column \"%.*s\" is missing", STR_ARG(missing));
    if (!value_same_keys(r->last, rec->row)) {
        r->plan.ignore = false;
        r->insert = insert_sql(a, &r->plan, rec->row);
        r->update = keyed ? insert_update_sql(a, &r->plan, rec->row) : (str){0};
        if (keyed && !r->update.n) { /* nothing but its key */
            r->plan.ignore = true;
            r->insert = insert_sql(a, &r->plan, rec->row);
        }
        r->last = keyed ? rec->row : VALUE_UNDEF;
    }
    if (keyed && r->update.n)
        st = update(r, rec, &found, err);
    if (st == STATUS_OK && !found)
        st = insert(r, rec, err);
    if (st == STATUS_OK && keyed && !r->update.n && !conn_changes(r->c))
        rec->outcome = UPDATED;
    if (st == STATUS_OK)
        rec->key = keyed ? key_of(r, rec->row) : value_int(conn_last_rowid(r->c));
    return st;
}

static bool is_of_the_record(enum status st)
{
    return st == STATUS_CONFLICT || st == STATUS_SQL || st == STATUS_INVALID || st == STATUS_TOO_LARGE ||
           st == STATUS_RANGE;
}

static enum status write_batch(struct writer_job *j, struct conn *c, struct err *err)
{
    struct import *m = (struct import *)((char *)j - offsetof(struct import, job));
    struct run r = {.m = m, .c = c, .last = VALUE_UNDEF};
    enum status st = prepare(&r, err);
    for (size_t i = 0; st == STATUS_OK && i < m->batch.count; i++) {
        struct record *rec = &m->batch.items[i];
        struct err why = ERR_INIT;
        if (rec->row.kind != VALUE_DICT || rec->error.n)
            continue;
        enum status one = write_record(&r, rec, &why);
        if (is_of_the_record(one))
            fail(m, rec, why.text);
        else if (one != STATUS_OK && err)
            *err = why;
        st = is_of_the_record(one) ? STATUS_OK : one;
    }
    return st;
}

/* ---- the answer ---- */

static void put_record(struct import *m, const struct record *r)
{
    struct value d = value_dict(m->work);
    VALUE_SET(d, "index", value_int((int64_t)r->index));
    VALUE_SET(d, "status", value_cstr(outcome_names[r->outcome]));
    if (r->outcome == FAILED) {
        VALUE_SET(d, "line", value_int((int64_t)r->line));
        VALUE_SET(d, "error", value_str(r->error));
    } else {
        VALUE_SET(d, "key", r->key);
    }
    if (m->any_text)
        buf_puts(&m->text, m->lines ? STR("\n") : STR(", "));
    m->any_text = true;
    value_to_json(&m->text, d, m->lines ? VALUE_JSON_COMPACT : 0);
}

static void put_end(struct import *m)
{
    struct value d = value_dict(m->work);
    bool ok = !m->counts[FAILED] && m->fault.status == STATUS_OK;
    struct buf text;
    VALUE_SET(d, "ok", value_bool(ok));
    if (m->fault.status != STATUS_OK)
        VALUE_SET(d, "error", value_cstr(m->fault.text));
    VALUE_SET(d, "created", value_int((int64_t)m->counts[CREATED]));
    VALUE_SET(d, "updated", value_int((int64_t)m->counts[UPDATED]));
    VALUE_SET(d, "failed", value_int((int64_t)m->counts[FAILED]));
    buf_init(&text, LIMIT_JSON_OUTPUT);
    value_to_json(&text, d, m->lines ? VALUE_JSON_COMPACT : 0);
    if (m->lines) {
        if (m->any_text)
            buf_putc(&m->text, '\n');
        buf_puts(&m->text, buf_str(&text));
        buf_putc(&m->text, '\n');
    } else {
        buf_puts(&m->text, STR("], "));
        buf_puts(&m->text, str_from(buf_str(&text), 1));
    }
    buf_release(&text);
}

/* A new table needs to know its key. */
static enum status find_key(struct import *m, struct err *err)
{
    if (!m->may_create || m->pks.count || !m->batch.count)
        return STATUS_OK;
    for (size_t i = 0; i < m->batch.count; i++) {
        struct value row = m->batch.items[i].row;
        if (row.kind != VALUE_DICT)
            continue;
        if (!value_has(row, STR("id")))
            break;
        VEC_PUSH(m->keep, &m->pks, STR("id"));
        return STATUS_OK;
    }
    err_set(err, STATUS_INVALID,
            "which column tells the records apart? The table is new and the first record has no \"id\"");
    return err_hint(err, "Say it with ?pk=column, once for each column of the key.");
}

/* One batch from the file to the text of the answer. A fault ends the import; who sent it is told at the end. */
static void step(struct import *m)
{
    read_batch(m);
    if (m->batch.count) {
        struct err why = ERR_INIT;
        m->job = (struct writer_job){.run = write_batch, .who = m->who, .via = STR(HISTORY_WEB)};
        enum status st = find_key(m, &why);
        if (st == STATUS_OK)
            st = writer_run(m->writer, &m->job, &why);
        if (st != STATUS_OK) {
            m->fault = why;
            m->ended = true;
            m->batch.count = 0;
        }
    }
    for (size_t i = 0; i < m->batch.count; i++) {
        const struct record *r = &m->batch.items[i];
        m->counts[r->outcome]++;
        if (r->outcome == FAILED || !m->only_errors)
            put_record(m, r);
    }
    if (m->ended)
        put_end(m);
}

static enum status pull(struct http_stream *stream, struct buf *out, struct err *err)
{
    struct import *m = (struct import *)stream;
    (void)err;
    if (m->at == m->text.n && !m->ended) {
        buf_clear(&m->text);
        m->at = 0;
        step(m);
    }
    size_t n = MIN(m->text.n - m->at, (size_t)LIMIT_HTTP_STREAM_PIECE / 2);
    buf_puts(out, str_make(m->text.p + m->at, n));
    m->at += n;
    return m->ended && m->at == m->text.n ? STATUS_OK : STATUS_AGAIN;
}

static void import_close(struct http_stream *stream)
{
    struct import *m = (struct import *)stream;
    jsplit_release(&m->split);
    buf_release(&m->text);
    if (m->fd >= 0)
        close(m->fd);
    arena_free(m->work);
    arena_free(m->keep);
    free(m);
}

/* ---- worker ---- */

static enum status require_rows(const struct request *rq, str table, struct err *err)
{
    const char *message = "Permission denied: need both insert-row and update-row";
    enum status st = write_require(rq, ACTION_INSERT_ROW, rq->db->name, table, message, err);
    return st == STATUS_OK ? write_require(rq, ACTION_UPDATE_ROW, rq->db->name, table, message, err) : st;
}

enum status import_admit(struct request *rq, struct err *err)
{
    enum status st = request_find_database(rq, err);
    if (st == STATUS_OK)
        st = require_rows(rq, rq->params[1], err);
    return st == STATUS_OK ? write_require_mutable(rq, err) : st;
}

static enum status read_arguments(struct request *rq, struct import *m, struct err *err)
{
    static const char *const known = "pk, alter, keep_original, results";
    for (size_t i = 0; i < rq->args.count; i++) {
        str key = rq->args.items[i].key, value = rq->args.items[i].value;
        if (str_is(key, "pk"))
            VEC_PUSH(m->keep, &m->pks, arena_str(m->keep, value));
        else if (str_is(key, "keep_original"))
            m->original = arena_str(m->keep, value);
        else if (str_is(key, "results") && (str_is(value, "all") || str_is(value, "errors")))
            m->only_errors = str_is(value, "errors");
        else if (str_is(key, "results"))
            return err_set(err, STATUS_INVALID, "results must be all or errors, not \"%.*s\"", STR_ARG(value));
        else if (!str_is(key, "alter"))
            return err_set(err, STATUS_INVALID, "there is no argument \"%.*s\"; these are: %s", STR_ARG(key), known);
    }
    m->alter = request_flag(rq, "alter", false);
    return STATUS_OK;
}

static enum status check_existing(const struct schema_table *t, const struct import *m, struct err *err)
{
    bool same = !m->pks.count || m->pks.count == t->pk_count;
    if (t->kind != SCHEMA_TABLE)
        return err_set(err, STATUS_INVALID, "\"%.*s\" is no table", STR_ARG(t->name));
    for (size_t i = 0; same && i < m->pks.count; i++)
        same = str_in(m->pks.items[i], t->pks, t->pk_count);
    return same ? STATUS_OK : err_set(err, STATUS_INVALID, "pk cannot be changed for existing table");
}

static enum status find_table(struct request *rq, struct import *m, struct err *err)
{
    enum status st = request_connect(rq, err);
    if (st != STATUS_OK)
        return st;
    str db = rq->db->name;
    const struct schema_table *t = schema_table(rq->schema, rq->params[1]);
    m->table = arena_str(m->keep, t ? t->name : rq->params[1]);
    m->types = t ? value_copy(m->keep, column_types_of(rq, t)) : value_dict(m->keep);
    if (t && !str_eq(t->name, rq->params[1])) /* SQLite finds it in other letters too: what it is called counts */
        st = require_rows(rq, t->name, err);
    if (st == STATUS_OK && t && history_is_own_table(t->name))
        st = err_set(err, STATUS_FORBIDDEN, "%.*s is part of a history, which nobody changes", STR_ARG(t->name));
    if (st == STATUS_OK && m->alter && t)
        st = write_require(rq, ACTION_ALTER_TABLE, db, m->table, "Permission denied for alter-table", err);
    if (st == STATUS_OK && t)
        return check_existing(t, m, err);
    if (st == STATUS_OK)
        st = write_require(rq, ACTION_CREATE_TABLE, db, (str){0},
                           "Table not found, and you may not create it: need create-table", err);
    if (st == STATUS_OK && !def_table_name_is_valid(m->table))
        st = err_set(err, STATUS_INVALID, "Invalid table name");
    m->may_create = true;
    return st;
}

static bool wants_lines(const struct request *rq)
{
    str type = http_header(rq->http, STR("content-type")), accept = http_header(rq->http, STR("accept"));
    return str_find(accept, STR("ndjson")) != STR_NPOS ||
           (str_find(type, STR("ndjson")) != STR_NPOS && str_find(accept, STR("application/json")) == STR_NPOS);
}

static enum status open_body(struct request *rq, struct import *m, struct err *err)
{
    int fd;
    enum status st = body_file(rq, &fd, err);
    if (st != STATUS_OK)
        return st;
    if (fd < 0)
        return err_set(err, STATUS_INVALID, "there are no records: send a JSON list of objects, or one object a line");
    m->fd = dup(fd); /* the answer may outlive the request */
    return m->fd >= 0 ? STATUS_OK : err_sys(err, STATUS_IO, errno, "cannot read the records");
}

static void respond(struct request *rq, struct import *m)
{
    bool any = m->counts[CREATED] + m->counts[UPDATED] || !m->counts[FAILED];
    rq->response->status = any ? 200 : 400;
    response_header(rq->response, STR("content-type"),
                    m->lines ? STR("application/x-ndjson; charset=utf-8") : STR("application/json; charset=utf-8"));
    if (m->ended) {
        response_body_take(rq->response, &m->text);
        import_close(&m->stream);
    } else {
        response_body_stream(rq->response, &m->stream);
    }
}

static enum status start(struct request *rq, struct import *m, struct err *err)
{
    enum status st = import_admit(rq, err);
    if (st == STATUS_OK)
        st = read_arguments(rq, m, err);
    if (st == STATUS_OK)
        st = find_table(rq, m, err);
    if (st == STATUS_OK)
        st = open_body(rq, m, err);
    if (st != STATUS_OK)
        return st;
    m->writer = rq->db->writer;
    m->who = arena_str(m->keep, actor_name(rq));
    m->lines = wants_lines(rq);
    str type = http_header(rq->http, STR("content-type"));
    jsplit_init(&m->split, read_more, m, LIMIT_IMPORT_RECORD, str_starts(type, STR("application/json")));
    if (!m->lines)
        buf_puts(&m->text, STR("{\"results\": ["));
    return STATUS_OK;
}

static enum status first_step(struct import *m, struct err *err)
{
    step(m);
    if (m->fault.status == STATUS_OK || m->counts[CREATED] + m->counts[UPDATED] + m->counts[FAILED])
        return STATUS_OK;
    *err = m->fault;
    return m->fault.status;
}

enum status view_import(struct request *rq, struct err *err)
{
    struct import *m = mem_alloc(sizeof *m);
    *m = (struct import){.fd = -1, .stream = {.pull = pull, .close = import_close}};
    m->keep = arena_new(0);
    m->work = arena_new(LIMIT_REQUEST_ARENA);
    buf_init(&m->text, LIMIT_JSON_OUTPUT);
    enum status st = start(rq, m, err);
    request_release_conn(rq);
    if (st == STATUS_OK)
        st = first_step(m, err);
    if (st != STATUS_OK) {
        import_close(&m->stream);
        return write_end(rq, st, err);
    }
    respond(rq, m);
    page_cors(rq);
    return STATUS_OK;
}

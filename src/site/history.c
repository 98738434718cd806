/* SPDX-License-Identifier: Apache-2.0 */
#include "site/history.h"

#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "codec/url.h"
#include "db/stmt.h"
#include "db/writer.h"
#include "site/links.h"
#include "site/render/cell_show.h"
#include "site/tables.h"

#define ROW_CHANGES 5   /* on the page of a row */
#define PIECE_MAX   300 /* characters of what changed in one value */
#define COMMON_MAX  40  /* ... of what is the same before and after it */

bool history_may_see(const struct request *rq, const struct schema_table *t)
{
    return request_allowed_by_rules(rq, ACTION_VIEW_TABLE, rq->db->name, t->name);
}

const char *history_of(const struct request *rq, const struct schema_table *t)
{
    if (!history_may_see(rq, t))
        return NULL;
    for (size_t i = 0; i < t->trigger_count; i++)
        if (history_is_own_table(t->triggers[i].name))
            return t->triggers[i].name.p;
    str name = ARENA_CAT(rq->arena, STR(HISTORY_PREFIX), t->name);
    return schema_table(rq->schema, name) ? name.p : NULL;
}

enum status history_key(struct request *rq, const struct history_info *info, str path, const str **ret, struct err *err)
{
    str rest = path, part;
    size_t n = info->shape.key_count, wanted = 1;
    for (size_t i = 0; i < path.n; i++)
        wanted += path.p[i] == ',';
    if (wanted != n)
        return err_set(err, STATUS_INVALID, "URL row identifier does not match the primary key for this table");
    str *keys = ARENA_ARRAY(rq->arena, str, n + 1);
    for (size_t i = 0; i < n; i++) {
        str_cut(rest, ',', &part, &rest);
        keys[i] = tilde_decode(rq->arena, part);
    }
    *ret = keys;
    return STATUS_OK;
}

/* ---- as data ---- */

static struct value value_of(struct arena *a, const struct db_value *v)
{
    switch (v->kind) {
    case DB_INT:
        return value_int(v->i);
    case DB_FLOAT:
        return value_float(v->f);
    case DB_TEXT:
        return value_str(utf8_repair(a, v->s));
    case DB_BLOB:
        return value_bytes(v->s);
    case DB_NULL:
        break;
    }
    return VALUE_NULL;
}

static struct value row_of(struct arena *a, const struct history_info *info, const struct history_change *c,
                           const struct db_value *values)
{
    if (!values)
        return VALUE_NULL;
    struct value d = value_dict(a);
    for (size_t i = 0; i < info->name_count; i++)
        if (c->recorded[i])
            value_set(d, info->names[i], value_of(a, &values[i]));
    return d;
}

static struct value head_of(struct arena *a, const struct history_change *c)
{
    struct value d = value_dict(a);
    VALUE_SET(d, "version", value_int(c->version));
    VALUE_SET(d, "at", value_str(c->at));
    VALUE_SET(d, "op", value_cstr(history_op_names[c->op]));
    VALUE_SET(d, "who", value_str_if(c->who.n > 0, utf8_repair(a, c->who)));
    VALUE_SET(d, "via", value_str_if(c->via.n > 0, utf8_repair(a, c->via)));
    return d;
}

static struct value change_value(struct arena *a, const struct history_info *info, const struct history_change *c)
{
    struct value d = head_of(a, c), row = value_dict(a), changed = value_list(a);
    for (size_t i = 0; c->op <= HISTORY_DELETE && i < info->shape.key_count; i++)
        value_set(row, info->shape.keys[i], value_of(a, &c->keys[i]));
    for (size_t i = 0; i < info->name_count; i++)
        if (history_differs(c, i))
            value_push(changed, value_str(info->names[i]));
    VALUE_SET(d, "row", c->op <= HISTORY_DELETE ? row : VALUE_NULL);
    VALUE_SET(d, "before", row_of(a, info, c, c->before));
    VALUE_SET(d, "after", row_of(a, info, c, c->after));
    VALUE_SET(d, "changed", changed);
    return d;
}

static enum status read(struct request *rq, const struct history_info *info, const struct history_query *q,
                        struct history_change **ret, size_t *ret_count, int64_t *ret_next, struct err *err)
{
    bool more = false;
    fetch_deadline(rq, rq->conn, rq->site->config.settings.sql_time_limit_ms);
    enum status st = history_read(rq->conn, rq->arena, info, q, ret, ret_count, &more, err);
    fetch_deadline(rq, rq->conn, 0);
    *ret_next = st == STATUS_OK && more ? (*ret)[*ret_count - 1].version : 0;
    return st;
}

enum status history_values(struct request *rq, const struct history_info *info, const struct history_query *q,
                           struct value *ret, int64_t *ret_next, struct err *err)
{
    struct history_change *changes = NULL;
    size_t n = 0;
    enum status st = read(rq, info, q, &changes, &n, ret_next, err);
    *ret = value_list(rq->arena);
    for (size_t i = 0; st == STATUS_OK && i < n; i++)
        value_push(*ret, change_value(rq->arena, info, &changes[i]));
    return st;
}

/* ---- as a page shows it ---- */

/* Bytes that both begin with, cut at a character. */
static size_t common_head(str x, str y)
{
    size_t n = 0;
    while (n < x.n && n < y.n && x.p[n] == y.p[n])
        n++;
    while (n && n < x.n && ((unsigned char)x.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static size_t common_tail(str x, str y)
{
    size_t n = 0;
    while (n < x.n && n < y.n && x.p[x.n - 1 - n] == y.p[y.n - 1 - n])
        n++;
    while (n && ((unsigned char)x.p[x.n - n] & 0xc0) == 0x80)
        n--;
    return n;
}

static struct value cut_end(struct arena *a, str s, size_t max)
{
    size_t n = utf8_offset(s, max);
    return value_str(n < s.n ? ARENA_CAT(a, str_sub(s, 0, n), STR("\xe2\x80\xa6")) : s);
}

static struct value cut_start(struct arena *a, str s, size_t max)
{
    size_t count = utf8_count(s);
    if (count <= max)
        return value_str(s);
    return value_str(ARENA_CAT(a, STR("\xe2\x80\xa6"), str_from(s, utf8_offset(s, count - max))));
}

/* {kind, head, middle, tail}: the middle is what differs. */
static struct value side_of(struct arena *a, const struct db_value *v, size_t head, size_t tail)
{
    struct value d = value_dict(a);
    str text = v->kind == DB_TEXT   ? utf8_repair(a, v->s)
               : v->kind == DB_BLOB ? ARENA_CAT(a, STR("binary, "), format_bytes(a, (int64_t)v->s.n))
                                    : value_to_str(a, value_of(a, v));
    bool plain = v->kind != DB_NULL && v->kind != DB_BLOB;
    VALUE_SET(d, "kind", value_cstr(v->kind == DB_NULL ? "null" : plain ? "text" : "blob"));
    if (v->kind == DB_NULL)
        text = STR("null");
    VALUE_SET(d, "head", cut_start(a, str_sub(text, 0, head), COMMON_MAX));
    VALUE_SET(d, "middle", cut_end(a, str_sub(text, head, text.n - tail), PIECE_MAX));
    VALUE_SET(d, "tail", cut_end(a, str_from(text, text.n - tail), COMMON_MAX));
    return d;
}

static struct value difference(struct arena *a, str column, const struct db_value *before, const struct db_value *after)
{
    struct value d = value_dict(a);
    size_t head = 0, tail = 0;
    if (before && after && before->kind == DB_TEXT && after->kind == DB_TEXT) {
        str x = utf8_repair(a, before->s), y = utf8_repair(a, after->s);
        head = common_head(x, y);
        tail = common_tail(str_from(x, head), str_from(y, head));
        if ((head + tail) * 2 < MAX(x.n, y.n)) /* other words: whole values are easier to read */
            head = tail = 0;
    }
    VALUE_SET(d, "column", value_str(column));
    VALUE_SET(d, "before", before ? side_of(a, before, head, tail) : VALUE_NULL);
    VALUE_SET(d, "after", after ? side_of(a, after, head, tail) : VALUE_NULL);
    return d;
}

static bool may(const struct request *rq, const struct history_info *info, enum action a)
{
    return rq->db->writer && request_allowed(rq, a, rq->db->name, info->shape.table);
}

/* The words on the button; NULL = there is none. Whether the row is there now is seen when it is pressed. */
static const char *undo_label(const struct request *rq, const struct history_info *info, enum history_op op)
{
    if (op == HISTORY_UPDATE && may(rq, info, ACTION_UPDATE_ROW))
        return "Revert to before this";
    if (op == HISTORY_DELETE && may(rq, info, ACTION_INSERT_ROW))
        return "Restore this row";
    return NULL;
}

static struct value display_of(struct request *rq, const struct history_info *info, const struct history_change *c)
{
    struct arena *a = rq->arena;
    struct value d = head_of(a, c), list = value_list(a);
    size_t n = info->shape.key_count;
    str *texts = ARENA_ARRAY(a, str, n * 2 + 1), *parts = ARENA_ARRAY(a, str, n * 2 + 1);
    for (size_t i = 0; i < n; i++) {
        str text = value_to_str(a, value_of(a, &c->keys[i]));
        texts[i * 2] = text;
        parts[i * 2] = tilde_encode(a, text);
        texts[i * 2 + 1] = STR(", ");
        parts[i * 2 + 1] = STR(",");
    }
    str path = arena_concat(a, parts, n * 2 - 1), base = link_row(rq, rq->db->name, info->shape.table, path);
    for (size_t i = 0; i < info->name_count; i++)
        if (history_differs(c, i))
            value_push(list,
                       difference(a, info->names[i], c->before ? &c->before[i] : NULL, c->after ? &c->after[i] : NULL));
    const char *undo = undo_label(rq, info, c->op);
    bool of_row = c->op <= HISTORY_DELETE;
    VALUE_SET(d, "row_title", of_row ? value_str(arena_concat(a, texts, n * 2 - 1)) : VALUE_NULL);
    VALUE_SET(d, "row_url", of_row ? value_str(base) : VALUE_NULL);
    VALUE_SET(d, "history_url", of_row ? value_str(ARENA_CAT(a, base, STR("/-/history"))) : VALUE_NULL);
    VALUE_SET(d, "changes", list);
    VALUE_SET(d, "undo_label", value_cstr(undo));
    VALUE_SET(d, "undo_url", value_str(ARENA_CAT(a, base, STR("/-/revert"))));
    return d;
}

enum status history_display(struct request *rq, const struct history_info *info, const struct history_query *q,
                            struct value *ret, int64_t *ret_next, struct err *err)
{
    struct history_change *changes = NULL;
    size_t n = 0;
    enum status st = read(rq, info, q, &changes, &n, ret_next, err);
    *ret = value_list(rq->arena);
    for (size_t i = 0; st == STATUS_OK && i < n; i++)
        value_push(*ret, display_of(rq, info, &changes[i]));
    return st;
}

struct value history_of_row(struct request *rq, const struct schema_table *t)
{
    struct arena *a = rq->arena;
    struct history_info info;
    struct history_query q = {.limit = ROW_CHANGES};
    struct value d = value_dict(a), list;
    int64_t next;
    if (t->kind != SCHEMA_TABLE || history_is_own_table(t->name) || !history_of(rq, t))
        return VALUE_NULL;
    enum status st = history_look(rq->conn, a, t->name, &info, NULL);
    if (st == STATUS_OK)
        st = history_key(rq, &info, rq->params[2], &q.keys, NULL);
    if (st == STATUS_OK)
        st = history_display(rq, &info, &q, &list, &next, NULL);
    if (st != STATUS_OK)
        return VALUE_NULL;
    VALUE_SET(d, "changes", list);
    VALUE_SET(d, "enabled", value_bool(info.enabled));
    VALUE_SET(d, "more_url",
              next ? value_str(ARENA_CAT(a, link_row(rq, rq->db->name, t->name, rq->params[2]), STR("/-/history")))
                   : VALUE_NULL);
    return d;
}

/* ---- tables that the configuration names ---- */

struct enable_job {
    struct writer_job job; /* first */
    struct arena *arena;
    str table;
    bool changed;
};

static enum status run_enable(struct writer_job *j, struct conn *c, struct err *err)
{
    struct enable_job *e = (struct enable_job *)j;
    e->changed = false;
    return history_enable(c, e->arena, e->table, j->who, j->via, &e->changed, err);
}

static void enable(struct published *p, str table)
{
    struct err err = ERR_INIT;
    struct enable_job e = {.job = {.run = run_enable, .via = STR("configuration")}, .table = table};
    e.arena = arena_new(LIMIT_REQUEST_ARENA);
    enum status st = writer_run(p->writer, &e.job, &err);
    if (st != STATUS_OK && st != STATUS_NOT_FOUND)
        LOG_WITH(LOG_WARN, "history", STR("changes are not recorded"), LOG_STR("database", p->name),
                 LOG_STR("table", table), LOG_STR("why", str_of(err.text)));
    else if (st == STATUS_OK && e.changed)
        LOG_WITH(LOG_INFO, "history", STR("changes are recorded"), LOG_STR("database", p->name),
                 LOG_STR("table", table));
    arena_free(e.arena);
}

void history_configured(struct site *s)
{
    for (size_t i = 0; i < s->published_count; i++) {
        struct published *p = s->published[i];
        struct value tables = VALUE_GET(config_database(&s->config, p->name), "tables");
        for (size_t k = 0; p->writer && k < value_count(tables); k++) {
            const struct value_entry *e = &tables.dict->entries[k];
            if (value_truth(VALUE_GET(e->value, "history")))
                enable(p, e->key);
        }
    }
}

/* ---- not for ever ---- */

struct prune_job {
    struct writer_job job; /* first */
    struct arena *arena;
    int64_t max_rows;
    str before;
    bool more;
};

static enum status run_prune(struct writer_job *j, struct conn *c, struct err *err)
{
    struct prune_job *p = (struct prune_job *)j;
    const str *names = NULL;
    size_t n = 0;
    p->more = false;
    enum status st = history_in_use(c) ? history_list(c, p->arena, &names, &n, err) : STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < n; i++) {
        bool more;
        st = history_prune(c, names[i], p->max_rows, p->before, &more, err);
        p->more |= more;
    }
    return st;
}

/* "2026-01-31T00:00:00Z", so many days ago; empty for 0. */
static str days_ago(struct arena *a, int64_t days)
{
    struct tm tm;
    time_t t = (time_t)(clock_unix_s() - MIN(days, (int64_t)100000) * 86400);
    if (!days || !gmtime_r(&t, &tm))
        return (str){0};
    return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                        tm.tm_min, tm.tm_sec);
}

static void prune(struct site *s, struct published *p)
{
    const struct settings *set = &s->config.settings;
    enum status st = STATUS_OK;
    struct err err = ERR_INIT;
    struct prune_job j = {.job = {.run = run_prune}, .max_rows = set->history_max_rows, .more = true};
    j.arena = arena_new(LIMIT_REQUEST_ARENA);
    j.before = days_ago(j.arena, set->history_max_age_days);
    while (st == STATUS_OK && j.more && !atomic_load(&s->shared->stopping))
        st = writer_run(p->writer, &j.job, &err); /* one piece at a time: visitors' writes come between */
    if (st != STATUS_OK)
        LOG_WITH(LOG_WARN, "history", STR("old changes are not deleted"), LOG_STR("database", p->name),
                 LOG_STR("why", str_of(err.text)));
    arena_free(j.arena);
}

static bool has_histories(const struct published *p)
{
    const struct schema *schema = schema_newest(p->database);
    bool found = !schema || schema_table(schema, STR(HISTORY_ACTOR)); /* not read yet: the writer will see */
    schema_unref(schema);
    return found;
}

void history_prune_all(struct site *s)
{
    const struct settings *set = &s->config.settings;
    if (!set->history_max_rows && !set->history_max_age_days)
        return;
    for (size_t i = 0; i < s->published_count; i++)
        if (s->published[i]->writer && has_histories(s->published[i]))
            prune(s, s->published[i]);
}

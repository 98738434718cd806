/* SPDX-License-Identifier: Apache-2.0 */
#include "site/api_log.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/utf8.h"
#include "codec/jwrite.h"
#include "db/stmt.h"
#include "site/accounts.h"
#include "site/actor.h"
#include "site/internal.h"

struct entry {
    struct entry *next;
    struct arena *arena; /* owns it */
    str at, method, path, actor, headers, body, answer, answer_type;
    bool has_body, has_answer, body_cut, answer_cut;
    int status;
    double duration_ms;
};

struct api_log {
    struct internal *in;
    pthread_mutex_t lock; /* of all below */
    struct entry *first, **last;
    size_t count, bytes;
    bool busy; /* a job of the upkeep lane takes what waits */
    int64_t max_rows, max_age_days;
};

struct api_log *api_log_new(struct internal *in)
{
    struct api_log *l = MEM_NEW(struct api_log);
    l->in = in;
    l->last = &l->first;
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

static void free_entries(struct entry *e)
{
    for (struct entry *next; e; e = next) {
        next = e->next;
        arena_free(e->arena);
    }
}

void api_log_free(struct api_log *l)
{
    if (!l)
        return;
    free_entries(l->first);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* ---- writing, in the background ---- */

struct batch {
    struct entry *first;
    int64_t max_rows, max_age_days;
};

static struct db_value text(bool there, str s)
{
    if (!there)
        return (struct db_value){.kind = DB_NULL};
    return (struct db_value){.kind = utf8_valid(s) ? DB_TEXT : DB_BLOB, .s = s};
}

static enum status insert(struct conn *c, const struct entry *e, struct err *err)
{
    struct stmt *s = NULL;
    const struct db_value values[] = {
        text(true, e->at),
        text(true, e->method),
        text(true, e->path),
        text(e->actor.n > 0, e->actor),
        text(true, e->headers),
        text(e->has_body, e->body),
        {.kind = DB_INT, .i = e->body_cut},
        {.kind = DB_INT, .i = e->status},
        text(e->answer_type.n > 0, e->answer_type),
        text(e->has_answer, e->answer),
        {.kind = DB_INT, .i = e->answer_cut},
        {.kind = DB_FLOAT, .f = e->duration_ms},
    };
    enum status st = conn_prepare_trusted(
        c,
        STR("insert into api_log (at, method, path, actor, headers, body, body_cut, status, answer_type, answer,"
            " answer_cut, duration_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        &s, err);
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(values); i++)
        st = stmt_bind(s, (int)i + 1, values[i], err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    return st;
}

static enum status prune(struct conn *c, const struct batch *b, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = STATUS_OK;
    if (b->max_rows > 0) {
        st =
            conn_prepare_trusted(c, STR("delete from api_log where id <= (select max(id) from api_log) - ?1"), &s, err);
        if (st == STATUS_OK)
            st = stmt_bind_i64(s, 1, b->max_rows, err);
        if (st == STATUS_OK)
            st = stmt_step(s, err);
        stmt_done(s);
    }
    if (st != STATUS_OK || b->max_age_days <= 0)
        return st;
    st = conn_prepare_trusted(
        c, STR("delete from api_log where at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || ?1 || ' days')"), &s, err);
    if (st == STATUS_OK)
        st = stmt_bind_i64(s, 1, b->max_age_days, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    return st;
}

static enum status write_batch(struct conn *c, void *arg, struct err *err)
{
    const struct batch *b = arg;
    enum status st = STATUS_OK;
    for (const struct entry *e = b->first; e && st == STATUS_OK; e = e->next)
        st = insert(c, e, err);
    return st == STATUS_OK ? prune(c, b, err) : st;
}

static void write_waiting(void *arg, struct worker *w)
{
    struct api_log *l = arg;
    (void)w;
    for (;;) {
        struct err err = ERR_INIT;
        pthread_mutex_lock(&l->lock);
        struct batch b = {l->first, l->max_rows, l->max_age_days};
        size_t count = l->count;
        l->first = NULL;
        l->last = &l->first;
        l->count = l->bytes = 0;
        l->busy = b.first != NULL;
        pthread_mutex_unlock(&l->lock);
        if (!b.first)
            return;
        if (internal_write(l->in, write_batch, &b, &err) != STATUS_OK) {
            metric_add(METRIC_API_LOG_DROPPED, count);
            log_line(LOG_WARN, "api_log", "%zu requests are not in the API log: %s", count, err.text);
        }
        free_entries(b.first);
    }
}

/* ---- on the way of a request ---- */

static bool signs_in(str name)
{
    static const char *const words[] = {"authorization", "cookie", "token", "secret", "password", "api-key", "csrf"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        str word = str_of(words[i]);
        for (size_t at = 0; at + word.n <= name.n; at++)
            if (str_eq_nocase(str_sub(name, at, at + word.n), word))
                return true;
    }
    return false;
}

str api_log_header(str name, str value)
{
    return signs_in(name) ? STR("***") : value;
}

static str headers_json(struct arena *a, const struct http_headers *h)
{
    struct buf b;
    struct jwrite w;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    jwrite_init(&w, &b, JWRITE_UTF8);
    jwrite_object_begin(&w);
    for (size_t i = 0; i < h->count; i++) {
        jwrite_key(&w, h->items[i].name);
        jwrite_string(&w, api_log_header(h->items[i].name, h->items[i].value));
    }
    jwrite_object_end(&w);
    str json = arena_str(a, buf_str(&b));
    buf_release(&b);
    return json;
}

static str now_text(struct arena *a)
{
    int64_t us = clock_unix_us();
    time_t s = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&s, &tm);
    return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                        tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(us / 1000 % 1000));
}

/* A token may stand in the address where the configuration allows that. */
static str path_of(struct arena *a, const struct request *rq)
{
    str param = accounts_token_param(rq->site->accounts);
    if (!rq->query_string.n)
        return arena_str(a, rq->path);
    if (param.n && str_find(rq->query_string, param) != STR_NPOS)
        return ARENA_CAT(a, rq->path, STR("?***"));
    return ARENA_CAT(a, rq->path, STR("?"), rq->query_string);
}

static str cut(struct arena *a, str s, size_t max, bool *ret_cut)
{
    *ret_cut = s.n > max;
    return arena_str(a, s.n > max ? utf8_cut(s, max) : s);
}

static struct entry *make(struct request *rq, const struct http_response *r)
{
    const struct settings *set = &rq->site->config.settings;
    struct arena *a = arena_new(0);
    struct entry *e = ARENA_NEW(a, struct entry);
    size_t max = (size_t)MIN(set->api_log_max_body_bytes, (int64_t)LIMIT_API_LOG_BYTES);
    str answer = r->kind == HTTP_BODY_BUF ? buf_str(&r->buf) : r->kind == HTTP_BODY_TEXT ? r->text : (str){0};
    e->arena = a;
    e->at = now_text(a);
    e->method = arena_str(a, rq->http->method_text);
    e->path = path_of(a, rq);
    e->actor = arena_str(a, actor_name(rq));
    e->headers = headers_json(a, &rq->http->headers);
    bool on_disk = rq->http->sink || rq->body; /* of an import: not kept */
    e->has_body = !on_disk;
    e->body = cut(a, rq->http->body, max, &e->body_cut);
    e->body_cut |= on_disk;
    e->has_answer = r->kind != HTTP_BODY_FILE && r->kind != HTTP_BODY_STREAM && r->kind != HTTP_BODY_BLOB;
    e->answer = cut(a, answer, max, &e->answer_cut);
    e->answer_type = arena_str(a, response_header_get(r, STR("content-type")));
    e->status = r->status;
    e->duration_ms = (double)(clock_mono_us() - rq->started_mono_us) / 1000.0;
    return e;
}

static size_t size_of(const struct request *rq, const struct http_response *r)
{
    return rq->http->body.n + rq->http->target.n + (r->kind == HTTP_BODY_BUF ? r->buf.n : 0) + 1024;
}

void api_log_note(struct request *rq, struct http_response *r)
{
    const struct settings *set = &rq->site->config.settings;
    struct api_log *l = rq->site->shared->api_log;
    if (!set->api_log || request_is_get(rq) || rq->http->method == HTTP_OPTIONS || !rq->route || !rq->param_count)
        return; /* pages without a database take passwords and make tokens */
    size_t size = size_of(rq, r);
    pthread_mutex_lock(&l->lock);
    bool room = l->count < (size_t)LIMIT_API_LOG_QUEUE && l->bytes + size <= (size_t)LIMIT_API_LOG_BYTES;
    pthread_mutex_unlock(&l->lock);
    if (!room) {
        metric_add(METRIC_API_LOG_DROPPED, 1);
        return;
    }
    struct entry *e = make(rq, r);
    pthread_mutex_lock(&l->lock);
    *l->last = e;
    l->last = &e->next;
    l->count++;
    l->bytes += size;
    l->max_rows = set->api_log_max_rows;
    l->max_age_days = set->api_log_max_age_days;
    bool start = !l->busy;
    l->busy = true;
    pthread_mutex_unlock(&l->lock);
    if (start && !pool_submit(rq->site->pool, LANE_UPKEEP, write_waiting, l))
        write_waiting(l, NULL); /* the lane is full or stopping */
}

/* SPDX-License-Identifier: Apache-2.0 */
/* job — something that takes time, followed by whoever asks: lines so far, then the end. A follower asks with the
 * number of lines it has and is answered when there are more. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "edge/wish.h"

struct job *job_new(struct edge *e, const char *what, str name)
{
    struct job *j = MEM_NEW(struct job);
    j->edge = e;
    j->id = ++e->job_id;
    j->what = mem_alloc(strlen(what) + name.n + 2);
    (void)snprintf(j->what, strlen(what) + name.n + 2, "%s %.*s", what, STR_ARG(name));
    j->next = e->jobs;
    e->jobs = j;
    /* Those that ended long ago go. */
    size_t n = 0;
    for (struct job **at = &e->jobs; *at;) {
        struct job *old = *at;
        if (++n > (size_t)LIMIT_EDGE_JOBS && old->done && !old->waiters) {
            *at = old->next;
            job_free(old);
        } else {
            at = &old->next;
        }
    }
    return j;
}

void job_free(struct job *j)
{
    ASSERT(!j->waiters);
    for (size_t i = 0; i < j->count; i++)
        free(j->lines[i]);
    free(j->lines);
    free(j->what);
    free(j);
}

static void answer(const struct job *j, struct http_exchange *x, size_t after)
{
    struct arena *a = http_exchange_arena(x);
    struct value v = value_dict(a), lines = value_list(a);
    for (size_t i = after; i < j->count; i++)
        value_push(lines, value_cstr(j->lines[i]));
    VALUE_SET(v, "job", value_int((int64_t)j->id));
    VALUE_SET(v, "lines", lines);
    VALUE_SET(v, "next", value_int((int64_t)j->count));
    VALUE_SET(v, "done", value_bool(j->done));
    if (j->done && j->err.status != STATUS_OK) {
        VALUE_SET(v, "status", value_cstr(status_name(j->err.status)));
        VALUE_SET(v, "error", value_cstr(j->err.text));
        VALUE_SET(v, "hint", value_cstr(j->err.hint));
    }
    struct buf body;
    struct http_response r;
    buf_init(&body, LIMIT_EDGE_CONTROL);
    value_to_json(&body, v, VALUE_JSON_UTF8);
    response_init(&r, a);
    response_header(&r, STR("content-type"), STR("application/json"));
    response_body_take(&r, &body);
    http_exchange_respond(x, &r);
}

static void tell(struct job *j)
{
    while (j->waiters) {
        struct waiter *w = j->waiters;
        j->waiters = w->next;
        answer(j, w->x, w->after);
        free(w);
    }
}

static void waiter_gone(void *arg)
{
    struct waiter *w = arg;
    struct job *j = w->job;
    for (struct waiter **at = &j->waiters; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            http_exchange_fail(w->x, 499, STR(""));
            free(w);
            return;
        }
}

void job_line(struct job *j, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_line(LOG_INFO, "edge", "%s%s%s", j ? j->what : "", j ? ": " : "", text);
    if (!j || j->count >= (size_t)LIMIT_EDGE_JOB_LINES)
        return;
    j->lines = mem_resize(j->lines, j->count + 1, sizeof(*j->lines));
    j->lines[j->count++] = mem_cstr(str_of(text));
    tell(j);
}

void job_end(struct job *j, const struct err *err)
{
    ASSERT(!j->done);
    j->done = true;
    if (err)
        j->err = *err;
    if (err)
        log_line(LOG_WARN, "edge", "%s: %s", j->what, err->text);
    tell(j);
    wish_job_ended(j);
}

void job_answer(struct job *j, struct http_exchange *x, size_t after)
{
    if (j->done || after < j->count) {
        answer(j, x, MIN(after, j->count));
        return;
    }
    struct waiter *w = MEM_NEW(struct waiter);
    *w = (struct waiter){.next = j->waiters, .x = x, .after = after, .job = j};
    j->waiters = w;
    http_exchange_on_gone(x, waiter_gone, w);
}

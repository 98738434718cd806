/* SPDX-License-Identifier: Apache-2.0 */
/* edge_access — what is counted of a request that is over, and its line in the access log: one JSON object a line, all
 * lines of a round in one write. A log that cannot be written is told once and never stops the edge. */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/jwrite.h"
#include "edge/worker_impl.h"

void edge_access_flush(void *worker)
{
    struct edge_worker *w = worker;
    if (!w->access.n)
        return;
    for (size_t at = 0; at < w->access.n;) {
        ssize_t n = write(w->config.access_fd, w->access.p + at, w->access.n - at);
        if (n <= 0) {
            static _Atomic bool told;
            if (!atomic_exchange(&told, true))
                log_line(LOG_WARN, "edge", "the access log cannot be written; lines are lost");
            break;
        }
        at += (size_t)n;
    }
    buf_clear(&w->access);
}

static void put_line(struct edge_request *r, bool complete, int64_t duration_us)
{
    struct edge_worker *w = r->conn->worker;
    struct edge_exchange *x = r->x;
    char when[CLOCK_ISO_LEN + 1];
    struct jwrite j;
    clock_format_iso_ms(clock_unix_us(), when);
    jwrite_init(&j, &w->access, JWRITE_COMPACT | JWRITE_UTF8);
    jwrite_object_begin(&j);
    jwrite_key(&j, STR("time"));
    jwrite_string(&j, str_of(when));
    const struct {
        str key, text;
    } texts[] = {
        {STR("client"), r->conn->peer[0] ? str_of(r->conn->peer) : STR("unix")},
        {STR("host"), x->host},
        {STR("method"), x->head.method},
        {STR("target"), str_sub(x->head.target, 0, 2048)},
        {STR("protocol"), str_of(x->head.minor == 0 && !r->conn->h2 ? "HTTP/1.0" : r->conn->client->protocol)},
        {STR("app"), x->app ? str_of(x->app->name) : STR("")},
        {STR("instance"), x->instance ? str_of(x->instance->name) : STR("")},
        {STR("agent"), str_sub(http_headers_get(&x->head.headers, STR("user-agent")), 0, 512)},
        {STR("referer"), str_sub(http_headers_get(&x->head.headers, STR("referer")), 0, 1024)},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        jwrite_key(&j, texts[i].key);
        jwrite_string(&j, texts[i].text);
    }
    const struct {
        str key;
        int64_t n;
    } numbers[] = {
        {STR("status"), x->status},
        {STR("bytes_in"), (int64_t)x->request_bytes},
        {STR("bytes_out"), (int64_t)x->sent_bytes},
        {STR("duration_us"), duration_us},
        {STR("tries"), (int64_t)x->tries + (x->answering ? 1 : 0)},
        {STR("replays"), (int64_t)r->replays},
        {STR("held_us"), r->arrived_us ? MAX(0, x->released_us - r->arrived_us) : 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        jwrite_key(&j, numbers[i].key);
        jwrite_i64(&j, numbers[i].n);
    }
    jwrite_key(&j, STR("complete"));
    jwrite_bool(&j, complete);
    jwrite_object_end(&j);
    buf_putc(&w->access, '\n');
    if (w->access.n > LIMIT_EDGE_ACCESS_BATCH / 2)
        edge_access_flush(w);
}

void edge_access_note(struct edge_request *r, bool complete)
{
    struct edge_exchange *x = r->x;
    int64_t duration_us = x->started_us ? loop_now_us(r->conn->worker->loop) - x->started_us : 0;
    if (x->app) {
        struct edge_count *counts = x->app->shares[r->conn->worker->config.index].counts;
        count_add(&counts[EDGE_REQUESTS], 1);
        count_add(&counts[r->conn->h2 ? EDGE_HTTP2 : EDGE_HTTP1], 1);
        if (x->status >= 100 && x->status < 600 && (complete || x->answering))
            count_add(&counts[EDGE_1XX + x->status / 100 - 1], 1);
        if (!complete)
            count_add(&counts[EDGE_GONE], 1);
        count_add(&counts[EDGE_BYTES_IN], x->request_bytes);
        count_add(&counts[EDGE_BYTES_OUT], x->sent_bytes);
        count_add(&counts[EDGE_DURATION_US], (uint64_t)duration_us);
    }
    if (r->conn->worker->config.access_fd >= 0)
        put_line(r, complete, duration_us);
}

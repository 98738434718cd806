/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/server_impl.h"

void http_limits_default(struct http_limits *ret)
{
    *ret = (struct http_limits){
        .line_bytes = 32768,
        .head_bytes = LIMIT_HTTP_HEAD,
        .header_count = 100,
        .connections_max = 10000,
        .head_ms = 20000,
        .body_ms = 20000,
        .body_total_ms = 600000,
        .idle_ms = 75000,
        .write_ms = 30000,
        .linger_ms = 2000,
        .body_bytes = 2 << 20,
        .bodies_bytes = 64 << 20,
    };
}

/* ---- buffers of requests ---- */

struct h1_work *server_work_take(struct http_server *s)
{
    struct h1_work *w = s->spare;
    if (w) {
        s->spare = w->next_spare;
        s->spare_count--;
    } else {
        w = MEM_NEW(struct h1_work);
        http_exchange_init(&w->x);
        http_exchange_reset(&w->x);
        /* A head, and what a client may have sent behind a chunked body. */
        buf_init(&w->in, LIMIT_HTTP_HEAD + (size_t)4 * LIMIT_HTTP_READ);
        buf_init(&w->body, 0);
    }
    h1_parser_init(&w->parser, &s->head_limits);
    return w;
}

static void work_free(struct h1_work *w)
{
    response_release(&w->x.response);
    arena_free(w->x.arena);
    buf_release(&w->x.head);
    buf_release(&w->in);
    buf_release(&w->body);
    free(w);
}

void server_work_give(struct http_server *s, struct h1_work *w)
{
    ASSERT(!w->stream && !w->sink);
    s->stats.bodies_bytes -= w->charged;
    w->charged = 0;
    w->body_bytes = 0;
    w->in_used = 0;
    w->continue_left = 0;
    w->sent_bytes = w->head_bytes = 0;
    if (s->spare_count >= LIMIT_HTTP_WORK_SPARE) {
        work_free(w);
        return;
    }
    http_exchange_reset(&w->x);
    buf_release(&w->body);
    if (w->in.cap > 2 * LIMIT_HTTP_READ)
        buf_release(&w->in);
    buf_clear(&w->in);
    w->next_spare = s->spare;
    s->spare = w;
    s->spare_count++;
}

str server_date_line(struct http_server *s)
{
    int64_t now = loop_now_us(s->config.loop);
    if (UNLIKELY(now >= s->date_until_us)) {
        char date[CLOCK_HTTP_LEN + 1];
        int64_t unix_us = clock_unix_us();
        clock_format_http(unix_us / 1000000, date);
        s->date_line_n = (size_t)snprintf(s->date_line, sizeof(s->date_line), "date: %s\r\n", date);
        s->date_until_us = now + 1000000 - unix_us % 1000000;
    }
    return str_make(s->date_line, s->date_line_n);
}

/* ---- connections ---- */

static void set_paused(struct http_server *s, bool paused)
{
    if (s->paused == paused)
        return;
    s->paused = paused;
    if (paused)
        LOG_WITH(LOG_WARN, "http", STR("connection limit reached; new clients wait"),
                 LOG_I64("connections", s->conn_count));
    for (size_t i = 0; i < s->config.listen_count; i++) {
        if (!s->listens[i].listener)
            continue;
        if (paused)
            listener_pause(s->listens[i].listener);
        else
            listener_resume(s->listens[i].listener);
    }
}

static void on_accept(void *arg, int fd, const struct addr *peer)
{
    struct http_listen_slot *slot = arg;
    struct http_server *s = slot->server;
    h1_conn_start(s, fd, peer, (uint32_t)(slot - s->listens));
    if (s->conn_count >= s->config.limits.connections_max)
        set_paused(s, true);
}

static void on_expired(struct wheel_item *item)
{
    h1_conn_expired((struct h1_conn *)((char *)item - offsetof(struct h1_conn, deadline)));
}

static void tell_stopped(void *arg)
{
    struct http_server *s = arg;
    s->stopped = true;
    if (s->on_stopped)
        s->on_stopped(s->on_stopped_arg);
}

static void check_left(struct http_server *s)
{
    if (!s->leave.left || s->conn_count)
        return;
    void (*left)(void *arg) = s->leave.left;
    s->leave.left = NULL;
    loop_defer(s->config.loop, left, s->leave.arg);
}

static void check_stopped(struct http_server *s)
{
    if (!s->stopping || s->conn_count || s->told)
        return;
    s->told = true;
    loop_timer_cancel(s->config.loop, &s->grace);
    loop_defer(s->config.loop, tell_stopped, s);
}

void server_conn_gone(struct http_server *s, struct h1_conn *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->conn_count--;
    if (s->paused && !s->stopping && !s->leave.give && s->conn_count < s->config.limits.connections_max)
        set_paused(s, false);
    check_left(s);
    check_stopped(s);
}

/* ---- life ---- */

static void grace_over(void *arg)
{
    struct http_server *s = arg;
    struct h1_conn *next;
    for (struct h1_conn *c = s->conns; c; c = next) {
        next = c->next;
        h1_conn_stop(c, true);
    }
}

static void close_listeners(struct http_server *s)
{
    for (size_t i = 0; i < s->config.listen_count; i++) {
        if (s->leave.give && s->listens[i].listener)
            listener_disown_path(s->listens[i].listener); /* the successor's */
        listener_free(s->listens[i].listener);
        tls_server_unref(s->listens[i].tls);
        s->listens[i].listener = NULL;
        s->listens[i].tls = NULL;
    }
}

static enum status check_config(const struct http_server_config *config, struct err *err)
{
    const struct http_limits *l = &config->limits;
    if (!config->listen_count || config->listen_count > LIMIT_HTTP_LISTENERS)
        return err_set(err, STATUS_INVALID, "a server needs 1 to %d listening sockets", LIMIT_HTTP_LISTENERS);
    if (l->line_bytes >= l->head_bytes || l->head_bytes > LIMIT_HTTP_HEAD || l->header_count > LIMIT_HTTP_HEADERS ||
        !l->header_count)
        return err_set(err, STATUS_INVALID,
                       "the limits of a request head do not fit: line %u < head %u <= %d, fields %u <= %d",
                       l->line_bytes, l->head_bytes, LIMIT_HTTP_HEAD, l->header_count, LIMIT_HTTP_HEADERS);
    if (!l->connections_max || l->body_bytes < 0 || l->bodies_bytes < 0)
        return err_set(err, STATUS_INVALID, "a limit of connections or bodies is not positive");
    if (config->server_name && (strlen(config->server_name) > 64 || !http_header_value_ok(str_of(config->server_name))))
        return err_set(err, STATUS_INVALID, "the server name does not fit a header field");
    return STATUS_OK;
}

enum status http_server_new(const struct http_server_config *config, struct http_server **ret, struct err *err)
{
    enum status st = check_config(config, err);
    struct http_server *s = MEM_NEW(struct http_server);
    s->config = *config;
    s->config.listen_count = MIN(config->listen_count, LIMIT_HTTP_LISTENERS);
    s->config.listens = NULL;
    s->head_limits =
        (struct h1_limits){config->limits.line_bytes, config->limits.head_bytes, config->limits.header_count};
    for (size_t i = 0; i < s->config.listen_count; i++) {
        struct tls_server *tls = config->listens[i].tls;
        s->listens[i] = (struct http_listen_slot){s, config->listens[i].listener, tls ? tls_server_ref(tls) : NULL};
    }
    if (st == STATUS_OK && config->server_name && *config->server_name)
        (void)snprintf(s->server_line, sizeof(s->server_line), "server: %s\r\n", config->server_name);
    wheel_init(&s->wheel, config->loop, on_expired);
    loop_timer_init(&s->grace, grace_over, s);
    for (size_t i = 0; st == STATUS_OK && i < s->config.listen_count; i++)
        st = listener_start(s->listens[i].listener, config->loop, on_accept, &s->listens[i], err);
    if (st != STATUS_OK) {
        close_listeners(s);
        s->stopped = true;
        http_server_free(s);
        return st;
    }
    *ret = s;
    return STATUS_OK;
}

void http_server_stop(struct http_server *s, uint32_t grace_ms, void (*on_stopped)(void *arg), void *arg)
{
    int64_t at_us = loop_refresh_now_us(s->config.loop) + grace_ms * INT64_C(1000);
    if (on_stopped) {
        s->on_stopped = on_stopped;
        s->on_stopped_arg = arg;
    }
    if (!s->stopping) {
        s->stopping = true;
        close_listeners(s);
        struct h1_conn *next;
        for (struct h1_conn *c = s->conns; c; c = next) {
            next = c->next;
            h1_conn_stop(c, false);
        }
    }
    if (s->conn_count && (!loop_timer_armed(&s->grace) || at_us < s->grace.at_us))
        loop_timer_at(s->config.loop, &s->grace, at_us);
    check_stopped(s);
}

/* ---- leaving for a successor ---- */

void http_server_leave(struct http_server *s, const struct http_leave *leave)
{
    ASSERT(leave->give && leave->left && !s->leave.give && !s->stopping);
    struct h1_conn *next;
    s->leave = *leave;
    for (size_t i = 0; i < s->config.listen_count; i++)
        listener_stop(s->listens[i].listener);
    for (struct h1_conn *c = s->conns; c; c = next) {
        next = c->next;
        h1_conn_leave(c);
    }
    check_left(s);
}

void http_server_return(struct http_server *s)
{
    struct err err = ERR_INIT;
    if (!s->leave.give || s->stopping)
        return;
    s->leave = (struct http_leave){0};
    s->paused = false;
    for (size_t i = 0; i < s->config.listen_count; i++)
        if (listener_start(s->listens[i].listener, s->config.loop, on_accept, &s->listens[i], &err) != STATUS_OK)
            log_line(LOG_ERROR, "http", "cannot accept again: %s", err.text);
}

void http_server_adopt(struct http_server *s, size_t index, int own_fd, str unread)
{
    struct addr peer = {.len = sizeof peer.ss};
    if (index >= s->config.listen_count || s->listens[index].tls || s->stopping ||
        getpeername(own_fd, (struct sockaddr *)&peer.ss, &peer.len) != 0) { /* not one of ours, or gone meanwhile */
        close(own_fd);
        return;
    }
    h1_conn_adopt(s, own_fd, &peer, (uint32_t)index, unread);
    if (s->conn_count >= s->config.limits.connections_max)
        set_paused(s, true);
}

size_t http_server_listen_count(const struct http_server *s)
{
    return s->config.listen_count;
}

const struct listener *http_server_listener(const struct http_server *s, size_t index)
{
    ASSERT(index < s->config.listen_count);
    return s->listens[index].listener;
}

bool http_server_stopped(const struct http_server *s)
{
    return s->stopped;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    ASSERT(s->stopped && !s->conn_count);
    while (s->spare) {
        struct h1_work *w = s->spare;
        s->spare = w->next_spare;
        work_free(w);
    }
    loop_timer_cancel(s->config.loop, &s->grace);
    wheel_release(&s->wheel);
    free(s);
}

void http_server_set_tls(struct http_server *s, size_t index, struct tls_server *tls)
{
    ASSERT(index < s->config.listen_count && (tls != NULL) == (s->listens[index].tls != NULL));
    struct tls_server *old = s->listens[index].tls;
    s->listens[index].tls = tls ? tls_server_ref(tls) : NULL;
    tls_server_unref(old);
}

const struct addr *http_server_addr(const struct http_server *s, size_t index)
{
    ASSERT(index < s->config.listen_count && s->listens[index].listener);
    return listener_addr(s->listens[index].listener);
}

void http_server_stats(const struct http_server *s, struct http_stats *ret)
{
    *ret = s->stats;
    ret->connections = s->conn_count;
    for (const struct h1_conn *c = s->conns; c; c = c->next) {
        ret->idle += sm_state(&c->sm) == H1_IDLE;
        ret->handling += sm_state(&c->sm) == H1_HANDLING;
        ret->streaming += sm_state(&c->sm) == H1_STREAMING;
    }
}

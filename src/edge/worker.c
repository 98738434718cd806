/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "edge/worker_impl.h"
#include "rt/thread.h"

void edge_limits_default(struct edge_limits *ret)
{
    *ret = (struct edge_limits){
        .line_bytes = 16384,
        .head_bytes = 32768,
        .header_count = 100,
        .connections_max = 100000,
        .head_ms = 15000,
        .idle_ms = 75000,
        .body_ms = 30000,
        .body_rate = 256,
        .write_ms = LIMIT_EDGE_WRITE_MS,
        .pause_ms = 60000,
        .tunnel_ms = 3600000,
        .linger_ms = 2000,
        .body_bytes = 0,
        .client = {.connect_ms = 5000, .idle_ms = 4000, .idle_max = 256},
    };
}

/* ---- exchanges ---- */

static struct edge_exchange *exchange_new(void)
{
    struct edge_exchange *x = MEM_NEW(struct edge_exchange);
    buf_init(&x->in, LIMIT_EDGE_HEAD);
    buf_init(&x->up_in, LIMIT_EDGE_BLOCK);
    buf_init(&x->request_head, LIMIT_EDGE_HEAD);
    buf_init(&x->answer_head, LIMIT_EDGE_HEAD);
    return x;
}

static void exchange_free(struct edge_exchange *x)
{
    buf_release(&x->in);
    buf_release(&x->up_in);
    buf_release(&x->request_head);
    buf_release(&x->answer_head);
    free(x);
}

struct edge_exchange *worker_exchange_take(struct edge_worker *w, struct edge_request *r)
{
    struct edge_exchange *x = w->spare;
    if (x) {
        w->spare = x->next;
        w->spare_count--;
        struct buf in = x->in, up_in = x->up_in, request_head = x->request_head, answer_head = x->answer_head;
        memset(x, 0, offsetof(struct edge_exchange, fields));
        x->in = in;
        x->up_in = up_in;
        x->request_head = request_head;
        x->answer_head = answer_head;
        buf_clear(&x->in);
        buf_clear(&x->up_in);
        buf_clear(&x->request_head);
        buf_clear(&x->answer_head);
    } else {
        x = exchange_new();
    }
    x->owner = r;
    x->whole = true;
    h1_parser_init(&x->parser, &w->head_limits);
    return x;
}

void worker_exchange_give(struct edge_worker *w, struct edge_exchange *x)
{
    ASSERT(!x->instance && !x->up);
    if (w->spare_count >= LIMIT_EDGE_SPARE) {
        exchange_free(x);
        return;
    }
    x->next = w->spare;
    w->spare = x;
    w->spare_count++;
}

/* ---- accepting ---- */

static void set_paused(struct edge_worker *w, bool paused)
{
    w->paused = paused;
    if (paused)
        log_line(LOG_WARN, "edge", "loop %u: %u connections; new clients wait", w->config.index,
                 w->config.limits.connections_max);
    for (size_t i = 0; i < w->config.listen_count; i++) {
        if (w->slots[i].listener && paused)
            listener_pause(w->slots[i].listener);
        else if (w->slots[i].listener)
            listener_resume(w->slots[i].listener);
    }
}

/* ---- sharing new connections ----
 *
 * All loops listen on one socket, and whichever wakes first takes a whole burst. So the one that accepts gives the
 * connection to the loop with the fewest, unless its own count is about as low. */

struct edge_parcel *edge_parcel_new(void (*fn)(void *arg), void *to, size_t slot, int own_fd, int other_fd, str unread,
                                    str note)
{
    struct edge_parcel *p = mem_alloc(sizeof(*p) + unread.n + note.n);
    *p = (struct edge_parcel){.to = to, .slot = slot, .fd = own_fd, .other_fd = other_fd};
    if (unread.n)
        memcpy(p->bytes, unread.p, unread.n);
    if (note.n)
        memcpy(p->bytes + unread.n, note.p, note.n);
    p->unread = str_make(p->bytes, unread.n);
    p->note = str_make(p->bytes + unread.n, note.n);
    p->message = (struct loop_message){.fn = fn, .arg = p};
    return p;
}

static struct edge_conn *begin(struct edge_worker *w, size_t slot, int fd, const struct addr *peer, bool began)
{
    if (w->stopping || w->leave.give) { /* it was accepted by a loop that did not know yet */
        if (w->leave.give)
            w->leave.give(w->leave.arg, slot, fd, -1, STR(""), STR(""));
        else
            close(fd);
        atomic_fetch_sub_explicit(&w->conn_count, 1, memory_order_relaxed);
        worker_check_left(w);
        return NULL;
    }
    struct edge_conn *c = edge_conn_start(w, fd, peer, slot, began);
    if (!w->paused && edge_worker_connections(w) >= w->config.limits.connections_max)
        set_paused(w, true);
    return c;
}

static void on_handover(void *arg)
{
    struct edge_parcel *p = arg;
    struct edge_worker *w = p->to;
    if (p->note.n && w->leave.give) { /* it goes on to the next process as it came */
        w->leave.give(w->leave.arg, p->slot, p->fd, p->other_fd, p->unread, p->note);
        atomic_fetch_sub_explicit(&w->conn_count, 1, memory_order_relaxed);
        worker_check_left(w);
        free(p);
        return;
    }
    struct edge_conn *c = begin(w, p->slot, p->fd, &p->peer, p->note.n > 0);
    if (c && p->note.n)
        leave_adopt(c, p->other_fd, p->unread, p->note);
    else if (p->other_fd >= 0)
        close(p->other_fd);
    free(p);
}

/* `own` stands for itself as long as it has about as few as the others. */
static struct edge_worker *least_loaded(struct edge_worker *own, struct edge_worker *const *all, unsigned count)
{
    struct edge_worker *best = own;
    uint32_t n = edge_worker_connections(own), least = n - n / 16;
    for (unsigned i = 0; i < count; i++) {
        n = edge_worker_connections(all[i]);
        if (n < least) {
            best = all[i];
            least = n;
        }
    }
    return best;
}

void edge_worker_take(struct edge_worker *const *workers, unsigned count, size_t slot, int own_fd, int other_fd,
                      str unread, str note)
{
    struct addr peer = {.len = sizeof(peer.ss)};
    struct edge_worker *to = least_loaded(workers[0], workers, count);
    if (slot >= to->config.listen_count || getpeername(own_fd, (struct sockaddr *)&peer.ss, &peer.len) != 0) {
        close(own_fd); /* not one of ours, or gone meanwhile */
        if (other_fd >= 0)
            close(other_fd);
        return;
    }
    struct edge_parcel *p = edge_parcel_new(on_handover, to, slot, own_fd, other_fd, unread, note);
    p->peer = peer;
    atomic_fetch_add_explicit(&to->conn_count, 1, memory_order_relaxed);
    loop_post_message(to->loop, &p->message);
}

static void on_accept(void *arg, int fd, const struct addr *peer)
{
    struct edge_slot *slot = arg;
    struct edge_worker *w = slot->worker, *to = least_loaded(w, w->peers, w->peer_count);
    atomic_fetch_add_explicit(&to->conn_count, 1, memory_order_relaxed);
    if (to == w) {
        (void)begin(w, (size_t)(slot - w->slots), fd, peer, false);
        return;
    }
    struct edge_parcel *p = edge_parcel_new(on_handover, to, (size_t)(slot - w->slots), fd, -1, STR(""), STR(""));
    p->peer = *peer;
    loop_post_message(to->loop, &p->message);
}

void edge_worker_set_peers(struct edge_worker *w, struct edge_worker *const *peers, unsigned count)
{
    w->peers = peers;
    w->peer_count = count;
}

static void on_expired(struct wheel_item *item)
{
    edge_conn_expired((struct edge_conn *)(void *)((char *)item - offsetof(struct edge_conn, deadline)));
}

static void on_request_expired(struct wheel_item *item)
{
    edge_request_expired((struct edge_request *)(void *)((char *)item - offsetof(struct edge_request, deadline)));
}

static void on_release(void *arg)
{
    hold_release(arg);
}

uint32_t edge_worker_connections(const struct edge_worker *w)
{
    return atomic_load_explicit(&w->conn_count, memory_order_relaxed);
}

static void check_stopped(struct edge_worker *w)
{
    if (w->stopping && !w->conns)
        loop_stop(w->loop);
}

void worker_conn_gone(struct edge_worker *w, struct edge_conn *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        w->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    atomic_fetch_sub_explicit(&w->conn_count, 1, memory_order_relaxed);
    if (w->paused && !w->stopping && !w->leave.give && edge_worker_connections(w) < w->config.limits.connections_max)
        set_paused(w, false);
    check_stopped(w);
    worker_check_left(w);
}

void worker_check_left(struct edge_worker *w)
{
    void (*left)(void *arg) = w->leave.left;
    if (!w->leave.give || w->stopping || edge_worker_connections(w) || !left)
        return;
    w->leave.left = NULL;
    left(w->leave.arg);
}

void worker_stop_accepting(struct edge_worker *w)
{
    for (size_t i = 0; i < w->config.listen_count; i++) {
        listener_free(w->slots[i].listener);
        w->slots[i].listener = NULL;
    }
}

/* ---- what the control thread asks for ---- */

void edge_worker_adopt(struct edge_worker *w, struct edge_table *t)
{
    edge_table_unref(w->table);
    w->table = edge_table_ref(t);
    hold_release(w);
}

void edge_worker_cut(struct edge_worker *w, struct edge_instance *i)
{
    struct edge_place *place = &i->places[w->config.index];
    while (place->first)
        forward_withdraw(place->first->owner);
}

void edge_worker_forget(struct edge_worker *w, struct edge_instance *i)
{
    struct edge_place *place = &i->places[w->config.index];
    ASSERT(!place->first);
    if (place->open)
        upstream_pool_release(&place->pool);
    place->open = false;
}

void edge_worker_set_tls(struct edge_worker *w, size_t index, struct tls_server *tls)
{
    struct tls_server *old = w->slots[index].tls;
    w->slots[index].tls = tls ? tls_server_ref(tls) : NULL;
    tls_server_unref(old);
    edge_handshakes_again(w, index);
}

static void grace_over(void *arg)
{
    struct edge_worker *w = arg;
    while (w->conns)
        edge_conn_stop(w->conns, true);
}

static void close_slots(struct edge_worker *w)
{
    worker_stop_accepting(w);
    for (size_t i = 0; i < w->config.listen_count; i++) {
        tls_server_unref(w->slots[i].tls);
        w->slots[i] = (struct edge_slot){.worker = w, .fd = -1};
    }
}

void edge_worker_stop(struct edge_worker *w, uint32_t grace_ms)
{
    if (!w->stopping) {
        struct edge_conn *next;
        w->stopping = true;
        close_slots(w);
        for (struct edge_conn *c = w->conns; c; c = next) {
            next = c->next;
            edge_conn_stop(c, false);
        }
    }
    int64_t at_us = loop_refresh_now_us(w->loop) + grace_ms * INT64_C(1000);
    if (!loop_timer_armed(&w->grace) || at_us < w->grace.at_us)
        loop_timer_at(w->loop, &w->grace, at_us);
    check_stopped(w);
}

/* ---- life ---- */

static enum status adopt_listener(struct edge_worker *w, size_t i, struct err *err)
{
    int fd = fcntl(w->slots[i].fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return err_sys(err, STATUS_IO, errno, "cannot share a listening socket");
    enum status st = listener_adopt(fd, &w->slots[i].listener, err);
    if (st != STATUS_OK) {
        close(fd);
        return st;
    }
    return listener_start(w->slots[i].listener, w->loop, on_accept, &w->slots[i], err);
}

void edge_worker_return(struct edge_worker *w)
{
    struct err err = ERR_INIT;
    w->leave = (struct edge_leave){0};
    w->paused = false;
    for (size_t i = 0; i < w->config.listen_count && !w->stopping; i++)
        if (!w->slots[i].listener && adopt_listener(w, i, &err) != STATUS_OK)
            log_line(LOG_ERROR, "edge", "loop %u cannot accept again: %s", w->config.index, err.text);
}

enum status edge_worker_new(const struct edge_worker_config *config, struct edge_worker **ret, struct err *err)
{
    const struct edge_limits *l = &config->limits;
    ASSERT(config->index < LIMIT_EDGE_LOOPS && config->listen_count <= LIMIT_HTTP_LISTENERS);
    struct edge_worker *w = MEM_NEW(struct edge_worker);
    w->config = *config;
    w->config.listens = NULL; /* the caller's; what is needed of them is in the slots */
    w->head_limits = (struct h1_limits){l->line_bytes, l->head_bytes, l->header_count};
    w->table = edge_table_new(0);
    buf_init(&w->access, LIMIT_EDGE_ACCESS_BATCH);
    for (size_t i = 0; i < config->listen_count; i++) {
        struct tls_server *tls = config->listens[i].tls;
        w->slots[i] =
            (struct edge_slot){.worker = w, .fd = config->listens[i].fd, .tls = tls ? tls_server_ref(tls) : NULL};
    }
    enum status st = loop_new(&w->loop, err);
    if (st != STATUS_OK) {
        edge_table_unref(w->table);
        free(w);
        return st;
    }
    wheel_init(&w->wheel, w->loop, on_expired);
    wheel_init(&w->request_wheel, w->loop, on_request_expired);
    http_upstream_init(&w->client, w->loop, &l->client);
    loop_timer_init(&w->grace, grace_over, w);
    loop_timer_init(&w->release, on_release, w);
    w->access_hook = (struct loop_hook){.fn = edge_access_flush, .arg = w};
    loop_hook_add(w->loop, &w->access_hook);
    for (size_t i = 0; st == STATUS_OK && i < config->listen_count; i++)
        st = adopt_listener(w, i, err);
    if (st != STATUS_OK) {
        edge_worker_free(w);
        return st;
    }
    *ret = w;
    return STATUS_OK;
}

static void run(void *arg)
{
    struct edge_worker *w = arg;
    struct err err = ERR_INIT;
    if (loop_run(w->loop, &err) != STATUS_OK)
        log_line(LOG_ERROR, "edge", "loop %u: %s", w->config.index, err.text);
    if (w->config.on_end)
        w->config.on_end(w->config.arg);
}

enum status edge_worker_start(struct edge_worker *w, struct err *err)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "edge-%u", w->config.index);
    enum status st = thread_start(name, 0, run, w, &w->thread, err);
    w->running = st == STATUS_OK;
    return st;
}

void edge_worker_join(struct edge_worker *w)
{
    if (w->running)
        thread_join(w->thread);
    w->running = false;
}

void edge_worker_free(struct edge_worker *w)
{
    if (!w)
        return;
    edge_worker_join(w);
    ASSERT(!w->conns);
    close_slots(w);
    loop_timer_cancel(w->loop, &w->grace);
    loop_timer_cancel(w->loop, &w->release);
    loop_hook_remove(w->loop, &w->access_hook);
    http_upstream_release(&w->client);
    wheel_release(&w->wheel);
    wheel_release(&w->request_wheel);
    loop_free(w->loop);
    while (w->spare) {
        struct edge_exchange *x = w->spare;
        w->spare = x->next;
        exchange_free(x);
    }
    edge_table_unref(w->table);
    buf_release(&w->access);
    free(w);
}

struct loop *edge_worker_loop(const struct edge_worker *w)
{
    return w->loop;
}

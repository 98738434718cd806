/* SPDX-License-Identifier: Apache-2.0 */
/* forward — a request to an instance and its answer back, both ways at once.
 *
 *   choose an instance -> take a connection -> head and body to the app -> head and body to the client
 *
 * Two flows (flow.h) share the connection pair: the request's bytes lie in x->in, the answer's in x->up_in. Each is
 * read only when all that was read before is written, so a slow side slows the other and nothing piles up.
 *
 * When an app fails: before a byte was written to it, any request goes to another instance. Later, but before a byte of
 * an answer came, a request goes on only if it may be made twice (RFC 9110 section 9.2.2) and all of it is still here.
 * Else the client is told by 502 or 504; and when its answer had begun, by a reset, for a cut answer must not look
 * whole.
 *
 * A connection to an app is kept only when the answer was framed, wholly read, nothing follows it, and the whole
 * request was written: anything else could make the next client read this one's answer. */
#include <stddef.h>

#include "base/log.h"
#include "edge/worker_impl.h"
#include "net/proxy_header.h"

static void on_up(void *owner, unsigned events);

static unsigned index_of(const struct edge_request *r)
{
    return r->conn->worker->config.index;
}

static bool is_idempotent(str method)
{
    static const char *const names[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
    return str_is_any(method, names, ARRAY_LEN(names));
}

/* ---- choosing an instance ---- */

static bool was_tried(const struct edge_exchange *x, const struct edge_instance *i)
{
    for (unsigned k = 0; k < MIN(x->tries, LIMIT_EDGE_TRIES); k++)
        if (x->tried[k] == i->id)
            return true;
    return false;
}

/* The one with least in hand of this loop; of equals in turn. NULL: all were tried. */
static struct edge_instance *choose(struct edge_request *r, const struct edge_target *target)
{
    struct edge_instance *best = NULL;
    uint32_t least = 0;
    uint64_t turn = r->conn->worker->turn++;
    for (size_t k = 0; k < target->count; k++) {
        struct edge_instance *i = target->instances[(turn + k) % target->count];
        uint32_t busy = atomic_load_explicit(&i->places[index_of(r)].busy, memory_order_relaxed);
        if (was_tried(r->x, i) || (best && busy >= least))
            continue;
        best = i;
        least = busy;
    }
    return best;
}

static void attach(struct edge_request *r, struct edge_instance *i)
{
    struct edge_exchange *x = r->x;
    struct edge_place *place = &i->places[index_of(r)];
    if (!place->open) {
        upstream_pool_init(&place->pool, &r->conn->worker->client, &i->addr);
        place->open = true;
    }
    x->instance = i;
    x->prev = NULL;
    x->next = place->first;
    if (x->next)
        x->next->prev = x;
    place->first = x;
    x->is_write = !edge_is_read(x->head.method);
    struct edge_share *share = &x->app->shares[index_of(r)];
    if (x->is_write)
        count_add(&share->writes, 1);
    count_add(&share->in_hand, 1);
    atomic_store_explicit(&share->last_us, loop_now_us(r->conn->worker->loop), memory_order_relaxed);
    atomic_fetch_add_explicit(&place->busy, 1, memory_order_relaxed);
}

void forward_end(struct edge_request *r, bool keep)
{
    struct edge_exchange *x = r->x;
    if (x->up && keep)
        upstream_give(x->up);
    else
        upstream_drop(x->up);
    x->up = NULL;
    if (!x->instance)
        return;
    struct edge_place *place = &x->instance->places[index_of(r)];
    if (x->prev)
        x->prev->next = x->next;
    else
        place->first = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->next = x->prev = NULL;
    x->instance = NULL;
    struct edge_share *share = &x->app->shares[index_of(r)];
    if (x->is_write)
        count_add(&share->writes, (uint64_t)-1);
    count_add(&share->in_hand, (uint64_t)-1);
    atomic_store_explicit(&share->last_us, loop_now_us(r->conn->worker->loop), memory_order_relaxed);
    if (share->queue.count)
        hold_look_soon(r->conn->worker);
    /* The last touch: from zero on the control thread may take the instance away. */
    atomic_fetch_sub_explicit(&place->busy, 1, memory_order_release);
}

/* Who the client is, for an app that wants to hear it before anything else (PROXY protocol). Where it connected to is
 * asked of the kernel: it stands nowhere else, and few apps want it. */
static void put_proxy(struct edge_request *r)
{
    const struct edge_conn *c = r->conn;
    struct addr server = {.len = sizeof(server.ss)};
    if (getsockname(c->stream.fd, (struct sockaddr *)&server.ss, &server.len) != 0)
        server = (struct addr){0};
    proxy_header_put(&r->x->request_head, r->x->send_proxy, str_of(c->peer), c->peer_port, &server, c->secure);
}

static bool build_head(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    struct rewrite_request how = {
        .head = &x->head,
        .target = &x->target,
        .host = x->host,
        .peer = str_of(r->conn->peer),
        .trusted = r->conn->trusted,
        .secure = r->conn->secure,
        .strip = x->strip,
        .upgrade = rewrite_upgrade(&x->head).p != NULL,
        .replay = x->spool_wanted,
    };
    buf_clear(&x->request_head);
    if (x->send_proxy)
        put_proxy(r);
    rewrite_request(&x->request_head, &how);
    return !x->request_head.over;
}

static void start(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    sm_move(&r->sm, EDGE_REQUEST_FORWARDING);
    x->stale = x->up->uses > 0;
    upload_begin(r);
    download_begin(x);
    upstream_watch(x->up, LOOP_READ);
}

/* Sends the request to an instance of the target; when none is left that was not tried: false. */
static bool offer(struct edge_request *r, const struct edge_target *target)
{
    struct edge_exchange *x = r->x;
    struct edge_instance *i = choose(r, target);
    struct err err = ERR_INIT;
    if (!i || x->send_proxy != target->send_proxy) /* its head is written for another version: it is read anew */
        return false;
    bool fresh = x->stale || x->send_proxy; /* stale: a kept connection failed, so the next one is new */
    attach(r, i);
    if (sm_state(&r->sm) != EDGE_REQUEST_CONNECTING)
        sm_move(&r->sm, EDGE_REQUEST_CONNECTING);
    x->answer_ms = target->answer_ms;
    x->began = false;
    if (upstream_take(&i->places[index_of(r)].pool, fresh, !is_idempotent(x->head.method), on_up, r, &x->up, &err) !=
        STATUS_OK) {
        forward_end(r, false);
        reply_status(r, 503, "The server has no connection to spare.", "Try again in a moment.");
        return true;
    }
    if (upstream_connected(x->up))
        start(r);
    return true;
}

void forward_begin(struct edge_request *r, const struct edge_target *target)
{
    struct edge_exchange *x = r->x;
    x->continue_wanted = x->head.expect_continue && !r->spool;
    x->spool_wanted = target->spool;
    x->send_proxy = target->send_proxy;
    if (!build_head(r)) {
        r->close_after = true;
        reply_status(r, 431, "The header fields are too large to be passed on.", "Send fewer or shorter cookies.");
        return;
    }
    if (!offer(r, target))
        forward_fail(r, 502, "No instance of the app can be reached.");
}

/* ---- when an app fails, or lets go ---- */

static void hold(struct edge_request *r, const struct edge_target *target)
{
    if (sm_state(&r->sm) != EDGE_REQUEST_HEAD)
        sm_move(&r->sm, EDGE_REQUEST_HEAD);
    hold_begin(r, target);
}

/* Can it have been executed? Not while its end was not sent. May it be, twice? Then by its method. */
static bool may_repeat(const struct edge_request *r, int status)
{
    const struct edge_exchange *x = r->x;
    if (x->answer_bytes || r->conn->half_closed || status == 504)
        return false;
    return !x->began || (upload_kept(r) && (!upload_complete(r) || is_idempotent(x->head.method)));
}

/* It may wait as long as one that comes now, however long its upload took until here. */
static void wait_anew(struct edge_request *r)
{
    r->arrived_us = loop_now_us(r->conn->worker->loop);
    r->held_until_us = 0;
}

/* Nothing of an answer was passed on yet: another instance, a moment's patience, or the truth. */
void forward_fail(struct edge_request *r, int status, const char *text)
{
    struct edge_exchange *x = r->x;
    bool repeat = may_repeat(r, status), began = x->began;
    unsigned deaths_max = began && !upload_complete(r) ? LIMIT_EDGE_TRIES : 1;
    if (x->instance && !x->stale && x->tries < LIMIT_EDGE_TRIES)
        x->tried[x->tries] = x->instance->id;
    if (x->instance)
        x->tries++;
    forward_end(r, false);
    const struct edge_target *target = edge_table_target(r->conn->worker->table, x->app);
    if (repeat && r->spool && began)
        count_add(&x->app->shares[index_of(r)].counts[EDGE_REPLAYS], 1);
    if (repeat)
        upload_rewind(r);
    if (repeat && target && x->tries < LIMIT_EDGE_TRIES) {
        count_add(&x->app->shares[index_of(r)].counts[EDGE_RETRIES], 1);
        if (!hold_wanted(r, target) && offer(r, target))
            return;
    }
    /* Its process may have died just now and be back in a moment. A request that itself kills apps is given up. */
    if (repeat && target && target->managed && upload_kept(r) && !(began && r->deaths >= deaths_max)) {
        r->deaths += began;
        if (began)
            wait_anew(r);
        hold(r, target);
        return;
    }
    reply_status(r, status, text,
                 status == 504 ? "It may be overloaded. Try again in a moment."
                               : "It may be starting or have stopped. Try again in a moment.");
}

bool forward_replay(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    const struct edge_target *target = edge_table_target(r->conn->worker->table, x->app);
    if (!target || !upload_kept(r) || r->conn->half_closed || r->replays >= LIMIT_EDGE_REPLAYS)
        return false;
    r->replays++;
    count_add(&x->app->shares[index_of(r)].counts[EDGE_REPLAYS], 1);
    upload_rewind(r);
    forward_end(r, false);
    x->tries = 0;
    x->answer_bytes = false; /* what it said is done with */
    x->stale = true;         /* not over a connection to the one that let go */
    wait_anew(r);
    if (hold_wanted(r, target) || !offer(r, target))
        hold(r, target);
    return true;
}

void forward_withdraw(struct edge_request *r)
{
    const struct edge_exchange *x = r->x;
    unsigned st = sm_state(&r->sm);
    bool untouched = st == EDGE_REQUEST_CONNECTING ||
                     (st == EDGE_REQUEST_FORWARDING && !x->answering && !x->answer_bytes && !upload_complete(r));
    if (!untouched || !forward_replay(r))
        r->conn->client->reset(r);
    r->conn->client->tick(r);
}

/* After the head of the answer left: the client must see that it is not whole. */
void forward_cut(struct edge_request *r)
{
    count_add(&r->x->app->shares[index_of(r)].counts[EDGE_CUT], 1);
    r->conn->client->reset(r);
}

/* ---- both ---- */

static void set_deadlines(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    const struct edge_limits *l = &r->conn->worker->config.limits;
    bool tunnel = sm_state(&r->sm) == EDGE_REQUEST_TUNNEL, sent = upload_over(r);
    unsigned events = flow_waiting(&x->answer) ? 0 : LOOP_READ;
    if (!r->write_blocked)
        edge_request_deadline(r, tunnel ? l->tunnel_ms : upload_wants(r) ? upload_patience(r) : 0);
    if (!x->answering && sent && !x->waits) {
        x->waits = true;
        upstream_deadline(x->up, x->answer_ms);
    } else if (x->up_blocked && !x->answering) {
        upstream_deadline(x->up, l->pause_ms);
    } else if (x->answering) {
        upstream_deadline(x->up, r->write_blocked || x->event_stream || tunnel ? 0 : l->pause_ms);
    } else if (!sent) {
        upstream_deadline(x->up, 0);
    }
    upstream_watch(x->up, events | (x->up_blocked ? LOOP_WRITE : 0));
}

bool forward_step(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    /* TCP shows no difference between a client that ended its sending half and one that is gone. An answer that is on
     * its way is finished; but a stream of events has no end, and nothing may be written for hours. */
    if (r->conn->half_closed && (!x->answering || x->event_stream) && upload_over(r)) {
        r->conn->client->lost(r);
        return false;
    }
    while (upload_step(r))
        if (sm_state(&r->sm) != EDGE_REQUEST_FORWARDING || r->x != x)
            return sm_state(&r->sm) != EDGE_REQUEST_OVER;
    if (sm_state(&r->sm) != EDGE_REQUEST_FORWARDING)
        return false;
    if (download_step(r))
        return true;
    if (sm_state(&r->sm) == EDGE_REQUEST_FORWARDING && r->x == x)
        set_deadlines(r);
    return false;
}

bool tunnel_quiet(const struct edge_request *r)
{
    const struct edge_exchange *x = r->x;
    return sm_state(&r->sm) == EDGE_REQUEST_TUNNEL && !flow_waiting(&x->request) && !flow_waiting(&x->answer) &&
           !x->request.ended && !x->answer.ended && !x->request_cut && !x->up_ended && !x->up_hung &&
           x->in_used == x->in.n && x->up_used == x->up_in.n;
}

bool tunnel_resume(struct edge_request *r, struct edge_instance *i, int own_fd)
{
    struct edge_exchange *x = r->x;
    x->app = i->app;
    attach(r, i);
    if (!buf_reserve(&x->in, LIMIT_EDGE_READ) ||
        upstream_adopt(&i->places[index_of(r)].pool, own_fd, on_up, r, &x->up, NULL) != STATUS_OK)
        return false;
    sm_move(&r->sm, EDGE_REQUEST_CONNECTING);
    sm_move(&r->sm, EDGE_REQUEST_FORWARDING);
    sm_move(&r->sm, EDGE_REQUEST_TUNNEL);
    flow_init(&x->request, H1_BODY_CLOSE, 0, false);
    flow_init(&x->answer, H1_BODY_CLOSE, 0, false);
    x->answering = x->answer_bytes = x->began = x->up_may_read = true;
    x->status = 101;
    return true;
}

bool tunnel_step(struct edge_request *r)
{
    while (upload_step(r))
        ;
    if (sm_state(&r->sm) != EDGE_REQUEST_TUNNEL)
        return false;
    if (download_step(r))
        return true;
    if (sm_state(&r->sm) == EDGE_REQUEST_TUNNEL && !leave_tunnel(r))
        set_deadlines(r);
    return false;
}

bool forward_wants_body(const struct edge_request *r)
{
    return upload_wants(r) && r->x->in_used == r->x->in.n;
}

void forward_client_expired(struct edge_request *r)
{
    if (sm_state(&r->sm) == EDGE_REQUEST_TUNNEL) {
        r->conn->client->lost(r);
        return;
    }
    (void)upload_bad(r, 408, "The request did not come in time.");
}

static void app_expired(struct edge_request *r)
{
    if (r->x->answering)
        forward_cut(r);
    else
        forward_fail(r, 504, "The app did not answer in time.");
}

static void on_up(void *owner, unsigned events)
{
    struct edge_request *r = owner;
    struct edge_exchange *x = r->x;
    if (events & UPSTREAM_CONNECTED) {
        start(r);
    } else if (sm_state(&r->sm) == EDGE_REQUEST_CONNECTING) {
        x->stale = false;
        forward_fail(r, 502, "No instance of the app can be reached.");
    } else if (events & UPSTREAM_EXPIRED) {
        app_expired(r);
    } else {
        x->up_may_read = x->up_may_read || (events & (LOOP_READ | LOOP_READ_CLOSED | LOOP_HANGUP));
        if (events & (LOOP_WRITE | LOOP_HANGUP))
            x->up_blocked = false;
        if (events & LOOP_HANGUP) { /* would be told each round; what is left is read as the client takes it */
            x->up_hung = true;
            loop_remove_fd(r->conn->worker->loop, x->up->watch);
            x->up->watch = NULL;
        }
    }
    r->conn->client->tick(r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* request — one request as a state machine, whatever connection it came by.
 *
 *   HEAD --complete--> CONNECTING --connected--> FORWARDING --answer is out--> OVER
 *    |  ^                |   `--no instance--> HOLDING --released--> HEAD   `--101--> TUNNEL --> OVER
 *    |  `----------------+-------- app failed, nothing of the answer was seen -----'
 *    `--no route, bad head--> REPLYING --answer is out--> OVER
 *
 * edge_conn_tick calls edge_request_step until it has to wait. Only forward.c speaks to apps, only hold.c to the queue;
 * what is asked of the client's side is struct edge_client (worker_impl.h).
 *
 * Invariants: (1) An answer that cannot be completed ends in a reset: no client takes it for whole. (2) A request that
 * is read but not yet sent to an app may wait, be sent to another instance, or be dropped when its client leaves; once
 * its answer began it is neither. (3) It is freed by loop_defer, so whoever still has it sees OVER. */
#include <stdlib.h>

#include "base/mem.h"
#include "edge/worker_impl.h"

const struct sm_state edge_request_states[EDGE_REQUEST_STATES] = {
    [EDGE_REQUEST_HEAD] = {"reading head",
                           SM_TO(EDGE_REQUEST_HOLDING) | SM_TO(EDGE_REQUEST_CONNECTING) | SM_TO(EDGE_REQUEST_REPLYING) |
                               SM_TO(EDGE_REQUEST_OVER),
                           SM_INITIAL},
    [EDGE_REQUEST_HOLDING] = {"holding", SM_TO(EDGE_REQUEST_HEAD) | SM_TO(EDGE_REQUEST_OVER), 0},
    [EDGE_REQUEST_CONNECTING] = {"connecting",
                                 SM_TO(EDGE_REQUEST_FORWARDING) | SM_TO(EDGE_REQUEST_HEAD) |
                                     SM_TO(EDGE_REQUEST_REPLYING) | SM_TO(EDGE_REQUEST_OVER),
                                 0},
    [EDGE_REQUEST_FORWARDING] = {"forwarding",
                                 SM_TO(EDGE_REQUEST_CONNECTING) | SM_TO(EDGE_REQUEST_HEAD) |
                                     SM_TO(EDGE_REQUEST_REPLYING) | SM_TO(EDGE_REQUEST_TUNNEL) |
                                     SM_TO(EDGE_REQUEST_OVER),
                                 0},
    [EDGE_REQUEST_TUNNEL] = {"tunnel", SM_TO(EDGE_REQUEST_OVER), 0},
    [EDGE_REQUEST_REPLYING] = {"replying", SM_TO(EDGE_REQUEST_OVER), 0},
    [EDGE_REQUEST_OVER] = {"over", 0, SM_FINAL},
};

struct edge_request *edge_request_new(struct edge_conn *c)
{
    struct edge_request *r = MEM_NEW(struct edge_request);
    sm_init(&r->sm, "edge_request", edge_request_states, EDGE_REQUEST_STATES, EDGE_REQUEST_HEAD);
    r->conn = c;
    r->x = worker_exchange_take(c->worker, r);
    return r;
}

void edge_request_deadline(struct edge_request *r, uint32_t after_ms)
{
    struct edge_worker *w = r->conn->worker;
    wheel_set(&w->request_wheel, &r->deadline, after_ms ? loop_now_us(w->loop) + after_ms * INT64_C(1000) : 0);
}

void edge_request_await_client(struct edge_request *r)
{
    r->conn->client->stalled(r);
    edge_request_deadline(r, r->conn->worker->config.limits.write_ms);
}

static void request_free(void *arg)
{
    struct edge_request *r = arg;
    free(r->held);
    free(r);
}

void edge_request_drop(struct edge_request *r)
{
    struct edge_worker *w = r->conn->worker;
    if (sm_state(&r->sm) == EDGE_REQUEST_HOLDING)
        hold_leave(r);
    sm_move(&r->sm, EDGE_REQUEST_OVER);
    wheel_remove(&w->request_wheel, &r->deadline);
    if (r->x) {
        forward_end(r, false);
        worker_exchange_give(w, r->x);
    }
    r->x = NULL;
    spool_close(r->spool);
    r->spool = NULL;
    loop_defer(w->loop, request_free, r);
}

void edge_request_gone(struct edge_request *r)
{
    unsigned st = sm_state(&r->sm);
    if (st == EDGE_REQUEST_HOLDING)
        count_add(&r->held_app->shares[r->conn->worker->config.index].counts[EDGE_GONE], 1);
    else if (st != EDGE_REQUEST_HEAD)
        edge_access_note(r, st == EDGE_REQUEST_TUNNEL);
    edge_request_drop(r);
}

void edge_request_finish(struct edge_request *r)
{
    edge_access_note(r, true);
    forward_end(r, r->x->keep_up);
    r->conn->client->finish(r);
}

/* ---- HEAD ---- */

void edge_request_refuse(struct edge_request *r, int status, const char *text)
{
    r->close_after = true;
    reply_status(r, status, text, "The request is not valid; nothing was passed on.");
}

static int refused(const struct edge_request *r, const char **ret_text)
{
    const struct edge_exchange *x = r->x;
    int64_t most = r->conn->worker->config.limits.body_bytes;
    if (str_is(x->head.method, "CONNECT") || str_is(x->head.method, "TRACE")) {
        *ret_text = "This method is not passed on.";
        return 405;
    }
    if (most && x->head.content_length > most) {
        *ret_text = "The request is too large.";
        return 413;
    }
    return 0;
}

/* The head is complete: routes it. */
static void dispatch(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    const char *text = NULL;
    enum status st = uri_parse_target(x->head.target, str_is(x->head.method, "OPTIONS"),
                                      str_is(x->head.method, "CONNECT"), &x->target, NULL);
    ASSERT(st == STATUS_OK); /* the parser looked already */
    x->host = x->target.authority.n ? x->target.authority : x->head.host.p ? x->head.host : STR("");
    r->close_after = !x->head.keep_alive || r->conn->stopped;
    int status = refused(r, &text);
    if (status) {
        r->close_after = true;
        reply_status(r, status, text, "");
        return;
    }
    str token = edge_table_token(r->conn->worker->table, x->target.path);
    if (token.p && edge_is_read(x->head.method)) {
        reply_token(r, token);
        return;
    }
    const struct edge_route *route = edge_table_find(r->conn->worker->table, x->host, x->target.path);
    if (!route)
        route = edge_table_find_coming(r->conn->worker->table, x->host, x->target.path);
    if (!route) {
        reply_nowhere(r);
        return;
    }
    if (route->https_port && !r->conn->secure) {
        reply_https(r, route);
        return;
    }
    if (!route->target) {
        reply_redirect(r, route);
        return;
    }
    x->app = route->target->app;
    x->strip = route->strip ? route->path : STR("");
    if (route->target->pause == EDGE_STOPPED) {
        reply_stopped(r, route->target);
        return;
    }
    int64_t after_ms;
    if (!r->arrived_us && !rate_take(x->app, route->target, loop_now_us(r->conn->worker->loop), &after_ms)) {
        reply_too_many(r, after_ms);
        return;
    }
    if (route->target->trouble && route->target->pause == EDGE_RUNNING) {
        reply_trouble(r, route->target);
        return;
    }
    if (hold_wanted(r, route->target)) {
        hold_begin(r, route->target);
        return;
    }
    forward_begin(r, route->target);
}

static bool head_step(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    struct loop *loop = r->conn->worker->loop;
    struct err err;
    enum status st = STATUS_AGAIN;
    if (x->in.n)
        st = h1_parse_request(&x->parser, buf_str(&x->in), x->fields, &x->head, &err);
    if (st == STATUS_OK) {
        x->started_us = r->arrived_us ? r->arrived_us : loop_now_us(loop);
        x->in_used = x->head.bytes;
        x->released_us = loop_now_us(loop);
        edge_request_deadline(r, 0);
        dispatch(r);
        return true;
    }
    if (st != STATUS_AGAIN) {
        edge_request_refuse(r, x->parser.http_status, err.text);
        return true;
    }
    if (!r->deadline.at_us)
        edge_request_deadline(r, r->conn->worker->config.limits.head_ms);
    return r->conn->client->more(r);
}

/* ---- events ---- */

bool edge_request_step(struct edge_request *r)
{
    switch (sm_state(&r->sm)) {
    case EDGE_REQUEST_HEAD:
        return head_step(r);
    case EDGE_REQUEST_HOLDING:
        if (!r->conn->half_closed)
            return hold_grew(r);
        r->conn->client->lost(r);
        return false;
    case EDGE_REQUEST_CONNECTING:
        if (r->conn->half_closed)
            r->conn->client->lost(r);
        return false;
    case EDGE_REQUEST_FORWARDING:
        return forward_step(r);
    case EDGE_REQUEST_TUNNEL:
        return tunnel_step(r);
    case EDGE_REQUEST_REPLYING:
        return reply_step(r);
    default:
        return false;
    }
}

/* The kernel says "writable" only when a third of a large buffer is free; what counts is whether the client still takes
 * anything out of it. A client that does not is cut after one to two deadlines. */
static void look_whether_it_drains(struct edge_request *r)
{
    if (r->conn->client->drains(r))
        edge_request_deadline(r, r->conn->worker->config.limits.write_ms);
    else
        r->conn->client->reset(r);
}

void edge_request_expired(struct edge_request *r)
{
    switch (sm_state(&r->sm)) {
    case EDGE_REQUEST_HEAD:
        if (!h1_parser_started(&r->x->parser)) {
            r->conn->client->lost(r);
            break;
        }
        edge_request_refuse(r, 408, "The request did not come in time.");
        break;
    case EDGE_REQUEST_HOLDING:
        hold_expired(r);
        break;
    case EDGE_REQUEST_FORWARDING:
    case EDGE_REQUEST_TUNNEL:
        if (r->write_blocked)
            look_whether_it_drains(r);
        else
            forward_client_expired(r);
        break;
    case EDGE_REQUEST_REPLYING:
        look_whether_it_drains(r);
        break;
    default:
        break;
    }
    r->conn->client->tick(r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* leave — connections on their way from one process to another (heir.c has the essay).
 *
 * One that is between two requests goes as it is, with what was read of it; so does one whose request waits (hold.c),
 * since all that is known of it are its bytes. In the other process both are read as if they had just come. What is not
 * in the bytes goes in a note: when a request that waits had come, and whom the connection is from.
 *
 * A tunnel through which nothing is on its way is two sockets: both go, as soon as there is such a moment.
 *
 * What cannot go: TLS, whose state is in this process. Such a connection ends with its next answer, or after some
 * seconds in which nothing is asked; what is held of it waits here. Answers under way are finished here.
 *
 * Note: lines of a letter and its text, "A" arrival (microseconds of the monotonic clock), "P" peer, "I" the instance
 * at the other end of a tunnel, "O" the peer's port, "F" what is known of it (t: of a trusted proxy, s: came by TLS to
 * a proxy, f: nothing was read yet, so it may still be HTTP/2); unknown letters are passed over. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "edge/worker_impl.h"

static bool may_go(const struct edge_conn *c)
{
    unsigned st = sm_state(&c->sm);
    return c->worker->leave.give && !c->stopped && !stream_is_tls(&c->stream) &&
           (st == EDGE_CONN_IDLE || st == EDGE_CONN_BUSY);
}

static int write_note(const struct edge_conn *c, int64_t arrived_us, const char *instance,
                      char out[LIMIT_TAKEOVER_NOTE])
{
    return snprintf(out, LIMIT_TAKEOVER_NOTE, "A%lld\nP%s\nO%u\nI%s\nF%s%s%s\n", (long long)arrived_us, c->peer,
                    c->peer_port, instance, c->trusted ? "t" : "", c->secure ? "s" : "", c->fresh ? "f" : "");
}

bool leave_give(struct edge_conn *c, str unread, int64_t arrived_us)
{
    struct edge_worker *w = c->worker;
    char note[LIMIT_TAKEOVER_NOTE];
    if (!may_go(c) || unread.n > LIMIT_TAKEOVER_UNREAD)
        return false;
    int n = write_note(c, arrived_us, "", note);
    int fd = edge_conn_detach(c);
    w->leave.give(w->leave.arg, c->slot, fd, -1, unread, str_make(note, (size_t)n));
    edge_conn_discard(c); /* with what `unread` lies in */
    return true;
}

bool leave_tunnel(struct edge_request *r)
{
    struct edge_conn *c = r->conn;
    struct edge_worker *w = c->worker;
    char note[LIMIT_TAKEOVER_NOTE];
    if (!may_go(c) || c->half_closed || !tunnel_quiet(r))
        return false;
    int n = write_note(c, r->x->started_us, r->x->instance->name, note);
    int other_fd = upstream_detach(r->x->up);
    r->x->up = NULL;
    int fd = edge_conn_detach(c);
    w->leave.give(w->leave.arg, c->slot, fd, other_fd, STR(""), str_make(note, (size_t)n));
    edge_conn_discard(c);
    return true;
}

static void leave(struct edge_conn *c)
{
    struct edge_request *r = c->request;
    unsigned st = r ? sm_state(&r->sm) : EDGE_REQUEST_OVER; /* of HTTP/1; the requests of HTTP/2 stay */
    bool given = sm_state(&c->sm) == EDGE_CONN_IDLE        ? leave_give(c, STR(""), 0)
                 : st == EDGE_REQUEST_HEAD                 ? leave_give(c, buf_str(&r->x->in), r->arrived_us)
                 : st == EDGE_REQUEST_HOLDING && !r->spool ? leave_give(c, str_make(r->held, r->held_n), r->arrived_us)
                 : st == EDGE_REQUEST_TUNNEL               ? leave_tunnel(r)
                                                           : false;
    if (!given && (stream_is_tls(&c->stream) || sm_state(&c->sm) == EDGE_CONN_H2))
        edge_conn_retire(c, c->worker->leave.idle_ms);
}

/* Requests that wait go in the order they came, so that they wait in the same order there. */
static void leave_held(struct edge_worker *w)
{
    struct edge_queue *after;
    for (struct edge_queue *q = w->queues; q; q = after) {
        struct edge_request *next;
        after = q->next;
        for (struct edge_request *r = q->first; r; r = next) {
            next = r->held_next;
            if (!r->stream)
                leave(r->conn);
        }
    }
}

void edge_worker_leave(struct edge_worker *w, const struct edge_leave *how)
{
    struct edge_conn *next;
    if (w->stopping)
        return;
    w->leave = *how;
    worker_stop_accepting(w);
    leave_held(w);
    for (struct edge_conn *c = w->conns; c; c = next) {
        next = c->next;
        leave(c);
    }
    worker_check_left(w);
}

/* ---- the other side ---- */

struct note {
    int64_t arrived_us, peer_port;
    str peer, instance, flags;
};

static struct note read_note(str text)
{
    struct note n = {0};
    str line;
    while (text.n) {
        str_cut(text, '\n', &line, &text);
        str rest = str_from(line, 1);
        if (str_starts(line, STR("A")) && !str_to_i64(rest, &n.arrived_us))
            n.arrived_us = 0;
        else if (str_starts(line, STR("P")))
            n.peer = rest;
        else if (str_starts(line, STR("O")) && (!str_to_i64(rest, &n.peer_port) || n.peer_port > UINT16_MAX))
            n.peer_port = 0;
        else if (str_starts(line, STR("I")))
            n.instance = rest;
        else if (str_starts(line, STR("F")))
            n.flags = rest;
    }
    return n;
}

static struct edge_instance *instance_named(const struct edge_table *t, str name)
{
    for (size_t i = 0; i < t->target_count; i++)
        for (size_t k = 0; k < t->targets[i]->count; k++)
            if (str_is(name, t->targets[i]->instances[k]->name))
                return t->targets[i]->instances[k];
    return NULL;
}

void leave_adopt(struct edge_conn *c, int other_fd, str unread, str note)
{
    struct note n = read_note(note);
    if (n.peer.n && n.peer.n < sizeof(c->peer))
        (void)snprintf(c->peer, sizeof(c->peer), "%.*s", STR_ARG(n.peer));
    c->peer_port = (uint16_t)n.peer_port;
    c->trusted = str_find_char(n.flags, 't') != STR_NPOS;
    c->secure = str_find_char(n.flags, 's') != STR_NPOS;
    c->fresh = str_find_char(n.flags, 'f') != STR_NPOS;
    if (other_fd < 0) {
        edge_conn_resume(c, unread, n.arrived_us);
        return;
    }
    struct edge_instance *i = instance_named(c->worker->table, n.instance);
    if (i) {
        edge_conn_resume_tunnel(c, i, other_fd, n.arrived_us);
        return;
    }
    close(other_fd); /* the app is gone, and the tunnel with it */
    edge_conn_discard(c);
}

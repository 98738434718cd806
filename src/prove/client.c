/* SPDX-License-Identifier: Apache-2.0 */
/* client — one user of the server under proof, as a state machine on the loop.
 *
 *   CLOSED --look or due--> CONNECTING --> READY --due--> WAITING --all answers--> READY, or CLOSED where that was told
 *      ^                        |            |               |
 *      `------ refused, reset --+-- closed --+-- lost -------'
 *
 * A request is planned for a moment (`due_us`) and its time is measured from there, however late it was sent: a stall
 * is paid by all who would have asked in it. `stale_ms` before, the client looks at its connection for the last time,
 * as somebody does who is that far away: what happens to the connection afterwards is found out by losing the request.
 * A connection that is seen to be closed at the look is opened anew, which costs no request and is counted.
 *
 * Nothing is ever sent twice. What was committed to (from the look on) and has no whole answer is settled as lost,
 * truncated, wrong or reordered; each number of each client is settled exactly once.
 *
 * Not here: what is said on the connection (client_talk.c). Tests: tests/prove. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/mem.h"
#include "prove/pattern.h"
#include "prove/run.h"

#define AROUND_US     500000 /* a change is felt for so long */
#define RETRY_WAIT_US 10000  /* after a failure, where requests follow each other at once */

const struct sm_state client_states[CLIENT_STATES] = {
    [CLIENT_CLOSED] = {"closed", SM_TO(CLIENT_CONNECTING) | SM_TO(CLIENT_OFF), SM_INITIAL},
    [CLIENT_CONNECTING] = {"connecting", SM_TO(CLIENT_READY) | SM_TO(CLIENT_CLOSED), 0},
    [CLIENT_READY] = {"ready", SM_TO(CLIENT_WAITING) | SM_TO(CLIENT_CLOSED) | SM_TO(CLIENT_OFF), 0},
    [CLIENT_WAITING] = {"waiting", SM_TO(CLIENT_READY) | SM_TO(CLIENT_CLOSED), 0},
    [CLIENT_OFF] = {"off", 0, SM_FINAL},
};

/* ---- the books ---- */

static void tick_note(struct run *run, int64_t now_us, bool good, int64_t took_us)
{
    struct prove_result *r = run->result;
    size_t at = (size_t)((now_us - run->began_us) / r->tick_us);
    while (at >= (size_t)LIMIT_PROVE_TICKS) { /* two by two: the line is half as fine */
        for (size_t i = 0; i < (size_t)LIMIT_PROVE_TICKS / 2; i++) {
            const struct prove_tick *a = &r->ticks[2 * i], *b = a + 1;
            r->ticks[i] =
                (struct prove_tick){a->answered + b->answered, a->faults + b->faults, MAX(a->max_us, b->max_us)};
        }
        memset(r->ticks + LIMIT_PROVE_TICKS / 2, 0, (size_t)LIMIT_PROVE_TICKS / 2 * sizeof(r->ticks[0]));
        r->tick_us *= 2;
        at /= 2;
        r->tick_count = (size_t)LIMIT_PROVE_TICKS / 2;
    }
    struct prove_tick *t = &r->ticks[at];
    t->answered += good;
    t->faults += !good;
    t->max_us = MAX(t->max_us, took_us);
    r->tick_count = MAX(r->tick_count, at + 1);
}

static bool is_around(const struct run *run, int64_t now_us)
{
    const struct prove_result *r = run->result;
    return run->change ||
           (r->change_count && now_us - run->began_us - r->changes[r->change_count - 1].ended_us < AROUND_US);
}

static void book(struct client *c, uint64_t number, enum prove_outcome o)
{
    if (number >= c->outcome_cap) {
        uint64_t cap = MAX(c->outcome_cap * 2, 256), old = c->outcome_cap;
        c->outcomes = mem_resize(c->outcomes, cap, 1);
        memset(c->outcomes + old, 0, cap - old);
        c->outcome_cap = cap;
    }
    ASSERT(c->outcomes[number] == PROVE_UNSENT);
    c->outcomes[number] = (uint8_t)o;
}

void client_settle(struct client *c, uint64_t number, enum prove_outcome o, const char *why)
{
    struct prove_tally *t = &c->run->result->tallies[c->kind];
    int64_t now = loop_now_us(c->run->loop), took = now - c->due_us;
    book(c, number, o);
    t->outcomes[o]++;
    if (o == PROVE_OK) {
        histogram_add(&t->all, took);
        histogram_add(is_around(c->run, now) ? &t->around : &t->quiet, took);
    } else if (!t->fault[0]) {
        snprintf(t->fault, sizeof t->fault, "%s: connection %u, request %llu, after %.3f s: %s", prove_outcome_names[o],
                 c->index, (unsigned long long)number, (double)(now - c->run->began_us) / 1e6, why);
    }
    tick_note(c->run, now, o == PROVE_OK, took);
}

/* ---- the connection ---- */

static void on_event(void *arg, unsigned events);

static void hang_up(struct client *c)
{
    loop_remove_fd(c->run->loop, c->watch);
    c->watch = NULL;
    stream_release(&c->stream);
    talk_h2_free(c);
    c->upgraded = c->asked = c->handshake = c->used = false;
    buf_clear(&c->in);
    buf_clear(&c->out);
    c->out_at = 0;
    sm_move(&c->sm, CLIENT_CLOSED);
}

void client_drop(struct client *c, enum prove_outcome first, const char *why)
{
    uint64_t number = c->first;
    unsigned pending = c->pending;
    c->pending = 0;
    hang_up(c);
    for (unsigned i = 0; i < pending; i++)
        if (number + i >= c->outcome_cap || c->outcomes[number + i] == PROVE_UNSENT) /* streams end in any order */
            client_settle(c, number + i, i ? PROVE_LOST : first, why);
    if (!c->run->config->interval_ms)
        c->due_us = loop_now_us(c->run->loop) + RETRY_WAIT_US;
    client_next(c);
}

static void connect_now(struct client *c)
{
    struct err err = ERR_INIT;
    sm_move(&c->sm, CLIENT_CONNECTING);
    enum status st = run_connect(c->run, &c->resume, &c->stream, &err);
    if (st == STATUS_OK && c->kind == PROVE_HTTP2)
        stream_tls_client_offer_h2(&c->stream);
    if (st == STATUS_OK)
        st = loop_add_fd(c->run->loop, c->stream.fd, LOOP_WRITE, on_event, c, &c->watch, &err);
    if (st != STATUS_OK)
        client_drop(c, PROVE_LOST, err.text);
}

static void proceed(struct client *c)
{
    if (sm_state(&c->sm) == CLIENT_CLOSED)
        connect_now(c);
    else if (sm_state(&c->sm) == CLIENT_READY && c->due)
        talk_send(c);
}

static void on_connected(struct client *c)
{
    c->run->result->tallies[c->kind].opened++;
    c->run->result->tallies[c->kind].resumed += stream_tls_resumed(&c->stream);
    sm_move(&c->sm, CLIENT_READY);
    loop_remove_fd(c->run->loop, c->watch); /* added again when something is sent: until then nobody looks */
    c->watch = NULL;
    if (c->kind == PROVE_HTTP2 && stream_is_tls(&c->stream) && !str_is(stream_alpn(&c->stream), "h2")) {
        client_drop(c, PROVE_REFUSED, "HTTP/2 is not spoken here");
        return;
    }
    if (c->kind == PROVE_HTTP2)
        talk_h2_open(c);
    if (c->kind == PROVE_WEBSOCKET)
        talk_begin_websocket(c);
    else
        proceed(c);
}

static void connecting(struct client *c, unsigned events)
{
    struct err err = ERR_INIT;
    int problem = 0;
    socklen_t n = sizeof problem;
    if (!c->handshake && getsockopt(c->stream.fd, SOL_SOCKET, SO_ERROR, &problem, &n) == 0 && problem) {
        char why[160];
        snprintf(why, sizeof why, "cannot connect: %s", strerrordesc_np(problem));
        client_drop(c, PROVE_LOST, why);
        return;
    }
    if (!c->handshake && !(events & LOOP_WRITE))
        return;
    c->handshake = true;
    enum status st = stream_handshake(&c->stream, &err);
    if (st == STATUS_AGAIN)
        loop_set_events(c->run->loop, c->watch, stream_read_wants(&c->stream));
    else if (st == STATUS_OK)
        on_connected(c);
    else
        client_drop(c, PROVE_LOST, err.text);
}

static void on_event(void *arg, unsigned events)
{
    struct client *c = arg;
    if (sm_state(&c->sm) == CLIENT_CONNECTING)
        connecting(c, events);
    else
        talk_event(c, events);
}

/* ---- the plan ---- */

static void turn_off(struct client *c)
{
    struct loop *loop = c->run->loop;
    if (sm_state(&c->sm) == CLIENT_READY) {
        loop_remove_fd(loop, c->watch);
        c->watch = NULL;
        stream_release(&c->stream);
        talk_h2_free(c);
    }
    loop_timer_cancel(loop, &c->timer);
    loop_timer_cancel(loop, &c->deadline);
    sm_move(&c->sm, CLIENT_OFF);
    c->run->off++;
}

void client_next(struct client *c)
{
    const struct prove_config *config = c->run->config;
    struct loop *loop = c->run->loop;
    int64_t now = loop_now_us(loop), interval = config->interval_ms * INT64_C(1000);
    c->looked = c->due = false;
    loop_timer_cancel(loop, &c->deadline);
    if (c->run->stopping) {
        turn_off(c);
        return;
    }
    if (interval) /* a plan that does not wait for answers; the clients do not march in step */
        c->due_us += interval / 2 + (int64_t)(pattern_random(&c->random) % (uint64_t)interval);
    else
        c->due_us = MAX(c->due_us, now);
    if (sm_state(&c->sm) == CLIENT_READY && !c->watch &&
        loop_add_fd(loop, c->stream.fd, LOOP_READ, on_event, c, &c->watch, NULL) != STATUS_OK)
        hang_up(c);
    loop_timer_at(loop, &c->timer, c->due_us - config->stale_ms * INT64_C(1000));
}

/* The last look: from here on the request is committed to. */
static void look(struct client *c)
{
    const struct prove_config *config = c->run->config;
    c->looked = true;
    c->first = c->next;
    c->pending = c->kind == PROVE_PIPELINE || c->kind == PROVE_HTTP2 ? config->depth : 1;
    c->next += c->pending;
    bool slow = c->kind == PROVE_UPLOAD || c->kind == PROVE_DOWNLOAD;
    loop_timer_at(c->run->loop, &c->deadline,
                  c->due_us + (config->timeout_ms + (slow ? config->slow_ms : INT64_C(0))) * INT64_C(1000));
    if (sm_state(&c->sm) == CLIENT_READY) {
        loop_remove_fd(c->run->loop, c->watch);
        c->watch = NULL;
    } else if (c->kind != PROVE_NEW) {
        connect_now(c);
    }
}

static void on_timer(void *arg)
{
    struct client *c = arg;
    if (sm_state(&c->sm) == CLIENT_WAITING && !c->asked) { /* the next piece of an upload */
        talk_event(c, LOOP_WRITE);
        return;
    }
    if (!c->looked) {
        look(c);
        if (!c->looked) /* it could not connect: planned anew */
            return;
        if (c->due_us > loop_now_us(c->run->loop)) {
            loop_timer_at(c->run->loop, &c->timer, c->due_us);
            return;
        }
    }
    c->due = true;
    proceed(c);
}

static void on_deadline(void *arg)
{
    struct client *c = arg;
    if (c->h2)
        talk_h2_fail(c, "no whole answer in time");
    else
        client_drop(c, c->answer.started ? PROVE_TRUNCATED : PROVE_LOST, "no whole answer in time");
}

/* ---- life ---- */

void client_start(struct client *c, struct run *run, enum prove_kind kind, uint32_t index)
{
    uint64_t seed = run->config->seed + index;
    *c = (struct client){.run = run, .kind = kind, .index = index, .stream = {.fd = -1}};
    c->random = pattern_random(&seed);
    sm_init(&c->sm, "client", client_states, CLIENT_STATES, CLIENT_CLOSED);
    loop_timer_init(&c->timer, on_timer, c);
    loop_timer_init(&c->deadline, on_deadline, c);
    answer_init(&c->answer);
    buf_init(&c->in, (size_t)LIMIT_PROVE_FRAME + 65536);
    buf_init(&c->out, (size_t)LIMIT_PROVE_FRAME + 65536);
    c->due_us = loop_now_us(run->loop);
    client_next(c);
}

void client_stop(struct client *c)
{
    if (!c->looked && (sm_state(&c->sm) == CLIENT_READY || sm_state(&c->sm) == CLIENT_CLOSED))
        turn_off(c);
}

void client_release(struct client *c)
{
    struct loop *loop = c->run->loop;
    loop_timer_cancel(loop, &c->timer);
    loop_timer_cancel(loop, &c->deadline);
    loop_remove_fd(loop, c->watch);
    stream_release(&c->stream);
    talk_h2_free(c);
    tls_resume_release(&c->resume);
    answer_release(&c->answer);
    buf_release(&c->in);
    buf_release(&c->out);
    free(c->outcomes);
}

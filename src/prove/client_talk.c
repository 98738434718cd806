/* SPDX-License-Identifier: Apache-2.0 */
/* client_talk — what a client says and how it judges what it hears. Tests: tests/prove. */
#include <stdio.h>

#include "prove/frame.h"
#include "prove/pattern.h"
#include "prove/run.h"

#define WEBSOCKET_KEY    "dml0cmluZS1wcm92ZS0wMQ=="
#define WEBSOCKET_ACCEPT "HPuOgVErlw3izG4Gup3qTtMRPsc=" /* of that key, RFC 6455 section 4.2.2 */
#define UPLOAD_PIECE     65536
#define UPLOAD_STEPS     50 /* pieces of a slow upload, when each is small enough */

/* ---- saying ---- */

static void compose(struct client *c, uint64_t number)
{
    const struct prove_config *config = c->run->config;
    const struct prove_target *t = &config->target;
    uint64_t id = client_request_id(c, number);
    struct buf *out = &c->out;
    bool post = config->post && c->kind != PROVE_DOWNLOAD;
    const char *close = c->kind == PROVE_NEW ? "Connection: close\r\n" : "";
    if (!config->app) {
        buf_printf(out, "GET %.*s HTTP/1.1\r\nHost: %.*s\r\n%s\r\n", STR_ARG(t->path), STR_ARG(t->host), close);
        return;
    }
    if (c->kind == PROVE_UPLOAD) {
        buf_printf(out, "POST %.*secho?run=%llu&id=%llu&size=%u HTTP/1.1\r\nHost: %.*s\r\nContent-Length: %llu\r\n\r\n",
                   STR_ARG(t->path), (unsigned long long)c->run->id, (unsigned long long)id, config->size_bytes,
                   STR_ARG(t->host), (unsigned long long)config->slow_bytes);
        return;
    }
    bool slow = c->kind == PROVE_DOWNLOAD;
    buf_printf(out, "%s %.*secho?run=%llu&id=%llu&size=%llu&ms=%u HTTP/1.1\r\nHost: %.*s\r\n%s%s\r\n",
               post ? "POST" : "GET", STR_ARG(t->path), (unsigned long long)c->run->id, (unsigned long long)id,
               (unsigned long long)(slow ? config->slow_bytes : config->size_bytes), slow ? config->slow_ms : 0,
               STR_ARG(t->host), post ? "Content-Length: 0\r\n" : "", close);
}

static void compose_message(struct client *c, uint64_t number, struct buf *payload)
{
    uint64_t id = client_request_id(c, number);
    buf_put(payload, &id, sizeof id);
    char *to = buf_reserve(payload, c->run->config->size_bytes);
    ASSERT(to);
    pattern_fill(id, 0, to, c->run->config->size_bytes);
    payload->n += c->run->config->size_bytes;
}

/* More of an upload, as far as its time has come. True: there is something to send. */
static bool refill(struct client *c)
{
    const struct prove_config *config = c->run->config;
    struct loop *loop = c->run->loop;
    if (c->body_sent == c->body_size)
        return false;
    int64_t gone_us = loop_now_us(loop) - c->upload_us, all_us = MAX(config->slow_ms * INT64_C(1000), 1);
    uint64_t allowed =
        gone_us >= all_us ? c->body_size : (uint64_t)((double)c->body_size * (double)gone_us / (double)all_us);
    uint64_t n = MIN(allowed > c->body_sent ? allowed - c->body_sent : 0, (uint64_t)UPLOAD_PIECE);
    if (!n) {
        loop_timer_at(loop, &c->timer, loop_now_us(loop) + all_us / UPLOAD_STEPS + 1);
        return false;
    }
    buf_clear(&c->out);
    c->out_at = 0;
    char *to = buf_reserve(&c->out, n);
    ASSERT(to);
    pattern_fill(client_request_id(c, c->first), c->body_sent, to, n);
    c->out.n = n;
    c->body_sent += n;
    return true;
}

/* False: the connection is gone. */
static bool pump(struct client *c)
{
    struct err err = ERR_INIT;
    unsigned wants = 0;
    do {
        while (c->out_at < c->out.n) {
            struct iovec v = {c->out.p + c->out_at, c->out.n - c->out_at};
            size_t n = 0;
            enum status st = stream_writev(&c->stream, &v, 1, 0, &n, &err);
            if (st == STATUS_AGAIN) {
                wants = stream_write_wants(&c->stream);
                break;
            }
            if (st != STATUS_OK && c->h2) {
                talk_h2_fail(c, err.text);
                return false;
            }
            if (st != STATUS_OK) {
                client_drop(c, c->answer.started ? PROVE_TRUNCATED : PROVE_LOST, err.text);
                return false;
            }
            c->out_at += n;
        }
    } while (!wants && (c->h2 ? talk_h2_fill(c) : refill(c)));
    loop_set_events(c->run->loop, c->watch, stream_read_wants(&c->stream) | wants);
    return true;
}

static void on_event(void *arg, unsigned events)
{
    talk_event(arg, events);
}

static bool begin(struct client *c)
{
    struct err err = ERR_INIT;
    sm_move(&c->sm, CLIENT_WAITING);
    answer_begin(&c->answer);
    if (!c->watch && loop_add_fd(c->run->loop, c->stream.fd, LOOP_READ, on_event, c, &c->watch, &err) != STATUS_OK) {
        client_drop(c, PROVE_LOST, err.text);
        return false;
    }
    return true;
}

void talk_send(struct client *c)
{
    if (!c->h2) { /* of HTTP/2 something may still be on its way */
        buf_clear(&c->out);
        c->out_at = 0;
    }
    c->body_sent = c->body_size = 0;
    if (!begin(c))
        return;
    if (c->kind == PROVE_WEBSOCKET) {
        struct buf payload;
        buf_init(&payload, (size_t)c->run->config->size_bytes + 64);
        compose_message(c, c->first, &payload);
        frame_put(&c->out, FRAME_BINARY, true, (uint32_t)pattern_random(&c->random), buf_str(&payload));
        buf_release(&payload);
    } else if (c->h2) {
        talk_h2_ask(c);
    } else {
        for (unsigned i = 0; i < c->pending; i++)
            compose(c, c->first + i);
    }
    if (c->kind == PROVE_UPLOAD) {
        c->body_size = c->run->config->slow_bytes;
        c->upload_us = loop_now_us(c->run->loop);
    }
    (void)pump(c);
}

void talk_begin_websocket(struct client *c)
{
    const struct prove_target *t = &c->run->config->target;
    buf_clear(&c->out);
    c->out_at = 0;
    c->body_sent = c->body_size = 0;
    c->asked = true;
    if (!begin(c))
        return;
    buf_printf(&c->out,
               "GET %.*sws?run=%llu HTTP/1.1\r\nHost: %.*s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WEBSOCKET_KEY "\r\n\r\n",
               STR_ARG(t->path), (unsigned long long)c->run->id, STR_ARG(t->host));
    (void)pump(c);
}

/* ---- judging ---- */

/* All of what was asked is answered: on with the plan. */
static void finish(struct client *c, bool close)
{
    struct run *run = c->run;
    loop_timer_cancel(run->loop, &c->timer);
    if (close || c->kind == PROVE_NEW) {
        if (c->kind != PROVE_NEW)
            run->result->tallies[c->kind].told_to_close++;
        c->pending = 0;
        loop_remove_fd(run->loop, c->watch);
        c->watch = NULL;
        stream_release(&c->stream);
        talk_h2_free(c);
        c->used = c->handshake = false;
        sm_move(&c->sm, CLIENT_CLOSED);
    } else {
        c->used = true;
        sm_move(&c->sm, CLIENT_READY);
    }
    client_next(c);
}

static bool piece_is_right(const struct client *c, str piece)
{
    const struct answer *a = &c->answer;
    uint64_t offset = a->seen - piece.n;
    if (c->run->config->app)
        return pattern_is(client_request_id(c, c->first), offset, piece);
    const struct buf *want = &c->run->reference;
    return offset <= want->n && piece.n <= want->n - offset && memcmp(want->p + offset, piece.p, piece.n) == 0;
}

static uint64_t size_wanted(const struct client *c)
{
    const struct prove_config *config = c->run->config;
    if (!config->app)
        return c->run->reference.n;
    return c->kind == PROVE_DOWNLOAD ? config->slow_bytes : config->size_bytes;
}

/* What became of the oldest request, whose answer is complete. */
static enum prove_outcome judge(struct client *c, char *why, size_t why_size)
{
    const struct answer *a = &c->answer;
    const struct prove_config *config = c->run->config;
    if (a->status != config->status) {
        snprintf(why, why_size, "status %d", a->status);
        return PROVE_REFUSED;
    }
    if (config->app && !a->has_id) {
        snprintf(why, why_size, "the answer has no prove-id: it is not from the backend");
        return PROVE_WRONG;
    }
    if (a->seen != size_wanted(c)) {
        snprintf(why, why_size, "a body of %llu bytes instead of %llu", (unsigned long long)a->seen,
                 (unsigned long long)size_wanted(c));
        return PROVE_WRONG;
    }
    return PROVE_OK;
}

/* The oldest answer is complete. False: no more is to be read here. */
static bool answered(struct client *c)
{
    char why[160] = "";
    bool close = c->answer.close, unfinished = c->body_sent < c->body_size;
    enum prove_outcome o = judge(c, why, sizeof why);
    uint64_t number = c->first++;
    c->pending--;
    client_settle(c, number, o, why);
    if (c->pending && close) {
        c->run->result->tallies[c->kind].told_to_close++;
        client_drop(c, PROVE_LOST, "the connection was closed before this answer, as was announced");
        return false;
    }
    answer_begin(&c->answer);
    if (c->pending)
        return true;
    finish(c, close || unfinished);
    return false;
}

static bool upgraded(struct client *c)
{
    const struct answer *a = &c->answer;
    if (a->status != 101 || str_find(buf_str(&a->head), STR(WEBSOCKET_ACCEPT)) == STR_NPOS) {
        char why[64];
        snprintf(why, sizeof why, "no WebSocket: status %d", a->status);
        client_drop(c, PROVE_REFUSED, why);
        return false;
    }
    c->asked = false;
    c->upgraded = true;
    sm_move(&c->sm, CLIENT_READY);
    if (c->due) {
        talk_send(c);
        return sm_state(&c->sm) == CLIENT_WAITING;
    }
    loop_remove_fd(c->run->loop, c->watch); /* looked already, not due yet */
    c->watch = NULL;
    return false;
}

/* Bytes of answers. False: the connection is not to be read any more. */
static bool hear(struct client *c, str in)
{
    struct err err = ERR_INIT;
    while (in.n) {
        size_t used;
        str piece;
        enum status st = answer_read(&c->answer, in, &used, &piece, &err);
        const struct answer *a = &c->answer;
        if (st == STATUS_PROTOCOL) {
            client_drop(c, PROVE_WRONG, err.text);
            return false;
        }
        in = str_from(in, used);
        if (a->phase != ANSWER_HEAD && a->has_id && a->id != client_request_id(c, c->first)) {
            client_drop(c, PROVE_REORDERED, "the answer is for another request");
            return false;
        }
        if (piece.n && a->status == c->run->config->status && !piece_is_right(c, piece)) {
            client_drop(c, PROVE_WRONG, "the body is not what it has to be");
            return false;
        }
        if (st != STATUS_OK)
            continue;
        if (c->asked)
            return upgraded(c);
        if (in.n && c->pending == 1) {
            client_drop(c, PROVE_WRONG, "bytes after the answer that nobody asked for");
            return false;
        }
        if (!answered(c))
            return false;
    }
    return true;
}

/* The connection is at its end, or nothing can be read from it. */
static void ended(struct client *c, const char *why)
{
    struct answer *a = &c->answer;
    if (sm_state(&c->sm) == CLIENT_READY) { /* between two answers: seen in time, nothing lost */
        if (!c->h2 || !talk_h2_last(c))
            c->run->result->tallies[c->kind].closed_idle++;
        loop_remove_fd(c->run->loop, c->watch);
        c->watch = NULL;
        stream_release(&c->stream);
        talk_h2_free(c);
        c->upgraded = c->used = c->handshake = false;
        buf_clear(&c->in);
        sm_move(&c->sm, CLIENT_CLOSED);
        return;
    }
    if (c->h2) {
        talk_h2_fail(c, why);
        return;
    }
    if (!c->upgraded && !c->asked && answer_end(a) == STATUS_OK) {
        (void)answered(c);
        return;
    }
    client_drop(c, a->started && !c->upgraded ? PROVE_TRUNCATED : PROVE_LOST,
                c->used && !a->started ? "a kept connection was closed under the request" : why);
}

/* One message of the WebSocket. */
static bool hear_message(struct client *c, const struct frame *f)
{
    bool right = false;
    if (f->opcode == FRAME_CLOSE) {
        ended(c, "the WebSocket was closed");
        return false;
    }
    if (sm_state(&c->sm) != CLIENT_WAITING) {
        c->run->result->tallies[c->kind].outcomes[PROVE_WRONG]++;
        ended(c, "");
        return false;
    }
    if (f->opcode != FRAME_BINARY) {
        client_drop(c, PROVE_WRONG, "a message of another kind");
        return false;
    }
    uint64_t want = client_request_id(c, c->first), id = 0;
    if (f->payload.n >= sizeof id) {
        memcpy(&id, f->payload.p, sizeof id);
        right = f->payload.n == sizeof id + c->run->config->size_bytes &&
                pattern_is(want, 0, str_from(f->payload, sizeof id));
    }
    if (id != want || !right) {
        client_drop(c, id != want ? PROVE_REORDERED : PROVE_WRONG, "the echo is not the message");
        return false;
    }
    c->pending = 0;
    client_settle(c, c->first, PROVE_OK, "");
    finish(c, false);
    return true;
}

static bool hear_frames(struct client *c, str in)
{
    struct err err = ERR_INIT;
    buf_puts(&c->in, in);
    for (;;) {
        struct frame f;
        size_t used;
        enum status st = frame_read(c->in.p, c->in.n, false, &f, &used, &err);
        if (st == STATUS_AGAIN)
            return true;
        if (st != STATUS_OK) {
            client_drop(c, PROVE_WRONG, err.text);
            return false;
        }
        if (!hear_message(c, &f))
            return false;
        if (sm_state(&c->sm) == CLIENT_OFF)
            return false;
        buf_consume(&c->in, used);
    }
}

/* Frames of HTTP/2, also between two rounds of requests. False: the connection is not to be read any more. */
static bool hear_h2(struct client *c, str in)
{
    struct err err = ERR_INIT;
    bool waiting = sm_state(&c->sm) == CLIENT_WAITING;
    enum status st = talk_h2_hear(c, in, &err);
    if (st == STATUS_PROTOCOL) {
        if (waiting) {
            talk_h2_fail(c, err.text);
        } else {
            c->run->result->tallies[c->kind].outcomes[PROVE_WRONG]++;
            ended(c, "");
        }
        return false;
    }
    if (waiting && st == STATUS_OK) {
        bool last = talk_h2_last(c);
        c->pending = 0;
        if (c->out_at == c->out.n && talk_h2_fill(c) && !last && !pump(c))
            return false;
        finish(c, last);
        return false;
    }
    if (!waiting && talk_h2_last(c)) { /* told in time */
        c->run->result->tallies[c->kind].told_to_close++;
        ended(c, "");
        return false;
    }
    return c->out_at < c->out.n || !talk_h2_fill(c) || pump(c);
}

void talk_event(struct client *c, unsigned events)
{
    struct run *run = c->run;
    if (sm_state(&c->sm) == CLIENT_WAITING && (events & LOOP_WRITE) && !pump(c))
        return;
    if (events == LOOP_WRITE)
        return;
    for (;;) {
        struct err err = ERR_INIT;
        size_t n = 0;
        enum status st = stream_read(&c->stream, run->scratch, sizeof run->scratch, &n, &err);
        if (st == STATUS_AGAIN)
            return;
        if (st != STATUS_OK) {
            ended(c, err.text);
            return;
        }
        str in = str_make(run->scratch, n);
        if (c->h2) {
            if (!hear_h2(c, in))
                return;
            continue;
        }
        if (c->upgraded ? !hear_frames(c, in) : sm_state(&c->sm) == CLIENT_WAITING ? !hear(c, in) : false)
            return;
        if (!c->upgraded && sm_state(&c->sm) == CLIENT_READY) {
            run->result->tallies[c->kind].outcomes[PROVE_WRONG]++;
            ended(c, "");
            return;
        }
        if (!c->watch)
            return;
    }
}

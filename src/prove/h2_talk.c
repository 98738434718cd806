/* SPDX-License-Identifier: Apache-2.0 */
/* h2_talk — an HTTP/2 client: `depth` requests at once on a connection, each a stream, in whatever order they are
 * answered. nghttp2 keeps to the protocol and refuses what breaks it; ids, bytes and ends are judged here, as strictly
 * as with HTTP/1.1.
 *
 * A GOAWAY is an announcement: what was sent before it is due all the same, and whoever says afterwards that it was not
 * taken has lost it, for nobody here asks again. The next requests go to a new connection. */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "prove/pattern.h"
#include "prove/run.h"

#define WINDOW (1 << 20)

struct ask {
    uint64_t number, id, seen;
    int32_t stream;
    int status;
    bool open, started, has_id, ended;
    enum prove_outcome bad; /* UNSENT: nothing was found yet */
};

struct talk_h2 {
    nghttp2_session *ng;
    struct ask *asks;
    unsigned count, open;
    bool goaway;
    char why[160];
};

static struct ask *ask_of(struct client *c, int32_t stream)
{
    for (unsigned i = 0; i < c->h2->count; i++)
        if (c->h2->asks[i].stream == stream)
            return &c->h2->asks[i];
    return NULL;
}

static void found(struct client *c, struct ask *a, enum prove_outcome bad, const char *why)
{
    if (a->bad != PROVE_UNSENT)
        return;
    a->bad = bad;
    snprintf(c->h2->why, sizeof c->h2->why, "%s", why);
}

/* ---- hearing ---- */

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    struct client *c = arg;
    struct ask *a = ask_of(c, frame->hd.stream_id);
    str n = {(const char *)name, name_n}, v = {(const char *)value, value_n};
    int64_t status = 0;
    (void)ng, (void)flags;
    if (!a)
        return 0;
    a->started = true;
    if (str_is(n, ":status") && str_to_i64(v, &status))
        a->status = (int)status;
    if (!str_is(n, "prove-id"))
        return 0;
    a->has_id = true;
    uint64_t id = 0;
    if (!str_to_u64(v, &id) || id != a->id)
        found(c, a, PROVE_REORDERED, "the answer is for another request");
    return 0;
}

static bool piece_is_right(const struct client *c, const struct ask *a, str piece)
{
    const struct buf *want = &c->run->reference;
    if (c->run->config->app)
        return pattern_is(a->id, a->seen, piece);
    return a->seen <= want->n && piece.n <= want->n - a->seen && memcmp(want->p + a->seen, piece.p, piece.n) == 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t stream, const uint8_t *p, size_t n, void *arg)
{
    struct client *c = arg;
    struct ask *a = ask_of(c, stream);
    (void)ng, (void)flags;
    if (!a)
        return 0;
    if (a->status == c->run->config->status && !piece_is_right(c, a, str_make((const char *)p, n)))
        found(c, a, PROVE_WRONG, "the body is not what it has to be");
    a->seen += n;
    return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct client *c = arg;
    struct ask *a = frame->hd.stream_id ? ask_of(c, frame->hd.stream_id) : NULL;
    (void)ng;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        c->h2->goaway = true;
    if (a && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        a->ended = true;
    return 0;
}

static void judge(struct client *c, struct ask *a)
{
    const struct prove_config *config = c->run->config;
    uint64_t want = config->app ? config->size_bytes : c->run->reference.n;
    char why[96];
    if (a->status != config->status) {
        snprintf(why, sizeof why, "status %d", a->status);
        found(c, a, PROVE_REFUSED, why);
    } else if (config->app && !a->has_id) {
        found(c, a, PROVE_WRONG, "the answer has no prove-id: it is not from the backend");
    } else if (a->seen != want) {
        snprintf(why, sizeof why, "a body of %llu bytes instead of %llu", (unsigned long long)a->seen,
                 (unsigned long long)want);
        found(c, a, PROVE_WRONG, why);
    }
}

static void settle(struct client *c, struct ask *a)
{
    a->open = false;
    c->h2->open--;
    client_settle(c, a->number, a->bad == PROVE_UNSENT ? PROVE_OK : a->bad, c->h2->why);
}

static int on_close(nghttp2_session *ng, int32_t stream, uint32_t code, void *arg)
{
    struct client *c = arg;
    struct ask *a = ask_of(c, stream);
    char why[96];
    (void)ng;
    if (!a || !a->open)
        return 0;
    snprintf(why, sizeof why, "the stream was reset: %s", nghttp2_http2_strerror(code));
    if (a->ended)
        judge(c, a);
    else
        found(c, a, a->started ? PROVE_TRUNCATED : PROVE_LOST, why);
    settle(c, a);
    return 0;
}

/* ---- the connection ---- */

void talk_h2_open(struct client *c)
{
    nghttp2_session_callbacks *callbacks = NULL;
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
    c->h2 = MEM_NEW(struct talk_h2);
    buf_clear(&c->out); /* what the connection before had still to say dies with it */
    c->out_at = 0;
    int rc = nghttp2_session_callbacks_new(&callbacks);
    ASSERT(rc == 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    rc = nghttp2_session_client_new(&c->h2->ng, callbacks, c);
    ASSERT(rc == 0);
    nghttp2_session_callbacks_del(callbacks);
    rc = nghttp2_submit_settings(c->h2->ng, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    ASSERT(rc == 0);
    rc = nghttp2_session_set_local_window_size(c->h2->ng, NGHTTP2_FLAG_NONE, 0, 16 * WINDOW);
    ASSERT(rc == 0);
}

void talk_h2_free(struct client *c)
{
    if (!c->h2)
        return;
    c->h2->count = 0; /* on_close finds nothing */
    nghttp2_session_del(c->h2->ng);
    free(c->h2->asks);
    free(c->h2);
    c->h2 = NULL;
}

void talk_h2_fail(struct client *c, const char *why)
{
    for (unsigned i = 0; i < c->h2->count; i++) {
        struct ask *a = &c->h2->asks[i];
        if (!a->open)
            continue;
        found(c, a, a->started ? PROVE_TRUNCATED : PROVE_LOST, why);
        settle(c, a);
    }
    client_drop(c, PROVE_LOST, why); /* those that were not even sent */
}

bool talk_h2_fill(struct client *c)
{
    buf_clear(&c->out);
    c->out_at = 0;
    for (;;) {
        const uint8_t *p = NULL;
        ssize_t n = nghttp2_session_mem_send(c->h2->ng, &p);
        if (n <= 0 || c->out.n > 65536)
            return c->out.n > 0;
        buf_put(&c->out, p, (size_t)n);
    }
}

static nghttp2_nv field(const char *name, str value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value.p, strlen(name), value.n,
                        NGHTTP2_NV_FLAG_NONE};
}

static void submit(struct client *c, struct ask *a)
{
    const struct prove_config *config = c->run->config;
    const struct prove_target *t = &config->target;
    char path[4096];
    int n = config->app ? snprintf(path, sizeof path, "%.*secho?run=%llu&id=%llu&size=%u&ms=0", STR_ARG(t->path),
                                   (unsigned long long)c->run->id, (unsigned long long)a->id, config->size_bytes)
                        : snprintf(path, sizeof path, "%.*s", STR_ARG(t->path));
    const nghttp2_nv fields[] = {field(":method", config->app && config->post ? STR("POST") : STR("GET")),
                                 field(":scheme", t->tls ? STR("https") : STR("http")), field(":authority", t->host),
                                 field(":path", str_make(path, MIN((size_t)n, sizeof path - 1)))};
    a->stream = nghttp2_submit_request(c->h2->ng, NULL, fields, ARRAY_LEN(fields), NULL, NULL);
    if (a->stream < 0) /* the numbers of streams are used up */
        found(c, a, PROVE_LOST, nghttp2_strerror(a->stream));
}

void talk_h2_ask(struct client *c)
{
    struct talk_h2 *h = c->h2;
    h->count = h->open = c->pending;
    h->asks = mem_resize(h->asks, c->pending, sizeof(*h->asks));
    memset(h->asks, 0, c->pending * sizeof(*h->asks));
    for (unsigned i = 0; i < c->pending; i++) {
        struct ask *a = &h->asks[i];
        a->number = c->first + i;
        a->id = client_request_id(c, a->number);
        a->open = true;
        submit(c, a);
    }
    if (c->out_at == c->out.n)
        (void)talk_h2_fill(c);
}

enum status talk_h2_hear(struct client *c, str in, struct err *err)
{
    ssize_t rc = nghttp2_session_mem_recv(c->h2->ng, (const uint8_t *)in.p, in.n);
    if (rc < 0)
        return err_set(err, STATUS_PROTOCOL, "HTTP/2: %s", nghttp2_strerror((int)rc));
    return c->h2->open ? STATUS_AGAIN : STATUS_OK;
}

bool talk_h2_last(const struct client *c)
{
    return c->h2->goaway || !nghttp2_session_want_read(c->h2->ng);
}

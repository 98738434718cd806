/* SPDX-License-Identifier: Apache-2.0 */
/* h2 — one HTTP/2 connection of a client, over nghttp2.
 *
 * What nghttp2 does: frames, HPACK, stream states, windows, the checks of section 8.1 (pseudo fields, lengths). It
 * refuses more than `streams` at once, more than LIMIT_H2_CONTINUATIONS in a row (CVE-2024-28182), SETTINGS with more
 * than LIMIT_H2_SETTINGS entries, and stops when LIMIT_H2_ACKS answers to PING and SETTINGS wait to be sent.
 *
 * What is added here, each ending the connection with ENHANCE_YOUR_CALM:
 *   resets     streams that the client resets or breaks: LIMIT_H2_RESETS, refilled LIMIT_H2_RESETS_RATE a second
 *              (rapid reset, CVE-2023-44487; and broken on purpose, CVE-2025-8671)
 *   control    frames that carry no request: LIMIT_H2_CONTROL, refilled LIMIT_H2_CONTROL_RATE a second and by one for
 *              each LIMIT_H2_CONTROL_BYTES of data sent, since a client that reads must send window updates
 *   heads      decoded bytes of one head: LIMIT_H2_HEAD_DECODED (HPACK can make 4 kB out of one byte)
 *   memory     what the session holds, its own buffers and those of the bodies: LIMIT_H2_MEMORY
 * Deadlines (slow heads, windows that stay shut or open by a byte at a time) are the owner's.
 *
 * Invariants: (1) A stream has an owner or is finished, reset, or not yet told. (2) body.n - read never exceeds the
 * window. (3) After PROTOCOL nothing is read any more. */
#include <malloc.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/h2_impl.h"

/* ---- memory ---- */

static void count(struct h2_session *h, void *old, void *new, size_t old_n)
{
    if (old)
        h->bytes -= old_n;
    if (new)
        h->bytes += malloc_usable_size(new);
}

static void *ng_malloc(size_t size, void *session)
{
    void *p = malloc(size);
    count(session, NULL, p, 0);
    return p;
}

static void ng_free(void *p, void *session)
{
    count(session, p, NULL, p ? malloc_usable_size(p) : 0);
    free(p);
}

static void *ng_calloc(size_t n, size_t size, void *session)
{
    void *p = calloc(n, size);
    count(session, NULL, p, 0);
    return p;
}

static void *ng_realloc(void *old, size_t size, void *session)
{
    size_t old_n = old ? malloc_usable_size(old) : 0;
    void *p = realloc(old, size);
    if (p)
        count(session, old, p, old_n);
    return p;
}

size_t h2_memory(const struct h2_session *h)
{
    return h->bytes + h->waiting + h->head.fields.cap + h->head.cookie.cap + h->head.pseudo.cap;
}

/* ---- limits ---- */

static int calm(struct h2_session *h, const char *why)
{
    h->error = NGHTTP2_ENHANCE_YOUR_CALM;
    h->why = why;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Takes one token out of `most`, which come back at `rate` a second. */
static bool take_token(struct h2_session *h, struct h2_bucket *b, int64_t most, int64_t rate)
{
    int64_t token_us = INT64_C(1000000) / rate;
    b->level_us = MIN(most * token_us, b->level_us + (h->now_us - b->at_us));
    b->at_us = h->now_us;
    if (b->level_us < token_us)
        return false;
    b->level_us -= token_us;
    return true;
}

static int charge_reset(struct h2_session *h)
{
    if (take_token(h, &h->resets, LIMIT_H2_RESETS, LIMIT_H2_RESETS_RATE))
        return 0;
    return calm(h, "the client resets streams too often");
}

static int charge_control(struct h2_session *h)
{
    if (take_token(h, &h->control, LIMIT_H2_CONTROL, LIMIT_H2_CONTROL_RATE))
        return 0;
    return calm(h, "the client sends too many frames that carry nothing");
}

/* ---- streams ---- */

static void stream_free(struct h2_stream *s)
{
    struct h2_session *h = s->session;
    *(s->prev ? &s->prev->next : &h->streams) = s->next;
    if (s->next)
        s->next->prev = s->prev;
    if (h->reading == s)
        h->reading = NULL;
    h->waiting -= s->body.n - s->read;
    if (s->body.n > s->read) /* cannot fail but for memory, and then the session ends anyway */
        (void)nghttp2_session_consume_connection(h->ng, s->body.n - s->read);
    buf_release(&s->body);
    free(s);
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    struct h2_session *h = arg;
    struct h2_stream *s = h2_stream_of(h, id);
    (void)ng, (void)code;
    if (!s)
        return 0;
    if (s->owner)
        h->handler->gone(s->owner);
    stream_free(s);
    return 0;
}

/* ---- what comes in ---- */

/* Streams are opened in order: one that was passed over can never be used (RFC 9113 section 5.1.1). Only the last 64
 * are known; what is older is ignored as closed. */
static bool was_passed_over(struct h2_session *h, int32_t id)
{
    if (id > h->highest) {
        int64_t ahead = ((int64_t)id - h->highest) / 2;
        h->seen = (ahead < 64 ? h->seen << ahead : 0) | 1;
        h->highest = id;
    }
    int32_t behind = (h->highest - id) / 2;
    return behind < 64 && !(h->seen >> behind & 1);
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
    struct h2_session *h = arg;
    (void)ng;
    h->decoded = 0;
    h->in_head = false; /* CONTINUATION does not come here */
    switch (hd->type) {
    case NGHTTP2_HEADERS:
        if (hd->stream_id % 2 == 0 || !was_passed_over(h, hd->stream_id))
            return 0; /* an even one is refused by nghttp2 */
        h->error = NGHTTP2_PROTOCOL_ERROR;
        h->why = "a stream that was passed over is opened";
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    case NGHTTP2_DATA:
        return hd->length || (hd->flags & NGHTTP2_FLAG_END_STREAM) ? 0 : charge_control(h);
    case NGHTTP2_RST_STREAM:
        return charge_reset(h);
    default:
        return charge_control(h);
    }
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *h = arg;
    h->in_head = true;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers: read, checked, and ended here as with HTTP/1.1 */
    struct h2_stream *s = MEM_NEW(struct h2_stream);
    s->session = h;
    s->id = frame->hd.stream_id;
    buf_init(&s->body, LIMIT_H2_WINDOW_GROWN * 2);
    s->next = h->streams;
    if (s->next)
        s->next->prev = s;
    h->streams = s;
    h->reading = s;
    nghttp2_session_set_stream_user_data(ng, s->id, s);
    h2_head_clear(&h->head);
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    struct h2_session *h = arg;
    (void)ng, (void)flags;
    h->decoded += name_n + value_n + 32; /* as SETTINGS_MAX_HEADER_LIST_SIZE counts */
    if (h->decoded > LIMIT_H2_HEAD_DECODED)
        return calm(h, "the header fields are far too large");
    if (h->reading && h->reading->id == frame->hd.stream_id)
        h2_head_field(&h->head, str_make((const char *)name, name_n), str_make((const char *)value, value_n));
    return 0;
}

/* What no field callback sees, but was decoded all the same. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                             const uint8_t *value, size_t value_n, uint8_t flags, void *arg)
{
    struct h2_session *h = arg;
    (void)ng, (void)frame, (void)name, (void)value, (void)flags;
    h->decoded += name_n + value_n + 32;
    return h->decoded > LIMIT_H2_HEAD_DECODED ? calm(h, "the header fields are far too large") : 0;
}

static void request_complete(struct h2_session *h, struct h2_stream *s)
{
    struct buf head;
    buf_init(&head, h->limits.head_bytes + LIMIT_BUF_FIRST);
    int status = h2_head_finish(&h->head, s->ended, &head);
    h->handler->request(h->arg, s, buf_str(&head), status);
    buf_release(&head);
    h2_head_clear(&h->head);
    h->reading = NULL;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *h = arg;
    (void)ng;
    if (frame->hd.type == NGHTTP2_HEADERS)
        h->in_head = false;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) && h->noticed)
        h2_shutdown_final(h);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct h2_stream *s = h2_stream_of(h, frame->hd.stream_id);
    if (!s)
        return 0;
    s->ended = s->ended || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    if (s == h->reading)
        request_complete(h, s);
    else if (s->owner && s->ended)
        h->handler->body(s->owner);
    return 0;
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int code, void *arg)
{
    (void)ng, (void)frame, (void)code;
    return charge_reset(arg);
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    struct h2_session *h = arg;
    struct h2_stream *s = h2_stream_of(h, id);
    (void)flags;
    if (!s || !s->owner) /* nobody reads it: the window opens again at once */
        return nghttp2_session_consume(ng, id, n) == NGHTTP2_ERR_NOMEM ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
    if (s->read) {
        buf_consume(&s->body, s->read);
        s->read = 0;
    }
    buf_put(&s->body, p, n);
    ASSERT(!s->body.over); /* the window is smaller */
    h->waiting += n;
    h->handler->body(s->owner);
    return 0;
}

/* ---- the session ---- */

static void set_options(nghttp2_option *o)
{
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_max_outbound_ack(o, LIMIT_H2_ACKS);
    nghttp2_option_set_max_settings(o, LIMIT_H2_SETTINGS);
    nghttp2_option_set_max_continuations(o, LIMIT_H2_CONTINUATIONS);
    nghttp2_option_set_stream_reset_rate_limit(o, LIMIT_H2_RESETS * 2, LIMIT_H2_RESETS_RATE * 2); /* ours is first */
    nghttp2_option_set_max_send_header_block_length(o, LIMIT_HTTP_HEAD * 2);
}

static void set_callbacks(nghttp2_session_callbacks *c)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, h2_on_sent);
    nghttp2_session_callbacks_set_send_data_callback(c, h2_on_send_data);
}

static void submit_settings(struct h2_session *h)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h->limits.streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LIMIT_H2_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h->limits.head_bytes},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };
    int rc = nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    ASSERT(rc == 0);
    rc = nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0, LIMIT_H2_CONNECTION_WINDOW);
    ASSERT(rc == 0);
}

struct h2_session *h2_new(const struct h2_limits *limits, const struct h2_handler *handler, void *arg)
{
    struct h2_session *h = MEM_NEW(struct h2_session);
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    h->limits = *limits;
    h->handler = handler;
    h->arg = arg;
    h->highest = -1;
    h->resets.level_us = LIMIT_H2_RESETS * (INT64_C(1000000) / LIMIT_H2_RESETS_RATE);
    h->control.level_us = LIMIT_H2_CONTROL * (INT64_C(1000000) / LIMIT_H2_CONTROL_RATE);
    h2_head_init(&h->head, limits->head_bytes);
    nghttp2_mem mem = {h, ng_malloc, ng_free, ng_calloc, ng_realloc};
    int rc = nghttp2_session_callbacks_new(&callbacks);
    ASSERT(rc == 0);
    rc = nghttp2_option_new(&option);
    ASSERT(rc == 0);
    set_callbacks(callbacks);
    set_options(option);
    rc = nghttp2_session_server_new3(&h->ng, callbacks, h, option, &mem);
    ASSERT(rc == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    submit_settings(h);
    return h;
}

void h2_free(struct h2_session *h)
{
    if (!h)
        return;
    while (h->streams) {
        struct h2_stream *s = h->streams;
        if (s->owner)
            h->handler->gone(s->owner);
        stream_free(s);
    }
    nghttp2_session_del(h->ng);
    h2_head_release(&h->head);
    ASSERT(h->bytes == 0 && h->waiting == 0);
    free(h);
}

/* What nghttp2 could not go on with, or a limit of ours: the client is told, then the connection ends. */
static enum status failed(struct h2_session *h, int code, struct err *err)
{
    if (!h->error)
        h->error = code == NGHTTP2_ERR_FLOODED            ? NGHTTP2_ENHANCE_YOUR_CALM
                   : code == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
                                                          : NGHTTP2_INTERNAL_ERROR;
    (void)nghttp2_session_terminate_session(h->ng, h->error); /* cannot but for memory; it ends all the same */
    h->over = true;
    return err_set(err, STATUS_PROTOCOL, "HTTP/2: %s", h->why ? h->why : nghttp2_strerror(code));
}

enum status h2_receive(struct h2_session *h, str bytes, int64_t now_us, struct err *err)
{
    if (h->over)
        return STATUS_OK;
    if (!h->now_us)
        h->resets.at_us = h->control.at_us = now_us;
    h->now_us = now_us;
    ssize_t rc = nghttp2_session_mem_recv(h->ng, (const uint8_t *)bytes.p, bytes.n);
    if (rc < 0)
        return failed(h, (int)rc, err);
    if (h2_memory(h) > (size_t)LIMIT_H2_MEMORY) {
        (void)calm(h, "the connection holds too much memory");
        return failed(h, NGHTTP2_ERR_NOMEM, err);
    }
    return STATUS_OK;
}

enum status h2_fill(struct h2_session *h, struct buf *out, size_t most, struct err *err)
{
    h->out = out;
    h->out_most = most;
    ssize_t n = 1;
    while (n > 0 && out->n < most) {
        const uint8_t *p = NULL;
        n = nghttp2_session_mem_send(h->ng, &p);
        if (n > 0)
            buf_put(out, p, (size_t)n);
    }
    h->out = NULL;
    ASSERT(!out->over);
    return n < 0 && !h->over ? failed(h, (int)n, err) : STATUS_OK;
}

bool h2_over(const struct h2_session *h)
{
    return h->over || (!nghttp2_session_want_read(h->ng) && !nghttp2_session_want_write(h->ng));
}

bool h2_in_head(const struct h2_session *h)
{
    return h->in_head;
}

struct h2_stream *h2_streams(struct h2_session *h)
{
    return h->streams;
}

void h2_shutdown(struct h2_session *h)
{
    if (h->noticed || h->over)
        return;
    h->noticed = true;
    (void)nghttp2_submit_shutdown_notice(h->ng);
    (void)nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, (const uint8_t *)"shutdown");
}

void h2_shutdown_final(struct h2_session *h)
{
    if (h->final || h->over)
        return;
    h->noticed = h->final = true;
    (void)nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->ng),
                                NGHTTP2_NO_ERROR, NULL, 0);
}

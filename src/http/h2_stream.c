/* SPDX-License-Identifier: Apache-2.0 */
/* h2_stream — one stream of HTTP/2 as its owner sees it: the answer goes out, the body is read. The essay is in h2.c.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "http/h2_impl.h"

/* ---- what goes out ---- */

static ssize_t on_pull(nghttp2_session *ng, int32_t id, uint8_t *to, size_t length, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    struct h2_session *h = arg;
    struct h2_stream *s = h2_stream_of(h, id);
    bool last = true;
    (void)ng, (void)to, (void)source;
    if (!s || (!s->owner && !s->finished))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* it is being reset */
    if (h->out->n >= h->out_most)
        return NGHTTP2_ERR_PAUSE;
    size_t n = s->owner ? h->handler->waiting(s->owner, &last) : 0;
    if (!n && !last)
        return NGHTTP2_ERR_DEFERRED;
    if (last && n <= length)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (n)
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return (ssize_t)MIN(n, length);
}

/* Directly after on_pull, which found the owner. */
int h2_on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t length,
                    nghttp2_data_source *source, void *arg)
{
    struct h2_session *h = arg;
    struct h2_stream *s = h2_stream_of(h, frame->hd.stream_id);
    (void)ng, (void)source;
    ASSERT(s && s->owner && frame->data.padlen == 0);
    char *to = buf_reserve(h->out, 9 + length);
    ASSERT(to);
    memcpy(to, head, 9);
    h->handler->take(s->owner, to + 9, length);
    h->out->n += 9 + length;
    h->control.level_us += (int64_t)length * (1000000 / LIMIT_H2_CONTROL_RATE) / LIMIT_H2_CONTROL_BYTES;
    return 0;
}

/* After the end of an answer the rest of the request is of no use (section 8.1). */
int h2_on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *h = arg;
    bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    struct h2_stream *s = may_end ? h2_stream_of(h, frame->hd.stream_id) : NULL;
    if (!s || s->ended || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    return nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ---- answers ---- */

static nghttp2_nv field_nv(str name, str value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n, value.n,
                        NGHTTP2_NV_FLAG_NONE};
}

void h2_answer(struct h2_stream *s, int status, const struct http_header *fields, size_t n, bool body)
{
    nghttp2_nv nv[LIMIT_HTTP_HEADERS + 8];
    char digits[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10), 0};
    size_t names = 0, at = 0;
    nghttp2_data_provider provider = {.read_callback = on_pull};
    ASSERT(n < ARRAY_LEN(nv));
    for (size_t i = 0; i < n; i++)
        names += fields[i].name.n;
    char *space = mem_alloc(names + 1);
    nv[0] = field_nv(STR(":status"), str_make(digits, 3));
    for (size_t i = 0; i < n; i++) {
        nv[i + 1] = field_nv(str_lower(space + at, fields[i].name), fields[i].value);
        at += fields[i].name.n;
    }
    nghttp2_session *ng = s->session->ng;
    int rc = status < 200 ? nghttp2_submit_headers(ng, NGHTTP2_FLAG_NONE, s->id, NULL, nv, n + 1, NULL)
                          : nghttp2_submit_response(ng, s->id, nv, n + 1, body ? &provider : NULL);
    ASSERT(rc == 0 || rc == NGHTTP2_ERR_NOMEM);
    free(space);
}

void h2_resume(struct h2_stream *s)
{
    (void)nghttp2_session_resume_data(s->session->ng, s->id); /* INVALID_ARGUMENT: it was not waiting */
}

bool h2_is_shut(const struct h2_stream *s)
{
    nghttp2_session *ng = s->session->ng;
    return nghttp2_session_get_stream_remote_window_size(ng, s->id) <= 0 ||
           nghttp2_session_get_remote_window_size(ng) <= 0;
}

size_t h2_read(struct h2_stream *s, void *p, size_t size)
{
    struct h2_session *h = s->session;
    size_t n = MIN(size, s->body.n - s->read);
    if (!n)
        return 0;
    memcpy(p, s->body.p + s->read, n);
    s->read += n;
    s->taken += n;
    h->waiting -= n;
    if (s->read == s->body.n) {
        s->read = 0;
        buf_clear(&s->body);
    }
    (void)nghttp2_session_consume(h->ng, s->id, n);
    if (!s->grown && !s->ended && s->taken > LIMIT_H2_WINDOW) {
        s->grown = true;
        (void)nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, s->id, LIMIT_H2_WINDOW_GROWN);
    }
    return n;
}

/* What waits of the body is dropped. */
static void let_go(struct h2_stream *s)
{
    size_t n = s->body.n - s->read;
    s->owner = NULL;
    s->session->waiting -= n;
    s->read = 0;
    buf_release(&s->body);
    if (n)
        (void)nghttp2_session_consume(s->session->ng, s->id, n);
}

void h2_finish(struct h2_stream *s)
{
    s->finished = true;
    let_go(s);
    h2_resume(s);
}

void h2_reset(struct h2_stream *s, bool client)
{
    let_go(s);
    (void)nghttp2_submit_rst_stream(s->session->ng, NGHTTP2_FLAG_NONE, s->id,
                                    client ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_h2 — any bytes as an HTTP/2 connection of a client.
 *
 * Properties: nothing is lost or leaked however it ends; what comes out is whole frames; a head that is handed over is
 * one request to the parser of HTTP/1.1, or is refused by it: it never holds two. */
#include <stdlib.h>

#include "base/limits.h"
#include "http/h1_parse.h"
#include "http/h2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct h2_session *session;
    int owned;
    size_t offer;
};

static void on_request(void *arg, struct h2_stream *s, str head, int http_status)
{
    static const struct h1_limits limits = {.line_bytes = 500, .head_bytes = 2000, .header_count = 20};
    static struct http_header fields[LIMIT_HTTP_HEADERS];
    struct seen *seen = arg;
    struct h1_parser p;
    struct h1_head h;
    s->owner = seen;
    seen->owned++;
    if (!http_status) {
        h1_parser_init(&p, &limits);
        if (h1_parse_request(&p, head, fields, &h, NULL) == STATUS_OK && h.bytes != head.n)
            abort();
    }
    seen->offer += 20000;
    h2_answer(s, 200, &(struct http_header){STR("Name"), STR("value")}, 1, s->id % 4 == 1);
    if (s->id % 4 != 1) {
        h2_finish(s);
        seen->owned--;
    }
}

static void on_body(void *owner)
{
    struct seen *seen = owner;
    char into[300];
    for (struct h2_stream *s = h2_streams(seen->session); s; s = s->next)
        if (s->owner && h2_readable(s))
            (void)!h2_read(s, into, sizeof(into));
}

static size_t on_waiting(void *owner, bool *ret_last)
{
    *ret_last = true;
    return ((struct seen *)owner)->offer;
}

static void on_take(void *owner, char *to, size_t n)
{
    memset(to, 'x', n);
    ((struct seen *)owner)->offer -= n;
}

static void on_gone(void *owner)
{
    ((struct seen *)owner)->owned--;
}

static void check_frames(const struct buf *out)
{
    size_t at = 0;
    while (at + 9 <= out->n) {
        const uint8_t *p = (const uint8_t *)out->p + at;
        at += 9 + ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]);
    }
    if (at != out->n)
        abort();
}

/* First byte: how the rest is cut; it begins behind the preface. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct h2_handler handler = {on_request, on_body, on_waiting, on_take, on_gone};
    static const struct h2_limits limits = {.streams = 10, .head_bytes = 2000};
    if (size < 2 || size > 60000)
        return 0;
    struct seen seen = {NULL, 0, 0};
    struct buf out;
    size_t step = data[0] ? data[0] : size;
    buf_init(&out, 64 << 20);
    seen.session = h2_new(&limits, &handler, &seen);
    enum status st = h2_receive(seen.session, STR(H2_PREFACE), 1, NULL);
    for (size_t at = 1; st == STATUS_OK && at < size; at += step) {
        char *piece = malloc(MIN(step, size - at));
        ASSERT(piece);
        memcpy(piece, data + at, MIN(step, size - at));
        st = h2_receive(seen.session, str_make(piece, MIN(step, size - at)), (int64_t)at, NULL);
        free(piece);
        if (st == STATUS_OK && at % 3 == 0)
            st = h2_fill(seen.session, &out, out.n + 4000, NULL);
    }
    h2_shutdown(seen.session);
    (void)!h2_fill(seen.session, &out, out.n + 4000, NULL);
    h2_free(seen.session);
    if (seen.owned != 0)
        abort();
    check_frames(&out);
    buf_release(&out);
    return 0;
}

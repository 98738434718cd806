/* SPDX-License-Identifier: Apache-2.0 */
#include "http/response.h"

#include "base/limits.h"
#include "codec/compress.h"
#include "http/accept.h"
#include "http/conditional.h"
#include "http/mime.h"
#include "http/range.h"

/* Answers made once and sent once: the cheap levels give most of the gain (nginx's default is 1). */
#define GZIP_LEVEL 3

/* ---- gzip of a stream ---- */

struct gzip_body {
    struct http_stream stream; /* first: the server sees this */
    struct http_stream *inner;
    struct gzip_stream *gzip;
    struct buf raw;
};

static enum status gzip_pull(struct http_stream *s, struct buf *out, struct err *err)
{
    struct gzip_body *g = (struct gzip_body *)s;
    buf_clear(&g->raw);
    enum status st = g->inner->pull(g->inner, &g->raw, err);
    g->stream.pause_ms = g->inner->pause_ms;
    if (st != STATUS_OK && st != STATUS_AGAIN)
        return st;
    if (g->raw.over)
        return err_set(err, STATUS_TOO_LARGE, "A piece of a streamed answer is too large.");
    enum status packed = gzip_stream_put(g->gzip, buf_str(&g->raw), st == STATUS_OK, out);
    return packed == STATUS_OK ? st : err_set(err, packed, "A streamed answer could not be compressed.");
}

static void gzip_close(struct http_stream *s)
{
    struct gzip_body *g = (struct gzip_body *)s;
    g->inner->close(g->inner);
    gzip_stream_free(g->gzip);
    buf_release(&g->raw);
}

static void gzip_wrap(struct http_response *r)
{
    struct gzip_body *g = ARENA_NEW(r->arena, struct gzip_body);
    g->stream = (struct http_stream){.pull = gzip_pull, .close = gzip_close};
    g->inner = r->stream;
    g->gzip = gzip_stream_new(GZIP_LEVEL);
    buf_init(&g->raw, LIMIT_HTTP_STREAM_PIECE);
    r->stream = &g->stream;
}

/* ---- fitting ---- */

static void vary_on_encoding(struct http_response *r)
{
    str vary = http_headers_join(&r->headers, STR("vary"), r->arena);
    if (!http_list_has(vary, STR("accept-encoding")) && !http_list_has(vary, STR("*")))
        (void)response_header(r, STR("vary"), STR("Accept-Encoding"));
}

/* The bytes differ from those the tag was made of, so it may only be compared weakly (RFC 9110 section 8.8.1). */
static void weaken_etag(struct http_response *r)
{
    str etag = response_header_get(r, STR("etag"));
    if (etag.n && !str_starts(etag, STR("W/")))
        (void)response_header_set(r, STR("etag"), ARENA_CAT(r->arena, STR("W/"), etag));
}

static str body_bytes(const struct http_response *r)
{
    return r->kind == HTTP_BODY_BUF ? buf_str(&r->buf) : r->text;
}

static void fit_gzip(struct http_response *r, const struct http_request *rq, unsigned flags)
{
    bool in_memory = r->kind == HTTP_BODY_BUF || r->kind == HTTP_BODY_TEXT;
    if ((!in_memory && r->kind != HTTP_BODY_STREAM) || !(flags & RESPONSE_GZIP) || r->status == 206 ||
        !mime_compressible(response_header_get(r, STR("content-type"))) ||
        http_headers_has(&r->headers, STR("content-encoding")))
        return;
    if (in_memory && body_bytes(r).n < LIMIT_GZIP_MIN)
        return;
    vary_on_encoding(r);
    if (!accept_gzip(http_header(rq, STR("accept-encoding"))))
        return;
    if (in_memory) {
        struct buf packed;
        buf_init(&packed, body_bytes(r).n + RESPONSE_GZIP_ROOM);
        if (compress_gzip(&packed, body_bytes(r), GZIP_LEVEL) != STATUS_OK || packed.n >= body_bytes(r).n) {
            buf_release(&packed);
            return;
        }
        response_body_take(r, &packed);
    } else if (rq->method != HTTP_HEAD) {
        gzip_wrap(r);
    }
    (void)response_header(r, STR("content-encoding"), STR("gzip"));
    weaken_etag(r);
}

/* RFC 9110 section 15.4.5: what a 304 carries; the rest describes a body that is not sent. */
static void become_not_modified(struct http_response *r)
{
    static const char *const gone[] = {"content-type",  "content-encoding", "content-disposition",
                                       "accept-ranges", "content-language", "last-modified"};
    struct http_headers headers = r->headers;
    struct arena *arena = r->arena;
    bool close = r->close, bad = r->bad_header, has_etag = http_headers_has(&headers, STR("etag"));
    response_clear(r);
    r->headers = headers;
    r->arena = arena;
    r->close = close;
    r->bad_header = bad;
    r->status = 304;
    r->no_body = true;
    for (size_t i = 0; i < ARRAY_LEN(gone) - !has_etag; i++)
        (void)http_headers_remove(&r->headers, str_of(gone[i]));
}

static void fit_range(struct http_response *r, const struct http_request *rq)
{
    str etag = response_header_get(r, STR("etag")), modified = response_header_get(r, STR("last-modified"));
    int64_t first = 0, length = 0, size = r->length;
    (void)response_header_set(r, STR("accept-ranges"), STR("bytes"));
    str field = http_header(rq, STR("range"));
    if (!field.p || rq->method != HTTP_GET || !conditional_if_range(http_header(rq, STR("if-range")), etag, modified))
        return;
    switch (range_parse(field, size, &first, &length)) {
    case RANGE_NONE:
        break;
    case RANGE_ONE:
        r->status = 206;
        r->offset += first;
        r->length = length;
        (void)response_header_set(r, STR("content-range"),
                                  arena_printf(r->arena, "bytes %lld-%lld/%lld", (long long)first,
                                               (long long)(first + length - 1), (long long)size));
        break;
    case RANGE_UNSATISFIABLE:
        response_body_text(r, STR("416 Range Not Satisfiable\n"));
        r->status = 416;
        (void)response_header_set(r, STR("content-type"), STR("text/plain; charset=utf-8"));
        (void)response_header_set(r, STR("content-range"), arena_printf(r->arena, "bytes */%lld", (long long)size));
        break;
    }
}

void response_fit(struct http_response *r, const struct http_request *rq, unsigned flags)
{
    if (r->prepared || r->kind == HTTP_BODY_BLOB)
        return;
    r->prepared = true;
    bool reading = rq->method == HTTP_GET || rq->method == HTTP_HEAD;
    if (reading && r->status == 200 &&
        conditional_not_modified(http_header(rq, STR("if-none-match")), http_header(rq, STR("if-modified-since")),
                                 response_header_get(r, STR("etag")), response_header_get(r, STR("last-modified")))) {
        become_not_modified(r);
        r->prepared = true;
        return;
    }
    if (r->kind == HTTP_BODY_FILE && r->status == 200)
        fit_range(r, rq);
    fit_gzip(r, rq, flags);
    if (rq->method == HTTP_HEAD)
        r->no_body = true;
}

void response_prepare(struct http_response *r, const struct http_request *rq)
{
    response_fit(r, rq, RESPONSE_GZIP);
}

/* ---- writing ---- */

int64_t response_length(const struct http_response *r)
{
    if (r->status == 304 || r->status == 204 || r->status < 200)
        return -1;
    switch (r->kind) {
    case HTTP_BODY_BUF:
    case HTTP_BODY_TEXT:
        return (int64_t)body_bytes(r).n;
    case HTTP_BODY_FILE:
        return r->length;
    case HTTP_BODY_NONE:
        return 0;
    default:
        return -1;
    }
}

void response_write_head(const struct http_response *r, bool chunked, struct buf *out)
{
    for (size_t i = 0; i < r->headers.count; i++) {
        const struct http_header *h = &r->headers.items[i];
        buf_puts(out, h->name);
        buf_put(out, ": ", 2);
        buf_puts(out, h->value);
        buf_put(out, "\r\n", 2);
    }
    if (r->kind == HTTP_BODY_BLOB)
        return;
    int64_t length = response_length(r);
    if (length >= 0) {
        buf_puts(out, STR("content-length: "));
        buf_put_i64(out, length);
        buf_put(out, "\r\n", 2);
    } else if (chunked) {
        buf_puts(out, STR("transfer-encoding: chunked\r\n"));
    }
    buf_put(out, "\r\n", 2);
}

struct blob_choice response_choose_blob(struct http_response *r, const struct http_request *rq)
{
    const struct http_blob *b = r->blob;
    bool reading = rq->method == HTTP_GET || rq->method == HTTP_HEAD;
    if (reading && b->status == 200 && (b->etag.n || b->modified.n) &&
        conditional_not_modified(http_header(rq, STR("if-none-match")), http_header(rq, STR("if-modified-since")),
                                 b->etag, b->modified)) {
        r->status = 304;
        r->no_body = true;
        return (struct blob_choice){b->head_304, {NULL, 0}};
    }
    r->no_body = r->no_body || rq->method == HTTP_HEAD;
    if (b->gzip.p && accept_gzip(http_header(rq, STR("accept-encoding"))))
        return (struct blob_choice){b->gzip_head, r->no_body ? (str){NULL, 0} : b->gzip};
    return (struct blob_choice){b->head, r->no_body ? (str){NULL, 0} : b->body};
}

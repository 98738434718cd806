/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http1 — heads, chunked bodies and forms out of one connection's bytes.
 *
 * Property: the result depends on the bytes alone. The input is parsed as a whole, then one byte at a time in blocks of
 * exactly the bytes known so far (so that a moved buffer and a read past the end are seen), then cut in two: at every
 * place when it is short, else at one that the input itself chooses. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "http/accept.h"
#include "http/conditional.h"
#include "http/cookie.h"
#include "http/h1_chunked.h"
#include "http/h1_parse.h"
#include "http/message.h"
#include "http/multipart.h"
#include "http/range.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CUTS_MAX 256

static const struct h1_limits limits = {.line_bytes = 300, .head_bytes = 1500, .header_count = 12};

struct head_result {
    enum status status;
    int http;
    struct h1_head head;
    struct http_header fields[LIMIT_HTTP_HEADERS];
    struct h1_parser parser;
    char *block; /* what the slices point into */
};

static char *block_of(str in)
{
    char *block = malloc(in.n ? in.n : 1);
    ASSERT(block);
    if (in.n)
        memcpy(block, in.p, in.n);
    return block;
}

/* Gives the parser the beginnings of `in` that end at first, first + step, ... and the whole. */
static void parse_cut(struct head_result *r, str in, size_t first, size_t step)
{
    struct err err;
    h1_parser_init(&r->parser, &limits);
    r->status = STATUS_AGAIN;
    r->block = NULL;
    for (size_t n = first; r->status == STATUS_AGAIN; n = MIN(n + step, in.n)) {
        free(r->block);
        r->block = block_of(str_sub(in, 0, n));
        r->status = h1_parse_request(&r->parser, str_make(r->block, n), r->fields, &r->head, &err);
        if (n == in.n)
            break;
    }
    r->http = r->parser.http_status;
    if (r->status != STATUS_OK && r->status != STATUS_AGAIN)
        ASSERT(r->http >= 400 && r->http < 600 && err.text[0]);
}

static void same_heads(const struct head_result *a, const struct head_result *b)
{
    ASSERT(a->status == b->status && a->http == b->http);
    if (a->status != STATUS_OK)
        return;
    const struct h1_head *x = &a->head, *y = &b->head;
    ASSERT(x->bytes == y->bytes && str_eq(x->method, y->method) && str_eq(x->target, y->target));
    ASSERT(x->minor == y->minor && x->content_length == y->content_length && x->chunked == y->chunked);
    ASSERT(x->keep_alive == y->keep_alive && x->expect_continue == y->expect_continue && str_eq(x->host, y->host));
    ASSERT(x->headers.count == y->headers.count);
    for (size_t i = 0; i < x->headers.count; i++) {
        ASSERT(str_eq(a->fields[i].name, b->fields[i].name) && str_eq(a->fields[i].value, b->fields[i].value));
        ASSERT(http_token_ok(a->fields[i].name) && http_header_value_ok(a->fields[i].value));
    }
}

/* What must hold of every head that was accepted. */
static void check_head(const struct h1_head *h)
{
    struct uri_target t;
    ASSERT(h->bytes <= limits.head_bytes && h->headers.count <= limits.header_count);
    ASSERT(uri_parse_target(h->target, str_is(h->method, "OPTIONS"), str_is(h->method, "CONNECT"), &t, NULL) ==
           STATUS_OK);
    ASSERT(!(h->chunked && h->content_length >= 0));
    ASSERT(!h->chunked || h->minor > 0);
    ASSERT(h->minor == 0 || h->host.p);
    ASSERT(http_headers_count(&h->headers, STR("host")) <= 1);
    ASSERT(http_headers_count(&h->headers, STR("content-length")) <= 1);
    ASSERT((http_headers_count(&h->headers, STR("transfer-encoding")) > 0) == h->chunked);
}

struct body_result {
    enum status status;
    size_t rest;
    struct buf body;
};

static void unchunk(struct body_result *r, str in, size_t step)
{
    struct h1_chunked c;
    h1_chunked_init(&c);
    buf_init(&r->body, SIZE_MAX);
    r->status = STATUS_AGAIN;
    while (in.n && r->status == STATUS_AGAIN) {
        str piece = str_sub(in, 0, step);
        size_t taken = 0;
        while (taken < piece.n && r->status == STATUS_AGAIN) {
            size_t used = 0;
            str got;
            r->status = h1_chunked_decode(&c, str_from(piece, taken), &used, &got, NULL);
            buf_puts(&r->body, got);
            taken += used;
        }
        in = str_from(in, taken);
    }
    r->rest = in.n;
}

static void check_chunked(str in)
{
    struct body_result whole, bytes;
    unchunk(&whole, in, SIZE_MAX);
    unchunk(&bytes, in, 1);
    ASSERT(whole.status == bytes.status && str_eq(buf_str(&whole.body), buf_str(&bytes.body)));
    ASSERT(whole.status != STATUS_OK || whole.rest == bytes.rest);
    buf_release(&whole.body);
    buf_release(&bytes.body);
}

static enum status on_begin(void *arg, const struct multipart_part *part, struct err *err)
{
    (void)err;
    buf_puts(arg, STR("\n["));
    buf_puts(arg, part->name);
    buf_puts(arg, part->filename);
    buf_puts(arg, part->content_type);
    return STATUS_OK;
}

static enum status on_data(void *arg, str bytes, struct err *err)
{
    (void)err;
    buf_puts(arg, bytes);
    return STATUS_OK;
}

static enum status on_end(void *arg, struct err *err)
{
    (void)err;
    buf_puts(arg, STR("]"));
    return STATUS_OK;
}

static enum status read_form(str boundary, str in, size_t step, struct buf *out)
{
    struct multipart_sink sink = {out, on_begin, on_data, on_end};
    struct multipart *m = multipart_new(boundary, 5, &sink);
    enum status st = STATUS_OK;
    buf_init(out, SIZE_MAX);
    for (; in.n && st == STATUS_OK; in = str_from(in, step))
        st = multipart_feed(m, str_sub(in, 0, step), NULL);
    if (st == STATUS_OK)
        st = multipart_finish(m, NULL);
    multipart_free(m);
    return st;
}

static void check_form(str boundary, str in)
{
    struct buf whole, bytes;
    enum status a = read_form(boundary, in, SIZE_MAX, &whole), b = read_form(boundary, in, 1, &bytes);
    ASSERT(a == b && str_eq(buf_str(&whole), buf_str(&bytes)));
    buf_release(&whole);
    buf_release(&bytes);
}

/* The small fields that are read by hand; any value may stand in any of them. */
static void check_fields(struct arena *a, str value)
{
    int64_t first = -1, length = -1;
    if (range_parse(value, 1000, &first, &length) == RANGE_ONE)
        ASSERT(first >= 0 && length > 0 && first + length <= 1000);
    int weight = accept_encoding_weight(value, STR("gzip"));
    ASSERT(weight >= 0 && weight <= 1000 && (!accept_gzip(value) || weight > 0));
    (void)accept_names_type(value, STR("text/html"));
    (void)conditional_none_match(value, STR("\"a\""));
    (void)conditional_not_modified((str){NULL, 0}, value, STR(""), STR("Sun, 06 Nov 1994 08:49:37 GMT"));
    (void)conditional_if_range(value, STR("\"a\""), STR("x"));
    (void)cookie_parse(a, value);
}

static void check_body(const struct h1_head *h, str rest)
{
    struct arena *a = arena_new(1 << 20);
    str boundary = multipart_boundary(http_headers_get(&h->headers, STR("content-type")));
    if (h->chunked)
        check_chunked(rest);
    if (boundary.n)
        check_form(boundary, rest);
    for (size_t i = 0; i < h->headers.count; i++)
        check_fields(a, h->headers.items[i].value);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct head_result whole, bytes, once;
    if (size > 1 << 16)
        return 0;
    str in = str_make((const char *)data, size);
    parse_cut(&whole, in, in.n, 1);
    parse_cut(&bytes, str_sub(in, 0, limits.head_bytes + 100), 0, 1);
    same_heads(&whole, &bytes);
    for (size_t cut = in.n > CUTS_MAX ? data[in.n - 1] * in.n / 256 : 0; cut<in.n; cut += in.n> CUTS_MAX ? in.n : 1) {
        parse_cut(&once, in, cut, in.n);
        same_heads(&whole, &once);
        free(once.block);
    }
    if (whole.status == STATUS_OK) {
        check_head(&whole.head);
        check_body(&whole.head, str_from(in, whole.head.bytes));
    }
    free(whole.block);
    free(bytes.block);
    return 0;
}

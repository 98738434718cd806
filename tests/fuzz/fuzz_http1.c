/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an HTTP/1 head and a chunked body: read as a whole and in two pieces cut at every byte, the verdict and
 * what was read must be the same. */
#include <stdlib.h>

#include "base/buf.h"
#include "http/h1_chunked.h"
#include "http/h1_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CUTS_MAX 512 /* two readings a cut: longer inputs are cut at their beginning only */

static const struct h1_limits limits = {.line_bytes = 4096, .head_bytes = 16384, .header_count = 64};

struct outcome {
    enum status status;
    int http_status;
    struct h1_head head;
    struct http_header fields[LIMIT_HTTP_HEADERS];
};

static void parse(str in, size_t cut, struct outcome *ret)
{
    static struct h1_parser parser;
    struct err err = {0};
    h1_parser_init(&parser, &limits);
    ret->status = h1_parse_request(&parser, str_sub(in, 0, cut), ret->fields, &ret->head, &err);
    if (ret->status == STATUS_AGAIN && cut < in.n)
        ret->status = h1_parse_request(&parser, in, ret->fields, &ret->head, &err);
    ret->http_status = ret->status == STATUS_OK || ret->status == STATUS_AGAIN ? 0 : parser.http_status;
    if (ret->status != STATUS_OK && ret->status != STATUS_AGAIN && ret->http_status < 400)
        abort();
}

static void same(const struct outcome *x, const struct outcome *y)
{
    if (x->status != y->status || x->http_status != y->http_status)
        abort();
    if (x->status != STATUS_OK)
        return;
    if (x->head.bytes != y->head.bytes || !str_eq(x->head.method, y->head.method) ||
        !str_eq(x->head.target, y->head.target) || !str_eq(x->head.host, y->head.host) ||
        x->head.content_length != y->head.content_length || x->head.chunked != y->head.chunked ||
        x->head.keep_alive != y->head.keep_alive || x->head.headers.count != y->head.headers.count)
        abort();
    for (size_t i = 0; i < x->head.headers.count; i++) {
        if (!str_eq(x->fields[i].name, y->fields[i].name) || !str_eq(x->fields[i].value, y->fields[i].value))
            abort();
    }
}

/* Decodes until it ends, fails or wants more; false when it failed. */
static bool dechunk(struct h1_chunked *c, str in, struct buf *out, bool *ended)
{
    struct err err = {0};
    while (!*ended) {
        size_t used = 0;
        str piece = {NULL, 0};
        enum status s = h1_chunked_decode(c, in, &used, &piece, &err);
        if (used > in.n)
            abort();
        if (s != STATUS_OK && s != STATUS_AGAIN)
            return false;
        buf_puts(out, piece);
        *ended = s == STATUS_OK;
        if (s == STATUS_AGAIN && used == 0 && in.n)
            abort(); /* no progress: the caller would spin */
        in = str_from(in, used);
        if (s == STATUS_AGAIN && in.n == 0)
            break;
    }
    return true;
}

static void body(str in)
{
    struct buf whole, pieces;
    buf_init(&whole, in.n + 1);
    buf_init(&pieces, in.n + 1);
    struct h1_chunked c;
    bool ended = false;
    h1_chunked_init(&c);
    bool good = dechunk(&c, in, &whole, &ended);
    for (size_t cut = 0; cut <= in.n && cut < CUTS_MAX; cut++) {
        bool ended_too = false;
        buf_clear(&pieces);
        h1_chunked_init(&c);
        bool good_too = dechunk(&c, str_sub(in, 0, cut), &pieces, &ended_too);
        if (good_too && !ended_too)
            good_too = dechunk(&c, str_from(in, cut), &pieces, &ended_too);
        if (good != good_too || ended != ended_too || (good && !str_eq(buf_str(&whole), buf_str(&pieces))))
            abort();
    }
    buf_release(&whole);
    buf_release(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, pieces;
    str in = str_make((const char *)data, size);
    parse(in, in.n, &whole);
    for (size_t cut = 0; cut < in.n && cut < CUTS_MAX; cut++) {
        parse(in, cut, &pieces);
        same(&whole, &pieces);
    }
    body(whole.status == STATUS_OK ? str_from(in, whole.head.bytes) : in);
    return 0;
}

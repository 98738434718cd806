/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_edge_answer — heads of answers and their bodies as the edge passes them on.
 *
 * Properties: the result depends on the bytes alone, not on how they arrived (whole, byte by byte, cut at every place);
 * an accepted head has one framing; what flows out again decodes to what came in. */
#include <stdlib.h>

#include "base/buf.h"
#include "edge/flow.h"
#include "edge/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct h1_limits limits = {.line_bytes = 300, .head_bytes = 1500, .header_count = 12};

struct result {
    enum status status;
    struct h1_head head;
    struct http_header fields[LIMIT_HTTP_HEADERS];
    char *block;
};

static void parse_cut(struct result *r, str in, size_t first, size_t step)
{
    struct h1_parser p;
    struct err err;
    h1_parser_init_answer(&p, &limits);
    r->status = STATUS_AGAIN;
    r->block = NULL;
    for (size_t n = first; r->status == STATUS_AGAIN; n = MIN(n + step, in.n)) {
        free(r->block);
        r->block = malloc(n ? n : 1);
        ASSERT(r->block);
        if (n)
            memcpy(r->block, in.p, n);
        r->status = h1_parse_answer(&p, str_make(r->block, n), r->fields, &r->head, &err);
        if (n == in.n)
            break;
    }
    ASSERT(r->status == STATUS_OK || r->status == STATUS_AGAIN ||
           (r->status == STATUS_PROTOCOL && p.http_status == 502));
}

static void same(const struct result *a, const struct result *b)
{
    ASSERT(a->status == b->status);
    if (a->status != STATUS_OK)
        return;
    const struct h1_head *x = &a->head, *y = &b->head;
    ASSERT(x->bytes == y->bytes && x->status == y->status && str_eq(x->reason, y->reason) && x->minor == y->minor);
    ASSERT(x->content_length == y->content_length && x->chunked == y->chunked && x->keep_alive == y->keep_alive);
    ASSERT(x->headers.count == y->headers.count);
    for (size_t i = 0; i < x->headers.count; i++)
        ASSERT(str_eq(a->fields[i].name, b->fields[i].name) && str_eq(a->fields[i].value, b->fields[i].value));
}

static enum status pass(const struct h1_head *h, str body, size_t step, bool chunk_out, struct buf *out)
{
    struct edge_flow f;
    enum status st = STATUS_OK;
    char *block = malloc(body.n ? body.n : 1);
    ASSERT(block);
    if (body.n)
        memcpy(block, body.p, body.n);
    flow_init(&f, h1_answer_body(h, false), h->content_length, chunk_out);
    for (size_t at = 0, known = 0; st == STATUS_OK && !f.ended && known < body.n;) {
        known = MIN(known + step, body.n);
        while (st == STATUS_OK && !f.ended && at < known) {
            size_t used = 0;
            st = flow_take(&f, block + at, known - at, &used, NULL);
            for (int i = 0; i < f.out_n; i++)
                buf_put(out, f.out[i].iov_base, f.out[i].iov_len);
            f.out_n = 0;
            at += used;
        }
    }
    free(block);
    return st;
}

static void check_body(const struct h1_head *h, str body)
{
    struct buf whole, bytes;
    buf_init(&whole, SIZE_MAX);
    buf_init(&bytes, SIZE_MAX);
    enum status a = pass(h, body, SIZE_MAX / 2, false, &whole), b = pass(h, body, 1, false, &bytes);
    ASSERT(a == b && (a != STATUS_OK || str_eq(buf_str(&whole), buf_str(&bytes))));
    buf_release(&whole);
    buf_release(&bytes);
}

static void check_head(const struct h1_head *h)
{
    struct buf out;
    ASSERT(h->status >= 100 && h->status <= 599 && !(h->chunked && h->content_length >= 0));
    ASSERT(!h->chunked || h->minor > 0);
    buf_init(&out, 1 << 16);
    rewrite_answer(&out, &(struct rewrite_answer){.head = h, .body = h1_answer_body(h, false)});
    /* What leaves is a head again, and nothing behind it. */
    struct h1_parser p;
    struct h1_head again;
    static struct http_header fields[LIMIT_HTTP_HEADERS];
    h1_parser_init_answer(&p, &(struct h1_limits){4096, 65536, LIMIT_HTTP_HEADERS});
    ASSERT(h1_parse_answer(&p, buf_str(&out), fields, &again, NULL) == STATUS_OK);
    ASSERT(again.bytes == out.n && again.status == h->status);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct result whole, bytes, once;
    if (size > 4096)
        return 0;
    str in = str_make((const char *)data, size);
    parse_cut(&whole, in, in.n, 1);
    parse_cut(&bytes, in, 0, 1);
    same(&whole, &bytes);
    for (size_t cut = 0; cut < MIN(in.n, 300); cut++) {
        parse_cut(&once, in, cut, in.n);
        same(&whole, &once);
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

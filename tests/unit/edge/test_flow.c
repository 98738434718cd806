/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/buf.h"
#include "edge/flow.h"
#include "test.h"

/* What comes out when `in` arrives in pieces of `step` bytes. */
static str run(struct edge_flow *f, struct buf *out, str in, size_t step, enum status *ret_st, size_t *ret_rest)
{
    char *block = malloc(in.n + 1);
    struct err err = ERR_INIT;
    enum status st = STATUS_OK;
    size_t at = 0, know = 0;
    memcpy(block, in.p, in.n);
    buf_clear(out);
    while (st == STATUS_OK && !f->ended && know < in.n) {
        know = MIN(know + step, in.n);
        while (st == STATUS_OK && !f->ended && at < know) {
            size_t used = 0;
            st = flow_take(f, block + at, know - at, &used, &err);
            at += used;
            for (int i = 0; i < f->out_n; i++)
                buf_put(out, f->out[i].iov_base, f->out[i].iov_len);
            f->out_n = 0;
        }
    }
    free(block);
    *ret_st = st;
    *ret_rest = in.n - at;
    return buf_str(out);
}

TEST(chunks_are_framed_anew_whatever_the_cuts)
{
    str in = STR("5;a=b\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT");
    struct buf out;
    buf_init(&out, 1 << 16);
    for (size_t step = 1; step <= in.n; step++) {
        struct edge_flow f;
        enum status st;
        size_t rest;
        flow_init(&f, H1_BODY_CHUNKED, 0, false);
        CHECK_STR(run(&f, &out, in, step, &st, &rest), "hello 0123456789");
        CHECK(st == STATUS_OK && f.ended && f.bytes == 16);
        CHECK(rest <= in.n && rest >= 4);
        flow_init(&f, H1_BODY_CHUNKED, 0, true);
        str framed = run(&f, &out, in, step, &st, &rest);
        CHECK(str_ends(framed, STR("0\r\n\r\n")) && st == STATUS_OK);
        if (step == in.n)
            CHECK_STRS(framed, STR("10\r\nhello 0123456789\r\n0\r\n\r\n"));
    }
    buf_release(&out);
}

TEST(a_known_length_takes_no_byte_more)
{
    struct edge_flow f;
    struct buf out;
    enum status st;
    size_t rest;
    buf_init(&out, 1 << 16);
    flow_init(&f, H1_BODY_LENGTH, 5, false);
    CHECK_STR(run(&f, &out, STR("helloNEXT"), 3, &st, &rest), "hello");
    CHECK(f.ended);
    flow_init(&f, H1_BODY_LENGTH, 0, false);
    CHECK(f.ended);
    buf_release(&out);
}

TEST(until_the_end_becomes_chunks)
{
    struct edge_flow f;
    struct buf out;
    enum status st;
    size_t rest;
    buf_init(&out, 1 << 16);
    flow_init(&f, H1_BODY_CLOSE, 0, true);
    CHECK_STR(run(&f, &out, STR("abc"), 3, &st, &rest), "3\r\nabc\r\n");
    CHECK(!f.ended);
    flow_source_end(&f);
    CHECK(f.ended && f.out_n == 1 && f.out[0].iov_len == 5);
    buf_release(&out);
}

TEST(bad_chunks_are_refused)
{
    static const char *const bad[] = {"x\r\n", "5\r\nhelloX", "5\nhello\r\n0\r\n\r\n", "0\r\nHost: a\r\n\r\n"};
    struct buf out;
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct edge_flow f;
        enum status st;
        size_t rest;
        flow_init(&f, H1_BODY_CHUNKED, 0, true);
        (void)run(&f, &out, str_of(bad[i]), 1, &st, &rest);
        CHECK_INT(st, STATUS_INVALID);
    }
    buf_release(&out);
}

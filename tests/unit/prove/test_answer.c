/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "prove/answer.h"
#include "test.h"

/* Reads `text` in pieces of `step` bytes; the body goes to `body`. */
static enum status read_all(struct answer *a, str text, size_t step, struct buf *body, size_t *ret_left)
{
    enum status st = STATUS_AGAIN;
    struct err err = ERR_INIT;
    answer_begin(a);
    buf_clear(body);
    while (text.n && st == STATUS_AGAIN) {
        size_t used;
        str piece;
        st = answer_read(a, str_sub(text, 0, step), &used, &piece, &err);
        buf_puts(body, piece);
        text = str_from(text, used);
    }
    *ret_left = text.n;
    return st;
}

static const struct {
    const char *text, *body;
    enum status st;
    int status;
    bool close;
} cases[] = {
    {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello", STATUS_OK, 200, false},
    {"HTTP/1.1 200\r\nContent-Length: 0\r\nConnection: keep-alive, Close\r\n\r\n", "", STATUS_OK, 200, true},
    {"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", "x", STATUS_OK, 200, true},
    {"HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\nx", "x", STATUS_OK, 200, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", "", STATUS_OK, 204, false},
    {"HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n", "", STATUS_OK, 304, false},
    {"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n", "", STATUS_OK, 101, false},
    {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde", STATUS_OK, 200,
     false},
    {"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", STATUS_AGAIN, 200, true},
    {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", "hel", STATUS_AGAIN, 200, false},
    {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello", "", STATUS_PROTOCOL, 200, false},
    {"HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello", "", STATUS_PROTOCOL, 200, false},
    {"HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello", "", STATUS_PROTOCOL, 200, false},
    {"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n", "", STATUS_PROTOCOL, 200, false},
    {"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", "", STATUS_PROTOCOL, 200, false},
    {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "", STATUS_PROTOCOL, 200, false},
    {"HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n", "", STATUS_PROTOCOL, 0, false},
    {"HTTP/2 200 OK\r\n\r\n", "", STATUS_PROTOCOL, 0, false},
    {"HTTP/1.1 20 OK\r\n\r\n", "", STATUS_PROTOCOL, 0, false},
    {"HTTP/1.1 200 OK\r\nno field\r\n\r\n", "", STATUS_PROTOCOL, 200, false},
    {"HTTP/1.1 200 OK\r\nname : x\r\n\r\n", "", STATUS_PROTOCOL, 200, false},
    {"HTTP/1.1 200 OK\r\nprove-id: x\r\n\r\n", "", STATUS_PROTOCOL, 200, false},
};

TEST(answers_are_read_strictly_however_they_are_cut)
{
    struct answer a;
    struct buf body;
    size_t left;
    answer_init(&a);
    buf_init(&body, 1000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step < 100; step = step * 3 + 1) {
            CHECK_INT(read_all(&a, str_of(cases[i].text), step, &body, &left), cases[i].st);
            CHECK_INT(a.status, cases[i].status);
            if (cases[i].st == STATUS_PROTOCOL)
                continue;
            CHECK_STR(buf_str(&body), cases[i].body);
            CHECK_INT(a.close, cases[i].close);
            CHECK_INT(left, 0);
        }
    }
    buf_release(&body);
    answer_release(&a);
}

TEST(bytes_behind_an_answer_are_left)
{
    struct answer a;
    struct buf body;
    size_t left;
    answer_init(&a);
    buf_init(&body, 1000);
    str two = STR("HTTP/1.1 200 OK\r\nprove-id: 7\r\ncontent-length: 2\r\n\r\nabHTTP/1.1 500");
    CHECK_INT(read_all(&a, two, 1000, &body, &left), STATUS_OK);
    CHECK_INT(left, 12);
    CHECK(a.has_id && a.id == 7);
    buf_release(&body);
    answer_release(&a);
}

TEST(the_end_of_the_connection_ends_an_answer_only_where_it_may)
{
    struct answer a;
    struct buf body;
    size_t left;
    answer_init(&a);
    buf_init(&body, 1000);
    CHECK_INT(answer_end(&a), STATUS_CLOSED);
    CHECK_INT(read_all(&a, STR("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"), 9, &body, &left), STATUS_AGAIN);
    CHECK_INT(answer_end(&a), STATUS_CLOSED);
    CHECK_INT(read_all(&a, STR("HTTP/1.1 200 OK\r\n\r\nhel"), 9, &body, &left), STATUS_AGAIN);
    CHECK_INT(answer_end(&a), STATUS_OK);
    buf_release(&body);
    answer_release(&a);
}

TEST(a_head_without_end_is_refused)
{
    struct answer a;
    struct err err = ERR_INIT;
    enum status st = STATUS_AGAIN;
    answer_init(&a);
    answer_begin(&a);
    str line = STR("HTTP/1.1 200 OK\r\n");
    size_t sent = 0;
    for (int i = 0; i < 10000 && st == STATUS_AGAIN; i++) {
        size_t used;
        str piece;
        sent += line.n;
        st = answer_read(&a, line, &used, &piece, &err);
        line = STR("x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n");
    }
    CHECK_INT(st, STATUS_PROTOCOL);
    CHECK(sent > LIMIT_PROVE_HEAD && sent <= LIMIT_PROVE_HEAD + line.n);
    answer_release(&a);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of HTTP/2 as heads of HTTP/1.1. */
#include "http/h1_parse.h"
#include "http/h2_head.h"
#include "test.h"

#define MOST 2000

/* "name=value" items, then NULL. Returns the status; the head is in `out`. */
static int head(struct buf *out, bool ended, const char *const *items)
{
    struct h2_head h;
    h2_head_init(&h, MOST);
    for (; *items; items++) {
        str item = str_of(*items);
        size_t at = str_find_char(str_from(item, 1), '=') + 1;
        h2_head_field(&h, str_sub(item, 0, at), str_from(item, at + 1));
    }
    buf_init(out, MOST * 2);
    int status = h2_head_finish(&h, ended, out);
    h2_head_release(&h);
    return status;
}
#define ITEMS(...)                                                                                                     \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }
#define GET ":method=GET", ":scheme=https", ":path=/a?b", ":authority=a.test"

TEST(a_request_becomes_one_of_http1)
{
    struct buf out;
    CHECK_INT(head(&out, true, ITEMS(GET, "x=1", "cookie=a=b", "y=2", "cookie=c=d", "host=a.test", "te=trailers")), 0);
    CHECK_STR(buf_str(&out),
              "GET /a?b HTTP/1.1\r\nhost: a.test\r\nx: 1\r\ny: 2\r\nte: trailers\r\ncookie: a=b; c=d\r\n\r\n");
    buf_release(&out);
    CHECK_INT(head(&out, false, ITEMS(":method=POST", ":path=/", ":authority=a", "x=")), 0);
    CHECK_STR(buf_str(&out), "POST / HTTP/1.1\r\nhost: a\r\nx: \r\ntransfer-encoding: chunked\r\n\r\n");
    buf_release(&out);
    CHECK_INT(head(&out, false, ITEMS(":method=POST", ":path=/", ":authority=a", "content-length=3")), 0);
    CHECK_STR(buf_str(&out), "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n");
    buf_release(&out);
    CHECK_INT(head(&out, true, ITEMS(":method=CONNECT", ":authority=a:443")), 0);
    CHECK_STR(buf_str(&out), "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n");
    buf_release(&out);
}

TEST(a_websocket_becomes_an_upgrade)
{
    struct buf out;
    struct h1_parser p;
    struct h1_head h;
    struct http_header fields[LIMIT_HTTP_HEADERS];
    CHECK_INT(head(&out, false,
                   ITEMS(":method=CONNECT", ":protocol=websocket", ":scheme=https", ":path=/ws", ":authority=a",
                         "sec-websocket-version=13")),
              0);
    h1_parser_init(&p, &(struct h1_limits){1000, 4000, 50});
    CHECK_INT(h1_parse_request(&p, buf_str(&out), fields, &h, NULL), STATUS_OK);
    CHECK_STR(h.method, "GET");
    CHECK_STR(http_headers_get(&h.headers, STR("upgrade")), "websocket");
    CHECK_INT((int)http_headers_get(&h.headers, STR("sec-websocket-key")).n, 24);
    CHECK(!h.chunked);
    buf_release(&out);
    CHECK_INT(head(&out, false, ITEMS(":method=CONNECT", ":protocol=tcp", ":path=/", ":authority=a")), 501);
    buf_release(&out);
    CHECK_INT(head(&out, false, ITEMS(":method=GET", ":protocol=websocket", ":path=/", ":authority=a")), 400);
    buf_release(&out);
}

TEST(what_is_no_request_is_refused)
{
    const char *const *const bad[] = {
        ITEMS(":path=/", ":authority=a"),
        ITEMS(":method=GET", ":authority=a"),
        ITEMS(":method=GET", ":path=/ HTTP/1.1\r\nx: y", ":authority=a"),
        ITEMS(":method=GET", ":path=/a b", ":authority=a"),
        ITEMS(":method=GET\r\n", ":path=/", ":authority=a"),
        ITEMS(":method=GET", ":path=/", ":authority=a\nb"),
        ITEMS(":method=GET", ":method=PUT", ":path=/", ":authority=a"),
        ITEMS(GET, ":other=1"),
        ITEMS(GET, "x=1\r\nhost: b"),
        ITEMS(GET, "x y=1"),
        ITEMS(GET, "connection=close"),
        ITEMS(GET, "transfer-encoding=chunked"),
        ITEMS(GET, "upgrade=h2c"),
        ITEMS(GET, "te=gzip"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf out;
        int status = head(&out, true, bad[i]);
        if (status != 400)
            test_fail(__FILE__, __LINE__, "number %zu: %d: %.*s", i, status, STR_ARG(buf_str(&out)));
        buf_release(&out);
    }
}

TEST(two_hosts_are_left_to_the_parser)
{
    struct buf out;
    struct h1_parser p;
    struct h1_head h;
    struct http_header fields[LIMIT_HTTP_HEADERS];
    CHECK_INT(head(&out, true, ITEMS(GET, "host=b.test")), 0);
    h1_parser_init(&p, &(struct h1_limits){1000, 4000, 50});
    CHECK_INT(h1_parse_request(&p, buf_str(&out), fields, &h, NULL), STATUS_INVALID);
    CHECK_INT(p.http_status, 400);
    buf_release(&out);
}

TEST(a_large_head_is_not_kept)
{
    struct h2_head h;
    struct buf out;
    char value[500];
    memset(value, 'a', sizeof(value));
    h2_head_init(&h, MOST);
    for (int i = 0; i < 100; i++)
        h2_head_field(&h, STR("x"), str_make(value, sizeof(value)));
    CHECK(h.fields.n <= MOST);
    buf_init(&out, MOST * 2);
    CHECK_INT(h2_head_finish(&h, true, &out), 431);
    buf_release(&out);
    h2_head_clear(&h);
    CHECK_INT((int)h.fields.cap, 0);
    h2_head_release(&h);
}

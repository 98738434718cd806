/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/rewrite.h"
#include "test.h"

static const struct h1_limits limits = {1000, 4000, 50};
static struct http_header fields[LIMIT_HTTP_HEADERS];

static str request(struct buf *out, const char *text, bool trusted, bool secure, const char *strip)
{
    struct h1_parser p;
    struct h1_head head;
    struct uri_target target;
    h1_parser_init(&p, &limits);
    CHECK_INT(h1_parse_request(&p, str_of(text), fields, &head, NULL), STATUS_OK);
    CHECK_INT(uri_parse_target(head.target, false, false, &target, NULL), STATUS_OK);
    buf_init(out, 1 << 16);
    rewrite_request(out, &(struct rewrite_request){.head = &head,
                                                   .target = &target,
                                                   .host = target.authority.n ? target.authority : head.host,
                                                   .peer = STR("192.0.2.7"),
                                                   .trusted = trusted,
                                                   .secure = secure,
                                                   .strip = str_of(strip),
                                                   .upgrade = rewrite_upgrade(&head).p != NULL});
    return buf_str(out);
}

TEST(a_request_head_is_written_anew)
{
    struct buf out;
    CHECK_STR(request(&out,
                      "POST http://other.test/a?b HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\nX: 1\r\nY: 2\r\n"
                      "Transfer-Encoding: chunked\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
                      false, true, ""),
              "POST /a?b HTTP/1.1\r\nHost: other.test\r\nY: 2\r\nX-Forwarded-For: 192.0.2.7\r\n"
              "X-Forwarded-Proto: https\r\nX-Forwarded-Host: other.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    buf_release(&out);
    CHECK_STR(request(&out, "GET /shop HTTP/1.0\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\r\n", true,
                      false, "/shop"),
              "GET / HTTP/1.1\r\nHost: \r\nX-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"
              "X-Forwarded-Host: \r\n\r\n");
    buf_release(&out);
    str got = request(&out, "GET /shop//evil.test HTTP/1.1\r\nHost: a\r\n\r\n", false, false, "/shop");
    CHECK(str_starts(got, STR("GET /evil.test HTTP/1.1\r\n")));
    buf_release(&out);
}

TEST(an_upgrade_is_passed_only_when_it_is_one)
{
    struct buf out;
    str got = request(&out, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false,
                      false, "");
    CHECK(str_find(got, STR("Connection: Upgrade\r\nUpgrade: websocket\r\n")) != STR_NPOS);
    buf_release(&out);
    static const char *const none[] = {
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nUpgrade: x\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        got = request(&out, none[i], false, false, "");
        CHECK(str_find(got, STR("pgrade")) == STR_NPOS);
        buf_release(&out);
    }
}

static str answer(struct buf *out, const char *text, struct rewrite_answer r)
{
    struct h1_parser p;
    struct h1_head head;
    h1_parser_init_answer(&p, &limits);
    CHECK_INT(h1_parse_answer(&p, str_of(text), fields, &head, NULL), STATUS_OK);
    r.head = &head;
    buf_init(out, 1 << 16);
    rewrite_answer(out, &r);
    return buf_str(out);
}

TEST(an_answer_head_is_written_anew)
{
    struct buf out;
    CHECK_STR(answer(&out, "HTTP/1.0 200 Fine\r\nConnection: keep-alive\r\nContent-Length: 3\r\nA: b\r\n\r\n",
                     (struct rewrite_answer){.body = H1_BODY_LENGTH}),
              "HTTP/1.1 200 Fine\r\nA: b\r\nContent-Length: 3\r\n\r\n");
    buf_release(&out);
    CHECK_STR(answer(&out, "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n",
                     (struct rewrite_answer){.body = H1_BODY_CHUNKED, .close = true}),
              "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    buf_release(&out);
    CHECK_STR(answer(&out, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
                     (struct rewrite_answer){.body = H1_BODY_NONE, .keep_alive = true}),
              "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nConnection: keep-alive\r\n\r\n");
    buf_release(&out);
}

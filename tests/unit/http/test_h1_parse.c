/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "http/h1_chunked.h"
#include "http/h1_parse.h"
#include "test.h"

static const struct h1_limits limits = {.line_bytes = 200, .head_bytes = 1000, .header_count = 5};

struct result {
    enum status status;
    int http;
    struct h1_head head;
    struct http_header fields[LIMIT_HTTP_HEADERS];
    struct h1_parser parser;
};

static void parse(struct result *r, str in)
{
    struct err err;
    h1_parser_init(&r->parser, &limits);
    r->status = h1_parse_request(&r->parser, in, r->fields, &r->head, &err);
    r->http = r->parser.http_status;
}

/* One byte more each time, each time in a fresh block of exactly that size, so that a moved buffer and a read past the
 * end are seen. Must give what the whole gave. */
static void check_split(const struct result *whole, str in)
{
    static struct result r;
    struct err err;
    char *block = NULL;
    h1_parser_init(&r.parser, &limits);
    r.status = STATUS_AGAIN;
    for (size_t n = 1; n <= in.n; n++) {
        char *next = malloc(n);
        CHECK(next != NULL);
        memcpy(next, in.p, n);
        free(block);
        block = next;
        r.status = h1_parse_request(&r.parser, str_make(block, n), r.fields, &r.head, &err);
        if (r.status != STATUS_AGAIN)
            break;
    }
    CHECK_INT(r.status, whole->status);
    if (r.status == STATUS_OK) {
        CHECK_INT(r.head.bytes, whole->head.bytes);
        CHECK_STRS(r.head.method, whole->head.method);
        CHECK_STRS(r.head.target, whole->head.target);
        CHECK_INT(r.head.headers.count, whole->head.headers.count);
        for (size_t i = 0; i < r.head.headers.count; i++)
            CHECK_STRS(r.fields[i].value, whole->fields[i].value);
    } else if (r.status != STATUS_AGAIN) {
        CHECK_INT(r.parser.http_status, whole->http);
    }
    free(block);
}

static struct result *run(str in)
{
    static struct result r;
    parse(&r, in);
    check_split(&r, in);
    return &r;
}
#define RUN(literal) run(STR(literal))

TEST(plain_request)
{
    struct result *r = RUN("GET /a?b HTTP/1.1\r\nHost: h\r\nX-A:  one \t\r\nx-a:\r\n\r\nrest");
    CHECK_INT(r->status, STATUS_OK);
    CHECK_STR(r->head.method, "GET");
    CHECK_STR(r->head.target, "/a?b");
    CHECK_STR(r->head.host, "h");
    CHECK_INT(r->head.minor, 1);
    CHECK_INT(r->head.headers.count, 3);
    CHECK_STR(r->fields[1].name, "X-A");
    CHECK_STR(r->fields[1].value, "one");
    CHECK_STR(r->fields[2].value, "");
    CHECK_INT(r->head.content_length, -1);
    CHECK(r->head.keep_alive && !r->head.chunked && !r->head.expect_continue);
    CHECK_INT(r->head.bytes, strlen("GET /a?b HTTP/1.1\r\nHost: h\r\nX-A:  one \t\r\nx-a:\r\n\r\n"));
}

TEST(framing_fields)
{
    struct result *r = RUN("POST / HTTP/1.1\r\nhost:h\r\ncontent-length: 12\r\nExpect: 100-Continue\r\n\r\n");
    CHECK_INT(r->head.content_length, 12);
    CHECK(r->head.expect_continue);
    r = RUN("POST / HTTP/1.1\r\nHost:h\r\nTransfer-Encoding: Chunked\r\nConnection: x, Close\r\n\r\n");
    CHECK(r->head.chunked && !r->head.keep_alive);
    CHECK_INT(RUN("GET / HTTP/1.0\r\n\r\n")->status, STATUS_OK);
    CHECK(!RUN("GET / HTTP/1.0\r\n\r\n")->head.keep_alive);
    CHECK(RUN("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")->head.keep_alive);
    CHECK(!RUN("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n")->head.keep_alive);
    CHECK_INT(RUN("GET / HTTP/1.7\r\nHost: h\r\n\r\n")->head.minor, 1);
    CHECK_INT(RUN("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n")->status, STATUS_OK);
}

#define HOST "GET / HTTP/1.1\r\nHost: h\r\n"
static const struct {
    const char *text;
    int http;
} refused[] = {
    {"\r\n\r\nGET / HTTP/1.1\r\n", 400},
    {"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    {" GET / HTTP/1.1\r\n\r\n", 400},
    {"\x16\x03\x01", 400},
    {"GET /\r\n", 400},
    {"GET  / HTTP/1.1\r\n", 400},
    {"GET / HTTP/1.1 \r\n", 400},
    {"GET /  HTTP/1.1\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n", 400},
    {"G\"T / HTTP/1.1\r\n", 400},
    {"GET / http/1.1\r\n", 400},
    {"GET / HTTP/1.10\r\n", 400},
    {"GET / HTTP/11\r\n", 400},
    {"GET / HTTP/2.0\r\n", 505},
    {"GET / HTTP/0.9\r\n", 505},
    {"PRI * HTTP/2.0\r\n", 505},
    {"GET * HTTP/1.1\r\n", 400},
    {"GET x HTTP/1.1\r\n", 400},
    {"GET /\x80 HTTP/1.1\r\n", 400},
    {"GET / HTTP/1.1\n", 400},
    {HOST "A: b\n\n", 400},
    {HOST " folded: x\r\n", 400},
    {HOST "A: b\r\n\tfolded\r\n", 400},
    {HOST "A : b\r\n", 400},
    {HOST ": b\r\n", 400},
    {HOST "A\r\n", 400},
    {HOST "A b: c\r\n", 400},
    {HOST "\xc3\xa4: c\r\n", 400},
    {HOST "A: b\rc\r\n", 400},
    {HOST "A: b\x01\r\n", 400},
    {HOST "A: b\x7f\r\n", 400},
    {HOST "Content-Length: 1\r\nContent-Length: 1\r\n", 400},
    {HOST "Content-Length: 1, 1\r\n", 400},
    {HOST "Content-Length: +1\r\n", 400},
    {HOST "Content-Length: -1\r\n", 400},
    {HOST "Content-Length: 0x1\r\n", 400},
    {HOST "Content-Length: 1 1\r\n", 400},
    {HOST "Content-Length:\r\n", 400},
    {HOST "Content-Length: 99999999999999999999\r\n", 413},
    {HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
    {HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {HOST "Transfer-Encoding: identity\r\n\r\n", 501},
    {HOST "Transfer-Encoding: xchunked\r\n\r\n", 501},
    {HOST "Transfer-Encoding: chunked;q=1\r\n\r\n", 501},
    {HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501},
    {HOST "Transfer-Encoding: chunked, chunked\r\n", 400},
    {HOST "Transfer-Encoding: chunked, gzip\r\n", 400},
    {HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
    {HOST "Transfer-Encoding:\r\n", 400},
    {HOST "Transfer-Encoding: \x0b"
          "chunked\r\n",
     400},
    {HOST "Host: h\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a@b\r\n", 400},
    {"GET / HTTP/1.1\r\nA: b\r\n\r\n", 400},
    {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {HOST "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n", 431},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n", 501}, /* LIMIT_HTTP_METHOD + 1 */
};

TEST(refused_requests)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct result *r = run(str_of(refused[i].text));
        if (r->http != refused[i].http)
            test_fail(__FILE__, __LINE__, "case %zu: %s: got %d, want %d", i, refused[i].text, r->http,
                      refused[i].http);
        CHECK(r->status != STATUS_OK && r->status != STATUS_AGAIN);
    }
    CHECK_INT(run((str){"GET /\0 HTTP/1.1\r\n", 17})->http, 400);
    CHECK_INT(run((str){HOST "A: \0\r\n", sizeof(HOST) + 5})->http, 400);
}

TEST(incomplete_requests)
{
    static const char *const parts[] = {"", "G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", HOST, HOST "\r", "\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        CHECK_INT(run(str_of(parts[i]))->status, STATUS_AGAIN);
    CHECK(!h1_parser_started(&RUN("\r\n")->parser));
    CHECK(h1_parser_started(&RUN("G")->parser));
}

/* A head of exactly n bytes (n > 60), its line `line` bytes long. */
static str head_of(char *out, size_t line, size_t n)
{
    char *at = out;
    at += snprintf(at, 32, "GET /");
    memset(at, 'a', line - 14);
    at += line - 14;
    at += snprintf(at, 64, " HTTP/1.1\r\nHost: h\r\n");
    at += snprintf(at, 8, "A: ");
    size_t pad = n - (size_t)(at - out) - 4;
    memset(at, 'b', pad);
    at += pad;
    at += snprintf(at, 8, "\r\n\r\n");
    return str_make(out, (size_t)(at - out));
}

TEST(limits_to_the_byte)
{
    static char text[4096];
    CHECK_INT(run(head_of(text, 200, 900))->status, STATUS_OK);
    CHECK_INT(run(head_of(text, 201, 900))->http, 414);
    CHECK_INT(run(head_of(text, 100, 1000))->status, STATUS_OK);
    CHECK_INT(run(head_of(text, 100, 1001))->http, 431);
    memset(text, 'A', sizeof(text));
    CHECK_INT(run(str_make(text, sizeof(text)))->http, 414);
}

/* ---- chunked ---- */

/* Decodes in pieces of `step` bytes; body goes to out. */
static enum status unchunk(str in, size_t step, char *out, size_t *ret_n, size_t *ret_rest)
{
    struct h1_chunked c;
    struct err err;
    size_t n = 0, at = 0;
    enum status st = STATUS_AGAIN;
    h1_chunked_init(&c);
    while (at < in.n && st == STATUS_AGAIN) {
        str piece = str_sub(in, at, at + step);
        while (piece.n && st == STATUS_AGAIN) {
            size_t used = 0;
            str data;
            st = h1_chunked_decode(&c, piece, &used, &data, &err);
            if (data.n)
                memcpy(out + n, data.p, data.n);
            n += data.n;
            piece = str_from(piece, used);
            at += used;
        }
    }
    *ret_n = n;
    *ret_rest = in.n - at;
    return st;
}

TEST(chunked_bodies)
{
    static const struct {
        const char *in, *body;
        enum status status;
        size_t rest;
    } cases[] = {
        {"5\r\nhello\r\n0\r\n\r\nNEXT", "hello", STATUS_OK, 4},
        {"0\r\n\r\n", "", STATUS_OK, 0},
        {"A;x=y\r\n0123456789\r\n000\r\n\r\n", "0123456789", STATUS_OK, 0},
        {"1 ;x=\"q\"\r\na\r\n1\r\nb\r\n0;z\r\nTrailer: x\r\nOther:\r\n\r\n", "ab", STATUS_OK, 0},
        {"5\r\nhel", "hel", STATUS_AGAIN, 0},
        {"5\nhello", "", STATUS_INVALID, 0},
        {"5\r\nhello!\r\n", "hello", STATUS_INVALID, 0},
        {"5\r\nhello\n0\r\n\r\n", "hello", STATUS_INVALID, 0},
        {"5 \r\nhello", "", STATUS_INVALID, 0},
        {" 5\r\nhello", "", STATUS_INVALID, 0},
        {"0x5\r\nhello", "", STATUS_INVALID, 0},
        {"-5\r\n", "", STATUS_INVALID, 0},
        {"+5\r\n", "", STATUS_INVALID, 0},
        {"g\r\n", "", STATUS_INVALID, 0},
        {"\r\n", "", STATUS_INVALID, 0},
        {";x\r\n", "", STATUS_INVALID, 0},
        {"1000000000000000\r\n", "", STATUS_INVALID, 0},
        {"5;a\nb\r\n", "", STATUS_INVALID, 0},
        {"5\r\rhello", "", STATUS_INVALID, 0},
        {"0\r\n bad: fold\r\n\r\n", "", STATUS_INVALID, 0},
        {"0\r\nbad name: x\r\n\r\n", "", STATUS_INVALID, 0},
        {"0\r\nnocolon\r\n\r\n", "", STATUS_INVALID, 0},
        {"0\r\na: b\r\nHost: c\r\n\r\n", "", STATUS_INVALID, 0},
        {"0\r\nTransfer-Encoding:\r\n\r\n", "", STATUS_INVALID, 0},
        {"0\r\nTransfer-Encodings:\r\nHosts: x\r\n\r\n", "", STATUS_OK, 0},
        {"0\r\na: b\n\r\n", "", STATUS_INVALID, 0},
        {"0\r\n\n", "", STATUS_INVALID, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step < 40; step++) {
            char out[256];
            size_t n, rest;
            enum status st = unchunk(str_of(cases[i].in), step, out, &n, &rest);
            if (st != cases[i].status)
                test_fail(__FILE__, __LINE__, "case %zu step %zu: got %d", i, step, st);
            CHECK_STRS(str_make(out, n), str_of(cases[i].body));
            if (st == STATUS_OK)
                CHECK_INT(rest, cases[i].rest);
        }
    }
}

TEST(chunked_limits)
{
    static char text[LIMIT_HTTP_TRAILERS * 2], out[16];
    size_t n, rest;
    memset(text, 'x', sizeof(text));
    memcpy(text, "1;", 2);
    memcpy(text + LIMIT_HTTP_CHUNK_EXTENSION - 1, "\r\nx\r\n0\r\n\r\n", 10); /* the line end is counted */
    CHECK_INT(unchunk(str_make(text, LIMIT_HTTP_CHUNK_EXTENSION + 9), 7, out, &n, &rest), STATUS_OK);
    memset(text + 2, 'x', LIMIT_HTTP_CHUNK_EXTENSION + 16);
    CHECK_INT(unchunk(str_make(text, sizeof(text)), 7, out, &n, &rest), STATUS_INVALID);
    memcpy(text, "0\r\na:", 5);
    CHECK_INT(unchunk(str_make(text, sizeof(text)), 7, out, &n, &rest), STATUS_HEADERS_TOO_LARGE);
}

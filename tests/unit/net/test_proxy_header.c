/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY protocol: what is read of it, and what is refused. */
#include "base/limits.h"
#include "net/proxy_header.h"
#include "test.h"

static enum status read(str in, struct proxy_header *h, size_t *used)
{
    struct err err = ERR_INIT;
    enum status st = proxy_header_parse(in, h, used, &err);
    /* However it is cut, a beginning of it is never an error. */
    for (size_t n = 0; st == STATUS_OK && n < *used; n++) {
        struct proxy_header part;
        size_t part_used = 0;
        CHECK_INT(proxy_header_parse(str_make(in.p, n), &part, &part_used, NULL), STATUS_AGAIN);
    }
    return st;
}

static void check(str in, size_t want_used, const char *client, const char *server)
{
    struct proxy_header h;
    size_t used = 0;
    char text[ADDR_TEXT_MAX];
    CHECK_INT(read(in, &h, &used), STATUS_OK);
    CHECK_INT((int)used, (int)want_used);
    CHECK_INT(h.known, client != NULL);
    if (!client)
        return;
    CHECK_STR(str_make(text, addr_format(&h.client, text)), client);
    CHECK_STR(str_make(text, addr_format(&h.server, text)), server);
}

#define V2   "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\300\0\2\7\12\0\0\1\301\210\1\273"

/* What is written is read again. client "": nobody's. */
static void check_put(unsigned version, const char *host, unsigned port, const char *server, const char *want_client,
                      const char *want_server)
{
    struct addr to = {0};
    struct buf out;
    struct proxy_header h;
    size_t used = 0;
    buf_init(&out, 1024);
    CHECK_INT(addr_parse(str_of(server), &to, NULL), STATUS_OK);
    proxy_header_put(&out, version, str_of(host), port, &to, true);
    check(buf_str(&out), out.n, want_client, want_server);
    CHECK_INT(read(buf_str(&out), &h, &used), STATUS_OK);
    CHECK_INT(h.secure, version == 2 && want_client);
    buf_release(&out);
}

TEST(written)
{
    for (unsigned version = 1; version <= 2; version++) {
        check_put(version, "192.0.2.7", 49544, "10.0.0.1:443", "192.0.2.7:49544", "10.0.0.1:443");
        check_put(version, "2001:db8::7", 1, "[::1]:65535", "[2001:db8::7]:1", "[::1]:65535");
        check_put(version, "192.0.2.7", 2, "[2001:db8::1]:3", "192.0.2.7:2", "[2001:db8::1]:3"); /* mapped */
        check_put(version, "2001:db8::7", 2, "10.0.0.1:3", "[2001:db8::7]:2", "10.0.0.1:3");
        check_put(version, "192.0.2.7", 2, "[::ffff:10.0.0.1]:3", "192.0.2.7:2", "10.0.0.1:3");
        check_put(version, "192.0.2.7", 2, "unix:/run/x", "192.0.2.7:2", "0.0.0.0:0");
        check_put(version, "", 0, "10.0.0.1:443", NULL, NULL);
        check_put(version, "no address", 0, "10.0.0.1:443", NULL, NULL);
    }
    struct buf out;
    struct addr to;
    buf_init(&out, 1024);
    CHECK_INT(addr_parse(STR("10.0.0.1:443"), &to, NULL), STATUS_OK);
    proxy_header_put(&out, 1, STR("192.0.2.7"), 49544, &to, false);
    CHECK_STR(buf_str(&out), "PROXY TCP4 192.0.2.7 10.0.0.1 49544 443\r\n");
    buf_clear(&out);
    proxy_header_put(&out, 2, STR("192.0.2.7"), 49544, &to, false);
    CHECK(str_eq(buf_str(&out), STR(V2 "\x21\x11\0\14" IPV4)));
    buf_release(&out);
}

TEST(version_1)
{
    check(STR("PROXY TCP4 192.0.2.7 10.0.0.1 49544 443\r\nGET /"), 41, "192.0.2.7:49544", "10.0.0.1:443");
    check(STR("PROXY TCP6 2001:db8::7 ::1 1 65535\r\n"), 36, "[2001:db8::7]:1", "[::1]:65535");
    check(STR("PROXY UNKNOWN\r\nX"), 15, NULL, NULL);
    check(STR("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), 43, NULL, NULL);
}

TEST(version_2)
{
    check(STR(V2 "\x21\x11\0\14" IPV4 "GET"), 28, "192.0.2.7:49544", "10.0.0.1:443");
    check(STR(V2 "\x21\x21\0\44"
                 "\x20\1\15\270\0\0\0\0\0\0\0\0\0\0\0\7"
                 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
                 "\0\1\0\2"),
          52, "[2001:db8::7]:1", "[::1]:2");
    check(STR(V2 "\x20\0\0\0GET"), 16, NULL, NULL);      /* LOCAL: a health check */
    check(STR(V2 "\x20\x11\0\14" IPV4), 28, NULL, NULL); /* its addresses are not looked at */
    check(STR(V2 "\x21\0\0\3abc"), 19, NULL, NULL);      /* unspecified */
    struct proxy_header h;
    size_t used = 0;
    CHECK_INT(read(STR(V2 "\x21\x11\0\24" IPV4 "\x20\0\5\1\0\0\0\0"), &h, &used), STATUS_OK);
    CHECK(h.secure);
    CHECK_INT(read(STR(V2 "\x21\x11\0\24" IPV4 "\x20\0\5\0\0\0\0\0"), &h, &used), STATUS_OK);
    CHECK(!h.secure);
    char long_one[16 + 216] = V2 "\x21\x31\0\xd8";
    CHECK_INT(read(str_make(long_one, sizeof(long_one)), &h, &used), STATUS_OK);
    CHECK(h.known && addr_is_unix(&h.client));
}

TEST(what_is_none_is_refused)
{
    static const str bad[] = {
        {"GET / HTTP/1.1\r\n", 16},
        {"PROXY\tTCP4", 10},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 49544\r\n", 37},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 49544 443 1\r\n", 43},
        {"PROXY TCP4 192.0.2.7  10.0.0.1 49544 443\r\n", 42},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 70000 443\r\n", 41},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 -1 443\r\n", 38},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 01 443\r\n", 38},
        {"PROXY TCP4 ::1 ::1 1 2\r\n", 24},
        {"PROXY TCP6 192.0.2.7 ::1 1 2\r\n", 30},
        {"PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n", 35},
        {"PROXY UNKNOWNS\r\n", 16},
        {"PROXY TCP4 a\n", 13},
        {V2 "\x11\x11\0\14" IPV4, 28},
        {V2 "\x22\x11\0\14" IPV4, 28},
        {V2 "\x21\x11\0\13" IPV4, 28},
        {V2 "\x21\x41\0\14" IPV4, 28},
        {V2 "\x21\x11\0\16" IPV4 "\1\0", 30},
        {V2 "\x21\x11\0\17" IPV4 "\1\0\1", 31},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct proxy_header h;
        size_t used = 77;
        char block[200];
        memset(block, 'a', sizeof(block)); /* a line without end goes on */
        memcpy(block, bad[i].p, bad[i].n);
        bool no_end = bad[i].n == 13;
        enum status st = read(str_make(block, no_end ? sizeof(block) : bad[i].n), &h, &used);
        if (st != STATUS_INVALID || used != 77)
            test_fail(__FILE__, __LINE__, "number %zu: %d", i, (int)st);
    }
}

TEST(a_header_without_end)
{
    struct proxy_header h;
    size_t used = 0;
    static char block[LIMIT_PROXY_HEADER + 100] = V2 "\x21\x11";
    block[14] = (char)((LIMIT_PROXY_HEADER - 16) >> 8);
    block[15] = (char)((LIMIT_PROXY_HEADER - 16) & 255);
    memcpy(block + 16, IPV4, 12);
    memcpy(block + 28, "\1", 1); /* one fact that fills the rest */
    block[29] = (char)((LIMIT_PROXY_HEADER - 31) >> 8);
    block[30] = (char)((LIMIT_PROXY_HEADER - 31) & 255);
    CHECK_INT(read(str_make(block, sizeof(block)), &h, &used), STATUS_OK);
    CHECK_INT((int)used, LIMIT_PROXY_HEADER);
    block[15]++;
    CHECK_INT(read(str_make(block, 16), &h, &used), STATUS_INVALID);
}

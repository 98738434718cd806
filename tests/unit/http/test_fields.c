/* SPDX-License-Identifier: Apache-2.0 */
/* traceparent, X-Request-ID, X-Forwarded-For, Forwarded: what is believed and what is not. */
#include "http/forwarded.h"
#include "http/trace_context.h"
#include "test.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

TEST(traceparent_is_read)
{
    struct trace_context t;
    CHECK(trace_context_parse(STR("00-" TRACE "-" PARENT "-01"), &t));
    CHECK_STR(t.trace_id, TRACE);
    CHECK_STR(t.parent_id, PARENT);
    CHECK(t.sampled);
    CHECK(trace_context_parse(STR("00-" TRACE "-" PARENT "-00"), &t) && !t.sampled);
    CHECK(trace_context_parse(STR("00-" TRACE "-" PARENT "-fa"), &t) && !t.sampled);
    CHECK(trace_context_parse(STR("cc-" TRACE "-" PARENT "-01"), &t));
    CHECK(trace_context_parse(STR("cc-" TRACE "-" PARENT "-01-what-comes-later"), &t));
}

TEST(traceparent_is_refused)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-1",
        "00-" TRACE "-" PARENT "-01-",
        "00-" TRACE "-" PARENT "-01-more",
        "cc-" TRACE "-" PARENT "-01more",
        "cc-" TRACE "-" PARENT "-01.",
        "ff-" TRACE "-" PARENT "-01",
        "0g-" TRACE "-" PARENT "-01",
        "0A-" TRACE "-" PARENT "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00-" TRACE "-B7AD6B7169203331-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-" TRACE "-" PARENT "-0x",
        "00_" TRACE "-" PARENT "-01",
        " 00-" TRACE "-" PARENT "-01",
        "00-" TRACE "-" PARENT "-01 ",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b71692033311-01",
    };
    struct trace_context t;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (trace_context_parse(str_of(bad[i]), &t))
            test_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
    str nul = str_make("00-" TRACE "-" PARENT "-0\0", 55);
    CHECK(!trace_context_parse(nul, &t));
}

TEST(traceparent_comes_once)
{
    struct http_header items[2] = {{STR("traceparent"), STR("00-" TRACE "-" PARENT "-01")},
                                   {STR("Traceparent"), STR("00-" TRACE "-" PARENT "-01")}};
    struct http_headers h = {items, 1, 2};
    struct trace_context t;
    CHECK(trace_context_find(&h, &t));
    h.count = 2;
    CHECK(!trace_context_find(&h, &t));
    h.count = 0;
    CHECK(!trace_context_find(&h, &t));
}

TEST(span_ids_have_sixteen_digits)
{
    char text[TRACE_SPAN_HEX + 1];
    trace_span_format(0, text);
    CHECK_STR(str_of(text), "0000000000000001");
    trace_span_format(UINT64_C(0xfedcba9876543210), text);
    CHECK_STR(str_of(text), "fedcba9876543210");
}

TEST(request_ids)
{
    char longest[LIMIT_REQUEST_ID + 2];
    memset(longest, 'a', sizeof longest);
    CHECK(request_id_ok(STR("a")) && request_id_ok(STR("7f3c-AZ_.:/+=@~9")));
    CHECK(request_id_ok(str_make(longest, LIMIT_REQUEST_ID)));
    CHECK(!request_id_ok(str_make(longest, LIMIT_REQUEST_ID + 1)));
    static const str bad[] = {{"", 0},     {"a b", 3},  {"a\0b", 3}, {"\xc3\xa4", 2}, {"<b>", 3},
                              {"a\"b", 3}, {"a\nb", 3}, {"a,b", 3},  {"%0a", 3},      {"\x1b[1m", 4}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!request_id_ok(bad[i]));
}

static struct proxy_list trusted(const char *text)
{
    struct proxy_list l = {.count = 0};
    struct err err = ERR_INIT;
    if (proxy_list_parse(str_of(text), &l, &err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", text, err.text);
    return l;
}

static const char *client(const char *proxies, const char *peer, const char *name, const char *value)
{
    static struct forwarded f;
    struct proxy_list l = trusted(proxies);
    struct http_header item = {str_of(name), str_of(value)};
    struct http_headers h = {&item, 1, 1};
    forwarded_find(&l, &h, str_of(peer), &f);
    return f.client;
}

#define XFF(proxies, peer, value) str_of(client(proxies, peer, "X-Forwarded-For", value))
#define FWD(proxies, peer, value) str_of(client(proxies, peer, "Forwarded", value))

TEST(nobody_is_believed_without_trust)
{
    CHECK_STR(XFF("", "127.0.0.1:5000", "192.0.2.1"), "127.0.0.1");
    CHECK_STR(XFF("10.0.0.0/8", "127.0.0.1:5000", "192.0.2.1"), "127.0.0.1");
    CHECK_STR(XFF("", "[::1]:80", "192.0.2.1"), "::1");
    CHECK_STR(XFF("127.0.0.1", "unix:", "192.0.2.1"), "unix");
    CHECK_STR(XFF("", "nonsense", "192.0.2.1"), "");
}

TEST(the_chain_is_read_from_its_end)
{
    CHECK_STR(XFF("127.0.0.1", "127.0.0.1:1", "192.0.2.1"), "192.0.2.1");
    CHECK_STR(XFF("127.0.0.1", "127.0.0.1:1", "6.6.6.6, 192.0.2.1"), "192.0.2.1");
    CHECK_STR(XFF("127.0.0.1, 10.0.0.0/8", "127.0.0.1:1", "6.6.6.6, 192.0.2.1, 10.1.2.3"), "192.0.2.1");
    CHECK_STR(XFF("127.0.0.1,10.0.0.0/8", "127.0.0.1:1", "10.9.9.9, 10.1.2.3"), "10.9.9.9");
    CHECK_STR(XFF("unix", "unix:", "2001:db8::1"), "2001:db8::1");
    CHECK_STR(XFF("::1", "[::1]:80", "[2001:db8::1]:443"), "2001:db8::1");
    CHECK_STR(XFF("127.0.0.1", "127.0.0.1:1", "192.0.2.1:8080"), "192.0.2.1");
    CHECK_STR(XFF("127.0.0.1", "[::ffff:127.0.0.1]:1", "192.0.2.1"), "192.0.2.1");
}

TEST(what_cannot_be_read_ends_the_chain)
{
    CHECK_STR(XFF("127.0.0.1", "127.0.0.1:1", "192.0.2.1, unknown"), "127.0.0.1");
    CHECK_STR(XFF("127.0.0.1,10.0.0.1", "127.0.0.1:1", "192.0.2.1, <b>, 10.0.0.1"), "10.0.0.1");
    CHECK_STR(XFF("127.0.0.1", "127.0.0.1:1", "999.1.1.1"), "127.0.0.1");
    CHECK_STR(XFF("127.0.0.1", "127.0.0.1:1", ""), "127.0.0.1");
    CHECK_STR(XFF("127.0.0.1", "127.0.0.1:1", ",,,"), "127.0.0.1");
    CHECK_STR(XFF("127.0.0.1", "127.0.0.1:1", "[::1"), "127.0.0.1");
    CHECK_STR(XFF("127.0.0.1", "127.0.0.1:1", "[192.0.2.1]"), "127.0.0.1");
}

TEST(forwarded_is_read_too)
{
    CHECK_STR(FWD("127.0.0.1", "127.0.0.1:1", "for=192.0.2.1;proto=https"), "192.0.2.1");
    CHECK_STR(FWD("127.0.0.1", "127.0.0.1:1", "For=\"[2001:db8::1]:4711\""), "2001:db8::1");
    CHECK_STR(FWD("127.0.0.1", "127.0.0.1:1", "for=6.6.6.6, proto=http;for=192.0.2.60"), "192.0.2.60");
    CHECK_STR(FWD("127.0.0.1", "127.0.0.1:1", "for=_hidden"), "127.0.0.1");
    CHECK_STR(FWD("127.0.0.1", "127.0.0.1:1", "by=192.0.2.1"), "127.0.0.1");
}

TEST(https_is_believed_with_the_client)
{
    struct proxy_list l = trusted("127.0.0.1"), none = trusted("");
    struct http_header items[] = {{STR("x-forwarded-for"), STR("192.0.2.1")}, {STR("x-forwarded-proto"), STR("https")}};
    struct http_headers h = {items, 2, 2};
    struct forwarded f;
    forwarded_find(&l, &h, STR("127.0.0.1:1"), &f);
    CHECK(f.secure && f.via_proxy);
    forwarded_find(&none, &h, STR("127.0.0.1:1"), &f);
    CHECK(!f.secure && !f.via_proxy);
    items[1].value = STR("https, http");
    forwarded_find(&l, &h, STR("127.0.0.1:1"), &f);
    CHECK(!f.secure);
}

TEST(who_counts_together)
{
    static const char *const cases[][2] = {{"192.0.2.1", "192.0.2.1"},
                                           {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
                                           {"2001:db8:1:2:ffff::1", "2001:db8:1:2::"},
                                           {"2001:db8:1:3::1", "2001:db8:1:3::"},
                                           {"::1", "::"},
                                           {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
                                           {"unix", "unix"},
                                           {"", ""}};
    char out[CLIENT_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        client_network(str_of(cases[i][0]), out);
        CHECK_STR(str_of(out), cases[i][1]);
    }
    client_network(str_make((const char[200]){0}, 200), out);
    CHECK_STR(str_of(out), "");
}

TEST(long_chains_are_cut_at_their_beginning)
{
    char text[8192] = "";
    for (int i = 0; i < 400; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "10.0.0.%d, ", i % 250);
    snprintf(text + strlen(text), sizeof text - strlen(text), "192.0.2.9");
    CHECK_STR(XFF("127.0.0.1", "127.0.0.1:1", text), "192.0.2.9");
    CHECK(XFF("127.0.0.1,10.0.0.0/8,192.0.2.0/24", "127.0.0.1:1", text).n > 0);
}

TEST(trusted_proxies_are_checked)
{
    static const char *const bad[] = {"nonsense",    "10.0.0.0/33",        "10.0.0.0/-1", "10.0.0.0/", "::1/129",
                                      "10.0.0.0/8x", "127.0.0.1 10.0.0.1", "unix:",       "*"};
    struct proxy_list l;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        if (proxy_list_parse(str_of(bad[i]), &l, &err) != STATUS_INVALID)
            test_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
        CHECK(strstr(err.text, "trusted_proxies"));
    }
    CHECK_INT(trusted(" 10.0.0.0/8 ,, ::1 , unix,").count, 2);
    CHECK_STR(XFF("0.0.0.0/0", "9.9.9.9:1", "192.0.2.1"), "192.0.2.1");
    CHECK_STR(XFF("10.0.0.0/31", "10.0.0.1:1", "192.0.2.1"), "192.0.2.1");
    CHECK_STR(XFF("10.0.0.0/31", "10.0.0.2:1", "192.0.2.1"), "10.0.0.2");
    char many[4096] = "";
    for (int i = 0; i <= LIMIT_TRUSTED_PROXIES; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), "10.0.0.%d,", i);
    struct err err = ERR_INIT;
    CHECK_INT(proxy_list_parse(str_of(many), &l, &err), STATUS_INVALID);
}

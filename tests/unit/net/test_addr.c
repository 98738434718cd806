/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>

#include "net/addr.h"
#include "test.h"

static struct addr parse(const char *text)
{
    struct addr a;
    struct err err = ERR_INIT;
    if (addr_parse(str_of(text), &a, &err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", text, err.text);
    return a;
}

static void check_format(const char *text, const char *want)
{
    char out[ADDR_TEXT_MAX];
    struct addr a = parse(text);
    size_t n = addr_format(&a, out);
    CHECK_STR(str_make(out, n), want);
}

TEST(addresses_come_back_as_written)
{
    check_format("127.0.0.1:8001", "127.0.0.1:8001");
    check_format("[::1]:80", "[::1]:80");
    check_format("[fe80:0:0:0::1]:65535", "[fe80::1]:65535");
    check_format("localhost:0", "127.0.0.1:0");
    check_format("[::ffff:10.1.2.3]:443", "10.1.2.3:443");
    check_format(":80", "[::]:80");
    check_format("*:80", "[::]:80");
    check_format("0.0.0.0:80", "0.0.0.0:80");
    check_format("unix:/run/v.sock", "unix:/run/v.sock");
}

TEST(what_an_address_is)
{
    struct addr a = parse(":80");
    CHECK(a.dual_stack && addr_is_any(&a) && !addr_is_loopback(&a));
    a = parse("[::]:80");
    CHECK(!a.dual_stack && addr_is_any(&a));
    a = parse("127.3.2.1:1");
    CHECK(addr_is_loopback(&a) && !addr_is_any(&a) && addr_port(&a) == 1);
    addr_set_port(&a, 77);
    CHECK_INT(addr_port(&a), 77);
    struct addr b = parse("127.3.2.1:77"), c = parse("[::1]:77");
    CHECK(addr_eq(&a, &b) && !addr_eq(&a, &c) && addr_is_loopback(&c));
    b = parse("127.3.2.1:78");
    CHECK(!addr_eq(&a, &b));
    a = parse("[::ffff:127.0.0.1]:1");
    CHECK(addr_is_loopback(&a));
    a = parse("unix:x.sock");
    CHECK(addr_is_unix(&a) && addr_is_loopback(&a) && addr_port(&a) == 0);
    CHECK_STR(str_of(addr_unix_path(&a)), "x.sock");
    b = parse("unix:y.sock");
    CHECK(!addr_eq(&a, &b));
    struct addr unnamed = {.len = sizeof(sa_family_t)};
    unnamed.ss.ss_family = AF_UNIX;
    char out[ADDR_TEXT_MAX];
    CHECK_STR(str_make(out, addr_format(&unnamed, out)), "unix:");
    CHECK_INT(addr_format_host(&unnamed, out), 0);
    a = parse("[::1]:5");
    CHECK_STR(str_make(out, addr_format_host(&a, out)), "::1");
}

TEST(wrong_addresses_are_refused_in_words)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        {"", "no port"},
        {"127.0.0.1", "no port"},
        {"127.0.0.1:", "port number"},
        {"127.0.0.1:65536", "port number"},
        {"127.0.0.1:-1", "port number"},
        {"127.0.0.1:80x", "port number"},
        {"::1:80", "brackets"},
        {"[::1:80", "']'"},
        {"[]:80", "']'"},
        {"unix:", "path"},
        {"unix:/a-path-that-is-too-long-for-a-socket-address/a-path-that-is-too-long-for-a-socket-address/"
         "a-path-that-is-too-long",
         "107"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct addr a = {.len = 7};
        struct err err = ERR_INIT;
        CHECK_INT(addr_parse(str_of(wrong[i].text), &a, &err), STATUS_INVALID);
        if (!strstr(err.text, wrong[i].why))
            test_fail(__FILE__, __LINE__, "'%s' gives: %s", wrong[i].text, err.text);
        CHECK_INT(a.len, 7);
    }
    struct addr a;
    struct err err = ERR_INIT;
    CHECK_INT(addr_parse(STR("no such host.invalid:80"), &a, &err), STATUS_NOT_FOUND);
    CHECK_INT(addr_from_host_port(STR("127.0.0.1"), 70000, &a, &err), STATUS_INVALID);
    CHECK_INT(addr_from_host_port(STR("a\0b"), 80, &a, &err), STATUS_INVALID);
    CHECK_INT(addr_from_host_port(STR("::1"), 80, &a, &err), STATUS_OK);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The walls of http/ that one function holds; those of a connection are in tests/http. */
#include "base/limits.h"
#include "http/cookie.h"
#include "http/forwarded.h"
#include "test.h"

TEST(cookies_of_one_field)
{
    struct arena *a = arena_new(0);
    struct buf field;
    buf_init(&field, 64u << 20);
    for (int i = 0; i < LIMIT_HTTP_COOKIES + 5; i++)
        buf_printf(&field, "%sc%d=%d", i ? "; " : "", i, i);
    struct value all = cookie_parse(a, buf_str(&field));
    CHECK_INT(value_count(all), LIMIT_HTTP_COOKIES);
    CHECK(value_has(all, STR("c127")) && !value_has(all, STR("c128")));
    buf_release(&field);
    arena_free(a);
}

/* A chain of trusted proxies longer than that ends at the last one looked at: the client is not believed further. */
TEST(hops_of_a_chain)
{
    struct proxy_list l = {.count = 0};
    struct err err = ERR_INIT;
    CHECK_INT(proxy_list_parse(STR("10.0.0.0/8"), &l, &err), STATUS_OK);
    for (int more = 0; more <= 1; more++) {
        struct buf chain;
        struct forwarded f;
        buf_init(&chain, 64u << 20);
        buf_puts(&chain, STR("192.0.2.1"));
        for (int i = 1; i < LIMIT_FORWARDED_HOPS + more; i++)
            buf_printf(&chain, ", 10.0.0.%d", i);
        struct http_header item = {STR("x-forwarded-for"), buf_str(&chain)};
        struct http_headers h = {&item, 1, 1};
        forwarded_find(&l, &h, STR("10.9.9.9:1"), &f);
        CHECK_STR(str_of(f.client), more ? "10.0.0.1" : "192.0.2.1");
        buf_release(&chain);
    }
}

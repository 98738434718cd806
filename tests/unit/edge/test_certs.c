/* SPDX-License-Identifier: Apache-2.0 */
/* Names that certificates can be had for, their files, and which names count together. */
#include "base/limits.h"
#include "edge/certs.h"
#include "test.h"

TEST(names_that_can_have_one)
{
    const char *const good[] = {"example.org", "*.example.org", "a-b.c_d.example", "xn--bcher-kva.example",
                                "1.example"};
    const char *const bad[] = {"",
                               "localhost",
                               "a.localhost",
                               "192.0.2.1",
                               "example.org.",
                               ".example.org",
                               "a..b",
                               "*",
                               "*.org.",
                               "a.*.org",
                               "A.example.org",
                               "a/b.example",
                               "-a.example",
                               "../etc.passwd",
                               "[::1]",
                               "*.localhost",
                               "a b.example",
                               "1.2"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CHECK(cert_name_ok(str_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (cert_name_ok(str_of(bad[i])))
            test_fail(__FILE__, __LINE__, "%s", bad[i]);
}

TEST(files_of_names)
{
    struct arena *a = arena_new(0);
    str name;
    CHECK_STR(str_of(cert_path(a, STR("/s"), STR("*.example.org"), ".pem")), "/s/certs/_.example.org.pem");
    CHECK(cert_name_of_file(a, "_.example.org.pem", &name) && str_is(name, "*.example.org"));
    CHECK(cert_name_of_file(a, "a.example.org.pem", &name) && str_is(name, "a.example.org"));
    CHECK(!cert_name_of_file(a, "a.example.org.json", &name) && !cert_name_of_file(a, ".pem", &name));
    CHECK(!cert_name_of_file(a, "a.example.org.pem.tmp", &name) && !cert_name_of_file(a, "account-1.json", &name));
    arena_free(a);
}

TEST(names_that_count_together)
{
    const char *const rows[][2] = {{"example.org", "example.org"},
                                   {"a.example.org", "example.org"},
                                   {"a.b.example.org", "example.org"},
                                   {"example.co.uk", "example.co.uk"},
                                   {"a.b.example.co.uk", "example.co.uk"},
                                   {"co.uk", "co.uk"},
                                   {"x.abc.com", "x.abc.com"},
                                   {"single", "single"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_STR(certs_group(str_of(rows[i][0])), rows[i][1]);
}

TEST(tokens_of_a_table)
{
    struct edge_table *t = edge_table_new(1);
    for (int i = 0; i < 40; i++) {
        char token[16], text[16];
        snprintf(token, sizeof(token), "token-%d", i);
        snprintf(text, sizeof(text), "text-%d", i);
        edge_table_add_token(t, str_of(token), str_of(text));
    }
    edge_table_finish(t);
    CHECK_STR(edge_table_token(t, STR("/.well-known/acme-challenge/token-39")), "text-39");
    CHECK(!edge_table_token(t, STR("/.well-known/acme-challenge/token-40")).p);
    CHECK(!edge_table_token(t, STR("/.well-known/acme-challenge/")).p && !edge_table_token(t, STR("/token-1")).p);
    edge_table_unref(t);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "edge/model.h"
#include "test.h"

static struct edge_table *table(void)
{
    static const char *const routes[][3] = {
        {"", "/", "any"},        {"a.test", "/", "a"},  {"A.test", "/shop/", "shop"}, {"a.test", "/shop/old", "old"},
        {"*.test", "/", "star"}, {"*.b.test", "/", "b"}};
    struct edge_table *t = edge_table_new(1);
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        edge_table_add_route(t, &(struct edge_route){.host = str_of(routes[i][0]),
                                                     .path = str_of(routes[i][1]),
                                                     .redirect = str_of(routes[i][2])});
    edge_table_finish(t);
    return t;
}

TEST(the_nearest_route_wins)
{
    static const char *const cases[][3] = {{"a.test", "/", "a"},
                                           {"A.TEST:8080", "/x", "a"},
                                           {"a.test.", "/shop", "shop"},
                                           {"a.test", "/shop/x", "shop"},
                                           {"a.test", "/shopping", "a"},
                                           {"a.test", "/shop/old/1", "old"},
                                           {"c.test", "/shop", "star"},
                                           {"x.b.test", "/", "b"},
                                           {"b.test", "/", "star"},
                                           {"test", "/", "any"},
                                           {"", "/", "any"},
                                           {"[::1]:80", "/", "any"},
                                           {"a.test", "/shop/old", "old"},
                                           {"a.test", "/shop/older", "shop"}};
    struct edge_table *t = table();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct edge_route *r = edge_table_find(t, str_of(cases[i][0]), str_of(cases[i][1]));
        CHECK(r != NULL);
        CHECK_STR(r->redirect, cases[i][2]);
    }
    edge_table_unref(edge_table_ref(t));
    edge_table_unref(t);
}

/* The rule without the hash tables: the first route, in their order, that fits. */
static const struct edge_route *plainly(const struct edge_table *t, str host, str path)
{
    for (size_t i = 0; i < t->route_count; i++) {
        const struct edge_route *r = &t->routes[i];
        str tail = str_starts(r->host, STR("*")) ? str_from(r->host, 1) : STR("");
        bool host_fits = !r->host.n || str_eq(r->host, host) || (tail.n && host.n > tail.n && str_ends(host, tail));
        bool path_fits =
            r->path.n == 1 || (str_starts(path, r->path) && (path.n == r->path.n || path.p[r->path.n] == '/'));
        if (host_fits && path_fits)
            return r;
    }
    return NULL;
}

TEST(hashing_finds_what_looking_at_all_finds)
{
    static const char *const hosts[] = {"", "a", "a.b", "b", "x.a.b", "*.b", "*.a.b", "y.x.a.b", "*.x.a.b", ".b"};
    static const char *const paths[] = {"/", "/s", "/s/t", "/s/t/u", "/st", "/s/", "/t", "//", "/s//t"};
    uint32_t seed = 7, found = 0;
    for (int round = 0; round < 300; round++) {
        struct edge_table *t = edge_table_new(1);
        for (int i = 0; i < 8; i++) {
            seed = seed * 1664525 + 1013904223;
            edge_table_add_route(t, &(struct edge_route){.host = str_of(hosts[(seed >> 8) % 9]),
                                                         .path = str_of(paths[(seed >> 16) % ARRAY_LEN(paths)])});
        }
        edge_table_finish(t);
        for (size_t h = 0; h < ARRAY_LEN(hosts); h++)
            for (size_t p = 0; p < ARRAY_LEN(paths); p++) {
                const struct edge_route *a = edge_table_find(t, str_of(hosts[h]), str_of(paths[p]));
                const struct edge_route *b = plainly(t, str_of(hosts[h]), str_of(paths[p]));
                CHECK(!a == !b && (!a || (str_eq(a->host, b->host) && str_eq(a->path, b->path))));
                found += a != NULL;
            }
        edge_table_unref(t);
    }
    CHECK(found > 1000);
}

TEST(what_is_coming_is_found_last)
{
    static const char *const cases[][3] = {{"new.test", "/", "new"},     {"NEW.test:80", "/x", "new"},
                                           {"a.new.test", "/", "below"}, {"x.y.new.test", "/", "below"},
                                           {"other.test", "/p", "path"}, {"other.test", "/p/q", "path"},
                                           {"other.test", "/pq", NULL},  {"other.test", "/", NULL},
                                           {".new.test", "/", NULL},     {"", "/p", "path"}};
    struct edge_table *t = edge_table_new(1);
    edge_table_add_coming(t, &(struct edge_route){.host = STR("New.test"), .path = STR("/"), .redirect = STR("new")});
    edge_table_add_coming(t,
                          &(struct edge_route){.host = STR("*.new.test"), .path = STR("/"), .redirect = STR("below")});
    edge_table_add_coming(t, &(struct edge_route){.host = STR(""), .path = STR("/p/"), .redirect = STR("path")});
    edge_table_finish(t);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct edge_route *r = edge_table_find_coming(t, str_of(cases[i][0]), str_of(cases[i][1]));
        CHECK(!edge_table_find(t, str_of(cases[i][0]), str_of(cases[i][1])));
        CHECK(!r == !cases[i][2]);
        if (r)
            CHECK_STR(r->redirect, cases[i][2]);
    }
    edge_table_unref(t);
}

TEST(an_empty_table_has_no_route)
{
    struct edge_table *t = edge_table_new(1);
    edge_table_finish(t);
    CHECK(!edge_table_find(t, STR("a"), STR("/")));
    edge_table_unref(t);
}

TEST(names_hosts_and_paths_are_checked)
{
    static const char *const good_hosts[] = {"", "a.test", "*.a.test", "[::1]", "127.0.0.1"};
    static const char *const bad_hosts[] = {"a:80", "a b", "*", "*.", "a.*.b", "http://a", "a/b"};
    static const char *const bad_paths[] = {"", "a", "/a?b", "/a/../b", "/./a", "/a b"};
    for (size_t i = 0; i < ARRAY_LEN(good_hosts); i++)
        CHECK_INT(edge_host_check(str_of(good_hosts[i]), NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(bad_hosts); i++)
        CHECK_INT(edge_host_check(str_of(bad_hosts[i]), NULL), STATUS_INVALID);
    for (size_t i = 0; i < ARRAY_LEN(bad_paths); i++)
        CHECK_INT(edge_path_check(str_of(bad_paths[i]), NULL), STATUS_INVALID);
    CHECK(edge_name_ok(STR("web-1_x")) && !edge_name_ok(STR("-x")) && !edge_name_ok(STR("")) &&
          !edge_name_ok(STR("a/b")) && !edge_name_ok(STR("../x")) && !edge_name_ok(STR("A")));
    char longest[LIMIT_EDGE_NAME + 1];
    memset(longest, 'a', sizeof(longest));
    CHECK(edge_name_ok(str_make(longest, LIMIT_EDGE_NAME)) && !edge_name_ok(str_make(longest, LIMIT_EDGE_NAME + 1)));
}

TEST(counts_are_of_all_loops)
{
    struct edge_app *app = edge_app_new(STR("a"), LIMIT_EDGE_LOOPS);
    count_add(&app->shares[0].counts[EDGE_REQUESTS], 2);
    count_add(&app->shares[LIMIT_EDGE_LOOPS - 1].counts[EDGE_REQUESTS], 3);
    CHECK_INT(edge_app_count(app, EDGE_REQUESTS), 5);
    count_add(&app->shares[1].writes, 1);
    CHECK_INT(edge_app_writes(app), 1);
    count_add(&app->shares[1].writes, (uint64_t)-1);
    CHECK_INT(edge_app_writes(app), 0);
    free(app);
    for (int i = 0; i < EDGE_COUNTERS; i++)
        CHECK(edge_counter_names[i]);
}

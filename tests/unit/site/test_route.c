/* SPDX-License-Identifier: Apache-2.0 */
/* The table of URLs: every pattern is found by a path made from it; names are decoded; formats are cut off. */
#include "base/arena.h"
#include "site/route.h"
#include "test.h"

TEST(formats)
{
    struct arena *a = arena_new(0);
    struct route_match html = route_find(STR("/db/table"), a), json = route_find(STR("/db/table.json"), a);
    CHECK(html.route && html.route == json.route);
    CHECK_STR(html.format, "");
    CHECK_STR(json.format, "json");
    CHECK_STR(json.params[0], "db");
    CHECK_STR(json.params[1], "table");
    arena_free(a);
}

TEST(names_are_decoded)
{
    struct arena *a = arena_new(0);
    struct route_match m = route_find(STR("/my~20db/table~2Fwith~2Fslashes~2Ecsv.json"), a);
    CHECK(m.route);
    CHECK_STR(m.params[0], "my db");
    CHECK_STR(m.params[1], "table/with/slashes.csv");
    CHECK_STR(m.format, "json");
    arena_free(a);
}

TEST(fixed_pages_before_databases)
{
    struct arena *a = arena_new(0);
    struct route_match m = route_find(STR("/-/versions.json"), a), home = route_find(STR("/"), a);
    CHECK(m.route && home.route && home.route != m.route);
    CHECK(str_starts(str_of(m.route->pattern), STR("/-/versions")));
    CHECK(route_find(STR("/-/no-such-page-at-all"), a).route != m.route);
    CHECK(!route_find(STR("/a/b/c/d/e/f"), a).route);
    arena_free(a);
}

TEST(rows_keep_their_commas)
{
    struct arena *a = arena_new(0);
    struct route_match m = route_find(STR("/db/table/a,b~2Fc.json"), a);
    CHECK(m.route);
    CHECK_STR(m.format, "json");
    CHECK_STR(m.params[0], "db");
    CHECK(str_find(m.params[2], STR(",")) != STR_NPOS);
    arena_free(a);
}

TEST(every_route_has_a_help_and_a_method)
{
    for (size_t i = 0; i < route_count; i++) {
        CHECK(routes[i].pattern && routes[i].help && *routes[i].help);
        CHECK(routes[i].flags & (ROUTE_GET | ROUTE_POST | ROUTE_ANY_METHOD));
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(routes[i].pattern, routes[k].pattern) != 0 || routes[i].flags != routes[k].flags);
    }
}

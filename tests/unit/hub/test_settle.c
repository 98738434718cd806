/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/value.h"
#include "hub/edge_apps.h"
#include "test.h"

static bool same(const char *wanted, const char *is)
{
    struct arena *a = arena_new(0);
    struct value w, i;
    CHECK_INT(value_from_json(a, str_of(wanted), &w, NULL), STATUS_OK);
    CHECK_INT(value_from_json(a, str_of(is), &i, NULL), STATUS_OK);
    bool yes = edge_apps_same(w, i);
    arena_free(a);
    return yes;
}

TEST(an_app_is_as_it_is_wanted)
{
    const char *w =
        "{\"name\": \"s-a\", \"host\": [\"a.x\", \"b.y\"], \"run\": \"'v' {socket}\", \"sleep_seconds\": 600}";
    CHECK(same(w, "{\"name\": \"s-a\", \"host\": [\"a.x\", \"b.y\"], \"path\": \"/\", \"run\": \"'v' {socket}\","
                  " \"sleep_seconds\": 600.0}"));
    CHECK(same("{\"name\": \"s-a\", \"rate\": 0}", "{\"name\": \"s-a\"}")); /* what stands at its default is left out */
}

TEST(an_app_differs)
{
    const char *w = "{\"name\": \"s-a\", \"host\": [\"a.x\"], \"rate\": 5}";
    CHECK(!same(w, "{\"name\": \"s-a\", \"host\": [\"a.x\", \"b.y\"], \"rate\": 5}")); /* a host that was removed */
    CHECK(!same(w, "{\"name\": \"s-a\", \"host\": [\"c.x\"], \"rate\": 5}"));
    CHECK(!same(w, "{\"name\": \"s-a\", \"host\": [\"a.x\"]}"));
    CHECK(!same(w, "{\"name\": \"s-a\", \"host\": [\"a.x\"], \"rate\": 5, \"burst\": 9}"));
    CHECK(!same(w, "{\"name\": \"s-a\", \"host\": [\"a.x\"], \"rate\": 5, \"path\": \"/below\"}"));
    CHECK(!same(w, "null"));
}

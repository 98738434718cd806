/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "hub/account.h"
#include "hub/request.h"
#include "hub/route.h"
#include "hub/space.h"
#include "test.h"

TEST(names_are_made_of_titles)
{
    struct arena *a = arena_new(0);
    CHECK_STR(space_name_from(a, STR("City Museum")), "city-museum");
    CHECK_STR(space_name_from(a, STR("  -- Fire & Rescue 2026! ")), "fire-rescue-2026");
    CHECK_STR(space_name_from(a, STR("www")), "");
    CHECK_STR(space_name_from(a, STR("\xe6\x97\xa5\xe6\x9c\xac")), "");
    arena_free(a);
}

TEST(the_folder_that_nobody_named)
{
    struct arena *a = arena_new(0);
    struct err e = ERR_INIT;
    str dir = {0};
    bool root = geteuid() == 0;
    CHECK(setenv("VITRINE_HUB", "/srv/hub", 1) == 0 && setenv("XDG_DATA_HOME", "/data", 1) == 0);
    CHECK_INT(hub_usual_dir(a, &dir, NULL), STATUS_OK);
    CHECK_STR(dir, "/srv/hub");
    CHECK(setenv("VITRINE_HUB", "", 1) == 0 && setenv("HOME", "/home/ana", 1) == 0);
    CHECK_INT(hub_usual_dir(a, &dir, NULL), STATUS_OK);
    CHECK_STR(dir, root ? "/var/lib/vitrine" : "/data/vitrine");
    CHECK(setenv("XDG_DATA_HOME", "relative", 1) == 0);
    CHECK_INT(hub_usual_dir(a, &dir, NULL), STATUS_OK);
    CHECK_STR(dir, root ? "/var/lib/vitrine" : "/home/ana/.local/share/vitrine");
    CHECK(unsetenv("HOME") == 0);
    CHECK_INT(hub_usual_dir(a, &dir, &e), root ? STATUS_OK : STATUS_USAGE);
    CHECK(root || strstr(e.text, "--dir DIR") != NULL);
    arena_free(a);
}

TEST(names_that_are_kept)
{
    static const char *const kept[] = {
#define X(text) text,
#include "hub/tbl/reserved_names.h"
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        CHECK(space_name_check(str_of(kept[i]), NULL) != STATUS_OK);
    static const char *const alike[] = {"l0gin", "1ogin", "log-in", "adm1n", "adrnin", "supp0rt", "bi11ing",
                                        "vvww",  "ma1l",  "ap-i",   "www-1", "m-x-1",  "s-s-o",   "no-rep1y"};
    for (size_t i = 0; i < ARRAY_LEN(alike); i++)
        CHECK(space_name_check(str_of(alike[i]), NULL) != STATUS_OK);
    static const char *const other[] = {"museum", "mall", "logins", "admins", "arnold",
                                        "savvy",  "l00k", "apple",  "web-art"};
    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        CHECK_INT(space_name_check(str_of(other[i]), NULL), STATUS_OK);
}

TEST(names_of_people)
{
    static const char *const good[] = {"Ana", "Jos\xc3\xa9", "\xd7\x90\xe2\x80\x8f",
                                       "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CHECK_INT(account_name_check(str_of(good[i]), "It", NULL), STATUS_OK);
    const str bad[] = {STR(""),
                       STR("a\nb"),
                       STR("a\0b"),
                       STR("a\x7f"),
                       STR("\xc2\x85"),
                       STR("\xc2\xad"),
                       STR("\xe2\x80\x8b"),
                       STR("\xe2\x80\xa8"),
                       STR("\xe2\x80\xae!"),
                       STR("\xe2\x81\xa6"),
                       STR("\xef\xbb\xbf"),
                       STR("\xff"),
                       STR("a\xc3"),
                       STR("\xf3\xa0\x81\x81"),
                       STR("\xed\xa0\x80")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_INT(account_name_check(bad[i], "It", NULL), STATUS_INVALID);
}

TEST(paths_that_lead_elsewhere_are_not_taken)
{
    CHECK_STR(hub_safe_path(STR("/a/b?c=1")), "/a/b?c=1");
    const str bad[] = {STR(""),          STR("//evil"),  STR("/\\evil"), STR("https://evil"),
                       STR("/a\nb"),     STR("/\tevil"), STR("a"),       STR("/a\0b"),
                       STR("/\xc3\xa9"), STR("/ /evil"), STR("\\/evil"), STR("javascript:x()"),
                       STR("?//evil"),   STR("/a\x7f")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_STR(hub_safe_path(bad[i]), "/");
}

TEST(every_address_leads_to_its_own_row)
{
    struct arena *a = arena_new(0);
    for (const struct hub_route *r = hub_routes; r->pattern; r++) {
        str params[2];
        char path[128];
        size_t n = 0;
        for (const char *p = r->pattern; *p; p++) /* {} -> x */
            if (*p != '{')
                path[n++] = *p == '}' ? 'x' : *p;
        const struct hub_route *found = hub_route_find(a, str_make(path, n), params);
        CHECK(found == r);
    }
    str params[2];
    CHECK(!hub_route_find(a, STR("/spaces//members"), params));
    CHECK(!hub_route_find(a, STR("/spaces/a/b/c"), params));
    CHECK(hub_route_find(a, STR("/spaces/a%2Fb"), params) != NULL);
    CHECK_STR(params[0], "a/b");
    arena_free(a);
}

TEST(times_are_said_in_words)
{
    static const struct {
        int64_t age_s;
        const char *words;
    } cases[] = {{0, "just now"},       {-5, "just now"},          {60, "1 minute ago"},      {3599, "59 minutes ago"},
                 {7200, "2 hours ago"}, {3 * 86400, "3 days ago"}, {40 * 86400, "2026-10-12"}};
    struct arena *a = arena_new(0);
    int64_t now = 1795253280; /* 2026-11-21T09:28:00Z */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(VALUE_GET(hub_when(a, now - cases[i].age_s, now), "words").s, cases[i].words);
    CHECK_STR(VALUE_GET(hub_when(a, now, now), "iso").s, "2026-11-21T09:28:00Z");
    CHECK(value_is_null(hub_when(a, 0, now)));
    arena_free(a);
}

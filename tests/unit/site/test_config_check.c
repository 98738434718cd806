/* SPDX-License-Identifier: Apache-2.0 */
/* Problems of configuration texts: found, placed, bounded. */
#include "site/config_check.h"

#include "base/limits.h"
#include "codec/yaml_places.h"
#include "test.h"

static struct config_findings check(struct arena *a, const char *text, enum config_file kind)
{
    struct config_findings f = {.arena = a};
    config_check_text(&f, STR("x.yaml"), str_of(text), kind);
    return f;
}

static void expect(const char *text, enum config_file kind, bool error, const char *key, size_t line, size_t column)
{
    struct arena *a = arena_new(0);
    struct config_findings f = check(a, text, kind);
    CHECK_INT(f.count, 1);
    CHECK_INT(f.errors, error);
    CHECK_INT(f.items[0].error, error);
    CHECK_STR(f.items[0].key, key);
    CHECK_INT(f.items[0].line, line);
    CHECK_INT(f.items[0].column, column);
    CHECK(f.items[0].text.n > 0);
    arena_free(a);
}

TEST(each_kind_of_problem_has_its_place)
{
    expect("settings:\n  nope: 1\n", CONFIG_FILE, true, "settings.nope", 2, 3);
    expect("settings: 5\n", CONFIG_FILE, true, "settings", 1, 1);
    expect("databases: [a]\n", CONFIG_FILE, true, "databases", 1, 1);
    expect("databases:\n  d:\n    queries:\n      q: {title: t}\n", CONFIG_FILE, true, "databases.d.queries.q", 4, 7);
    expect("{\"databases\": {\"d\": {\"tables\": {\"t\": {\"siz\": 1}}}}}", CONFIG_FILE, false,
           "databases.d.tables.t.siz", 1, 39);
    expect("databases:\n  d:\n    tables:\n      t:\n        hidden: \"yes\"\n", CONFIG_FILE, false,
           "databases.d.tables.t.hidden", 5, 9);
    expect("databases: {d: {tables: {t: {units: {a: m}}}}}", METADATA_FILE, false, "databases.d.tables.t.units", 1, 30);
    expect("allow: [1]\n", CONFIG_FILE, true, "allow", 1, 1);
    expect("permissions:\n  view-tble: true\n", CONFIG_FILE, false, "permissions.view-tble", 2, 3);
    expect("a: [1\nb: 2\n", CONFIG_FILE, true, "", 2, 2);
    expect("title: a\ntitle: b\n", CONFIG_FILE, false, "title", 2, 1);
    expect("titel: a\n", METADATA_FILE, false, "titel", 1, 1);
    expect("plugins:\n  datasette-ics: {a: {$file: /no/such/file}}\n", CONFIG_FILE, true, "plugins.datasette-ics.a", 2,
           19);
    expect("plugins:\n  graphql: {a: 1}\n", CONFIG_FILE, false, "plugins.graphql", 2, 3);
    expect("plugins:\n  datasette-ics: [{$env: NO_SUCH_VARIABLE_HERE}]\n", CONFIG_FILE, false,
           "plugins.datasette-ics.0", 2, 19);
}

TEST(what_is_right_gives_nothing)
{
    static const char text[] =
        "title: a\nsettings: {default_page_size: 5, base_url: /x/, allow_facet: false}\n"
        "permissions: {view-table: {id: [1, 2]}}\nallow: {id: \"*\"}\nextra_css_urls: [/a.css, {url: /b.css, sri: x}]\n"
        "databases:\n  d:\n    allow_sql: false\n    tables:\n      t: {sort: a, size: 10, facets: [a, {array: b}], "
        "facet_size: max, sortable_columns: [a]}\n      u:\n    queries: {q: select 1, r: {sql: select 1, params: "
        "[a]}}\n"
        "plugins: {datasette-atom: {anything: [1, {b: 2}]}}\n";
    struct arena *a = arena_new(0);
    CHECK_INT(check(a, text, CONFIG_FILE).count, 0);
    CHECK_INT(check(a, "", CONFIG_FILE).count, 0);
    CHECK_INT(check(a, "own_key: 1\ntitle: x\n", METADATA_FILE).count, 0); /* metadata may hold anything */
    arena_free(a);
}

TEST(configuration_in_metadata_is_misplaced)
{
    struct arena *a = arena_new(0);
    struct config_findings f =
        check(a, "settings: {max_csv_mb: 1}\ndatabases: {d: {tables: {t: {sort: a}}}}\n", METADATA_FILE);
    CHECK_INT(f.count, 2);
    CHECK(f.items[0].misplaced && f.items[1].misplaced && !f.errors);
    arena_free(a);
}

TEST(findings_are_bounded)
{
    struct arena *a = arena_new(0);
    VEC(char) text = {0};
    for (int i = 0; i < 1000; i++) {
        str line = arena_printf(a, "unknown_key_%d: 1\n", i);
        for (size_t k = 0; k < line.n; k++)
            VEC_PUSH(a, &text, line.p[k]);
    }
    struct config_findings f = {.arena = a};
    config_check_text(&f, STR("x"), str_make(text.items, text.count), CONFIG_FILE);
    CHECK_INT(f.count, LIMIT_CONFIG_FINDINGS);
    CHECK_INT(f.warnings, 1000);
    arena_free(a);
}

TEST(aliases_do_not_explode)
{
    /* each level names the one before ten times: 10^9 values if they were copied */
    static const char text[] = "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                               "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                               "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
                               "plugins: {p: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]}\n";
    struct arena *a = arena_new(0);
    struct config_findings f = check(a, text, CONFIG_FILE);
    CHECK(f.errors == 1 && f.items[0].error);
    f = check(a, "a: &a [*a]\n", CONFIG_FILE); /* a cycle */
    CHECK(f.errors == 1);
    arena_free(a);
}

TEST(places)
{
    struct yaml_places *p = yaml_places_new(STR("a:\n  b: [x, {c: 1}]\n\"k\": {z: 1}\n"));
    size_t line = 0, column = 0;
    CHECK(p);
    CHECK(yaml_places_find(p, (const str[]){STR("a"), STR("b"), STR("1"), STR("c")}, 4, &line, &column));
    CHECK(line == 2 && column == 11);
    CHECK(yaml_places_find(p, (const str[]){STR("k"), STR("nope"), STR("1")}, 3, &line, &column));
    CHECK(line == 3 && column == 1); /* as far as it goes */
    CHECK(!yaml_places_find(p, (const str[]){STR("nope")}, 1, &line, &column));
    CHECK(!yaml_places_find(NULL, (const str[]){STR("a")}, 1, &line, &column));
    yaml_places_free(p);
    CHECK(!yaml_places_new(STR("a: [")));
    p = yaml_places_new(STR(""));
    CHECK(!yaml_places_find(p, (const str[]){STR("a")}, 1, &line, &column));
    yaml_places_free(p);
}

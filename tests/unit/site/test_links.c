/* SPDX-License-Identifier: Apache-2.0 */
/* Every URL the site makes: base_url, tilde encoding, formats, row paths, CSS classes. The classes and formats are the
 * cases of Datasette's own tests. */
#include "site/links.h"
#include "test.h"

struct fixture {
    struct arena *arena;
    struct site site;
    struct request rq;
};

static void begin(struct fixture *f, str base_url, str path, str query)
{
    *f = (struct fixture){.arena = arena_new(0)};
    settings_default(&f->site.config.settings);
    f->site.config.settings.base_url = base_url;
    f->rq = (struct request){
        .site = &f->site, .arena = f->arena, .path = path, .query_string = query, .format = STR("html")};
}

TEST(links_carry_the_base_url_once)
{
    struct fixture f;
    begin(&f, STR("/p/"), STR("/db/t"), STR(""));
    CHECK_STR(link_path(&f.rq, STR("/x")), "/p/x");
    CHECK_STR(link_path(&f.rq, STR("x")), "/p/x");
    CHECK_STR(link_path(&f.rq, STR("/")), "/p/");
    CHECK_STR(link_table(&f.rq, STR("my db"), STR("a/b.c")), "/p/my+db/a~2Fb~2Ec");
    CHECK_STR(link_row(&f.rq, STR("db"), STR("t"), STR("1,a~2Fb")), "/p/db/t/1,a~2Fb");
    CHECK_STR(link_blob(&f.rq, STR("db"), STR("t"), STR("1"), STR("a b")), "/p/db/t/1.blob?_blob_column=a+b");
    CHECK_STR(link_query(&f.rq, STR("db"), STR("select 1 & 2")), "/p/db/-/query?sql=select+1+%26+2");
    arena_free(f.arena);
}

TEST(links_to_formats)
{
    struct fixture f;
    const struct arg stream[] = {{STR("_dl"), STR("1")}}, both[] = {{STR("_a"), STR("1")}, {STR("_z"), STR("ä")}};
    begin(&f, STR("/"), STR("/foo"), STR(""));
    CHECK_STR(link_this_format(&f.rq, STR("csv"), NULL, 0), "/foo.csv");
    CHECK_STR(link_this_format(&f.rq, STR("csv"), stream, 1), "/foo.csv?_dl=1");
    f.rq.query_string = STR("_search=cherry&_size=1000");
    CHECK_STR(link_this_format(&f.rq, STR("csv"), stream, 1), "/foo.csv?_search=cherry&_size=1000&_dl=1");
    f.rq.path = STR("/foo.csv");
    f.rq.query_string = STR("bar=1");
    CHECK_STR(link_this_format(&f.rq, STR("json"), both, 2), "/foo.csv?bar=1&_a=1&_format=json&_z=%C3%A4");
    f.rq.format = STR("csv");
    CHECK_STR(link_this_format(&f.rq, STR("json"), NULL, 0), "/foo.json?bar=1");
    CHECK_STR(link_with_format(&f.rq, STR("/x?y=1"), STR("json")), "/x.json?y=1");
    arena_free(f.arena);
}

TEST(links_rows_by_their_key)
{
    struct arena *a = arena_new(0);
    str columns[] = {STR("rowid"), STR("a"), STR("b")};
    struct cell cells[] = {
        {.kind = CELL_INT, .i = -7}, {.kind = CELL_TEXT, .s = STR("x/y,z é")}, {.kind = CELL_FLOAT, .f = 1.5}};
    const struct rowset rows = {.columns = columns, .column_count = 3, .cells = cells, .row_count = 1};
    const str pks[] = {STR("b"), STR("a")};
    CHECK_STR(row_path(a, &rows, 0, NULL, 0), "-7");
    CHECK_STR(row_path(a, &rows, 0, pks, 2), "1~2E5,x~2Fy~2Cz+~C3~A9");
    str path, title;
    row_names(a, &rows, 0, pks, 2, &path, &title);
    CHECK_STR(path, "1~2E5,x~2Fy~2Cz+~C3~A9");
    CHECK_STR(title, "1.5,x/y,z é");
    row_names(a, &rows, 0, NULL, 0, &path, &title);
    CHECK_STR(title, "-7");
    arena_free(a);
}

TEST(links_css_class)
{
    static const char *const cases[][2] = {
        {"simple", "simple"},
        {"MixedCase", "MixedCase"},
        {"-no-leading-hyphens", "no-leading-hyphens-65bea6"},
        {"_no-leading-underscores", "no-leading-underscores-b921bc"},
        {"no spaces", "no-spaces-7088d7"},
        {"-", "336d5e"},
        {"no $ characters", "no--characters-59e024"},
    };
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(css_class(a, str_of(cases[i][0])), cases[i][1]);
    CHECK_STR(css_class(a, STR("")), "d41d8c");
    arena_free(a);
}

TEST(links_filename_cannot_leave_its_quotes)
{
    struct arena *a = arena_new(0);
    CHECK_STR(link_filename(a, STR("a\"b\\c\r\nd\xc3\xa9 e.db")), "a_b_c__d__ e.db");
    arena_free(a);
}

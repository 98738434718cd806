/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "ingest/dialect.h"
#include "test.h"

static const struct ingest_options plain = {.skip_lines = -1};

static struct dialect detect(struct arena *a, const char *text, const char *ending)
{
    struct dialect d = {0};
    struct err err = ERR_INIT;
    CHECK_INT(dialect_detect(a, str_of(text), true, &plain, str_of(ending), &d, &err), STATUS_OK);
    return d;
}

TEST(dialect_delimiters)
{
    struct arena *a = arena_new(0);
    CHECK_INT(detect(a, "a,b\n1,2\n", "csv").delimiter, ',');
    CHECK_INT(detect(a, "a;b\n1,5;2\n3,5;4\n", "csv").delimiter, ';');
    CHECK_INT(detect(a, "a\tb\n1\t2\n", "csv").delimiter, '\t');
    CHECK_INT(detect(a, "a|b\n1|2\n", "txt").delimiter, '|');
    CHECK_INT(detect(a, "a,b\tc\n1,2\t3\n", "tsv").delimiter, '\t');
    CHECK_INT(detect(a, "only\none\n", "csv").delimiter, ',');
    CHECK_INT(detect(a, "a,b\n\"x;y;z\",2\n\"x;y;z\",2\n", "csv").delimiter, ',');
    arena_free(a);
}

TEST(dialect_header)
{
    struct arena *a = arena_new(0);
    struct dialect d = detect(a, "Title,,\n\nid,name,n\n1,x,2\n2,y,3\n", "csv");
    CHECK_INT(d.header_line, 3);
    CHECK_INT(d.data_line, 4);
    CHECK_INT(d.column_count, 3);
    d = detect(a, "a,b,c\n1,,\n2,x,\n", "csv"); /* a sparse row is no header */
    CHECK_INT(d.header_line, 1);
    d = detect(a, "k,v\n", "csv");
    CHECK_INT(d.column_count, 2);
    CHECK_INT(detect(a, "", "csv").column_count, 0);
    arena_free(a);
}

TEST(dialect_names)
{
    struct arena *a = arena_new(0);
    const str raw[] = {STR(" id "), STR(""), STR("ID"), STR("id_2"), STR("a\nb"), STR("column_2")};
    const str *names = dialect_names(a, raw, ARRAY_LEN(raw));
    const char *want[] = {"id", "column_2", "ID_2", "id_2_2", "a b", "column_2_2"};
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        CHECK_STR(names[i], want[i]);
    char longest[LIMIT_INGEST_NAME * 2];
    memset(longest, 'x', sizeof longest);
    const str long_name = {longest, sizeof longest};
    CHECK_INT(dialect_names(a, &long_name, 1)[0].n, LIMIT_INGEST_NAME);
    arena_free(a);
}

TEST(dialect_too_many_columns)
{
    struct arena *a = arena_new(0);
    struct dialect d;
    struct err err = ERR_INIT;
    char *text = arena_alloc(a, LIMIT_INGEST_COLUMNS + 1);
    memset(text, ',', LIMIT_INGEST_COLUMNS);
    text[0] = text[LIMIT_INGEST_COLUMNS] = 'x'; /* 1,999 commas between */
    CHECK_INT(dialect_detect(a, str_make(text, LIMIT_INGEST_COLUMNS + 1), true, &plain, STR("csv"), &d, &err),
              STATUS_OK);
    CHECK_INT(d.column_count, LIMIT_INGEST_COLUMNS);
    text[LIMIT_INGEST_COLUMNS] = ',';
    CHECK_INT(dialect_detect(a, str_make(text, LIMIT_INGEST_COLUMNS + 1), true, &plain, STR("csv"), &d, &err),
              STATUS_TOO_LARGE);
    arena_free(a);
}

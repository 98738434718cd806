/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE TABLE statements that are read, changed and written again. */
#include "base/buf.h"
#include "base/limits.h"
#include "migrate/sql_lex.h"
#include "migrate/table_def.h"
#include "test.h"

static struct table_def parsed(struct arena *a, const char *sql)
{
    struct table_def d = {.name = STR("")};
    struct err err = ERR_INIT;
    if (table_def_parse(a, str_of(sql), &d, &err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", sql, err.text);
    return d;
}

static str written(struct arena *a, const char *sql)
{
    struct table_def d = parsed(a, sql);
    return table_def_sql(a, &d);
}

TEST(sql_tokens)
{
    struct arena *a = arena_new(0);
    const str sql = STR("a1 'it''s' \"q\"\"q\" [b] `c` /* x */ -- y\n 1.5e-3 x'00' (,)");
    static const enum token_kind kinds[] = {TOKEN_WORD,    TOKEN_STRING,  TOKEN_NAME,  TOKEN_NAME,  TOKEN_NAME,
                                            TOKEN_COMMENT, TOKEN_COMMENT, TOKEN_OTHER, TOKEN_OTHER, TOKEN_OPEN,
                                            TOKEN_COMMA,   TOKEN_CLOSE,   TOKEN_END};
    static const char *const names[] = {"a1", "it's", "q\"q", "b", "c"};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct token t = sql_lex(sql, &at);
        CHECK_INT(t.kind, kinds[i]);
        if (i < ARRAY_LEN(names))
            CHECK_STR(token_name(a, sql, t), names[i]);
    }
    at = 0;
    CHECK_INT(sql_lex(STR("'open"), &at).end, 5);
    at = 0;
    CHECK_INT(sql_lex(STR("/* open"), &at).end, 7);
    arena_free(a);
}

TEST(table_def_keeps_what_it_has_no_field_for)
{
    struct arena *a = arena_new(0);
    CHECK_STR(written(a, "CREATE TABLE t (id integer primary key autoincrement, a varchar(20) collate nocase not null "
                         "default 'x''y', b int constraint pos check (b > 0 /* really */) unique on conflict ignore)"),
              "CREATE TABLE \"t\" (\n   \"id\" integer PRIMARY KEY AUTOINCREMENT,\n"
              "   \"a\" varchar(20) NOT NULL DEFAULT 'x''y' collate nocase,\n"
              "   \"b\" int UNIQUE on conflict ignore constraint pos check (b > 0 /* really */)\n)");
    CHECK_STR(written(a, "CREATE TABLE \"a b\" (x, y DEFAULT (1+1), z AS (x || y) STORED, PRIMARY KEY (x, y DESC), "
                         "UNIQUE (x), CONSTRAINT k CHECK (x <> y) FOREIGN KEY (x, y) REFERENCES o(p, q)) STRICT, "
                         "WITHOUT ROWID"),
              "CREATE TABLE \"a b\" (\n   \"x\" UNIQUE,\n   \"y\" DEFAULT (1+1),\n   \"z\" AS (x || y) STORED,\n"
              "   PRIMARY KEY (\"x\", \"y\" DESC),\n   CONSTRAINT k CHECK (x <> y),\n"
              "   FOREIGN KEY (x, y) REFERENCES o(p, q)\n) STRICT, WITHOUT ROWID");
    CHECK_STR(written(a, "CREATE TABLE t (a REFERENCES o(k) on delete set null DEFERRABLE INITIALLY DEFERRED NOT NULL, "
                         "b NOT DEFERRABLE, FOREIGN KEY (b) REFERENCES p)"),
              "CREATE TABLE \"t\" (\n   \"a\" NOT NULL REFERENCES \"o\"(\"k\") ON DELETE SET NULL DEFERRABLE INITIALLY "
              "DEFERRED,\n   \"b\" REFERENCES \"p\" NOT DEFERRABLE\n)");
    arena_free(a);
}

TEST(table_def_keeps_comments)
{
    struct arena *a = arena_new(0);
    static const char want[] =
        "CREATE TABLE \"t\" (\n   -- above a\n   \"a\" int, -- of a\n   /* above b */\n   \"b\" int "
        "UNIQUE /* of b */\n   -- at the end\n)";
    CHECK_STR(
        written(a, "CREATE TABLE t ( -- above a\n a int, -- of a\n /* above b */ b int /* of b */ unique\n -- at the "
                   "end\n)"),
        want);
    CHECK_STR(written(a, want), want);
    arena_free(a);
}

TEST(table_def_changes)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct table_def d =
        parsed(a, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b TEXT REFERENCES o(x), "
                  "c, UNIQUE (a, c), FOREIGN KEY (b) REFERENCES p(y))");
    struct table_def copy = table_def_copy(a, &d);
    table_def_set_type(a, table_def_find(&copy, STR("A")), STR("INTEGER"));
    CHECK(!table_def_find(&d, STR("a"))->fill.n && table_def_differs(a, &d, &copy));
    table_def_drop_fk(&copy, table_def_find(&copy, STR("b")));
    CHECK_INT(copy.constraints.count, 1);
    CHECK_INT(table_def_drop_column(a, &copy, STR("c"), &err), STATUS_CONFLICT);
    CHECK(strstr(err.text, "UNIQUE (a, c)"));
    CHECK_INT(table_def_drop_column(a, &copy, STR("id"), &err), STATUS_OK);
    CHECK(!copy.pks.count && !copy.autoincrement && d.pks.count == 1);
    table_def_set_key(a, &copy, (const str[]){STR("b"), STR("c")}, 2);
    table_def_reorder(a, &copy, (const str[]){STR("c"), STR("none")}, 2);
    CHECK_STR(table_def_sql(a, &copy), "CREATE TABLE \"t\" (\n   \"c\",\n   \"a\" INTEGER,\n   \"b\" TEXT,\n"
                                       "   PRIMARY KEY (\"b\", \"c\"),\n   UNIQUE (a, c)\n)");
    d = parsed(a, "CREATE TABLE t (a INTEGER PRIMARY KEY DESC)");
    CHECK(!table_def_rowid_column(&d));
    d = parsed(a, "CREATE TABLE t (a INTEGER, PRIMARY KEY (a))");
    CHECK(table_def_rowid_column(&d));
    arena_free(a);
}

TEST(table_def_refuses)
{
    struct arena *a = arena_new(0);
    static const char *const wrong[] = {"",
                                        "CREATE",
                                        "CREATE TABLE",
                                        "CREATE TABLE t",
                                        "CREATE TABLE t (",
                                        "CREATE TABLE t ()",
                                        "CREATE TABLE t (a NOT",
                                        "CREATE TABLE t (a CHECK (b)",
                                        "CREATE TABLE t (a) FOO",
                                        "CREATE TABLE t (a, UNIQUE",
                                        "CREATE TABLE t (a, FOREIGN KEY (a))",
                                        "CREATE TABLE t (a PRIMARY)",
                                        "CREATE TABLE t (a GENERATED AS (1))",
                                        "CREATE TABLE t (a REFERENCES x ON DELETE",
                                        "CREATE TABLE t (a CONSTRAINT"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct table_def d;
        struct err err = ERR_INIT;
        if (table_def_parse(a, str_of(wrong[i]), &d, &err) == STATUS_OK || !strstr(err.text, "cannot be read near"))
            test_fail(__FILE__, __LINE__, "%s was taken: %s", wrong[i], err.text);
    }
    arena_free(a);
}

TEST(table_def_has_no_more_columns_than_sqlite)
{
    for (int n = LIMIT_SQL_COLUMNS - 1; n <= LIMIT_SQL_COLUMNS; n++) {
        struct arena *a = arena_new(0);
        struct table_def d = {.name = STR("")};
        struct err err = ERR_INIT;
        struct buf sql;
        buf_init(&sql, 1 << 20);
        buf_puts(&sql, STR("CREATE TABLE t (c"));
        for (int i = 1; i < n; i++)
            buf_printf(&sql, ",c%d", i);
        buf_putc(&sql, ')');
        CHECK_INT(table_def_parse(a, buf_str(&sql), &d, &err), n < LIMIT_SQL_COLUMNS ? STATUS_OK : STATUS_TOO_LARGE);
        CHECK(n < LIMIT_SQL_COLUMNS || (strstr(err.text, "too many columns") && err.hint[0]));
        buf_release(&sql);
        arena_free(a);
    }
}

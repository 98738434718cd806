/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "site/query/sql.h"
#include "support.h"

#define PRAGMAS                                                                                                        \
    "Statement contained a disallowed PRAGMA. Allowed pragma functions are pragma_database_list(), "                   \
    "pragma_foreign_key_list(), pragma_function_list(), pragma_index_info(), pragma_index_list(), "                    \
    "pragma_index_xinfo(), pragma_page_count(), pragma_max_page_count(), pragma_page_size(), "                         \
    "pragma_schema_version(), pragma_table_info(), pragma_table_xinfo(), pragma_table_list()"

TEST(query_sql_only_selects)
{
    static const struct {
        const char *sql, *refusal; /* NULL = fine */
    } table[] = {
        {"select 1", NULL},
        {"  SELECT 1 ;", NULL},
        {"select(1)", NULL},
        {"with x as (select 1) select * from x", NULL},
        {"explain select 1", NULL},
        {"EXPLAIN  QUERY\nPLAN select 1", NULL},
        {"explain query plan with x as (select 1) select 1", NULL},
        {"explain with x as (select 1) select 1", NULL},
        {"-- a\n  -- b\nselect 1", NULL},
        {"/* a */ /* b\n */select 1", NULL},
        {"/**/select 1", NULL},
        {"select * from pragma_table_info('t')", NULL},
        {"select * from pragma_index_xinfo('t')", NULL},
        {"select 1 -- pragma\n", PRAGMAS},
        {"select 1\n-- pragma", NULL},
        {"select * from pragma_cache_size", PRAGMAS},
        {"select 'pragma'", PRAGMAS},
        {"select 1 from pragma_table_info('t'), PRAGMA_user_version()", PRAGMAS},
        {"", "Statement must be a SELECT"},
        {"-- only a comment", "Statement must be a SELECT"},
        {"/* open select 1", "Statement must be a SELECT"},
        {"values (1)", "Statement must be a SELECT"},
        {"selects 1", "Statement must be a SELECT"},
        {"select\303\251 1", "Statement must be a SELECT"},
        {"explain query select 1", "Statement must be a SELECT"},
        {"explainselect 1", "Statement must be a SELECT"},
        {"insert into t values (1)", "Statement must be a SELECT"},
        {"pragma table_info(t)", "Statement must be a SELECT"},
        {"/* select */ delete from t", "Statement must be a SELECT"},
        {"(select 1)", "Statement must be a SELECT"},
    };
    struct arena *a = arena_new(1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct err err = ERR_INIT;
        enum status st = query_sql_validate(a, str_of(table[i].sql), &err);
        if (st != (table[i].refusal ? STATUS_INVALID : STATUS_OK))
            test_fail(__FILE__, __LINE__, "%s: %s", table[i].sql, st == STATUS_OK ? "passed" : err.text);
        if (table[i].refusal)
            CHECK_STR(str_of(err.text), table[i].refusal);
    }
    arena_free(a);
}

TEST(query_sql_parameter_names)
{
    static const struct {
        const char *sql, *names;
    } table[] = {
        {"select :a, :b, :a", "a b"},
        {"select ':x', \":y\", [:z], `:w`, :q", "q"},
        {"select 'it''s :x' || :y", "y"},
        {"select 1 -- :x\n, :y /* :z */ /* :w", "y"},
        {"select '--' || :a || '/*' || :b", "a b"},
        {"select :_header_x, :caf\303\251, : a, :1", "_header_x caf\303\251 1"},
        {"select 'open :x", "x"},
        {"select \"a\"\":x\" || :y", "y"},
        {"", ""},
    };
    struct arena *a = arena_new(1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const str *names;
        size_t count;
        query_sql_parameters(a, str_of(table[i].sql), &names, &count);
        CHECK_STR(query_join(a, names, count, STR(" ")), table[i].names);
    }
    arena_free(a);
}

TEST(query_sql_has_so_many_parameters)
{
    struct arena *a = arena_new(1 << 24);
    struct buf sql;
    const str *names;
    size_t count;
    buf_init(&sql, 1 << 20);
    for (int i = 0; i < LIMIT_QUERY_PARAMETERS + 2; i++)
        buf_printf(&sql, ", :p%d", i);
    query_sql_parameters(a, buf_str(&sql), &names, &count);
    CHECK_INT(count, LIMIT_QUERY_PARAMETERS);
    CHECK_STR(names[count - 1], "p4095");
    buf_release(&sql);
    arena_free(a);
}

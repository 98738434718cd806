/* SPDX-License-Identifier: Apache-2.0 */
/* What a statement would do, told before it runs. */
#include "db/analyze.h"

#include "base/arena.h"
#include "base/buf.h"
#include "support.h"

static const char schema[] = "create table t(id integer primary key, a text); create table log(x);"
                             "create view v as select a from t;"
                             "create trigger tr after delete on t begin insert into log values (old.a); end;"
                             "create index i on t(a); create virtual table f using fts5(b);";

/* "insert t, read log by tr" without what is internal. */
static str told(struct arena *a, struct conn *c, const char *sql)
{
    struct sql_analysis an;
    struct err err = ERR_INIT;
    str out = STR("");
    if (sql_analyze(c, a, str_of(sql), &an, &err) != STATUS_OK)
        return arena_printf(a, "error: %s", err.text);
    for (size_t i = 0; i < an.count; i++) {
        const struct sql_operation *o = &an.items[i];
        if (o->internal || o->verb == SQL_SELECT || o->verb == SQL_FUNCTION)
            continue;
        out = ARENA_CAT(a, out, out.n ? STR(", ") : STR(""), str_of(sql_verb_names[o->verb]), STR(" "), o->table,
                        o->source.p ? STR(" by ") : STR(""), o->source);
    }
    return out;
}

TEST(analyze_statements)
{
    static const char *const rows[][2] = {
        {"insert into t (a) values (:x)", "insert t"},
        {"insert into t select * from t where a = 1", "insert t, read t"},
        {"update t set a = upper(a)", "read t, update t"},
        {"delete from t where id = 1", "delete t, read t, insert log by tr, read t by tr"},
        {"select * from v", "read t by v, read v"},
        {"create table n (a)", "create n"},
        {"create index j on t(a)", "create t, read t"},
        {"drop table log", "drop log"},
        {"drop index i", "drop t"},
        {"alter table t rename to u", "alter t"},
        {"vacuum", "vacuum "},
        {"begin", "begin BEGIN"},
        {"pragma user_version", "pragma user_version"},
        {"nonsense", "error: near \"nonsense\": syntax error"},
        {"insert into nope values (1)", "error: no such table: nope"},
        {"select 1; select 2", "error: You can only execute one statement at a time."},
    };
    make_database(temp_path("an.db"), schema);
    struct database *db = open_database(temp_path("an.db"));
    struct conn *c = acquire(db);
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_STR(told(a, c, rows[i][0]), rows[i][1]);
    CHECK_INT(query_i64(c, "select count(*) from sqlite_schema where name = 'n'"), 0); /* nothing ran */
    struct err err = ERR_INIT;
    CHECK_INT(try_sql(c, "delete from t", &err), STATUS_SQL); /* the fence stands again */
    arena_free(a);
    conn_release(c);
    database_unref(db);
}

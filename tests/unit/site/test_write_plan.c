/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the write API -> plans: pure parts of src/site/write. */
#include "base/arena.h"
#include "site/write/alter.h"
#include "site/write/create.h"
#include "site/write/insert.h"
#include "site/write/write.h"
#include "test.h"

static struct value json(struct arena *a, const char *text)
{
    struct value v;
    struct err err = ERR_INIT;
    CHECK(write_json(a, str_of(text), &v, &err) == STATUS_OK);
    return v;
}

static str json_error(struct arena *a, const char *text)
{
    struct value v;
    struct err err = ERR_INIT;
    CHECK(write_json(a, str_of(text), &v, &err) == STATUS_INVALID);
    return arena_str(a, str_of(err.text));
}

TEST(write_json_keeps_integers)
{
    struct arena *a = arena_new(0);
    CHECK(VALUE_GET(json(a, "{\"a\": 9223372036854775807}"), "a").i == INT64_MAX);
    CHECK(VALUE_GET(json(a, "{\"a\": 1e30}"), "a").f == 1e30);
    CHECK(VALUE_GET(json(a, "{\"a\": \"99999999999999999999\"}"), "a").kind == VALUE_STR);
    CHECK_STR(json_error(a, "{\"a\":\n 9223372036854775808}"),
              "Invalid JSON: line 2 column 2: the integer does not fit into 64 bits");
    CHECK(str_starts(json_error(a, "{\"a\": 1,}"), STR("Invalid JSON: line 1")));
    arena_free(a);
}

TEST(write_insert_sql)
{
    struct arena *a = arena_new(0);
    const str columns[] = {STR("id"), STR("a\"b")}, pks[] = {STR("id")};
    const struct insert_table t = {STR("t"), columns, 2, pks, 1, true};
    struct insert_plan p;
    struct value errors;
    struct err err = ERR_INIT;
    CHECK(insert_plan_read(a, json(a, "{\"rows\": [{\"id\": 1, \"a\\\"b\": 2}, {}]}"), &t, false, 100, &p, &errors,
                           &err) == STATUS_OK);
    CHECK_STR(insert_sql(a, &p, value_at(p.rows, 0)), "insert into \"t\" (\"id\", \"a\"\"b\") values (?, ?)");
    CHECK_STR(insert_sql(a, &p, value_at(p.rows, 1)), "insert into \"t\" default values");
    CHECK_STR(insert_update_sql(a, &p, value_at(p.rows, 0)), "update \"t\" set \"a\"\"b\" = ? where \"id\" = ?");
    CHECK(!p.give_rows);
    CHECK(insert_plan_read(a, json(a, "{\"rows\": [{\"x\": 1}, {\"id\": null, \"y\": 2, \"x\": 3}]}"), &t, true, 100,
                           &p, &errors, &err) == STATUS_INVALID);
    CHECK_INT(value_count(errors), 4);
    CHECK_STR(value_at(errors, 0).s, "Row 0 is missing primary key column(s): \"id\"");
    CHECK_STR(value_at(errors, 3).s, "Row 1 has invalid columns: x, y");
    CHECK(insert_plan_read(a, json(a, "{\"rows\": [{}, {}]}"), &t, false, 1, &p, &errors, &err) == STATUS_INVALID);
    arena_free(a);
}

TEST(write_table_as_data)
{
    struct arena *a = arena_new(0);
    struct create_plan p = {.table = {0}};
    struct err err = ERR_INIT;
    CHECK(create_plan_read(
              a,
              json(a, "{\"table\": \"t\", \"pk\": \"id\", \"columns\": [{\"name\": \"id\", \"type\": \"integer\"},"
                      "{\"name\": \"n\", \"not_null\": true, \"default\": \"it's\"}, {\"name\": \"x\", \"type\":"
                      "\"float\", \"default\": 1.5}]}"),
              &p, &err) == STATUS_OK);
    CHECK_STR(table_def_sql(a, &p.def), "CREATE TABLE \"t\" (\n   \"id\" INTEGER PRIMARY KEY,\n   \"n\" TEXT NOT NULL "
                                        "DEFAULT 'it''s',\n   \"x\" REAL DEFAULT 1.5\n)");
    arena_free(a);
}

TEST(write_alter_on_data)
{
    struct arena *a = arena_new(0);
    struct alter_plan p;
    struct table_def d = {.name = STR("t")};
    struct err err = ERR_INIT;
    const char *const names[] = {"id", "a", "b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        VEC_PUSH(a, &d.columns, (struct def_column){.name = str_of(names[i]), .type = STR("TEXT")});
    VEC_PUSH(a, &d.pks, STR("id"));
    CHECK(alter_plan_read(
              a,
              json(a, "{\"operations\": [{\"op\": \"rename_column\", \"args\": {\"name\": \"a\", \"to\": \"c\"}},"
                      "{\"op\": \"alter_column\", \"args\": {\"name\": \"a\", \"type\": \"integer\"}},"
                      "{\"op\": \"reorder_columns\", \"args\": {\"columns\": [\"b\", \"c\"]}},"
                      "{\"op\": \"set_primary_key\", \"args\": {\"columns\": [\"id\", \"c\"]}},"
                      "{\"op\": \"drop_column\", \"args\": {\"name\": \"id\"}}]}"),
              &p, &err) == STATUS_OK);
    CHECK(alter_apply(a, &p, &d, &err) == STATUS_OK);
    CHECK_STR(table_def_sql(a, &d), "CREATE TABLE \"t\" (\n   \"b\" TEXT,\n   \"a\" INTEGER PRIMARY KEY\n)");
    CHECK_STR(table_def_find_any(&d, STR("C"))->fill, "nullif(\"a\", '')");
    CHECK_STR(table_def_find(&d, STR("a"))->becomes, "c");
    CHECK(alter_plan_read(a, json(a, "{\"operations\": [{\"op\": \"drop_column\", \"args\": {\"name\": \"nope\"}}]}"),
                          &p, &err) == STATUS_OK);
    CHECK(alter_apply(a, &p, &d, &err) == STATUS_OK);
    arena_free(a);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as bodies of the write API: /-/insert, /-/upsert, /-/create, /-/alter, up to the SQL that would run. What
 * is accepted must make SQL that holds no NUL and names only quoted identifiers; a table as data must print the same
 * twice. */
#include <stdlib.h>

#include "base/arena.h"
#include "site/write/alter.h"
#include "site/write/create.h"
#include "site/write/insert.h"
#include "site/write/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(x)                                                                                                        \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            abort();                                                                                                   \
    } while (0)

static void try_insert(struct arena *a, struct value body, bool upsert)
{
    static const str columns[] = {{"id", 2}, {"title", 5}, {"a\"b", 3}}, pks[] = {{"id", 2}};
    const struct insert_table tables[] = {{STR("t"), columns, 3, pks, 1, true}, {STR("r"), columns, 3, NULL, 0, true}};
    for (size_t i = 0; i < 2; i++) {
        struct insert_plan p;
        struct value errors;
        struct err err = ERR_INIT;
        enum status st = insert_plan_read(a, body, &tables[i], upsert, 100, &p, &errors, &err);
        MUST(st == STATUS_OK || err.text[0]);
        for (size_t k = 0; st == STATUS_OK && k < value_count(p.rows); k++) {
            struct value row = value_at(p.rows, k);
            str sql = insert_sql(a, &p, row);
            MUST(row.kind == VALUE_DICT && sql.n > 12);
            if (upsert)
                (void)insert_update_sql(a, &p, row);
            for (size_t c = 0; c < value_count(row); c++)
                (void)write_db_value(a, row.dict->entries[c].value);
        }
    }
}

static void try_create(struct arena *a, struct value body)
{
    struct create_plan p = {.table = {0}};
    struct err err = ERR_INIT;
    enum status st = create_plan_read(a, body, &p, &err);
    MUST(st == STATUS_OK || err.text[0]);
    if (st == STATUS_OK)
        MUST(p.table.n && table_def_sql(a, &p.def).n > 12);
}

static void try_alter(struct arena *a, struct value body)
{
    struct alter_plan p;
    struct err err = ERR_INIT;
    enum status st = alter_plan_read(a, body, &p, &err);
    MUST(st == STATUS_OK || err.text[0]);
    if (st != STATUS_OK)
        return;
    struct table_def d = {.name = STR("t")};
    VEC_PUSH(a, &d.columns, (struct def_column){.name = STR("id"), .type = STR("INTEGER")});
    VEC_PUSH(a, &d.columns, (struct def_column){.name = STR("title"), .type = STR("TEXT")});
    VEC_PUSH(a, &d.pks, STR("id"));
    for (size_t i = 0; i < p.steps.count; i++)
        if (p.steps.items[i].op == ALTER_ADD_COLUMN)
            MUST(alter_add_column_sql(a, STR("t"), &p.steps.items[i]).n);
    if (alter_apply(a, &p, &d, &err) == STATUS_OK)
        MUST(str_eq(table_def_sql(a, &d), table_def_sql(a, &d)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct value body;
    str text = str_make((const char *)data, size);
    if (write_json(a, text, &body, &err) == STATUS_OK && body.kind == VALUE_DICT) {
        try_insert(a, body, false);
        try_insert(a, body, true);
        try_create(a, body);
        try_alter(a, body);
    }
    arena_free(a);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a CREATE TABLE. What SQLite takes and we can read must be written so that SQLite takes it again, with
 * the same columns, and so that reading and writing it once more changes nothing. */
#include <sqlite3.h>
#include <stdlib.h>

#include "migrate/table_def.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool yes)
{
    if (!yes)
        abort();
}

/* Name, type, NOT NULL, key, hidden of each column; NULL when there is no such table "t". */
static str columns_of(struct arena *a, str sql, int *ret_code)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    str all = STR("");
    must(sqlite3_open(":memory:", &db) == SQLITE_OK);
    *ret_code = sqlite3_exec(db, arena_cstr(a, sql), NULL, NULL, NULL);
    must(sqlite3_prepare_v2(db,
                            "SELECT name || '|' || type || \"notnull\" || pk || hidden FROM pragma_table_xinfo('t')",
                            -1, &s, NULL) == SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW)
        all = ARENA_CAT(a, all, str_of((const char *)sqlite3_column_text(s, 0)), STR("\n"));
    sqlite3_finalize(s);
    sqlite3_close(db);
    return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(0);
    struct table_def d, again;
    struct err err = ERR_INIT;
    str sql = str_make((const char *)data, size);
    int code, code_again;
    enum status st = table_def_parse(a, sql, &d, &err);
    must(st == STATUS_OK || err.text[0]);
    if (st == STATUS_OK && str_find_char(sql, '\0') == STR_NPOS && str_eq(d.name, STR("t"))) {
        str before = columns_of(a, sql, &code), written = table_def_sql(a, &d);
        if (code == SQLITE_OK && before.n) {
            str after = columns_of(a, written, &code_again);
            must(code_again == SQLITE_OK && str_eq(before, after));
            must(table_def_parse(a, written, &again, &err) == STATUS_OK);
            must(str_eq(table_def_sql(a, &again), written));
        }
    }
    arena_free(a);
    return 0;
}

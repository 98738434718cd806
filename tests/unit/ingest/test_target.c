/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/target.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "db/stmt.h"
#include "test.h"

TEST(names_of_tables_run_out)
{
    struct arena *a = arena_new(0);
    struct conn *c;
    struct buf sql;
    struct err err = ERR_INIT;
    char path[] = "/tmp/vitrine-target-XXXXXX";
    str name = {0};
    close(mkstemp(path));
    CHECK_INT(target_open(str_of(path), true, &c, &err), STATUS_OK);
    CHECK_INT(conn_execute(c, STR("BEGIN"), &err), STATUS_OK);
    for (int i = 1; i < LIMIT_INGEST_TABLE_NAMES; i++) {
        str one = i == 1 ? STR("t") : arena_printf(a, "t_%d", i);
        if (i == LIMIT_INGEST_TABLE_NAMES - 1) { /* the last one that is tried */
            CHECK_INT(target_free_name(a, c, STR("t"), &name, &err), STATUS_OK);
            CHECK(str_eq(name, one));
        }
        buf_init(&sql, 1000);
        buf_printf(&sql, "CREATE TABLE %.*s (a)", STR_ARG(one));
        CHECK_INT(conn_execute(c, buf_str(&sql), &err), STATUS_OK);
        buf_release(&sql);
    }
    CHECK_INT(target_free_name(a, c, STR("t"), &name, &err), STATUS_CONFLICT);
    CHECK(strstr(err.text, "too many tables") && err.hint[0]);
    conn_close(c);
    unlink(path);
    arena_free(a);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/target.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "db/stmt.h"

#include "base/banned.h"

#define BUSY_MS 30000 /* another process may be writing; an import is worth the wait */

enum status target_open(str path, bool thrown_away, struct conn **ret, struct err *err)
{
    struct database *db;
    struct conn *c = NULL;
    const struct database_options o = {
        .name = path, .path = path, .create = true, .cache_size_kb = LIMIT_INGEST_CACHE_KB, .busy_timeout_ms = BUSY_MS};
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = database_check(db, err);
    if (st == STATUS_OK)
        st = conn_open_private(db, CONN_WRITE, &c, err);
    database_unref(db); /* the connection holds it */
    if (st == STATUS_OK && thrown_away)
        st = conn_execute(c, STR("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF"), err);
    if (st != STATUS_OK) {
        conn_close(c);
        return st;
    }
    *ret = c;
    return STATUS_OK;
}

str target_table_name(struct arena *a, str stem)
{
    char *p = arena_cstr(a, utf8_repair(a, str_trim(stem)));
    for (char *c = p; *c; c++)
        *c = (unsigned char)*c < ' ' ? ' ' : *c;
    str name = utf8_cut(str_of(p), LIMIT_INGEST_NAME);
    if (!name.n)
        return STR("data");
    if (name.n >= 7 && str_eq_nocase(str_sub(name, 0, 7), STR("sqlite_")))
        return ARENA_CAT(a, STR("_"), name);
    return name;
}

static enum status is_taken(struct conn *c, str name, bool *ret, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(
        c, STR("SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN ('table', 'view')"), &s,
        err);
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, name, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    *ret = st == STATUS_AGAIN;
    return st == STATUS_AGAIN ? STATUS_OK : st;
}

enum status target_free_name(struct arena *a, struct conn *c, str name, str *ret, struct err *err)
{
    str try = name;
    for (int i = 2; i <= LIMIT_INGEST_TABLE_NAMES; i++) {
        bool taken;
        enum status st = is_taken(c, try, &taken, err);
        if (st != STATUS_OK)
            return st;
        if (!taken) {
            *ret = try;
            return STATUS_OK;
        }
        try = arena_printf(a, "%.*s_%d", STR_ARG(name), i);
    }
    err_set(err, STATUS_CONFLICT, "there are too many tables \"%.*s\"", STR_ARG(name));
    return err_hint(err, "Give the file another name.");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "db/db_version.h"

#include <sqlite3.h>

#include "db/conn.h"
#include "db/stmt.h"

#include "base/banned.h"

#define SQLITE_LEAST 3051003

enum status db_version_judge(int library, int header, struct err *err)
{
    if (library < SQLITE_LEAST) {
        err_set(
            err, STATUS_CONFIG,
            "the SQLite library is %d.%d.%d, and versions before 3.51.3 may damage WAL databases when one connection "
            "resets the log while another writes",
            library / 1000000, library / 1000 % 1000, library % 1000);
        err_hint(err, "Build with the pinned SQLite of package-lock.json (make setup).");
        return STATUS_CONFIG;
    }
    if (library != header) {
        err_set(err, STATUS_CONFIG, "the SQLite library (%d) is not the version this program was compiled with (%d)",
                library, header);
        err_hint(err, "Build again from a clean tree.");
        return STATUS_CONFIG;
    }
    return STATUS_OK;
}

enum status db_version_check(struct err *err)
{
    return db_version_judge(sqlite3_libversion_number(), SQLITE_VERSION_NUMBER, err);
}

/* Text of the first row, or .p NULL. Errors are an answer here: the thing is missing. */
static str ask(struct conn *c, struct arena *a, const char *sql)
{
    struct stmt *s;
    str answer = {NULL, 0};
    if (conn_prepare_trusted(c, str_of(sql), &s, NULL) != STATUS_OK)
        return answer;
    if (stmt_step(s, NULL) == STATUS_AGAIN && stmt_column_kind(s, 0) != DB_NULL)
        answer = arena_str(a, stmt_column_text(s, 0));
    stmt_done(s);
    return answer;
}

static void ask_fts(struct conn *c, struct arena *a, struct db_versions *v)
{
    static const char *const names[] = {"FTS5", "FTS4", "FTS3"};
    VEC(str) found = {0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        str sql = arena_printf(a, "SELECT 1 FROM pragma_module_list WHERE name = lower('%s')", names[i]);
        if (ask(c, a, sql.p).p)
            VEC_PUSH(a, &found, str_of(names[i]));
    }
    v->fts_versions = found.items;
    v->fts_version_count = found.count;
}

static enum status ask_options(struct conn *c, struct arena *a, struct db_versions *v, struct err *err)
{
    VEC(str) options = {0};
    struct stmt *s;
    enum status st = conn_prepare_trusted(c, STR("SELECT compile_options FROM pragma_compile_options"), &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN)
        VEC_PUSH(a, &options, arena_str(a, stmt_column_text(s, 0)));
    stmt_done(s);
    v->compile_options = options.items;
    v->compile_option_count = options.count;
    return st;
}

static void ask_extensions(struct conn *c, struct arena *a, struct db_versions *v)
{
    static const struct {
        const char *name, *sql;
        bool has_version;
    } known[] = {
        {"json1", "SELECT json('{}')", false},
        {"spatialite", "SELECT spatialite_version()", true},
    };
    VEC(struct db_extension) found = {0};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        str answer = ask(c, a, known[i].sql);
        if (answer.p)
            VEC_PUSH(a, &found,
                     (struct db_extension){str_of(known[i].name), known[i].has_version ? answer : (str){NULL, 0}});
    }
    v->extensions = found.items;
    v->extension_count = found.count;
}

const char *db_version_text(void)
{
    return sqlite3_libversion();
}

enum status db_versions(struct arena *a, const str *load_extensions, size_t load_extension_count,
                        struct db_versions *ret, struct err *err)
{
    struct database_options o = {.name = STR("versions"),
                                 .memory = true,
                                 .load_extensions = load_extensions,
                                 .load_extension_count = load_extension_count};
    struct db_versions v = {.version = str_of(sqlite3_libversion())};
    struct database *db;
    struct conn *c;
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = conn_open_private(db, CONN_READ, &c, err);
    if (st == STATUS_OK) {
        ask_fts(c, a, &v);
        st = ask_options(c, a, &v, err);
        ask_extensions(c, a, &v);
        conn_close(c);
    }
    database_unref(db);
    if (st == STATUS_OK)
        *ret = v;
    return st;
}

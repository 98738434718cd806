/* SPDX-License-Identifier: Apache-2.0 */
#include "site/count_file.h"

#include <sys/stat.h>

#include "base/limits.h"
#include "db/stmt.h"
#include "site/internal.h"

/* The signature, and what it leaves out for files that nobody writes: they may be others after a restart. */
struct identity {
    struct db_signature signature;
    int64_t size_bytes, mtime_s, mtime_ns;
};

struct put {
    str file, table;
    struct identity identity;
    int64_t count;
};

static bool identify(const struct published *db, const struct db_signature *s, struct identity *ret)
{
    struct stat st;
    *ret = (struct identity){.signature = *s};
    if (db->is_memory || stat(db->path.p, &st) != 0)
        return false;
    ret->size_bytes = st.st_size;
    ret->mtime_s = st.st_mtim.tv_sec;
    ret->mtime_ns = st.st_mtim.tv_nsec;
    return true;
}

static enum status run(struct conn *c, const char *sql, const struct put *p, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare(c, str_of(sql), &s, err);
    if (st != STATUS_OK)
        return st;
    const struct db_value values[] = {{.kind = DB_TEXT, .s = p->file},
                                      {.kind = DB_TEXT, .s = p->table},
                                      {.kind = DB_BLOB, .s = {(const char *)&p->identity, sizeof p->identity}},
                                      {.kind = DB_INT, .i = p->count}};
    int count = MIN((int)ARRAY_LEN(values), stmt_parameter_count(s));
    for (int i = 0; st == STATUS_OK && i < count; i++)
        st = stmt_bind(s, i + 1, values[i], err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    return st;
}

static enum status put(struct conn *c, void *arg, struct err *err)
{
    _Static_assert(LIMIT_COUNTS_ON_DISK == 20000, "written in a statement below");
    const struct put *p = arg;
    enum status st = run(c, "delete from kept_counts where file = ?1 and table_name = ?2", p, err);
    if (st == STATUS_OK)
        st = run(c, "insert into kept_counts (file, table_name, identity, count) values (?1, ?2, ?3, ?4)", p, err);
    if (st == STATUS_OK)
        st = run(c, "delete from kept_counts where id <= (select max(id) from kept_counts) - 20000", p, err);
    return st;
}

void count_file_put(struct internal *in, const struct published *db, const struct db_signature *made_under, str table,
                    int64_t count)
{
    struct put p = {.file = db->path, .table = table, .count = count};
    if (identify(db, made_under, &p.identity))
        (void)!internal_write(in, put, &p, NULL);
}

void count_file_read(struct internal *in, const struct published *db,
                     void (*fn)(void *arg, str table, const struct db_signature *as_of, int64_t count), void *arg)
{
    struct conn *c;
    struct stmt *s;
    if (db->is_memory || internal_is_memory(in) || internal_read(in, &c, NULL) != STATUS_OK)
        return;
    if (conn_prepare(c, STR("select table_name, identity, count from kept_counts where file = ?1"), &s, NULL) ==
        STATUS_OK) {
        enum status st = stmt_bind_text(s, 1, db->path, NULL);
        while (st == STATUS_OK && stmt_step(s, NULL) == STATUS_AGAIN) {
            static const struct db_signature other;
            struct identity then, now;
            struct db_value bytes = stmt_column_value(s, 1);
            if (bytes.s.n != sizeof then)
                continue;
            memcpy(&then, bytes.s.p, sizeof then);
            bool same = identify(db, &then.signature, &now) && memcmp(&then, &now, sizeof now) == 0;
            fn(arg, stmt_column_text(s, 0), same ? &then.signature : &other, stmt_column_i64(s, 2));
        }
        stmt_done(s);
    }
    conn_release(c);
}

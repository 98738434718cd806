/* SPDX-License-Identifier: Apache-2.0 */
#include "site/schedule/merge.h"

#include "base/limits.h"
#include "codec/names.h"
#include "db/history.h"
#include "db/stmt.h"

#define VIA "import"

struct columns {
    VEC(str) names, types;
};

struct merge {
    struct conn *c;
    struct arena *a;
    const struct merge_options *o;
    struct columns theirs, ours;
    struct merge_result result;
};

static void put_table(struct buf *b, const char *schema, const struct merge *m)
{
    buf_printf(b, "%s.", schema);
    name_quote(b, m->o->table);
}

/* `t."id" = s."id" AND ...` */
static void put_same_row(struct buf *b, const struct merge *m)
{
    for (size_t i = 0; i < m->o->pk_count; i++) {
        buf_puts(b, i ? STR(" AND t.") : STR("t."));
        name_quote(b, m->o->pk[i]);
        buf_puts(b, STR(" = s."));
        name_quote(b, m->o->pk[i]);
    }
}

static void put_not_in(struct buf *b, const struct merge *m, const char *schema, const char *alias)
{
    buf_puts(b, STR("NOT EXISTS (SELECT 1 FROM "));
    put_table(b, schema, m);
    buf_printf(b, " AS %s WHERE ", alias);
    put_same_row(b, m);
    buf_puts(b, STR(")"));
}

static enum status run(struct merge *m, struct buf *sql, int64_t *ret_changes, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = sql->over ? err_set(err, STATUS_TOO_LARGE, "the table has too many columns")
                               : conn_prepare_trusted(m->c, buf_str(sql), &s, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    if (st == STATUS_AGAIN) { /* a number was asked for */
        *ret_changes = stmt_column_i64(s, 0);
        st = STATUS_OK;
    } else if (st == STATUS_OK && ret_changes) {
        *ret_changes = conn_changes(m->c);
    }
    stmt_done(s);
    buf_clear(sql);
    return st;
}

static enum status read_columns(struct merge *m, const char *schema, struct columns *ret, struct err *err)
{
    struct stmt *s = NULL;
    enum status st =
        conn_prepare_trusted(m->c, STR("SELECT name, type FROM pragma_table_xinfo(?1, ?2) WHERE hidden = 0"), &s, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(s, 1, m->o->table, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(s, 2, str_of(schema), err);
    while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        VEC_PUSH(m->a, &ret->names, arena_str(m->a, stmt_column_text(s, 0)));
        VEC_PUSH(m->a, &ret->types, arena_str(m->a, stmt_column_text(s, 1)));
        st = STATUS_OK;
    }
    stmt_done(s);
    return st;
}

/* ---- the table ---- */

static enum status create(struct merge *m, struct buf *sql, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = conn_prepare_trusted(
        m->c, STR("SELECT sql FROM incoming.sqlite_schema WHERE type = 'table' AND name = ?1"), &s, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(s, 1, m->o->table, err);
    if (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        buf_puts(sql, stmt_column_text(s, 0));
        st = STATUS_OK;
    }
    stmt_done(s);
    m->result.created = true;
    return st == STATUS_OK ? run(m, sql, NULL, err) : st;
}

static enum status add_column(struct merge *m, struct buf *sql, str name, str type, struct err *err)
{
    buf_puts(sql, STR("ALTER TABLE "));
    put_table(sql, "main", m);
    buf_puts(sql, STR(" ADD COLUMN "));
    name_quote(sql, name);
    buf_printf(sql, " %.*s", STR_ARG(type));
    return run(m, sql, NULL, err);
}

static enum status prepare_table(struct merge *m, struct buf *sql, struct err *err)
{
    enum status st = read_columns(m, "incoming", &m->theirs, err);
    if (st == STATUS_OK)
        st = read_columns(m, "main", &m->ours, err);
    if (st == STATUS_OK && !m->ours.names.count)
        st = create(m, sql, err);
    bool there = !m->result.created;
    for (size_t i = 0; st == STATUS_OK && i < m->o->pk_count; i++)
        if (!str_in_nocase(m->o->pk[i], m->theirs.names.items, m->theirs.names.count) ||
            (there && !str_in_nocase(m->o->pk[i], m->ours.names.items, m->ours.names.count)))
            st = err_set(err, STATUS_CONFLICT, "there is no column \"%.*s\", which is to tell rows apart",
                         STR_ARG(m->o->pk[i]));
    for (size_t i = 0; st == STATUS_OK && there && i < m->theirs.names.count; i++)
        if (!str_in_nocase(m->theirs.names.items[i], m->ours.names.items, m->ours.names.count))
            st = add_column(m, sql, m->theirs.names.items[i], m->theirs.types.items[i], err);
    if (st == STATUS_OK && m->o->vanished == MERGE_MARK &&
        !str_in_nocase(STR(MERGE_MARK_COLUMN), m->ours.names.items, m->ours.names.count))
        st = add_column(m, sql, STR(MERGE_MARK_COLUMN), STR("TEXT"), err);
    if (st == STATUS_OK && m->o->history)
        return history_enable(m->c, m->a, m->o->table, m->o->who, STR(VIA), NULL, err);
    return st == STATUS_OK ? history_refresh(m->c, m->a, m->o->table, err) : st;
}

/* ---- the rows ---- */

static enum status count(struct merge *m, struct buf *sql, bool gone, const char *schema, int64_t *ret, struct err *err)
{
    buf_puts(sql, STR("SELECT count(*) FROM "));
    put_table(sql, schema, m);
    if (gone) {
        buf_puts(sql, STR(" AS t WHERE "));
        put_not_in(sql, m, "incoming", "s");
    }
    return run(m, sql, ret, err);
}

static enum status check_removed(struct merge *m, struct buf *sql, struct err *err)
{
    int64_t gone = 0, all = 0;
    if (m->o->vanished == MERGE_KEEP)
        return STATUS_OK;
    enum status st = count(m, sql, true, "main", &gone, err);
    if (st == STATUS_OK)
        st = count(m, sql, false, "main", &all, err);
    if (st != STATUS_OK || gone * 100 <= all * m->o->max_removed_percent)
        return st;
    err_set(err, STATUS_CONFLICT, "held back: %lld of %lld rows would go, more than %lld %%", (long long)gone,
            (long long)all, (long long)m->o->max_removed_percent);
    return err_hint(err, "Is the source whole? If this is right, raise max_removed_percent for one run.");
}

static enum status remove_rows(struct merge *m, struct buf *sql, struct err *err)
{
    if (m->o->vanished == MERGE_KEEP)
        return STATUS_OK;
    buf_puts(sql, m->o->vanished == MERGE_DELETE ? STR("DELETE FROM ") : STR("UPDATE "));
    put_table(sql, "main", m);
    buf_puts(sql, STR(" AS t "));
    if (m->o->vanished == MERGE_MARK)
        buf_puts(sql, STR("SET " MERGE_MARK_COLUMN " = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') "));
    buf_puts(sql, STR("WHERE "));
    if (m->o->vanished == MERGE_MARK)
        buf_puts(sql, STR("t." MERGE_MARK_COLUMN " IS NULL AND "));
    put_not_in(sql, m, "incoming", "s");
    return run(m, sql, &m->result.removed, err);
}

static enum status change_rows(struct merge *m, struct buf *sql, struct err *err)
{
    bool mark = m->o->vanished == MERGE_MARK, any = mark;
    size_t others = 0;
    for (size_t i = 0; i < m->theirs.names.count; i++)
        others += !str_in_nocase(m->theirs.names.items[i], m->o->pk, m->o->pk_count);
    buf_puts(sql, STR("UPDATE "));
    put_table(sql, "main", m);
    buf_puts(sql, STR(" AS t SET "));
    if (mark)
        buf_puts(sql, STR(MERGE_MARK_COLUMN " = NULL"));
    for (size_t i = 0; i < m->theirs.names.count; i++) {
        str name = m->theirs.names.items[i];
        if (str_in_nocase(name, m->o->pk, m->o->pk_count))
            continue;
        buf_puts(sql, any ? STR(", ") : STR(""));
        name_quote(sql, name);
        buf_puts(sql, STR(" = s."));
        name_quote(sql, name);
        any = true;
    }
    if (!any) { /* nothing but the key */
        buf_clear(sql);
        return STATUS_OK;
    }
    buf_puts(sql, STR(" FROM "));
    put_table(sql, "incoming", m);
    buf_puts(sql, STR(" AS s WHERE "));
    put_same_row(sql, m);
    buf_puts(sql, mark ? STR(" AND (t." MERGE_MARK_COLUMN " IS NOT NULL") : STR(" AND (0"));
    buf_puts(sql, others ? STR(" OR (") : STR(""));
    for (size_t i = 0, n = 0; i < m->theirs.names.count; i++) {
        str name = m->theirs.names.items[i];
        if (str_in_nocase(name, m->o->pk, m->o->pk_count))
            continue;
        buf_puts(sql, n++ ? STR(", t.") : STR("t."));
        name_quote(sql, name);
    }
    buf_puts(sql, others ? STR(") IS NOT (") : STR(""));
    for (size_t i = 0, n = 0; i < m->theirs.names.count; i++) {
        str name = m->theirs.names.items[i];
        if (str_in_nocase(name, m->o->pk, m->o->pk_count))
            continue;
        buf_puts(sql, n++ ? STR(", s.") : STR("s."));
        name_quote(sql, name);
    }
    buf_puts(sql, others ? STR("))") : STR(")"));
    return run(m, sql, &m->result.changed, err);
}

static enum status add_rows(struct merge *m, struct buf *sql, struct err *err)
{
    struct buf names;
    buf_init(&names, LIMIT_DB_SQL_BYTES);
    for (size_t i = 0; i < m->theirs.names.count; i++) {
        buf_puts(&names, i ? STR(", ") : STR(""));
        name_quote(&names, m->theirs.names.items[i]);
    }
    buf_puts(sql, STR("INSERT INTO "));
    put_table(sql, "main", m);
    buf_printf(sql, " (%.*s) SELECT %.*s FROM ", STR_ARG(buf_str(&names)), STR_ARG(buf_str(&names)));
    put_table(sql, "incoming", m);
    buf_puts(sql, STR(" AS s WHERE "));
    put_not_in(sql, m, "main", "t");
    buf_release(&names);
    return run(m, sql, &m->result.added, err);
}

static enum status merge_rows(struct merge *m, struct err *err)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    enum status st = prepare_table(m, &sql, err);
    if (st == STATUS_OK)
        st = history_author(m->c, m->o->who, STR(VIA), err);
    if (st == STATUS_OK)
        st = count(m, &sql, false, "incoming", &m->result.rows, err);
    if (st == STATUS_OK)
        st = check_removed(m, &sql, err);
    if (st == STATUS_OK)
        st = remove_rows(m, &sql, err);
    if (st == STATUS_OK)
        st = change_rows(m, &sql, err);
    if (st == STATUS_OK)
        st = add_rows(m, &sql, err);
    if (st == STATUS_OK)
        st = history_author(m->c, (str){0}, (str){0}, err);
    buf_release(&sql);
    return st;
}

enum status merge_run(struct conn *c, struct arena *a, const struct merge_options *o, struct merge_result *ret,
                      struct err *err)
{
    struct merge m = {.c = c, .a = a, .o = o};
    enum status st = conn_attach(c, o->file, "incoming", err);
    if (st != STATUS_OK)
        return st;
    st = conn_execute(c, STR("BEGIN IMMEDIATE"), err);
    if (st == STATUS_OK)
        st = merge_rows(&m, err);
    if (st == STATUS_OK)
        st = conn_execute(c, STR("COMMIT"), err);
    conn_deadline(c, 0, NULL);
    if (st == STATUS_OK)
        *ret = m.result;
    else
        (void)!conn_execute(c, STR("ROLLBACK"), NULL); /* fails when SQLite did it already */
    enum status gone = conn_detach(c, "incoming", st == STATUS_OK ? err : NULL);
    return st == STATUS_OK ? gone : st;
}

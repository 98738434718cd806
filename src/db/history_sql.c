/* SPDX-License-Identifier: Apache-2.0 */
/* history_sql — the text of the triggers that keep a history. Pure.
 *
 * Why triggers: they are in the file, so a change by the sqlite3 shell, a cron job or a foreign key's CASCADE is
 * recorded like one of ours. For the same reason they use nothing that a plain SQLite does not have: who writes stands
 * in a table of one row, which our writer fills before a write and empties behind it, in the same transaction; another
 * program finds it empty.
 *
 * Values are kept whole and as they are, before and after: columns without a type (but keys) convert nothing, so an
 * integer, a real, a blob and NULL come back as what they were. A change needs no other row to be understood, so old
 * changes can be deleted at any time.
 *
 * REPLACE is the hard part. INSERT OR REPLACE and UPDATE OR REPLACE delete the rows in their way without running DELETE
 * triggers (unless recursive_triggers is on). So a BEFORE trigger, when there is a row in the way, puts a copy aside
 * (into "_history_T:aside"); the AFTER trigger then sees whether the row is gone:
 *
 *   put aside, still there (INSERT OR IGNORE, ON CONFLICT DO UPDATE)     nothing; the next trigger clears it away
 *   put aside, gone, or the new row has its key                          a "delete" before the "insert" or "update"
 *   recursive_triggers is on                                             the DELETE trigger records it and clears it
 * away
 *
 * Invariants: (1) versions are dense and never used twice (AUTOINCREMENT). (2) Deletes by REPLACE come before the
 * change that made them. (3) `OLD."k" IS s."row.k"`, in this order: the collation of the table's column decides. (4)
 * What is aside at the end of a statement means nothing.
 *
 * Not here: what reads the tables (history_read.c), and ALTER TABLE (history.c). Not covered: UNIQUE indexes on
 * expressions, and REPLACE by an UPDATE of the rowid of a table without a primary key. Tests: tests/unit/db/
 * test_history.c and the property test in tests/site/test_history.py, with a plain SQLite as the writer. */
#include "base/limits.h"
#include "codec/names.h"
#include "db/history.h"

#define NOW "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
#define WHO "(SELECT who FROM " HISTORY_ACTOR "), (SELECT via FROM " HISTORY_ACTOR ")"

/* More columns than this are not compared to see whether an UPDATE changed anything: SQLite has a limit on the depth of
 * expressions (1000). */
#define COMPARED_COLUMNS 100

const char history_shared_sql[] =
    "CREATE TABLE IF NOT EXISTS " HISTORY_ACTOR " (id INTEGER PRIMARY KEY CHECK (id = 1), who TEXT, via TEXT);"
    "INSERT OR IGNORE INTO " HISTORY_ACTOR " (id) VALUES (1);"
    "CREATE TABLE IF NOT EXISTS " HISTORY_COLUMNS " (history TEXT, name TEXT, since INTEGER, until INTEGER)";

static str finish(struct arena *a, struct buf *b)
{
    str text = b->over ? (str){0} : arena_str(a, buf_str(b));
    buf_release(b);
    return text;
}

static void quoted(struct arena *a, struct buf *b, const char *prefix, str name)
{
    name_quote(b, ARENA_CAT(a, str_of(prefix), name));
}

struct text {
    struct arena *a;
    struct buf b;
    const struct history_shape *s;
};

static void begin(struct text *t, struct arena *a, const struct history_shape *s)
{
    *t = (struct text){.a = a, .s = s};
    buf_init(&t->b, LIMIT_DB_SQL_BYTES);
}

static void put(struct text *t, const char *text)
{
    buf_puts(&t->b, str_of(text));
}

/* `, "before.a", "before.b"` */
static void put_columns(struct text *t, const char *prefix)
{
    for (size_t i = 0; i < t->s->column_count; i++) {
        put(t, ", ");
        quoted(t->a, &t->b, prefix, t->s->columns[i].name);
    }
}

/* `, NEW."a", NEW."b"` */
static void put_values(struct text *t, const char *row, const char *prefix)
{
    for (size_t i = 0; i < t->s->column_count; i++) {
        buf_printf(&t->b, ", %s.", row);
        quoted(t->a, &t->b, prefix, t->s->columns[i].name);
    }
}

static void put_keys(struct text *t)
{
    for (size_t i = 0; i < t->s->key_count; i++) {
        put(t, ", ");
        quoted(t->a, &t->b, "row.", t->s->keys[i]);
    }
}

static void put_key_values(struct text *t, const char *row, const char *prefix)
{
    for (size_t i = 0; i < t->s->key_count; i++) {
        buf_printf(&t->b, ", %s.", row);
        quoted(t->a, &t->b, prefix, t->s->keys[i]);
    }
}

/* `(OLD."k" IS s."row.k" AND ...)` */
static void put_same_key(struct text *t, const char *left, const char *is, const char *right, const char *prefix)
{
    put(t, "(");
    for (size_t i = 0; i < t->s->key_count; i++) {
        buf_printf(&t->b, "%s%s.", i ? " AND " : "", left);
        name_quote(&t->b, t->s->keys[i]);
        buf_printf(&t->b, " %s ", is);
        if (right)
            buf_printf(&t->b, "%s.", right);
        quoted(t->a, &t->b, prefix, t->s->keys[i]);
    }
    put(t, ")");
}

static void put_same_unique(struct text *t, const struct history_unique *u)
{
    put(t, "(");
    for (size_t i = 0; i < u->count; i++) {
        put(t, i ? " AND t." : "t.");
        name_quote(&t->b, u->columns[i]);
        put(t, " = NEW.");
        name_quote(&t->b, u->columns[i]);
    }
    put(t, ")");
}

static void put_head(struct text *t, enum history_trigger which, const char *when)
{
    put(t, "CREATE TRIGGER ");
    name_quote(&t->b, history_trigger_name(t->a, t->s->history, which));
    buf_printf(&t->b, " %s ON ", when);
    name_quote(&t->b, t->s->table);
    put(t, " FOR EACH ROW");
}

static void put_history(struct text *t)
{
    name_quote(&t->b, t->s->history);
}

static void put_aside_table(struct text *t)
{
    name_quote(&t->b, ARENA_CAT(t->a, t->s->history, STR(HISTORY_ASIDE)));
}

static void put_clear_aside(struct text *t)
{
    put(t, " DELETE FROM ");
    put_aside_table(t);
    put(t, ";");
}

/* Rows put aside that are gone by now, or gave their key to the new one: deleted by REPLACE. */
static void put_gone(struct text *t, bool update)
{
    put(t, " INSERT INTO ");
    put_history(t);
    put(t, " (at, op, who, via");
    put_keys(t);
    put_columns(t, "before.");
    put(t, ") SELECT " NOW ", 'delete', " WHO);
    put_key_values(t, "s", "row.");
    put_values(t, "s", "before.");
    put(t, " FROM ");
    put_aside_table(t);
    put(t, " AS s WHERE (NOT EXISTS (SELECT 1 FROM ");
    name_quote(&t->b, t->s->table);
    put(t, " AS t WHERE ");
    put_same_key(t, "t", "=", "s", "row.");
    put(t, ") OR ");
    put_same_key(t, "NEW", "IS", "s", "row.");
    put(t, ")");
    if (update) {
        put(t, " AND NOT ");
        put_same_key(t, "OLD", "IS", "s", "row.");
    }
    put(t, ";");
}

static void put_change(struct text *t, const char *op, const char *key, bool before, bool after)
{
    put(t, " INSERT INTO ");
    put_history(t);
    buf_printf(&t->b, " (at, op, who, via%s", before && after ? ", moved" : "");
    put_keys(t);
    if (before)
        put_columns(t, "before.");
    if (after)
        put_columns(t, "after.");
    put(t, ") VALUES (" NOW ", '");
    put(t, op);
    put(t, "', " WHO);
    if (before && after) {
        put(t, ", CASE WHEN NOT ");
        put_same_key(t, "OLD", "IS", "NEW", "");
        put(t, " THEN 1 END");
    }
    put_key_values(t, key, "");
    if (before)
        put_values(t, "OLD", "");
    if (after)
        put_values(t, "NEW", "");
    put(t, ");");
}

static str on_insert(struct text *t)
{
    put_head(t, HISTORY_ON_INSERT, "AFTER INSERT");
    put(t, " BEGIN");
    put_gone(t, false);
    put_clear_aside(t);
    put_change(t, "insert", "NEW", false, true);
    put(t, " END");
    return finish(t->a, &t->b);
}

static str on_update(struct text *t)
{
    put_head(t, HISTORY_ON_UPDATE, "AFTER UPDATE");
    for (size_t i = 0; i < t->s->column_count && t->s->column_count <= COMPARED_COLUMNS; i++) {
        put(t, i ? " OR OLD." : " WHEN OLD.");
        name_quote(&t->b, t->s->columns[i].name);
        put(t, " IS NOT NEW.");
        name_quote(&t->b, t->s->columns[i].name);
        put(t, " COLLATE BINARY OR typeof(OLD.");
        name_quote(&t->b, t->s->columns[i].name);
        put(t, ") <> typeof(NEW.");
        name_quote(&t->b, t->s->columns[i].name);
        put(t, ")");
    }
    put(t, " BEGIN");
    put_gone(t, true);
    put_clear_aside(t);
    put_change(t, "update", "NEW", true, true);
    put(t, " END");
    return finish(t->a, &t->b);
}

static str on_delete(struct text *t)
{
    put_head(t, HISTORY_ON_DELETE, "AFTER DELETE");
    put(t, " BEGIN");
    put_change(t, "delete", "OLD", true, false);
    put(t, " DELETE FROM ");
    put_aside_table(t);
    put(t, " WHERE ");
    put_same_key(t, "OLD", "IS", NULL, "row.");
    put(t, "; END");
    return finish(t->a, &t->b);
}

static void put_aside(struct text *t, size_t slot, const struct history_unique *u, bool update)
{
    put(t, " INSERT INTO ");
    put_aside_table(t);
    put(t, " (slot");
    put_keys(t);
    put_columns(t, "before.");
    buf_printf(&t->b, ") SELECT %zu", slot);
    put_key_values(t, "t", "");
    put_values(t, "t", "");
    put(t, " FROM ");
    name_quote(&t->b, t->s->table);
    put(t, " AS t WHERE ");
    if (u)
        put_same_unique(t, u);
    else
        put_same_key(t, "t", "=", "NEW", "");
    if (update) {
        put(t, " AND NOT ");
        put_same_key(t, "t", "IS", "OLD", "");
    }
    if (u) {
        put(t, " AND NOT EXISTS (SELECT 1 FROM ");
        put_aside_table(t);
        put(t, " AS s WHERE ");
        put_same_key(t, "t", "IS", "s", "row.");
        put(t, ")");
    }
    put(t, ";");
}

static void put_all_aside(struct text *t, bool update)
{
    put(t, " BEGIN");
    put_clear_aside(t);
    put_aside(t, 0, NULL, update);
    for (size_t i = 0; i < t->s->unique_count; i++)
        put_aside(t, i + 1, &t->s->uniques[i], update);
    put(t, " END");
}

static str before_insert(struct text *t)
{
    put_head(t, HISTORY_BEFORE_INSERT, "BEFORE INSERT");
    put(t, " WHEN EXISTS (SELECT 1 FROM ");
    name_quote(&t->b, t->s->table);
    put(t, " AS t WHERE ");
    put_same_key(t, "t", "=", "NEW", "");
    for (size_t i = 0; i < t->s->unique_count; i++) {
        put(t, ") OR EXISTS (SELECT 1 FROM ");
        name_quote(&t->b, t->s->table);
        put(t, " AS t WHERE ");
        put_same_unique(t, &t->s->uniques[i]);
    }
    put(t, ")");
    put_all_aside(t, false);
    return finish(t->a, &t->b);
}

/* Only of columns that can be in the way of other rows, and only when they change. */
static str before_update(struct text *t)
{
    const struct history_shape *s = t->s;
    size_t n = 0;
    for (size_t u = 0; u <= s->unique_count; u++)
        n += u ? s->uniques[u - 1].count : s->by_rowid ? 0 : s->key_count;
    if (!n) {
        buf_release(&t->b);
        return (str){0};
    }
    str *names = ARENA_ARRAY(t->a, str, n);
    n = 0;
    for (size_t u = 0; u <= s->unique_count; u++)
        for (size_t i = 0; i < (u ? s->uniques[u - 1].count : s->by_rowid ? 0 : s->key_count); i++)
            if (!str_in(u ? s->uniques[u - 1].columns[i] : s->keys[i], names, n))
                names[n++] = u ? s->uniques[u - 1].columns[i] : s->keys[i];
    put(t, "CREATE TRIGGER ");
    name_quote(&t->b, history_trigger_name(t->a, s->history, HISTORY_BEFORE_UPDATE));
    put(t, " BEFORE UPDATE OF ");
    for (size_t i = 0; i < n; i++) {
        put(t, i ? ", " : "");
        name_quote(&t->b, names[i]);
    }
    put(t, " ON ");
    name_quote(&t->b, s->table);
    put(t, " FOR EACH ROW WHEN NOT (");
    for (size_t i = 0; i < n; i++) {
        put(t, i ? " AND OLD." : "OLD.");
        name_quote(&t->b, names[i]);
        put(t, " IS NEW.");
        name_quote(&t->b, names[i]);
    }
    put(t, ")");
    put_all_aside(t, true);
    return finish(t->a, &t->b);
}

str history_trigger_name(struct arena *a, str history, enum history_trigger t)
{
    static const char *const names[HISTORY_TRIGGERS] = {":insert", ":update", ":delete", ":before insert",
                                                        ":before update"};
    return ARENA_CAT(a, history, str_of(names[t]));
}

str history_trigger_sql(struct arena *a, const struct history_shape *s, enum history_trigger which)
{
    static str (*const makers[HISTORY_TRIGGERS])(struct text * t) = {on_insert, on_update, on_delete, before_insert,
                                                                     before_update};
    struct text t;
    begin(&t, a, s);
    return makers[which](&t);
}

/* Keys have the column's affinity, which changes no value that was stored there: what an address says is a text, and is
 * compared as the table would. */
str history_table_sql(struct arena *a, const struct history_shape *s)
{
    struct text t;
    begin(&t, a, s);
    put(&t, "CREATE TABLE ");
    put_history(&t);
    put(&t, " (version INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT, op TEXT, who TEXT, via TEXT, moved INTEGER");
    for (size_t i = 0; i < s->key_count; i++) {
        put(&t, ", ");
        quoted(a, &t.b, "row.", s->keys[i]);
        for (size_t k = 0; k < s->column_count; k++)
            if (str_eq_nocase(s->columns[k].name, s->keys[i]))
                buf_printf(&t.b, " %s", s->columns[k].affinity);
    }
    for (int after = 0; after < 2; after++)
        for (size_t i = 0; i < s->column_count; i++) {
            put(&t, ", ");
            quoted(a, &t.b, after ? "after." : "before.", s->columns[i].name);
            if (str_in(s->columns[i].name, s->keys, s->key_count))
                buf_printf(&t.b, " %s", s->columns[i].affinity);
        }
    put(&t, ")");
    return finish(a, &t.b);
}

str history_aside_sql(struct arena *a, const struct history_shape *s)
{
    struct text t;
    begin(&t, a, s);
    put(&t, "DROP TABLE IF EXISTS ");
    put_aside_table(&t);
    put(&t, "; CREATE TABLE ");
    put_aside_table(&t);
    put(&t, " (slot INTEGER PRIMARY KEY");
    put_keys(&t);
    put_columns(&t, "before.");
    put(&t, ")");
    return finish(a, &t.b);
}

str history_index_sql(struct arena *a, const struct history_shape *s)
{
    static const struct {
        const char *name, *prefix, *where;
    } indexes[] = {{":row", "row.", ""}, {":moved", "before.", " WHERE moved"}};
    struct text t;
    begin(&t, a, s);
    for (size_t n = 0; n < ARRAY_LEN(indexes); n++) {
        put(&t, "DROP INDEX IF EXISTS ");
        name_quote(&t.b, ARENA_CAT(a, s->history, str_of(indexes[n].name)));
        put(&t, "; CREATE INDEX ");
        name_quote(&t.b, ARENA_CAT(a, s->history, str_of(indexes[n].name)));
        put(&t, " ON ");
        put_history(&t);
        for (size_t i = 0; i < s->key_count; i++) {
            put(&t, i ? ", " : " (");
            quoted(a, &t.b, indexes[n].prefix, s->keys[i]);
        }
        buf_printf(&t.b, ")%s;", indexes[n].where);
    }
    return finish(a, &t.b);
}

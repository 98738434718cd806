/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/table_def.h"

#include "base/limits.h"
#include "codec/names.h"
#include "db/stmt.h"

#include "base/banned.h"

/* ---- finding ---- */

struct def_column *table_def_find(struct table_def *d, str name)
{
    for (size_t i = 0; i < d->columns.count; i++)
        if (str_eq_nocase(d->columns.items[i].name, name))
            return &d->columns.items[i];
    return NULL;
}

struct def_column *table_def_find_any(struct table_def *d, str name)
{
    struct def_column *c = table_def_find(d, name);
    for (size_t i = 0; !c && i < d->columns.count; i++)
        if (str_eq_nocase(d->columns.items[i].becomes, name))
            c = &d->columns.items[i];
    return c;
}

bool table_def_is_key(const struct table_def *d, str column)
{
    return str_in_nocase(column, d->pks.items, d->pks.count);
}

const struct def_column *table_def_rowid_column(const struct table_def *d)
{
    if (d->without_rowid || d->pks.count != 1 || str_eq_nocase(str_trim(d->pk_order), STR("DESC")))
        return NULL;
    for (size_t i = 0; i < d->columns.count; i++)
        if (str_eq_nocase(d->columns.items[i].name, d->pks.items[0]))
            return str_eq_nocase(d->columns.items[i].type, STR("INTEGER")) ? &d->columns.items[i] : NULL;
    return NULL;
}

/* ---- changing ---- */

struct table_def table_def_copy(struct arena *a, const struct table_def *d)
{
    struct table_def copy = *d;
    copy.columns.items = ARENA_ARRAY(a, struct def_column, d->columns.count + 1);
    copy.columns.cap = d->columns.count + 1;
    copy.pks.items = ARENA_ARRAY(a, str, d->pks.count + 1);
    copy.pks.cap = d->pks.count + 1;
    copy.constraints.items = ARENA_ARRAY(a, struct def_constraint, d->constraints.count + 1);
    copy.constraints.cap = d->constraints.count + 1;
    if (d->columns.count)
        memcpy(copy.columns.items, d->columns.items, d->columns.count * sizeof *d->columns.items);
    if (d->pks.count)
        memcpy(copy.pks.items, d->pks.items, d->pks.count * sizeof *d->pks.items);
    if (d->constraints.count)
        memcpy(copy.constraints.items, d->constraints.items, d->constraints.count * sizeof *d->constraints.items);
    return copy;
}

bool table_def_differs(struct arena *a, const struct table_def *x, const struct table_def *y)
{
    for (size_t i = 0; i < y->columns.count; i++)
        if (y->columns.items[i].fill.n)
            return true;
    return !str_eq(table_def_sql(a, x), table_def_sql(a, y));
}

void table_def_set_key(struct arena *a, struct table_def *d, const str *names, size_t count)
{
    bool same = count == d->pks.count;
    for (size_t i = 0; same && i < count; i++)
        same = str_eq_nocase(names[i], d->pks.items[i]);
    if (same)
        return; /* with all that was said about it */
    d->pks.count = d->pk_words.count = 0;
    d->pk_order = (str){0};
    d->pk_around = (struct def_words){0};
    for (size_t i = 0; i < count; i++)
        VEC_PUSH(a, &d->pks, names[i]);
    d->autoincrement &= table_def_rowid_column(d) != NULL;
}

static bool names_only(const struct def_constraint *k, str column)
{
    return k->columns.count == 1 && str_eq_nocase(k->columns.items[0], column);
}

static void drop_constraint(struct table_def *d, size_t at)
{
    struct def_constraint *k = d->constraints.items + at;
    memmove(k, k + 1, (d->constraints.count - at - 1) * sizeof *k);
    d->constraints.count--;
}

void table_def_drop_fk(struct table_def *d, struct def_column *c)
{
    c->fk_table = c->fk_column = c->fk_actions = (str){0};
    c->words[DEF_FK] = (struct def_words){0};
    for (size_t i = d->constraints.count; i-- > 0;)
        if (d->constraints.items[i].kind == DEF_TABLE_FK && names_only(&d->constraints.items[i], c->name))
            drop_constraint(d, i);
}

enum status table_def_drop_column(struct arena *a, struct table_def *d, str name, struct err *err)
{
    struct def_column *c = table_def_find(d, name);
    for (size_t i = d->constraints.count; i-- > 0;) {
        const struct def_constraint *k = &d->constraints.items[i];
        for (size_t n = 0; n < k->columns.count && k->columns.count > 1; n++)
            if (str_eq_nocase(k->columns.items[n], c->name))
                return err_set(err, STATUS_CONFLICT, "column '%.*s' is part of %.*s", STR_ARG(c->name),
                               STR_ARG(k->sql));
        if (names_only(k, c->name))
            drop_constraint(d, i);
    }
    if (table_def_is_key(d, c->name)) {
        str *left = ARENA_ARRAY(a, str, d->pks.count);
        size_t n = 0;
        for (size_t i = 0; i < d->pks.count; i++)
            if (!str_eq_nocase(d->pks.items[i], c->name))
                left[n++] = d->pks.items[i];
        table_def_set_key(a, d, left, n);
    }
    size_t at = (size_t)(c - d->columns.items);
    memmove(c, c + 1, (d->columns.count - at - 1) * sizeof *c);
    d->columns.count--;
    return STATUS_OK;
}

void table_def_reorder(struct arena *a, struct table_def *d, const str *names, size_t count)
{
    struct def_column *sorted = ARENA_ARRAY(a, struct def_column, d->columns.count + 1);
    bool *taken = ARENA_ARRAY(a, bool, d->columns.count + 1);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct def_column *c = table_def_find_any(d, names[i]);
        if (!c || taken[c - d->columns.items])
            continue;
        taken[c - d->columns.items] = true;
        sorted[n++] = *c;
    }
    for (size_t i = 0; i < d->columns.count; i++)
        if (!taken[i])
            sorted[n++] = d->columns.items[i];
    d->columns.items = sorted;
    d->columns.cap = d->columns.count + 1;
}

static bool is_number(str type)
{
    return str_eq_nocase(type, STR("INTEGER")) || str_eq_nocase(type, STR("REAL")) || str_eq_nocase(type, STR("FLOAT"));
}

void table_def_set_type(struct arena *a, struct def_column *c, str type)
{
    if (!is_number(c->type) && is_number(type) && !c->generated)
        c->fill = ARENA_CAT(a, STR("nullif("), name_quoted(a, c->name), STR(", '')"));
    c->type = type;
}

/* ---- writing ---- */

static void put_names(struct buf *out, const struct table_def *d)
{
    for (size_t i = 0; i < d->pks.count; i++) {
        buf_puts(out, i ? STR(", ") : STR(""));
        name_quote(out, d->pks.items[i]);
        if (i < d->pk_words.count)
            buf_puts(out, d->pk_words.items[i]);
    }
}

static void put_part(struct buf *out, const struct def_words *w, str what)
{
    buf_putc(out, ' ');
    buf_puts(out, w->before);
    buf_puts(out, what);
    buf_puts(out, w->after);
}

static bool key_is_apart(const struct table_def *d)
{
    return d->pks.count > 1 || d->pk_words.count;
}

static void put_column(struct buf *out, const struct table_def *d, const struct def_column *c)
{
    name_quote(out, c->name);
    buf_puts(out, c->type.n ? STR(" ") : STR(""));
    buf_puts(out, c->type);
    if (table_def_is_key(d, c->name) && !key_is_apart(d)) {
        put_part(out, &(struct def_words){.before = d->pk_around.before}, STR("PRIMARY KEY"));
        buf_puts(out, d->pk_order);
        buf_puts(out, d->pk_around.after);
        buf_puts(out, d->autoincrement ? STR(" AUTOINCREMENT") : STR(""));
    }
    if (c->not_null)
        put_part(out, &c->words[DEF_NOT_NULL], STR("NOT NULL"));
    if (c->unique)
        put_part(out, &c->words[DEF_UNIQUE], STR("UNIQUE"));
    if (c->default_sql.p) {
        put_part(out, &c->words[DEF_DEFAULT], STR("DEFAULT "));
        buf_puts(out, c->default_sql);
    }
    if (c->fk_table.n) {
        put_part(out, &c->words[DEF_FK], STR("REFERENCES "));
        name_quote(out, c->fk_table);
        if (c->fk_column.n) {
            buf_putc(out, '(');
            name_quote(out, c->fk_column);
            buf_putc(out, ')');
        }
        buf_puts(out, c->fk_actions);
    }
    buf_puts(out, c->more);
}

static void put_comments_before(struct buf *out, const struct def_comments *c)
{
    for (size_t i = 0; i < c->before.count; i++) {
        buf_puts(out, STR("   "));
        buf_puts(out, c->before.items[i]);
        buf_putc(out, '\n');
    }
}

/* The comma comes before them, so that they are found again where they belong. */
static void put_end(struct buf *out, const struct def_comments *c, bool last)
{
    buf_puts(out, last ? STR("") : STR(","));
    for (size_t i = 0; i < c->after.count; i++) {
        buf_puts(out, i ? STR("\n   ") : STR(" "));
        buf_puts(out, c->after.items[i]);
    }
    buf_putc(out, '\n');
}

str table_def_sql(struct arena *a, const struct table_def *d)
{
    struct buf out;
    static const struct def_comments none = {0};
    size_t left = d->columns.count + d->constraints.count + key_is_apart(d);
    buf_init(&out, LIMIT_DB_SQL_BYTES);
    buf_puts(&out, STR("CREATE TABLE "));
    name_quote(&out, d->name);
    buf_puts(&out, STR(" (\n"));
    for (size_t i = 0; i < d->columns.count; i++) {
        put_comments_before(&out, &d->columns.items[i].comments);
        buf_puts(&out, STR("   "));
        put_column(&out, d, &d->columns.items[i]);
        put_end(&out, &d->columns.items[i].comments, --left == 0);
    }
    if (key_is_apart(d)) {
        buf_puts(&out, STR("   "));
        buf_puts(&out, d->pk_around.before);
        buf_puts(&out, STR("PRIMARY KEY ("));
        put_names(&out, d);
        buf_puts(&out, d->autoincrement ? STR(" AUTOINCREMENT)") : STR(")"));
        buf_puts(&out, d->pk_around.after);
        put_end(&out, &none, --left == 0);
    }
    for (size_t i = 0; i < d->constraints.count; i++) {
        put_comments_before(&out, &d->constraints.items[i].comments);
        buf_puts(&out, STR("   "));
        buf_puts(&out, d->constraints.items[i].sql);
        put_end(&out, &d->constraints.items[i].comments, --left == 0);
    }
    put_comments_before(&out, &d->comments);
    buf_putc(&out, ')');
    buf_puts(&out, d->strict ? STR(" STRICT") : STR(""));
    buf_puts(&out, d->strict && d->without_rowid ? STR(",") : STR(""));
    buf_puts(&out, d->without_rowid ? STR(" WITHOUT ROWID") : STR(""));
    str sql = arena_str(a, buf_str(&out));
    buf_release(&out);
    return sql;
}

/* ---- foreign keys ---- */

enum status table_def_resolve_fk(struct arena *a, struct conn *c, str own_table, struct def_column *column,
                                 struct err *err)
{
    struct stmt *s;
    size_t columns = 0, keys = 0, found = 0;
    str key = {0};
    if (str_eq_nocase(column->fk_table, own_table) && column->fk_column.n)
        return STATUS_OK;
    enum status st = conn_prepare_trusted(c, STR("SELECT name, pk FROM pragma_table_info(?1)"), &s, err);
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, column->fk_table, err);
    if (st == STATUS_OK)
        while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
            columns++;
            found += str_eq_nocase(stmt_column_text(s, 0), column->fk_column);
            if (stmt_column_i64(s, 1)) {
                keys++;
                key = arena_str(a, stmt_column_text(s, 0));
            }
        }
    stmt_done(s);
    if (st != STATUS_OK)
        return st;
    if (!columns)
        return err_set(err, STATUS_INVALID, "No such table: %.*s", STR_ARG(column->fk_table));
    if (!column->fk_column.n && keys != 1)
        return err_set(err, STATUS_INVALID, "Could not detect single primary key for table '%.*s'",
                       STR_ARG(column->fk_table));
    if (column->fk_column.n && !found)
        return err_set(err, STATUS_INVALID, "No such column: %.*s.%.*s", STR_ARG(column->fk_table),
                       STR_ARG(column->fk_column));
    if (!column->fk_column.n)
        column->fk_column = key;
    return STATUS_OK;
}

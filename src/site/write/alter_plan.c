/* SPDX-License-Identifier: Apache-2.0 */
/* alter_plan — the body of /-/alter, and its operations on a table as data. */
#include "site/query/plan.h"
#include "site/write/alter.h"
#include "site/write/def.h"
#include "site/write/write.h"

const char *const alter_op_names[ALTER_OP_COUNT] = {
    [ALTER_ADD_COLUMN] = "add_column",
    [ALTER_RENAME_COLUMN] = "rename_column",
    [ALTER_RENAME_TABLE] = "rename_table",
    [ALTER_ALTER_COLUMN] = "alter_column",
    [ALTER_DROP_COLUMN] = "drop_column",
    [ALTER_SET_PRIMARY_KEY] = "set_primary_key",
    [ALTER_REORDER_COLUMNS] = "reorder_columns",
    [ALTER_ADD_FOREIGN_KEY] = "add_foreign_key",
    [ALTER_DROP_FOREIGN_KEY] = "drop_foreign_key",
    [ALTER_SET_FOREIGN_KEYS] = "set_foreign_keys",
};

/* Which arguments an operation has; those of `needed` must be there. */
static const struct {
    const char *known[6], *needed[3];
} shapes[ALTER_OP_COUNT] = {
    [ALTER_ADD_COLUMN] = {{"name", "type", "not_null", "default", "default_expr"}, {"name"}},
    [ALTER_RENAME_COLUMN] = {{"name", "to"}, {"name", "to"}},
    [ALTER_RENAME_TABLE] = {{"to"}, {"to"}},
    [ALTER_ALTER_COLUMN] = {{"name", "type", "not_null", "default", "default_expr"}, {"name"}},
    [ALTER_DROP_COLUMN] = {{"name"}, {"name"}},
    [ALTER_SET_PRIMARY_KEY] = {{"columns"}, {"columns"}},
    [ALTER_REORDER_COLUMNS] = {{"columns"}, {"columns"}},
    [ALTER_ADD_FOREIGN_KEY] = {{"column", "fk_table", "fk_column"}, {"column"}},
    [ALTER_DROP_FOREIGN_KEY] = {{"column"}, {"column"}},
    [ALTER_SET_FOREIGN_KEYS] = {{"foreign_keys"}, {"foreign_keys"}},
};

struct place {
    struct arena *a;
    str where; /* "operations.0.add_column.args" */
};

static enum status wrong(struct place p, const char *field, const char *why, struct err *err)
{
    return err_set(err, STATUS_INVALID, "%.*s%s%s: %s", STR_ARG(p.where), field ? "." : "", field ? field : "", why);
}

static enum status check_shape(struct place p, enum alter_op op, struct value args, struct err *err)
{
    size_t n = 0;
    while (n < ARRAY_LEN(shapes[op].known) && shapes[op].known[n])
        n++;
    if (args.kind != VALUE_DICT)
        return wrong(p, NULL, "Input should be a valid dictionary", err);
    for (size_t i = 0; i < ARRAY_LEN(shapes[op].needed) && shapes[op].needed[i]; i++)
        if (!value_has(args, str_of(shapes[op].needed[i])))
            return wrong(p, shapes[op].needed[i], "Field required", err);
    str unknown = write_unknown_keys(p.a, args, shapes[op].known, n, STR(", "));
    return unknown.n ? wrong(p, arena_cstr(p.a, unknown), "Extra inputs are not permitted", err) : STATUS_OK;
}

static enum status take_text(struct place p, struct value args, const char *field, str *ret, struct err *err)
{
    struct value v = value_get(args, str_of(field));
    if (v.kind == VALUE_UNDEFINED)
        return STATUS_OK;
    if (!value_is_text(v))
        return wrong(p, field, "Input should be a valid string", err);
    *ret = v.s;
    return STATUS_OK;
}

static enum status take_columns(struct place p, struct value args, struct alter_step *s, struct err *err)
{
    struct value list = VALUE_GET(args, "columns");
    if (list.kind == VALUE_UNDEFINED)
        return STATUS_OK;
    if (list.kind != VALUE_LIST)
        return wrong(p, "columns", "Input should be a valid list", err);
    if (!value_count(list))
        return wrong(p, "columns", "List should have at least 1 item after validation, not 0", err);
    for (size_t i = 0; i < value_count(list); i++) {
        if (!value_is_text(value_at(list, i)))
            return wrong(p, "columns", "Input should be a valid string", err);
        VEC_PUSH(p.a, &s->columns, value_at(list, i).s);
    }
    return STATUS_OK;
}

static enum status take_fk(struct place p, struct value args, struct alter_step *s, struct err *err)
{
    struct alter_fk fk = {0};
    struct value table = VALUE_GET(args, "fk_table"), other = VALUE_GET(args, "fk_column");
    enum status st = take_text(p, args, "column", &fk.column, err);
    if (st == STATUS_OK && !value_is_null(table))
        st = take_text(p, args, "fk_table", &fk.table, err);
    if (st == STATUS_OK && !value_is_null(other))
        st = take_text(p, args, "fk_column", &fk.other, err);
    if (st == STATUS_OK && fk.other.n && !fk.table.n)
        st = wrong(p, NULL, "fk_column requires fk_table", err);
    if (st == STATUS_OK && !fk.table.n)
        st = wrong(p, NULL, "fk_table is required", err);
    if (st == STATUS_OK)
        VEC_PUSH(p.a, &s->fks, fk);
    return st;
}

static enum status take_fks(struct place p, struct value args, struct alter_step *s, struct err *err)
{
    struct value list = VALUE_GET(args, "foreign_keys");
    if (list.kind != VALUE_LIST)
        return wrong(p, "foreign_keys", "Input should be a valid list", err);
    for (size_t i = 0; i < value_count(list); i++) {
        struct place inner = {p.a, ARENA_CAT(p.a, p.where, arena_printf(p.a, ".foreign_keys.%zu", i))};
        enum status st = check_shape(inner, ALTER_ADD_FOREIGN_KEY, value_at(list, i), err);
        if (st == STATUS_OK)
            st = take_fk(inner, value_at(list, i), s, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

static enum status take_default(struct place p, struct value args, struct alter_step *s, struct err *err)
{
    struct value given = VALUE_GET(args, "default"), expression = VALUE_GET(args, "default_expr");
    if (given.kind != VALUE_UNDEFINED && expression.kind != VALUE_UNDEFINED)
        return wrong(p, NULL, "Value error, default and default_expr cannot both be provided", err);
    if (expression.kind == VALUE_NONE)
        return wrong(p, NULL, "Value error, default_expr cannot be null", err);
    s->has_default = given.kind != VALUE_UNDEFINED || expression.kind != VALUE_UNDEFINED;
    if (expression.kind == VALUE_UNDEFINED) {
        s->default_sql = def_default_literal(p.a, given);
        return STATUS_OK;
    }
    s->default_sql = value_is_text(expression) ? def_default_expression(expression.s) : (str){0};
    if (!s->default_sql.p)
        return wrong(p, "default_expr",
                     "Input should be 'current_timestamp', 'current_date', 'current_time', 'current_unixtime' or "
                     "'current_unixtime_ms'",
                     err);
    return STATUS_OK;
}

static enum status take_column(struct place p, struct value args, struct alter_step *s, struct err *err)
{
    struct value type = VALUE_GET(args, "type"), not_null = VALUE_GET(args, "not_null");
    bool optional = s->op == ALTER_ALTER_COLUMN;
    if (type.kind != VALUE_UNDEFINED && !(optional && type.kind == VALUE_NONE)) {
        s->type = value_is_text(type) ? def_type(type.s) : NULL;
        if (!s->type)
            return wrong(p, "type", "Input should be 'text', 'integer', 'float' or 'blob'", err);
    } else if (!optional) {
        s->type = "TEXT";
    }
    if (not_null.kind != VALUE_UNDEFINED && !(optional && not_null.kind == VALUE_NONE)) {
        if (not_null.kind != VALUE_BOOL)
            return wrong(p, "not_null", "Input should be a valid boolean", err);
        s->has_not_null = true;
        s->not_null = not_null.b;
    }
    enum status st = take_default(p, args, s, err);
    bool anything = type.kind != VALUE_UNDEFINED || not_null.kind != VALUE_UNDEFINED || s->has_default;
    if (st == STATUS_OK && optional && !anything)
        return wrong(p, NULL, "Value error, At least one of type, not_null, default or default_expr must be provided",
                     err);
    return st;
}

static enum status read_args(struct place p, struct value args, struct alter_step *s, struct err *err)
{
    enum status st = check_shape(p, s->op, args, err);
    if (st == STATUS_OK)
        st = take_text(p, args, "name", &s->name, err);
    if (st == STATUS_OK)
        st = take_text(p, args, "to", &s->to, err);
    if (st == STATUS_OK)
        st = take_columns(p, args, s, err);
    if (st != STATUS_OK)
        return st;
    switch (s->op) {
    case ALTER_ADD_COLUMN:
    case ALTER_ALTER_COLUMN:
        return take_column(p, args, s, err);
    case ALTER_RENAME_TABLE:
        return def_table_name_is_valid(s->to) ? STATUS_OK : wrong(p, "to", "Invalid table name", err);
    case ALTER_ADD_FOREIGN_KEY:
        return take_fk(p, args, s, err);
    case ALTER_DROP_FOREIGN_KEY:
        return take_text(p, args, "column", &s->name, err);
    case ALTER_SET_FOREIGN_KEYS:
        return take_fks(p, args, s, err);
    case ALTER_RENAME_COLUMN:
    case ALTER_DROP_COLUMN:
    case ALTER_SET_PRIMARY_KEY:
    case ALTER_REORDER_COLUMNS:
    case ALTER_OP_COUNT:
        break;
    }
    return STATUS_OK;
}

static enum status read_step(struct place p, struct value operation, struct alter_step *s, struct err *err)
{
    static const char *const known[] = {"op", "args"};
    struct value op = VALUE_GET(operation, "op");
    if (operation.kind != VALUE_DICT)
        return wrong(p, NULL, "Input should be a valid dictionary or object to extract fields from", err);
    if (op.kind == VALUE_UNDEFINED)
        return wrong(p, NULL, "Unable to extract tag using discriminator 'op'", err);
    int found = 0;
    while (found < ALTER_OP_COUNT && !(value_is_text(op) && str_is(op.s, alter_op_names[found])))
        found++;
    if (found == ALTER_OP_COUNT) {
        str *names = ARENA_ARRAY(p.a, str, ALTER_OP_COUNT);
        for (int i = 0; i < ALTER_OP_COUNT; i++)
            names[i] = ARENA_CAT(p.a, STR("'"), str_of(alter_op_names[i]), STR("'"));
        return err_set(err, STATUS_INVALID,
                       "%.*s: Input tag '%.*s' found using 'op' does not match any of the expected tags: %.*s",
                       STR_ARG(p.where), STR_ARG(value_to_str(p.a, op)),
                       STR_ARG(write_join(p.a, names, ALTER_OP_COUNT, STR(", "))));
    }
    s->op = (enum alter_op)found;
    struct place inner = {p.a, ARENA_CAT(p.a, p.where, STR("."), str_of(alter_op_names[found]))};
    str unknown = write_unknown_keys(p.a, operation, known, ARRAY_LEN(known), STR(", "));
    if (unknown.n)
        return wrong(inner, arena_cstr(p.a, unknown), "Extra inputs are not permitted", err);
    if (!value_has(operation, STR("args")))
        return wrong(inner, "args", "Field required", err);
    inner.where = ARENA_CAT(p.a, inner.where, STR(".args"));
    return read_args(inner, VALUE_GET(operation, "args"), s, err);
}

enum status alter_plan_read(struct arena *a, struct value body, struct alter_plan *ret, struct err *err)
{
    static const char *const known[] = {"operations"};
    struct value list = VALUE_GET(body, "operations");
    struct alter_plan p = {0};
    str unknown = write_unknown_keys(a, body, known, 1, STR(", "));
    if (list.kind == VALUE_UNDEFINED)
        return err_set(err, STATUS_INVALID, "operations: Field required");
    if (list.kind != VALUE_LIST)
        return err_set(err, STATUS_INVALID, "operations: Input should be a valid list");
    if (!value_count(list))
        return err_set(err, STATUS_INVALID, "operations: List should have at least 1 item after validation, not 0");
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "%.*s: Extra inputs are not permitted", STR_ARG(unknown));
    for (size_t i = 0; i < value_count(list); i++) {
        struct alter_step s = {0};
        struct place place = {a, arena_printf(a, "operations.%zu", i)};
        enum status st = read_step(place, value_at(list, i), &s, err);
        if (st != STATUS_OK)
            return st;
        if (s.op == ALTER_ADD_COLUMN && s.not_null && !s.default_sql.p)
            return err_set(err, STATUS_INVALID,
                           "add_column args.default or args.default_expr is required when not_null is true");
        if (s.op == ALTER_RENAME_TABLE)
            p.rename_to = s.to;
        VEC_PUSH(a, &p.steps, s);
    }
    *ret = p;
    return STATUS_OK;
}

/* ---- on a table as data ---- */

str alter_add_column_sql(struct arena *a, str table, const struct alter_step *s)
{
    str sql = ARENA_CAT(a, STR("alter table "), query_quoted(a, table), STR(" add column "), query_quoted(a, s->name),
                        STR(" "), str_of(s->type));
    return s->not_null ? ARENA_CAT(a, sql, STR(" NOT NULL DEFAULT "), s->default_sql) : sql;
}

static enum status no_column(str name, struct err *err)
{
    return err_set(err, STATUS_INVALID, "No such column: %.*s", STR_ARG(name));
}

static enum status set_fks(struct table_def *d, const struct alter_step *s, struct err *err)
{
    for (size_t i = 0; s->op == ALTER_SET_FOREIGN_KEYS && i < d->columns.count; i++)
        table_def_drop_fk(d, &d->columns.items[i]);
    for (size_t i = 0; i < s->fks.count; i++) {
        struct def_column *c = table_def_find_any(d, s->fks.items[i].column);
        if (!c)
            return no_column(s->fks.items[i].column, err);
        table_def_drop_fk(d, c);
        c->fk_table = s->fks.items[i].table;
        c->fk_column = s->fks.items[i].other;
    }
    return STATUS_OK;
}

static void change_column(struct arena *a, struct def_column *c, const struct alter_step *s)
{
    if (s->type)
        table_def_set_type(a, c, str_of(s->type));
    if (s->has_not_null)
        c->not_null = s->not_null;
    if (s->has_default)
        c->default_sql = s->default_sql;
}

static enum status set_key(struct arena *a, struct table_def *d, const struct alter_step *s, struct err *err)
{
    str *names = ARENA_ARRAY(a, str, s->columns.count + 1);
    for (size_t i = 0; i < s->columns.count; i++) {
        const struct def_column *c = table_def_find_any(d, s->columns.items[i]);
        if (!c)
            return no_column(s->columns.items[i], err);
        names[i] = c->name;
    }
    table_def_set_key(a, d, names, s->columns.count);
    return STATUS_OK;
}

static enum status apply_step(struct arena *a, struct table_def *d, const struct alter_step *s, struct err *err)
{
    struct def_column *c = s->name.n ? table_def_find_any(d, s->name) : NULL;
    switch (s->op) {
    case ALTER_ADD_COLUMN: /* the column is there by now, without its default when that may be any */
        if (c && s->has_default && !s->not_null)
            c->default_sql = s->default_sql;
        return STATUS_OK;
    case ALTER_RENAME_COLUMN:
        if (!c)
            return no_column(s->name, err);
        c->becomes = s->to;
        return STATUS_OK;
    case ALTER_ALTER_COLUMN:
        if (!c)
            return no_column(s->name, err);
        change_column(a, c, s);
        return STATUS_OK;
    case ALTER_DROP_COLUMN:
        return c ? table_def_drop_column(a, d, c->name, err) : STATUS_OK;
    case ALTER_SET_PRIMARY_KEY:
        return set_key(a, d, s, err);
    case ALTER_REORDER_COLUMNS:
        table_def_reorder(a, d, s->columns.items, s->columns.count);
        return STATUS_OK;
    case ALTER_DROP_FOREIGN_KEY:
        if (c)
            table_def_drop_fk(d, c);
        return STATUS_OK;
    case ALTER_ADD_FOREIGN_KEY:
    case ALTER_SET_FOREIGN_KEYS:
        return set_fks(d, s, err);
    case ALTER_RENAME_TABLE:
    case ALTER_OP_COUNT:
        break;
    }
    return STATUS_OK;
}

enum status alter_apply(struct arena *a, const struct alter_plan *p, struct table_def *d, struct err *err)
{
    for (size_t i = 0; i < p->steps.count; i++) {
        enum status st = apply_step(a, d, &p->steps.items[i], err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "site/write/table_def.h"

#include "base/limits.h"
#include "codec/jwrite.h"
#include "site/query/plan.h"
#include "site/write/write.h"

static const struct {
    const char *api, *sql;
} types[] = {{"text", "TEXT"}, {"integer", "INTEGER"}, {"float", "REAL"}, {"blob", "BLOB"}};

static const struct {
    const char *name, *sql;
} expressions[] = {
    {"current_timestamp", "CURRENT_TIMESTAMP"},
    {"current_date", "CURRENT_DATE"},
    {"current_time", "CURRENT_TIME"},
    {"current_unixtime", "((CAST(strftime('%s', 'now') AS INTEGER)))"},
    {"current_unixtime_ms", "((CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)))"},
};
const char *const def_expression_names[] = {"current_timestamp", "current_date", "current_time", "current_unixtime",
                                            "current_unixtime_ms"};
const size_t def_expression_count = ARRAY_LEN(def_expression_names);

const char *def_type(str api_type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_is(api_type, types[i].api))
            return types[i].sql;
    return NULL;
}

str def_default_expression(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(expressions); i++)
        if (str_is(name, expressions[i].name))
            return str_of(expressions[i].sql);
    return (str){0};
}

str def_text_literal(struct arena *a, str text)
{
    char *out = arena_alloc_raw(a, text.n * 2 + 2);
    size_t n = 0;
    out[n++] = '\'';
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\'')
            out[n++] = '\'';
        out[n++] = text.p[i];
    }
    out[n++] = '\'';
    return str_make(out, n);
}

str def_default_literal(struct arena *a, struct value v)
{
    char number[JWRITE_DOUBLE_MAX];
    switch (v.kind) {
    case VALUE_BOOL:
        return v.b ? STR("1") : STR("0");
    case VALUE_INT:
        return arena_printf(a, "%lld", (long long)v.i);
    case VALUE_FLOAT:
        return arena_str(a, str_make(number, jwrite_double(number, v.f)));
    case VALUE_STR:
    case VALUE_SAFE:
        return def_text_literal(a, v.s);
    case VALUE_LIST:
    case VALUE_DICT:
        return def_text_literal(a, write_db_value(a, v).s);
    case VALUE_UNDEFINED:
    case VALUE_NONE:
    case VALUE_BYTES:
    case VALUE_OBJECT:
        break;
    }
    return (str){0};
}

static bool is_number(str s)
{
    bool digit = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c >= '0' && c <= '9')
            digit = true;
        else if (!(c == '.' || ((c == '-' || c == '+') && (i == 0 || s.p[i - 1] == 'e' || s.p[i - 1] == 'E')) ||
                   ((c == 'e' || c == 'E') && digit)))
            return false;
    }
    return digit;
}

/* One quoted literal from end to end. */
static bool is_quoted(str s)
{
    if (s.n < 2 || (s.p[0] != '\'' && s.p[0] != '"') || s.p[s.n - 1] != s.p[0])
        return false;
    for (size_t i = 1; i + 1 < s.n; i++) {
        if (s.p[i] != s.p[0])
            continue;
        if (i + 2 >= s.n || s.p[i + 1] != s.p[0])
            return false;
        i++;
    }
    return true;
}

str def_default_again(struct arena *a, str e)
{
    static const char *const words[] = {"CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP", "TRUE", "FALSE", "NULL"};
    e = str_trim(e);
    bool blob = e.n > 2 && (e.p[0] == 'x' || e.p[0] == 'X') && is_quoted(str_from(e, 1));
    if (is_number(e) || is_quoted(e) || blob)
        return e;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(e, str_of(words[i])))
            return e;
    return ARENA_CAT(a, STR("("), e, STR(")"));
}

bool def_table_name_is_valid(str name)
{
    return name.n > 0 && !str_starts(name, STR("sqlite_")) && str_find_char(name, '\n') == STR_NPOS &&
           str_find_char(name, '\0') == STR_NPOS;
}

struct def_column *table_def_find(struct table_def *d, str name)
{
    for (size_t i = 0; i < d->columns.count; i++)
        if (str_eq_nocase(d->columns.items[i].name, name))
            return &d->columns.items[i];
    return NULL;
}

static str quoted_list(struct arena *a, const str *names, size_t n)
{
    str *parts = ARENA_ARRAY(a, str, n + 1);
    for (size_t i = 0; i < n; i++)
        parts[i] = query_quoted(a, names[i]);
    return write_join(a, parts, n, STR(", "));
}

static str column_line(struct arena *a, const struct table_def *d, const struct def_column *c)
{
    bool single = d->pks.count == 1 && str_eq_nocase(d->pks.items[0], c->name);
    str s = ARENA_CAT(a, STR("   "), query_quoted(a, c->name), c->type.n ? STR(" ") : STR(""), c->type,
                      single ? STR(" PRIMARY KEY") : STR(""), c->not_null ? STR(" NOT NULL") : STR(""),
                      c->unique ? STR(" UNIQUE") : STR(""));
    if (c->default_sql.p)
        s = ARENA_CAT(a, s, STR(" DEFAULT "), c->default_sql);
    if (c->fk_table.n)
        s = ARENA_CAT(a, s, STR(" REFERENCES "), query_quoted(a, c->fk_table), STR("("), query_quoted(a, c->fk_column),
                      STR(")"), c->fk_actions);
    return s;
}

str table_def_sql(struct arena *a, const struct table_def *d)
{
    size_t n = 0;
    str *lines = ARENA_ARRAY(a, str, d->columns.count + d->constraints.count + 1);
    for (size_t i = 0; i < d->columns.count; i++)
        lines[n++] = column_line(a, d, &d->columns.items[i]);
    if (d->pks.count > 1)
        lines[n++] = ARENA_CAT(a, STR("   PRIMARY KEY ("), quoted_list(a, d->pks.items, d->pks.count), STR(")"));
    for (size_t i = 0; i < d->constraints.count; i++)
        lines[n++] = ARENA_CAT(a, STR("   "), d->constraints.items[i]);
    str tail = d->strict && d->without_rowid ? STR(" STRICT, WITHOUT ROWID")
               : d->strict                   ? STR(" STRICT")
               : d->without_rowid            ? STR(" WITHOUT ROWID")
                                             : STR("");
    return ARENA_CAT(a, STR("CREATE TABLE "), query_quoted(a, d->name), STR(" (\n"),
                     write_join(a, lines, n, STR(",\n")), STR("\n)"), tail);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "site/write/def.h"

#include "codec/jwrite.h"
#include "codec/names.h"
#include "db/history.h"
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
        return text_quoted(a, v.s);
    case VALUE_LIST:
    case VALUE_DICT:
        return text_quoted(a, write_db_value(a, v).s);
    case VALUE_UNDEFINED:
    case VALUE_NONE:
    case VALUE_BYTES:
    case VALUE_OBJECT:
        break;
    }
    return (str){0};
}

bool def_table_name_is_valid(str name)
{
    return name.n > 0 && !str_starts(name, STR("sqlite_")) && str_find_char(name, '\n') == STR_NPOS &&
           str_find_char(name, '\0') == STR_NPOS && !history_is_own_table(name);
}

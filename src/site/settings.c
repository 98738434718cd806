/* SPDX-License-Identifier: Apache-2.0 */
#include "site/settings.h"

#define SETTING_TEXT_INT(v)  #v
#define SETTING_TEXT_BOOL(v) ((v) ? "on" : "off")
#define SETTING_TEXT_STR(v)  (v)
#define SETTING_TEXT_LIST(v) (v)
const struct setting_row setting_rows[] = {
#define X(type, name, default_value, help)                                                                             \
    {#name, SETTING_##type, SETTING_TEXT_##type(default_value), help, offsetof(struct settings, name), false},
#include "site/tbl/settings.h"
#undef X
#define X(type, name, default_value, help)                                                                             \
    {#name, SETTING_##type, SETTING_TEXT_##type(default_value), help, offsetof(struct settings, name), true},
#include "site/tbl/settings_own.h"
#undef X
};
const size_t setting_row_count = ARRAY_LEN(setting_rows);

void settings_default(struct settings *s)
{
#define SETTING_VALUE_INT(v)               (v)
#define SETTING_VALUE_BOOL(v)              (v)
#define SETTING_VALUE_STR(v)               STR(v)
#define SETTING_VALUE_LIST(v)              STR(v)
#define X(type, name, default_value, help) s->name = SETTING_VALUE_##type(default_value);
#include "site/tbl/settings.h"
#include "site/tbl/settings_own.h"
#undef X
}

static const struct setting_row *find(str name)
{
    for (size_t i = 0; i < setting_row_count; i++)
        if (str_is(name, setting_rows[i].name))
            return &setting_rows[i];
    return NULL;
}

static enum status unknown(str name, struct err *err)
{
    if (str_is(name, "hash_urls") || str_is(name, "default_cache_ttl_hashed"))
        return err_set(err, STATUS_INVALID, "The setting %.*s no longer exists: drop it", STR_ARG(name));
    err_set(err, STATUS_INVALID, "%.*s is not a setting", STR_ARG(name));
    return err_hint(err, "Run `vitrine serve --help-settings` for the list.");
}

static void *field(struct settings *s, const struct setting_row *row)
{
    return (char *)s + row->offset;
}

static enum status set_int(struct settings *s, const struct setting_row *row, int64_t i, struct err *err)
{
    if (i < 0)
        return err_set(err, STATUS_INVALID, "%s must be 0 or more", row->name);
    *(int64_t *)field(s, row) = i;
    return STATUS_OK;
}

static str clean_base_url(struct arena *a, str text)
{
    while (text.n && text.p[text.n - 1] == '/')
        text.n--;
    while (text.n && text.p[0] == '/')
        text = str_from(text, 1);
    return text.n ? ARENA_CAT(a, STR("/"), text, STR("/")) : STR("/");
}

static str join(struct arena *a, struct value list)
{
    str out = {0};
    for (size_t i = 0; i < value_count(list); i++)
        if (value_is_text(value_at(list, i)))
            out = ARENA_CAT(a, out, STR(" "), value_at(list, i).s);
    return out;
}

static bool all_texts(struct value list)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (!value_is_text(value_at(list, i)))
            return false;
    return list.kind == VALUE_LIST;
}

static bool parse_bool(str text, bool *ret)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"on", true},   {"true", true},   {"1", true},  {"yes", true},
                 {"off", false}, {"false", false}, {"0", false}, {"no", false}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_nocase(text, str_of(words[i].word))) {
            *ret = words[i].value;
            return true;
        }
    }
    return false;
}

/* "a, b", "a b" and ["a", "b"] become "a b". */
static str clean_list(struct arena *a, str text)
{
    struct value list = value_list(a);
    VEC(char) out = {0};
    if (text.n && text.p[0] == '[' && value_from_json(a, text, &list, NULL) == STATUS_OK)
        text = join(a, list);
    for (size_t i = 0; i < text.n; i++) {
        bool gap = text.p[i] == ' ' || text.p[i] == ',' || text.p[i] == '\n' || text.p[i] == '\t';
        if (!gap || (out.count && out.items[out.count - 1] != ' '))
            VEC_PUSH(a, &out, gap ? ' ' : text.p[i]);
    }
    return str_trim(str_make(out.items, out.count));
}

enum status settings_set(struct settings *s, struct arena *a, str name, str text, struct err *err)
{
    const struct setting_row *row = find(name);
    if (!row)
        return unknown(name, err);
    switch (row->type) {
    case SETTING_INT: {
        int64_t i;
        if (!str_to_i64(text, &i))
            return err_set(err, STATUS_INVALID, "%s should be an integer, not \"%.*s\"", row->name, STR_ARG(text));
        return set_int(s, row, i, err);
    }
    case SETTING_BOOL: {
        bool b;
        if (!parse_bool(text, &b))
            return err_set(err, STATUS_INVALID, "%s should be on, off, true, false, 1 or 0, not \"%.*s\"", row->name,
                           STR_ARG(text));
        *(bool *)field(s, row) = b;
        return STATUS_OK;
    }
    case SETTING_STR:
        if (str_is(name, "json_compat") && !str_is(text, "1.0") && !str_is(text, "0.65"))
            return err_set(err, STATUS_INVALID, "json_compat should be 1.0 or 0.65, not \"%.*s\"", STR_ARG(text));
        *(str *)field(s, row) = str_is(name, "base_url") ? clean_base_url(a, text) : arena_str(a, text);
        return STATUS_OK;
    case SETTING_LIST:
        *(str *)field(s, row) = clean_list(a, text);
        return STATUS_OK;
    }
    return STATUS_INTERNAL;
}

enum status settings_set_value(struct settings *s, struct arena *a, str name, struct value v, struct err *err)
{
    const struct setting_row *row = find(name);
    if (!row)
        return unknown(name, err);
    if (row->type == SETTING_INT && v.kind == VALUE_INT)
        return set_int(s, row, v.i, err);
    if (row->type == SETTING_BOOL && v.kind == VALUE_BOOL) {
        *(bool *)field(s, row) = v.b;
        return STATUS_OK;
    }
    if (row->type == SETTING_BOOL && v.kind == VALUE_INT && (v.i == 0 || v.i == 1)) {
        *(bool *)field(s, row) = v.i == 1;
        return STATUS_OK;
    }
    if ((row->type == SETTING_STR || row->type == SETTING_LIST) && value_is_text(v))
        return settings_set(s, a, name, v.s, err);
    if (str_is(name, "json_compat") && v.kind == VALUE_FLOAT) /* json_compat: 0.65 without quotes */
        return settings_set(s, a, name, value_to_str(a, v), err);
    if (row->type == SETTING_LIST && all_texts(v))
        return settings_set(s, a, name, join(a, v), err);
    return err_set(err, STATUS_INVALID, "The setting %s must be %s", row->name,
                   row->type == SETTING_INT    ? "an integer"
                   : row->type == SETTING_BOOL ? "true or false"
                   : row->type == SETTING_LIST ? "a list of strings"
                                               : "a string");
}

struct value settings_get(const struct settings *s, const struct setting_row *row)
{
    const void *p = (const char *)s + row->offset;
    switch (row->type) {
    case SETTING_INT:
        return value_int(*(const int64_t *)p);
    case SETTING_BOOL:
        return value_bool(*(const bool *)p);
    case SETTING_STR:
    case SETTING_LIST:
        return value_str(*(const str *)p);
    }
    return VALUE_UNDEF;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* config_check — a walk over the tree, led by the table of keys (tbl/config_keys.h).
 *
 * Wrong types where other code needs an object, and settings, are errors: nothing could run with them. All else is a
 * warning, because a site that worked yesterday with a key that nobody reads must start today. Unknown keys get the
 * nearest known one. Depth is that of the table (root, database, table or query, one value), so hostile nesting costs
 * nothing; the number of findings is bounded.
 *
 * Not here: what the values mean (their users), parsing (codec). Tests: tests/unit/site/test_config_check.c,
 * tests/cli/test_config.py. */
#include "site/config_check.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/nearest.h"
#include "codec/yaml_places.h"
#include "site/config.h"
#include "site/permit.h"

enum level { LEVEL_ROOT, LEVEL_DATABASE, LEVEL_TABLE, LEVEL_QUERY };
enum file_of_key { KEY_CONFIG, KEY_METADATA, KEY_REMOVED };
enum key_type {
    TYPE_TEXT,
    TYPE_INT, /* 0 or more */
    TYPE_BOOL,
    TYPE_DICT,
    TYPE_TEXTS,   /* list of texts */
    TYPE_SIZE,    /* integer or "max" */
    TYPE_FACETS,  /* texts, {array: column}, {date: column} */
    TYPE_URLS,    /* texts or {url: ...} */
    TYPE_IMPORTS, /* list of objects with a key "table" */
    TYPE_PARAMS,  /* list of names or object of defaults */
    TYPE_SQL,
    TYPE_ALLOW, /* true, false or an object */
    TYPE_PERMISSIONS,
    TYPE_SETTINGS,
    TYPE_DATABASES,
    TYPE_TABLES,
    TYPE_QUERIES,
};

struct key_row {
    enum level level;
    const char *key;
    enum key_type type;
    enum file_of_key file;
};

static const struct key_row key_rows[] = {
#define X(level, key, type, file) {LEVEL_##level, #key, TYPE_##type, KEY_##file},
#include "site/tbl/config_keys.h"
#undef X
};

#define PATH_MAX_DEPTH 12

struct walk {
    struct config_findings *out;
    struct yaml_places *places;
    enum config_file kind;
    str file;
    str path[PATH_MAX_DEPTH];
    size_t depth;
};

/* ---- findings --------------------------------------------------------------------------------------------------- */

static void add(struct config_findings *f, const struct config_finding *one)
{
    *(one->error ? &f->errors : &f->warnings) += 1;
    if (f->count == LIMIT_CONFIG_FINDINGS)
        return;
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 16;
        f->items = arena_grow(f->arena, f->items, f->cap * sizeof *f->items, cap * sizeof *f->items);
        f->cap = cap;
    }
    f->items[f->count++] = *one;
}

static void report(struct walk *w, bool error, str remedy, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void report(struct walk *w, bool error, str remedy, const char *fmt, ...)
{
    struct arena *a = w->out->arena;
    struct config_finding one = {.error = error, .file = w->file, .remedy = remedy};
    va_list ap;
    va_start(ap, fmt);
    one.text = arena_vprintf(a, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < w->depth; i++)
        one.key = i ? ARENA_CAT(a, one.key, STR("."), w->path[i]) : w->path[i];
    yaml_places_find(w->places, w->path, w->depth, &one.line, &one.column);
    add(w->out, &one);
}

static bool push(struct walk *w, str step)
{
    if (w->depth == PATH_MAX_DEPTH)
        return false;
    w->path[w->depth++] = step;
    return true;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static str did_you_mean(struct walk *w, const struct nearest *n, const char *otherwise)
{
    return n->best ? arena_printf(w->out->arena, "Did you mean %s?", n->best) : str_of(otherwise);
}

static void check_object(struct walk *w, enum level level, struct value v);

static bool is_dict(struct walk *w, struct value v, bool error, const char *of)
{
    if (v.kind != VALUE_DICT)
        report(w, error, arena_printf(w->out->arena, "Give it %s, or remove the key.", of),
               "This must be an object (keys and values)");
    return v.kind == VALUE_DICT;
}

static void check_allow(struct walk *w, struct value v)
{
    if (v.kind == VALUE_BOOL || v.kind == VALUE_NONE)
        return;
    if (v.kind != VALUE_DICT) {
        report(w, true, STR("For example {\"id\": \"root\"}, or true, or false."),
               "An allow block must be true, false or an object");
        return;
    }
    for (size_t i = 0; i < v.dict->count; i++) {
        struct value one = v.dict->entries[i].value;
        if (one.kind == VALUE_DICT && push(w, v.dict->entries[i].key)) {
            report(w, false, STR("Actor properties are compared with texts, numbers or lists of them."),
                   "An object here matches nobody");
            w->depth--;
        }
    }
}

static void check_permissions(struct walk *w, struct value v)
{
    if (!is_dict(w, v, true, "actions with allow blocks"))
        return;
    for (size_t i = 0; i < v.dict->count; i++) {
        str name = v.dict->entries[i].key;
        if (!push(w, name))
            return;
        if (action_find(name) == ACTION_NONE) {
            struct nearest n = nearest_to(name);
            for (int k = 0; k < ACTION_COUNT; k++)
                nearest_consider(&n, action_rows[k].name);
            report(w, false, did_you_mean(w, &n, "The page /-/actions lists them."), "%.*s is not an action",
                   STR_ARG(name));
        }
        check_allow(w, v.dict->entries[i].value);
        w->depth--;
    }
}

static void check_settings(struct walk *w, struct value v)
{
    struct settings scratch;
    settings_default(&scratch);
    if (!is_dict(w, v, true, "settings with their values"))
        return;
    for (size_t i = 0; i < v.dict->count; i++) {
        const struct value_entry *e = &v.dict->entries[i];
        struct err err = ERR_INIT;
        if (!push(w, e->key))
            return;
        if (settings_set_value(&scratch, w->out->arena, e->key, e->value, &err) != STATUS_OK) {
            struct nearest n = nearest_to(e->key);
            for (size_t k = 0; k < setting_row_count; k++)
                nearest_consider(&n, setting_rows[k].name);
            bool known = n.best && str_is(e->key, n.best);
            report(w, true, known ? arena_str(w->out->arena, str_of(err.hint)) : did_you_mean(w, &n, err.hint), "%s",
                   err.text);
        }
        w->depth--;
    }
}

static void check_children(struct walk *w, enum level level, struct value v)
{
    if (!is_dict(w, v, true,
                 level == LEVEL_DATABASE ? "databases by name"
                 : level == LEVEL_TABLE  ? "tables by name"
                                         : "queries by name"))
        return;
    for (size_t i = 0; i < v.dict->count; i++) {
        if (!push(w, v.dict->entries[i].key))
            return;
        check_object(w, level, v.dict->entries[i].value);
        w->depth--;
    }
}

static bool is_facet(struct value v)
{
    bool known = v.kind == VALUE_DICT && v.dict->count == 1 &&
                 (str_is(v.dict->entries[0].key, "array") || str_is(v.dict->entries[0].key, "date") ||
                  str_is(v.dict->entries[0].key, "column"));
    return value_is_text(v) || (known && value_is_text(v.dict->entries[0].value));
}

static bool is_url(struct value v)
{
    return value_is_text(v) || value_is_text(VALUE_GET(v, "url"));
}

static bool all_items(struct value v, bool (*good)(struct value))
{
    for (size_t i = 0; i < value_count(v); i++)
        if (v.kind != VALUE_LIST || !good(value_at(v, i)))
            return false;
    return v.kind == VALUE_LIST;
}

/* What a plain value must be, or NULL when it is that. */
static bool is_import(struct value v)
{
    return value_is_text(VALUE_GET(v, "table")) && value_is_text(VALUE_GET(v, "schedule"));
}

static const char *wrong_type(enum key_type type, struct value v)
{
    switch (type) {
    case TYPE_TEXT:
        return value_is_text(v) || v.kind == VALUE_INT || v.kind == VALUE_FLOAT ? NULL : "a text";
    case TYPE_INT:
        return v.kind == VALUE_INT && v.i >= 0 ? NULL : "a number, 0 or more, without quotes";
    case TYPE_BOOL:
        return v.kind == VALUE_BOOL ? NULL : "true or false, without quotes";
    case TYPE_TEXTS:
        return all_items(v, value_is_text) ? NULL : "a list of column names";
    case TYPE_SIZE:
        return v.kind == VALUE_INT || (value_is_text(v) && str_is(v.s, "max")) ? NULL : "a number or \"max\"";
    case TYPE_FACETS:
        return all_items(v, is_facet) ? NULL : "a list of column names, {array: COLUMN} or {date: COLUMN}";
    case TYPE_URLS:
        return all_items(v, is_url) ? NULL : "a list of addresses, or of objects with a key \"url\"";
    case TYPE_IMPORTS:
        return all_items(v, is_import) ? NULL : "a list of objects with the keys table, schedule, pk and url or file";
    case TYPE_PARAMS:
        return v.kind == VALUE_LIST || v.kind == VALUE_DICT ? NULL : "a list of names or an object of default values";
    default:
        return NULL;
    }
}

static void check_key(struct walk *w, const struct key_row *row, struct value v)
{
    if (row->file == KEY_REMOVED) {
        report(w, false, STR("Remove it."), "%s is from an older Datasette and does nothing", row->key);
        return;
    }
    if (w->kind == METADATA_FILE && row->file == KEY_CONFIG && row->type != TYPE_DATABASES &&
        row->type != TYPE_TABLES) {
        report(w, false, STR("Move it to the same place of datasette.yaml."),
               "%s is configuration; it is used, but does not belong in a metadata file", row->key);
        if (w->out->count)
            w->out->items[w->out->count - 1].misplaced = true;
    }
    if (v.kind == VALUE_NONE)
        return;
    switch (row->type) {
    case TYPE_ALLOW:
        check_allow(w, v);
        break;
    case TYPE_PERMISSIONS:
        check_permissions(w, v);
        break;
    case TYPE_SETTINGS:
        check_settings(w, v);
        break;
    case TYPE_DATABASES:
        check_children(w, LEVEL_DATABASE, v);
        break;
    case TYPE_TABLES:
        check_children(w, LEVEL_TABLE, v);
        break;
    case TYPE_QUERIES:
        check_children(w, LEVEL_QUERY, v);
        break;
    case TYPE_DICT:
        (void)is_dict(w, v, row->file == KEY_CONFIG, "keys and values");
        break;
    default:
        if (wrong_type(row->type, v))
            report(w, false, STR("It is not used like this."), "%s must be %s", row->key, wrong_type(row->type, v));
    }
}

static const struct key_row *find_row(enum level level, str key)
{
    for (size_t i = 0; i < ARRAY_LEN(key_rows); i++)
        if (key_rows[i].level == level && str_is(key, key_rows[i].key))
            return &key_rows[i];
    return NULL;
}

/* Metadata may hold keys of its own; only what is nearly a known key is worth a word there. */
static void check_unknown(struct walk *w, enum level level, str key)
{
    struct nearest n = nearest_to(key);
    for (size_t i = 0; i < ARRAY_LEN(key_rows); i++)
        if (key_rows[i].level == level && key_rows[i].file != KEY_REMOVED)
            nearest_consider(&n, key_rows[i].key);
    if (w->kind == CONFIG_FILE || n.best)
        report(w, false, did_you_mean(w, &n, "Nothing reads it."), "There is no key %.*s here", STR_ARG(key));
}

static void check_object(struct walk *w, enum level level, struct value v)
{
    static const char *const what[] = {"keys and values", "keys of the database", "keys of the table",
                                       "a key \"sql\" and more"};
    if (level == LEVEL_QUERY && value_is_text(v))
        return; /* only its SQL */
    if (v.kind == VALUE_NONE && level != LEVEL_QUERY)
        return; /* "mydb:" with nothing under it */
    if (!is_dict(w, v, true, what[level]))
        return;
    for (size_t i = 0; i < v.dict->count; i++) {
        const struct value_entry *e = &v.dict->entries[i];
        const struct key_row *row = find_row(level, e->key);
        if (!push(w, e->key))
            return;
        if (row)
            check_key(w, row, e->value);
        else
            check_unknown(w, level, e->key);
        w->depth--;
    }
    if (level == LEVEL_TABLE && value_is_text(VALUE_GET(v, "sort")) && value_is_text(VALUE_GET(v, "sort_desc")))
        report(w, false, STR("Keep one of them."), "sort and sort_desc exclude each other; sort is used");
    if (level == LEVEL_QUERY && !value_is_text(VALUE_GET(v, "sql")))
        report(w, true, STR("Give it a key \"sql\" with the statement."), "This query has no sql");
}

/* ---- secrets from outside --------------------------------------------------------------------------------------- */

static void check_outside(struct walk *w, struct value v)
{
    char step[24];
    for (size_t i = 0; v.kind == VALUE_LIST && i < v.list->count; i++) {
        snprintf(step, sizeof step, "%zu", i);
        if (!push(w, arena_str(w->out->arena, str_of(step))))
            return;
        check_outside(w, v.list->items[i]);
        w->depth--;
    }
    if (v.kind != VALUE_DICT)
        return;
    struct value env = VALUE_GET(v, "$env"), file = VALUE_GET(v, "$file");
    if (v.dict->count == 1 && value_is_text(env)) {
        if (!getenv(arena_cstr(w->out->arena, env.s)))
            report(w, false, STR("Set it where the server starts; until then the value is null."),
                   "The environment variable %.*s is not set", STR_ARG(env.s));
        return;
    }
    if (v.dict->count == 1 && value_is_text(file)) {
        str text;
        struct err err = ERR_INIT;
        if (fs_read_file(arena_cstr(w->out->arena, file.s), LIMIT_CONFIG_FILE, w->out->arena, &text, &err) != STATUS_OK)
            report(w, true, STR("Name a file that this user can read."), "%s", err.text);
        return;
    }
    for (size_t i = 0; i < v.dict->count; i++) {
        if (!push(w, v.dict->entries[i].key))
            return;
        check_outside(w, v.dict->entries[i].value);
        w->depth--;
    }
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static void on_duplicate(void *arg, str key, size_t line, size_t column)
{
    struct walk *w = arg;
    struct config_finding one = {
        .file = w->file, .line = line, .column = column, .remedy = STR("Remove one of them; the last one counts.")};
    one.key = arena_str(w->out->arena, key);
    one.text = arena_printf(w->out->arena, "The key %.*s stands here twice", STR_ARG(key));
    add(w->out, &one);
}

static void check_known_plugins(struct walk *w, struct value plugins)
{
    for (size_t i = 0; i < plugins.dict->count; i++) {
        str name = plugins.dict->entries[i].key;
        bool known = false;
        for (size_t k = 0; k < plugin_row_count && !known; k++)
            known = str_is(name, plugin_rows[k].name);
        if (known || !push(w, name))
            continue;
        report(w, false, STR("Leave it out; scripts of plugins can be loaded with extra_js_urls (docs/plugins-js.md)."),
               "There is no part for the plugin %.*s here: its configuration is ignored", STR_ARG(name));
        w->depth--;
    }
}

static void check_tree(struct walk *w, struct value root)
{
    check_object(w, LEVEL_ROOT, root);
    struct value plugins = VALUE_GET(root, "plugins");
    if (plugins.kind == VALUE_DICT && push(w, STR("plugins"))) {
        check_outside(w, plugins);
        check_known_plugins(w, plugins);
        w->depth--;
    }
    yaml_places_duplicates(w->places, on_duplicate, w);
}

static int by_place(const void *x, const void *y)
{
    const struct config_finding *a = x, *b = y;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->column < b->column ? -1 : a->column > b->column;
}

void config_check_value(struct config_findings *f, str file, str text, struct value root, enum config_file kind)
{
    struct walk w = {.out = f, .kind = kind, .file = file};
    size_t before = f->count;
    w.places = text.n ? yaml_places_new(text) : NULL;
    check_tree(&w, root);
    yaml_places_free(w.places);
    if (f->count > before)
        qsort(f->items + before, f->count - before, sizeof *f->items, by_place);
}

/* "... line 3 column 7: ..." of the parsers. */
static void place_of_message(str text, struct config_finding *one)
{
    static const char *const words[] = {"line ", "column "};
    size_t *const numbers[] = {&one->line, &one->column};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t at = str_find(text, str_of(words[i])), end;
        if (at == STR_NPOS)
            return;
        at += strlen(words[i]);
        for (end = at; end < text.n && text.p[end] >= '0' && text.p[end] <= '9'; end++)
            continue;
        uint64_t n;
        if (str_to_u64(str_sub(text, at, end), &n))
            *numbers[i] = (size_t)n;
    }
}

void config_check_text(struct config_findings *f, str file, str text, enum config_file kind)
{
    struct value root;
    struct err err = ERR_INIT;
    if (config_read(f->arena, text, file, &root, &err) == STATUS_OK) {
        config_check_value(f, file, text, root, kind);
        return;
    }
    struct config_finding one = {.error = true, .file = file};
    one.text = arena_str(f->arena, str_of(err.text));
    one.remedy = arena_str(f->arena, str_of(err.hint));
    place_of_message(one.text, &one);
    add(f, &one);
}

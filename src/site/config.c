/* SPDX-License-Identifier: Apache-2.0 */
/* config — one shape from four kinds of file.
 *
 * Order: metadata file, then configuration file, then --setting options (they win). Datasette before 1.0 kept
 * configuration in the metadata file: every such key is moved to the same place of `root` unless the configuration
 * already has it. */
#include "site/config.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/yaml.h"
#include "site/config_check.h"

enum config_level { LEVEL_ROOT = 1, LEVEL_DATABASE = 2, LEVEL_TABLE = 4 };

/* Keys that are configuration although old files have them under metadata. */
static const struct {
    const char *key;
    unsigned levels;
} moved_keys[] = {
    {"settings", LEVEL_ROOT},
    {"plugins", LEVEL_ROOT | LEVEL_DATABASE | LEVEL_TABLE},
    {"allow", LEVEL_ROOT | LEVEL_DATABASE | LEVEL_TABLE},
    {"allow_sql", LEVEL_ROOT | LEVEL_DATABASE},
    {"permissions", LEVEL_ROOT | LEVEL_DATABASE | LEVEL_TABLE},
    {"extra_css_urls", LEVEL_ROOT},
    {"extra_js_urls", LEVEL_ROOT},
    {"template_variables", LEVEL_ROOT},
    {"template_functions", LEVEL_ROOT},
    {"queries", LEVEL_DATABASE},
    {"immutable", LEVEL_DATABASE},
    {"cache_size_kb", LEVEL_DATABASE},
    {"sort", LEVEL_TABLE},
    {"sort_desc", LEVEL_TABLE},
    {"size", LEVEL_TABLE},
    {"sortable_columns", LEVEL_TABLE},
    {"label_column", LEVEL_TABLE},
    {"hidden", LEVEL_TABLE},
    {"facets", LEVEL_TABLE},
    {"facet_size", LEVEL_TABLE},
    {"fts_table", LEVEL_TABLE},
    {"fts_pk", LEVEL_TABLE},
    {"searchmode", LEVEL_TABLE},
    {"column_types", LEVEL_TABLE},
    {"allow_write", LEVEL_TABLE},
};

static bool is_moved_key(str key, unsigned level)
{
    for (size_t i = 0; i < ARRAY_LEN(moved_keys); i++)
        if ((moved_keys[i].levels & level) && str_is(key, moved_keys[i].key))
            return true;
    return false;
}

/* Moves configuration keys of one metadata dict to `to`; returns how many. `to_path` makes the target on demand. */
struct move {
    struct arena *a;
    struct value root;
    size_t moved;
};

static struct value move_target(struct move *m, str db, str table)
{
    struct value to = m->root;
    if (db.p)
        to = value_dict_in(m->a, value_dict_in(m->a, to, STR("databases")), db);
    if (table.p)
        to = value_dict_in(m->a, value_dict_in(m->a, to, STR("tables")), table);
    return to;
}

static struct value move_keys(struct move *m, struct value from, unsigned level, str db, str table)
{
    struct value kept = value_dict(m->a);
    if (from.kind != VALUE_DICT)
        return kept;
    for (size_t i = 0; i < from.dict->count; i++) {
        const struct value_entry *e = &from.dict->entries[i];
        if (!is_moved_key(e->key, level)) {
            value_set(kept, e->key, e->value);
            continue;
        }
        struct value to = move_target(m, db, table);
        if (!value_has(to, e->key))
            value_set(to, e->key, e->value);
        m->moved++;
    }
    return kept;
}

static struct value move_metadata(struct move *m, struct value metadata)
{
    struct value out = move_keys(m, metadata, LEVEL_ROOT, (str){0}, (str){0});
    struct value dbs = VALUE_GET(metadata, "databases");
    if (dbs.kind != VALUE_DICT)
        return out;
    struct value out_dbs = value_dict(m->a);
    for (size_t i = 0; i < dbs.dict->count; i++) {
        str db = dbs.dict->entries[i].key;
        struct value from = dbs.dict->entries[i].value;
        struct value out_db = move_keys(m, from, LEVEL_DATABASE, db, (str){0});
        struct value tables = VALUE_GET(from, "tables");
        if (tables.kind == VALUE_DICT) {
            struct value out_tables = value_dict(m->a);
            for (size_t j = 0; j < tables.dict->count; j++) {
                str table = tables.dict->entries[j].key;
                value_set(out_tables, table, move_keys(m, tables.dict->entries[j].value, LEVEL_TABLE, db, table));
            }
            VALUE_SET(out_db, "tables", out_tables);
        }
        value_set(out_dbs, db, out_db);
    }
    VALUE_SET(out, "databases", out_dbs);
    return out;
}

enum status config_read(struct arena *a, str text, str origin, struct value *ret, struct err *err)
{
    struct value v;
    struct err json_err = ERR_INIT, yaml_err = ERR_INIT;
    str trimmed = str_trim(text);
    bool looks_json = trimmed.n && trimmed.p[0] == '{';
    enum status st = value_from_json(a, text, &v, &json_err);
    if (st != STATUS_OK)
        st = value_from_yaml(a, text, &v, &yaml_err);
    if (st != STATUS_OK) {
        const struct err *e = looks_json ? &json_err : &yaml_err;
        err_set(err, STATUS_INVALID, "%.*s is not valid JSON or YAML: %s", STR_ARG(origin), e->text);
        return err_hint(err, "Correct the file at that place and start again.");
    }
    if (value_is_null(v))
        v = value_dict(a);
    if (v.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "%.*s must hold an object (keys and values) at its top level",
                       STR_ARG(origin));
    *ret = v;
    return STATUS_OK;
}

/* The first error ends it, with its place; warnings are logged. */
static enum status tell(const struct config_findings *f, struct err *err)
{
    size_t logged = 0;
    for (size_t i = 0; i < f->count; i++) {
        const struct config_finding *one = &f->items[i];
        char place[64] = "";
        if (one->line)
            snprintf(place, sizeof place, ":%zu:%zu", one->line, one->column);
        if (one->error) {
            err_set(err, STATUS_INVALID, "%.*s%s: %.*s%s%.*s", STR_ARG(one->file), place, STR_ARG(one->key),
                    one->key.n ? ": " : "", STR_ARG(one->text));
            return err_hint(err, "%.*s", STR_ARG(one->remedy));
        }
        if (!one->misplaced && logged++ < LIMIT_CONFIG_LOGGED)
            log_line(LOG_WARN, "config", "%.*s%s: %.*s: %.*s. %.*s", STR_ARG(one->file), place, STR_ARG(one->key),
                     STR_ARG(one->text), STR_ARG(one->remedy));
    }
    if (logged > LIMIT_CONFIG_LOGGED)
        log_line(LOG_WARN, "config", "%zu more; run vitrine config check", logged - LIMIT_CONFIG_LOGGED);
    return STATUS_OK;
}

static enum status check(struct arena *a, str file, str text, struct value root, enum config_file kind, struct err *err)
{
    struct config_findings f = {.arena = a};
    config_check_value(&f, file, text, root, kind);
    return tell(&f, err);
}

/* What --setting options made of it: their dotted paths may put anything anywhere. */
static enum status check_options(struct arena *a, struct value root, struct err *err)
{
    struct config_findings f = {.arena = a};
    config_check_value(&f, STR("--setting"), STR(""), root, CONFIG_FILE);
    for (size_t i = 0; i < f.count; i++)
        if (f.items[i].error)
            return tell(&(struct config_findings){.items = &f.items[i], .count = 1}, err);
    return STATUS_OK;
}

static enum status read_file(struct arena *a, str path, enum config_file kind, struct value *ret, struct err *err)
{
    if (!path.n) {
        *ret = value_dict(a);
        return STATUS_OK;
    }
    str text;
    enum status st = fs_read_file(arena_cstr(a, path), LIMIT_CONFIG_FILE, a, &text, err);
    if (st == STATUS_OK)
        st = config_read(a, text, path, ret, err);
    return st == STATUS_OK ? check(a, path, text, *ret, kind, err) : st;
}

/* {"$env": "NAME"} and {"$file": "path"} inside plugin settings become their text. */
static enum status resolve_secrets(struct arena *a, struct value *v, struct err *err)
{
    if (v->kind == VALUE_LIST) {
        for (size_t i = 0; i < v->list->count; i++) {
            enum status st = resolve_secrets(a, &v->list->items[i], err);
            if (st != STATUS_OK)
                return st;
        }
    }
    if (v->kind != VALUE_DICT)
        return STATUS_OK;
    if (v->dict->count == 1) {
        struct value env = VALUE_GET(*v, "$env"), file = VALUE_GET(*v, "$file");
        if (value_is_text(env)) {
            const char *text = getenv(arena_cstr(a, env.s));
            *v = text ? value_str(arena_str(a, str_of(text))) : VALUE_NULL;
            return STATUS_OK;
        }
        if (value_is_text(file)) {
            str text;
            enum status st = fs_read_file(arena_cstr(a, file.s), LIMIT_CONFIG_FILE, a, &text, err);
            while (st == STATUS_OK && text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
                text.n--; /* editors end a file with a line feed; no secret does */
            if (st == STATUS_OK)
                *v = value_str(text);
            return st;
        }
    }
    for (size_t i = 0; i < v->dict->count; i++) {
        enum status st = resolve_secrets(a, &v->dict->entries[i].value, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

static enum status resolve_plugins(struct arena *a, struct value dict, struct err *err)
{
    if (dict.kind != VALUE_DICT)
        return STATUS_OK;
    for (size_t i = 0; i < dict.dict->count; i++) {
        struct value_entry *e = &dict.dict->entries[i];
        enum status st = STATUS_OK;
        if (str_is(e->key, "plugins"))
            st = resolve_secrets(a, &e->value, err);
        else if (e->value.kind == VALUE_DICT)
            st = resolve_plugins(a, e->value, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

/* One --setting: a known bare name, or a dotted path into the configuration whose value is JSON or text. */
static enum status apply_option(struct arena *a, struct config *c, str key, str text, struct err *err)
{
    str setting = key;
    if (str_find_char(key, '.') == STR_NPOS || str_starts(key, STR("settings."))) {
        if (str_starts(key, STR("settings.")))
            setting = str_from(key, 9);
        enum status st = settings_set(&c->settings, a, setting, text, err);
        if (st != STATUS_OK)
            return st;
        for (size_t i = 0; i < setting_row_count; i++)
            if (str_is(setting, setting_rows[i].name))
                value_set(value_dict_in(a, c->root, STR("settings")), str_of(setting_rows[i].name),
                          settings_get(&c->settings, &setting_rows[i]));
        return STATUS_OK;
    }
    struct value v;
    if (value_from_json(a, text, &v, NULL) != STATUS_OK)
        v = value_str(arena_str(a, text));
    struct value at = c->root;
    str head, rest = key;
    while (str_cut(rest, '.', &head, &rest) && rest.n)
        at = value_dict_in(a, at, head);
    value_set(at, head, v);
    return STATUS_OK;
}

enum status config_load(const struct config_sources *src, struct arena *a, struct config *ret, struct err *err)
{
    struct config c = {0};
    struct value metadata;
    settings_default(&c.settings);
    enum status st = read_file(a, src->config_path, CONFIG_FILE, &c.root, err);
    if (st == STATUS_OK)
        st = read_file(a, src->metadata_path, METADATA_FILE, &metadata, err);
    if (st != STATUS_OK)
        return st;
    /* One file for both: `--config` may carry metadata keys of databases and tables; Datasette leaves them there and so
     * do we. */
    struct move m = {.a = a, .root = c.root};
    c.metadata = move_metadata(&m, metadata);
    if (m.moved)
        log_line(
            LOG_WARN, "config",
            "%.*s holds %zu configuration key(s) besides metadata; they are used, but belong in the configuration file",
            STR_ARG(src->metadata_path), m.moved);
    struct value settings = VALUE_GET(c.root, "settings");
    for (size_t i = 0; i < value_count(settings); i++) {
        st = settings_set_value(&c.settings, a, settings.dict->entries[i].key, settings.dict->entries[i].value, err);
        if (st != STATUS_OK)
            return err_prefix(err, "%.*s: settings", STR_ARG(src->config_path));
    }
    for (size_t i = 0; i < src->option_count; i++) {
        st = apply_option(a, &c, src->options[i].key, src->options[i].value.s, err);
        if (st != STATUS_OK)
            return st;
    }
    if (src->option_count)
        st = check_options(a, c.root, err);
    if (st != STATUS_OK)
        return st;
    c.as_written = value_copy(a, c.root);
    st = resolve_plugins(a, c.root, err);
    if (st == STATUS_OK)
        *ret = c;
    return st;
}

static struct value at_database(struct value root, str db)
{
    return value_get(VALUE_GET(root, "databases"), db);
}

struct value config_database(const struct config *c, str db)
{
    return at_database(c->root, db);
}

struct value config_table(const struct config *c, str db, str table)
{
    return value_get(VALUE_GET(at_database(c->root, db), "tables"), table);
}

struct value config_queries(const struct config *c, str db)
{
    return VALUE_GET(at_database(c->root, db), "queries");
}

struct value config_metadata_database(const struct config *c, str db)
{
    return at_database(c->metadata, db);
}

struct value config_metadata_table(const struct config *c, str db, str table)
{
    return value_get(VALUE_GET(at_database(c->metadata, db), "tables"), table);
}

struct value config_plugin(const struct config *c, str plugin, str db, str table)
{
    struct value levels[3] = {config_table(c, db, table), at_database(c->root, db), c->root};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        struct value v = value_get(VALUE_GET(levels[i], "plugins"), plugin);
        if (v.kind != VALUE_UNDEFINED)
            return v;
    }
    return VALUE_UNDEF;
}

const struct plugin_row plugin_rows[] = {
#define X(name, what) {name, what},
#include "site/tbl/plugins.h"
#undef X
};
const size_t plugin_row_count = ARRAY_LEN(plugin_rows);

struct value plugin_entry(struct arena *a, const struct plugin_row *row)
{
    struct value d = value_dict(a);
    VALUE_SET(d, "name", value_cstr(row->name));
    VALUE_SET(d, "static", value_bool(false));
    VALUE_SET(d, "templates", value_bool(false));
    VALUE_SET(d, "version", VALUE_NULL);
    VALUE_SET(d, "hooks", value_list(a));
    VALUE_SET(d, "description", value_cstr(row->what));
    return d;
}

static bool names_plugin(struct value level, str plugin)
{
    return value_has(VALUE_GET(level, "plugins"), plugin);
}

bool config_names_plugin(const struct config *c, str plugin)
{
    struct value databases = VALUE_GET(c->root, "databases");
    bool found = names_plugin(c->root, plugin);
    for (size_t i = 0; !found && databases.kind == VALUE_DICT && i < databases.dict->count; i++) {
        struct value db = databases.dict->entries[i].value, tables = VALUE_GET(db, "tables");
        found = names_plugin(db, plugin);
        for (size_t k = 0; !found && tables.kind == VALUE_DICT && k < tables.dict->count; k++)
            found = names_plugin(tables.dict->entries[k].value, plugin);
    }
    return found;
}

static bool is_secret_key(struct arena *a, str key)
{
    static const char *const words[] = {"secret", "key", "password", "token", "hash", "dsn"};
    str lower = arena_lower(a, key);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_find(lower, str_of(words[i])) != STR_NPOS)
            return true;
    return false;
}

struct value config_redact(struct arena *a, struct value v)
{
    if (v.kind == VALUE_LIST) {
        struct value out = value_list(a);
        for (size_t i = 0; i < v.list->count; i++)
            value_push(out, config_redact(a, v.list->items[i]));
        return out;
    }
    if (v.kind != VALUE_DICT)
        return v;
    struct value out = value_dict(a);
    for (size_t i = 0; i < v.dict->count; i++) {
        const struct value_entry *e = &v.dict->entries[i];
        value_set(out, e->key, is_secret_key(a, e->key) ? value_str(STR("***")) : config_redact(a, e->value));
    }
    return out;
}

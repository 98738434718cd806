/* SPDX-License-Identifier: Apache-2.0 */
/* info — the /-/ pages that only report: versions, settings, configuration, databases, actor, threads. */
#include <stdlib.h>

#include "assets/assets.h"
#include "base/version.h"
#include "codec/digest.h"
#include "db/db_version.h"
#include "site/compat.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/version.h"
#include "site/view/view.h"

static enum status require_instance(struct request *rq, struct err *err)
{
    return request_require(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0}, NULL, err);
}

static struct value ok_dict(struct arena *a)
{
    struct value d = value_dict(a);
    VALUE_SET(d, "ok", value_bool(true));
    return d;
}

enum status view_redirect_internals(struct request *rq, struct err *err)
{
    (void)err;
    respond_redirect(rq, 301, ARENA_CAT(rq->arena, rq->site->config.settings.base_url, STR("-/")));
    return STATUS_OK;
}

/* For programs that ask for /favicon.ico without reading a page (pages name their own icon): Datasette's, byte for
 * byte, under its Apache-2.0 licence, because tools recognise an instance by it. */
enum status view_favicon(struct request *rq, struct err *err)
{
    const struct asset *icon = asset_find(STR("static/favicon-ico.png"));
    if (!icon)
        return err_set(err, STATUS_NOT_FOUND, "There is no icon");
    response_header(rq->response, STR("cache-control"), STR("max-age=3600, public"));
    respond_text(rq, 200, "image/png", icon->data);
    rq->response_is_constant = true;
    return STATUS_OK;
}

enum status view_versions(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct db_versions v;
    enum status st = require_instance(rq, err);
    if (st == STATUS_OK)
        st = db_versions(a, rq->site->load_extensions, rq->site->load_extension_count, &v, err);
    if (st != STATUS_OK)
        return st;
    struct value d = ok_dict(a), us = value_dict(a), compat = value_dict(a), sqlite = value_dict(a),
                 ext = value_dict(a);
    VALUE_SET(us, "version", value_cstr(version_text()));
    VALUE_SET(us, "commit", value_cstr(version_commit()));
    if (rq->site->version_note.n)
        VALUE_SET(us, "note", value_str(rq->site->version_note));
    VALUE_SET(compat, "version", value_cstr(VERSION_DATASETTE));
    for (size_t i = 0; i < v.extension_count; i++)
        value_set(ext, v.extensions[i].name,
                  v.extensions[i].version.p ? value_str(v.extensions[i].version) : VALUE_NULL);
    VALUE_SET(sqlite, "version", value_str(v.version));
    VALUE_SET(sqlite, "fts_versions", str_list(a, v.fts_versions, v.fts_version_count));
    VALUE_SET(sqlite, "extensions", ext);
    VALUE_SET(sqlite, "compile_options", str_list(a, v.compile_options, v.compile_option_count));
    /* Keys that clients of Datasette know; what stands for Python here is this program. */
    VALUE_SET(us, "full", value_cstr("Vitrine: no Python, one C program"));
    VALUE_SET(us, "openssl", value_cstr(digest_library_version()));
    VALUE_SET(d, "python", us);
    VALUE_SET(d, "asgi", VALUE_NULL);
    VALUE_SET(d, "uvicorn", VALUE_NULL);
    VALUE_SET(d, "datasette", compat);
    VALUE_SET(d, "sqlite", sqlite);
    return page_respond_json_page(rq, "Versions", "versions.json", d, err);
}

/* Those that are configured, somewhere; ?all=1: all that are built in. */
static struct value plugin_list(struct request *rq)
{
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    bool all = request_arg(rq, "all").n > 0;
    for (size_t i = 0; i < plugin_row_count; i++) {
        str name = str_of(plugin_rows[i].name);
        if (!all && !config_names_plugin(&rq->site->config, name))
            continue;
        value_push(list, plugin_entry(a, &plugin_rows[i]));
    }
    return list;
}

enum status view_plugins(struct request *rq, struct err *err)
{
    enum status st = require_instance(rq, err);
    return st == STATUS_OK ? page_respond_json_page(rq, "Plugins", "plugins.json", plugin_list(rq), err) : st;
}

enum status view_settings(struct request *rq, struct err *err)
{
    struct value d = ok_dict(rq->arena);
    enum status st = require_instance(rq, err);
    struct settings defaults;
    settings_default(&defaults);
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *row = &setting_rows[i];
        struct value v = settings_get(&rq->site->config.settings, row);
        if (!row->own || !value_equal(v, settings_get(&defaults, row)))
            value_set(d, str_of(row->name), v);
    }
    return st == STATUS_OK ? page_respond_json_page(rq, "Settings", "settings.json", d, err) : st;
}

/* Leaves out those of `names` (tables or queries of a database) that the actor may not see. */
static struct value only_allowed(const struct request *rq, struct value names, enum action a, str db)
{
    struct value out = value_dict(rq->arena);
    if (names.kind != VALUE_DICT)
        return names;
    for (size_t i = 0; i < names.dict->count; i++) {
        const struct value_entry *e = &names.dict->entries[i];
        if (request_allowed(rq, a, a == ACTION_VIEW_DATABASE ? e->key : db,
                            a == ACTION_VIEW_DATABASE ? (str){0} : e->key))
            value_set(out, e->key, e->value);
        else if (a == ACTION_VIEW_QUERY)
            value_set(out, e->key, value_cstr("***")); /* the name stays, as in Datasette */
    }
    return out;
}

/* `config` is ours to change. */
static void hide_denied(const struct request *rq, struct value config)
{
    struct value dbs = only_allowed(rq, VALUE_GET(config, "databases"), ACTION_VIEW_DATABASE, (str){0});
    if (dbs.kind != VALUE_DICT)
        return;
    VALUE_SET(config, "databases", dbs);
    for (size_t i = 0; i < dbs.dict->count; i++) {
        str name = dbs.dict->entries[i].key;
        struct value db = dbs.dict->entries[i].value;
        if (value_has(db, STR("tables")))
            VALUE_SET(db, "tables", only_allowed(rq, VALUE_GET(db, "tables"), ACTION_VIEW_TABLE, name));
        if (value_has(db, STR("queries")))
            VALUE_SET(db, "queries", only_allowed(rq, VALUE_GET(db, "queries"), ACTION_VIEW_QUERY, name));
    }
}

enum status view_config(struct request *rq, struct err *err)
{
    struct value d = ok_dict(rq->arena), config = config_redact(rq->arena, rq->site->config.as_written);
    enum status st = require_instance(rq, err);
    hide_denied(rq, config);
    for (size_t i = 0; i < value_count(config); i++)
        value_set(d, config.dict->entries[i].key, config.dict->entries[i].value);
    return st == STATUS_OK ? page_respond_json_page(rq, "Configuration", "config.json", d, err) : st;
}

/* A page of Datasette 0.65 that deployment guides and clients name; 1.0 has none at that address. */
enum status view_metadata(struct request *rq, struct err *err)
{
    if (!compat_is_old(rq)) {
        err_set(err, STATUS_NOT_FOUND, "Database not found");
        return err_hint(err, "Metadata of the instance is in /.json; as of Datasette 0.65: ?_compat=0.65.");
    }
    struct value d = value_copy(rq->arena, rq->site->config.metadata);
    enum status st = require_instance(rq, err);
    hide_denied(rq, d);
    return st == STATUS_OK ? page_respond_json_page(rq, "Metadata", "metadata.json", d, err) : st;
}

enum status view_databases(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = ok_dict(a), list = value_list(a);
    enum status st = require_instance(rq, err);
    for (size_t i = 0; st == STATUS_OK && i < rq->site->published_count; i++) {
        const struct published *p = rq->site->published[i];
        struct value e = value_dict(a);
        if (!request_allowed(rq, ACTION_VIEW_DATABASE, p->name, (str){0}))
            continue;
        VALUE_SET(e, "name", value_str(p->name));
        VALUE_SET(e, "route", value_str(p->name));
        VALUE_SET(e, "path", p->is_memory ? VALUE_NULL : value_str(p->path));
        VALUE_SET(e, "size", value_int(published_size(p)));
        VALUE_SET(e, "is_mutable", value_bool(p->is_mutable && !p->is_memory));
        VALUE_SET(e, "is_memory", value_bool(p->is_memory));
        VALUE_SET(e, "hash", p->hash.n ? value_str(p->hash) : VALUE_NULL);
        value_push(list, e);
    }
    VALUE_SET(d, "databases", list);
    if (compat_is_old(rq))
        d = list;
    return st == STATUS_OK ? page_respond_json_page(rq, "Databases", "databases.json", d, err) : st;
}

enum status view_actor(struct request *rq, struct err *err)
{
    struct value d = ok_dict(rq->arena);
    VALUE_SET(d, "actor", rq->actor);
    return page_respond_json_page(rq, "Actor", "actor.json", d, err);
}

static const char *level_name(enum action_level level)
{
    return level == ACTION_LEVEL_DATABASE ? "DatabaseResource"
           : level == ACTION_LEVEL_TABLE  ? "TableResource"
                                          : "QueryResource";
}

static int by_action_name(const void *x, const void *y)
{
    return strcmp((*(const struct action_row *const *)x)->name, (*(const struct action_row *const *)y)->name);
}

enum status view_actions(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = ok_dict(a), list = value_list(a);
    enum status st = request_require(rq, ACTION_PERMISSIONS_DEBUG, (str){0}, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    const struct action_row *sorted[ACTION_OWN];
    for (int i = 0; i < ACTION_OWN; i++)
        sorted[i] = &action_rows[i];
    qsort(sorted, ACTION_OWN, sizeof *sorted, by_action_name);
    for (int i = 0; i < ACTION_OWN; i++) {
        const struct action_row *r = sorted[i];
        struct value e = value_dict(a);
        VALUE_SET(e, "name", value_cstr(r->name));
        VALUE_SET(e, "abbr", value_cstr(r->abbr));
        VALUE_SET(e, "description", value_cstr(r->description));
        VALUE_SET(e, "takes_parent", value_bool(r->level >= ACTION_LEVEL_DATABASE));
        VALUE_SET(e, "takes_child", value_bool(r->level >= ACTION_LEVEL_TABLE));
        VALUE_SET(e, "resource_class", r->level == ACTION_LEVEL_GLOBAL ? VALUE_NULL : value_cstr(level_name(r->level)));
        VALUE_SET(e, "also_requires",
                  r->also_requires == ACTION_NONE ? VALUE_NULL : value_cstr(action_rows[r->also_requires].name));
        value_push(list, e);
    }
    VALUE_SET(d, "actions", list);
    if (str_is(rq->format, "json")) {
        respond_json(rq, 200, d);
        return STATUS_OK;
    }
    struct value vars = value_dict(a);
    const str names[] = {STR("debug_actions.html")};
    VALUE_SET(vars, "data", d);
    VALUE_SET(vars, "has_debug_permission", value_bool(true));
    return page_respond(rq, 200, names, 1, vars, true, err);
}

enum status view_threads(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = ok_dict(a), list = value_list(a);
    enum status st = request_require(rq, ACTION_PERMISSIONS_DEBUG, (str){0}, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    int64_t threads = 0;
    for (unsigned i = 0; i < LANE_COUNT; i++) {
        struct pool_lane_stats s;
        struct value e = value_dict(a);
        pool_lane_stats(rq->site->pool, i, &s);
        threads += s.threads;
        VALUE_SET(e, "name", value_cstr(site_lane_names[i]));
        VALUE_SET(e, "threads", value_int(s.threads));
        VALUE_SET(e, "running", value_int(s.running));
        VALUE_SET(e, "queued", value_int(s.queued));
        VALUE_SET(e, "done", value_int((int64_t)s.done));
        VALUE_SET(e, "refused", value_int((int64_t)s.refused));
        value_push(list, e);
    }
    VALUE_SET(d, "num_threads", value_int(threads));
    VALUE_SET(d, "threads", list);
    VALUE_SET(d, "num_tasks", value_int(0));
    VALUE_SET(d, "tasks", value_list(a));
    return page_respond_json_page(rq, "Threads", "threads.json", d, err);
}

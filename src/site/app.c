/* SPDX-License-Identifier: Apache-2.0 */
#include "site/app.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/digest.h"
#include "db/conn_cache.h"
#include "site/cache.h"
#include "site/counts.h"
#include "site/render/page.h"
#include "site/static.h"

struct published *site_find(const struct site *s, str name)
{
    for (size_t i = 0; i < s->published_count; i++)
        if (str_eq(s->published[i]->name, name))
            return s->published[i];
    return NULL;
}

int64_t published_size(const struct published *p)
{
    return p->is_mutable ? database_size_bytes(p->database) : p->size_bytes;
}

/* "dir/my data.db" -> "my data"; a second one of the same name becomes "my data_2". */
static str database_name_of(struct site *s, str path)
{
    size_t slash = str_rfind_char(path, '/');
    str base = slash == STR_NPOS ? path : str_from(path, slash + 1);
    size_t dot = str_rfind_char(base, '.');
    if (dot != STR_NPOS && dot > 0)
        base = str_sub(base, 0, dot);
    str name = base;
    for (int n = 2; site_find(s, name); n++)
        name = arena_printf(s->arena, "%.*s_%d", STR_ARG(base), n);
    return arena_str(s->arena, name);
}

static enum status hash_file(struct site *s, struct published *p, struct err *err)
{
    char hex[DIGEST_HEX_MAX];
    struct value entry = value_get(s->inspect, p->name), hash = VALUE_GET(entry, "hash");
    p->inspect_tables = VALUE_GET(entry, "tables");
    p->size_bytes = database_size_bytes(p->database);
    if (value_is_text(hash)) {
        p->hash = hash.s;
        return STATUS_OK;
    }
    enum status st = digest_sha256_file(arena_cstr(s->arena, p->path), hex, err);
    if (st == STATUS_OK)
        p->hash = arena_str(s->arena, str_of(hex));
    return st;
}

static void pick_color(struct published *p)
{
    char md5[DIGEST_HEX_MAX];
    digest_md5_hex(p->name, md5);
    snprintf(p->color, sizeof p->color, "%.6s", p->hash.n >= 6 ? p->hash.p : md5);
}

static enum status publish(struct site *s, const struct site_options *o, str path, bool immutable, bool memory,
                           struct err *err)
{
    struct published *p = ARENA_NEW(s->arena, struct published);
    struct value config;
    p->path = memory ? STR("") : arena_str(s->arena, path);
    p->name = memory ? STR("_memory") : database_name_of(s, path);
    config = config_database(&s->config, p->name);
    immutable = immutable || value_truth(VALUE_GET(config, "immutable")) ||
                (o->inspect_makes_immutable && value_has(s->inspect, p->name));
    struct value kb = VALUE_GET(config, "cache_size_kb");
    struct database_attach attach[10];
    struct database_options d = {
        .name = p->name,
        .path = p->path,
        .memory = memory,
        .immutable = immutable && !memory,
        .nolock = o->nolock,
        .create = o->create,
        .load_extensions = o->load_extensions,
        .load_extension_count = o->load_extension_count,
        .cache_size_kb = kb.kind == VALUE_INT ? kb.i : s->config.settings.cache_size_kb,
    };
    for (size_t i = 0; memory && o->crossdb && i < s->published_count && d.attach_count < ARRAY_LEN(attach); i++) {
        if (s->published[i]->is_memory)
            continue;
        attach[d.attach_count++] =
            (struct database_attach){s->published[i]->name, s->published[i]->path, !s->published[i]->is_mutable};
        d.attach = attach;
    }
    enum status st = database_new(&d, &p->database, err);
    if (st != STATUS_OK)
        return st;
    p->counts = counts_new();
    p->is_memory = memory;
    p->is_mutable = !immutable || memory;
    s->published[s->published_count++] = p;
    if (o->file_count <= LIMIT_CHECK_AT_START || !p->is_mutable)
        st = database_check(p->database, err);
    if (st == STATUS_OK && !p->is_mutable)
        st = hash_file(s, p, err);
    pick_color(p);
    return st;
}

static enum status publish_all(struct site *s, const struct site_options *o, struct err *err)
{
    bool memory = o->memory || o->crossdb || !o->file_count;
    s->published = ARENA_ARRAY(s->arena, struct published *, o->file_count + 2);
    for (int immutable = 0; immutable < 2; immutable++) { /* mutable files are listed first, as Datasette does */
        for (size_t i = 0; i < o->file_count; i++) {
            if (o->file_immutable[i] != immutable)
                continue;
            enum status st = publish(s, o, o->files[i], immutable, false, err);
            if (st != STATUS_OK)
                return st;
        }
    }
    if (!memory)
        return STATUS_OK;
    enum status st = publish(s, o, STR(""), false, true, err);
    if (st == STATUS_OK && s->published_count > 1) { /* listed first, as Datasette does */
        struct published *m = s->published[s->published_count - 1];
        memmove(s->published + 1, s->published, (s->published_count - 1) * sizeof *s->published);
        s->published[0] = m;
    }
    return st;
}

static enum status read_inspect(struct site *s, str path, struct err *err)
{
    str text;
    s->inspect = VALUE_UNDEF;
    if (!path.n)
        return STATUS_OK;
    enum status st = fs_read_file(arena_cstr(s->arena, path), LIMIT_CONFIG_FILE, s->arena, &text, err);
    if (st == STATUS_OK)
        st = value_from_json(s->arena, text, &s->inspect, err);
    return st == STATUS_OK ? st : err_prefix(err, "%.*s", STR_ARG(path));
}

/* 32 random bytes as hex: for signing when no secret was given, and for the one-time token. */
static enum status make_secret(struct arena *a, str *ret, struct err *err)
{
    unsigned char bytes[32];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set(err, STATUS_IO, "The system has no random numbers");
    char hex[65];
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    *ret = arena_str(a, str_of(hex));
    return STATUS_OK;
}

static void worker_exit(struct worker *w, void *arg)
{
    (void)w;
    (void)arg;
    conn_cache_clear_thread();
}

static enum status start_pool(struct site *s, struct err *err)
{
    int64_t sql_threads = s->config.settings.num_sql_threads;
    const struct pool_lane lanes[LANE_COUNT] = {
        [LANE_PAGE] = {.name = "page", .threads = 2, .queue_max = LIMIT_PAGE_QUEUE},
        [LANE_SQL] = {.name = "sql",
                      .threads = sql_threads < 1    ? 1
                                 : sql_threads > 64 ? 64
                                                    : (unsigned)sql_threads,
                      .queue_max = LIMIT_SQL_QUEUE,
                      .nice = 10},
    };
    const struct pool_config config = {
        .lanes = lanes, .lane_count = LANE_COUNT, .worker_exit = worker_exit, .spin_us = 30};
    return pool_new(&config, &s->pool, err);
}

static enum status fill(struct site *s, const struct site_options *o, struct err *err)
{
    enum status st = config_load(&o->config, s->arena, &s->config, err);
    if (st == STATUS_OK)
        st = read_inspect(s, o->inspect_file, err);
    s->policy = (struct permit_policy){&s->config, o->root, o->default_deny};
    s->cors = o->cors;
    static_init(s);
    s->crossdb = o->crossdb;
    s->cache_headers = !o->reload;
    s->version_note = arena_str(s->arena, o->version_note);
    s->load_extensions = o->load_extensions;
    s->load_extension_count = o->load_extension_count;
    if (o->secret.n)
        s->secret = arena_str(s->arena, o->secret);
    else if (st == STATUS_OK)
        st = make_secret(s->arena, &s->secret, err);
    if (st == STATUS_OK && o->root)
        st = make_secret(s->arena, &s->root_token, err);
    if (st == STATUS_OK)
        st = page_templates_new(s, o->template_dir, err);
    for (size_t i = 0; st == STATUS_OK && i < o->static_mount_count; i++)
        st = static_mount_add(s, o->static_mounts[i], err);
    if (st == STATUS_OK)
        st = publish_all(s, o, err);
    if (st == STATUS_OK)
        st = start_pool(s, err);
    if (st == STATUS_OK && o->cache_bytes)
        s->cache = answer_cache_new(o->cache_bytes);
    return st;
}

enum status site_new(const struct site_options *o, struct site **ret_site, struct err *err)
{
    struct arena *a = arena_new(LIMIT_SITE_ARENA);
    struct site *s = ARENA_NEW(a, struct site);
    s->arena = a;
    s->started_unix_us = clock_unix_us();
    enum status st = fill(s, o, err);
    if (st == STATUS_OK)
        *ret_site = s;
    else
        site_free(s);
    return st;
}

void site_free(struct site *s)
{
    if (!s)
        return;
    if (s->pool)
        pool_free(s->pool);
    answer_cache_free(s->cache);
    static_release(s);
    for (size_t i = 0; i < s->published_count; i++) {
        database_unref(s->published[i]->database);
        counts_free(s->published[i]->counts);
    }
    template_env_free(s->templates);
    arena_free(s->arena);
}

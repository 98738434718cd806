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
#include "base/mem.h"
#include "codec/digest.h"
#include "db/conn_cache.h"
#include "db/history.h"
#include "db/writer.h"
#include "rt/throttle.h"
#include "site/accounts.h"
#include "site/api_log.h"
#include "site/cache.h"
#include "site/figure_store.h"
#include "site/internal.h"
#include "site/kept.h"
#include "site/kept_metadata.h"
#include "site/metrics.h"
#include "site/render/templates.h"
#include "site/rules.h"
#include "site/schedule/schedule.h"
#include "site/share/shares.h"
#include "site/space/disk.h"
#include "site/space/space.h"
#include "site/state.h"
#include "site/static.h"
#include "site/template_files.h"
#include "site/tokens.h"
#include "site/upload/job.h"
#include "site/visitors.h"

struct published *site_find(const struct site *s, str name)
{
    for (size_t i = 0; i < s->published_count; i++)
        if (str_eq(s->published[i]->name, name))
            return s->published[i];
    return NULL;
}

bool site_had(const struct site *s, str name)
{
    for (size_t i = 0; i < s->removed_count; i++)
        if (str_eq(s->removed[i], name))
            return true;
    return false;
}

bool site_allowed(const struct site *s, const struct permit_policy *policy, struct value actor, enum action a,
                  str parent, str child)
{
    const struct published *p = s->crossdb && a == ACTION_EXECUTE_SQL ? site_find(s, parent) : NULL;
    size_t attached = 0;
    for (size_t i = 0; p && p->is_memory && i < s->published_count && attached < LIMIT_DB_ATTACHED; i++) {
        if (s->published[i]->is_memory)
            continue;
        attached++;
        if (!permit_allowed(policy, actor, a, s->published[i]->name, (str){0}))
            return false;
    }
    str owner = history_owner(NULL, child); /* who may not see a table may not see its history */
    if (owner.n && action_rows[a].level == ACTION_LEVEL_TABLE && !permit_allowed(policy, actor, a, parent, owner))
        return false;
    return permit_allowed(policy, actor, a, parent, child);
}

str site_cors_origin(const struct site *s, str origin)
{
    str one, rest = s->config.settings.cors_origins;
    if (!rest.n)
        return s->cors ? STR("*") : (str){0};
    while (rest.n) {
        str_cut(rest, ' ', &one, &rest);
        if (str_is(one, "*") || (origin.n && str_eq_nocase(one, origin)))
            return one;
    }
    return (str){0};
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

/* ---- databases ---- */

struct published *published_ref(struct published *p)
{
    atomic_fetch_add(&p->refs, 1);
    return p;
}

void published_unref(struct published *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    writer_free(p->writer);
    database_unref(p->database);
    figure_store_free(p->figures);
    arena_free(p->arena);
    free((void *)(uintptr_t)p->name.p);
    free((void *)(uintptr_t)p->path.p);
    free((void *)(uintptr_t)p->hash.p);
    free(p);
}

static enum status hash_file(struct site *s, struct published *p, struct err *err)
{
    char hex[DIGEST_HEX_MAX];
    struct value entry = value_get(s->inspect, p->name), hash = VALUE_GET(entry, "hash");
    if (entry.kind == VALUE_DICT) {
        p->arena = arena_new(0);
        p->inspect_tables = value_copy(p->arena, VALUE_GET(entry, "tables"));
    }
    p->size_bytes = database_size_bytes(p->database);
    if (value_is_text(hash)) {
        p->hash = str_make(mem_cstr(hash.s), hash.s.n);
        return STATUS_OK;
    }
    enum status st = digest_sha256_file(p->path.p, hex, err);
    if (st == STATUS_OK)
        p->hash = str_of(mem_cstr(str_of(hex)));
    return st;
}

static void pick_color(struct published *p)
{
    char md5[DIGEST_HEX_MAX];
    digest_md5_hex(p->name, md5);
    snprintf(p->color, sizeof p->color, "%.6s", p->hash.n >= 6 ? p->hash.p : md5);
}

/* Two databases with the same one are the same. A file that nobody writes is a new one when it was replaced. */
static uint64_t options_hash(struct site *s, const struct database_options *d)
{
    struct stat st = {0};
    struct arena *a = arena_new(1u << 16);
    if (d->immutable)
        (void)stat(arena_cstr(a, d->path), &st);
    struct value inspected = d->immutable ? VALUE_GET(value_get(s->inspect, d->name), "hash") : VALUE_UNDEF;
    str text =
        arena_printf(a, "%d %lld %lld %lld %lld.%ld %.*s", d->immutable, (long long)d->cache_size_kb,
                     (long long)st.st_ino, (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                     value_is_text(inspected) ? (int)inspected.s.n : 0, value_is_text(inspected) ? inspected.s.p : "");
    for (size_t i = 0; i < d->attach_count; i++)
        text = ARENA_CAT(a, text, STR("\n"), d->attach[i].name, STR("\n"), d->attach[i].path);
    uint64_t hash = str_hash(text);
    arena_free(a);
    return hash;
}

static struct published *take_over(const struct site *old, const struct database_options *d, uint64_t made_of)
{
    struct published *p = old ? site_find(old, d->name) : NULL;
    if (!p || p->made_of != made_of || p->is_memory != d->memory || !str_eq(p->path, d->path))
        return NULL;
    atomic_fetch_add(&p->refs, 1);
    return p;
}

static enum status publish_new(struct site *s, const struct database_options *d, bool check, uint64_t made_of,
                               enum writer_sync sync, struct published **ret, struct err *err)
{
    struct published *p = MEM_NEW(struct published);
    atomic_init(&p->refs, 1);
    p->name = str_make(mem_cstr(d->name), d->name.n);
    p->path = str_make(mem_cstr(d->path), d->path.n);
    p->made_of = made_of;
    p->inspect_tables = VALUE_UNDEF;
    enum status st = database_new(d, &p->database, err);
    if (st == STATUS_OK) {
        p->figures = figure_store_new(LIMIT_FIGURE_BYTES);
        p->is_memory = d->memory;
        p->is_mutable = !d->immutable;
        if (p->is_mutable)
            p->writer = writer_new(p->database, sync);
        if (check || d->immutable)
            st = database_check(p->database, err);
    }
    if (st == STATUS_OK && d->immutable)
        st = hash_file(s, p, err);
    if (st != STATUS_OK) {
        published_unref(p);
        return st;
    }
    pick_color(p);
    *ret = p;
    return STATUS_OK;
}

static enum status publish(struct site *s, const struct site *old, const struct site_options *o, str path,
                           bool immutable, bool memory, struct err *err)
{
    str name = memory ? STR("_memory") : database_name_of(s, path);
    struct value config = config_database(&s->config, name), kb = VALUE_GET(config, "cache_size_kb");
    struct database_attach attach[LIMIT_DB_ATTACHED];
    immutable = immutable || value_truth(VALUE_GET(config, "immutable")) ||
                (o->inspect_makes_immutable && value_has(s->inspect, name));
    struct database_options d = {
        .name = name,
        .path = memory ? STR("") : path,
        .memory = memory,
        .immutable = immutable && !memory,
        .nolock = o->nolock,
        .create = o->create,
        .load_extensions = o->load_extensions,
        .load_extension_count = o->load_extension_count,
        .cache_size_kb = kb.kind == VALUE_INT ? kb.i : s->config.settings.cache_size_kb,
        .attach = attach,
    };
    for (size_t i = 0; memory && o->crossdb && i < s->published_count && d.attach_count < ARRAY_LEN(attach); i++) {
        if (!s->published[i]->is_memory)
            attach[d.attach_count++] =
                (struct database_attach){s->published[i]->name, s->published[i]->path, !s->published[i]->is_mutable};
    }
    uint64_t made_of = options_hash(s, &d);
    struct published *p = take_over(old, &d, made_of);
    enum status st = STATUS_OK;
    if (!p)
        st = publish_new(s, &d, old || o->file_count <= (size_t)LIMIT_CHECK_AT_START, made_of,
                         o->sync_normal ? WRITER_SYNC_NORMAL : WRITER_SYNC_FULL, &p, err);
    if (st == STATUS_OK)
        s->published[s->published_count++] = p;
    return st;
}

static enum status publish_file(struct site *s, const struct site *old, const struct site_options *o, size_t i,
                                struct err *err)
{
    struct err why = ERR_INIT;
    enum status st = publish(s, old, o, o->files[i], o->file_immutable[i], false, old ? &why : err);
    if (st == STATUS_OK || !old)
        return st;
    LOG_WITH(LOG_WARN, "site", STR("a file is not published"), LOG_STR("file", o->files[i]),
             LOG_STR("why", str_of(why.text)));
    return STATUS_OK;
}

static enum status publish_all(struct site *s, const struct site *old, const struct site_options *o, struct err *err)
{
    bool memory = o->memory || o->crossdb || (!o->file_count && !o->space.n);
    s->published = ARENA_ARRAY(s->arena, struct published *, o->file_count + 2);
    for (int immutable = 0; immutable < 2; immutable++) { /* mutable files are listed first, as Datasette does */
        for (size_t i = 0; i < o->file_count; i++) {
            if (o->file_immutable[i] != immutable)
                continue;
            enum status st = publish_file(s, old, o, i, err);
            if (st != STATUS_OK)
                return st;
        }
    }
    if (!memory)
        return STATUS_OK;
    enum status st = publish(s, old, o, STR(""), false, true, err);
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

/* Without --secret: the one kept since the first start, so that sign-ins survive. Where nothing can be kept, one that
 * ends with the process. */
static enum status find_secret(struct site_shared *sh, str path, struct err *err)
{
    struct err why = ERR_INIT;
    enum status st = path.n ? state_secret(sh->arena, path, &sh->secret, &why) : STATUS_NOT_FOUND;
    if (st == STATUS_OK)
        return st;
    if (st == STATUS_CONFIG || st == STATUS_TOO_LARGE) {
        err_set(err, st, "%s", why.text);
        return err_hint(err, "%s", why.hint);
    }
    log_line(LOG_WARN, "state",
             "%s: sign-ins and tokens end with this process; use --state DIR or --secret to keep them",
             path.n ? why.text : "there is no HOME to keep a secret in");
    return state_random(sh->arena, &sh->secret, err);
}

static enum status open_state(struct site_shared *sh, const struct site_options *o, struct err *err)
{
    struct state_paths paths;
    state_find(sh->arena, &o->state, &paths);
    sh->upload_folder =
        paths.folder.n ? ARENA_CAT(sh->arena, paths.folder, STR("/uploads")) : STR("/var/tmp/vitrine-uploads");
    sh->internal = internal_new(paths.internal);
    enum status st = o->state.internal.n ? internal_open(sh->internal, err) : STATUS_OK;
    if (st != STATUS_OK)
        return err_prefix(err, "--internal");
    if (o->secret.n) {
        sh->secret = arena_str(sh->arena, o->secret);
        return STATUS_OK;
    }
    return find_secret(sh, paths.secret, err);
}

static void worker_exit(struct worker *w, void *arg)
{
    (void)w;
    (void)arg;
    conn_cache_clear_thread();
}

const char *const site_lane_names[LANE_COUNT] = {
    [LANE_PAGE] = "page",       [LANE_SQL] = "sql",       [LANE_SIGN_IN] = "sign-in", [LANE_UPKEEP] = "upkeep",
    [LANE_FIGURES] = "figures", [LANE_UPLOAD] = "upload", [LANE_IMPORT] = "import",
};

static enum status start_pool(const struct settings *settings, struct pool **ret, struct err *err)
{
    int64_t sql_threads = settings->num_sql_threads;
    struct pool_lane lanes[LANE_COUNT] = {
        [LANE_PAGE] = {.threads = 2, .queue_max = LIMIT_PAGE_QUEUE, .flow_max = LIMIT_FLOW_QUEUE},
        [LANE_SQL] = {.threads = sql_threads < 1    ? 1
                                 : sql_threads > 64 ? 64
                                                    : (unsigned)sql_threads,
                      .queue_max = LIMIT_SQL_QUEUE,
                      .flow_max = LIMIT_FLOW_QUEUE,
                      .flow_threads = sql_threads > 2 ? (unsigned)MIN(sql_threads, 64) - 1 : 0, /* one for the others */
                      .nice = 10},
        /* hashing passwords: one at a time, so that no number of sign-ins takes pages their threads */
        [LANE_SIGN_IN] = {.threads = 1, .queue_max = LIMIT_SIGN_IN_QUEUE, .nice = 10},
        [LANE_UPKEEP] = {.threads = 1, .queue_max = LIMIT_UPKEEP_QUEUE, .nice = 10},
        [LANE_FIGURES] = {.threads = 1, .queue_max = LIMIT_FIGURE_QUEUE, .nice = 19},
        /* pieces of files that come in, to disk; requests that import records */
        [LANE_UPLOAD] = {.threads = 2, .queue_max = LIMIT_UPLOAD_QUEUE},
        [LANE_IMPORT] = {.threads = 2, .queue_max = LIMIT_IMPORT_QUEUE, .flow_max = LIMIT_FLOW_QUEUE, .nice = 10},
    };
    for (size_t i = 0; i < LANE_COUNT; i++)
        lanes[i].name = site_lane_names[i];
    const struct pool_config config = {
        .lanes = lanes, .lane_count = LANE_COUNT, .worker_exit = worker_exit, .spin_us = 30};
    return pool_new(&config, ret, err);
}

/* ---- generations ---- */

static void shared_free(struct site_shared *sh)
{
    if (!sh)
        return;
    if (sh->pool)
        pool_free(sh->pool);
    import_jobs_free(sh->imports);
    space_cell_free(sh->space);
    space_disk_free(sh->disk);
    throttle_free(sh->requests);
    shares_free(sh->shares);
    kept_free(sh->kept);
    api_log_free(sh->api_log);
    schedule_free(sh->schedule);
    tokens_free(sh->tokens);
    internal_free(sh->internal);
    metrics_free(sh->metrics);
    throttle_free(sh->budgets);
    arena_free(sh->arena);
}

static enum status open_space(struct site_shared *sh, const struct site_options *o, struct err *err)
{
    struct space *sp = NULL;
    if (!o->space.n)
        return STATUS_OK;
    size_t slash = str_rfind_char(o->space, '/');
    str folder = slash == STR_NPOS ? STR(".") : str_sub(o->space, 0, slash);
    sh->outbox = ARENA_CAT(sh->arena, folder, STR("/outbox"));
    enum status st = space_read(arena_cstr(sh->arena, o->space), &sp, err);
    if (st != STATUS_OK)
        return st;
    if (!sp->https && str_find(sp->origin, STR("localhost")) == STR_NPOS)
        log_line(LOG_WARN, "space", "%.*s is not https: cookies cannot be kept apart from those of other hosts",
                 STR_ARG(sp->origin));
    sh->space = space_cell_new(sp, o->space);
    sh->requests = throttle_new();
    sh->disk = space_disk_new(folder);
    return STATUS_OK;
}

static enum status shared_new(const struct site_options *o, struct site_shared **ret, struct err *err)
{
    struct arena *a = arena_new(LIMIT_SITE_ARENA);
    struct site_shared *sh = ARENA_NEW(a, struct site_shared);
    sh->arena = a;
    sh->started_unix_us = clock_unix_us();
    sh->metrics = metrics_new();
    sh->imports = import_jobs_new();
    sh->budgets = throttle_new();
    if (getrandom(&sh->id_state, sizeof sh->id_state, GRND_NONBLOCK) < 0)
        sh->id_state = (uint64_t)sh->started_unix_us; /* ids are no secrets */
    enum status st = open_space(sh, o, err);
    if (st == STATUS_OK)
        st = open_state(sh, o, err);
    if (st == STATUS_OK && o->root)
        st = state_random(a, &sh->root_token, err);
    if (st == STATUS_OK)
        sh->kept = kept_new(sh->internal);
    if (st == STATUS_OK)
        sh->shares = shares_new(sh->internal, sh->secret);
    if (st == STATUS_OK)
        sh->api_log = api_log_new(sh->internal);
    if (st == STATUS_OK)
        sh->schedule = schedule_new(sh->internal);
    if (st == STATUS_OK)
        sh->tokens = tokens_new(sh->internal);
    *ret = sh;
    return st;
}

/* What earlier generations published, so that who asks for it is told more than "not found". */
static void note_removed(struct site *s, const struct site *old)
{
    str *names = ARENA_ARRAY(s->arena, str, old->published_count + old->removed_count + 1);
    for (size_t i = 0; i < old->published_count + old->removed_count && s->removed_count < (size_t)LIMIT_REMOVED_NAMES;
         i++) {
        str name = i < old->published_count ? old->published[i]->name : old->removed[i - old->published_count];
        if (!site_find(s, name))
            names[s->removed_count++] = arena_str(s->arena, name);
    }
    s->removed = names;
}

/* What the hub limits, the configuration cannot raise. */
static void apply_space(struct site *s)
{
    struct space *sp = space_cell_get(s->shared->space);
    int64_t *ms = &s->config.settings.sql_time_limit_ms;
    if (sp->sql_ms && (!*ms || *ms > sp->sql_ms))
        *ms = sp->sql_ms;
    if (config_names_plugin(&s->config, STR("datasette-auth-passwords")) ||
        config_names_plugin(&s->config, STR("datasette-auth-tokens")))
        log_line(LOG_WARN, "space",
                 "accounts and tokens of the configuration are not used in a space: its people are "
                 "those of the hub");
    space_unref(sp);
}

static enum status fill(struct site *s, const struct site *old, const struct site_options *o, struct err *err)
{
    static const struct config nobody; /* names nobody */
    enum status st = STATUS_OK;
    if (!s->shared)
        st = shared_new(o, &s->shared, err);
    if (st == STATUS_OK)
        st = config_load(&o->config, s->arena, &s->config, err);
    if (st == STATUS_OK && s->shared->space)
        apply_space(s);
    if (st == STATUS_OK)
        st = permit_check(s->arena, &s->config, err);
    if (st == STATUS_OK)
        st = accounts_new(s->arena, s->shared->space ? &nobody : &s->config, &s->accounts, err);
    if (st == STATUS_OK && !s->shared->space)
        st = visitors_new(s->arena, &s->config, &s->visitors, err);
    if (st == STATUS_OK)
        st = rules_new(s->arena, &s->config, &s->rules, err);
    if (st == STATUS_OK)
        st = proxy_list_parse(s->config.settings.trusted_proxies, &s->proxies, err);
    if (st == STATUS_OK && s->shared->space) /* nobody but the edge reaches a space's socket */
        s->proxies.unix_peers = true;
    if (st == STATUS_OK)
        st = read_inspect(s, o->inspect_file, err);
    s->policy = (struct permit_policy){.config = &s->config, .root_enabled = o->root, .default_deny = o->default_deny};
    s->cors = o->cors;
    s->files_may_go = o->files_may_go;
    s->database_folder = o->database_folder.n ? arena_str(s->arena, o->database_folder) : (str){0};
    s->metrics_token = arena_str(s->arena, o->metrics_token);
    static_init(s);
    s->crossdb = o->crossdb;
    s->cache_headers = !o->reload;
    s->version_note = arena_str(s->arena, o->version_note);
    s->load_extensions = o->load_extensions;
    s->load_extension_count = o->load_extension_count;
    if (st == STATUS_OK)
        s->secret = s->shared->secret;
    if (st == STATUS_OK)
        s->internal = s->shared->internal;
    if (st == STATUS_OK && o->state.internal.n) /* one that may be Datasette's */
        st = kept_metadata_add(s->internal, s->arena, s->config.metadata, err);
    if (st == STATUS_OK)
        st = templates_new(s, o->template_dir, err);
    for (size_t i = 0; st == STATUS_OK && i < o->static_mount_count; i++)
        st = static_mount_add(s, o->static_mounts[i], err);
    if (st == STATUS_OK)
        st = publish_all(s, old, o, err);
    if (st == STATUS_OK && old)
        note_removed(s, old);
    if (st == STATUS_OK && !s->shared->pool)
        st = start_pool(&s->config.settings, &s->shared->pool, err);
    if (st == STATUS_OK)
        s->pool = s->shared->pool;
    if (st == STATUS_OK)
        s->kept = s->shared->kept;
    if (st == STATUS_OK)
        s->shares = s->shared->shares;
    if (st == STATUS_OK && o->cache_bytes)
        s->cache = answer_cache_new(o->cache_bytes);
    return st;
}

static void generation_free(struct site *s)
{
    accounts_free(s->accounts);
    visitors_free(s->visitors);
    answer_cache_free(s->cache);
    static_release(s);
    for (size_t i = 0; i < s->published_count; i++)
        published_unref(s->published[i]);
    template_env_free(s->templates);
    template_files_free(s->template_files);
    arena_free(s->arena);
}

static struct site *generation_new(uint64_t number)
{
    struct arena *a = arena_new(LIMIT_SITE_ARENA);
    struct site *s = ARENA_NEW(a, struct site);
    atomic_init(&s->refs, 1);
    s->arena = a;
    s->generation = number;
    return s;
}

enum status site_new(const struct site_options *o, struct site **ret_site, struct err *err)
{
    struct site *s = generation_new(1);
    enum status st = fill(s, NULL, o, err);
    if (st == STATUS_OK)
        *ret_site = s;
    else
        site_free(s);
    return st;
}

enum status site_renew(struct site *old, const struct site_options *o, struct site **ret_site, struct err *err)
{
    struct site *s = generation_new(old->generation + 1);
    s->shared = old->shared;
    enum status st = fill(s, old, o, err);
    if (st == STATUS_OK)
        *ret_site = s;
    else
        generation_free(s);
    return st;
}

struct site *site_ref(struct site *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void free_on_worker(void *arg, struct worker *w)
{
    (void)w;
    generation_free(arg);
}

void site_unref(struct site *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    if (!pool_submit(s->pool, LANE_UPKEEP, free_on_worker, s)) /* closing files takes time */
        generation_free(s);
}

static void unref_deferred(void *arg)
{
    site_unref(arg);
}

void site_hold(struct site *s, struct arena *a)
{
    arena_defer(a, unref_deferred, site_ref(s));
}

void site_stop(struct site *s)
{
    struct site_shared *sh = s->shared;
    if (!sh || !sh->pool)
        return;
    atomic_store(&sh->stopping, true);
    import_jobs_stop(sh->imports);
    pool_stop(sh->pool, POOL_DRAIN, NULL, NULL);
}

void site_free(struct site *s)
{
    if (!s)
        return;
    struct site_shared *sh = s->shared;
    site_stop(s);
    generation_free(s);
    shared_free(sh);
}

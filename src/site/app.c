/* SPDX-License-Identifier: Apache-2.0 */
#include "site/app.h"

#include <sys/random.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/conn_cache.h"
#include "db/history.h"
#include "rt/throttle.h"
#include "site/accounts.h"
#include "site/api_log.h"
#include "site/cache.h"
#include "site/internal.h"
#include "site/kept.h"
#include "site/kept_metadata.h"
#include "site/metrics.h"
#include "site/publish.h"
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
        .lanes = lanes, .lane_count = LANE_COUNT, .early = 1u << LANE_PAGE, .worker_exit = worker_exit, .spin_us = 30};
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
        publish_note_removed(s, old);
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

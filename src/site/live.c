/* SPDX-License-Identifier: Apache-2.0 */
/* live — new files, new configuration, no request lost.
 *
 *   inotify | every POLL_MS | SIGHUP --> look (upkeep lane): read folders and patterns, compare the fingerprint
 *        same: nothing.   other: site_renew --> loop: the new generation takes the place of the old one
 *        renewal refused: the log says which file and why, the old generation stays
 *
 * A request takes a reference of the generation it begins with (site_hold on its arena) and finishes on it, a stream of
 * an hour too. Nothing is locked on the way: only the loop's thread reads and sets `now`. Databases that are in both
 * generations are the same objects, so that their connections stay; that their content changed is none of our business
 * (db/database.h sees a commit or another file under the same name at once).
 *
 * The fingerprint holds the names of all files, and inode, size and time of what is read only once: configuration,
 * inspect data, files that nobody writes, files that could not be published. So a database under load does not renew
 * the site, a refused configuration is read again when it changed and not before, and a file that was still being
 * copied is published when it is whole.
 *
 * inotify does not see what other machines do on a network folder, nor new folders of a pattern: hence the slow look.
 *
 * Invariants: (1) one look at a time; what happens meanwhile leads to another one. (2) `fingerprint` belongs to the
 * look that runs. (3) the loop's thread touches no file.
 *
 * Not here: which files (sources.c), what a generation is (app.c), templates (they are read when they are used).
 * Tests: tests/site/test_live.py. */
#include "site/live.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "db/conn_cache.h"
#include "rt/watch.h"
#include "site/access.h"
#include "site/handle.h"
#include "site/history.h"
#include "site/metrics.h"
#include "site/schedule/schedule.h"
#include "site/space/follow.h"
#include "site/tokens.h"
#include "site/upload/store.h"

#define DEBOUNCE_MS 100
#define POLL_MS     5000
#define TICK_MS     1000
#define PRUNE_TICKS 600 /* between two looks at old changes in histories and at uploads that expired */

struct live {
    struct live_config config;
    struct site *now;
    struct watch *watch;
    struct space_follow *space;
    struct loop_timer poll, tick;
    unsigned ticks;
    struct loop_message message; /* from the look to the loop */
    bool busy, again, again_forced;
    /* Of the look that runs. */
    struct site *old, *result;
    uint64_t fingerprint;
    bool forced, failed;
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + UINT64_C(0x9e3779b97f4a7c15) + (hash << 6) + (hash >> 2);
    return hash * UINT64_C(0x100000001b3);
}

static uint64_t file_print(struct arena *a, str path)
{
    struct stat st;
    if (!path.n || stat(arena_cstr(a, path), &st) != 0)
        return 1;
    uint64_t hash = mix((uint64_t)st.st_dev, (uint64_t)st.st_ino);
    hash = mix(hash, (uint64_t)st.st_size);
    return mix(mix(hash, (uint64_t)st.st_mtim.tv_sec), (uint64_t)st.st_mtim.tv_nsec);
}

static bool is_written(const struct site *s, str path)
{
    for (size_t i = 0; i < s->published_count; i++)
        if (str_eq(s->published[i]->path, path))
            return s->published[i]->is_mutable;
    return false;
}

static uint64_t fingerprint(const struct site *s, const struct site_options *o, const uint64_t *file_prints,
                            uint64_t config_print)
{
    uint64_t hash = config_print;
    for (size_t i = 0; i < o->file_count; i++) {
        hash = mix(hash, str_hash(o->files[i]));
        if (!is_written(s, o->files[i]))
            hash = mix(hash, file_prints[i]);
    }
    return hash;
}

static uint64_t config_print(struct arena *a, const struct site_options *o)
{
    const str paths[] = {o->config.config_path, o->config.metadata_path, o->inspect_file};
    uint64_t hash = 1;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        hash = mix(mix(hash, str_hash(paths[i])), file_print(a, paths[i]));
    hash = mix(hash, str_hash(o->template_dir));
    for (size_t i = 0; i < o->static_mount_count; i++)
        hash = mix(hash, str_hash(o->static_mounts[i]));
    return hash;
}

/* ---- upkeep lane ---- */

static enum status look(struct live *l, struct arena *a, struct err *err)
{
    struct site_options o;
    enum status st = sources_expand(l->config.sources, true, a, &o, err);
    if (st != STATUS_OK)
        return st;
    uint64_t config = config_print(a, &o), *files = ARENA_ARRAY(a, uint64_t, o.file_count + 1);
    for (size_t i = 0; i < o.file_count; i++)
        files[i] = file_print(a, o.files[i]);
    uint64_t found = fingerprint(l->old, &o, files, config);
    if (found == l->fingerprint && !l->forced)
        return STATUS_OK;
    l->fingerprint = found;
    st = site_renew(l->old, &o, &l->result, err);
    if (st == STATUS_OK)
        l->fingerprint = fingerprint(l->result, &o, files, config);
    if (st == STATUS_OK)
        history_configured(l->result);
    if (st == STATUS_OK)
        schedule_configure(l->result);
    return st;
}

static void on_looked(void *arg);

static void look_on_worker(void *arg, struct worker *w)
{
    struct live *l = arg;
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    (void)w;
    if (l->forced)
        conn_cache_drop(NULL);
    l->failed = look(l, a, &err) != STATUS_OK;
    if (l->failed)
        log_line(LOG_ERROR, "site", "the change is refused, all stays as it was: %s", err.text);
    arena_free(a);
    l->message = (struct loop_message){.fn = on_looked, .arg = l};
    loop_post_message(l->config.loop, &l->message);
}

/* ---- loop's thread ---- */

static void begin(struct live *l, bool forced)
{
    if (l->busy) {
        l->again = true;
        l->again_forced |= forced;
        return;
    }
    l->busy = true;
    l->forced = forced;
    l->old = site_ref(l->now);
    if (!pool_submit(l->now->pool, LANE_UPKEEP, look_on_worker, l)) { /* the process is stopping */
        site_unref(l->old);
        l->busy = false;
    }
}

static void say_renewed(const struct site *old, const struct site *now)
{
    int64_t added = 0, gone = 0;
    for (size_t i = 0; i < now->published_count; i++)
        added += !site_find(old, now->published[i]->name);
    for (size_t i = 0; i < old->published_count; i++)
        gone += !site_find(now, old->published[i]->name);
    LOG_WITH(LOG_INFO, "site", STR("renewed"), LOG_I64("databases", (int64_t)now->published_count),
             LOG_I64("added", added), LOG_I64("removed", gone), LOG_I64("generation", (int64_t)now->generation));
    if (old->config.settings.num_sql_threads != now->config.settings.num_sql_threads)
        log_line(LOG_WARN, "site", "num_sql_threads is read at start only: start the program again to change it");
}

static void on_looked(void *arg)
{
    struct live *l = arg;
    bool again = l->again, forced = l->again_forced, renewed = l->result != NULL;
    if (renewed) {
        say_renewed(l->old, l->result);
        site_unref(l->now);
        l->now = l->result;
        l->result = NULL;
    }
    site_unref(l->old);
    if (renewed || l->failed)
        metric_add(renewed ? METRIC_RENEWALS : METRIC_RENEWALS_REFUSED, 1);
    l->busy = l->again = l->again_forced = false;
    if (l->config.done && (renewed || l->failed))
        l->config.done(l->config.arg, renewed);
    if (again)
        begin(l, forced);
}

static void on_change(void *arg, unsigned id)
{
    (void)id;
    begin(arg, false);
}

static void on_poll(void *arg)
{
    struct live *l = arg;
    if (!l->busy)
        begin(l, false);
    loop_timer_after_ms(l->config.loop, &l->poll, POLL_MS);
}

static void prune_on_worker(void *arg, struct worker *w)
{
    (void)w;
    history_prune_all(arg);
    upload_sweep(arg);
    site_unref(arg);
}

/* Imports that are due begin. */
static void on_tick(void *arg)
{
    struct live *l = arg;
    schedule_tick(l->now);
    tokens_tick(l->now->shared->tokens, l->now->pool, LANE_UPKEEP);
    if (l->ticks++ % PRUNE_TICKS == 0) {
        struct site *s = site_ref(l->now);
        if (!pool_submit(s->pool, LANE_UPKEEP, prune_on_worker, s))
            site_unref(s);
    }
    loop_timer_after_ms(l->config.loop, &l->tick, TICK_MS);
}

void live_renew(struct live *l)
{
    begin(l, true);
}

struct site *live_site(const struct live *l)
{
    return l->now;
}

void live_handle(void *live, struct http_exchange *x)
{
    struct live *l = live;
    site_handle(l->now, x);
}

void live_access(void *live, const struct http_access *a)
{
    struct live *l = live;
    metrics_count(l->now->shared->metrics, a);
    if (l->config.access_log)
        access_log(l->now, a);
}

struct http_sink *live_body_sink(void *live, struct http_exchange *x)
{
    struct live *l = live;
    return site_body_sink(l->now, x);
}

int64_t live_body_limit(void *live, const struct http_request *rq)
{
    struct live *l = live;
    return site_body_limit(l->now, rq);
}

static enum status watch_all(struct live *l, struct arena *a, const struct site_options *o, struct err *err)
{
    const str *folders, files[] = {o->config.config_path, o->config.metadata_path, o->inspect_file};
    size_t n = sources_folders(l->config.sources, a, &folders);
    enum status st = watch_new(l->config.loop, DEBOUNCE_MS, on_change, l, &l->watch, err);
    for (size_t i = 0; st == STATUS_OK && i < n; i++)
        st = watch_add(l->watch, folders[i], WATCH_FOLDER, NULL, err);
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(files); i++)
        if (files[i].n)
            st = watch_add(l->watch, files[i], WATCH_FILE, NULL, err);
    return st;
}

static enum status first_generation(struct live *l, struct arena *a, struct err *err)
{
    struct site_options o;
    struct err why = ERR_INIT;
    enum status st = sources_expand(l->config.sources, false, a, &o, err);
    if (st != STATUS_OK)
        return st;
    if (l->config.watch && watch_all(l, a, &o, &why) != STATUS_OK)
        log_line(LOG_WARN, "site", "changes are looked for every %d s only: %s", POLL_MS / 1000, why.text);
    uint64_t config = config_print(a, &o), *files = ARENA_ARRAY(a, uint64_t, o.file_count + 1);
    for (size_t i = 0; i < o.file_count; i++)
        files[i] = file_print(a, o.files[i]);
    st = site_new(&o, &l->now, err);
    if (st == STATUS_OK)
        l->fingerprint = fingerprint(l->now, &o, files, config);
    if (st == STATUS_OK)
        history_configured(l->now);
    if (st == STATUS_OK)
        schedule_configure(l->now);
    return st;
}

/* Members and their sessions need nothing of this generation; what the settings take part in does. */
static void on_space(void *arg, bool settings)
{
    if (settings)
        begin(arg, true);
}

static void follow_space(struct live *l)
{
    const struct site_options *o = l->config.sources->base;
    const struct space_follow_config c = {.loop = l->config.loop,
                                          .pool = l->now->pool,
                                          .lane =
                                              LANE_PAGE, /* a short one: who was taken away is out within a second */
                                          .path = o->space,
                                          .cell = l->now->shared->space,
                                          .changed = on_space,
                                          .arg = l};
    if (c.cell)
        l->space = space_follow_new(&c);
}

enum status live_new(const struct live_config *config, struct live **ret, struct err *err)
{
    struct live *l = MEM_NEW(struct live);
    struct arena *a = arena_new(0);
    l->config = *config;
    loop_timer_init(&l->poll, on_poll, l);
    loop_timer_init(&l->tick, on_tick, l);
    enum status st = first_generation(l, a, err);
    arena_free(a);
    if (st != STATUS_OK) {
        live_free(l);
        return st;
    }
    if (config->watch)
        loop_timer_after_ms(config->loop, &l->poll, POLL_MS);
    loop_timer_after_ms(config->loop, &l->tick, TICK_MS);
    follow_space(l);
    *ret = l;
    return STATUS_OK;
}

void live_free(struct live *l)
{
    if (!l)
        return;
    if (l->now)
        site_stop(l->now);
    while (l->busy && loop_run_once(l->config.loop, 0, NULL) == STATUS_OK) /* the last look has posted its end */
        l->again = false;
    loop_timer_cancel(l->config.loop, &l->poll);
    loop_timer_cancel(l->config.loop, &l->tick);
    space_follow_free(l->space);
    watch_free(l->watch);
    site_free(l->now);
    free(l);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* life — one app: what it is to be, what it is, and the way from one to the other.
 *
 *   STEADY --deploy--> STARTING --all new ones well--> RETIRING --old ones gone--> STEADY
 *                         `--one ended, or too late--> FAILING --new ones gone--> STEADY
 *   STEADY --remove--> REMOVING --all gone--> freed
 *
 * Invariants: (1) One change at a time; a second one is refused. (2) The version that serves (versions[0]) changes only
 * when every unit of the new one is well, and for all of them in one table. (3) A failed deploy leaves nothing behind
 * and the old version never stopped. (4) A unit of the serving version that ends is replaced, at
 * once when it had been well for a while, else after growing pauses. (5) The state file is written after each change of
 * what an app is to be. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "edge/edge_impl.h"
#include "rt/fault.h"

#define PAUSE_LOOK_MS 5

const struct sm_state life_states[LIFE_STATES] = {
    [LIFE_STEADY] = {"steady", SM_TO(LIFE_STARTING) | SM_TO(LIFE_RETIRING) | SM_TO(LIFE_REMOVING), SM_INITIAL},
    [LIFE_STARTING] = {"starting", SM_TO(LIFE_RETIRING) | SM_TO(LIFE_FAILING), 0},
    [LIFE_RETIRING] = {"retiring", SM_TO(LIFE_STEADY), 0},
    [LIFE_FAILING] = {"failing", SM_TO(LIFE_STEADY), 0},
    [LIFE_REMOVING] = {"removing", 0, SM_FINAL},
};

const struct edge_spec *life_spec(const struct life *l)
{
    return l->version_count ? &l->versions[0].spec : NULL;
}

uint32_t life_serving(const struct life *l)
{
    return l->version_count && sm_state(&l->sm) != LIFE_REMOVING ? l->versions[0].number : 0;
}

size_t life_wanted(const struct edge_spec *spec)
{
    return spec->run.n ? (size_t)spec->replicas : value_count(spec->to);
}

/* One whose probes fail is left out while there is another; the last one stays: its own errors say more than ours. */
bool life_serves(const struct life *l, const struct unit *u)
{
    if (u->version != life_serving(l) || sm_state(&u->sm) != UNIT_READY)
        return false;
    bool better = false;
    for (const struct unit *o = l->units; o && u->down; o = o->next)
        better = better || (o->version == u->version && sm_state(&o->sm) == UNIT_READY && !o->down);
    return !better;
}

static size_t count_units(const struct life *l, uint32_t version, enum unit_state from, enum unit_state to)
{
    size_t n = 0;
    for (const struct unit *u = l->units; u; u = u->next)
        n += u->version == version && sm_state(&u->sm) >= from && sm_state(&u->sm) <= to;
    return n;
}

size_t life_units_up(const struct life *l)
{
    return count_units(l, life_serving(l), UNIT_STARTING, UNIT_READY);
}

/* ---- making and freeing ---- */

static void on_deadline(void *arg);
static void on_idle(void *arg);

struct life *life_new(struct edge *e, str name)
{
    struct life *l = MEM_NEW(struct life);
    l->edge = e;
    sm_init(&l->sm, "app", life_states, LIFE_STATES, LIFE_STEADY);
    l->app = map_get(e->apps, name);
    if (!l->app) {
        l->app = edge_app_new(name, e->config->loops);
        l->app->owner = e;
        map_put(e->apps, name, l->app);
    }
    loop_timer_init(&l->deadline, on_deadline, l);
    rest_init(l);
    loop_timer_init(&l->idle, on_idle, l);
    return l;
}

static void version_release(struct version *v)
{
    arena_free(v->arena);
    *v = (struct version){0};
}

void life_free(struct life *l)
{
    struct loop *loop = l->edge->loop;
    ASSERT(!l->units);
    loop_timer_cancel(loop, &l->deadline);
    loop_timer_cancel(loop, &l->idle);
    rest_release(l);
    for (size_t i = 0; i < l->version_count; i++)
        version_release(&l->versions[i]);
    version_release(&l->coming);
    free(l->message);
    free(l->origin);
    free(l->line);
    free(l);
}

static bool busy(const struct life *l, struct job *job)
{
    struct err err = ERR_INIT;
    if (heir_frozen(l->edge)) { /* of our own making: a folder or labels that changed; the heir looks at them too */
        err_set(&err, STATUS_BUSY, "%s: the edge is being upgraded", l->app->name);
        job_end(job, &err);
        return true;
    }
    if (!l->job && sm_state(&l->sm) == LIFE_STEADY)
        return false;
    err_set(&err, STATUS_CONFLICT, "%s: %s is under way", l->app->name, l->job ? l->job->what : "another change");
    err_hint(&err, "Wait until it is done; vitrine status shows how far it is.");
    job_end(job, &err);
    return true;
}

static void job_done(struct life *l, const struct err *err)
{
    struct job *job = l->job;
    l->job = NULL;
    if (job)
        job_end(job, err);
}

/* ---- the way of a deploy ---- */

static void retire_all_but(struct life *l, uint32_t version)
{
    struct unit *next;
    for (struct unit *u = l->units; u; u = next) {
        next = u->next;
        if (u->version != version)
            unit_retire(u);
    }
}

static void publish(struct life *l)
{
    edge_publish(l->edge);
}

/* The workers have table `version`: what is no longer in it has less in hand from now on, never more. */
void life_published(struct life *l, uint64_t version)
{
    struct unit *next;
    for (struct unit *u = l->units; u; u = next) {
        next = u->next;
        unit_drain_began(u, version);
    }
    if (l->pause_job && l->pause_from <= version && !loop_timer_armed(&l->idle))
        on_idle(l);
}

/* Nothing of it is left. */
static void end_life(struct life *l)
{
    if (l->ended)
        return;
    l->ended = true;
    map_remove(l->edge->lives, str_of(l->app->name));
    job_done(l, NULL);
    if (l->pause_job)
        job_end(l->pause_job, NULL);
    l->pause_job = NULL;
    loop_defer(l->edge->loop, (void (*)(void *))life_free, l);
}

static void check_failed(struct life *l)
{
    if (sm_state(&l->sm) != LIFE_FAILING || count_units(l, l->coming.number, UNIT_STARTING, UNIT_GONE))
        return;
    struct err err = l->job->err;
    version_release(&l->coming);
    sm_move(&l->sm, LIFE_STEADY);
    job_done(l, &err);
    if (!l->version_count)
        end_life(l);
}

static void fail(struct life *l, const char *why)
{
    struct err err = ERR_INIT;
    err_set(&err, STATUS_TIMEOUT, "the new version of %s %s; the old one goes on", l->app->name, why);
    if (!l->version_count)
        err_set(&err, STATUS_TIMEOUT, "the first version of %s %s", l->app->name, why);
    err_hint(&err, "vitrine logs %s shows what it wrote.", l->app->name);
    for (struct unit *u = l->units; u; u = u->next)
        if (u->version == l->coming.number)
            job_line(l->job, "%s: %s%s%s", u->instance->name, u->exited ? u->exit_text : "", u->exited ? "; " : "",
                     u->probe.text);
    loop_timer_cancel(l->edge->loop, &l->deadline);
    (void)FAULT("edge.deploy.failed");
    l->job->err = err; /* told when the new ones are gone */
    sm_move(&l->sm, LIFE_FAILING);
    struct unit *next;
    for (struct unit *u = l->units; u; u = next) {
        next = u->next;
        if (u->version == l->coming.number)
            unit_retire(u);
    }
    publish(l);
    check_failed(l);
}

static void on_deadline(void *arg)
{
    struct life *l = arg;
    char text[80];
    (void)snprintf(text, sizeof(text), "was not healthy within %.3g s", (double)l->coming.spec.deploy_ms / 1000);
    fail(l, text);
}

static void push_version(struct life *l)
{
    if (l->version_count > LIMIT_EDGE_VERSIONS)
        version_release(&l->versions[--l->version_count]);
    memmove(l->versions + 1, l->versions, l->version_count * sizeof(l->versions[0]));
    l->versions[0] = l->coming;
    l->versions[0].since_unix_s = clock_unix_s();
    l->version_count++;
    l->coming = (struct version){0};
}

static void check_retired(struct life *l, bool saved)
{
    for (struct unit *u = l->units; u; u = u->next)
        if (u->version != life_serving(l))
            return;
    sm_move(&l->sm, LIFE_STEADY);
    if (!saved)
        edge_save(l->edge);
    (void)FAULT("edge.deploy.done");
    job_line(l->job, "done");
    job_done(l, NULL);
}

static void switch_over(struct life *l)
{
    size_t old = 0;
    loop_timer_cancel(l->edge->loop, &l->deadline);
    push_version(l);
    l->failures = 0;
    loop_timer_cancel(l->edge->loop, &l->restart);
    sm_move(&l->sm, LIFE_RETIRING);
    for (struct unit *u = l->units; u; u = u->next)
        old += u->version != life_serving(l);
    retire_all_but(l, life_serving(l));
    rest_look(l);
    (void)FAULT("edge.deploy.switch");
    publish(l);
    if (life_spec(l)->sleep_ms)
        rest_reserve(l->edge);
    edge_save(l->edge);
    (void)FAULT("edge.deploy.switched");
    job_line(l->job, "version %u %s%s", life_serving(l),
             sm_state(&l->rest) == REST_AWAKE ? "serves" : "is written down; the next request starts it",
             old ? "; the old one finishes what it has in hand" : "");
    check_retired(l, true);
}

static void check_started(struct life *l)
{
    uint32_t n = l->coming.number;
    for (struct unit *u = l->units; u; u = u->next) {
        if (u->version == n && u->exited) {
            char text[160];
            (void)snprintf(text, sizeof(text), "did not stay up (%s)", u->exit_text);
            fail(l, text);
            return;
        }
    }
    if (count_units(l, n, UNIT_READY, UNIT_READY) == life_wanted(&l->coming.spec))
        switch_over(l);
}

static void begin(struct life *l)
{
    const struct edge_spec *spec = &l->coming.spec;
    struct err err = ERR_INIT;
    sm_move(&l->sm, LIFE_STARTING);
    loop_timer_after_ms(l->edge->loop, &l->deadline, spec->deploy_ms);
    for (size_t i = 0; i < life_wanted(spec); i++) {
        struct unit *u;
        if (unit_start(l, l->coming.number, spec, i, &u, &err) != STATUS_OK) {
            char text[400];
            (void)snprintf(text, sizeof(text), "cannot be started: %.300s", err.text);
            fail(l, text);
            return;
        }
    }
    edge_save(l->edge); /* after a kill -9 the next edge ends what was being started */
    (void)FAULT("edge.deploy.started");
    if (!l->version_count)
        publish(l); /* its visitors wait */
    if (spec->redirect.n)
        switch_over(l);
    else
        job_line(l->job, "version %u: %zu instance%s started; waiting until %s answer%s", l->coming.number,
                 life_wanted(spec), life_wanted(spec) == 1 ? "" : "s", life_wanted(spec) == 1 ? "it" : "they",
                 life_wanted(spec) == 1 ? "s" : "");
}

void life_deploy(struct life *l, struct arena *arena, const struct edge_spec *spec, bool asleep, struct job *job)
{
    if (busy(l, job)) {
        arena_free(arena);
        return;
    }
    l->job = job;
    l->coming = (struct version){.number = ++l->last_number, .arena = arena, .spec = *spec};
    if (!asleep || !spec->sleep_ms || !rest_runs_nothing(l)) {
        begin(l);
        return;
    }
    sm_move(&l->sm, LIFE_STARTING);
    switch_over(l);
}

void life_rollback(struct life *l, bool asleep, struct job *job)
{
    struct err err = ERR_INIT;
    if (busy(l, job))
        return;
    if (l->version_count < 2) {
        err_set(&err, STATUS_NOT_FOUND, "%s has no earlier version", l->app->name);
        job_end(job, &err);
        return;
    }
    struct arena *arena = arena_new_small();
    struct edge_spec spec;
    edge_spec_copy(arena, &l->versions[1].spec, &spec);
    job_line(job, "back to what version %u was", l->versions[1].number);
    life_deploy(l, arena, &spec, asleep, job);
}

void life_remove(struct life *l, struct job *job)
{
    if (busy(l, job))
        return;
    l->job = job;
    sm_move(&l->sm, LIFE_REMOVING);
    loop_timer_cancel(l->edge->loop, &l->restart);
    retire_all_but(l, 0);
    publish(l);
    edge_save(l->edge);
    (void)FAULT("edge.remove");
    if (!l->units)
        end_life(l);
}

/* ---- units that end ---- */

void life_thaw(struct life *l)
{
    rest_thaw(l);
}

static void remove_unit(struct life *l, struct unit *u)
{
    struct unit **at = &l->units;
    while (*at != u)
        at = &(*at)->next;
    *at = u->next;
    loop_defer(l->edge->loop, (void (*)(void *))unit_free, u);
}

static void unit_gone(struct life *l, struct unit *u)
{
    struct edge *e = l->edge;
    remove_unit(l, u);
    rest_look(l);
    if (sm_state(&l->sm) == LIFE_RETIRING)
        check_retired(l, false);
    check_failed(l);
    if (sm_state(&l->sm) == LIFE_REMOVING && !l->units)
        end_life(l);
    edge_check_stopped(e);
}

void life_unit_changed(struct unit *u)
{
    struct life *l = u->life;
    unsigned st = sm_state(&u->sm);
    bool coming = l->coming.number && u->version == l->coming.number;
    if (st == UNIT_GONE) {
        unit_gone(l, u);
        return;
    }
    if (coming) {
        if (sm_state(&l->sm) == LIFE_STARTING)
            check_started(l);
        return;
    }
    if (u->exited && st <= UNIT_READY) {
        int64_t lived_us = loop_now_us(l->edge->loop) - u->began_us;
        bool ours = u->version == life_serving(l);
        enum edge_trouble trouble = u->out_of_memory ? EDGE_OUT_OF_MEMORY
                                    : u->ready_us    ? EDGE_CRASHED
                                                     : EDGE_NOT_STARTED;
        char why[sizeof(u->exit_text)];
        memcpy(why, u->exit_text, sizeof(why));
        unit_retire(u); /* may free the last one of a life that is on its way out */
        if (ours)
            rest_ended(l, lived_us, trouble, why);
        else
            publish(l);
        return;
    }
    if (u->version == life_serving(l) && st == UNIT_READY) {
        if (sm_state(&l->rest) == REST_WAKING)
            (void)FAULT("edge.woken");
        rest_look(l);
        publish(l);
        if (!life_spec(l)->sleep_ms)
            edge_save(l->edge);
    }
}

void life_unit_late(struct unit *u)
{
    struct life *l = u->life;
    char why[96];
    (void)snprintf(why, sizeof(why), "was not healthy within %.3g s", (double)life_spec(l)->deploy_ms / 1000);
    log_line(LOG_WARN, "edge", "%s %s", u->instance->name, why);
    unit_retire(u);
    rest_ended(l, 0, EDGE_NOT_STARTED, why);
}

/* ---- pause ---- */

static uint32_t in_hand(const struct life *l)
{
    uint32_t n = 0;
    if (l->pause == EDGE_PAUSED_WRITES)
        return edge_app_writes(l->app) + edge_predecessor_lives(l->edge);
    for (const struct unit *u = l->units; u; u = u->next)
        n += edge_instance_busy(u->instance) + (u->adopted && edge_predecessor_lives(l->edge));
    return n;
}

static void on_idle(void *arg)
{
    struct life *l = arg;
    struct job *job = l->pause_job;
    uint32_t n = in_hand(l);
    if (!job)
        return;
    if (n && loop_now_us(l->edge->loop) < l->pause_until_us && l->pause != EDGE_RUNNING) {
        loop_timer_after_ms(l->edge->loop, &l->idle, PAUSE_LOOK_MS);
        return;
    }
    l->pause_job = NULL;
    if (n && l->pause != EDGE_RUNNING)
        job_line(job, "%u requests that began before are still in hand", n);
    job_end(job, NULL);
}

void life_pause(struct life *l, enum edge_pause pause, str message, struct job *job)
{
    struct err err = ERR_INIT;
    if (!l->version_count) {
        err_set(&err, STATUS_NOT_FOUND, "%s serves nothing yet", l->app->name);
        job_end(job, &err);
        return;
    }
    if (l->pause_job) {
        err_set(&err, STATUS_CONFLICT, "%s is being paused already", l->app->name);
        job_end(job, &err);
        return;
    }
    l->pause = pause;
    l->pause_since_s = pause == EDGE_RUNNING ? 0 : clock_unix_s();
    free(l->message);
    l->message = message.n ? mem_cstr(message) : NULL;
    l->pause_until_us = loop_now_us(l->edge->loop) + life_spec(l)->drain_ms * 1000;
    edge_save(l->edge);
    (void)FAULT("edge.pause");
    if (pause == EDGE_RUNNING) {
        publish(l);
        job_end(job, NULL);
        return;
    }
    l->pause_job = job;
    l->pause_from = l->edge->table_version + 1;
    publish(l);
}

/* ---- state ---- */

static const char *const pause_names[] = {"running", "paused", "writes paused", "stopped"};

struct value life_value(struct arena *a, const struct life *l, bool for_state)
{
    struct value v = value_dict(a), units = value_list(a), versions = value_list(a), strays = value_list(a);
    VALUE_SET(v, "name", value_cstr(l->app->name));
    VALUE_SET(v, "traffic", value_cstr(pause_names[l->pause]));
    if (l->origin)
        VALUE_SET(v, "from", value_str(arena_str(a, str_of(l->origin))));
    if (l->message)
        VALUE_SET(v, "message", value_cstr(l->message));
    if (l->pause_since_s)
        VALUE_SET(v, "traffic_since", value_int(l->pause_since_s));
    VALUE_SET(v, "last_number", value_int(l->last_number));
    if (!for_state) {
        VALUE_SET(v, "state", value_cstr(sm_state_name(&l->sm)));
        VALUE_SET(v, "doing", l->job ? value_cstr(l->job->what) : VALUE_NULL);
        VALUE_SET(v, "waiting", value_int(atomic_load_explicit(&l->app->waiting, memory_order_relaxed)));
        VALUE_SET(v, "in_hand", value_int(edge_app_in_hand(l->app)));
        rest_value(a, l, v);
    }
    for (size_t i = 0; i < l->version_count; i++) {
        struct value one = value_dict(a);
        VALUE_SET(one, "number", value_int(l->versions[i].number));
        VALUE_SET(one, "since", value_int(l->versions[i].since_unix_s));
        VALUE_SET(one, "spec", edge_spec_value(a, &l->versions[i].spec));
        value_push(versions, one);
    }
    for (const struct unit *u = l->units; u; u = u->next)
        if (!for_state || (u->version == life_serving(l) && sm_state(&u->sm) <= UNIT_READY && !u->own))
            value_push(units, unit_value(a, u));
    for (const struct unit *u = l->units; for_state && u; u = u->next)
        if (u->proc && u->version != life_serving(l) && !u->own)
            value_push(strays, unit_value(a, u));
    if (for_state)
        VALUE_SET(v, "strays", strays); /* started for a version that does not serve: not, or no longer */
    VALUE_SET(v, "versions", versions);
    VALUE_SET(v, "instances", units);
    for (int i = 0; !for_state && i < EDGE_COUNTERS; i++)
        value_set(v, str_of(edge_counter_names[i]), value_int((int64_t)edge_app_count(l->app, (enum edge_counter)i)));
    return v;
}

static void restore_versions(struct life *l, struct value list)
{
    for (size_t i = 0; i < value_count(list) && l->version_count <= LIMIT_EDGE_VERSIONS; i++) {
        struct value one = value_at(list, i);
        struct version v = {.arena = arena_new_small(),
                            .number = (uint32_t)VALUE_GET(one, "number").i,
                            .since_unix_s = VALUE_GET(one, "since").i};
        struct err err = ERR_INIT;
        if (edge_spec_read(v.arena, VALUE_GET(one, "spec"), &v.spec, &err) == STATUS_OK) {
            l->versions[l->version_count++] = v;
        } else {
            log_line(LOG_ERROR, "edge", "state file: %s: %s", l->app->name, err.text);
            arena_free(v.arena);
        }
    }
}

void life_restore(struct life *l, struct value saved)
{
    str traffic = value_get_text(saved, STR("traffic")), message = value_get_text(saved, STR("message"));
    str origin = value_get_text(saved, STR("from"));
    struct value units = VALUE_GET(saved, "instances"), last = VALUE_GET(saved, "last_number");
    struct err err = ERR_INIT;
    struct unit *u;
    strays_end_listed(l->edge, VALUE_GET(saved, "strays"));
    restore_versions(l, VALUE_GET(saved, "versions"));
    for (size_t i = 0; i < ARRAY_LEN(pause_names); i++)
        if (str_is(traffic, pause_names[i]))
            l->pause = (enum edge_pause)i;
    l->message = message.n ? mem_cstr(message) : NULL;
    l->pause_since_s = MAX(0, VALUE_GET(saved, "traffic_since").i);
    l->origin = origin.n ? mem_cstr(origin) : NULL;
    l->last_number = last.kind == VALUE_INT ? (uint32_t)last.i : 0;
    const struct edge_spec *spec = life_spec(l);
    if (!spec)
        return;
    l->last_number = MAX(l->last_number, life_serving(l));
    for (size_t i = 0; spec->run.n && i < MIN(value_count(units), life_wanted(spec)); i++)
        if (unit_adopt(l, life_serving(l), spec, value_at(units, i), &u, &err) == STATUS_OK)
            log_line(LOG_INFO, "edge", "%s goes on with process %d", u->instance->name, (int)proc_pid(u->proc));
    for (size_t i = spec->sleep_ms && !l->units ? life_wanted(spec) : life_units_up(l); i < life_wanted(spec); i++)
        if (unit_restore(l, life_serving(l), spec, i, units, &u, &err) != STATUS_OK) {
            log_line(LOG_ERROR, "edge", "%s: %s", l->app->name, err.text);
            rest_ended(l, 0, EDGE_NOT_STARTED, err.text);
            return;
        }
    rest_look(l);
}

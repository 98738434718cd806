/* SPDX-License-Identifier: Apache-2.0 */
/* rest — when the instances of an app run: asleep and awake, and what happens when they end by themselves.
 *
 *   AWAKE --nothing asked for sleep_seconds--> DROWSY --units are gone--> ASLEEP --somebody waits--> WAKING --well-->
 * AWAKE
 *     `--its last one ended--> DOWN --the pause is over--> WAKING            `------ never well, ended -------> DOWN
 *
 * The state is not kept but found (rest_look): it says what units there are, so nothing can be out of date. Only
 * passing from one to another does something: AWAKE arms the timer that looks whether anybody still asks.
 *
 * Falling asleep is a change of the table like any other: the instances are taken out of it, what is in hand ends, then
 * they stop (unit.c). A request that comes after the table waits in the app's queue (hold.c), and its loop tells the
 * control thread (edge_app.wake), once for all that wait; they go when the first instance is well. So no request is
 * lost on the way to sleep or out of it, and none reaches a process that is being stopped.
 *
 * Nothing of this is written: the state file may say of a sleeping app that it runs, or the other way round.
 * After a start of the edge an app with sleep_seconds has the processes that are really there and else sleeps; one that
 * nobody wrote down is ended by its mark (strays.c). What must not be used twice are the numbers of instances, which
 * name sockets: they are taken in blocks (rest_reserve).
 *
 * An upgrade freezes starts and stops, but not waking: a request over TLS that waits here cannot go to the new process.
 * What is woken then is this process's own (unit.own): it is not in the state file and ends with it.
 *
 * Ended by itself: it is started again at once, then after growing pauses, the first after STABLE_US of a good life
 * anew. While a pause is long nobody has to wait for it: visitors read since when and until when (target.trouble). */
#include "base/clock.h"
#include "base/log.h"
#include "edge/edge_impl.h"
#include "rt/fault.h"

#define RESTART_FIRST_MS 20
#define RESTART_MAX_MS   30000
#define STABLE_US        INT64_C(10000000) /* a unit that lived so long ended by accident: no back-off */
#define TELL_MS          1000              /* a longer pause is told instead of waited for */
#define NUMBERS          1000              /* of instances that are reserved at once */

const struct sm_state rest_states[REST_STATES] = {
    [REST_ASLEEP] = {"asleep", SM_TO(REST_WAKING) | SM_TO(REST_AWAKE) | SM_TO(REST_DOWN), SM_INITIAL},
    [REST_WAKING] = {"waking", SM_TO(REST_AWAKE) | SM_TO(REST_DOWN) | SM_TO(REST_DROWSY) | SM_TO(REST_ASLEEP), 0},
    [REST_AWAKE] = {"awake", SM_TO(REST_DROWSY) | SM_TO(REST_WAKING) | SM_TO(REST_DOWN) | SM_TO(REST_ASLEEP), 0},
    [REST_DROWSY] = {"falling asleep", SM_TO(REST_ASLEEP) | SM_TO(REST_WAKING) | SM_TO(REST_AWAKE) | SM_TO(REST_DOWN),
                     0},
    [REST_DOWN] = {"down", SM_TO(REST_WAKING) | SM_TO(REST_AWAKE) | SM_TO(REST_DROWSY) | SM_TO(REST_ASLEEP), 0},
};

static bool sleeper(const struct life *l)
{
    const struct edge_spec *spec = life_spec(l);
    return spec && spec->sleep_ms > 0;
}

bool rest_runs_nothing(const struct life *l)
{
    unsigned st = sm_state(&l->rest);
    return st == REST_ASLEEP || st == REST_DROWSY || st == REST_DOWN;
}

static enum rest_state found(const struct life *l)
{
    bool starting = false, left = false;
    for (const struct unit *u = l->units; u; u = u->next) {
        if (life_serves(l, u))
            return REST_AWAKE;
        starting = starting || (u->version == life_serving(l) && sm_state(&u->sm) == UNIT_STARTING);
        left = left || u->version != l->coming.number;
    }
    return starting                               ? REST_WAKING
           : loop_timer_armed(&l->restart)        ? REST_DOWN
           : left                                 ? REST_DROWSY
           : life_spec(l) && !life_spec(l)->run.n ? REST_AWAKE /* a redirect, or elsewhere */
                                                  : REST_ASLEEP;
}

static void look_in(struct life *l, int64_t at_us)
{
    loop_timer_at(l->edge->loop, &l->quiet, at_us);
}

void rest_look(struct life *l)
{
    enum rest_state now = found(l);
    bool same = now == sm_state(&l->rest);
    if (same && l->looked_at == life_serving(l))
        return;
    l->looked_at = life_serving(l); /* a new version may sleep after another time, or not at all */
    if (!same)
        sm_move(&l->rest, now);
    if (now == REST_ASLEEP && !same)
        (void)FAULT("edge.asleep");
    if (now != REST_AWAKE) {
        loop_timer_cancel(l->edge->loop, &l->quiet);
        return;
    }
    l->awake_us = loop_now_us(l->edge->loop);
    loop_timer_cancel(l->edge->loop, &l->quiet);
    if (sleeper(l))
        look_in(l, l->awake_us + life_spec(l)->sleep_ms * 1000);
}

/* ---- to sleep ---- */

static bool may_sleep(const struct life *l)
{
    const struct edge *e = l->edge;
    bool held = atomic_load_explicit(&l->app->waiting, memory_order_relaxed) || edge_app_in_hand(l->app);
    for (const struct unit *u = l->units; u && !held; u = u->next)
        held = u->adopted && edge_predecessor_lives(e); /* its requests are not counted here */
    return !held && !l->job && sm_state(&l->sm) == LIFE_STEADY && !e->heir.waiting && !heir_frozen(e) && !e->stopping;
}

static void on_quiet(void *arg)
{
    struct life *l = arg;
    int64_t now_us = loop_now_us(l->edge->loop), sleep_us = sleeper(l) ? life_spec(l)->sleep_ms * 1000 : 0;
    int64_t due_us = MAX(l->awake_us, edge_app_last_us(l->app)) + sleep_us;
    if (!sleep_us)
        return;
    if (due_us > now_us || !may_sleep(l)) {
        look_in(l, due_us > now_us ? due_us : now_us + sleep_us);
        return;
    }
    log_line(LOG_INFO, "edge", "%s falls asleep", l->app->name);
    for (struct unit *u = l->units, *next; u; u = next) {
        next = u->next;
        unit_retire(u);
    }
    (void)FAULT("edge.sleep");
    rest_look(l);
    edge_publish(l->edge);
}

/* ---- awake ---- */

void rest_reserve(struct edge *e)
{
    if (e->instance_reserved < e->instance_id + NUMBERS / 2)
        e->instance_reserved = e->instance_id + NUMBERS;
}

static void start_missing(struct life *l)
{
    const struct edge_spec *spec = life_spec(l);
    struct err err = ERR_INIT;
    struct unit *u;
    if (sleeper(l) && l->edge->instance_id + LIMIT_EDGE_REPLICAS > l->edge->instance_reserved) {
        rest_reserve(l->edge);
        edge_save(l->edge);
    }
    for (size_t n = life_units_up(l); n < life_wanted(spec); n++) {
        /* `to` is probed for as long as it is wanted, so only what we run is missing here. */
        if (unit_start(l, life_serving(l), spec, 0, &u, &err) != STATUS_OK) {
            log_line(LOG_ERROR, "edge", "%s: %s", l->app->name, err.text);
            rest_ended(l, 0, EDGE_NOT_STARTED, err.text);
            return;
        }
        u->own = heir_frozen(l->edge);
    }
    rest_look(l);
}

static void on_wake(void *arg)
{
    struct edge_app *app = arg;
    struct edge *e = app->owner;
    atomic_store_explicit(&app->wake_asked, false, memory_order_release);
    struct life *l = e->lives ? edge_life(e, str_of(app->name)) : NULL;
    unsigned st = l ? sm_state(&l->rest) : REST_AWAKE;
    if (!l || !sleeper(l) || e->stopping || sm_state(&l->sm) == LIFE_REMOVING ||
        (st != REST_ASLEEP && st != REST_DROWSY))
        return;
    (void)FAULT("edge.wake");
    log_line(LOG_INFO, "edge", "%s wakes", app->name);
    l->wakes++;
    start_missing(l);
}

void rest_freeze(struct edge *e)
{
    size_t pos = 0;
    void *item;
    while (map_next(e->lives, &pos, NULL, &item))
        if (sleeper(item)) {
            rest_reserve(e);
            return;
        }
}

/* On a loop's thread. */
void rest_wake(void *edge, struct edge_app *app)
{
    struct edge *e = edge;
    if (atomic_exchange_explicit(&app->wake_asked, true, memory_order_acq_rel))
        return;
    app->wake = (struct loop_message){.fn = on_wake, .arg = app};
    loop_post_message(e->loop, &app->wake);
}

/* ---- ended by itself ---- */

static void on_restart(void *arg)
{
    struct life *l = arg;
    if (!life_spec(l) || l->edge->stopping || heir_frozen(l->edge) || sm_state(&l->sm) == LIFE_REMOVING)
        return;
    if (sleeper(l) && rest_runs_nothing(l) && !atomic_load_explicit(&l->app->waiting, memory_order_relaxed)) {
        rest_look(l); /* nobody asks: whoever does next wakes it */
        edge_publish(l->edge);
        return;
    }
    if (life_units_up(l) < life_wanted(life_spec(l)))
        log_line(LOG_INFO, "edge", "%s is started in place of what ended", l->app->name);
    start_missing(l);
    if (l->trouble_told)
        edge_publish(l->edge);
    l->trouble_told = false;
}

void rest_thaw(struct life *l)
{
    unsigned st = sm_state(&l->rest);
    for (struct unit *u = l->units; u; u = u->next)
        u->own = false;
    if (sm_state(&l->sm) == LIFE_STEADY && st != REST_ASLEEP && st != REST_DROWSY)
        on_restart(l);
}

void rest_ended(struct life *l, int64_t lived_us, enum edge_trouble trouble, const char *why)
{
    bool news = lived_us > STABLE_US || !l->failures;
    if (news)
        l->trouble_since_s = clock_unix_s();
    l->failures = lived_us > STABLE_US ? 0 : l->failures + 1;
    l->trouble = trouble;
    (void)snprintf(l->trouble_text, sizeof(l->trouble_text), "%s", why);
    if (!l->edge->stopping && !loop_timer_armed(&l->restart)) {
        l->pause_ms = l->failures < 2 ? RESTART_FIRST_MS
                                      : MIN(RESTART_MAX_MS, (int64_t)RESTART_FIRST_MS << MIN(l->failures, 12u));
        loop_timer_after_ms(l->edge->loop, &l->restart, l->pause_ms);
    }
    rest_look(l);
    edge_publish(l->edge);
}

void rest_target(struct life *l, struct edge_target *ret)
{
    unsigned st = sm_state(&l->rest);
    ret->asleep = sleeper(l) && !ret->count && (st == REST_ASLEEP || st == REST_DROWSY || st == REST_WAKING);
    if (st != REST_DOWN || l->pause_ms < TELL_MS)
        return;
    ret->trouble = l->trouble;
    ret->since_unix_s = l->trouble_since_s;
    ret->again_us = l->restart.at_us;
    l->trouble_told = true;
}

void rest_value(struct arena *a, const struct life *l, struct value ret)
{
    bool well = sm_state(&l->rest) == REST_AWAKE && loop_now_us(l->edge->loop) - l->awake_us > STABLE_US;
    VALUE_SET(ret, "rest", value_cstr(sm_state_name(&l->rest)));
    VALUE_SET(ret, "wakes", value_int((int64_t)l->wakes));
    if (!l->failures || well)
        return;
    VALUE_SET(ret, "problem", value_str(arena_str(a, str_of(l->trouble_text))));
    VALUE_SET(ret, "problem_since", value_int(l->trouble_since_s));
    VALUE_SET(ret, "failures", value_int(l->failures));
    if (loop_timer_armed(&l->restart))
        VALUE_SET(ret, "next_try_seconds",
                  value_float((double)MAX(0, l->restart.at_us - loop_now_us(l->edge->loop)) / 1e6));
}

void rest_init(struct life *l)
{
    sm_init(&l->rest, "rest", rest_states, REST_STATES, REST_ASLEEP);
    loop_timer_init(&l->restart, on_restart, l);
    loop_timer_init(&l->quiet, on_quiet, l);
}

void rest_release(struct life *l)
{
    loop_timer_cancel(l->edge->loop, &l->restart);
    loop_timer_cancel(l->edge->loop, &l->quiet);
}

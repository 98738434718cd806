/* SPDX-License-Identifier: Apache-2.0 */
/* unit — one incarnation of one instance: from its start until nobody knows it any more.
 *
 *   STARTING --probe is well--> READY --retired--> DRAINING --nothing in hand--> LEAVING --forgotten--> STOPPING -->
 * GONE
 *      `--retired, or its process ended--> STOPPING                                        (no process: GONE at once)
 *
 * A crash is no state: the process is gone, and the unit is retired like any other; a new one takes its place (life.c).
 * Requests that it had in hand end by themselves, for their connections do. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "edge/app_log.h"

/* So often is one asked that was just started, by its age: it serves as soon as it can, and somebody may wait for it. A
 * look at a socket that is not there yet costs some 10 us. */
#define PROBE_FIRST_MS    1
#define FIRST_US          INT64_C(100000)
#define PROBE_EAGER_MS    4
#define EAGER_US          INT64_C(3000000)
#define PROBE_STARTING_MS 50
#define PROBE_READY_MS    2000
#define PROBE_SLEEPER_MS  10000
#define PROBE_BAD         3 /* bad answers in a row after which it gets no new requests */
#define PROBE_GOOD        2 /* good ones until it gets them again */
#define DRAIN_LOOK_MS     5
#define TELL_AFTER_US     INT64_C(1000000)

const struct sm_state unit_states[UNIT_STATES] = {
    [UNIT_STARTING] = {"starting", SM_TO(UNIT_READY) | SM_TO(UNIT_STOPPING), SM_INITIAL},
    [UNIT_READY] = {"ready", SM_TO(UNIT_DRAINING), SM_INITIAL},
    [UNIT_DRAINING] = {"draining", SM_TO(UNIT_LEAVING), 0},
    [UNIT_LEAVING] = {"leaving", SM_TO(UNIT_STOPPING), 0},
    [UNIT_STOPPING] = {"stopping", SM_TO(UNIT_GONE), 0},
    [UNIT_GONE] = {"gone", 0, SM_FINAL},
};

static const struct edge_spec *spec_of(const struct unit *u)
{
    const struct life *l = u->life;
    for (size_t i = 0; i < l->version_count; i++)
        if (l->versions[i].number == u->version)
            return &l->versions[i].spec;
    ASSERT(l->coming.number == u->version);
    return &l->coming.spec;
}

/* ---- the process ---- */

/* A port nobody uses now. Another program may take it before the app does; then the app fails to start and says so. */
/* Until the app has it another may take it: the kernel gives its own choice to the next connection of anybody. So ours
 * lie below those that Linux hands out (from 32768 on); only when none of many tries is free the kernel chooses. */
#define PORT_FIRST 20000
#define PORT_COUNT 12000
#define PORT_TRIES 200

static bool port_is_free(struct sockaddr_in *sa)
{
    socklen_t n = sizeof(*sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)sa, n) == 0 && getsockname(fd, (struct sockaddr *)sa, &n) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return ok;
}

static enum status free_port(unsigned *ret, struct err *err)
{
    bool ok = false;
    for (int i = 0; i <= PORT_TRIES && !ok; i++) {
        uint16_t any = 0;
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (i < PORT_TRIES && getrandom(&any, sizeof(any), 0) == (ssize_t)sizeof(any))
            sa.sin_port = htons((uint16_t)(PORT_FIRST + any % PORT_COUNT));
        ok = port_is_free(&sa);
        *ret = ntohs(sa.sin_port);
    }
    return ok ? STATUS_OK : err_sys(err, STATUS_IO, errno, "no free port");
}

static str put_in(struct arena *a, str text, str mark, str value)
{
    for (size_t at = 0, found; (found = str_find(str_from(text, at), mark)) != STR_NPOS; at += found + value.n)
        text = ARENA_CAT(a, str_sub(text, 0, at + found), value, str_from(text, at + found + mark.n));
    return text;
}

/* Ours, then PORT or SOCKET, then the app's own, which may change both. */
static char **environment(struct arena *a, const struct edge_spec *spec, str mark, str where)
{
    VEC(char *) v = {0};
    VEC_PUSH(a, &v, arena_cstr(a, mark));
    for (char **e = environ; *e; e++) {
        str name, rest;
        str_cut(str_of(*e), '=', &name, &rest);
        if (!str_is(name, "PORT") && !str_is(name, "SOCKET") && !str_is(name, "NOTIFY_SOCKET") &&
            !str_is(name, "VITRINE_INSTANCE") && !str_is(name, "WATCHDOG_USEC") && !value_has(spec->env, name))
            VEC_PUSH(a, &v, *e);
    }
    if (!value_has(spec->env, str_sub(where, 0, str_find_char(where, '='))))
        VEC_PUSH(a, &v, arena_cstr(a, where));
    for (size_t i = 0; i < value_count(spec->env); i++) {
        const struct value_entry *entry = &spec->env.dict->entries[i];
        VEC_PUSH(a, &v, arena_cstr(a, ARENA_CAT(a, entry->key, STR("="), entry->value.s)));
    }
    VEC_PUSH(a, &v, NULL);
    return v.items;
}

static void on_exit_of(void *arg, int wait_status)
{
    struct unit *u = arg;
    if (wait_status == -1)
        (void)snprintf(u->exit_text, sizeof(u->exit_text), "ended");
    else
        proc_describe(wait_status, u->exit_text, sizeof(u->exit_text));
    proc_free(u->proc);
    u->proc = NULL;
    u->exited = true;
    u->out_of_memory = wait_status != -1 && proc_out_of_memory(wait_status);
    if (sm_state(&u->sm) == UNIT_STOPPING) {
        loop_timer_cancel(u->life->edge->loop, &u->timer);
        sm_move(&u->sm, UNIT_GONE);
    } else if (sm_state(&u->sm) <= UNIT_READY) {
        log_line(LOG_WARN, "edge", "%s %s", u->instance->name, u->exit_text);
    }
    life_unit_changed(u);
}

/* The shell makes way for a plain command, so that signals and the exit status are the app's own. In front of what only
 * a shell understands there is no exec; then what is left when the shell ends is killed. Our own limit of descriptors
 * is no limit for apps: some still use select(2). */
static str command(struct arena *a, str run, uint64_t files)
{
    str word, rest, limit = files ? arena_printf(a, "ulimit -S -n %llu; ", (unsigned long long)files) : STR("");
    str_cut(str_trim(run), ' ', &word, &rest);
    bool plain = str_find_char(word, '=') == STR_NPOS && !str_is(word, "exec");
    for (size_t i = 0; i < run.n; i++)
        plain = plain && !strchr(";&|<>()`$\n", run.p[i]);
    return ARENA_CAT(a, limit, plain ? STR("exec ") : STR(""), run);
}

static enum status spawn(struct unit *u, const struct edge_spec *spec, struct err *err)
{
    struct arena *a = arena_new(0);
    struct life *l = u->life;
    str where, run = spec->run;
    enum status st = STATUS_OK;
    if (str_find(run, STR("{socket}")) != STR_NPOS) {
        const char *path = edge_path(l->edge, a, EDGE_RUN_FOLDER, arena_printf(a, "%s.sock", u->instance->name).p);
        st = addr_from_unix_path(str_of(path), &u->instance->addr, err);
        run = put_in(a, run, STR("{socket}"), str_of(path));
        where = ARENA_CAT(a, STR("SOCKET="), str_of(path));
        u->socket = mem_cstr(str_of(path));
        (void)unlink(path);
    } else {
        unsigned port = 0;
        st = free_port(&port, err);
        if (st == STATUS_OK)
            st = addr_from_host_port(STR("127.0.0.1"), port, &u->instance->addr, err);
        run = put_in(a, run, STR("{port}"), arena_printf(a, "%u", port));
        where = arena_printf(a, "PORT=%u", port);
    }
    const char *who = arena_printf(a, "%s, version %u", u->instance->name, u->version).p;
    int log_fd = st == STATUS_OK ? app_log_open(l->edge, a, l->app->name, who, err) : -1;
    if (st == STATUS_OK && log_fd < 0)
        st = err ? err->status : STATUS_IO;
    if (st == STATUS_OK) {
        char *argv[] = {arena_cstr(a, STR("sh")), arena_cstr(a, STR("-c")),
                        arena_cstr(a, command(a, run, l->edge->config->app_files)), NULL};
        int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        struct proc_fd fds[] = {{null_fd, 0}, {log_fd, 1}, {log_fd, 2}};
        struct proc_config config = {.path = "/bin/sh",
                                     .argv = argv,
                                     .envp = environment(a, spec, strays_mark(l->edge, a, u->instance->name), where),
                                     .fds = fds,
                                     .fd_count = 3,
                                     .folder = spec->folder.n ? arena_cstr(a, spec->folder) : NULL,
                                     .new_group = true,
                                     .end_group = true};
        st = null_fd < 0 ? err_sys(err, STATUS_IO, errno, "cannot open /dev/null")
                         : proc_spawn(l->edge->loop, &config, on_exit_of, u, &u->proc, err);
        if (null_fd >= 0)
            close(null_fd);
    }
    if (log_fd >= 0)
        close(log_fd);
    arena_free(a);
    return st;
}

/* ---- health ---- */

/* Those who wait for a deploy read what its instances answer: at once when it is well, else when it takes long and
 * whenever it changes. */
static void tell_probe(struct unit *u, bool well)
{
    int64_t waited_us = loop_now_us(u->life->edge->loop) - u->began_us;
    uint64_t hash = str_hash(str_of(u->probe.text));
    if (well || (waited_us > TELL_AFTER_US && hash != u->told))
        job_line(u->life->job, "%s: %s, after %.1f s", u->instance->name, u->probe.text, (double)waited_us / 1e6);
    u->told = waited_us > TELL_AFTER_US ? hash : 0;
}

static int64_t starting_pause_ms(const struct unit *u)
{
    int64_t age_us = loop_now_us(u->life->edge->loop) - u->began_us;
    return !u->proc || age_us > EAGER_US ? PROBE_STARTING_MS : age_us > FIRST_US ? PROBE_EAGER_MS : PROBE_FIRST_MS;
}

/* Of apps that sleep there may be hundreds awake, and their end is seen without asking. */
static int64_t probe_pause_ms(const struct unit *u)
{
    return u->proc && spec_of(u)->sleep_ms ? PROBE_SLEEPER_MS : PROBE_READY_MS;
}

static void on_probe(void *arg, bool well)
{
    struct unit *u = arg;
    struct loop *loop = u->life->edge->loop;
    bool was_down = u->down;
    u->good = well ? u->good + 1 : 0;
    u->bad = well ? 0 : u->bad + 1;
    if (sm_state(&u->sm) == UNIT_STARTING) {
        loop_timer_after_ms(loop, &u->timer, well ? probe_pause_ms(u) : starting_pause_ms(u));
        if (u->life->job && u->version == u->life->coming.number)
            tell_probe(u, well);
        if (!well) {
            if (u->proc && u->version == life_serving(u->life) &&
                loop_now_us(loop) - u->began_us > spec_of(u)->deploy_ms * 1000)
                life_unit_late(u);
            return;
        }
        u->ready_us = loop_now_us(loop);
        sm_move(&u->sm, UNIT_READY);
        life_unit_changed(u);
        return;
    }
    if (sm_state(&u->sm) != UNIT_READY)
        return;
    loop_timer_after_ms(loop, &u->timer, probe_pause_ms(u));
    u->down = was_down ? u->good < PROBE_GOOD : u->bad >= PROBE_BAD;
    if (u->down == was_down)
        return;
    log_line(u->down ? LOG_WARN : LOG_INFO, "edge", "%s is %s: %s", u->instance->name,
             u->down ? "not well" : "well again", u->probe.text);
    life_unit_changed(u);
}

/* ---- the way out ---- */

static void stop_process(struct unit *u)
{
    sm_move(&u->sm, UNIT_STOPPING);
    probe_release(&u->probe);
    if (!u->proc) {
        loop_timer_cancel(u->life->edge->loop, &u->timer);
        sm_move(&u->sm, UNIT_GONE);
        life_unit_changed(u);
        return;
    }
    proc_kill_group(u->proc, SIGTERM);
    loop_timer_after_ms(u->life->edge->loop, &u->timer, spec_of(u)->stop_ms);
}

static void forget(struct edge_worker *w, void *arg)
{
    edge_worker_forget(w, arg);
}

static void forgotten(void *arg)
{
    stop_process(arg);
}

static void cut(struct edge_worker *w, void *arg)
{
    edge_worker_cut(w, arg);
}

static void leave(struct unit *u)
{
    struct edge *e = u->life->edge;
    sm_move(&u->sm, UNIT_LEAVING);
    loop_timer_cancel(e->loop, &u->timer);
    /* Each worker cuts what is left before it forgets: after the deadline there may be something. */
    edge_ask(e, cut, u->instance, NULL, NULL);
    edge_ask(e, forget, u->instance, forgotten, u);
}

static void look_at_drain(struct unit *u)
{
    struct loop *loop = u->life->edge->loop;
    struct edge *e = u->life->edge;
    uint32_t busy = edge_instance_busy(u->instance) + (u->adopted && edge_predecessor_lives(e));
    if (busy && loop_now_us(loop) < u->drain_until_us) {
        loop_timer_after_ms(loop, &u->timer, DRAIN_LOOK_MS);
        return;
    }
    if (busy)
        job_line(u->life->job, "%s: %u requests were still in hand after %lld s and are cut", u->instance->name, busy,
                 (long long)(spec_of(u)->drain_ms / 1000));
    leave(u);
}

static void on_timer(void *arg)
{
    struct unit *u = arg;
    switch (sm_state(&u->sm)) {
    case UNIT_STARTING:
    case UNIT_READY:
        probe_begin(&u->probe);
        break;
    case UNIT_DRAINING:
        look_at_drain(u);
        break;
    case UNIT_STOPPING:
        job_line(u->life->job, "%s did not end after SIGTERM; it is killed", u->instance->name);
        proc_kill_group(u->proc, SIGKILL);
        break;
    default:
        break;
    }
}

void unit_drain_began(struct unit *u, uint64_t version)
{
    if (sm_state(&u->sm) != UNIT_DRAINING || u->drain_until_us || version < u->absent_from)
        return;
    u->drain_until_us = loop_now_us(u->life->edge->loop) + spec_of(u)->drain_ms * 1000;
    look_at_drain(u);
}

void unit_retire(struct unit *u)
{
    if (sm_state(&u->sm) == UNIT_STARTING) {
        stop_process(u);
    } else if (sm_state(&u->sm) == UNIT_READY) {
        sm_move(&u->sm, UNIT_DRAINING);
        u->absent_from = u->life->edge->table_version + 1;
        loop_timer_cancel(u->life->edge->loop, &u->timer);
    }
}

/* ---- making ---- */

static struct unit *make(struct life *l, uint32_t version)
{
    struct edge *e = l->edge;
    struct unit *u = MEM_NEW(struct unit);
    u->life = l;
    u->version = version;
    sm_init(&u->sm, "unit", unit_states, UNIT_STATES, UNIT_STARTING);
    loop_timer_init(&u->timer, on_timer, u);
    u->began_us = loop_now_us(e->loop);
    u->instance = edge_instance_new(l->app, ++e->instance_id);
    return u;
}

void unit_free(struct unit *u)
{
    if (!u)
        return;
    bool goes_on = u->proc && !u->own && (u->adopted || u->life->edge->heir.handed);
    if (u->proc && u->own && u->life->edge->heir.handed) { /* nobody else knows it */
        proc_kill_group(u->proc, SIGTERM);
        proc_disown(u->proc);
        u->proc = NULL;
    }
    loop_timer_cancel(u->life->edge->loop, &u->timer);
    probe_release(&u->probe);
    if (goes_on)
        proc_disown(u->proc);
    else
        proc_free(u->proc);
    if (u->socket && !goes_on)
        (void)unlink(u->socket);
    free(u->socket);
    free(u->instance);
    free(u);
}

static void begin_probes(struct unit *u, const struct edge_spec *spec, int64_t first_ms)
{
    str host = value_count(spec->hosts) ? value_at(spec->hosts, 0).s : STR("localhost");
    probe_init(&u->probe, &u->life->edge->client, &u->instance->addr,
               str_starts(host, STR("*.")) ? STR("localhost") : host, spec->health, on_probe, u);
    u->probe.send_proxy = edge_spec_proxy_version(spec);
    loop_timer_after_ms(u->life->edge->loop, &u->timer, first_ms);
}

static void link_unit(struct life *l, struct unit *u)
{
    struct unit **at = &l->units;
    while (*at)
        at = &(*at)->next;
    *at = u;
}

enum status unit_start(struct life *l, uint32_t version, const struct edge_spec *spec, size_t index, struct unit **ret,
                       struct err *err)
{
    struct unit *u = make(l, version);
    enum status st =
        spec->run.n ? spawn(u, spec, err) : addr_parse(value_at(spec->to, index).s, &u->instance->addr, err);
    if (st != STATUS_OK) {
        unit_free(u);
        return st;
    }
    begin_probes(u, spec, 0);
    link_unit(l, u);
    *ret = u;
    return STATUS_OK;
}

/* Its name goes on with it: what another process hands over says by it whom it is for. */
static void keep_name(struct unit *u, struct value saved)
{
    str name = value_get_text(saved, STR("name"));
    if (name.n && name.n < sizeof(u->instance->name) && str_starts(name, str_of(u->life->app->name)))
        (void)snprintf(u->instance->name, sizeof(u->instance->name), "%.*s", STR_ARG(name));
}

/* What serves elsewhere served a moment ago too: it is asked at once, and the probes tell if that is wrong. */
enum status unit_restore(struct life *l, uint32_t version, const struct edge_spec *spec, size_t index,
                         struct value saved, struct unit **ret, struct err *err)
{
    struct unit *u;
    enum status st = unit_start(l, version, spec, index, &u, err);
    if (st != STATUS_OK)
        return st;
    *ret = u;
    if (spec->run.n)
        return STATUS_OK;
    sm_move(&u->sm, UNIT_READY);
    u->ready_us = u->began_us;
    for (size_t i = 0; i < value_count(saved); i++) {
        struct addr addr;
        str where = value_get_text(value_at(saved, i), STR("address"));
        if (addr_parse(where, &addr, NULL) == STATUS_OK && addr_eq(&addr, &u->instance->addr))
            keep_name(u, value_at(saved, i));
    }
    return STATUS_OK;
}

enum status unit_adopt(struct life *l, uint32_t version, const struct edge_spec *spec, struct value saved,
                       struct unit **ret, struct err *err)
{
    struct value pid = VALUE_GET(saved, "pid"), ticks = VALUE_GET(saved, "start_ticks");
    str where = value_get_text(saved, STR("address"));
    struct unit *u = make(l, version);
    enum status st = pid.kind == VALUE_INT && ticks.kind == VALUE_INT && pid.i > 1
                         ? addr_parse(where, &u->instance->addr, err)
                         : err_set(err, STATUS_NOT_FOUND, "no process");
    if (st == STATUS_OK)
        st = proc_adopt(l->edge->loop, (pid_t)pid.i, (uint64_t)ticks.i, on_exit_of, u, &u->proc, err);
    if (st != STATUS_OK) {
        unit_free(u);
        return st;
    }
    if (addr_is_unix(&u->instance->addr))
        u->socket = mem_cstr(str_of(addr_unix_path(&u->instance->addr)));
    u->adopted = true;
    keep_name(u, saved);
    /* If it served a moment ago, it goes on at once, and the probes tell if that was wrong. */
    if (!str_is(value_get_text(saved, STR("state")), "starting")) {
        sm_move(&u->sm, UNIT_READY);
        u->ready_us = u->began_us;
    }
    begin_probes(u, spec, PROBE_STARTING_MS);
    link_unit(l, u);
    *ret = u;
    return STATUS_OK;
}

struct value unit_value(struct arena *a, const struct unit *u)
{
    struct value v = value_dict(a);
    char text[ADDR_TEXT_MAX];
    str address = arena_str(a, str_make(text, addr_format(&u->instance->addr, text)));
    VALUE_SET(v, "name", value_str(arena_str(a, str_of(u->instance->name))));
    VALUE_SET(v, "version", value_int(u->version));
    VALUE_SET(v, "state", value_cstr(u->down && sm_state(&u->sm) == UNIT_READY ? "not well" : sm_state_name(&u->sm)));
    VALUE_SET(v, "address", value_str(address));
    VALUE_SET(v, "requests_in_hand", value_int(edge_instance_busy(u->instance)));
    VALUE_SET(v, "health", value_str(arena_str(a, str_of(u->probe.text))));
    if (u->proc) {
        pid_t pid = proc_pid(u->proc);
        VALUE_SET(v, "pid", value_int(pid));
        VALUE_SET(v, "start_ticks", value_int((int64_t)proc_start_ticks(pid)));
    }
    if (u->exited)
        VALUE_SET(v, "ended", value_str(arena_str(a, str_of(u->exit_text))));
    return v;
}

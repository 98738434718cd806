/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/edge_apps.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/edge_call.h"
#include "hub/lock.h"
#include "hub/quota.h"
#include "hub/sql.h"
#include "rt/fault.h"
#include "rt/proc_run.h"

#define SPACE_IN_HAND 256 /* requests and event streams at once */
#define SPACE_WAITING 1000
#define OUTPUT_MAX    8192  /* of a command in the sandbox of a space: its end is kept */
#define ONE_AT_A_TIME 90000 /* ms that a change waits for the one before it: longer than the edge takes for any */
#define LOOK_US       50000

str edge_apps_name(struct arena *a, str space_id)
{
    return ARENA_CAT(a, STR("s-"), space_id);
}

static str state_of(struct hub *h, struct arena *a)
{
    return hub_path(a, &h->config, "edge");
}

/* A word of a shell command: no byte of it means anything to the shell. */
str edge_apps_quoted(struct arena *a, str word)
{
    struct buf b;
    buf_init(&b, LIMIT_EDGE_RUN);
    buf_putc(&b, '\'');
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '\'')
            buf_puts(&b, STR("'\\''"));
        else
            buf_putc(&b, word.p[i]);
    }
    buf_putc(&b, '\'');
    str out = arena_str(a, buf_str(&b));
    buf_release(&b);
    return out;
}

/* Who a space is outside of its sandbox when we are root: above the users of people, services and containers (systemd's
 * end at 1,879,048,191). Made of the id, which is random and stays: two of 2,000 spaces meet once in a hundred hubs,
 * and then still have namespaces of their own. */
#define USERS_FROM 1900000000u
#define USERS      200000000u

unsigned edge_apps_user(str space_id)
{
    if (geteuid() != 0)
        return geteuid();
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < space_id.n; i++)
        hash = (hash ^ (unsigned char)space_id.p[i]) * UINT64_C(1099511628211);
    return USERS_FROM + (unsigned)(hash % USERS);
}

static void push(struct value words, const char *word)
{
    value_push(words, value_cstr(word));
}

static void push_pair(struct value words, const char *name, str word)
{
    push(words, name);
    value_push(words, value_str(word));
}

static str folder_of(struct hub *h, struct arena *a, str space_id)
{
    return arena_printf(a, "%.*s/spaces/%.*s", STR_ARG(h->config.dir), STR_ARG(space_id));
}

/* Up to what comes before "--". */
static struct value sandbox(struct hub *h, struct arena *a, str program, str space_id, const struct hub_quota *quota)
{
    struct value words = value_list(a);
    value_push(words, value_str(program));
    push(words, "sandbox");
    push_pair(words, "--folder", folder_of(h, a, space_id));
    if (geteuid() == 0)
        push_pair(words, "--user-id", arena_i64(a, edge_apps_user(space_id)));
    if (h->config.isolation == ISOLATION_REQUIRED)
        push_pair(words, "--require", STR("namespaces,landlock,seccomp"));
    push_pair(words, "--memory", arena_i64(a, quota->memory_bytes));
    if (quota->cpu_percent)
        push_pair(words, "--cpu", arena_i64(a, quota->cpu_percent));
#if defined(VITRINE_FAULTS) && VITRINE_FAULTS /* such programs are told by the environment what to do */
    push_pair(words, "--env", STR("ASAN_OPTIONS"));
    push_pair(words, "--env", STR("VITRINE_FAULT"));
    const char *clock = getenv("VITRINE_CLOCK");
    if (clock && *clock) {
        push_pair(words, "--read", str_of(clock));
        push_pair(words, "--env", STR("VITRINE_CLOCK"));
    }
#endif
    return words;
}

/* A command ends with "vitrine: SENTENCE" and, indented, what to do; before that the sandbox may have said something.
 */
static enum status own_words(str said, enum status st, struct err *err)
{
    static const char mark[] = "vitrine: ";
    str line, rest = str_trim(said), text = {0}, hint = {0};
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (str_starts(line, str_of(mark))) {
            text = str_from(line, sizeof mark - 1);
            hint = (str){0};
        } else if (text.n && str_starts(line, STR("  "))) {
            hint = str_trim(line);
        }
    }
    if (!text.n)
        return st; /* proc_run said how it ended */
    err_set(err, st, "%.*s", STR_ARG(text));
    return hint.n ? err_hint(err, "%.*s", STR_ARG(hint)) : st;
}

enum status edge_apps_run(struct hub *h, struct arena *a, str space_id, str writable, struct value words,
                          int64_t timeout_ms, struct err *err)
{
    struct buf out;
    struct value argv = value_list(a);
    if (h->config.isolation != ISOLATION_OFF) {
        argv = sandbox(h, a, h->program, space_id, &h->config.quota);
        if (writable.n)
            push_pair(argv, "--write", writable);
        push(argv, "--");
    }
    value_push(argv, value_str(h->program));
    for (size_t i = 0; i < value_count(words); i++)
        value_push(argv, value_at(words, i));
    char **list = arena_alloc(a, (value_count(argv) + 1) * sizeof *list);
    for (size_t i = 0; i < value_count(argv); i++)
        list[i] = arena_cstr(a, value_at(argv, i).s);
    list[value_count(argv)] = NULL;
    buf_init(&out, OUTPUT_MAX);
    enum status st =
        proc_run(&(struct proc_config){.path = list[0], .argv = list, .new_group = true, .end_group = true}, timeout_ms,
                 &out, err);
    if (st == STATUS_IO)
        st = own_words(buf_str(&out), st, err);
    buf_release(&out);
    return st;
}

str edge_apps_program(struct hub *h, struct arena *a, str version)
{
    return version.n ? arena_printf(a, "%.*s/versions/%.*s/vitrine", STR_ARG(h->config.dir), STR_ARG(version))
                     : h->program;
}

/* The program, in the sandbox of the space. */
static str command(struct hub *h, struct arena *a, str space_id, str program, const struct hub_quota *quota)
{
    struct value words = value_list(a);
    str out = STR("");
    if (h->config.isolation != ISOLATION_OFF) {
        words = sandbox(h, a, program, space_id, quota);
        push_pair(words, "--listen", STR("{socket}"));
        push_pair(words, "--gate", hub_path(a, &h->config, HUB_GATE));
        push(words, "--");
    }
    value_push(words, value_str(program));
    push(words, "serve");
    push_pair(words, "--space", folder_of(h, a, space_id));
    push_pair(words, "--uds", STR("{socket}"));
    if (h->config.trusted_proxies.n) { /* beside the edge, which a space trusts anyway */
        push_pair(words, "--setting", STR("trusted_proxies"));
        value_push(words, value_str(h->config.trusted_proxies));
    }
    for (size_t i = 0; i < value_count(words); i++)
        out = ARENA_CAT(a, out, i ? STR(" ") : STR(""), edge_apps_quoted(a, value_at(words, i).s));
    return out;
}

static enum status hosts_of(struct hub *h, struct conn *c, struct arena *a, str space_id, str name, struct value *ret,
                            struct err *err)
{
    struct value rows, hosts = value_list(a);
    enum status st =
        SQL_ROWS(c, a, &rows, err, "select host from domains where space_id = ?1 order by host", SQL_T(space_id));
    value_push(hosts, value_str(ARENA_CAT(a, name, STR("."), h->config.domain)));
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++)
        value_push(hosts, VALUE_GET(value_at(rows, i), "host"));
    *ret = hosts;
    return st;
}

/* ---- what an app is to be ---- */

/* The first word of a command that edge_apps_quoted wrote; empty: it is no program that could go on. */
static str program_of(struct hub *h, struct arena *a, struct value spec)
{
    str run = value_get_text(spec, STR("run")), versions = hub_path(a, &h->config, "versions/");
    size_t end = run.n > 1 && run.p[0] == '\'' ? str_find_char(str_from(run, 1), '\'') : STR_NPOS;
    str word = end == STR_NPOS ? STR("") : str_sub(run, 1, end + 1);
    bool whole = word.n && run.n > end + 2 && run.p[end + 2] == ' ';
    return whole && !str_starts(word, versions) && access(arena_cstr(a, word), X_OK) == 0 ? word : STR("");
}

/* The edge leaves out what stands at its default, and says the path, of which we say nothing. */
bool edge_apps_same(struct value wanted, struct value is)
{
    if (is.kind != VALUE_DICT)
        return false;
    for (size_t i = 0; i < value_count(is); i++) {
        const struct value_entry *e = &is.dict->entries[i];
        bool path = str_is(e->key, "path") && str_is(e->value.s, "/") && !value_has(wanted, e->key);
        if (!path && !value_equal(value_get(wanted, e->key), e->value))
            return false;
    }
    for (size_t i = 0; i < value_count(wanted); i++) {
        const struct value_entry *e = &wanted.dict->entries[i];
        if (!value_has(is, e->key) && value_truth(e->value))
            return false;
    }
    return true;
}

/* What hub.db says of a space's app; UNDEFINED: it is to have none. `is` is what the edge has, or UNDEFINED: which
 * program the spaces of no version run is the fleet's business, so one that is still there stays. */
static enum status wanted_spec(struct hub *h, struct conn *c, struct arena *a, str id, struct value is,
                               struct value *ret, struct err *err)
{
    struct value row, hosts, spec = value_dict(a);
    struct hub_quota quota;
    *ret = VALUE_UNDEF;
    enum status st =
        SQL_ROW(c, a, &row, err, "select name, quota, version, state from spaces where id = ?1", SQL_T(id));
    if (st != STATUS_OK || row.kind != VALUE_DICT || str_is(VALUE_GET(row, "state").s, "deleted"))
        return st;
    st = hosts_of(h, c, a, id, VALUE_GET(row, "name").s, &hosts, err);
    if (st != STATUS_OK)
        return st;
    quota_of(&h->config, a, VALUE_GET(row, "quota").s, &quota);
    str version = VALUE_GET(row, "version").s, program = edge_apps_program(h, a, version), old = program_of(h, a, is);
    int64_t sleep_s = quota.sleep_seconds, minute = quota.requests_per_minute;
    VALUE_SET(spec, "name", value_str(edge_apps_name(a, id)));
    VALUE_SET(spec, "host", hosts);
    VALUE_SET(spec, "run", value_str(command(h, a, id, !version.n && old.n ? old : program, &quota)));
    VALUE_SET(spec, "health", value_cstr("/-/ready"));
    /* One space that is slow or flooded leaves the others connections and memory. */
    VALUE_SET(spec, "in_hand_max", value_int(SPACE_IN_HAND));
    VALUE_SET(spec, "hold_max", value_int(SPACE_WAITING));
    if (sleep_s)
        VALUE_SET(spec, "sleep_seconds", value_int(sleep_s));
    if (minute) { /* the space counts them too; here others are spared the rest */
        VALUE_SET(spec, "rate", value_int(minute / 60 + 1));
        VALUE_SET(spec, "burst", value_int(minute));
    }
    *ret = spec;
    return STATUS_OK;
}

/* ---- telling the edge ---- */

/* One change of an app at a time, the edge's own word for the others being "under way": also of a hub that is no more.
 */
static enum status ask_edge(struct hub *h, struct arena *a, str path, struct value body, struct err *err)
{
    int64_t until = clock_mono_ms() + ONE_AT_A_TIME;
    for (;;) {
        struct err own = ERR_INIT;
        enum status st = edge_do(a, state_of(h, a), path, body, true, &own);
        bool waits = st == STATUS_CONFLICT && str_find(str_of(own.text), STR("is under way")) != STR_NPOS;
        if (!waits || clock_mono_ms() > until || atomic_load(&h->stopping)) {
            if (st != STATUS_OK && err)
                *err = own;
            return st;
        }
        (void)usleep(LOOK_US);
    }
}

static enum status deploy(struct hub *h, struct arena *a, str id, struct value spec, bool asleep, struct err *err)
{
    struct err own = ERR_INIT;
    bool sleeper = value_has(spec, STR("sleep_seconds"));
    str path = ARENA_CAT(a, STR("/apps/"), edge_apps_name(a, id),
                         asleep && sleeper ? STR("/deploy?asleep=1") : STR("/deploy"));
    enum status st = ask_edge(h, a, path, spec, &own);
    if (st == STATUS_OK)
        return st;
    /* what the edge says is for the log: it names folders and commands */
    log_line(LOG_ERROR, "hub", "space %.*s does not start: %s", STR_ARG(id), own.text);
    return err_set(err, STATUS_INTERNAL, "the space does not start");
}

static enum status take_away(struct hub *h, struct arena *a, str id, struct err *err)
{
    struct err own = ERR_INIT;
    str path = ARENA_CAT(a, STR("/apps/"), edge_apps_name(a, id), STR("/remove"));
    enum status st = ask_edge(h, a, path, value_dict(a), &own);
    if (st == STATUS_NOT_FOUND && str_find(str_of(own.text), STR("no app")) != STR_NPOS)
        return STATUS_OK;
    if (st != STATUS_OK && err)
        *err = own;
    return st;
}

/* Under the lock hub.db is read anew: what the edge is told last is the newest, whoever tells it. */
enum status edge_apps_put(struct hub *h, struct conn *c, str space_id, bool asleep, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value spec = VALUE_UNDEF;
    int fd = -1;
    enum status st = hub_lock(h, "app", space_id, ONE_AT_A_TIME, &fd, err);
    if (st == STATUS_OK)
        st = wanted_spec(h, c, a, space_id, VALUE_UNDEF, &spec, err);
    if (st == STATUS_OK)
        st = spec.kind == VALUE_DICT ? deploy(h, a, space_id, spec, asleep, err) : take_away(h, a, space_id, err);
    (void)FAULT("hub.edge.told");
    hub_unlock(fd);
    if (st != STATUS_OK)
        atomic_store(&h->unsettled, true);
    arena_free(a);
    return st;
}

enum status edge_apps_settle(struct hub *h, struct conn *c, str space_id, struct value app, bool *ret_changed,
                             struct err *err)
{
    struct arena *a = arena_new(0);
    struct value spec = VALUE_UNDEF, is = VALUE_GET(value_at(VALUE_GET(app, "versions"), 0), "spec");
    int fd = -1;
    bool there = app.kind == VALUE_DICT, same = false;
    enum status st = hub_lock(h, "app", space_id, ONE_AT_A_TIME, &fd, err);
    if (st == STATUS_OK)
        st = wanted_spec(h, c, a, space_id, is, &spec, err);
    if (st == STATUS_OK)
        same = spec.kind == VALUE_DICT ? edge_apps_same(spec, is) : !there;
    if (st == STATUS_OK && same && there && str_eq(value_get_text(app, STR("doing")), STR("deploy")))
        st = err_set(err, STATUS_BUSY, "a change of it is under way"); /* of before; it may be another one */
    if (st == STATUS_OK && !same)
        st = spec.kind == VALUE_DICT ? deploy(h, a, space_id, spec, true, err) : take_away(h, a, space_id, err);
    hub_unlock(fd);
    if (st == STATUS_OK)
        *ret_changed = !same;
    arena_free(a);
    return st;
}

enum status edge_apps_remove(struct hub *h, str space_id, struct err *err)
{
    struct arena *a = arena_new(0);
    int fd = -1;
    enum status st = hub_lock(h, "app", space_id, ONE_AT_A_TIME, &fd, err);
    if (st == STATUS_OK)
        st = take_away(h, a, space_id, err);
    hub_unlock(fd);
    if (st != STATUS_OK)
        atomic_store(&h->unsettled, true);
    arena_free(a);
    return st;
}

enum status edge_apps_list(struct hub *h, struct arena *a, struct value *ret, struct err *err)
{
    struct value v, out = value_dict(a);
    enum status st = edge_call(a, state_of(h, a), "GET", STR("/status"), VALUE_UNDEF, &v, err);
    struct value apps = st == STATUS_OK ? VALUE_GET(v, "apps") : VALUE_NULL;
    for (size_t i = 0; i < value_count(apps); i++) {
        struct value app = value_at(apps, i);
        if (str_starts(value_get_text(app, STR("name")), STR("s-")))
            value_set(out, value_get_text(app, STR("name")), app);
    }
    if (st == STATUS_OK)
        *ret = out;
    return st;
}

static bool is_host_of(struct value spec, str host)
{
    struct value hosts = VALUE_GET(spec, "host");
    for (size_t i = 0; i < value_count(hosts); i++) {
        str one = value_at(hosts, i).kind == VALUE_STR ? value_at(hosts, i).s : STR("");
        bool below = str_starts(one, STR("*.")) && str_ends(host, str_from(one, 1)) && host.n > one.n - 1;
        if (below || str_eq_nocase(one, host))
            return true;
    }
    return false;
}

enum status edge_apps_host_taken(struct hub *h, str host, str space_id, bool *ret, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value v;
    bool taken = false;
    enum status st = edge_call(a, state_of(h, a), "GET", STR("/status"), VALUE_UNDEF, &v, err);
    struct value apps = st == STATUS_OK ? VALUE_GET(v, "apps") : VALUE_NULL;
    for (size_t i = 0; i < value_count(apps); i++) {
        struct value app = value_at(apps, i), versions = VALUE_GET(app, "versions");
        if (str_eq(value_get_text(app, STR("name")), edge_apps_name(a, space_id)))
            continue;
        for (size_t k = 0; k < value_count(versions); k++)
            taken = taken || is_host_of(VALUE_GET(value_at(versions, k), "spec"), host);
    }
    arena_free(a);
    if (st == STATUS_OK)
        *ret = taken;
    return st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* run — the judge.
 *
 *   first question -> clients ask by their plans ---------------------------------> told to end -> ledger -> verdict
 *                     before_ms | change | every_ms | change | ... | after_ms
 *
 * A proof is worth what its judge cannot overlook. So: no request is sent twice; every byte of every answer is compared
 * with what the id's pattern (or the first answer) says; each id is settled once here and counted by the backend when
 * it was executed, and both books are laid beside each other at the end. Lost: asked, no byte came. Truncated: it
 * began. Wrong: a byte differs. Reordered: it is somebody else's. Refused: another status. Doubled: executed more than
 * once. Unseen: answered, but the backend knows nothing of it. What happened to connections (opened, closed while idle,
 * told to close) is counted beside that: it costs a client a handshake, not an answer.
 *
 * One thread, no allocation on the way but for the books. Invariants: (1) a number of a client is settled exactly once
 * (book() in client.c asserts it); (2) a change begins only when the one before has ended; (3) nothing of this run is
 * judged by code of the server but the decoder of chunks and TLS.
 *
 * Not here: one client (client.c), its words (client_talk.c), the backend (app.c), the report (report.c). Tests:
 * tests/prove against servers that lie. */
#include "prove/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "prove/pattern.h"
#include "rt/proc.h"

#define TICK_US     50000
#define PROGRESS_MS 1000

const char *const prove_kind_names[PROVE_KINDS] = {"keepalive", "new",      "pipeline", "http2",
                                                   "upload",    "download", "websocket"};
const char *const prove_outcome_names[PROVE_OUTCOMES] = {"unsent", "ok",        "lost",   "truncated",
                                                         "wrong",  "reordered", "refused"};

static struct run *current; /* for prove_interrupt */

uint64_t prove_sent(const struct prove_tally *t)
{
    uint64_t n = 0;
    for (int o = PROVE_OK; o < PROVE_OUTCOMES; o++)
        n += t->outcomes[o];
    return n;
}

uint64_t prove_faults(const struct prove_tally *t)
{
    return prove_sent(t) - t->outcomes[PROVE_OK] + t->doubled + t->unseen;
}

/* ---- changes ---- */

static void end_clients(void *arg)
{
    struct run *run = arg;
    run->stopping = true;
    loop_timer_cancel(run->loop, &run->next_change);
    for (uint32_t i = 0; i < run->client_count; i++)
        client_stop(&run->clients[i]);
}

static uint32_t changes_all(const struct run *run)
{
    return (uint32_t)run->config->change_count * run->config->times;
}

static void after_change(struct run *run, int wait_status)
{
    struct prove_result *r = run->result;
    struct prove_change *change = &r->changes[r->change_count - 1];
    int64_t now = loop_refresh_now_us(run->loop);
    change->ended_us = now - run->began_us;
    change->wait_status = wait_status;
    if (run->stopping)
        return;
    if (r->change_count == changes_all(run))
        loop_timer_after_ms(run->loop, &run->end, run->config->after_ms);
    else
        loop_timer_at(run->loop, &run->next_change,
                      MAX(now, run->began_us + change->began_us + run->config->every_ms * INT64_C(1000)));
}

static void on_change_end(void *arg, int wait_status)
{
    struct run *run = arg;
    struct proc *done = run->change;
    run->change = NULL;
    proc_free(done);
    after_change(run, wait_status);
}

static void begin_change(void *arg)
{
    struct run *run = arg;
    struct prove_result *r = run->result;
    const struct prove_config *config = run->config;
    uint32_t command = r->change_count % (uint32_t)config->change_count;
    char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t)config->changes[command], NULL};
    static const struct proc_fd out_to_err[] = {{STDERR_FILENO, STDOUT_FILENO}};
    const struct proc_config c = {.path = "/bin/sh", .argv = argv, .fds = out_to_err, .fd_count = 1};
    struct err err = ERR_INIT;
    r->changes[r->change_count++] =
        (struct prove_change){.command = command, .began_us = loop_now_us(run->loop) - run->began_us};
    if (proc_spawn(run->loop, &c, on_change_end, run, &run->change, &err) != STATUS_OK)
        after_change(run, -1);
}

static void on_report(void *arg)
{
    struct run *run = arg;
    uint64_t answered = 0, faults = 0;
    for (int k = 0; k < PROVE_KINDS; k++) {
        answered += run->result->tallies[k].outcomes[PROVE_OK];
        faults += prove_faults(&run->result->tallies[k]);
    }
    run->config->progress(run->config->arg, answered, faults, run->result->change_count, changes_all(run));
    loop_timer_after_ms(run->loop, &run->report, PROGRESS_MS);
}

void prove_interrupt(void)
{
    if (!current)
        return;
    current->result->interrupted = true;
    end_clients(current);
}

/* ---- beginning and end ---- */

/* The first answer: that something is there, and what it says. */
static enum status first_question(struct run *run, struct err *err)
{
    const struct prove_config *config = run->config;
    struct arena *a = arena_new(0);
    int got = 0;
    str path = config->target.path;
    if (config->app)
        path = ARENA_CAT(a, path, STR("ledger?run=0"));
    enum status st = run_fetch(run, path, &run->reference, &got, err);
    arena_free(a);
    if (st != STATUS_OK) {
        (void)err_prefix(err, "the first question");
        return st;
    }
    if (got != (config->app ? 200 : config->status)) {
        err_set(err, STATUS_NOT_FOUND, "the first answer has status %d instead of %d", got,
                config->app ? 200 : config->status);
        return config->app ? err_hint(err, "Is what answers there vitrine prove app?") : STATUS_NOT_FOUND;
    }
    char hex[DIGEST_HEX_MAX];
    digest_sha256_hex(buf_str(&run->reference), hex);
    if (!config->app && config->sha256.n && !str_eq_nocase(config->sha256, str_of(hex)))
        return err_set(err, STATUS_INVALID, "the answer has the SHA-256 %s, not the one that was declared", hex);
    return STATUS_OK;
}

/* One id of the backend's book. */
static void count_execution(struct run *run, uint64_t id)
{
    uint64_t index = id >> CLIENT_ID_SHIFT, number = id & ((UINT64_C(1) << CLIENT_ID_SHIFT) - 1);
    if (index >= run->client_count || number >= run->clients[index].outcome_cap)
        return; /* committed to and not settled: cannot be, the run has ended */
    uint8_t *o = &run->clients[index].outcomes[number];
    if (*o < 0xf0)
        *o += 0x10;
}

static void lay_side_by_side(struct run *run)
{
    for (uint32_t i = 0; i < run->client_count; i++) {
        const struct client *c = &run->clients[i];
        struct prove_tally *t = &run->result->tallies[c->kind];
        for (uint64_t n = 0; n < c->next && n < c->outcome_cap; n++) {
            unsigned outcome = c->outcomes[n] & 0x0f, executed = c->outcomes[n] >> 4;
            t->doubled += executed > 1;
            t->unseen += outcome == PROVE_OK && !executed;
            t->executed_lost += (outcome == PROVE_LOST || outcome == PROVE_TRUNCATED) && executed;
        }
    }
}

static enum status read_ledger(struct run *run, struct err *err)
{
    struct arena *a = arena_new(0);
    struct buf book;
    int got = 0;
    buf_init(&book, LIMIT_PROVE_LEDGER);
    enum status st = run_fetch(
        run, arena_printf(a, "%.*sledger?run=%llu", STR_ARG(run->config->target.path), (unsigned long long)run->id),
        &book, &got, err);
    if (st == STATUS_OK && got != 200)
        st = err_set(err, STATUS_PROTOCOL, "status %d", got);
    if (st != STATUS_OK)
        (void)err_prefix(err, "the backend's ledger cannot be read, so nothing is proved");
    for (size_t at = 0; st == STATUS_OK && at + 8 <= book.n; at += 8) {
        uint64_t id;
        memcpy(&id, book.p + at, sizeof id);
        count_execution(run, id);
    }
    if (st == STATUS_OK) {
        lay_side_by_side(run);
        run->result->counted = true;
    }
    buf_release(&book);
    arena_free(a);
    return st;
}

static void judge(struct prove_result *r)
{
    uint64_t faults = 0, sent = 0;
    for (int k = 0; k < PROVE_KINDS; k++) {
        faults += prove_faults(&r->tallies[k]);
        sent += prove_sent(&r->tallies[k]);
    }
    for (uint32_t i = 0; i < r->change_count; i++)
        faults += r->changes[i].wait_status != 0;
    r->clean = sent && !faults && !r->interrupted;
}

static void start_clients(struct run *run)
{
    const struct prove_config *config = run->config;
    for (int k = 0; k < PROVE_KINDS; k++)
        run->client_count += config->connections[k];
    run->clients = mem_array(run->client_count, sizeof run->clients[0]);
    uint32_t index = 0;
    for (int k = 0; k < PROVE_KINDS; k++)
        for (uint32_t i = 0; i < config->connections[k]; i++, index++)
            client_start(&run->clients[index], run, (enum prove_kind)k, index);
}

static enum status run_all(struct run *run, struct err *err)
{
    const struct prove_config *config = run->config;
    enum status st = STATUS_OK;
    run->began_us = loop_refresh_now_us(run->loop);
    start_clients(run);
    if (config->change_count && config->times)
        loop_timer_after_ms(run->loop, &run->next_change, config->before_ms);
    else
        loop_timer_after_ms(run->loop, &run->end, config->before_ms + config->after_ms);
    if (config->progress)
        loop_timer_after_ms(run->loop, &run->report, PROGRESS_MS);
    while (st == STATUS_OK && run->off < run->client_count)
        st = loop_run_once(run->loop, -1, err);
    run->result->duration_us = loop_refresh_now_us(run->loop) - run->began_us;
    while (st == STATUS_OK && run->change) /* interrupted: what was begun ends, so that nobody is left half-changed */
        st = loop_run_once(run->loop, -1, err);
    return st;
}

static void run_release(struct run *run)
{
    for (uint32_t i = 0; i < run->client_count; i++)
        client_release(&run->clients[i]);
    loop_timer_cancel(run->loop, &run->next_change);
    loop_timer_cancel(run->loop, &run->end);
    loop_timer_cancel(run->loop, &run->report);
    proc_free(run->change);
    buf_release(&run->reference);
    free(run->clients);
    free(run);
}

static enum status check_config(const struct prove_config *c, struct err *err)
{
    uint64_t all = 0;
    for (int k = 0; k < PROVE_KINDS; k++) {
        all += c->connections[k];
        if (c->connections[k] && k >= PROVE_UPLOAD && !c->app)
            return err_set(err, STATUS_INVALID, "%s needs --app: nobody else could say what arrived",
                           prove_kind_names[k]);
    }
    if (!all || all > LIMIT_PROVE_CONNECTIONS)
        return err_set(err, STATUS_INVALID, "1 to %d connections are possible, not %llu", LIMIT_PROVE_CONNECTIONS,
                       (unsigned long long)all);
    if (!c->depth || c->depth > LIMIT_PROVE_DEPTH)
        return err_set(err, STATUS_INVALID, "a pipeline has 1 to %d requests", LIMIT_PROVE_DEPTH);
    if (c->change_count * c->times > LIMIT_PROVE_CHANGES)
        return err_set(err, STATUS_INVALID, "at most %d changes are possible", LIMIT_PROVE_CHANGES);
    if (c->interval_ms && c->stale_ms > c->interval_ms / 2)
        return err_set(err, STATUS_INVALID, "--stale must be at most half of --interval");
    return STATUS_OK;
}

enum status prove_run(const struct prove_config *config, struct prove_result *ret, struct err *err)
{
    enum status st = check_config(config, err);
    if (st != STATUS_OK)
        return st;
    struct run *run = MEM_NEW(struct run);
    uint64_t seed = (uint64_t)clock_unix_us() ^ (uint64_t)getpid() << 40;
    *ret = (struct prove_result){.config = config, .tick_us = TICK_US};
    ret->ticks = mem_array((size_t)LIMIT_PROVE_TICKS, sizeof ret->ticks[0]);
    ret->changes = mem_array(config->change_count * config->times + 1, sizeof ret->changes[0]);
    run->config = config;
    run->loop = config->loop;
    run->result = ret;
    run->id = pattern_random(&seed) | 1; /* 0 is nobody's */
    buf_init(&run->reference, LIMIT_PROVE_BODY);
    loop_timer_init(&run->next_change, begin_change, run);
    loop_timer_init(&run->end, end_clients, run);
    loop_timer_init(&run->report, on_report, run);
    st = first_question(run, err);
    if (st == STATUS_OK) {
        current = run;
        st = run_all(run, err);
        current = NULL;
    }
    if (st == STATUS_OK && config->app)
        st = read_ledger(run, err);
    if (st == STATUS_OK)
        judge(ret);
    run_release(run);
    if (st != STATUS_OK)
        prove_result_release(ret);
    return st;
}

void prove_result_release(struct prove_result *r)
{
    free(r->changes);
    free(r->ticks);
    r->changes = NULL;
    r->ticks = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* certs — certificates that the edge gets by itself: which, when, and what of it the loops see.
 *
 * The edge itself speaks to no authority: for each certificate it starts `vitrine certs obtain`, which does so, one
 * step after the other, and ends. It tells the edge over the control socket what an authority will look at (a token, a
 * certificate for acme-tls/1), which goes to all loops before it is told that it may go on; it writes the file; it says
 * how it ended. So nothing here waits, no answer of an authority is read in this process, and a child that hangs or
 * dies costs one certificate one try.
 *
 *   wanted by a route, an option, or a visitor --> due --child--> there --a third of its life is left--> due ...
 *                                                   `--failed--> due again after 1, 5, 20 minutes, 1, 3, 6 hours
 *
 * What is shown changes as all that loops see does: a new tls_server, handed over by messages; connections that began
 * with the old one keep it. A handshake for a name without certificate is held by its loop, which asks here
 * (certs_wanted); it is let go by the next certificate for its name, by a failure, or by its deadline.
 *
 * Invariants: (1) A certificate that is there is shown until a newer one is there, whatever fails. (2) A try is noted
 * on disk as failed before it begins; its end corrects that. So an edge that is killed again and again asks no more
 * often than one that fails. (3) Names of visitors pass certs_demand_ok; names of routes and options do not. (4) Times
 * on disk are wall clock; one that lies further ahead than any of ours can counts as now, so a clock that jumped back
 * costs one early try. (5) A certificate that is due again when it comes, because our clock or the authority's is
 * wrong, is asked for as seldom as one that fails for days. */
#include "edge/certs.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "rt/fault.h"

#define DAY_S       86400
#define TICK_MAX_MS 60000
#define TICK_MIN_MS 200

struct cert *certs_find(const struct certs *c, str name)
{
    return c ? map_get(c->all, name) : NULL;
}

struct cert *certs_make(struct certs *c, str name)
{
    struct cert *t = certs_find(c, name);
    if (t)
        return t;
    struct err err = ERR_INIT;
    t = MEM_NEW(struct cert);
    t->certs = c;
    t->name = mem_cstr(name);
    (void)map_put(c->all, name, t);
    enum status st = cert_note_read(c->edge->config->state, name, &t->note, &err);
    if (st != STATUS_OK && st != STATUS_NOT_FOUND)
        log_line(LOG_WARN, "certs", "%s", err.text);
    return t;
}

static void cert_free(struct cert *t)
{
    proc_free(t->child);
    identity_unref(t->identity);
    cert_note_release(&t->note);
    free(t->issuer);
    free(t->name);
    free(t);
}

void certs_save(struct certs *c, struct cert *t)
{
    struct err err = ERR_INIT;
    if (!c->edge->heir.handed && cert_note_write(c->edge->config->state, str_of(t->name), &t->note, &err) != STATUS_OK)
        log_line(LOG_ERROR, "certs", "%s: %s", t->name, err.text);
}

/* The one for this very name, or for all names beside it. */
static struct cert *covering(const struct certs *c, str host)
{
    struct cert *t = certs_find(c, host);
    size_t dot = str_find_char(host, '.');
    if ((t && t->identity) || dot == STR_NPOS || dot == 0)
        return t;
    char wild[LIMIT_EDGE_HOST + 2];
    int n = snprintf(wild, sizeof(wild), "*%.*s", STR_ARG(str_sub(str_from(host, dot), 0, LIMIT_EDGE_HOST)));
    struct cert *w = certs_find(c, str_make(wild, (size_t)n));
    return w && (w->identity || w->wanted || !t) ? w : t;
}

bool certs_cover(const struct edge *e, str host)
{
    const struct cert *t = e->certs ? covering(e->certs, host) : NULL;
    return (e->given && tls_server_is_given(e->given, host)) || (t && t->identity);
}

/* ---- what is shown ---- */

struct tls_server *certs_tls(struct edge *e, const struct tls_server *given)
{
    struct certs *c = e->certs;
    size_t count = map_count(c->all), challenges = 0, pos = 0;
    void *item;
    for (const struct cert_challenge *h = c->challenges; h; h = h->next)
        challenges++;
    struct tls_named *named = mem_array(count + 1, sizeof(*named)), *shown = mem_array(challenges + 1, sizeof(*shown));
    struct tls_more more = {.named = named, .challenges = shown, .hold = true};
    while (map_next(c->all, &pos, NULL, &item)) {
        const struct cert *t = item;
        if (t->identity)
            named[more.named_count++] = (struct tls_named){str_of(t->name), t->identity};
    }
    for (const struct cert_challenge *h = c->challenges; h; h = h->next)
        if (h->identity)
            shown[more.challenge_count++] = (struct tls_named){str_of(h->host), h->identity};
    struct tls_server *tls = tls_server_with(given, &more);
    free(named);
    free(shown);
    return tls;
}

void certs_add_tokens(struct edge *e, struct edge_table *t)
{
    for (const struct cert_challenge *h = e->certs ? e->certs->challenges : NULL; h; h = h->next)
        if (!h->identity)
            edge_table_add_token(t, str_of(h->token), str_of(h->text));
}

/* ---- when ---- */

static int64_t lifetime_s(const struct cert *t)
{
    return MAX(1, identity_expires_unix_s(t->identity) - identity_begins_unix_s(t->identity));
}

/* A third of its life before its end, not all at the same moment; the authority may want it earlier or later. */
int64_t cert_renew_at_s(const struct cert *t)
{
    int64_t life = lifetime_s(t), end = identity_expires_unix_s(t->identity);
    int64_t own = end - life / 3 - (int64_t)(str_hash(str_of(t->name)) % (uint64_t)(life / 60 + 1));
    return t->note.renew_at_s ? MIN(t->note.renew_at_s, end - life / 12) : own;
}

bool certs_is_live(const struct certs *c)
{
    return c->going && !c->edge->stopping && !c->edge->heir.handed;
}

/* Wall clock; INT64_MAX = never. */
static int64_t due_at_s(const struct cert *t, int64_t now_s)
{
    if (t->child)
        return INT64_MAX;
    if (t->now)
        return now_s;
    bool wanted = t->wanted || t->asked || (t->identity && t->note.demanded);
    if (!wanted)
        return INT64_MAX;
    int64_t retry_at_s = t->note.retry_at_s > now_s + 8 * DAY_S ? now_s : t->note.retry_at_s;
    return MAX(retry_at_s, t->identity ? cert_renew_at_s(t) : 0);
}

void certs_kick(struct certs *c)
{
    if (certs_is_live(c))
        loop_timer_at(c->edge->loop, &c->tick, loop_now_us(c->edge->loop));
}

/* ---- the clock ---- */

/* Nobody wants it: it goes when it is of no use any more. */
static bool is_over(const struct cert *t, int64_t now_s)
{
    if (t->wanted || t->child || t->asked || t->now || t->job)
        return false;
    if (t->identity)
        return !t->note.demanded && identity_expires_unix_s(t->identity) < now_s;
    return t->note.retry_at_s <= now_s;
}

static void forget(struct certs *c, struct cert *t)
{
    cert_forget(c->edge->config->state, str_of(t->name));
    (void)map_remove(c->all, str_of(t->name));
    cert_free(t);
}

static void sweep(struct certs *c, int64_t now_s)
{
    VEC(struct cert *) over = {0};
    struct arena *a = arena_new(0);
    size_t pos = 0;
    void *item;
    while (map_next(c->all, &pos, NULL, &item))
        if (is_over(item, now_s))
            VEC_PUSH(a, &over, item);
    for (size_t i = 0; i < over.count; i++)
        forget(c, over.items[i]);
    arena_free(a);
}

static void on_tick(void *arg)
{
    struct certs *c = arg;
    int64_t now_s = clock_unix_s(), next_s = now_s + TICK_MAX_MS / 1000, now_us = loop_now_us(c->edge->loop);
    int64_t wait_ms = TICK_MAX_MS;
    size_t pos = 0;
    void *item;
    if (!certs_is_live(c))
        return;
    sweep(c, now_s);
    while (map_next(c->all, &pos, NULL, &item)) {
        struct cert *t = item;
        int64_t at_s = due_at_s(t, now_s);
        if (t->child && now_us > t->child_until_us)
            (void)proc_kill_group(t->child, SIGKILL);
        if (at_s <= now_s && c->running < LIMIT_CERT_CHILDREN)
            certs_begin(c, t);
        else if (at_s > now_s)
            next_s = MIN(next_s, at_s);
        if (t->child && now_us <= t->child_until_us)
            wait_ms = MIN(wait_ms, (t->child_until_us - now_us) / 1000 + 1);
    }
    if (!c->looker)
        certs_look_renewals(c, now_s);
    loop_timer_after_ms(c->edge->loop, &c->tick, MAX(MIN(wait_ms, (next_s - now_s) * 1000), TICK_MIN_MS));
}

/* ---- who wants what ---- */

/* A wildcard that is wanted, so that the names below it need none of their own. */
static bool below_wildcard(const struct certs *c, str host)
{
    const struct edge_acme *g = &c->edge->config->acme;
    size_t dot = str_find_char(host, '.');
    for (size_t i = 0; i < g->name_count; i++)
        if (str_starts(g->names[i], STR("*.")) && dot != STR_NPOS &&
            str_eq(str_from(g->names[i], 1), str_from(host, dot)))
            return true;
    return false;
}

static void want(struct certs *c, str host)
{
    if (!cert_name_ok(host) || (c->edge->given && tls_server_is_given(c->edge->given, host)))
        return;
    if (host.p[0] == '*' ? !c->edge->config->acme.dns : below_wildcard(c, host))
        return;
    if (certs_find(c, host) || map_count(c->all) < (size_t)LIMIT_CERTS)
        certs_make(c, host)->wanted = true;
    else
        log_line(LOG_ERROR, "certs", "more than %d names: none for %.*s", LIMIT_CERTS, STR_ARG(host));
}

void certs_refresh(struct edge *e)
{
    struct certs *c = e->certs;
    size_t pos = 0;
    void *item;
    if (!c)
        return;
    while (map_next(c->all, &pos, NULL, &item))
        ((struct cert *)item)->wanted = false;
    for (size_t i = 0; i < e->config->acme.name_count; i++)
        want(c, e->config->acme.names[i]);
    for (pos = 0; map_next(e->lives, &pos, NULL, &item);) {
        const struct edge_spec *spec = life_spec(item);
        for (size_t i = 0; spec && i < value_count(spec->hosts); i++) {
            char lower[LIMIT_EDGE_HOST + 1];
            str host = value_at(spec->hosts, i).s;
            if (host.n <= LIMIT_EDGE_HOST)
                want(c, str_lower(lower, host));
        }
    }
    certs_kick(c);
}

void certs_wanted(struct edge *e, str host)
{
    struct certs *c = e->certs;
    int64_t now_s = clock_unix_s();
    struct cert *t = c ? covering(c, host) : NULL;
    if (t && t->identity) /* it is on its way to that loop */
        return;
    if (t && ((t->child && !t->reported) || t->now || due_at_s(t, now_s) <= now_s)) {
        certs_kick(c);
        return;
    }
    bool waits = t && t->note.retry_at_s > now_s && t->note.retry_at_s < now_s + 8 * DAY_S;
    if (!c || !certs_is_live(c) || waits || !e->config->acme.ask || !cert_name_ok(host) || !certs_demand_ok(c, host)) {
        certs_refuse(e, host);
        return;
    }
    t = certs_make(c, host);
    t->asked = t->note.demanded = true;
    certs_kick(c);
}

/* ---- life ---- */

static enum status restore(struct certs *c, struct err *err)
{
    struct arena *a = arena_new(0);
    const char *path = arena_printf(a, "%.*s/" CERT_FOLDER, STR_ARG(c->edge->config->state)).p;
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        err_sys(err, STATUS_IO, errno, "cannot make the folder '%s'", path);
        arena_free(a);
        return err ? err->status : STATUS_IO;
    }
    DIR *dir = opendir(path);
    if (!dir) {
        err_sys(err, STATUS_IO, errno, "cannot read the folder '%s'", path);
        arena_free(a);
        return err ? err->status : STATUS_IO;
    }
    for (const struct dirent *d; (d = readdir(dir)) != NULL && map_count(c->all) < (size_t)LIMIT_CERTS;) {
        struct err why = ERR_INIT;
        str name;
        if (!cert_name_of_file(a, d->d_name, &name))
            continue;
        struct cert *t = certs_make(c, name);
        if (certs_load(c, t, &why) != STATUS_OK)
            log_line(LOG_ERROR, "certs", "%s; another one is obtained", why.text);
        else if (t->note.failures && cert_renew_at_s(t) > clock_unix_s()) { /* it came after them */
            struct cert_note note = t->note;
            cert_note_release(&t->note);
            t->note = (struct cert_note){.renew_at_s = note.renew_at_s,
                                         .tried_at_s = note.tried_at_s,
                                         .failures_total = note.failures_total,
                                         .demanded = note.demanded};
        }
    }
    closedir(dir);
    arena_free(a);
    return STATUS_OK;
}

enum status certs_start(struct edge *e, struct err *err)
{
    if (!e->config->acme.on)
        return STATUS_OK;
    struct certs *c = MEM_NEW(struct certs);
    c->edge = e;
    c->all = map_new();
    c->groups = map_new();
    loop_timer_init(&c->tick, on_tick, c);
    e->certs = c;
    return restore(c, err);
}

void certs_go(struct edge *e)
{
    if (!e->certs)
        return;
    e->certs->going = true;
    certs_kick(e->certs);
}

void certs_freeze(struct edge *e)
{
    struct certs *c = e->certs;
    size_t pos = 0;
    void *item;
    if (!c)
        return;
    loop_timer_cancel(e->loop, &c->tick);
    while (map_next(c->all, &pos, NULL, &item)) {
        struct cert *t = item;
        struct err err = ERR_INIT;
        if (!t->child)
            continue;
        (void)proc_kill_group(t->child, SIGKILL);
        t->note.failures--;
        t->note.retry_at_s = 0;
        if (cert_note_write(e->config->state, str_of(t->name), &t->note, &err) != STATUS_OK)
            log_line(LOG_ERROR, "certs", "%s: %s", t->name, err.text);
        err_set(&err, STATUS_BUSY, "the edge is being upgraded; the new process obtains it");
        t->reported = true;
        certs_end_job(t, &err);
    }
}

void certs_free(struct edge *e)
{
    struct certs *c = e->certs;
    size_t pos = 0;
    void *item;
    if (!c)
        return;
    loop_timer_cancel(e->loop, &c->tick);
    c->going = false;
    certs_drop_challenges(c, STR(""));
    while (map_next(c->all, &pos, NULL, &item))
        cert_free(item);
    for (pos = 0; map_next(c->groups, &pos, NULL, &item);)
        free(item);
    proc_free(c->looker);
    map_free(c->all);
    map_free(c->groups);
    free(c);
    e->certs = NULL;
}

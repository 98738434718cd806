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
#include "net/x509.h"
#include "rt/fault.h"

#define DAY_S       86400
#define LOOK_S      (6 * 3600) /* how often an authority is asked when to renew, unless it says */
#define TICK_MAX_MS 60000
#define TICK_MIN_MS 200

static const int64_t pauses_s[] = {60, 300, 1200, 3600, 3 * 3600, 6 * 3600};

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

struct refusal {
    struct edge *edge;
    char host[LIMIT_EDGE_HOST + 3];
};

static void refuse_on_worker(struct edge_worker *w, void *arg)
{
    const struct refusal *r = arg;
    edge_worker_refuse_cert(w, str_of(r->host));
}

/* Handshakes that wait for it wait no more. */
static void refuse(struct edge *e, str host)
{
    struct refusal *r = MEM_NEW(struct refusal);
    (void)snprintf(r->host, sizeof(r->host), "%.*s", STR_ARG(host));
    edge_ask(e, refuse_on_worker, r, free, r);
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

static bool is_live(const struct certs *c)
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
    if (is_live(c))
        loop_timer_at(c->edge->loop, &c->tick, loop_now_us(c->edge->loop));
}

/* ---- a child ---- */

const char *edge_acme_kind_name(enum edge_acme_kind kind)
{
    return kind == EDGE_ACME_HTTP ? "http-01" : kind == EDGE_ACME_ALPN ? "tls-alpn-01" : "dns-01";
}

static enum edge_acme_kind kind_of(const struct edge_acme *config, const struct cert *t)
{
    static const enum edge_acme_kind order[] = {EDGE_ACME_HTTP, EDGE_ACME_ALPN, EDGE_ACME_DNS};
    enum edge_acme_kind can[ARRAY_LEN(order)];
    size_t count = 0;
    if (t->name[0] == '*')
        return EDGE_ACME_DNS;
    /* A zone that we may change is not the zone of a visitor's name: the DNS is asked for only if it must be. */
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if ((config->kinds & order[i]) && !(order[i] == EDGE_ACME_DNS && count))
            can[count++] = order[i];
    return count ? can[(size_t)t->note.failures % count] : EDGE_ACME_HTTP;
}

void certs_drop_challenges(struct certs *c, str name)
{
    bool any = false;
    for (struct cert_challenge **at = &c->challenges; *at;) {
        struct cert_challenge *h = *at;
        if (name.n && !str_is(name, h->name)) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        any = true;
        identity_unref(h->identity);
        free(h->name);
        free(h->host);
        free(h->token);
        free(h->text);
        free(h);
    }
    if (any && is_live(c))
        edge_publish_tls(c->edge);
}

static void end_job(struct cert *t, const struct err *err)
{
    struct job *j = t->job;
    t->job = NULL;
    if (j)
        job_end(j, err);
}

static void failed(struct certs *c, struct cert *t, const struct err *err, int64_t retry_after_s)
{
    int64_t pause = pauses_s[MIN((size_t)MAX(t->note.failures - 1, 0), ARRAY_LEN(pauses_s) - 1)];
    pause += (int64_t)(str_hash(str_of(t->name)) % (uint64_t)(pause / 10 + 1));
    t->note.retry_at_s = clock_unix_s() + MIN(MAX(pause, retry_after_s), 7 * DAY_S);
    t->note.failures_total++;
    free(t->note.error);
    free(t->note.hint);
    t->note.error = mem_cstr(str_of(err->text));
    t->note.hint = err->hint[0] ? mem_cstr(str_of(err->hint)) : NULL;
    log_line(LOG_ERROR, "certs", "no certificate for %s: %s%s%s", t->name, err->text, err->hint[0] ? ". " : "",
             err->hint);
    certs_save(c, t);
    refuse(c->edge, str_of(t->name));
    end_job(t, err);
}

/* ---- the files ---- */

/* The file as it is now. What cannot be used is told and left alone; what we have is kept. */
static enum status load(struct certs *c, struct cert *t, struct err *err)
{
    struct arena *a = arena_new((size_t)LIMIT_TLS_FILE * 4);
    struct identity *id = NULL;
    struct x509_facts facts;
    str pem;
    enum status st = cert_pem_read(a, c->edge->config->state, str_of(t->name), &pem, err);
    if (st == STATUS_OK) {
        const char *what = arena_printf(a, "'%s'", cert_path(a, c->edge->config->state, str_of(t->name), ".pem")).p;
        st = identity_from_pem(pem, what, &id, err);
        if (st == STATUS_OK && !identity_covers(id, str_of(t->name)))
            st = err_set(err, STATUS_CONFIG, "the certificate in %s is not for %s", what, t->name);
    }
    if (st == STATUS_OK) {
        identity_unref(t->identity);
        t->identity = identity_ref(id);
        free(t->issuer);
        t->issuer = x509_read(a, pem, &facts, NULL) == STATUS_OK ? mem_cstr(facts.issuer) : NULL;
        explicit_bzero((char *)(uintptr_t)pem.p, pem.n);
    }
    identity_unref(id);
    arena_free(a);
    return st;
}

/* The file holds another certificate than the one that is shown; it is shown from now on. */
static bool is_newer(struct certs *c, struct cert *t)
{
    int64_t before_s = t->identity ? identity_expires_unix_s(t->identity) : 0;
    return load(c, t, NULL) == STATUS_OK && identity_expires_unix_s(t->identity) != before_s;
}

/* What was loaded is shown. result: what the authority says about its renewal; UNDEFINED = nothing. */
static void succeeded(struct certs *c, struct cert *t, struct value result)
{
    int64_t look = VALUE_GET(result, "look_again").i, renew_at_s = VALUE_GET(result, "renew_at").i;
    int64_t now_s = clock_unix_s();
    struct cert_note note = {.renew_at_s = MAX(0, renew_at_s),
                             .look_at_s = now_s + (look > 0 ? look : LOOK_S),
                             .tried_at_s = t->note.tried_at_s,
                             .failures_total = t->note.failures_total,
                             .demanded = t->note.demanded};
    cert_note_release(&t->note);
    t->note = note;
    if (cert_renew_at_s(t) <= now_s) {
        t->note.retry_at_s = now_s + pauses_s[ARRAY_LEN(pauses_s) - 1];
        log_line(LOG_WARN, "certs", "the new certificate for %s is to be renewed already: is the clock right?",
                 t->name);
    }
    certs_save(c, t);
    log_line(LOG_INFO, "certs", "a certificate for %s, good for %lld days", t->name,
             (long long)((identity_expires_unix_s(t->identity) - now_s) / DAY_S));
    edge_publish_tls(c->edge);
    end_job(t, NULL);
}

static void on_child_end(void *arg, int wait_status)
{
    struct cert *t = arg;
    struct certs *c = t->certs;
    struct err err = ERR_INIT;
    char how[64];
    c->running--;
    proc_free(t->child);
    t->child = NULL;
    certs_drop_challenges(c, str_of(t->name));
    if (!t->reported && is_newer(c, t)) { /* it died after its work was done */
        succeeded(c, t, VALUE_UNDEF);
    } else if (!t->reported) {
        proc_describe(wait_status, how, sizeof(how));
        err_set(&err, STATUS_INTERNAL, "what was to obtain it ended before it was done (%s)", how);
        failed(c, t, &err, 0);
    }
    certs_kick(c);
}

static enum status spawn(struct certs *c, struct cert *t, struct err *err)
{
    const struct edge_acme *g = &c->edge->config->acme;
    struct arena *a = arena_new(0);
    VEC(char *) argv = {0};
    const char *kind = edge_acme_kind_name(kind_of(g, t));
    const char *first[] = {"vitrine", "certs", "obtain",      "--state", arena_cstr(a, c->edge->config->state),
                           "--name",  t->name, "--challenge", kind};
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        VEC_PUSH(a, &argv, (char *)(uintptr_t)first[i]);
    if (!t->wanted && g->ask)
        VEC_PUSH(a, &argv, (char *)(uintptr_t) "--ask-first");
    for (size_t i = 0; i < g->arg_count; i++)
        VEC_PUSH(a, &argv, g->args[i]);
    VEC_PUSH(a, &argv, NULL);
    const struct proc_config config = {.path = "/proc/self/exe", .argv = argv.items, .new_group = true};
    enum status st = proc_spawn(c->edge->loop, &config, on_child_end, t, &t->child, err);
    if (st == STATUS_OK)
        c->running++;
    arena_free(a);
    return st;
}

static void begin(struct certs *c, struct cert *t)
{
    struct err err = ERR_INIT;
    t->now = t->asked = t->reported = false;
    t->note.failures++; /* until the end says otherwise */
    t->note.tried_at_s = clock_unix_s();
    t->note.retry_at_s = t->note.tried_at_s + pauses_s[0];
    certs_save(c, t);
    (void)FAULT("certs.begin");
    if (t->job)
        job_line(t->job, "by %s", edge_acme_kind_name(kind_of(&c->edge->config->acme, t)));
    t->child_until_us = loop_now_us(c->edge->loop) + LIMIT_CERT_CHILD_MS * INT64_C(1000);
    if (spawn(c, t, &err) != STATUS_OK)
        failed(c, t, &err, 0);
}

void certs_result(struct certs *c, str name, struct value result)
{
    struct cert *t = certs_find(c, name);
    struct err err = ERR_INIT;
    str text = value_get_text(result, STR("error")), hint = value_get_text(result, STR("hint"));
    int64_t retry_after_s = VALUE_GET(result, "retry_after").i;
    if (!t || !is_live(c))
        return;
    t->reported = true;
    if (value_truth(VALUE_GET(result, "refused"))) { /* the ask address knows no such host */
        refuse(c->edge, name);
        t->note.failures = 0;
        t->note.retry_at_s = clock_unix_s() + pauses_s[1];
        t->note.demanded = false;
        end_job(t, NULL);
        return;
    }
    if (text.n)
        err_set(&err, STATUS_IO, "%.*s", STR_ARG(text));
    if (hint.n)
        err_hint(&err, "%.*s", STR_ARG(hint));
    if (!text.n && load(c, t, &err) == STATUS_OK) {
        succeeded(c, t, result);
        return;
    }
    failed(c, t, &err, retry_after_s);
}

/* ---- when to renew, as authorities say ---- */

static void on_looker_end(void *arg, int wait_status)
{
    struct certs *c = arg;
    (void)wait_status; /* who said nothing is asked again in a while */
    proc_free(c->looker);
    c->looker = NULL;
}

static void look(struct certs *c, int64_t now_s)
{
    const struct edge_acme *g = &c->edge->config->acme;
    struct arena *a = arena_new(0);
    VEC(char *) argv = {0};
    size_t pos = 0, count = 0;
    void *item;
    const char *first[] = {"vitrine", "certs", "look", "--state", arena_cstr(a, c->edge->config->state)};
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        VEC_PUSH(a, &argv, (char *)(uintptr_t)first[i]);
    while (map_next(c->all, &pos, NULL, &item) && count < LIMIT_CERT_LOOKS) {
        struct cert *t = item;
        bool far = t->note.look_at_s > now_s + 8 * DAY_S;
        if (!t->identity || t->child || (t->note.look_at_s > now_s && !far))
            continue;
        t->note.look_at_s = now_s + LOOK_S;
        VEC_PUSH(a, &argv, (char *)(uintptr_t) "--name");
        VEC_PUSH(a, &argv, t->name);
        count++;
    }
    for (size_t i = 0; i < g->arg_count; i++)
        VEC_PUSH(a, &argv, g->args[i]);
    VEC_PUSH(a, &argv, NULL);
    const struct proc_config config = {.path = "/proc/self/exe", .argv = argv.items, .new_group = true};
    struct err err = ERR_INIT;
    if (count && proc_spawn(c->edge->loop, &config, on_looker_end, c, &c->looker, &err) != STATUS_OK)
        log_line(LOG_WARN, "certs", "%s", err.text);
    arena_free(a);
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
    size_t pos = 0;
    void *item;
    if (!is_live(c))
        return;
    sweep(c, now_s);
    while (map_next(c->all, &pos, NULL, &item)) {
        struct cert *t = item;
        int64_t at_s = due_at_s(t, now_s);
        if (t->child && now_us > t->child_until_us)
            (void)proc_kill_group(t->child, SIGKILL);
        if (at_s <= now_s && c->running < LIMIT_CERT_CHILDREN)
            begin(c, t);
        else if (at_s > now_s)
            next_s = MIN(next_s, at_s);
    }
    if (!c->looker)
        look(c, now_s);
    loop_timer_after_ms(c->edge->loop, &c->tick, MAX((next_s - now_s) * 1000, TICK_MIN_MS));
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
            for (size_t k = 0; k < host.n && k < sizeof(lower); k++)
                lower[k] = host.p[k] >= 'A' && host.p[k] <= 'Z' ? (char)(host.p[k] + 32) : host.p[k];
            if (host.n <= LIMIT_EDGE_HOST)
                want(c, str_make(lower, host.n));
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
    if (!c || !is_live(c) || waits || !e->config->acme.ask || !cert_name_ok(host) || !certs_demand_ok(c, host)) {
        refuse(e, host);
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
        if (load(c, t, &why) != STATUS_OK)
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
        end_job(t, &err);
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

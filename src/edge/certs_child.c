/* SPDX-License-Identifier: Apache-2.0 */
/* certs_child — what obtains a certificate, and what becomes of it: the child, its word, the file that it wrote. The
 * essay is in certs.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "edge/certs.h"
#include "net/x509.h"
#include "rt/fault.h"

#define DAY_S  86400
#define LOOK_S (6 * 3600) /* how often an authority is asked when to renew, unless it says */

static const int64_t pauses_s[] = {60, 300, 1200, 3600, 3 * 3600, 6 * 3600};

struct refusal {
    struct edge *edge;
    char host[LIMIT_EDGE_HOST + 3];
};

static void refuse_on_worker(struct edge_worker *w, void *arg)
{
    const struct refusal *r = arg;
    edge_worker_refuse_cert(w, str_of(r->host));
}

void certs_refuse(struct edge *e, str host)
{
    struct refusal *r = MEM_NEW(struct refusal);
    (void)snprintf(r->host, sizeof(r->host), "%.*s", STR_ARG(host));
    edge_ask(e, refuse_on_worker, r, free, r);
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
    if (any && certs_is_live(c))
        edge_publish_tls(c->edge);
}

void certs_end_job(struct cert *t, const struct err *err)
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
    certs_refuse(c->edge, str_of(t->name));
    certs_end_job(t, err);
}

/* ---- the files ---- */

enum status certs_load(struct certs *c, struct cert *t, struct err *err)
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
    return certs_load(c, t, NULL) == STATUS_OK && identity_expires_unix_s(t->identity) != before_s;
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
    certs_end_job(t, NULL);
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

void certs_begin(struct certs *c, struct cert *t)
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
    if (!t || !certs_is_live(c))
        return;
    t->reported = true;
    if (value_truth(VALUE_GET(result, "refused"))) { /* the ask address knows no such host */
        certs_refuse(c->edge, name);
        t->note.failures = 0;
        t->note.retry_at_s = clock_unix_s() + pauses_s[1];
        t->note.demanded = false;
        certs_end_job(t, NULL);
        return;
    }
    if (text.n)
        err_set(&err, STATUS_IO, "%.*s", STR_ARG(text));
    if (hint.n)
        err_hint(&err, "%.*s", STR_ARG(hint));
    if (!text.n && certs_load(c, t, &err) == STATUS_OK) {
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

void certs_look_renewals(struct certs *c, int64_t now_s)
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

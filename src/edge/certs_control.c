/* SPDX-License-Identifier: Apache-2.0 */
/* certs_control — certificates over the control socket: what people ask, and what the children of certs.c tell:
 *
 *   POST /certs-tell/challenge   {"name", "host", "token", "text"} or {..., "pem"}; answered when all loops show it
 *   POST /certs-tell/withdraw    {"name"}
 *   POST /certs-tell/progress    {"name", "text"}
 *   POST /certs-tell/look        {"name", "renew_at", "look_again"}
 *   POST /certs-tell/result      {"name", "error", "hint", "retry_after", "renew_at", "look_again", "refused"} */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "edge/certs.h"

/* ---- for people ---- */

static struct value when_value(struct arena *a, int64_t unix_s)
{
    char text[CLOCK_ISO_LEN + 1];
    if (unix_s <= 0)
        return VALUE_NULL;
    clock_format_iso_ms(unix_s * INT64_C(1000000), text);
    return value_str(ARENA_CAT(a, str_sub(str_of(text), 0, 19), STR("Z")));
}

static const char *state_of(const struct cert *t, int64_t now_s)
{
    if (t->child && !t->reported)
        return t->identity ? "renewing" : "obtaining";
    if (t->identity)
        return identity_expires_unix_s(t->identity) < now_s ? "expired" : t->note.failures ? "renewal failed" : "valid";
    return t->note.failures ? "failed" : "waiting";
}

static struct value cert_value(struct arena *a, const struct cert *t)
{
    struct value v = value_dict(a);
    int64_t now_s = clock_unix_s();
    VALUE_SET(v, "name", value_str(arena_str(a, str_of(t->name))));
    VALUE_SET(v, "state", value_cstr(state_of(t, now_s)));
    VALUE_SET(v, "from", value_cstr(t->wanted ? "route" : t->note.demanded ? "visitor" : "nobody"));
    VALUE_SET(v, "issuer", value_str_if(t->issuer, arena_str(a, str_of(t->issuer))));
    VALUE_SET(v, "begins", when_value(a, t->identity ? identity_begins_unix_s(t->identity) : 0));
    VALUE_SET(v, "expires", when_value(a, t->identity ? identity_expires_unix_s(t->identity) : 0));
    int64_t not_before_s = t->note.error ? 0 : t->note.retry_at_s;
    VALUE_SET(v, "renew_at", when_value(a, t->identity ? MAX(cert_renew_at_s(t), not_before_s) : 0));
    VALUE_SET(v, "failures", value_int(t->note.failures - (t->child && !t->reported ? 1 : 0)));
    VALUE_SET(v, "error", value_str_if(t->note.error, arena_str(a, str_of(t->note.error))));
    VALUE_SET(v, "hint", value_str_if(t->note.hint, arena_str(a, str_of(t->note.hint))));
    VALUE_SET(v, "retry_at", when_value(a, t->note.error && (!t->child || t->reported) ? t->note.retry_at_s : 0));
    return v;
}

static void no_certs(struct http_exchange *x)
{
    struct err err = ERR_INIT;
    err_set(&err, STATUS_NOT_FOUND, "this edge gets no certificates by itself");
    err_hint(&err, "Start it with --acme MAIL and --acme-agree.");
    control_error(x, &err);
}

static struct cert *find(struct edge *e, struct http_exchange *x, str name)
{
    struct err err = ERR_INIT;
    struct cert *t = certs_find(e->certs, name);
    if (!e->certs) {
        no_certs(x);
    } else if (!t) {
        err_set(&err, STATUS_NOT_FOUND, "there is no certificate for \"%.*s\"", STR_ARG(str_sub(name, 0, 80)));
        err_hint(&err, "vitrine certs list shows those there are. A name gets one when an app has it as --host.");
        control_error(x, &err);
    }
    return t;
}

void certs_call_list(struct edge *e, struct http_exchange *x)
{
    struct arena *a = http_exchange_arena(x);
    struct value v = value_dict(a), list = value_list(a);
    size_t pos = 0;
    void *item;
    while (e->certs && map_next(e->certs->all, &pos, NULL, &item))
        value_push(list, cert_value(a, item));
    for (size_t i = 0; i < tls_server_given_count(e->given); i++) {
        struct value g = value_dict(a), names = value_list(a);
        const struct identity *id = tls_server_given(e->given, i);
        for (size_t k = 0; k < identity_name_count(id); k++)
            value_push(names, value_str(arena_str(a, identity_name(id, k))));
        VALUE_SET(g, "file", value_str(i < e->config->cert_count ? e->config->certs[i].cert_path : STR("")));
        VALUE_SET(g, "names", names);
        VALUE_SET(g, "state", value_cstr(identity_expires_unix_s(id) < clock_unix_s() ? "expired" : "valid"));
        VALUE_SET(g, "from", value_cstr("file"));
        VALUE_SET(g, "expires", when_value(a, identity_expires_unix_s(id)));
        value_push(list, g);
    }
    VALUE_SET(v, "acme", value_bool(e->certs != NULL));
    VALUE_SET(v, "certificates", list);
    control_value(x, 200, v);
}

void certs_call_show(struct edge *e, struct http_exchange *x, str name)
{
    const struct cert *t = find(e, x, name);
    if (t)
        control_value(x, 200, cert_value(http_exchange_arena(x), t));
}

void certs_call_renew(struct edge *e, struct http_exchange *x, str name)
{
    struct cert *t = find(e, x, name);
    struct err err = ERR_INIT;
    if (!t)
        return;
    if (t->job) {
        err_set(&err, STATUS_CONFLICT, "somebody renews it already");
        control_error(x, &err);
        return;
    }
    t->job = job_new(e, "certificate", name);
    t->now = !t->child || t->reported; /* one that has said how it went tells nobody any more */
    struct value v = value_dict(http_exchange_arena(x));
    VALUE_SET(v, "job", value_int((int64_t)t->job->id));
    control_value(x, 202, v);
    certs_kick(e->certs);
}

void certs_metrics(struct edge *e, struct buf *out)
{
    size_t pos = 0;
    str name;
    void *item;
    if (!e->certs)
        return;
    buf_puts(out, STR("# HELP vitrine_edge_certificate_expiry_seconds When the certificate expires, Unix time; 0: "
                      "there is none yet.\n# TYPE vitrine_edge_certificate_expiry_seconds gauge\n"));
    for (pos = 0; map_next(e->certs->all, &pos, &name, &item);) {
        const struct cert *t = item;
        buf_printf(out, "vitrine_edge_certificate_expiry_seconds{name=\"%.*s\"} %lld\n", STR_ARG(name),
                   t->identity ? (long long)identity_expires_unix_s(t->identity) : 0LL);
    }
    buf_puts(out, STR("# HELP vitrine_edge_certificate_failures_total Tries to obtain it that failed.\n"
                      "# TYPE vitrine_edge_certificate_failures_total counter\n"));
    for (pos = 0; map_next(e->certs->all, &pos, &name, &item);)
        buf_printf(out, "vitrine_edge_certificate_failures_total{name=\"%.*s\"} %lld\n", STR_ARG(name),
                   (long long)((const struct cert *)item)->note.failures_total);
}

/* ---- for children ---- */

struct told { /* an answer that waits until all loops know */
    struct http_exchange *x;
};

static void told_gone(void *arg)
{
    struct told *w = arg;
    http_exchange_fail(w->x, 499, STR(""));
    w->x = NULL;
}

static void said(struct http_exchange *x)
{
    struct value v = value_dict(http_exchange_arena(x));
    VALUE_SET(v, "ok", value_bool(true));
    control_value(x, 200, v);
}

static void all_know(void *arg)
{
    struct told *w = arg;
    if (w->x)
        said(w->x);
    free(w);
}

static void nothing(struct edge_worker *w, void *arg)
{
    (void)w;
    (void)arg;
}

static enum status add_challenge(struct certs *c, str name, struct value body, struct err *err)
{
    size_t count = 0;
    str pem = value_get_text(body, STR("pem")), host = value_get_text(body, STR("host"));
    struct identity *id = NULL;
    for (const struct cert_challenge *h = c->challenges; h; h = h->next)
        count++;
    if (count >= LIMIT_CERT_CHALLENGES)
        return err_set(err, STATUS_BUSY, "authorities look at %d names already", LIMIT_CERT_CHALLENGES);
    if (!cert_name_ok(host))
        return err_set(err, STATUS_INVALID, "this is no host");
    enum status st = pem.n ? identity_from_pem(pem, "the challenge", &id, err) : STATUS_OK;
    if (st != STATUS_OK)
        return st;
    struct cert_challenge *h = MEM_NEW(struct cert_challenge);
    *h = (struct cert_challenge){.next = c->challenges,
                                 .name = mem_cstr(name),
                                 .host = mem_cstr(host),
                                 .token = mem_cstr(value_get_text(body, STR("token"))),
                                 .text = mem_cstr(value_get_text(body, STR("text"))),
                                 .identity = id};
    c->challenges = h;
    return STATUS_OK;
}

static void tell_challenge(struct edge *e, struct http_exchange *x, str name, struct value body)
{
    struct err err = ERR_INIT;
    if (add_challenge(e->certs, name, body, &err) != STATUS_OK) {
        control_error(x, &err);
        return;
    }
    struct told *w = MEM_NEW(struct told);
    w->x = x;
    http_exchange_on_gone(x, told_gone, w);
    edge_publish_tls(e);
    edge_ask(e, nothing, NULL, all_know, w); /* after what was published: messages keep their order */
}

static void tell_look(struct certs *c, str name, struct value body)
{
    struct cert *t = certs_find(c, name);
    int64_t renew_at_s = VALUE_GET(body, "renew_at").i, again_s = VALUE_GET(body, "look_again").i;
    if (!t)
        return;
    t->note.renew_at_s = MAX(0, renew_at_s);
    t->note.look_at_s = clock_unix_s() + MIN(MAX(again_s, 60), 7 * 86400);
    certs_save(c, t);
    certs_kick(c);
}

void certs_call_tell(struct edge *e, struct http_exchange *x, str what, struct value body)
{
    str name = arena_str(http_exchange_arena(x), value_get_text(body, STR("name")));
    struct cert *t = certs_find(e->certs, name);
    struct err err = ERR_INIT;
    if (!e->certs) {
        no_certs(x);
    } else if (!cert_name_ok(name)) {
        err_set(&err, STATUS_INVALID, "this is no host");
        control_error(x, &err);
    } else if (str_is(what, "challenge")) {
        tell_challenge(e, x, name, body);
    } else {
        if (str_is(what, "withdraw"))
            certs_drop_challenges(e->certs, name);
        else if (str_is(what, "progress") && t && t->job)
            job_line(t->job, "%.*s", STR_ARG(str_sub(value_get_text(body, STR("text")), 0, 400)));
        else if (str_is(what, "look"))
            tell_look(e->certs, name, body);
        else if (str_is(what, "result"))
            certs_result(e->certs, name, body);
        said(x);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* order — from the wish for a certificate to the certificate (RFC 8555 section 7.4):
 *
 *   newOrder --> its authorization: pending --challenge is answered--> valid --> finalize with our request --> the
 * order is valid --> download
 *
 * What the authority says is believed only where it must be: the certificate is checked against the key and the name
 * before anybody sees it. Every wait ends with the time of the whole (acme_config.timeout_ms). */
#include "acme/acme_impl.h"
#include "base/clock.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/when.h"
#include "net/identity.h"
#include "net/x509.h"
#include "rt/fault.h"

#include <time.h>

const char *const acme_kind_names[ACME_KINDS] = {"http-01", "tls-alpn-01", "dns-01"};

bool acme_kind_parse(str text, enum acme_kind *ret)
{
    for (int i = 0; i < ACME_KINDS; i++)
        if (str_is(text, acme_kind_names[i])) {
            *ret = (enum acme_kind)i;
            return true;
        }
    return false;
}

struct ordering {
    struct acme *acme;
    const struct acme_solver *solver;
    str host;
    enum acme_kind kind;
    str url, finalize, certificate;
};

static void say(const struct ordering *o, const char *text)
{
    if (o->solver->say)
        o->solver->say(o->solver->arg, text);
}

static const char *in_words(const struct ordering *o, const char *what)
{
    return arena_printf(o->acme->a, "%s %.*s", what, STR_ARG(o->host)).p;
}

static int64_t pause_ms(const struct acme_answer *answer, int turn)
{
    int64_t own = MIN(LIMIT_ACME_POLL_MS << MIN(turn, 4), 5000);
    return answer->retry_after_s > 0 ? MIN(answer->retry_after_s * 1000, 30000) : own;
}

/* Asks until its "status" is none of the two. */
static enum status poll(struct acme *c, str url, const char *one, const char *other, struct acme_answer *ret,
                        struct err *err)
{
    for (int turn = 0;; turn++) {
        enum status st = acme_post(c, url, STR(""), false, ret, err);
        if (st != STATUS_OK)
            return st;
        str status = value_get_text(ret->json, STR("status"));
        if (!status.n)
            return err_set(err, STATUS_INVALID, "the authority's answer makes no sense: it has no status");
        if (!str_is(status, one) && !str_is(status, other))
            return STATUS_OK;
        st = acme_pause(c, pause_ms(ret, turn), err);
        if (st != STATUS_OK)
            return st;
    }
}

/* ---- authorization ---- */

static struct value find_challenge(struct value authorization, const char *kind)
{
    struct value all = VALUE_GET(authorization, "challenges");
    for (size_t i = 0; i < value_count(all); i++)
        if (str_is(value_get_text(value_at(all, i), STR("type")), kind))
            return value_at(all, i);
    return VALUE_UNDEF;
}

static bool is_token(str s) /* RFC 8555 section 8.1: base64url */
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return s.n >= 16 && s.n <= LIMIT_ACME_TOKEN;
}

static enum status answer_challenge(struct ordering *o, str url, struct value challenge, struct err *err)
{
    struct acme *c = o->acme;
    struct acme_answer answer;
    struct acme_challenge shown = {.kind = o->kind, .token = value_get_text(challenge, STR("token"))};
    shown.host = str_starts(o->host, STR("*.")) ? str_from(o->host, 2) : o->host;
    if (!is_token(shown.token))
        return err_set(err, STATUS_INVALID, "the authority's challenge has no token that can be used");
    shown.key_authorization =
        arena_printf(c->a, "%.*s.%.*s", STR_ARG(shown.token), STR_ARG(jose_thumbprint(c->a, c->key)));
    enum status st = o->solver->present(o->solver->arg, &shown, err);
    if (st != STATUS_OK)
        return st;
    (void)FAULT("acme.presented");
    say(o, in_words(o, "the authority looks at"));
    st = acme_post(c, value_get_text(challenge, STR("url")), STR("{}"), false, &answer, err);
    if (st == STATUS_OK)
        st = poll(c, url, "pending", "processing", &answer, err);
    o->solver->withdraw(o->solver->arg, &shown);
    if (st != STATUS_OK || str_is(value_get_text(answer.json, STR("status")), "valid"))
        return st;
    challenge = find_challenge(answer.json, acme_kind_names[o->kind]);
    return acme_problem(c->a, VALUE_GET(challenge, "error"), 0, in_words(o, acme_kind_names[o->kind]), err);
}

static enum status authorize(struct ordering *o, str url, struct err *err)
{
    struct acme_answer answer;
    enum status st = acme_post(o->acme, url, STR(""), false, &answer, err);
    if (st != STATUS_OK)
        return st;
    str status = value_get_text(answer.json, STR("status"));
    if (str_is(status, "valid")) /* it remembers an earlier one */
        return STATUS_OK;
    if (!str_is(status, "pending"))
        return err_set(err, STATUS_INVALID, "the authority's authorization is \"%.*s\" from the beginning",
                       STR_ARG(str_sub(status, 0, 40)));
    struct value challenge = find_challenge(answer.json, acme_kind_names[o->kind]);
    if (challenge.kind != VALUE_DICT) {
        err_set(err, STATUS_CONFIG, "the authority does not offer %s for %.*s", acme_kind_names[o->kind],
                STR_ARG(o->host));
        return err_hint(err, "Choose another kind with --acme-challenge.");
    }
    return answer_challenge(o, url, challenge, err);
}

/* ---- the order ---- */

static enum status place(struct ordering *o, str replaces, struct acme_answer *ret, struct err *err)
{
    struct acme *c = o->acme;
    struct x509_facts facts;
    str more = STR("");
    if (c->renewal_info.n && replaces.n && x509_read(c->a, replaces, &facts, NULL) == STATUS_OK && facts.renewal_id.n)
        more = arena_printf(c->a, ",\"replaces\":\"%.*s\"", STR_ARG(facts.renewal_id));
    str payload = arena_printf(c->a, "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"%.*s\"}]%.*s}", STR_ARG(o->host),
                               STR_ARG(more));
    enum status st = acme_post(c, c->new_order, payload, false, ret, err);
    if (st != STATUS_OK && more.n && c->retry_after_s == 0) { /* it knows better what replaces what: without a word */
        err_clear(err);
        payload = arena_printf(c->a, "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"%.*s\"}]}", STR_ARG(o->host));
        st = acme_post(c, c->new_order, payload, false, ret, err);
    }
    if (st != STATUS_OK) {
        err_prefix(err, "an order for %.*s", STR_ARG(o->host));
        return err ? err->status : st;
    }
    o->url = ret->location;
    o->finalize = value_get_text(ret->json, STR("finalize"));
    return o->url.n && o->finalize.n
               ? STATUS_OK
               : err_set(err, STATUS_INVALID, "the authority took the order, and did not say where it is");
}

static enum status finish(struct ordering *o, str *ret_key, struct err *err)
{
    struct acme *c = o->acme;
    struct acme_answer answer;
    str csr;
    x509_request(c->a, o->host, ret_key, &csr);
    str payload = arena_printf(c->a, "{\"csr\":\"%.*s\"}", STR_ARG(b64url_encode(c->a, csr)));
    say(o, in_words(o, "the certificate is being made for"));
    enum status st = poll(c, o->url, "pending", "pending", &answer, err); /* valid authorizations make it ready */
    if (st == STATUS_OK && str_is(value_get_text(answer.json, STR("status")), "ready"))
        st = acme_post(c, o->finalize, payload, false, &answer, err);
    if (st == STATUS_OK)
        st = poll(c, o->url, "processing", "ready", &answer, err);
    if (st != STATUS_OK)
        return st;
    if (!str_is(value_get_text(answer.json, STR("status")), "valid"))
        return acme_problem(c->a, VALUE_GET(answer.json, "error"), 0, in_words(o, "the order for"), err);
    o->certificate = value_get_text(answer.json, STR("certificate"));
    return STATUS_OK;
}

static enum status download(struct ordering *o, str key, str *ret_pem, struct err *err)
{
    struct acme *c = o->acme;
    struct acme_answer answer;
    struct identity *id;
    enum status st = acme_post(c, o->certificate, STR(""), false, &answer, err);
    if (st != STATUS_OK)
        return st;
    str pem = ARENA_CAT(c->a, key, answer.body);
    st = identity_from_pem(pem, "the authority's answer", &id, err);
    if (st != STATUS_OK)
        return st;
    bool ours = identity_covers(id, o->host);
    identity_unref(id);
    if (!ours)
        return err_set(err, STATUS_INVALID, "the authority's certificate is not for %.*s", STR_ARG(o->host));
    *ret_pem = pem;
    return STATUS_OK;
}

/* ---- when to renew (RFC 9773) ---- */

static bool read_time(struct value dict, const char *name, int64_t *ret)
{
    struct when w;
    if (!when_parse(value_get_text(dict, str_of(name)), &w))
        return false;
    struct tm tm = {.tm_year = w.year - 1900, .tm_mon = w.month - 1, .tm_mday = w.day};
    *ret = (int64_t)timegm(&tm) + w.hour * 3600 + w.minute * 60 + w.second - w.zone_minutes * 60;
    return true;
}

/* A moment of the suggested window, the same one each time for the same certificate. */
static enum status ask_when(struct acme *c, str pem, struct acme_result *ret, struct err *err)
{
    struct x509_facts facts;
    struct acme_answer answer;
    int64_t start, end;
    if (!c->renewal_info.n || x509_read(c->a, pem, &facts, NULL) != STATUS_OK || !facts.renewal_id.n)
        return err_set(err, STATUS_NOT_FOUND, "the authority does not say when to renew");
    str url = arena_printf(c->a, "%.*s%s%.*s", STR_ARG(c->renewal_info), str_ends(c->renewal_info, STR("/")) ? "" : "/",
                           STR_ARG(facts.renewal_id));
    enum status st = acme_get(c, url, &answer, err);
    if (st != STATUS_OK)
        return st;
    struct value window = VALUE_GET(answer.json, "suggestedWindow");
    if (!read_time(window, "start", &start) || !read_time(window, "end", &end) || end < start)
        return err_set(err, STATUS_INVALID, "the authority's window for the renewal makes no sense");
    ret->renew_at_s = start + (int64_t)(str_hash(facts.renewal_id) % (uint64_t)(end - start + 1));
    ret->look_again_s = answer.retry_after_s > 0 ? answer.retry_after_s : 6 * 3600;
    return STATUS_OK;
}

/* ---- all of it ---- */

static void begin(struct acme *c, struct arena *a, const struct acme_config *config)
{
    *c = (struct acme){.a = a, .config = config, .until_ms = clock_mono_ms() + config->timeout_ms};
}

static enum status obtain(struct ordering *o, str replaces, struct acme_result *ret, struct err *err)
{
    struct acme *c = o->acme;
    struct acme_answer order;
    str key = STR("");
    say(o, in_words(o, "the authority is asked for"));
    enum status st = acme_open(c, err);
    if (st == STATUS_OK)
        st = acme_account(c, err);
    if (st == STATUS_OK)
        st = place(o, replaces, &order, err);
    if (st != STATUS_OK)
        return st;
    struct value all = VALUE_GET(order.json, "authorizations");
    if (value_count(all) != 1)
        return err_set(err, STATUS_INVALID, "the authority's order has %zu authorizations for one name",
                       value_count(all));
    st = authorize(o, value_to_str(c->a, value_at(all, 0)), err);
    if (st == STATUS_OK)
        st = finish(o, &key, err);
    if (st == STATUS_OK)
        st = download(o, key, &ret->pem, err);
    if (st == STATUS_OK && ask_when(c, ret->pem, ret, NULL) != STATUS_OK)
        ret->renew_at_s = 0; /* it does not say */
    return st;
}

enum status acme_obtain(struct arena *a, const struct acme_config *config, const struct acme_solver *solver, str host,
                        enum acme_kind kind, str replaces, struct acme_result *ret, struct err *err)
{
    struct acme c;
    struct ordering o = {.acme = &c, .solver = solver, .host = host, .kind = kind};
    *ret = (struct acme_result){0};
    begin(&c, a, config);
    if (str_starts(host, STR("*.")) && kind != ACME_DNS_01) {
        err_set(err, STATUS_CONFIG, "%.*s is a wildcard: authorities check those in the DNS only", STR_ARG(host));
        return err_hint(err, "Give --acme-dns.");
    }
    enum status st = obtain(&o, replaces, ret, err);
    ret->retry_after_s = c.retry_after_s;
    jose_key_free(c.key);
    return st;
}

enum status acme_renewal_info(struct arena *a, const struct acme_config *config, str pem, struct acme_result *ret,
                              struct err *err)
{
    struct acme c;
    *ret = (struct acme_result){0};
    begin(&c, a, config);
    enum status st = acme_open(&c, err);
    return st == STATUS_OK ? ask_when(&c, pem, ret, err) : st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* talk — requests to an authority: the directory, nonces, signatures (RFC 8555 sections 6 and 7.1). Every answer brings
 * the nonce of the next request; a refused one (badNonce) is asked again with the nonce that came with the refusal. */
#include <unistd.h>

#include "acme/acme_impl.h"
#include "base/clock.h"
#include "base/limits.h"

static bool is_url(str s)
{
    if (!(str_starts(s, STR("https://")) || str_starts(s, STR("http://"))) || s.n > LIMIT_ACME_URL)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '"' || s.p[i] == '\\')
            return false;
    return true;
}

static bool is_nonce(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return s.n > 0 && s.n <= LIMIT_ACME_NONCE;
}

enum status acme_pause(struct acme *c, int64_t ms, struct err *err)
{
    int64_t left = c->until_ms - clock_mono_ms();
    if (left <= ms) {
        err_set(err, STATUS_TIMEOUT, "the authority did not finish within %lld s",
                (long long)c->config->timeout_ms / 1000);
        return err_hint(err, "It is asked again later.");
    }
    (void)usleep((useconds_t)ms * 1000);
    return STATUS_OK;
}

static enum status exchange(struct acme *c, const struct ask *like, struct acme_answer *ret, struct err *err)
{
    struct ask q = *like;
    struct ask_answer answer;
    int64_t left = c->until_ms - clock_mono_ms();
    if (left <= 0)
        return acme_pause(c, 1, err);
    q.timeout_ms = MIN(left, LIMIT_ACME_REQUEST_MS);
    q.max_answer = LIMIT_ACME_ANSWER;
    q.ca_file = c->config->ca_file;
    enum status st = ask_url(c->a, &q, &answer, err);
    if (st != STATUS_OK)
        return st;
    *ret = (struct acme_answer){.status = answer.status, .retry_after_s = answer.retry_after_s, .body = answer.body};
    ret->location = ask_header(&answer, STR("location"));
    str nonce = ask_header(&answer, STR("replay-nonce"));
    c->nonce = is_nonce(nonce) ? nonce : STR("");
    if (value_from_json(c->a, answer.body, &ret->json, NULL) != STATUS_OK || ret->json.kind != VALUE_DICT)
        ret->json = VALUE_UNDEF;
    return STATUS_OK;
}

enum status acme_get(struct acme *c, str url, struct acme_answer *ret, struct err *err)
{
    struct acme_answer answer;
    if (!is_url(url))
        return err_set(err, STATUS_INVALID, "the authority names an address that is none");
    enum status st = exchange(c, &(struct ask){.method = STR("GET"), .url = url}, &answer, err);
    if (st == STATUS_OK && answer.status != 200)
        st = acme_problem(c->a, answer.json, answer.status, "a question to the authority", err);
    if (st == STATUS_OK)
        *ret = answer;
    return st;
}

enum status acme_open(struct acme *c, struct err *err)
{
    struct acme_answer answer;
    str url = c->config->directory;
    const struct {
        const char *name;
        str *to;
    } urls[] = {{"newNonce", &c->new_nonce}, {"newAccount", &c->new_account}, {"newOrder", &c->new_order}};
    enum status st = acme_get(c, url, &answer, err);
    if (st != STATUS_OK) {
        err_prefix(err, "the directory of the authority");
        return err ? err->status : st;
    }
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        *urls[i].to = value_get_text(answer.json, str_of(urls[i].name));
        if (!is_url(*urls[i].to)) {
            err_set(err, STATUS_INVALID, "%.*s is no directory of an ACME authority: it has no \"%s\"",
                    STR_ARG(str_sub(url, 0, 200)), urls[i].name);
            return err_hint(err, "Look at --acme-directory.");
        }
    }
    struct value meta = VALUE_GET(answer.json, "meta");
    c->renewal_info = value_get_text(answer.json, STR("renewalInfo"));
    c->terms = value_get_text(meta, STR("termsOfService"));
    c->eab_required = value_truth(VALUE_GET(meta, "externalAccountRequired"));
    return STATUS_OK;
}

static enum status fetch_nonce(struct acme *c, struct err *err)
{
    struct acme_answer answer;
    if (c->nonce.n)
        return STATUS_OK;
    enum status st = exchange(c, &(struct ask){.method = STR("HEAD"), .url = c->new_nonce}, &answer, err);
    if (st == STATUS_OK && !c->nonce.n)
        st = err_set(err, STATUS_INVALID, "the authority gives no nonce (it answered %d)", answer.status);
    return st;
}

static enum status post_once(struct acme *c, str url, str payload, bool with_key, struct acme_answer *ret,
                             struct err *err)
{
    static const str headers[] = {{"Content-Type: application/jose+json", 35}};
    enum status st = fetch_nonce(c, err);
    if (st != STATUS_OK)
        return st;
    str who = with_key ? arena_printf(c->a, "\"jwk\":%.*s", STR_ARG(jose_jwk(c->a, c->key)))
                       : arena_printf(c->a, "\"kid\":\"%.*s\"", STR_ARG(c->kid));
    str header = arena_printf(c->a, "{\"alg\":\"ES256\",%.*s,\"nonce\":\"%.*s\",\"url\":\"%.*s\"}", STR_ARG(who),
                              STR_ARG(c->nonce), STR_ARG(url));
    c->nonce = STR("");
    return exchange(c,
                    &(struct ask){.method = STR("POST"),
                                  .url = url,
                                  .headers = headers,
                                  .header_count = ARRAY_LEN(headers),
                                  .body = jose_sign(c->a, c->key, header, payload)},
                    ret, err);
}

static bool is_busy(const struct acme_answer *a)
{
    return a->status >= 500 && a->status != 501;
}

enum status acme_post(struct acme *c, str url, str payload, bool with_key, struct acme_answer *ret, struct err *err)
{
    struct acme_answer answer;
    bool registered = false;
    if (!is_url(url))
        return err_set(err, STATUS_INVALID, "the authority names an address that is none");
    for (int try = 1;; try++) {
        enum status st = post_once(c, url, payload, with_key, &answer, err);
        if (st != STATUS_OK)
            return st;
        str type = answer.status >= 400 ? acme_problem_type(answer.json) : STR("");
        bool again = try < LIMIT_ACME_TRIES;
        if (answer.status < 400)
            break;
        if (again && str_is(type, "badNonce"))
            continue;
        if (again && is_busy(&answer)) {
            st = acme_pause(c, MAX(answer.retry_after_s, try) * 1000, err);
            if (st != STATUS_OK)
                return st;
            continue;
        }
        if (again && str_is(type, "accountDoesNotExist") && !with_key && !registered) {
            registered = true;
            st = acme_account_again(c, err);
            if (st != STATUS_OK)
                return st;
            continue;
        }
        if (answer.retry_after_s > 0)
            c->retry_after_s = answer.retry_after_s;
        return acme_problem(c->a, answer.json, answer.status, "the request was refused", err);
    }
    *ret = answer;
    return STATUS_OK;
}

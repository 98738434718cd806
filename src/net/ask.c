/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ask.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/version.h"
#include "codec/url.h"
#include "net/addr.h"
#include "net/curl.h"

#include "base/banned.h"

struct asking {
    struct arena *arena;
    const struct curl *lib;
    const struct ask *ask;
    CURL *easy;
    struct curl_slist *list;
    struct buf body;
    VEC(str) headers;
    size_t header_bytes;
    bool refused; /* its address is not public */
};

static size_t take_body(char *p, size_t size, size_t count, void *arg)
{
    struct asking *k = arg;
    buf_put(&k->body, p, size * count);
    return k->body.over ? 0 : size * count;
}

static size_t take_header(char *p, size_t size, size_t count, void *arg)
{
    struct asking *k = arg;
    str line = str_make(p, size * count);
    if (str_starts(line, STR("HTTP/"))) { /* the answer after a 100 */
        k->headers.count = 0;
        return line.n;
    }
    k->header_bytes += line.n;
    if (k->header_bytes > LIMIT_ASK_HEADERS)
        return 0;
    if (str_find_char(line, ':') != STR_NPOS)
        VEC_PUSH(k->arena, &k->headers, arena_str(k->arena, str_trim(line)));
    return line.n;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct asking *k = arg;
    (void)purpose;
    /* A Unix socket is the gate's, which looks by itself. */
    k->refused = k->ask->public_only && address->family != AF_UNIX && !addr_is_public(&address->addr);
    return k->refused ? CURL_SOCKET_BAD : socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static enum status fail(const struct asking *k, CURLcode code, struct err *err)
{
    str shown = url_shown(k->arena, k->ask->url);
    if (k->refused || curl_gate_refused(k->lib, k->easy, code))
        return err_set(err, STATUS_FORBIDDEN, "%.*s is an address inside of this network", STR_ARG(shown));
    if (k->body.over)
        return err_set(err, STATUS_TOO_LARGE, "%.*s: the answer is larger than %zu bytes", STR_ARG(shown), k->body.max);
    if (k->header_bytes > LIMIT_ASK_HEADERS)
        return err_set(err, STATUS_TOO_LARGE, "%.*s: the headers of the answer are larger than %d bytes",
                       STR_ARG(shown), LIMIT_ASK_HEADERS);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, STATUS_TIMEOUT, "%.*s does not answer in time", STR_ARG(shown));
    bool bad = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    err_set(err, bad ? STATUS_INVALID : STATUS_IO, "%.*s: %s", STR_ARG(shown), k->lib->text(code));
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return err_hint(err, "SSL_CERT_FILE names a file with the certificates of your own authority.");
    return err ? err->status : STATUS_IO;
}

static bool set_headers(struct asking *k)
{
    k->list = k->lib->list_add(NULL, "Expect:"); /* no waiting for 100 Continue */
    bool ok = k->list != NULL;
    for (size_t i = 0; i < k->ask->header_count && ok; i++) {
        struct curl_slist *more = k->lib->list_add(k->list, arena_cstr(k->arena, k->ask->headers[i]));
        ok = more != NULL;
        k->list = ok ? more : k->list;
    }
    return ok && k->lib->set(k->easy, CURLOPT_HTTPHEADER, k->list) == CURLE_OK;
}

static bool set_functions(struct asking *k)
{
    const struct curl *lib = k->lib;
    bool ok = lib->set(k->easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_WRITEDATA, k) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_HEADERDATA, k) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK;
    return ok && lib->set(k->easy, CURLOPT_OPENSOCKETDATA, k) == CURLE_OK;
}

static bool set_up(struct asking *k)
{
    const struct curl *lib = k->lib;
    const struct ask *q = k->ask;
    const char *certificates = q->ca_file.n ? arena_cstr(k->arena, q->ca_file) : getenv("SSL_CERT_FILE");
    bool ok = set_headers(k) && set_functions(k);
    ok = ok && lib->set(k->easy, CURLOPT_URL, arena_cstr(k->arena, q->url)) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    if (str_is(q->method, "HEAD")) {
        ok = ok && lib->set(k->easy, CURLOPT_NOBODY, 1L) == CURLE_OK;
    } else if (str_is(q->method, "GET") && !q->body.n) {
        ok = ok && lib->set(k->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    } else {
        ok = ok && lib->set(k->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n) == CURLE_OK;
        ok = ok && lib->set(k->easy, CURLOPT_POSTFIELDS, q->body.n ? q->body.p : "") == CURLE_OK;
        ok = ok && lib->set(k->easy, CURLOPT_CUSTOMREQUEST, arena_cstr(k->arena, q->method)) == CURLE_OK;
    }
    ok = ok && lib->set(k->easy, CURLOPT_USERAGENT, arena_printf(k->arena, "vitrine/%s", version_text()).p) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_TIMEOUT_MS, (long)q->timeout_ms) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK; /* unpacked */
    const char *gate = curl_gate(k->arena);
    if (gate || q->public_only) /* any other proxy would connect for us, to anything */
        ok = ok && lib->set(k->easy, CURLOPT_PROXY, gate ? gate : "") == CURLE_OK;
    if (certificates && *certificates)
        ok = ok && lib->set(k->easy, CURLOPT_CAINFO, certificates) == CURLE_OK;
    return ok;
}

static void fill(struct asking *k, struct ask_answer *ret)
{
    long status = 0;
    char *type = NULL;
    int64_t seconds;
    k->lib->get(k->easy, CURLINFO_RESPONSE_CODE, &status);
    k->lib->get(k->easy, CURLINFO_CONTENT_TYPE, &type);
    *ret = (struct ask_answer){.status = (int)status,
                               .body = arena_str(k->arena, buf_str(&k->body)),
                               .type = arena_str(k->arena, str_of(type)),
                               .retry_after_s = -1,
                               .headers = k->headers.items,
                               .header_count = k->headers.count};
    if (str_to_i64(ask_header(ret, STR("retry-after")), &seconds) && seconds >= 0)
        ret->retry_after_s = seconds;
}

enum status ask_url(struct arena *a, const struct ask *q, struct ask_answer *ret, struct err *err)
{
    struct asking k = {.arena = a, .ask = q};
    enum status st = curl_load(&k.lib, err);
    if (st != STATUS_OK)
        return st;
    if (memchr(q->url.n ? q->url.p : "", 0, q->url.n))
        return err_set(err, STATUS_INVALID, "a URL holds a NUL");
    buf_init(&k.body, q->max_answer);
    k.easy = k.lib->easy_new();
    if (!k.easy || !set_up(&k)) {
        st = err_set(err, STATUS_NO_MEMORY, "libcurl refuses the request");
    } else {
        CURLcode code = k.lib->perform(k.easy);
        if (code == CURLE_OK)
            fill(&k, ret);
        else
            st = fail(&k, code, err);
    }
    buf_release(&k.body);
    k.lib->list_free(k.list);
    if (k.easy)
        k.lib->easy_free(k.easy);
    return st;
}

enum status ask_json(struct arena *a, const struct ask *q, struct ask_answer *ret, struct value *ret_json,
                     struct err *err)
{
    struct ask_answer answer;
    struct value json = VALUE_UNDEF;
    struct err why = ERR_INIT;
    enum status st = ask_url(a, q, &answer, err);
    if (st != STATUS_OK)
        return st;
    st = value_from_json(a, answer.body, &json, &why);
    if (st != STATUS_OK && answer.status < 400) {
        str shown = url_shown(a, q->url);
        return err_set(err, STATUS_INVALID, "%.*s answers with status %d and no JSON: %s", STR_ARG(shown),
                       answer.status, why.text);
    }
    *ret = answer;
    *ret_json = st == STATUS_OK ? json : VALUE_UNDEF;
    return STATUS_OK;
}

str ask_header(const struct ask_answer *answer, str name)
{
    str key, value;
    for (size_t i = 0; i < answer->header_count; i++)
        if (str_cut(answer->headers[i], ':', &key, &value) && str_eq_nocase(key, name))
            return str_trim(value);
    return (str){0};
}

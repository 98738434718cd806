/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/send_url.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/version.h"
#include "ingest/curl.h"
#include "ingest/fetch_url.h"

#include "base/banned.h"

static size_t take(char *p, size_t size, size_t count, void *arg)
{
    struct buf *b = arg;
    buf_put(b, p, size * count);
    return b->over ? 0 : size * count;
}

static size_t take_header(char *p, size_t size, size_t count, void *arg)
{
    int64_t *retry_after_s = arg;
    str line = str_trim(str_make(p, size * count)), name, value;
    int64_t seconds;
    if (str_cut(line, ':', &name, &value) && str_eq_nocase(name, STR("retry-after")) &&
        str_to_i64(str_trim(value), &seconds) && seconds >= 0)
        *retry_after_s = seconds;
    return size * count;
}

static enum status fail(struct arena *a, const struct curl *lib, str url, CURLcode code, const struct buf *body,
                        struct err *err)
{
    str shown = fetch_url_shown(a, url);
    if (body->over) {
        err_set(err, STATUS_TOO_LARGE, "%.*s: the answer is larger than %zu bytes", STR_ARG(shown), body->max);
        return err_hint(err, "Send less in one request (--batch), or ask for a shorter answer.");
    }
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, STATUS_TIMEOUT, "%.*s does not answer in time", STR_ARG(shown));
    bool bad = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    return err_set(err, bad ? STATUS_INVALID : STATUS_IO, "%.*s: %s", STR_ARG(shown), lib->text(code));
}

static bool set_up(const struct curl *lib, CURL *easy, struct arena *a, const struct send_url *s,
                   struct curl_slist **list, struct buf *body, int64_t *retry_after_s)
{
    const char *certificates = getenv("SSL_CERT_FILE");
    *list = lib->list_add(NULL, "Expect:"); /* no waiting for 100 Continue */
    bool ok = *list != NULL;
    for (size_t i = 0; i < s->header_count && ok; i++) {
        struct curl_slist *more = lib->list_add(*list, arena_cstr(a, s->headers[i]));
        ok = more != NULL;
        *list = ok ? more : *list;
    }
    ok = ok && lib->set(easy, CURLOPT_URL, arena_cstr(a, s->url)) == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->body.n) == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_POSTFIELDS, s->body.n ? s->body.p : "") == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_CUSTOMREQUEST, arena_cstr(a, s->method)) == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_HTTPHEADER, *list) == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_USERAGENT, arena_printf(a, "vitrine/%s", version_text()).p) == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_TIMEOUT_MS, (long)s->timeout_ms) == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK; /* unpacked */
    ok = ok && lib->set(easy, CURLOPT_WRITEFUNCTION, take) == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK;
    ok = ok && lib->set(easy, CURLOPT_HEADERDATA, retry_after_s) == CURLE_OK;
    if (certificates && *certificates)
        ok = ok && lib->set(easy, CURLOPT_CAINFO, certificates) == CURLE_OK;
    return ok && lib->set(easy, CURLOPT_WRITEDATA, body) == CURLE_OK;
}

enum status send_url(struct arena *a, const struct send_url *s, struct send_url_answer *ret, struct err *err)
{
    const struct curl *lib;
    struct curl_slist *list = NULL;
    struct buf body;
    int64_t retry_after_s = -1;
    enum status st = curl_load(&lib, err);
    if (st != STATUS_OK)
        return st;
    CURL *easy = lib->easy_new();
    buf_init(&body, s->max_answer);
    if (!easy || !set_up(lib, easy, a, s, &list, &body, &retry_after_s)) {
        st = err_set(err, STATUS_NO_MEMORY, "libcurl refuses the request");
    } else {
        CURLcode code = lib->perform(easy);
        long status = 0;
        char *type = NULL;
        lib->get(easy, CURLINFO_RESPONSE_CODE, &status);
        lib->get(easy, CURLINFO_CONTENT_TYPE, &type);
        if (code != CURLE_OK)
            st = fail(a, lib, s->url, code, &body, err);
        else
            *ret = (struct send_url_answer){(int)status, arena_str(a, buf_str(&body)), arena_str(a, str_of(type)),
                                            retry_after_s};
    }
    buf_release(&body);
    lib->list_free(list);
    if (easy)
        lib->easy_free(easy);
    return st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_url — tries, until all bytes are there.
 *
 *   try: request from byte `have` on -> 200 (from the start) | 206 (goes on) | 304 | an error
 *   transient failure -> wait (doubling, or what Retry-After says) -> try again
 *
 * A try that brought bytes to go on from makes the count of tries begin anew, up to LIMIT_FETCH_TRIES_ALL. A 206 is
 * taken only when it begins at `have` and its validator is the one of the first answer (If-Range sees to that on the
 * server): else parts of two versions would make one file. Tests: tests/ingest/test_url.py. */
#include "ingest/fetch_url.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "base/version.h"
#include "codec/url.h"
#include "net/addr.h"
#include "net/curl.h"

#include "base/banned.h"

struct fetch {
    struct arena *arena;
    const struct curl *curl;
    CURL *easy;
    const struct fetch_url_options *options;
    str url, shown;
    int fd;
    uint64_t have, max; /* bytes */
    int64_t deadline_us;

    /* Of the answer that is coming in. */
    long code;
    bool looked; /* at its first bytes */
    uint64_t range_start, length;
    bool has_range;
    str etag, last_modified, disposition, type, location;
    struct err fault; /* of a callback */
};

bool fetch_url_is(str spec)
{
    size_t at = str_find(spec, STR("://"));
    if (at == STR_NPOS || at == 0 || at > 10)
        return false;
    for (size_t i = 0; i < at; i++)
        if (!((spec.p[i] | 32) >= 'a' && (spec.p[i] | 32) <= 'z'))
            return false;
    return true;
}

/* ---- the answer ------------------------------------------------------------------------------------------------- */

static bool header_is(str line, const char *name, str *ret_value)
{
    size_t n = strlen(name);
    if (line.n <= n || line.p[n] != ':' || !str_eq_nocase(str_sub(line, 0, n), str_make(name, n)))
        return false;
    *ret_value = str_trim(str_from(line, n + 1));
    return true;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    str line = str_make(p, size * n), value;
    if (str_starts(line, STR("HTTP/"))) { /* another answer: after a redirect, or after 100 */
        f->etag = f->last_modified = f->disposition = f->type = (str){0};
        f->has_range = f->looked = false;
        f->length = 0;
    } else if (header_is(line, "etag", &value)) {
        f->etag = arena_str(f->arena, value);
    } else if (header_is(line, "last-modified", &value)) {
        f->last_modified = arena_str(f->arena, value);
    } else if (header_is(line, "content-disposition", &value)) {
        f->disposition = arena_str(f->arena, value);
    } else if (header_is(line, "content-type", &value)) {
        f->type = arena_str(f->arena, value);
    } else if (header_is(line, "content-length", &value)) {
        if (!str_to_u64(value, &f->length))
            f->length = 0;
    } else if (header_is(line, "content-range", &value)) { /* bytes 100-199/200 */
        str unit, rest, from;
        f->has_range = str_cut(value, ' ', &unit, &rest) && str_eq_nocase(unit, STR("bytes")) &&
                       str_cut(rest, '-', &from, &rest) && str_to_u64(from, &f->range_start);
    }
    return arena_over(f->arena) ? 0 : size * n;
}

static enum status too_large(struct fetch *f)
{
    err_set(&f->fault, STATUS_TOO_LARGE, "%.*s is larger than %llu bytes", STR_ARG(f->shown),
            (unsigned long long)f->max);
    return err_hint(&f->fault, "Fetch it yourself, and import the file.");
}

/* Before the first bytes of an answer that is wanted. */
static enum status begin_body(struct fetch *f)
{
    f->looked = true;
    if (f->code == 206 && (!f->has_range || f->range_start != f->have))
        return err_set(&f->fault, STATUS_INVALID, "%.*s answered with another part than was asked for",
                       STR_ARG(f->shown));
    if (f->code == 200 && f->have) {
        f->have = 0;
        if (ftruncate(f->fd, 0) != 0 || lseek(f->fd, 0, SEEK_SET) != 0)
            return err_sys(&f->fault, STATUS_IO, errno, "cannot begin a temporary file anew");
    }
    if (f->length > f->max || f->have > f->max - f->length)
        return too_large(f);
    if (f->options->progress)
        f->options->progress->size = f->length ? f->have + f->length : 0;
    return STATUS_OK;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    f->curl->get(f->easy, CURLINFO_RESPONSE_CODE, &f->code);
    if (f->code != 200 && f->code != 206)
        return size * n; /* a page that says what is wrong */
    if (!f->looked && begin_body(f) != STATUS_OK)
        return 0;
    if (size * n > f->max - f->have) {
        too_large(f);
        return 0;
    }
    if (fs_write_fd(f->fd, "a temporary file", str_make(p, size * n), &f->fault) != STATUS_OK)
        return 0;
    f->have += size * n;
    if (f->options->progress)
        progress_step(f->options->progress, 0, f->have);
    return size * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct fetch *f = arg;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return f->options->cancelled && atomic_load(f->options->cancelled);
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *f = arg;
    (void)purpose;
    if (f->options->public_only && address->family != AF_UNIX && !addr_is_public(&address->addr)) {
        err_set(&f->fault, STATUS_FORBIDDEN, "%.*s is an address inside of this network", STR_ARG(f->shown));
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- one try ---------------------------------------------------------------------------------------------------- */

static str strong_validator(str etag, str last_modified)
{
    return etag.n && !str_starts(etag, STR("W/")) ? etag : last_modified;
}

static struct curl_slist *add(struct fetch *f, struct curl_slist *list, const char *name, str value)
{
    struct curl_slist *longer = f->curl->list_add(list, arena_cstr(f->arena, ARENA_CAT(f->arena, str_of(name), value)));
    ASSERT(longer);
    return longer;
}

static struct curl_slist *request_headers(struct fetch *f, str validator)
{
    const struct fetch_url_options *o = f->options;
    struct curl_slist *list = add(f, NULL, "Accept-Encoding: gzip, zstd", STR(""));
    if (f->have) {
        list = add(f, list, "Range: ", arena_printf(f->arena, "bytes=%llu-", (unsigned long long)f->have));
        return add(f, list, "If-Range: ", validator);
    }
    if (o->etag.n)
        list = add(f, list, "If-None-Match: ", o->etag);
    if (o->last_modified.n)
        list = add(f, list, "If-Modified-Since: ", o->last_modified);
    return list;
}

static void set_options(struct fetch *f)
{
    const struct curl *c = f->curl;
    const char *certificates = getenv("SSL_CERT_FILE");
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {{CURLOPT_FOLLOWLOCATION, 1},  {CURLOPT_MAXREDIRS, LIMIT_FETCH_REDIRECTS},
                   {CURLOPT_NOSIGNAL, 1},        {CURLOPT_CONNECTTIMEOUT_MS, LIMIT_FETCH_CONNECT_MS},
                   {CURLOPT_LOW_SPEED_LIMIT, 1}, {CURLOPT_LOW_SPEED_TIME, LIMIT_FETCH_STALL_MS / 1000},
                   {CURLOPT_NOPROGRESS, 0},      {CURLOPT_HTTP_CONTENT_DECODING, 0}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        c->set(f->easy, numbers[i].option, numbers[i].value);
    c->set(f->easy, CURLOPT_URL, arena_cstr(f->arena, f->url));
    c->set(f->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    c->set(f->easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    c->set(f->easy, CURLOPT_USERAGENT,
           arena_cstr(f->arena, ARENA_CAT(f->arena, STR("vitrine/"), str_of(version_text()))));
    c->set(f->easy, CURLOPT_HEADERFUNCTION, on_header);
    c->set(f->easy, CURLOPT_HEADERDATA, f);
    c->set(f->easy, CURLOPT_WRITEFUNCTION, on_body);
    c->set(f->easy, CURLOPT_WRITEDATA, f);
    c->set(f->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    c->set(f->easy, CURLOPT_XFERINFODATA, f);
    c->set(f->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    c->set(f->easy, CURLOPT_OPENSOCKETDATA, f);
    const char *gate = curl_gate(f->arena);
    if (gate || f->options->public_only) /* any other proxy would connect for us, to anything */
        c->set(f->easy, CURLOPT_PROXY, gate ? gate : "");
    if (certificates && *certificates)
        c->set(f->easy, CURLOPT_CAINFO, certificates);
}

static bool is_transient(CURLcode code, long http)
{
    static const CURLcode network[] = {CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT,
                                       CURLE_RECV_ERROR,           CURLE_SEND_ERROR,      CURLE_GOT_NOTHING,
                                       CURLE_PARTIAL_FILE,         CURLE_HTTP2,           CURLE_HTTP2_STREAM,
                                       CURLE_SSL_CONNECT_ERROR};
    static const long answers[] = {408, 425, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < ARRAY_LEN(network); i++)
        if (code == network[i])
            return true;
    for (size_t i = 0; code == CURLE_OK && i < ARRAY_LEN(answers); i++)
        if (http == answers[i])
            return true;
    return false;
}

static enum status refused(const struct fetch *f, struct err *err)
{
    static const struct {
        long code;
        enum status status;
        const char *text;
    } known[] = {{401, STATUS_FORBIDDEN, "asks for a user name and a password"},
                 {403, STATUS_FORBIDDEN, "is not for everybody"},
                 {404, STATUS_NOT_FOUND, "is not there"},
                 {410, STATUS_NOT_FOUND, "is there no more"},
                 {429, STATUS_RATE, "was asked for too often"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (f->code == known[i].code)
            return err_set(err, known[i].status, "%.*s %s (status %ld)", STR_ARG(f->shown), known[i].text, f->code);
    return err_set(err, f->code >= 500 ? STATUS_IO : STATUS_INVALID, "%.*s answers with status %ld", STR_ARG(f->shown),
                   f->code);
}

static enum status not_done(const struct fetch *f, CURLcode code, struct err *err)
{
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return err_set(err, STATUS_CANCELLED, "fetching %.*s was cancelled", STR_ARG(f->shown));
    if (curl_gate_refused(f->curl, f->easy, code))
        return err_set(err, STATUS_FORBIDDEN, "%.*s is an address inside of this network, or a port that is not open",
                       STR_ARG(f->shown));
    if (code == CURLE_TOO_MANY_REDIRECTS)
        return err_set(err, STATUS_INVALID, "%.*s redirects more than %d times", STR_ARG(f->shown),
                       LIMIT_FETCH_REDIRECTS);
    if (code == CURLE_UNSUPPORTED_PROTOCOL)
        return err_set(err, STATUS_INVALID, "%.*s: only http and https can be fetched", STR_ARG(f->shown));
    if (code == CURLE_URL_MALFORMAT)
        return err_set(err, STATUS_INVALID, "%.*s is no URL", STR_ARG(f->shown));
    enum status st = code == CURLE_OPERATION_TIMEDOUT ? STATUS_TIMEOUT : STATUS_IO;
    err_set(err, st, "cannot fetch %.*s: %s", STR_ARG(f->shown), f->curl->text(code));
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return err_hint(err, "SSL_CERT_FILE names a file with the certificates of your own authority.");
    return st;
}

/* *ret_again: the failure may pass; after *ret_wait_ms at least, when that is not 0. */
static enum status try_once(struct fetch *f, str validator, bool *ret_again, int64_t *ret_wait_ms, struct err *err)
{
    int64_t left_ms = (f->deadline_us - clock_mono_us()) / 1000;
    *ret_again = false;
    *ret_wait_ms = 0;
    if (left_ms <= 0)
        return err_set(err, STATUS_TIMEOUT, "fetching %.*s takes too long", STR_ARG(f->shown));
    struct curl_slist *headers = request_headers(f, validator);
    f->curl->set(f->easy, CURLOPT_HTTPHEADER, headers);
    f->curl->set(f->easy, CURLOPT_TIMEOUT_MS, (long)MIN(left_ms, (int64_t)INT32_MAX));
    f->code = 0;
    f->looked = false;
    CURLcode code = f->curl->perform(f->easy);
    f->curl->get(f->easy, CURLINFO_RESPONSE_CODE, &f->code);
    f->curl->set(f->easy, CURLOPT_HTTPHEADER, NULL);
    f->curl->list_free(headers);
    if (f->fault.status != STATUS_OK) {
        *err = f->fault;
        return err->status;
    }
    if (code == CURLE_OK && !f->looked && (f->code == 200 || f->code == 206)) /* no bytes at all */
        (void)!begin_body(f);
    if (code == CURLE_OK && (f->code == 200 || f->code == 206 || (f->code == 304 && !f->have)))
        return STATUS_OK;
    if (code == CURLE_OK && f->code == 416 && f->have) { /* it has become shorter */
        f->have = 0;
        *ret_again = ftruncate(f->fd, 0) == 0 && lseek(f->fd, 0, SEEK_SET) == 0;
    }
    curl_off_t wait_s = 0;
    if (code == CURLE_OK)
        f->curl->get(f->easy, CURLINFO_RETRY_AFTER, &wait_s);
    *ret_wait_ms = (int64_t)MIN(MAX(wait_s, 0), LIMIT_FETCH_WAIT_MS / 1000) * 1000;
    *ret_again |= is_transient(code, f->code);
    return code == CURLE_OK ? refused(f, err) : not_done(f, code, err);
}

/* ---- the name --------------------------------------------------------------------------------------------------- */

static str parameter(struct arena *a, str header, const char *name)
{
    str rest = header, part, key, value;
    for (bool more = true; more && rest.n;) { /* semicolons in quoted names are rare, and cut them */
        more = str_cut(rest, ';', &part, &rest);
        if (str_cut(str_trim(part), '=', &key, &value) && str_eq_nocase(str_trim(key), str_of(name))) {
            value = str_trim(value);
            if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
                value = str_sub(value, 1, value.n - 1);
            return arena_str(a, value);
        }
    }
    return str_make("", 0);
}

static str last_part(struct arena *a, str url)
{
    size_t begin = str_find(url, STR("://"));
    str path = begin == STR_NPOS ? url : str_from(url, begin + 3);
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '?' || path.p[i] == '#')
            path.n = i;
    size_t slash = str_rfind_char(path, '/');
    return slash == STR_NPOS ? STR("") : url_unquote(a, str_from(path, slash + 1));
}

static str name_of(struct fetch *f)
{
    str name = parameter(f->arena, f->disposition, "filename*"); /* RFC 8187: utf-8'en'na%C3%AFve */
    size_t quote = str_rfind_char(name, '\'');
    name = quote == STR_NPOS ? (str){0} : url_unquote(f->arena, str_from(name, quote + 1));
    if (!name.n)
        name = parameter(f->arena, f->disposition, "filename");
    if (!name.n)
        name = last_part(f->arena, f->url);
    if (str_find_char(name, '.') == STR_NPOS) { /* "download": where it led to may say more */
        const char *last = NULL;
        f->curl->get(f->easy, CURLINFO_EFFECTIVE_URL, &last);
        str other = last ? last_part(f->arena, arena_str(f->arena, str_of(last))) : name; /* it is curl's */
        if (str_find_char(other, '.') != STR_NPOS)
            name = other;
    }
    size_t slash = str_rfind_char(name, '/');
    return utf8_repair(f->arena, slash == STR_NPOS ? name : str_from(name, slash + 1));
}

static void fill_result(struct fetch *f, struct fetch_url_result *ret)
{
    str type, parameters;
    str_cut(f->type, ';', &type, &parameters);
    *ret = (struct fetch_url_result){.file_name = name_of(f),
                                     .type = arena_lower(f->arena, str_trim(type)),
                                     .charset =
                                         arena_lower(f->arena, str_trim(parameter(f->arena, parameters, "charset"))),
                                     .etag = f->etag,
                                     .last_modified = f->last_modified,
                                     .size_bytes = f->have,
                                     .not_modified = f->code == 304};
}

/* ---- all tries -------------------------------------------------------------------------------------------------- */

static void wait_ms(const struct fetch *f, int64_t ms)
{
    int64_t until = MIN(clock_mono_us() + ms * 1000, f->deadline_us);
    for (int64_t left; (left = until - clock_mono_us()) > 0 && !on_progress((void *)(uintptr_t)f, 0, 0, 0, 0);)
        (void)poll(NULL, 0, (int)MIN(left / 1000 + 1, 100));
}

static enum status try_all(struct fetch *f, struct err *err)
{
    int64_t first_ms = f->options->backoff_ms ? f->options->backoff_ms : LIMIT_FETCH_BACKOFF_MS, backoff_ms = first_ms;
    str validator = {0};
    enum status st = STATUS_OK;
    for (int tries = 1, all = 1;; tries++, all++) {
        bool again;
        int64_t asked_ms;
        uint64_t before = f->have;
        err_clear(err);
        st = try_once(f, validator, &again, &asked_ms, err);
        if (st == STATUS_OK || !again || all == LIMIT_FETCH_TRIES_ALL)
            return st;
        if (f->looked) /* else the headers are those of an answer that only says what is wrong */
            validator = strong_validator(f->etag, f->last_modified);
        if (f->have > before && validator.n) {
            tries = 0;
            backoff_ms = first_ms;
        }
        if (tries == LIMIT_FETCH_TRIES)
            return st;
        if (f->have && !validator.n) { /* no way to know that the rest belongs to it */
            f->have = 0;
            if (ftruncate(f->fd, 0) != 0 || lseek(f->fd, 0, SEEK_SET) != 0)
                return err_sys(err, STATUS_IO, errno, "cannot begin a temporary file anew");
        }
        wait_ms(f, MAX(backoff_ms, asked_ms));
        backoff_ms = MIN(backoff_ms * 2, (int64_t)LIMIT_FETCH_WAIT_MS);
    }
}

enum status fetch_url(struct arena *a, str url, const struct fetch_url_options *o, int fd, struct fetch_url_result *ret,
                      struct err *err)
{
    struct err local = ERR_INIT;
    struct fetch f = {.arena = a, .options = o, .url = url, .shown = url_shown(a, url), .fd = fd};
    err = err ? err : &local;
    f.max = o->max_bytes ? o->max_bytes : (size_t)LIMIT_FETCH_BYTES;
    f.deadline_us = clock_mono_us() + (o->timeout_ms ? o->timeout_ms : LIMIT_FETCH_MS) * 1000;
    if (url.n > LIMIT_FETCH_URL || memchr(url.p, 0, url.n))
        return err_set(err, STATUS_INVALID, "a URL is longer than %d bytes", LIMIT_FETCH_URL);
    enum status st = curl_load(&f.curl, err);
    if (st != STATUS_OK)
        return st;
    f.easy = f.curl->easy_new();
    ASSERT(f.easy);
    set_options(&f);
    if (o->progress)
        progress_begin(o->progress, "fetching", 0);
    st = try_all(&f, err);
    if (o->progress)
        progress_end(o->progress);
    if (st == STATUS_OK)
        fill_result(&f, ret);
    f.curl->easy_free(f.easy);
    return st;
}

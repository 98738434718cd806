/* SPDX-License-Identifier: Apache-2.0 */
#include "net/smtp.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "net/curl.h"

#include "base/banned.h"

struct sending {
    struct arena *arena;
    const struct curl *lib;
    const struct smtp *smtp;
    CURL *easy;
    struct curl_slist *to;
    str rest;       /* of the message */
    char last[200]; /* the server's last refusal */
};

static bool host_of(str url, str *ret_host, str *ret_port)
{
    size_t at = str_find(url, STR("://"));
    str rest = str_from(url, at + 3);
    if (!str_starts(url, STR("smtp://")) && !str_starts(url, STR("smtps://")))
        return false;
    if (str_starts(rest, STR("["))) { /* [::1]:25 */
        size_t end = str_find_char(rest, ']');
        if (end == STR_NPOS)
            return false;
        *ret_host = str_sub(rest, 1, end);
        rest = str_from(rest, end + 1);
        *ret_port = str_starts(rest, STR(":")) ? str_from(rest, 1) : rest;
        return !rest.n || rest.p[0] == ':';
    }
    (void)str_cut(rest, ':', ret_host, ret_port);
    return ret_host->n > 0;
}

enum status smtp_check(str url, struct err *err)
{
    str host, port;
    uint64_t number = 1;
    bool good = host_of(url, &host, &port);
    for (size_t i = 0; good && i < host.n; i++)
        good = (unsigned char)host.p[i] > ' ' && (unsigned char)host.p[i] < 127 && !strchr("/?#@%\\", host.p[i]);
    if (good && port.n)
        good = str_all_digits(port) && str_to_u64(port, &number) && number >= 1 && number <= 65535;
    if (good)
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "\"%.*s\" is no address of a mail server", STR_ARG(url));
    (void)err_hint(err, "It looks like smtp://mail.example.org:587 or smtps://mail.example.org; user name and "
                        "password have fields of their own.");
    return STATUS_INVALID;
}

static bool is_local(str host)
{
    return str_eq_nocase(host, STR("localhost")) || str_is(host, "::1") || str_starts(host, STR("127."));
}

static size_t give(char *p, size_t size, size_t count, void *arg)
{
    struct sending *k = arg;
    size_t n = MIN(size * count, k->rest.n);
    if (n)
        memcpy(p, k->rest.p, n);
    k->rest = str_from(k->rest, n);
    return n;
}

/* Every line of the server; the last refusal says what was wrong (the answer to QUIT comes after it). */
static size_t take_line(char *p, size_t size, size_t count, void *arg)
{
    struct sending *k = arg;
    str line = str_trim(str_make(p, size * count));
    size_t n = MIN(line.n, sizeof(k->last) - 1);
    if (!n || (line.p[0] != '4' && line.p[0] != '5'))
        return size * count;
    for (size_t i = 0; i < n; i++)
        k->last[i] = line.p[i] >= ' ' && line.p[i] <= '~' ? line.p[i] : ' ';
    k->last[n] = 0;
    return size * count;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)arg;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static str url_of(const struct sending *k)
{
    str host, port;
    ASSERT(host_of(k->smtp->url, &host, &port));
    bool secure = str_starts(k->smtp->url, STR("smtps:"));
    return ARENA_CAT(k->arena, k->smtp->url,
                     port.n   ? STR("")
                     : secure ? STR(":465")
                              : STR(":587"),
                     STR("/"), k->smtp->name);
}

static bool set_up(struct sending *k, str from, str to)
{
    const struct curl *lib = k->lib;
    const struct smtp *s = k->smtp;
    str host, port;
    ASSERT(host_of(s->url, &host, &port));
    /* What a mail server of this machine calls its certificate is nobody's business: nothing leaves the machine. */
    long tls = is_local(host) && !s->ca_file.n ? CURLUSESSL_NONE : CURLUSESSL_ALL;
    const char *certificates = s->ca_file.n ? arena_cstr(k->arena, s->ca_file) : getenv("SSL_CERT_FILE");
    const struct {
        CURLoption option;
        const void *value;
        bool wanted;
    } texts[] = {{CURLOPT_URL, arena_cstr(k->arena, url_of(k)), true},
                 {CURLOPT_PROTOCOLS_STR, "smtp,smtps", true},
                 {CURLOPT_PROXY, "", true},
                 {CURLOPT_MAIL_FROM, arena_cstr(k->arena, ARENA_CAT(k->arena, STR("<"), from, STR(">"))), true},
                 {CURLOPT_USERNAME, arena_cstr(k->arena, s->user), s->user.n > 0},
                 {CURLOPT_PASSWORD, arena_cstr(k->arena, s->password), s->user.n > 0},
                 {CURLOPT_CAINFO, certificates, certificates && *certificates},
                 {CURLOPT_READDATA, k, true},
                 {CURLOPT_HEADERDATA, k, true}};
    k->to = lib->list_add(NULL, arena_cstr(k->arena, ARENA_CAT(k->arena, STR("<"), to, STR(">"))));
    bool ok = k->to != NULL && lib->set(k->easy, CURLOPT_MAIL_RCPT, k->to) == CURLE_OK;
    for (size_t i = 0; i < ARRAY_LEN(texts) && ok; i++)
        ok = !texts[i].wanted || lib->set(k->easy, texts[i].option, texts[i].value) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_USE_SSL, tls) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_UPLOAD, 1L) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_TIMEOUT_MS, (long)s->timeout_ms) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_READFUNCTION, give) == CURLE_OK;
    ok = ok && lib->set(k->easy, CURLOPT_HEADERFUNCTION, take_line) == CURLE_OK;
    return ok && lib->set(k->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK;
}

static enum status fail(const struct sending *k, CURLcode code, struct err *err)
{
    long answer = 0;
    k->lib->get(k->easy, CURLINFO_RESPONSE_CODE, &answer);
    str url = k->smtp->url;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, STATUS_TIMEOUT, "%.*s does not answer in time", STR_ARG(url));
    if (code == CURLE_USE_SSL_FAILED) {
        err_set(err, STATUS_CONFIG, "%.*s does not encrypt (no STARTTLS): nothing was sent", STR_ARG(url));
        return err_hint(err, "Use smtps://, or another server.");
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        err_set(err, STATUS_CONFIG, "%.*s: %s", STR_ARG(url), k->lib->text(code));
        return err_hint(err, "With a certificate authority of your own, name its file.");
    }
    if (code == CURLE_LOGIN_DENIED && answer >= 500)
        return err_set(err, STATUS_CONFIG, "%.*s does not take the user name and password: %s", STR_ARG(url), k->last);
    if (answer >= 500 && answer < 600)
        return err_set(err, STATUS_INVALID, "%.*s refuses the message: %s", STR_ARG(url), k->last);
    if (answer >= 400 && answer < 500)
        return err_set(err, STATUS_BUSY, "%.*s asks to try later: %s", STR_ARG(url), k->last);
    return err_set(err, STATUS_IO, "%.*s: %s", STR_ARG(url), k->lib->text(code));
}

enum status smtp_send(struct arena *a, const struct smtp *s, str from, str to, str message, struct err *err)
{
    struct sending k = {.arena = a, .smtp = s, .rest = message};
    enum status st = smtp_check(s->url, err);
    if (st == STATUS_OK)
        st = curl_load(&k.lib, err);
    if (st != STATUS_OK)
        return st;
    k.easy = k.lib->easy_new();
    if (!k.easy || !set_up(&k, from, to)) {
        st = err_set(err, STATUS_NO_MEMORY, "libcurl refuses the message");
    } else {
        CURLcode code = k.lib->perform(k.easy);
        if (code != CURLE_OK)
            st = fail(&k, code, err);
    }
    if (k.easy)
        k.lib->easy_free(k.easy);
    k.lib->list_free(k.to);
    return st;
}

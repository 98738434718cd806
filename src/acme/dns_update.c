/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/dns_update.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"

#define TTL_S 60

enum status dns_server_parse(struct arena *a, str text, struct dns_server *ret, struct err *err)
{
    struct dns_server s = {.wait_s = 5};
    str part, name, value, key_file = STR(""), server = STR("");
    enum status st = STATUS_OK;
    while (text.n && st == STATUS_OK) {
        str_cut(text, ',', &part, &text);
        str_cut(part, '=', &name, &value);
        if (str_is(name, "server") && value.n)
            server = value;
        else if (str_is(name, "key") && value.n)
            key_file = value;
        else if (str_is(name, "zone") && value.n)
            s.zone = value;
        else if (!str_is(name, "wait") || !str_to_i64(value, &s.wait_s) || s.wait_s < 0 || s.wait_s > 600)
            st = err_set(err, STATUS_USAGE, "\"%.*s\" is no part of rfc2136", STR_ARG(part));
    }
    if (st == STATUS_OK && !server.n)
        st = err_set(err, STATUS_USAGE, "rfc2136 needs server=HOST");
    if (st != STATUS_OK) {
        err_hint(err, "It looks like this: rfc2136:server=127.0.0.1:53,key=FILE,zone=example.org,wait=5");
        return st;
    }
    bool port = server.p[0] == '[' ? str_find(server, STR("]:")) != STR_NPOS : str_find_char(server, ':') != STR_NPOS;
    str where = port ? server : ARENA_CAT(a, server, STR(":53"));
    s.text = arena_cstr(a, where);
    st = addr_parse(where, &s.addr, err);
    if (st == STATUS_OK && key_file.n) {
        str bytes;
        const char *path = arena_cstr(a, key_file);
        st = fs_read_file(path, LIMIT_DNS_KEY_FILE, a, &bytes, err);
        if (st == STATUS_OK && (st = dns_key_read(a, bytes, &s.key, err)) != STATUS_OK)
            err_prefix(err, "%s", path);
        s.has_key = true;
    }
    if (st == STATUS_OK)
        *ret = s;
    return st;
}

/* ---- one question and its answer, over TCP ---- */

static bool ready(int fd, short events, int64_t until_ms)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = until_ms - clock_mono_ms();
        int rc = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (rc >= 0 || errno != EINTR)
            return rc > 0;
    }
}

static bool send_all(int fd, str s, int64_t until_ms)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && ready(fd, POLLOUT, until_ms))))
            continue;
        if (n <= 0)
            return false;
        s = str_from(s, (size_t)n);
    }
    return true;
}

static bool receive_all(int fd, char *p, size_t size, int64_t until_ms)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = recv(fd, p + at, size - at, 0);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && ready(fd, POLLIN, until_ms))))
            continue;
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static bool talk(struct arena *a, int fd, const struct dns_server *s, str question, str *ret)
{
    int64_t until_ms = clock_mono_ms() + LIMIT_DNS_ANSWER_MS;
    unsigned char size[2] = {(unsigned char)(question.n >> 8), (unsigned char)question.n};
    int error = 0;
    socklen_t n = sizeof(error);
    if (connect(fd, (const struct sockaddr *)&s->addr.ss, s->addr.len) < 0 &&
        (errno != EINPROGRESS || !ready(fd, POLLOUT, until_ms) ||
         getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error != 0))
        return false;
    if (!send_all(fd, str_make((const char *)size, 2), until_ms) || !send_all(fd, question, until_ms) ||
        !receive_all(fd, (char *)size, 2, until_ms))
        return false;
    size_t bytes = (size_t)size[0] << 8 | size[1];
    char *p = arena_alloc(a, bytes + 1);
    *ret = str_make(p, bytes);
    return receive_all(fd, p, bytes, until_ms);
}

static enum status exchange(struct arena *a, const struct dns_server *s, str question, str *ret,
                            struct dns_answer *ret_answer, struct err *err)
{
    int fd = socket(s->addr.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(err, STATUS_IO, errno, "no socket");
    bool ok = talk(a, fd, s, question, ret);
    close(fd);
    if (!ok) {
        err_set(err, STATUS_IO, "the name server %s does not answer over TCP", s->text);
        return err_hint(err, "Look at server= of --acme-dns, and at the firewall in front of that server.");
    }
    enum status st = dns_answer_read(*ret, ret_answer, err);
    if (st == STATUS_OK && memcmp(ret->p, question.p, 2) != 0)
        st = err_set(err, STATUS_INVALID, "the name server's answer is for another question");
    return st;
}

static uint16_t random_id(void)
{
    uint16_t id;
    ASSERT(getrandom(&id, sizeof(id), 0) == (ssize_t)sizeof(id));
    return id;
}

static enum status find_zone(struct arena *a, const struct dns_server *s, str name, str *ret, struct err *err)
{
    struct buf b;
    struct dns_answer answer;
    str bytes;
    if (s->zone.n) {
        *ret = s->zone;
        return STATUS_OK;
    }
    buf_init(&b, DNS_MESSAGE_MAX);
    enum status st = dns_put_soa_question(&b, random_id(), name)
                         ? exchange(a, s, buf_str(&b), &bytes, &answer, err)
                         : err_set(err, STATUS_INVALID, "%.*s is too long for a name", STR_ARG(name));
    buf_release(&b);
    if (st == STATUS_OK && (!answer.soa_owner[0] || strcmp(answer.soa_owner, ".") == 0)) {
        err_set(err, STATUS_CONFIG, "the name server %s does not say which zone %.*s is in (%s)", s->text,
                STR_ARG(name), dns_rcode_text(answer.rcode));
        return err_hint(err, "Say it: zone=example.org in --acme-dns.");
    }
    if (st == STATUS_OK)
        *ret = arena_str(a, str_of(answer.soa_owner));
    return st;
}

static enum status judge(const struct dns_server *s, str bytes, const struct dns_answer *answer,
                         const unsigned char *mac, str zone, struct err *err)
{
    unsigned code = answer->tsig_error ? answer->tsig_error : answer->rcode;
    if (code != 0) {
        err_set(err, STATUS_CONFIG, "the name server %s refuses to change the zone %.*s: %s", s->text, STR_ARG(zone),
                dns_rcode_text(code));
        return err_hint(err, "%s",
                        code == 18 ? "The clocks of this machine and of the name server differ."
                        : code == 16 || code == 17
                            ? "The key is not the one that the server knows under this name."
                            : "Its configuration must allow this key to change TXT records of the zone.");
    }
    if (s->has_key && !dns_answer_signed(bytes, answer, &s->key, mac))
        return err_set(err, STATUS_INVALID, "the answer of the name server %s is not signed with the key", s->text);
    return STATUS_OK;
}

enum status dns_update_txt(struct arena *a, const struct dns_server *s, str name, str text, bool add, struct err *err)
{
    struct buf b;
    struct dns_answer answer;
    unsigned char mac[DNS_MAC_BYTES];
    str zone, bytes;
    enum status st = find_zone(a, s, name, &zone, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&b, DNS_MESSAGE_MAX);
    bool ok = dns_put_txt_update(&b, random_id(), zone, name, text, add, TTL_S) &&
              (!s->has_key || dns_sign(&b, &s->key, clock_unix_s(), mac));
    st = ok ? exchange(a, s, buf_str(&b), &bytes, &answer, err)
            : err_set(err, STATUS_INVALID, "%.*s cannot be put into a zone", STR_ARG(name));
    buf_release(&b);
    return st == STATUS_OK ? judge(s, bytes, &answer, mac, zone, err) : st;
}

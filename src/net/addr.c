/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>

#define HOST_MAX 255 /* bytes of a host name (RFC 1035 section 2.3.4) */

/* sockaddr_storage is made to be looked at through its family's type. */
static struct sockaddr_in *in4(struct addr *a)
{
    return (struct sockaddr_in *)&a->ss;
}
static struct sockaddr_in6 *in6(struct addr *a)
{
    return (struct sockaddr_in6 *)&a->ss;
}
static const struct sockaddr_in *in4_const(const struct addr *a)
{
    return (const struct sockaddr_in *)&a->ss;
}
static const struct sockaddr_in6 *in6_const(const struct addr *a)
{
    return (const struct sockaddr_in6 *)&a->ss;
}

/* ---- reading ---- */

static void set_any(struct addr *a, unsigned port)
{
    *a = (struct addr){.len = sizeof(struct sockaddr_in6), .dual_stack = true};
    in6(a)->sin6_family = AF_INET6;
    in6(a)->sin6_addr = in6addr_any;
    in6(a)->sin6_port = htons((uint16_t)port);
}

static enum status resolve(const char *host, unsigned port, struct addr *ret, struct err *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc != 0) {
        hints.ai_flags = AI_ADDRCONFIG;
        rc = getaddrinfo(host, NULL, &hints, &list);
    }
    if (rc != 0)
        return err_set(err, STATUS_NOT_FOUND, "cannot find the address of host '%s': %s", host, gai_strerror(rc));
    *ret = (struct addr){.len = list->ai_addrlen};
    memcpy(&ret->ss, list->ai_addr, list->ai_addrlen);
    addr_set_port(ret, port);
    freeaddrinfo(list);
    return STATUS_OK;
}

enum status addr_from_host_port(str host, unsigned port, struct addr *ret, struct err *err)
{
    char name[HOST_MAX + 1];
    if (port > 65535)
        return err_set(err, STATUS_INVALID, "port %u is above 65535", port);
    if (host.n == 0 || str_eq(host, STR("*"))) {
        set_any(ret, port);
        return STATUS_OK;
    }
    if (host.n > HOST_MAX || memchr(host.p, 0, host.n))
        return err_set(err, STATUS_INVALID, "host '" STR_FMT "' is not a host name", STR_ARG(str_sub(host, 0, 64)));
    if (str_eq_nocase(host, STR("localhost")))
        host = STR("127.0.0.1"); /* what people type next, and not ::1 on some machines */
    memcpy(name, host.p, host.n);
    name[host.n] = '\0';
    return resolve(name, port, ret, err);
}

enum status addr_from_unix_path(str path, struct addr *ret, struct err *err)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&ret->ss;
    if (path.n == 0 || memchr(path.p, 0, path.n))
        return err_set(err, STATUS_INVALID, "a unix socket needs a path, as in unix:/run/vitrine.sock");
    if (path.n >= sizeof(un->sun_path))
        return err_set(err, STATUS_INVALID, "the unix socket path has %zu bytes, the system allows %zu: '" STR_FMT "'",
                       path.n, sizeof(un->sun_path) - 1, STR_ARG(path));
    *ret = (struct addr){.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1)};
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.p, path.n);
    return STATUS_OK;
}

static enum status bad_form(str text, const char *why, struct err *err)
{
    err_set(err, STATUS_INVALID, "address '" STR_FMT "' %s", STR_ARG(text), why);
    err_hint(err, "write host:port, [ipv6]:port, :port or unix:/path");
    return STATUS_INVALID;
}

enum status addr_parse(str text, struct addr *ret, struct err *err)
{
    if (str_starts(text, STR("unix:")))
        return addr_from_unix_path(str_from(text, 5), ret, err);
    size_t colon = str_rfind_char(text, ':');
    if (colon == STR_NPOS)
        return bad_form(text, "has no port", err);
    str host = str_sub(text, 0, colon), port_text = str_from(text, colon + 1);
    if (str_starts(host, STR("["))) {
        if (host.n < 3 || !str_ends(host, STR("]")))
            return bad_form(text, "has no ']' before the port", err);
        host = str_sub(host, 1, host.n - 1);
    } else if (str_find_char(host, ':') != STR_NPOS) {
        return bad_form(text, "needs its IPv6 address in brackets", err);
    }
    uint64_t port;
    if (!str_to_u64(port_text, &port) || port > 65535)
        return bad_form(text, "has no port number from 0 to 65535", err);
    return addr_from_host_port(host, (unsigned)port, ret, err);
}

/* ---- looking ---- */

bool addr_is_unix(const struct addr *a)
{
    return a->ss.ss_family == AF_UNIX;
}

unsigned addr_port(const struct addr *a)
{
    if (a->ss.ss_family == AF_INET)
        return ntohs(in4_const(a)->sin_port);
    return a->ss.ss_family == AF_INET6 ? ntohs(in6_const(a)->sin6_port) : 0;
}

void addr_set_port(struct addr *a, unsigned port)
{
    if (a->ss.ss_family == AF_INET)
        in4(a)->sin_port = htons((uint16_t)port);
    else if (a->ss.ss_family == AF_INET6)
        in6(a)->sin6_port = htons((uint16_t)port);
}

const char *addr_unix_path(const struct addr *a)
{
    if (!addr_is_unix(a) || a->len <= offsetof(struct sockaddr_un, sun_path))
        return "";
    return ((const struct sockaddr_un *)&a->ss)->sun_path;
}

static bool is_mapped(const struct addr *a)
{
    return a->ss.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6_const(a)->sin6_addr);
}

bool addr_is_loopback(const struct addr *a)
{
    if (a->ss.ss_family == AF_INET)
        return ntohl(in4_const(a)->sin_addr.s_addr) >> 24 == 127;
    if (is_mapped(a))
        return in6_const(a)->sin6_addr.s6_addr[12] == 127;
    return a->ss.ss_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&in6_const(a)->sin6_addr) : addr_is_unix(a);
}

bool addr_is_any(const struct addr *a)
{
    if (a->ss.ss_family == AF_INET)
        return in4_const(a)->sin_addr.s_addr == htonl(INADDR_ANY);
    return a->ss.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6_const(a)->sin6_addr);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    if (a->ss.ss_family != b->ss.ss_family)
        return false;
    if (addr_is_unix(a))
        return strcmp(addr_unix_path(a), addr_unix_path(b)) == 0;
    if (addr_port(a) != addr_port(b))
        return false;
    if (a->ss.ss_family == AF_INET)
        return in4_const(a)->sin_addr.s_addr == in4_const(b)->sin_addr.s_addr;
    return memcmp(&in6_const(a)->sin6_addr, &in6_const(b)->sin6_addr, sizeof(struct in6_addr)) == 0 &&
           in6_const(a)->sin6_scope_id == in6_const(b)->sin6_scope_id;
}

/* ---- writing ---- */

size_t addr_format_host(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    out[0] = '\0';
    if (a->ss.ss_family == AF_INET)
        inet_ntop(AF_INET, &in4_const(a)->sin_addr, out, ADDR_TEXT_MAX);
    else if (is_mapped(a))
        inet_ntop(AF_INET, &in6_const(a)->sin6_addr.s6_addr[12], out, ADDR_TEXT_MAX);
    else if (a->ss.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &in6_const(a)->sin6_addr, out, ADDR_TEXT_MAX);
    return strlen(out);
}

size_t addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    int n;
    if (addr_is_unix(a)) {
        n = snprintf(out, ADDR_TEXT_MAX, "unix:%s", addr_unix_path(a));
    } else {
        char host[ADDR_TEXT_MAX];
        size_t host_n = addr_format_host(a, host);
        bool brackets = memchr(host, ':', host_n) != NULL;
        n = brackets ? snprintf(out, ADDR_TEXT_MAX, "[%.*s]:%u", (int)host_n, host, addr_port(a))
                     : snprintf(out, ADDR_TEXT_MAX, "%.*s:%u", (int)host_n, host, addr_port(a));
    }
    return MIN((size_t)n, (size_t)ADDR_TEXT_MAX - 1);
}

static bool is_public_v4(uint32_t a)
{
    static const struct {
        uint32_t net;
        uint8_t bits;
    } others[] = {{0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
                  {0xac100000, 12}, {0xc0000000, 24}, {0xc0a80000, 16}, {0xc6120000, 15}, {0xe0000000, 3}};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if ((a ^ others[i].net) >> (32 - others[i].bits) == 0)
            return false;
    return true;
}

static uint32_t v4_at(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

bool addr_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return is_public_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b}, teredo[4] = {0x20, 1};
    const uint8_t *b = v6.sin6_addr.s6_addr;
    /* Behind some lies an address of version 4 that translators and tunnels go on to: it is the one that counts. */
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) || memcmp(b, nat64, sizeof nat64) == 0) /* 64:ff9b::/96, RFC 6052 */
        return is_public_v4(v4_at(b + 12));
    if (b[0] == 0x20 && b[1] == 2) /* 2002::/16, RFC 3056 */
        return is_public_v4(v4_at(b + 2));
    if (memcmp(b, teredo, sizeof teredo) == 0) /* 2001::/32, RFC 4380: scrambled, and used by nobody any more */
        return false;
    return (b[0] & 0xe0) == 0x20; /* 2000::/3: everything else is of this machine, link or network */
}

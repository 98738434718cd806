/* SPDX-License-Identifier: Apache-2.0 */
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/limits.h"

#define V1_MAX 107 /* bytes with CRLF: the specification's own bound */

static const str v2_begin = {"\r\n\r\n\0\r\nQUIT\n", 12};

static enum status bad(struct err *err, const char *what)
{
    return err_set(err, STATUS_INVALID, "PROXY protocol: %s", what);
}

/* ---- version 1: a line of text ---- */

static bool read_text_addr(bool v6, str host, str port, struct addr *ret)
{
    char text[INET6_ADDRSTRLEN];
    int64_t number;
    if (!host.n || host.n >= sizeof(text) || !str_all_digits(port) || port.n > 5 || (port.n > 1 && port.p[0] == '0') ||
        !str_to_i64(port, &number) || number > 65535)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    *ret = (struct addr){.len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)};
    ret->ss.ss_family = v6 ? AF_INET6 : AF_INET;
    void *to = v6 ? (void *)&((struct sockaddr_in6 *)&ret->ss)->sin6_addr
                  : (void *)&((struct sockaddr_in *)&ret->ss)->sin_addr;
    addr_set_port(ret, (unsigned)number);
    return inet_pton(v6 ? AF_INET6 : AF_INET, text, to) == 1;
}

static enum status parse_v1(str in, struct proxy_header *ret, size_t *ret_used, struct err *err)
{
    str line = str_sub(in, 0, V1_MAX), part[5];
    size_t end = str_find(line, STR("\r\n"));
    if (end == STR_NPOS)
        return in.n < V1_MAX ? STATUS_AGAIN : bad(err, "a line of version 1 has no end");
    *ret_used = end + 2;
    str rest = str_sub(line, 6, end);
    if (str_is(rest, "UNKNOWN") || str_starts(rest, STR("UNKNOWN ")))
        return STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        bool more = str_cut(rest, ' ', &part[i], &rest);
        if (more != (i + 1 < ARRAY_LEN(part)))
            return bad(err, "a line of version 1 has five parts");
    }
    bool v6 = str_is(part[0], "TCP6");
    if (!v6 && !str_is(part[0], "TCP4"))
        return bad(err, "only TCP4, TCP6 and UNKNOWN are known");
    if (!read_text_addr(v6, part[1], part[3], &ret->client) || !read_text_addr(v6, part[2], part[4], &ret->server))
        return bad(err, "an address cannot be read");
    ret->known = true;
    return STATUS_OK;
}

/* ---- version 2: binary ---- */

static unsigned be16(const char *p)
{
    return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static void set_v4(struct addr *a, const char *address, const char *port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&a->ss;
    *a = (struct addr){.len = sizeof(*in)};
    in->sin_family = AF_INET;
    memcpy(&in->sin_addr, address, 4);
    addr_set_port(a, be16(port));
}

static void set_v6(struct addr *a, const char *address, const char *port)
{
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&a->ss;
    *a = (struct addr){.len = sizeof(*in)};
    in->sin6_family = AF_INET6;
    memcpy(&in->sin6_addr, address, 16);
    addr_set_port(a, be16(port));
}

static void set_unix(struct addr *a)
{
    *a = (struct addr){.len = offsetof(struct sockaddr_un, sun_path)};
    a->ss.ss_family = AF_UNIX;
}

/* Further facts behind the addresses: type, length, value. */
static enum status read_tlvs(str rest, struct proxy_header *ret, struct err *err)
{
    while (rest.n) {
        if (rest.n < 3 || be16(rest.p + 1) > rest.n - 3)
            return bad(err, "a fact ends behind the header");
        size_t n = be16(rest.p + 1);
        if ((unsigned char)rest.p[0] == 0x20 && n >= 5) /* PP2_TYPE_SSL: its first bit is PP2_CLIENT_SSL */
            ret->secure = rest.p[3] & 1;
        rest = str_from(rest, 3 + n);
    }
    return STATUS_OK;
}

static enum status parse_v2(str in, struct proxy_header *ret, size_t *ret_used, struct err *err)
{
    if (in.n < 16)
        return STATUS_AGAIN;
    unsigned command = (unsigned char)in.p[12], family = (unsigned char)in.p[13] >> 4;
    size_t n = be16(in.p + 14), used;
    if (command != 0x20 && command != 0x21)
        return bad(err, "only LOCAL and PROXY of version 2 are known");
    if (n + 16 > LIMIT_PROXY_HEADER)
        return bad(err, "the header is too long");
    if (in.n < 16 + n)
        return STATUS_AGAIN;
    *ret_used = 16 + n;
    str rest = str_sub(in, 16, 16 + n);
    if (command == 0x20 || family == 0) /* the proxy's own connection, or it cannot tell: skip the rest */
        return STATUS_OK;
    static const size_t sizes[] = {0, 12, 36, 216};
    if (family > 3 || rest.n < sizes[family])
        return bad(err, "its addresses are cut");
    used = sizes[family];
    if (family == 1) {
        set_v4(&ret->client, rest.p, rest.p + 8);
        set_v4(&ret->server, rest.p + 4, rest.p + 10);
    } else if (family == 2) {
        set_v6(&ret->client, rest.p, rest.p + 32);
        set_v6(&ret->server, rest.p + 16, rest.p + 34);
    } else {
        set_unix(&ret->client);
        set_unix(&ret->server);
    }
    ret->known = true;
    return read_tlvs(str_from(rest, used), ret, err);
}

enum status proxy_header_parse(str in, struct proxy_header *ret, size_t *ret_used, struct err *err)
{
    struct proxy_header got = {0};
    size_t used = 0, n1 = MIN(in.n, (size_t)6), n2 = MIN(in.n, v2_begin.n);
    enum status st;
    if (in.n == 0)
        return STATUS_AGAIN;
    if (memcmp(in.p, "PROXY ", n1) == 0)
        st = in.n < 6 ? STATUS_AGAIN : parse_v1(in, &got, &used, err);
    else if (memcmp(in.p, v2_begin.p, n2) == 0)
        st = in.n < v2_begin.n ? STATUS_AGAIN : parse_v2(in, &got, &used, err);
    else
        st = bad(err, "the connection does not begin with it");
    if (st != STATUS_OK)
        return st;
    *ret = got;
    *ret_used = used;
    return STATUS_OK;
}

/* ---- writing ---- */

struct end { /* an address as IPv6, mapped where it is IPv4, and a port */
    unsigned char ip[16];
    unsigned port;
};

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct end *e)
{
    return memcmp(e->ip, mapped, sizeof(mapped)) == 0;
}

static struct end end_v4(const void *ip, unsigned port)
{
    struct end e = {.port = port};
    memcpy(e.ip, mapped, sizeof(mapped));
    memcpy(e.ip + 12, ip, 4);
    return e;
}

static bool end_of_text(str host, unsigned port, struct end *ret)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char ip[16];
    if (!host.n || host.n >= sizeof(text))
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    *ret = (struct end){.port = port};
    if (inet_pton(AF_INET, text, ip) == 1)
        *ret = end_v4(ip, port);
    else if (inet_pton(AF_INET6, text, ret->ip) != 1)
        return false;
    return true;
}

static struct end end_of_addr(const struct addr *a, const struct end *other)
{
    static const unsigned char zero[16];
    struct end e = {.port = addr_port(a)};
    if (a->ss.ss_family == AF_INET)
        return end_v4(&((const struct sockaddr_in *)&a->ss)->sin_addr, e.port);
    if (a->ss.ss_family == AF_INET6)
        memcpy(e.ip, &((const struct sockaddr_in6 *)&a->ss)->sin6_addr, sizeof(e.ip));
    else if (is_v4(other))
        e = end_v4(zero, 0);
    return e;
}

static void put_v1(struct buf *out, const struct end *client, const struct end *server)
{
    char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
    bool v4 = is_v4(client) && is_v4(server);
    size_t skip = v4 ? sizeof(mapped) : 0;
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, client->ip + skip, from, sizeof(from));
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, server->ip + skip, to, sizeof(to));
    buf_printf(out, "PROXY %s %s %s %u %u\r\n", v4 ? "TCP4" : "TCP6", from, to, client->port, server->port);
}

static void put_be16(struct buf *out, unsigned n)
{
    buf_putc(out, (char)(n >> 8));
    buf_putc(out, (char)n);
}

static void put_v2(struct buf *out, const struct end *client, const struct end *server, bool secure)
{
    static const char tls[] = {0x20, 0, 5, 1, 0, 0, 0, 1}; /* by TLS, no certificate of the client */
    bool v4 = is_v4(client) && is_v4(server);
    size_t skip = v4 ? sizeof(mapped) : 0, n = sizeof(client->ip) - skip;
    buf_puts(out, v2_begin);
    buf_putc(out, 0x21);
    buf_putc(out, v4 ? 0x11 : 0x21); /* TCP over IPv4, IPv6 */
    put_be16(out, (unsigned)(2 * n + 4 + (secure ? sizeof(tls) : 0)));
    buf_put(out, client->ip + skip, n);
    buf_put(out, server->ip + skip, n);
    put_be16(out, client->port);
    put_be16(out, server->port);
    if (secure)
        buf_put(out, tls, sizeof(tls));
}

void proxy_header_put(struct buf *out, unsigned version, str client_host, unsigned client_port,
                      const struct addr *server, bool secure)
{
    struct end client, to;
    ASSERT(version == 1 || version == 2);
    if (!end_of_text(client_host, client_port, &client)) {
        buf_puts(out, version == 1 ? STR("PROXY UNKNOWN\r\n") : v2_begin);
        if (version == 2)
            buf_put(out, "\x20\0\0\0", 4);
        return;
    }
    to = end_of_addr(server, &client);
    if (version == 1)
        put_v1(out, &client, &to);
    else
        put_v2(out, &client, &to, secure);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h2_head.h"

#include <sys/random.h>

#include "codec/b64.h"
#include "http/headers.h"

static const char *const pseudo_names[H2_PSEUDOS] = {":method", ":scheme", ":authority", ":path", ":protocol"};

void h2_head_init(struct h2_head *h, size_t most)
{
    *h = (struct h2_head){.most = most};
    buf_init(&h->fields, most);
    buf_init(&h->cookie, most);
    buf_init(&h->pseudo, most);
}

void h2_head_release(struct h2_head *h)
{
    buf_release(&h->fields);
    buf_release(&h->cookie);
    buf_release(&h->pseudo);
}

void h2_head_clear(struct h2_head *h)
{
    size_t most = h->most;
    h2_head_release(h);
    h2_head_init(h, most);
}

static bool has_room(const struct h2_head *h, size_t n)
{
    return h->fields.n + h->cookie.n + h->pseudo.n + n + 4 <= h->most;
}

/* Neither blank nor control byte: it goes into the first line or is an authority. */
static bool is_plain(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 127)
            return false;
    return s.n > 0;
}

static void put_pseudo(struct h2_head *h, str name, str value)
{
    for (size_t i = 0; i < H2_PSEUDOS; i++) {
        if (!str_is(name, pseudo_names[i]))
            continue;
        h->bad = h->bad || h->spans[i].set || !is_plain(value);
        h->spans[i].set = true;
        h->spans[i].at = (uint32_t)h->pseudo.n;
        h->spans[i].n = (uint32_t)value.n;
        buf_puts(&h->pseudo, value);
        return;
    }
    h->bad = true;
}

static str pseudo(const struct h2_head *h, enum h2_pseudo which)
{
    if (!h->spans[which].set)
        return (str){NULL, 0};
    return str_make(h->pseudo.p + h->spans[which].at, h->spans[which].n);
}

static void put_field(struct buf *out, str name, str value)
{
    buf_puts(out, name);
    buf_puts(out, STR(": "));
    buf_puts(out, value);
    buf_puts(out, STR("\r\n"));
}

/* Fields of one connection have no place in HTTP/2 (section 8.2.2). */
static bool is_forbidden(str name, str value)
{
    static const char *const names[] = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(name, str_of(names[i])))
            return true;
    return str_eq_nocase(name, STR("te")) && !str_eq_nocase(value, STR("trailers"));
}

void h2_head_field(struct h2_head *h, str name, str value)
{
    if (!has_room(h, name.n + value.n)) {
        h->fields.over = true;
        return;
    }
    if (name.n && name.p[0] == ':') {
        put_pseudo(h, name, value);
        return;
    }
    if (!http_token_ok(name) || !http_header_value_ok(value) || is_forbidden(name, value)) {
        h->bad = true;
        return;
    }
    if (str_is(name, "host") && str_eq(value, pseudo(h, H2_AUTHORITY)))
        return;
    h->length = h->length || str_is(name, "content-length");
    if (str_is(name, "cookie")) {
        if (h->cookie.n)
            buf_puts(&h->cookie, STR("; "));
        buf_puts(&h->cookie, value);
        return;
    }
    put_field(&h->fields, name, value);
}

static void put_upgrade(struct buf *out)
{
    char key[16];
    ssize_t got = getrandom(key, sizeof(key), 0);
    ASSERT(got == (ssize_t)sizeof(key)); /* up to 256 bytes come whole */
    buf_puts(out, STR("connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: "));
    b64_encode(out, str_make(key, sizeof(key)));
    buf_puts(out, STR("\r\n"));
}

int h2_head_finish(struct h2_head *h, bool ended, struct buf *out)
{
    str method = pseudo(h, H2_METHOD), target = pseudo(h, H2_PATH), authority = pseudo(h, H2_AUTHORITY);
    bool connect = str_is(method, "CONNECT"), tunnel = connect && h->spans[H2_PROTOCOL].set;
    if (connect && !tunnel)
        target = authority;
    if (h->bad || (!h->fields.over && (!method.n || !target.n)) || (h->spans[H2_PROTOCOL].set && !connect))
        return 400;
    if (tunnel && !str_eq_nocase(pseudo(h, H2_PROTOCOL), STR("websocket")))
        return 501;
    buf_puts(out, tunnel ? STR("GET") : method);
    buf_putc(out, ' ');
    buf_puts(out, target);
    buf_puts(out, STR(" HTTP/1.1\r\n"));
    if (authority.n)
        put_field(out, STR("host"), authority);
    buf_puts(out, buf_str(&h->fields));
    if (h->cookie.n)
        put_field(out, STR("cookie"), buf_str(&h->cookie));
    if (tunnel)
        put_upgrade(out);
    else if (!ended && !h->length)
        buf_puts(out, STR("transfer-encoding: chunked\r\n"));
    buf_puts(out, STR("\r\n"));
    return h->fields.over || out->over ? 431 : 0;
}

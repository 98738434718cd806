/* SPDX-License-Identifier: Apache-2.0 */
#include "http/forwarded.h"

#include <arpa/inet.h>

static const unsigned char v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* An address without port or brackets. */
static bool read_address(str text, unsigned char out[16], unsigned *ret_bits)
{
    char name[CLIENT_TEXT_MAX];
    if (!text.n || text.n >= sizeof name || memchr(text.p, 0, text.n))
        return false;
    memcpy(name, text.p, text.n);
    name[text.n] = '\0';
    *ret_bits = 128;
    if (inet_pton(AF_INET6, name, out) == 1)
        return true;
    *ret_bits = 32;
    memcpy(out, v4_prefix, sizeof v4_prefix);
    return inet_pton(AF_INET, name, out + 12) == 1;
}

/* With or without port: "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1". */
static bool read_hop(str text, unsigned char out[16])
{
    unsigned bits;
    if (text.n > 2 && text.p[0] == '[') {
        size_t end = str_find_char(text, ']');
        if (end == STR_NPOS || (end + 1 < text.n && text.p[end + 1] != ':'))
            return false;
        return read_address(str_sub(text, 1, end), out, &bits) && bits == 128;
    }
    size_t colon = str_find_char(text, ':');
    if (colon != STR_NPOS && str_rfind_char(text, ':') == colon) /* one colon: a port */
        text = str_sub(text, 0, colon);
    return read_address(text, out, &bits);
}

static void write_address(const unsigned char address[16], char out[CLIENT_TEXT_MAX])
{
    bool v4 = memcmp(address, v4_prefix, sizeof v4_prefix) == 0;
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? address + 12 : address, out, CLIENT_TEXT_MAX))
        out[0] = '\0';
}

enum status proxy_list_parse(str text, struct proxy_list *ret, struct err *err)
{
    struct proxy_list list = {0};
    str item;
    while (str_cut(text, ',', &item, &text), item.n || text.n) {
        str address, bits_text;
        struct proxy_range r;
        int64_t bits;
        unsigned all;
        item = str_trim(item);
        if (!item.n)
            continue;
        if (str_is(item, "unix")) {
            list.unix_peers = true;
            continue;
        }
        bool has_bits = str_cut(item, '/', &address, &bits_text);
        bool ok = read_address(address, r.address, &all);
        bits = all;
        if (!ok || (has_bits && (!str_to_i64(bits_text, &bits) || bits < 0 || bits > all))) {
            err_set(err, STATUS_INVALID, "trusted_proxies: \"%.*s\" is no address", STR_ARG(item));
            return err_hint(err, "Write addresses or ranges, for example 127.0.0.1, 10.0.0.0/8, ::1 or unix.");
        }
        if (list.count == LIMIT_TRUSTED_PROXIES)
            return err_set(err, STATUS_INVALID, "trusted_proxies: more than %d addresses", LIMIT_TRUSTED_PROXIES);
        r.bits = 128 - all + (unsigned)bits;
        list.ranges[list.count++] = r;
    }
    *ret = list;
    return STATUS_OK;
}

static bool is_trusted(const struct proxy_list *l, const unsigned char address[16])
{
    for (size_t i = 0; i < l->count; i++) {
        const struct proxy_range *r = &l->ranges[i];
        unsigned bytes = r->bits / 8, rest = r->bits % 8;
        if (memcmp(r->address, address, bytes) == 0 &&
            (!rest || (r->address[bytes] ^ address[bytes]) >> (8 - rest) == 0))
            return true;
    }
    return false;
}

/* ---- the chain, from its end ---- */

struct hops {
    str items[LIMIT_FORWARDED_HOPS]; /* the last ones, oldest first */
    size_t count;
};

static void push(struct hops *h, str item)
{
    if (h->count == LIMIT_FORWARDED_HOPS) {
        memmove(h->items, h->items + 1, (h->count - 1) * sizeof *h->items);
        h->count--;
    }
    h->items[h->count++] = item;
}

static str unquote(str s)
{
    return s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' ? str_sub(s, 1, s.n - 1) : s;
}

/* RFC 7239 section 4: for=192.0.2.1;proto=https, for="[2001:db8::1]:80" */
static str parameter(str element, str wanted)
{
    str pair, name, value;
    while (element.n) {
        str_cut(element, ';', &pair, &element);
        if (str_cut(str_trim(pair), '=', &name, &value) && str_eq_nocase(name, wanted))
            return unquote(value);
    }
    return (str){0};
}

static void collect(const struct http_headers *headers, str name, bool elements, struct hops *h)
{
    for (size_t i = 0; i < headers->count; i++) {
        str rest = headers->items[i].value, item;
        if (!str_eq_nocase(headers->items[i].name, name))
            continue;
        while (http_list_next(&rest, &item))
            push(h, elements ? parameter(item, STR("for")) : item);
    }
}

static bool says_https(const struct http_headers *headers)
{
    str proto = http_headers_get(headers, STR("x-forwarded-proto")), item, last = {0}, rest;
    if (!proto.p) {
        rest = http_headers_get(headers, STR("forwarded"));
        while (http_list_next(&rest, &item))
            last = parameter(item, STR("proto"));
        return str_eq_nocase(last, STR("https"));
    }
    while (http_list_next(&proto, &item))
        last = item;
    return str_eq_nocase(last, STR("https"));
}

void forwarded_find(const struct proxy_list *trusted, const struct http_headers *headers, str peer,
                    struct forwarded *ret)
{
    unsigned char client[16], hop[16];
    bool unix_peer = str_starts(peer, STR("unix:"));
    *ret = (struct forwarded){.client = "unix"};
    if (!unix_peer && !read_hop(peer, client)) {
        ret->client[0] = '\0';
        return;
    }
    if (!unix_peer)
        write_address(client, ret->client);
    if (unix_peer ? !trusted->unix_peers : !is_trusted(trusted, client))
        return;
    struct hops h = {.count = 0};
    if (http_headers_has(headers, STR("x-forwarded-for")))
        collect(headers, STR("x-forwarded-for"), false, &h);
    else
        collect(headers, STR("forwarded"), true, &h);
    ret->secure = says_https(headers);
    for (size_t i = h.count; i-- > 0 && read_hop(h.items[i], hop);) {
        write_address(hop, ret->client);
        ret->via_proxy = true;
        if (!is_trusted(trusted, hop))
            break;
    }
}

bool proxy_list_has(const struct proxy_list *trusted, str peer)
{
    unsigned char address[16];
    if (str_starts(peer, STR("unix:")))
        return trusted->unix_peers;
    return read_hop(peer, address) && is_trusted(trusted, address);
}

void client_network(str client, char out[CLIENT_TEXT_MAX])
{
    unsigned char address[16];
    unsigned bits = 0;
    size_t n = MIN(client.n, (size_t)CLIENT_TEXT_MAX - 1);
    if (read_address(client, address, &bits) && memcmp(address, v4_prefix, sizeof v4_prefix) != 0) {
        memset(address + 8, 0, 8);
        write_address(address, out);
        return;
    }
    memcpy(out, client.n ? client.p : "", n);
    out[n] = '\0';
}

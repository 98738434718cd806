/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/rewrite.h"

static const str CRLF = {"\r\n", 2};

static void put_field(struct buf *out, str name, str value)
{
    char *to = buf_reserve(out, name.n + value.n + 4);
    if (!to)
        return;
    memcpy(to, name.p, name.n);
    to += name.n;
    *to++ = ':';
    *to++ = ' ';
    if (value.n)
        memcpy(to, value.p, value.n);
    to += value.n;
    *to++ = '\r';
    *to = '\n';
    out->n += name.n + value.n + 4;
}

/* Fields of one hop, and those that the edge writes itself. */
static bool is_hop(str name)
{
    switch (name.n) {
    case 2:
        return str_eq_nocase(name, STR("te"));
    case 6:
        return str_eq_nocase(name, STR("expect"));
    case 7:
        return str_eq_nocase(name, STR("upgrade")) || str_eq_nocase(name, STR("trailer"));
    case 10:
        return str_eq_nocase(name, STR("connection")) || str_eq_nocase(name, STR("keep-alive"));
    case 14:
        return str_eq_nocase(name, STR("content-length")) || str_eq_nocase(name, STR("http2-settings")) ||
               str_eq_nocase(name, STR("content_length")) || str_eq_nocase(name, STR("vitrine-replay")) ||
               str_eq_nocase(name, STR("vitrine_replay"));
    case 16:
        return str_eq_nocase(name, STR("proxy-connection"));
    case 17:
        return str_eq_nocase(name, STR("transfer-encoding")) || str_eq_nocase(name, STR("transfer_encoding"));
    default:
        return false;
    }
}

/* Equal when "_" stands for "-". */
static bool is_called(str name, str wanted)
{
    if (name.n != wanted.n)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i] == '_' ? '-' : str_lower_char(name.p[i]);
        if (c != wanted.p[i])
            return false;
    }
    return true;
}

static const str forwarded_for = {"x-forwarded-for", 15}, forwarded_proto = {"x-forwarded-proto", 17},
                 forwarded_host = {"x-forwarded-host", 16};

static bool is_forwarding(str name)
{
    str begin = str_sub(name, 0, 12);
    return name.n >= 9 && (is_called(begin, STR("x-forwarded-")) || is_called(name, STR("forwarded")) ||
                           is_called(name, STR("x-real-ip")));
}

/* Those of a trusted proxy that are written anew with what it said. */
static bool is_rewritten(str name)
{
    return is_called(name, forwarded_for) || is_called(name, forwarded_proto) || is_called(name, forwarded_host) ||
           is_called(name, STR("x-real-ip"));
}

static bool named_by_connection(const struct http_headers *headers, str name)
{
    for (size_t i = 0; i < headers->count; i++)
        if (headers->items[i].name.n == 10 && str_eq_nocase(headers->items[i].name, STR("connection")) &&
            http_list_has(headers->items[i].value, name))
            return true;
    return false;
}

/* Does Connection name anything beyond what every client says? Seldom: then each field is looked up. */
static bool has_named(const struct http_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        str rest = headers->items[i].value, item;
        if (headers->items[i].name.n != 10 || !str_eq_nocase(headers->items[i].name, STR("connection")))
            continue;
        while (http_list_next(&rest, &item))
            if (!str_eq_nocase(item, STR("close")) && !str_eq_nocase(item, STR("keep-alive")) &&
                !str_eq_nocase(item, STR("upgrade")) && !str_eq_nocase(item, STR("host")))
                return true;
    }
    return false;
}

str rewrite_upgrade(const struct h1_head *head)
{
    str value = http_headers_get(&head->headers, STR("upgrade"));
    if (!value.n || head->minor == 0 || head->chunked || head->content_length > 0 ||
        http_headers_count(&head->headers, STR("upgrade")) != 1 ||
        !named_by_connection(&head->headers, STR("upgrade")) || str_starts(value, STR("h2")) ||
        str_starts(value, STR("H2")))
        return (str){NULL, 0};
    return value;
}

static void put_target(struct buf *out, const struct rewrite_request *r)
{
    str path = r->target->path;
    if (r->strip.n > 1 && str_starts(path, r->strip))
        path = str_from(path, r->strip.n);
    if (!path.n || (path.p[0] != '/' && path.p[0] != '*'))
        buf_putc(out, '/');
    /* "//host" at the front would be read as another host by some: one slash is enough. */
    while (r->strip.n > 1 && path.n > 1 && path.p[0] == '/' && path.p[1] == '/')
        path = str_from(path, 1);
    buf_puts(out, path);
    if (r->target->has_query) {
        buf_putc(out, '?');
        buf_puts(out, r->target->query);
    }
}

static void put_forwarding(struct buf *out, const struct rewrite_request *r)
{
    str peer = r->peer.n ? r->peer : STR("unix");
    str proto = {NULL, 0}, host = {NULL, 0};
    bool v6 = str_find_char(peer, ':') != STR_NPOS;
    buf_puts(out, STR("X-Forwarded-For: "));
    for (size_t i = 0; r->trusted && i < r->head->headers.count; i++) {
        const struct http_header *f = &r->head->headers.items[i];
        if (is_called(f->name, forwarded_for) && f->value.n) {
            buf_puts(out, f->value);
            buf_puts(out, STR(", "));
        } else if (is_called(f->name, forwarded_proto)) {
            proto = f->value;
        } else if (is_called(f->name, forwarded_host)) {
            host = f->value;
        }
    }
    buf_puts(out, peer);
    buf_puts(out, CRLF);
    put_field(out, STR("X-Forwarded-Proto"), proto.n ? proto : r->secure ? STR("https") : STR("http"));
    put_field(out, STR("X-Forwarded-Host"), host.n ? host : r->host);
    if (r->trusted && http_headers_has(&r->head->headers, STR("forwarded"))) {
        /* RFC 7239: the hop that it came from is added to those the proxy told; its own field was copied before. */
        buf_puts(out, v6 ? STR("Forwarded: for=\"[") : STR("Forwarded: for="));
        buf_puts(out, peer);
        buf_puts(out, v6 ? STR("]\";proto=") : STR(";proto="));
        buf_puts(out, r->secure ? STR("https") : STR("http"));
        buf_puts(out, CRLF);
    }
}

void rewrite_request(struct buf *out, const struct rewrite_request *r)
{
    const struct h1_head *head = r->head;
    bool named = has_named(&head->headers);
    buf_puts(out, head->method);
    buf_putc(out, ' ');
    put_target(out, r);
    buf_puts(out, STR(" HTTP/1.1\r\n"));
    put_field(out, STR("Host"), r->host);
    for (size_t i = 0; i < head->headers.count; i++) {
        const struct http_header *f = &head->headers.items[i];
        if (is_hop(f->name) || (f->name.n == 4 && str_eq_nocase(f->name, STR("host"))) ||
            (is_forwarding(f->name) && (!r->trusted || is_rewritten(f->name))) ||
            (named && named_by_connection(&head->headers, f->name)))
            continue;
        put_field(out, f->name, f->value);
    }
    put_forwarding(out, r);
    if (r->upgrade) {
        put_field(out, STR("Connection"), STR("Upgrade"));
        put_field(out, STR("Upgrade"), http_headers_get(&head->headers, STR("upgrade")));
    }
    if (r->replay && (head->chunked || head->content_length > 0))
        buf_puts(out, STR("Vitrine-Replay: 379\r\n"));
    if (head->chunked) {
        buf_puts(out, STR("Transfer-Encoding: chunked\r\n"));
    } else if (head->content_length >= 0) {
        buf_puts(out, STR("Content-Length: "));
        buf_put_i64(out, head->content_length);
        buf_puts(out, CRLF);
    }
    buf_puts(out, CRLF);
}

/* Also in an answer to HEAD and in 304, whose body stays home. */
static bool says_length(const struct rewrite_answer *r)
{
    const struct h1_head *head = r->head;
    return head->content_length >= 0 && !head->chunked && head->status >= 200 && head->status != 204 &&
           r->body != H1_BODY_CLOSE;
}

void rewrite_answer(struct buf *out, const struct rewrite_answer *r)
{
    const struct h1_head *head = r->head;
    bool named = has_named(&head->headers);
    char line[16] = "HTTP/1.1 000 ";
    line[9] = (char)('0' + head->status / 100);
    line[10] = (char)('0' + head->status / 10 % 10);
    line[11] = (char)('0' + head->status % 10);
    buf_put(out, line, 13);
    buf_puts(out, head->reason);
    buf_puts(out, CRLF);
    for (size_t i = 0; i < head->headers.count; i++) {
        const struct http_header *f = &head->headers.items[i];
        if (is_hop(f->name) || (named && named_by_connection(&head->headers, f->name)))
            continue;
        put_field(out, f->name, f->value);
    }
    if (r->upgrade) {
        put_field(out, STR("Connection"), STR("Upgrade"));
        put_field(out, STR("Upgrade"), http_headers_get(&head->headers, STR("upgrade")));
    } else if (r->body == H1_BODY_CHUNKED) {
        buf_puts(out, STR("Transfer-Encoding: chunked\r\n"));
    } else if (says_length(r)) {
        buf_puts(out, STR("Content-Length: "));
        buf_put_i64(out, head->content_length);
        buf_puts(out, CRLF);
    }
    if (r->close)
        buf_puts(out, STR("Connection: close\r\n"));
    else if (r->keep_alive)
        buf_puts(out, STR("Connection: keep-alive\r\n"));
    buf_puts(out, CRLF);
}

size_t rewrite_answer_fields(struct http_header *out, char number[24], const struct rewrite_answer *r)
{
    const struct h1_head *head = r->head;
    bool named = has_named(&head->headers);
    size_t n = 0;
    for (size_t i = 0; i < head->headers.count; i++) {
        const struct http_header *f = &head->headers.items[i];
        if (is_hop(f->name) || (named && named_by_connection(&head->headers, f->name)) ||
            (r->upgrade && str_eq_nocase(f->name, STR("sec-websocket-accept"))))
            continue;
        out[n++] = *f;
    }
    if (!r->upgrade && says_length(r)) {
        int digits = snprintf(number, 24, "%lld", (long long)head->content_length);
        out[n++] = (struct http_header){STR("content-length"), str_make(number, (size_t)digits)};
    }
    return n;
}

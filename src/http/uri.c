/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"

#include "base/limits.h"
#include "http/headers.h"

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

static bool port_ok(str port)
{
    uint64_t n = 0;
    return !port.n || (port.n <= 5 && str_all_digits(port) && str_to_u64(port, &n) && n <= 65535);
}

/* RFC 3986 section 3.2.2: "[" IPv6address / IPvFuture "]"; the address itself is nobody's to resolve here. */
static bool ip_literal_ok(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != ':' && s.p[i] != '.' && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '~')
            return false;
    return s.n > 0;
}

bool uri_authority_ok(str authority)
{
    if (!authority.n)
        return true;
    if (authority.p[0] == '[') {
        size_t close = str_find_char(authority, ']');
        if (close == STR_NPOS || !ip_literal_ok(str_sub(authority, 1, close)))
            return false;
        str rest = str_from(authority, close + 1);
        return !rest.n || (rest.p[0] == ':' && port_ok(str_from(rest, 1)));
    }
    str host, port;
    str_cut(authority, ':', &host, &port);
    if (!host.n)
        return false;
    for (size_t i = 0; i < host.n; i++) { /* reg-name: unreserved, sub-delims, %XX */
        char c = host.p[i];
        if (c == '%') {
            if (i + 2 >= host.n || hex_value(host.p[i + 1]) < 0 || hex_value(host.p[i + 2]) < 0)
                return false;
            i += 2;
        } else if (!is_alnum(c) && !memchr("-._~!$&'()*+,;=", c, 15)) {
            return false;
        }
    }
    return port_ok(port);
}

static enum status parse_absolute(str target, struct uri_target *t, struct err *err)
{
    size_t colon = str_find_char(target, ':');
    t->form = URI_ABSOLUTE;
    t->scheme = str_sub(target, 0, colon == STR_NPOS ? 0 : colon);
    if (!str_eq_nocase(t->scheme, STR("http")) && !str_eq_nocase(t->scheme, STR("https")))
        return err_set(err, STATUS_INVALID, "The request target must begin with \"/\" or \"http://\".");
    str rest = str_from(target, colon + 1);
    if (!str_starts(rest, STR("//")))
        return err_set(err, STATUS_INVALID, "The request target has a scheme but no \"//\".");
    rest = str_from(rest, 2);
    size_t end = 0;
    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    t->authority = str_sub(rest, 0, end);
    t->path = str_from(rest, end);
    if (!t->authority.n || !uri_authority_ok(t->authority))
        return err_set(err, STATUS_INVALID, "The host in the request target is not valid.");
    return STATUS_OK;
}

enum status uri_parse_target(str target, bool is_options, bool is_connect, struct uri_target *ret, struct err *err)
{
    struct uri_target t = {.form = URI_ORIGIN, .path = target};
    if (!target.n)
        return err_set(err, STATUS_INVALID, "The request target is empty.");
    for (size_t i = 0; i < target.n; i++) {
        unsigned char c = (unsigned char)target.p[i];
        if (c <= 0x20 || c >= 0x7f)
            return err_set(err, STATUS_INVALID,
                           "The request target holds byte 0x%02x; it must be visible ASCII: percent-encode it.", c);
        if (c == '#')
            return err_set(err, STATUS_INVALID, "The request target holds a fragment (\"#\"): percent-encode it.");
    }
    if (is_connect) {
        str host, port;
        if (!uri_authority_ok(target) || target.p[target.n - 1] == ']' || !str_cut(target, ':', &host, &port))
            return err_set(err, STATUS_INVALID, "The target of CONNECT must be host:port.");
        t.form = URI_AUTHORITY;
        t.authority = target;
        t.path = (str){NULL, 0};
        *ret = t;
        return STATUS_OK;
    }
    if (str_eq(target, STR("*"))) {
        if (!is_options)
            return err_set(err, STATUS_INVALID, "The request target \"*\" goes with OPTIONS only.");
        t.form = URI_ASTERISK;
        *ret = t;
        return STATUS_OK;
    }
    if (target.p[0] != '/') {
        enum status st = parse_absolute(target, &t, err);
        if (st != STATUS_OK)
            return st;
    }
    str path = t.path;
    t.has_query = str_cut(path, '?', &t.path, &t.query);
    if (!t.path.n)
        t.path = STR("/");
    *ret = t;
    return STATUS_OK;
}

bool uri_is_own_path(str path)
{
    if (!path.n || path.n > LIMIT_SIGN_IN_NEXT || path.p[0] != '/' || (path.n > 1 && path.p[1] == '/'))
        return false;
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] <= 0x20 || (unsigned char)path.p[i] >= 0x7f || path.p[i] == '\\')
            return false;
    return true;
}

static enum status not_found(struct err *err, str raw_path)
{
    return err_set(err, STATUS_NOT_FOUND, "No such file: %.*s", (int)MIN(raw_path.n, 200),
                   raw_path.n ? raw_path.p : "");
}

enum status uri_file_path(struct arena *a, str raw_path, str *ret, struct err *err)
{
    char *out = arena_alloc_raw(a, raw_path.n + 2);
    size_t n = 0;
    for (size_t i = 0; i < raw_path.n; i++) {
        unsigned char c = (unsigned char)raw_path.p[i];
        if (c == '%') {
            if (i + 2 >= raw_path.n || hex_value(raw_path.p[i + 1]) < 0 || hex_value(raw_path.p[i + 2]) < 0)
                return not_found(err, raw_path);
            c = (unsigned char)(hex_value(raw_path.p[i + 1]) * 16 + hex_value(raw_path.p[i + 2]));
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || c == '\\')
            return not_found(err, raw_path);
        out[n++] = (char)c;
    }
    /* Segments are put back over what was read: the write never overtakes the read. */
    size_t w = 0;
    bool slash = false;
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && out[end] != '/')
            end++;
        str segment = str_make(out + i, end - i);
        slash = end < n;
        if (str_eq(segment, STR(".."))) {
            if (!w)
                return not_found(err, raw_path);
            while (w && out[w - 1] != '/')
                w--;
            w -= w > 0;
            slash = true;
        } else if (segment.n && !str_eq(segment, STR("."))) {
            if (w)
                out[w++] = '/';
            memmove(out + w, segment.p, segment.n);
            w += segment.n;
        } else if (segment.n) {
            slash = true;
        }
        i = end + 1;
    }
    if (w && slash)
        out[w++] = '/';
    out[w] = '\0';
    *ret = str_make(out, w);
    return STATUS_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "http/cookie.h"

#include "base/limits.h"
#include "http/headers.h"

/* Next "name=value" of a Cookie field; false at the end. Pieces without "=" are skipped. */
static bool next_pair(str *rest, str *ret_name, str *ret_value)
{
    while (rest->n) {
        size_t i = 0;
        for (bool quoted = false; i < rest->n && (quoted || rest->p[i] != ';'); i++) {
            if (rest->p[i] == '"')
                quoted = !quoted;
            else if (quoted && rest->p[i] == '\\' && i + 1 < rest->n)
                i++;
        }
        str piece = str_sub(*rest, 0, i), name, value;
        *rest = str_from(*rest, i + 1);
        if (!str_cut(piece, '=', &name, &value))
            continue;
        *ret_name = str_trim(name);
        *ret_value = str_trim(value);
        if (ret_name->n)
            return true;
    }
    return false;
}

static bool octal(char c, char max)
{
    return c >= '0' && c <= max;
}

static str unquote(struct arena *a, str v)
{
    if (v.n < 2 || v.p[0] != '"' || v.p[v.n - 1] != '"')
        return v.p ? v : STR("");
    str in = str_sub(v, 1, v.n - 1);
    if (str_find_char(in, '\\') == STR_NPOS)
        return in;
    char *out = arena_alloc_raw(a, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '\\' && i + 3 < in.n && octal(in.p[i + 1], '3') && octal(in.p[i + 2], '7') &&
            octal(in.p[i + 3], '7')) {
            c = (char)((in.p[i + 1] - '0') * 64 + (in.p[i + 2] - '0') * 8 + (in.p[i + 3] - '0'));
            i += 3;
        } else if (c == '\\' && i + 1 < in.n) {
            c = in.p[++i];
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return str_make(out, n);
}

str cookie_find(struct arena *a, str field, str name)
{
    str key, value;
    while (next_pair(&field, &key, &value))
        if (str_eq(key, name))
            return unquote(a, value);
    return (str){NULL, 0};
}

str cookie_find_only(struct arena *a, str field, str name)
{
    str key, value, found = {NULL, 0};
    while (next_pair(&field, &key, &value)) {
        if (!str_eq(key, name))
            continue;
        if (found.p)
            return (str){NULL, 0};
        found = unquote(a, value);
    }
    return found;
}

struct value cookie_parse(struct arena *a, str field)
{
    struct value d = value_dict(a);
    str key, value;
    for (size_t i = 0; i < LIMIT_HTTP_COOKIES && next_pair(&field, &key, &value); i++)
        if (!value_has(d, key))
            value_set(d, key, value_str(unquote(a, value)));
    return d;
}

/* RFC 6265 section 4.1.1: cookie-octet; a quoted value and the comma that some clients send are let through as well. */
static bool value_ok(str v)
{
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if (c <= 0x20 || c >= 0x7f || c == ';' || c == '\\' || c == ',')
            return false;
    }
    return true;
}

str cookie_format(struct arena *a, str name, str value, str path, int64_t max_age_s, unsigned flags)
{
    if (!path.n)
        path = STR("/");
    if (!http_token_ok(name) || !value_ok(value) || !value_ok(path))
        return (str){NULL, 0};
    str age = max_age_s < 0 ? STR("") : arena_printf(a, "; Max-Age=%lld", (long long)max_age_s);
    str same = flags & COOKIE_STRICT ? STR("; SameSite=strict") : flags & COOKIE_LAX ? STR("; SameSite=lax") : STR("");
    return ARENA_CAT(a, name, STR("="), value, STR("; Path="), path, age,
                     flags & COOKIE_HTTP_ONLY ? STR("; HttpOnly") : STR(""),
                     flags & COOKIE_SECURE ? STR("; Secure") : STR(""), same);
}

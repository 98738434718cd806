/* SPDX-License-Identifier: Apache-2.0 */
#include "http/headers.h"

#include "base/limits.h"

/* RFC 9110 section 5.6.2, tchar, as a set of bits: ! # $ % & ' * + - . ^ _ ` | ~ 0-9 A-Z a-z */
static const uint64_t token_chars[4] = {0x03ff6cfa00000000, 0x57ffffffc7fffffe, 0, 0};

bool http_token_ok(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (!(token_chars[c >> 6] >> (c & 63) & 1))
            return false;
    }
    return s.n > 0;
}

bool http_header_value_ok(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static const struct http_header *find(const struct http_headers *h, str name)
{
    for (size_t i = 0; i < h->count; i++)
        if (str_eq_nocase(h->items[i].name, name))
            return &h->items[i];
    return NULL;
}

str http_headers_get(const struct http_headers *h, str name)
{
    const struct http_header *f = find(h, name);
    if (!f)
        return (str){NULL, 0};
    return f->value.p ? f->value : STR("");
}

bool http_headers_has(const struct http_headers *h, str name)
{
    return find(h, name) != NULL;
}

size_t http_headers_count(const struct http_headers *h, str name)
{
    size_t count = 0;
    for (size_t i = 0; i < h->count; i++)
        count += str_eq_nocase(h->items[i].name, name);
    return count;
}

str http_headers_join(const struct http_headers *h, str name, struct arena *a)
{
    size_t count = http_headers_count(h, name), k = 0;
    if (count < 2)
        return http_headers_get(h, name);
    str *parts = ARENA_ARRAY(a, str, 2 * count);
    for (size_t i = 0; i < h->count; i++) {
        if (!str_eq_nocase(h->items[i].name, name))
            continue;
        if (k)
            parts[k++] = STR(", ");
        parts[k++] = h->items[i].value;
    }
    return arena_concat(a, parts, k);
}

bool http_headers_add(struct http_headers *h, struct arena *a, str name, str value)
{
    if (!http_token_ok(name) || !http_header_value_ok(value) || h->count >= LIMIT_HTTP_RESPONSE_HEADERS)
        return false;
    if (h->count == h->cap) {
        if (!a)
            return false;
        VEC_PUSH(a, h, (struct http_header){name, value});
    } else {
        h->items[h->count++] = (struct http_header){name, value};
    }
    return true;
}

bool http_headers_set(struct http_headers *h, struct arena *a, str name, str value)
{
    if (!http_token_ok(name) || !http_header_value_ok(value))
        return false;
    for (size_t i = 0; i < h->count; i++) {
        if (!str_eq_nocase(h->items[i].name, name))
            continue;
        size_t kept = i + 1;
        for (size_t k = i + 1; k < h->count; k++)
            if (!str_eq_nocase(h->items[k].name, name))
                h->items[kept++] = h->items[k];
        h->count = kept;
        h->items[i] = (struct http_header){name, value};
        return true;
    }
    return http_headers_add(h, a, name, value);
}

size_t http_headers_remove(struct http_headers *h, str name)
{
    size_t kept = 0, count = h->count;
    for (size_t i = 0; i < count; i++)
        if (!str_eq_nocase(h->items[i].name, name))
            h->items[kept++] = h->items[i];
    h->count = kept;
    return count - kept;
}

bool http_list_next(str *rest, str *ret_item)
{
    while (rest->n) {
        size_t i = 0;
        for (bool quoted = false; i < rest->n && (quoted || rest->p[i] != ','); i++) {
            if (rest->p[i] == '"')
                quoted = !quoted;
            else if (quoted && rest->p[i] == '\\' && i + 1 < rest->n)
                i++;
        }
        str item = str_trim(str_sub(*rest, 0, i));
        *rest = str_from(*rest, i + 1);
        if (item.n) {
            *ret_item = item;
            return true;
        }
    }
    return false;
}

bool http_list_has(str list, str token)
{
    str item;
    while (http_list_next(&list, &item))
        if (str_eq_nocase(item, token))
            return true;
    return false;
}

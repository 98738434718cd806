/* SPDX-License-Identifier: Apache-2.0 */
#include "net/client_hello.h"

/* A length of `bytes` bytes in front, and exactly so many after it. */
static bool take_list(str s, size_t bytes, str *ret)
{
    size_t n = 0;
    if (s.n < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | (unsigned char)s.p[i];
    *ret = str_from(s, bytes);
    return ret->n == n;
}

/* Labels of 1 to 63 bytes; one of them holds something else than digits, else it is an address. */
static bool is_name(str s)
{
    size_t label = 0;
    bool letters = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.' && label == 0)
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63)
            return false;
        letters = letters || (c >= 'a' && c <= 'z');
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return label > 0 && letters;
}

size_t client_hello_host(str extension, char out[CLIENT_HELLO_HOST_MAX])
{
    str list, name;
    out[0] = 0;
    /* One entry: the only type there is may not come twice. Type 0 is host_name. */
    if (!take_list(extension, 2, &list) || !list.n || list.p[0] != 0 || !take_list(str_from(list, 1), 2, &name))
        return 0;
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    if (!name.n || name.n >= CLIENT_HELLO_HOST_MAX)
        return 0;
    char lower[CLIENT_HELLO_HOST_MAX];
    if (!is_name(str_lower(lower, name)))
        return 0;
    memcpy(out, lower, name.n);
    out[name.n] = 0;
    return name.n;
}

bool client_hello_only(str extension, str protocol)
{
    str list, name;
    return take_list(extension, 2, &list) && take_list(list, 1, &name) && str_eq(name, protocol);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "site/magic.h"

#include <sys/random.h>

#include "base/clock.h"
#include "http/cookie.h"

#define RANDOM_CHARS_MAX 1024

static struct value now(struct request *rq, str key)
{
    char iso[CLOCK_ISO_LEN + 1];
    clock_format_iso_ms(clock_unix_us(), iso);
    str s = arena_str(rq->arena, str_of(iso));
    if (str_is(key, "epoch"))
        return value_int(clock_unix_s());
    if (str_is(key, "date_utc"))
        return value_str(str_sub(s, 0, 10));
    if (str_is(key, "datetime_utc"))
        return value_str(ARENA_CAT(rq->arena, str_sub(s, 0, 19), STR("Z")));
    return VALUE_UNDEF;
}

static struct value header(struct request *rq, str key)
{
    char *name = arena_cstr(rq->arena, key);
    for (size_t i = 0; i < key.n; i++)
        if (name[i] == '_')
            name[i] = '-';
    str v = http_header(rq->http, str_make(name, key.n));
    return value_str(v.p ? v : STR(""));
}

static struct value random_chars(struct request *rq, str count)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[RANDOM_CHARS_MAX];
    uint64_t n;
    if (!str_to_u64(count, &n) || n > RANDOM_CHARS_MAX || getrandom(bytes, n, 0) != (ssize_t)n)
        return VALUE_UNDEF;
    char *out = arena_alloc_raw(rq->arena, n + 1);
    for (size_t i = 0; i < n; i++)
        out[i] = hex[bytes[i] & 15];
    return value_str(str_make(out, n));
}

bool magic_value(struct request *rq, str name, struct value *ret)
{
    static const struct {
        const char *prefix;
        int kind;
    } kinds[] = {{"_actor_", 0}, {"_header_", 1}, {"_cookie_", 2}, {"_now_", 3}, {"_random_chars_", 4}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        str prefix = str_of(kinds[i].prefix);
        if (!str_starts(name, prefix))
            continue;
        str key = str_from(name, prefix.n);
        struct value v = VALUE_UNDEF;
        if (kinds[i].kind == 0)
            v = value_is_null(rq->actor) ? VALUE_UNDEF : value_get(rq->actor, key);
        if (kinds[i].kind == 1)
            v = header(rq, key);
        if (kinds[i].kind == 2)
            v = value_str(cookie_find(rq->arena, http_header(rq->http, STR("cookie")), key));
        if (kinds[i].kind == 3)
            v = now(rq, key);
        if (kinds[i].kind == 4)
            v = random_chars(rq, key);
        if (kinds[i].kind == 0 && v.kind == VALUE_UNDEFINED)
            v = VALUE_NULL;
        if (v.kind == VALUE_UNDEFINED)
            return false;
        *ret = v;
        return true;
    }
    return false;
}

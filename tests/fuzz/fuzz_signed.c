/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a signed text, as the payload of one that is signed rightly, as base62, as a hash of a password, as
 * restrictions of an actor and as an allow block. */
#include <stdlib.h>

#include "codec/django.h"
#include "codec/password.h"
#include "codec/sign.h"
#include "site/permit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET STR("secret")

/* What we sign comes back; changed anywhere, it does not. */
static void round_trip(struct arena *a, struct value v, size_t at)
{
    struct value back;
    str text = sign_dumps(a, SECRET, STR("token"), v);
    if (!text.n)
        return;
    if (sign_loads(a, SECRET, STR("token"), text, &back, NULL) != STATUS_OK ||
        sign_loads(a, SECRET, STR("actor"), text, &back, NULL) == STATUS_OK ||
        sign_loads(a, STR("other"), STR("token"), text, &back, NULL) == STATUS_OK)
        abort();
    char *changed = arena_cstr(a, text);
    changed[at % text.n] ^= 1;
    if (sign_loads(a, SECRET, STR("token"), str_make(changed, text.n), &back, NULL) == STATUS_OK)
        abort();
}

/* Restrictions of any shape only ever narrow. */
static void restricted(struct arena *a, struct value restrictions)
{
    struct config config = {.root = value_dict(a), .metadata = value_dict(a)};
    settings_default(&config.settings);
    const struct permit_policy policy = {.config = &config};
    struct value free = value_dict(a), bound = value_dict(a);
    VALUE_SET(free, "id", value_cstr("ann"));
    VALUE_SET(bound, "id", value_cstr("ann"));
    VALUE_SET(bound, "_r", restrictions);
    for (int i = 0; i < ACTION_COUNT; i++) {
        enum action_level level = action_rows[i].level;
        str db = level >= ACTION_LEVEL_DATABASE ? STR("d") : (str){0},
            table = level >= ACTION_LEVEL_TABLE ? STR("t") : (str){0};
        if (permit_allowed(&policy, bound, (enum action)i, db, table) &&
            !permit_allowed(&policy, free, (enum action)i, db, table))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(64u << 20);
    str text = str_make((const char *)data, size);
    struct value v;
    struct err err = ERR_INIT;
    int64_t n;
    /* never hashed: a fuzzer that finds costs of a minute finds nothing else */
    if (password_check(text, &err) != STATUS_OK && password_matches(text, STR("x")))
        abort();
    if (sign_loads(a, SECRET, STR("token"), text, &v, &err) == STATUS_OK && size < 20)
        abort();
    const str secrets[] = {SECRET};
    if (django_session(a, text, secrets, 1, 1000, 100, &v, &err) == STATUS_OK && size < 20)
        abort();
    if (base62_decode(text, &n) && n >= 0 && size && data[0] != 'A' && !str_eq(base62_encode(a, n), text))
        abort();
    if (value_from_json(a, text, &v, NULL) == STATUS_OK) {
        round_trip(a, v, size ? data[size / 2] : 0);
        restricted(a, v);
        (void)permit_matches_allow(v, v);
        (void)permit_matches_allow(VALUE_NULL, v);
    }
    arena_free(a);
    return 0;
}

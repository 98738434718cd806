/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a token, as the claims of one that is signed rightly, and as a public key. */
#include <stdlib.h>

#include "base/limits.h"
#include "codec/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What we sign comes back; changed anywhere, it does not. */
static void round_trip(struct arena *a, const struct token_key *key, const struct token_public *p, struct value v,
                       size_t at)
{
    struct value back;
    str text;
    if (token_sign(a, key, p->id, v, &text, NULL) != STATUS_OK)
        return;
    if (token_verify(a, p, 1, text, &back, NULL) != STATUS_OK || back.kind != VALUE_DICT)
        abort();
    char *changed = arena_cstr(a, text);
    changed[at % text.n] ^= 1;
    if (token_verify(a, p, 1, str_make(changed, text.n), &back, NULL) == STATUS_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(64u << 20);
    str text = str_make((const char *)data, size);
    struct token_key *key = NULL;
    struct token_public p = {.id = STR("1")};
    struct value v;
    unsigned char bytes[TOKEN_PUBLIC];
    if (token_key_new(&key, NULL) != STATUS_OK || !token_public_read(token_key_public(key, a), p.bytes))
        abort();
    if (token_verify(a, &p, 1, text, &v, NULL) == STATUS_OK)
        abort();
    if (token_public_read(text, bytes) && size != 43)
        abort();
    if (value_from_json(a, text, &v, NULL) == STATUS_OK) {
        round_trip(a, key, &p, v, size ? (size_t)data[size / 2] * 7 : 0);
        if (token_is_for(v, STR("sign-on"), STR("s"), 1000, 60, NULL) == STATUS_OK &&
            token_is_for(v, STR("sign-on"), STR("t"), 1000, 60, NULL) == STATUS_OK)
            abort();
    }
    token_key_free(key);
    arena_free(a);
    return 0;
}

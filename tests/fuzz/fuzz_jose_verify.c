/* SPDX-License-Identifier: Apache-2.0 */
/* Two halves: a set of keys, a NUL, and a text said to be signed with one of them. Nobody signs by chance. */
#include <stdlib.h>

#include "base/limits.h"
#include "codec/jose_verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(64u << 20);
    struct jose_keys *keys = NULL;
    struct value claims = VALUE_UNDEF;
    str set, text;
    (void)str_cut(str_make((const char *)data, size), 0, &set, &text);
    if (jose_keys_read(set, &keys, NULL) == STATUS_OK) {
        if (jose_keys_count(keys) > LIMIT_JOSE_KEYS)
            abort();
        if (jose_verify(a, keys, JOSE_RS256 | JOSE_ES256 | JOSE_EDDSA, text, &claims, NULL) == STATUS_OK &&
            claims.kind != VALUE_DICT)
            abort();
        if (jose_verify(a, keys, 0, text, &claims, NULL) == STATUS_OK)
            abort();
    }
    jose_keys_free(keys);
    arena_free(a);
    return 0;
}

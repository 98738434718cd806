/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as CBOR, as a public key, as what an authenticator says at registration and at sign-in, and as what the
 * browser says of it. What is taken lies within the input, and can be taken again. */
#include <stdlib.h>

#include "base/limits.h"
#include "codec/cbor.h"
#include "codec/cose.h"
#include "codec/webauthn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SITE   "https://example.org"
#define CLIENT "{\"type\":\"webauthn.%s\",\"challenge\":\"AAAA\",\"origin\":\"" SITE "\"}"

static void within(str part, str whole)
{
    if (part.n && (part.p < whole.p || part.p + part.n > whole.p + whole.n))
        abort();
}

static void as_cbor(str text)
{
    str rest = text, all = text;
    struct cbor_item item;
    size_t heads = 0;
    while (rest.n && cbor_next(&rest, &item)) {
        within(item.s, text);
        heads++;
    }
    if (heads > text.n)
        abort();
    if (cbor_skip(&all))
        within(all, text);
}

static void as_key(str text)
{
    str rest = text, key, again, key_again;
    enum cose_alg alg, alg_again;
    if (cose_take_key(&rest, &key, &alg, NULL) != STATUS_OK)
        return;
    again = key;
    if (key.n + rest.n != text.n || key.n > LIMIT_COSE_KEY ||
        cose_take_key(&again, &key_again, &alg_again, NULL) != STATUS_OK || !str_eq(key, key_again) || alg != alg_again)
        abort();
    if (cose_verify(key, text, text))
        abort();
}

static void as_answer(struct arena *a, str text)
{
    const struct webauthn_site site = {STR("example.org"), STR(SITE)};
    static const char zeros[3];
    str challenge = str_make(zeros, sizeof zeros), said;
    struct webauthn_credential c;
    struct webauthn_seen seen;
    struct err err = ERR_INIT;
    if (webauthn_register(a, &site, challenge, arena_printf(a, CLIENT, "create"), text, &c, &err) == STATUS_OK) {
        within(c.id, text);
        within(c.key, text);
        const struct webauthn_assertion g = {arena_printf(a, CLIENT, "get"), text, text};
        if (webauthn_assert(a, &site, challenge, c.key, 0, &g, &seen, &err) == STATUS_OK)
            abort();
    }
    const struct webauthn_assertion g = {text, text, text};
    if (webauthn_assert(a, &site, challenge, text, 0, &g, &seen, &err) == STATUS_OK)
        abort();
    if (webauthn_challenge_of(a, text, &said, &err) == STATUS_OK && said.n > text.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(16u << 20);
    str text = str_make((const char *)data, size);
    as_cbor(text);
    as_key(text);
    as_answer(a, text);
    arena_free(a);
    return 0;
}

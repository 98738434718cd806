/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that another library signed, and what a forger would make of them. */
#include "base/buf.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/jose_verify.h"
#include "jose_signed.inc"
#include "test.h"

#define ALL (JOSE_RS256 | JOSE_ES256 | JOSE_EDDSA)

static struct arena *a;
static struct err err;

static struct jose_keys *published(void)
{
    struct jose_keys *keys;
    a = a ? a : arena_new(0);
    CHECK_INT(jose_keys_read(str_of(key_set), &keys, &err), STATUS_OK);
    return keys;
}

static enum status check(const char *text, unsigned algorithms)
{
    struct jose_keys *keys = published();
    struct value claims = VALUE_UNDEF;
    err = (struct err)ERR_INIT;
    enum status st = jose_verify(a, keys, algorithms, str_of(text), &claims, &err);
    CHECK(st != STATUS_OK || str_is(value_get_text(claims, STR("sub")), "s"));
    CHECK(st == STATUS_OK || claims.kind == VALUE_UNDEFINED);
    jose_keys_free(keys);
    return st;
}

TEST(signed_by_others)
{
    CHECK_INT(check(rs256, ALL), STATUS_OK);
    CHECK_INT(check(es256, ALL), STATUS_OK);
    CHECK_INT(check(eddsa, ALL), STATUS_OK);
    CHECK_INT(check(without_kid, ALL), STATUS_OK);
}

TEST(algorithms_that_are_not_taken)
{
    static const char *const refused[] = {ps256, rs512, unsigned_text, by_secret, with_crit, of_a_list};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (check(refused[i], ALL) != STATUS_INVALID)
            test_fail(__FILE__, __LINE__, "%zu", i);
    CHECK_INT(check(unsigned_text, ALL), STATUS_INVALID);
    CHECK(strstr(err.text, "signed with \"none\""));
    CHECK_INT(check(rs256, JOSE_ES256), STATUS_INVALID);
    CHECK_INT(check(es256, JOSE_RS256 | JOSE_EDDSA), STATUS_INVALID);
}

TEST(keys_that_are_not_there)
{
    CHECK_INT(check(by_other_key, ALL), STATUS_NOT_FOUND);
    CHECK_INT(check(by_weak_key, ALL), STATUS_NOT_FOUND);
    struct jose_keys *keys;
    CHECK_INT(jose_keys_read(arena_printf(a, "{\"keys\":[%s]}", weak_key), &keys, &err), STATUS_OK);
    CHECK_INT(jose_keys_count(keys), 0); /* 1,024 bits */
    jose_keys_free(keys);
}

/* The signature of one text under the header or the payload of another, and every byte changed. */
TEST(swapped_and_changed)
{
    struct jose_keys *keys = published();
    str coded[3], rest, other;
    struct value claims;
    (void)(str_cut(str_of(rs256), '.', &coded[0], &rest) && str_cut(rest, '.', &coded[1], &coded[2]));
    (void)str_cut(str_of(es256), '.', &other, &rest);
    str swapped = ARENA_CAT(a, other, STR("."), coded[1], STR("."), coded[2]);
    CHECK_INT(jose_verify(a, keys, ALL, swapped, &claims, &err), STATUS_INVALID);
    str text = str_of(eddsa);
    for (size_t i = 0; i + 1 < text.n; i++) { /* the last digit has bits that mean nothing */
        char *changed = arena_cstr(a, text);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        if (jose_verify(a, keys, ALL, str_make(changed, text.n), &claims, &err) == STATUS_OK)
            test_fail(__FILE__, __LINE__, "byte %zu", i);
        if (jose_verify(a, keys, ALL, str_sub(text, 0, i), &claims, &err) == STATUS_OK)
            test_fail(__FILE__, __LINE__, "cut at %zu", i);
    }
    CHECK_INT(jose_verify(a, keys, ALL, ARENA_CAT(a, text, STR("==")), &claims, &err), STATUS_INVALID);
    jose_keys_free(keys);
}

TEST(sets_and_texts_have_sizes)
{
    struct jose_keys *keys = NULL;
    struct buf b;
    struct value claims;
    a = arena_new(0);
    CHECK_INT(jose_keys_read(STR("[]"), &keys, &err), STATUS_INVALID);
    CHECK_INT(jose_keys_read(STR("{\"keys\": {}}"), &keys, &err), STATUS_INVALID);
    CHECK_INT(jose_keys_read(STR("{\"keys\": ["), &keys, &err), STATUS_INVALID);
    buf_init(&b, 100000);
    for (int i = 0; i <= LIMIT_JOSE_KEYS; i++)
        buf_puts(&b, i ? STR(",{}") : STR("{\"keys\":[{}"));
    buf_puts(&b, STR("]}"));
    CHECK_INT(jose_keys_read(buf_str(&b), &keys, &err), STATUS_TOO_LARGE);
    buf_release(&b);
    keys = published();
    char *text = ARENA_ARRAY(a, char, LIMIT_JOSE_TEXT + 1);
    memset(text, 'A', LIMIT_JOSE_TEXT + 1);
    CHECK_INT(jose_verify(a, keys, ALL, str_make(text, LIMIT_JOSE_TEXT + 1), &claims, &err), STATUS_TOO_LARGE);
    jose_keys_free(keys);
}

/* Keys that look right: off the curve, an even modulus, a key for encryption, one for signing only, lists for texts. */
TEST(keys_that_are_left_out)
{
    static const char *const odd[] = {
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"use\":\"enc\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"key_ops\":[\"sign\"]"
        ","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":[1],\"e\":{}}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
        "{\"kty\":\"oct\",\"k\":\"AAAA\"}",
        "17"};
    a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        struct jose_keys *keys;
        CHECK_INT(jose_keys_read(arena_printf(a, "{\"keys\":[%s]}", odd[i]), &keys, &err), STATUS_OK);
        if (jose_keys_count(keys))
            test_fail(__FILE__, __LINE__, "%s", odd[i]);
        jose_keys_free(keys);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* jose_verify — header.payload.signature, each base64url without padding.
 *
 * Invariants
 * 1. The algorithm is looked up in one table by its exact name, and is refused unless the caller takes it.
 * 2. A key has one algorithm, which follows from its kind; "alg" of the header only has to agree. So no public key is
 *    ever used as the secret of a MAC, and no signature of one kind is checked as another.
 * 3. "crit" is refused: we understand none of its extensions (RFC 7515 section 4.1.11).
 * Tests: tests/unit/codec/test_jose_verify.c, tests/fuzz/fuzz_jose_verify.c, tests/hub/test_oidc.py. */
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "codec/jose_verify.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "codec/b64.h"
#include "codec/public_key.h"

#define P256_BYTES 32

struct key {
    EVP_PKEY *pkey;
    unsigned algorithm;
    char *id; /* "kid"; NULL = has none */
};

struct jose_keys {
    struct key *items;
    size_t count;
};

static const struct algorithm {
    const char *name, *kind, *curve; /* of RFC 7518 section 3.1, and of the keys it goes with */
    unsigned bit;
} algorithms[] = {
    {"RS256", "RSA", NULL, JOSE_RS256}, {"ES256", "EC", "P-256", JOSE_ES256}, {"EdDSA", "OKP", "Ed25519", JOSE_EDDSA}};

/* ---- keys ---- */

static EVP_PKEY *read_rsa(struct arena *a, struct value jwk)
{
    str n, e;
    if (!b64url_decode(a, value_get_text(jwk, STR("n")), &n) || !b64url_decode(a, value_get_text(jwk, STR("e")), &e))
        return NULL;
    return public_key_rsa(n, e);
}

static EVP_PKEY *read_ec(struct arena *a, struct value jwk)
{
    str x, y;
    if (!b64url_decode(a, value_get_text(jwk, STR("x")), &x) || !b64url_decode(a, value_get_text(jwk, STR("y")), &y))
        return NULL;
    return public_key_p256(x, y);
}

static EVP_PKEY *read_okp(struct arena *a, struct value jwk)
{
    str x;
    return b64url_decode(a, value_get_text(jwk, STR("x")), &x) ? public_key_ed25519(x) : NULL;
}

static bool is_for_signatures(struct value jwk, const struct algorithm *al)
{
    struct value alg = VALUE_GET(jwk, "alg"), use = VALUE_GET(jwk, "use"), operations = VALUE_GET(jwk, "key_ops");
    bool verify = operations.kind == VALUE_UNDEFINED;
    for (size_t i = 0; i < value_count(operations); i++) {
        struct value v = operations.kind == VALUE_LIST ? value_at(operations, i) : VALUE_UNDEF;
        verify |= value_is_text(v) && str_is(v.s, "verify");
    }
    return verify && (alg.kind == VALUE_UNDEFINED || (value_is_text(alg) && str_is(alg.s, al->name))) &&
           (use.kind == VALUE_UNDEFINED || (value_is_text(use) && str_is(use.s, "sig")));
}

static bool read_key(struct arena *a, struct value jwk, struct key *ret)
{
    str kind = value_get_text(jwk, STR("kty")), curve = value_get_text(jwk, STR("crv"));
    struct value id = VALUE_GET(jwk, "kid");
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
        const struct algorithm *al = &algorithms[i];
        if (!str_is(kind, al->kind) || (al->curve && !str_is(curve, al->curve)) || !is_for_signatures(jwk, al))
            continue;
        EVP_PKEY *pkey = al->bit == JOSE_RS256   ? read_rsa(a, jwk)
                         : al->bit == JOSE_ES256 ? read_ec(a, jwk)
                                                 : read_okp(a, jwk);
        if (!pkey)
            return false;
        *ret = (struct key){pkey, al->bit, value_is_text(id) ? mem_cstr(id.s) : NULL};
        return true;
    }
    return false;
}

enum status jose_keys_read(str json, struct jose_keys **ret, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value set, list;
    enum status st = value_from_json(a, json, &set, err);
    if (st != STATUS_OK) {
        err_prefix(err, "the set of keys");
    } else if (list = VALUE_GET(set, "keys"), list.kind != VALUE_LIST) {
        st = err_set(err, STATUS_INVALID, "the set of keys has no list \"keys\"");
    } else if (value_count(list) > LIMIT_JOSE_KEYS) {
        st = err_set(err, STATUS_TOO_LARGE, "the set of keys has more than %d", LIMIT_JOSE_KEYS);
    } else {
        struct jose_keys *keys = MEM_NEW(struct jose_keys);
        keys->items = mem_array(value_count(list) + 1, sizeof(*keys->items));
        for (size_t i = 0; i < value_count(list); i++)
            keys->count += read_key(a, value_at(list, i), &keys->items[keys->count]);
        *ret = keys;
    }
    arena_free(a);
    return st;
}

void jose_keys_free(struct jose_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++) {
        EVP_PKEY_free(keys->items[i].pkey);
        free(keys->items[i].id);
    }
    free(keys->items);
    free(keys);
}

size_t jose_keys_count(const struct jose_keys *keys)
{
    return keys->count;
}

/* ---- signatures ---- */

/* R and S as OpenSSL wants them: 64 bytes -> a DER sequence. */
static unsigned char *to_der(str raw, int *ret_n)
{
    unsigned char *der = NULL;
    if (raw.n != 2 * (size_t)P256_BYTES)
        return NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn((const unsigned char *)raw.p, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn((const unsigned char *)raw.p + P256_BYTES, P256_BYTES, NULL);
    ASSERT(sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1);
    *ret_n = i2d_ECDSA_SIG(sig, &der);
    ECDSA_SIG_free(sig);
    return der;
}

static bool is_signed_by(const struct key *k, str input, str signature)
{
    unsigned char *der = NULL;
    int der_n = 0;
    if (k->algorithm == JOSE_ES256) {
        der = to_der(signature, &der_n);
        if (!der)
            return false;
        signature = str_make((const char *)der, (size_t)der_n);
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx);
    /* RSA: PKCS #1 v1.5 is the padding that OpenSSL begins with, and RS256's. */
    bool good = EVP_DigestVerifyInit(ctx, NULL, k->algorithm == JOSE_EDDSA ? NULL : EVP_sha256(), NULL, k->pkey) == 1 &&
                EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n, (const unsigned char *)input.p,
                                 input.n) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ERR_clear_error();
    return good;
}

static enum status find_algorithm(struct value header, unsigned wanted, unsigned *ret, struct err *err)
{
    str name = value_get_text(header, STR("alg"));
    if (VALUE_GET(header, "crit").kind != VALUE_UNDEFINED)
        return err_set(err, STATUS_INVALID, "the header asks for extensions (\"crit\")");
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
        if (str_is(name, algorithms[i].name) && (wanted & algorithms[i].bit)) {
            *ret = algorithms[i].bit;
            return STATUS_OK;
        }
    return err_set(err, STATUS_INVALID, "signed with \"%.*s\", which is not accepted", (int)MIN(name.n, (size_t)20),
                   name.n ? name.p : "");
}

static enum status check_signature(const struct jose_keys *keys, struct value header, unsigned algorithm, str input,
                                   str signature, struct err *err)
{
    struct value id = VALUE_GET(header, "kid");
    size_t tried = 0;
    for (size_t i = 0; i < keys->count; i++) {
        const struct key *k = &keys->items[i];
        if (k->algorithm != algorithm || (value_is_text(id) && !(k->id && str_is(id.s, k->id))))
            continue;
        tried++;
        if (is_signed_by(k, input, signature))
            return STATUS_OK;
    }
    if (tried && value_is_text(id))
        return err_set(err, STATUS_INVALID, "the signature is not of the key that it names");
    return err_set(err, STATUS_NOT_FOUND, "signed with a key that is not among the %zu published", keys->count);
}

/* *ret_input: what is signed; the arena holds the three parts, decoded. */
static enum status take_apart(struct arena *a, str text, str *ret_input, str parts[3], struct err *err)
{
    str coded[3], rest;
    if (text.n > LIMIT_JOSE_TEXT)
        return err_set(err, STATUS_TOO_LARGE, "a signed text is longer than %d bytes", LIMIT_JOSE_TEXT);
    bool whole = str_cut(text, '.', &coded[0], &rest) && str_cut(rest, '.', &coded[1], &coded[2]);
    for (size_t i = 0; i < 3 && whole; i++)
        whole = str_find_char(coded[i], '=') == STR_NPOS && b64url_decode(a, coded[i], &parts[i]);
    if (!whole)
        return err_set(err, STATUS_INVALID, "not three parts in base64url");
    *ret_input = str_make(text.p, coded[0].n + 1 + coded[1].n);
    return STATUS_OK;
}

enum status jose_verify(struct arena *a, const struct jose_keys *keys, unsigned wanted, str text,
                        struct value *ret_claims, struct err *err)
{
    struct value header, claims;
    str input = {0}, parts[3] = {{0}};
    unsigned algorithm = 0;
    enum status st = take_apart(a, text, &input, parts, err);
    if (st == STATUS_OK)
        st = value_from_json(a, parts[0], &header, err);
    if (st == STATUS_OK)
        st = find_algorithm(header, wanted, &algorithm, err);
    if (st == STATUS_OK)
        st = check_signature(keys, header, algorithm, input, parts[2], err);
    if (st == STATUS_OK)
        st = value_from_json(a, parts[1], &claims, err);
    if (st == STATUS_OK && claims.kind != VALUE_DICT)
        st = err_set(err, STATUS_INVALID, "what is signed is no JSON object");
    if (st == STATUS_OK)
        *ret_claims = claims;
    return st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures as others would check them: keys and thumbprints against the examples of the RFCs, ES256 by OpenSSL. */
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "codec/b64.h"
#include "codec/jose.h"
#include "codec/value.h"
#include "test.h"

/* RFC 7515 appendix A.3: x, y and d of its key, as PKCS #8. */
#define KEY                                                                                                            \
    "-----BEGIN PRIVATE KEY-----\n"                                                                                    \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"                                               \
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"                                               \
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"                                                       \
    "-----END PRIVATE KEY-----\n"

static bool es256_is_good(struct arena *a, const char *pem, str input, str signature_b64)
{
    str raw;
    if (!b64url_decode(a, signature_b64, &raw) || raw.n != 64)
        return false;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    ECDSA_SIG_set0(sig, BN_bin2bn((const unsigned char *)raw.p, 32, NULL),
                   BN_bin2bn((const unsigned char *)raw.p + 32, 32, NULL));
    unsigned char *der = NULL;
    int n = i2d_ECDSA_SIG(sig, &der);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestVerify(ctx, der, (size_t)n, (const unsigned char *)input.p, input.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    BIO_free(bio);
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    return good;
}

TEST(the_key_of_the_rfc)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct jose_key *k;
    CHECK(jose_key_from_pem(STR(KEY), &k, &err) == STATUS_OK);
    CHECK(str_is(jose_jwk(a, k),
                 "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"));
    CHECK(str_is(jose_thumbprint(a, k), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"));
    CHECK(str_is(jose_key_to_pem(a, k), KEY));
    jose_key_free(k);
    arena_free(a);
}

TEST(a_signature_that_openssl_takes)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct jose_key *k;
    struct value v;
    CHECK(jose_key_from_pem(STR(KEY), &k, &err) == STATUS_OK);
    for (int i = 0; i < 300; i++) { /* R or S begin with a zero byte in about two of them */
        str payload = arena_printf(a, "{\"n\": %d}", i);
        CHECK(value_from_json(a, jose_sign(a, k, STR("{\"alg\":\"ES256\"}"), payload), &v, &err) == STATUS_OK);
        str h = value_get_text(v, STR("protected")), p = value_get_text(v, STR("payload")), raw;
        CHECK(b64url_decode(a, p, &raw) && str_eq(raw, payload));
        str input = arena_printf(a, "%.*s.%.*s", STR_ARG(h), STR_ARG(p));
        CHECK(es256_is_good(a, KEY, input, value_get_text(v, STR("signature"))));
        CHECK(!es256_is_good(a, KEY, str_from(input, 1), value_get_text(v, STR("signature"))));
    }
    jose_key_free(k);
    arena_free(a);
}

TEST(a_shared_secret)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct value v;
    str secret;
    /* RFC 7515 appendix A.1 */
    CHECK(b64url_decode(
        a, STR("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"), &secret));
    str jws = jose_sign_secret(a, secret, STR("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}"),
                               STR("{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
                                   "\"http://example.com/is_root\":true}"));
    CHECK(value_from_json(a, jws, &v, &err) == STATUS_OK);
    CHECK(str_is(value_get_text(v, STR("signature")), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    arena_free(a);
}

TEST(made_keys_differ_and_come_back)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct jose_key *one = jose_key_make(), *two = jose_key_make(), *back;
    CHECK(!str_eq(jose_jwk(a, one), jose_jwk(a, two)));
    CHECK(jose_key_from_pem(jose_key_to_pem(a, one), &back, &err) == STATUS_OK);
    CHECK(str_eq(jose_jwk(a, one), jose_jwk(a, back)));
    jose_key_free(one);
    jose_key_free(two);
    jose_key_free(back);
    arena_free(a);
}

TEST(what_is_no_key)
{
    static const char *const bad[] = {
        "", "x", "-----BEGIN PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        /* Ed25519 */
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
         "-----END PRIVATE KEY-----\n")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        struct jose_key *k = NULL;
        CHECK(jose_key_from_pem(str_of(bad[i]), &k, &err) == STATUS_CONFIG && !k && err.text[0]);
    }
}

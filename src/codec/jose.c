/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's headers come before ours: they use names that base/banned.h takes away. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "codec/jose.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/b64.h"
#include "codec/digest.h"

#define P256_BYTES 32 /* of a coordinate, and of each half of a signature */

struct jose_key {
    EVP_PKEY *pkey;
};

static struct jose_key *key_of(EVP_PKEY *pkey)
{
    struct jose_key *k = mem_alloc(sizeof(*k));
    k->pkey = pkey;
    return k;
}

struct jose_key *jose_key_make(void)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    ASSERT(pkey != NULL); /* no memory, or no randomness: nobody can go on */
    return key_of(pkey);
}

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[32];
    size_t n = 0;
    return EVP_PKEY_is_a(pkey, "EC") && EVP_PKEY_get_group_name(pkey, group, sizeof(group), &n) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static int no_pass_phrase(char *p, int size, int writing, void *arg)
{
    (void)p;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

enum status jose_key_from_pem(str pem, struct jose_key **ret, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n);
    ASSERT(bio != NULL);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (!pkey)
        return err_set(err, STATUS_CONFIG, "there is no private key in PEM form without a pass phrase");
    if (!is_p256(pkey)) {
        EVP_PKEY_free(pkey);
        return err_set(err, STATUS_CONFIG, "the key is not one on the curve P-256");
    }
    *ret = key_of(pkey);
    return STATUS_OK;
}

str jose_key_to_pem(struct arena *a, const struct jose_key *k)
{
    char *p = NULL;
    BIO *bio = BIO_new(BIO_s_secmem());
    ASSERT(bio && PEM_write_bio_PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) == 1);
    long n = BIO_get_mem_data(bio, &p);
    str s = arena_str(a, str_make(p, (size_t)n));
    BIO_free(bio);
    return s;
}

void jose_key_free(struct jose_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    free(k);
}

/* ---- the public half ---- */

static str coordinate(struct arena *a, const struct jose_key *k, const char *name)
{
    BIGNUM *n = NULL;
    unsigned char raw[P256_BYTES];
    ASSERT(EVP_PKEY_get_bn_param(k->pkey, name, &n) == 1 && BN_bn2binpad(n, raw, P256_BYTES) == P256_BYTES);
    BN_free(n);
    return b64url_encode(a, str_make((const char *)raw, sizeof(raw)));
}

str jose_jwk(struct arena *a, const struct jose_key *k)
{
    str x = coordinate(a, k, OSSL_PKEY_PARAM_EC_PUB_X), y = coordinate(a, k, OSSL_PKEY_PARAM_EC_PUB_Y);
    return arena_printf(a, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%.*s\",\"y\":\"%.*s\"}", STR_ARG(x), STR_ARG(y));
}

str jose_thumbprint(struct arena *a, const struct jose_key *k)
{
    return digest_sha256_b64url(a, jose_jwk(a, k));
}

/* ---- signing ---- */

/* OpenSSL gives a DER sequence of two numbers; RFC 7518 section 3.4 wants them as 32 bytes each. */
static void to_fixed(const unsigned char *der, size_t n, unsigned char out[2 * P256_BYTES])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    ASSERT(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, P256_BYTES) == P256_BYTES &&
           BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + P256_BYTES, P256_BYTES) == P256_BYTES);
    ECDSA_SIG_free(sig);
}

static str signing_input(struct arena *a, str protected_b64, str payload_b64)
{
    return arena_printf(a, "%.*s.%.*s", STR_ARG(protected_b64), STR_ARG(payload_b64));
}

str jose_es256(struct arena *a, const struct jose_key *k, str protected_b64, str payload_b64)
{
    unsigned char der[128], fixed[2 * P256_BYTES];
    size_t n = sizeof(der);
    str input = signing_input(a, protected_b64, payload_b64);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
           EVP_DigestSign(ctx, der, &n, (const unsigned char *)input.p, input.n) == 1);
    EVP_MD_CTX_free(ctx);
    to_fixed(der, n, fixed);
    return b64url_encode(a, str_make((const char *)fixed, sizeof(fixed)));
}

static str flattened(struct arena *a, str protected_b64, str payload_b64, str signature)
{
    return arena_printf(a, "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"%.*s\"}",
                        STR_ARG(protected_b64), STR_ARG(payload_b64), STR_ARG(signature));
}

str jose_sign(struct arena *a, const struct jose_key *k, str header, str payload)
{
    str h = b64url_encode(a, header), p = b64url_encode(a, payload);
    return flattened(a, h, p, jose_es256(a, k, h, p));
}

str jose_sign_secret(struct arena *a, str secret, str header, str payload)
{
    unsigned char mac[DIGEST_RAW_MAX];
    str h = b64url_encode(a, header), p = b64url_encode(a, payload);
    size_t n = digest_hmac_sha256(secret, signing_input(a, h, p), mac);
    return flattened(a, h, p, b64url_encode(a, str_make((const char *)mac, n)));
}

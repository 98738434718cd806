/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "codec/public_key.h"

#define RSA_BITS_MIN  2048
#define RSA_BYTES_MAX 1024 /* 8,192 bits; checking with larger ones takes long */
#define RSA_E_MAX     4    /* huge exponents only cost time */
#define P256_BYTES    32
#define ED25519_BYTES 32

/* What follows may fail because of what somebody sent; what OpenSSL notes of it is not for the next caller. */
static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    ASSERT(parameters && ctx);
    if (EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    ERR_clear_error();
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(parameters);
    return key;
}

EVP_PKEY *public_key_rsa(str n, str e)
{
    if (n.n > RSA_BYTES_MAX || !e.n || e.n > RSA_E_MAX || !(e.p[e.n - 1] & 1))
        return NULL;
    BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
    BIGNUM *exponent = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    ASSERT(modulus && exponent && build);
    if (BN_num_bits(modulus) >= RSA_BITS_MIN && BN_is_odd(modulus) && !BN_is_one(exponent) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        key = from_parameters("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

EVP_PKEY *public_key_p256(str x, str y)
{
    unsigned char point[1 + 2 * P256_BYTES] = {4}; /* uncompressed (SEC 1, section 2.3.3) */
    if (x.n != P256_BYTES || y.n != P256_BYTES)
        return NULL;
    memcpy(point + 1, x.p, P256_BYTES);
    memcpy(point + 1 + P256_BYTES, y.p, P256_BYTES);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    ASSERT(build);
    if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1)
        key = from_parameters("EC", build); /* NULL for a point that is not on the curve */
    OSSL_PARAM_BLD_free(build);
    return key;
}

EVP_PKEY *public_key_ed25519(str x)
{
    if (x.n != ED25519_BYTES)
        return NULL;
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)x.p, x.n);
    ERR_clear_error();
    return key;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <openssl/evp.h>

#include "codec/cose.h"

#include "base/limits.h"
#include "codec/cbor.h"
#include "codec/public_key.h"

/* Labels and values of the IANA registry "CBOR Object Signing and Encryption" */
enum { LABEL_KTY = 1, LABEL_ALG = 3, LABEL_CRV = -1 };
enum { KTY_OKP = 1, KTY_EC2 = 2, KTY_RSA = 3, CRV_P256 = 1, CRV_ED25519 = 6 };

struct fields {
    int64_t kty, alg, crv;
    str m1, m2, m3; /* byte strings at labels -1, -2, -3: of RSA n and e, of the others x and y at -2 and -3 */
};

static bool put_field(struct fields *f, int64_t label, const struct cbor_item *v)
{
    int64_t n;
    if (v->type == CBOR_BYTES) {
        str *to = label == -1 ? &f->m1 : label == -2 ? &f->m2 : label == -3 ? &f->m3 : NULL;
        if (!to || to->p)
            return !to;
        *to = v->s;
        return true;
    }
    int64_t *to = label == LABEL_KTY ? &f->kty : label == LABEL_ALG ? &f->alg : label == LABEL_CRV ? &f->crv : NULL;
    if (!to)
        return true;
    if (*to || !cbor_is_int(v, &n))
        return false;
    *to = n;
    return true;
}

/* A map of small integers to integers and byte strings; others are passed over, a label twice is a fault. */
static bool read_fields(str *text, struct fields *ret)
{
    struct cbor_item map, label, v;
    struct fields f = {0};
    int64_t n;
    if (!cbor_next(text, &map) || map.type != CBOR_MAP || map.n > LIMIT_COSE_FIELDS)
        return false;
    for (uint64_t i = 0; i < map.n; i++) {
        if (!cbor_next(text, &label) || !cbor_is_int(&label, &n))
            return false;
        str before = *text;
        if (!cbor_next(text, &v))
            return false;
        if (v.type == CBOR_ARRAY || v.type == CBOR_MAP || v.type == CBOR_TAG) {
            *text = before;
            if (!cbor_skip(text))
                return false;
        } else if (!put_field(&f, n, &v)) {
            return false;
        }
    }
    *ret = f;
    return true;
}

static EVP_PKEY *ec_key(const struct fields *f)
{
    return f->kty == KTY_EC2 && f->crv == CRV_P256 ? public_key_p256(f->m2, f->m3) : NULL;
}

static EVP_PKEY *rsa_key(const struct fields *f)
{
    return f->kty == KTY_RSA ? public_key_rsa(f->m1, f->m2) : NULL;
}

static EVP_PKEY *ed_key(const struct fields *f)
{
    return f->kty == KTY_OKP && f->crv == CRV_ED25519 ? public_key_ed25519(f->m2) : NULL;
}

static const struct {
    enum cose_alg alg;
    EVP_PKEY *(*key)(const struct fields *f);
    bool sha256; /* EdDSA takes the message as it is */
} algs[] = {{COSE_ES256, ec_key, true}, {COSE_EDDSA, ed_key, false}, {COSE_RS256, rsa_key, true}};

/* NULL: another algorithm, or *ret_alg is set and the key is no good for it. */
static EVP_PKEY *key_of(const struct fields *f, size_t *ret_alg)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++)
        if (algs[i].alg == f->alg)
            return algs[*ret_alg = i].key(f);
    return NULL;
}

enum status cose_take_key(str *text, str *ret_key, enum cose_alg *ret_alg, struct err *err)
{
    struct fields f;
    str rest = *text;
    size_t which = ARRAY_LEN(algs);
    if (!read_fields(&rest, &f))
        return err_set(err, STATUS_INVALID, "the public key is damaged");
    size_t n = text->n - rest.n;
    if (n > LIMIT_COSE_KEY)
        return err_set(err, STATUS_INVALID, "the public key is longer than %d bytes", LIMIT_COSE_KEY);
    EVP_PKEY *key = key_of(&f, &which);
    if (which == ARRAY_LEN(algs))
        return err_set(err, STATUS_INVALID, "its algorithm %lld is not one of ES256, EdDSA and RS256",
                       (long long)f.alg);
    if (!key)
        return err_set(err, STATUS_INVALID, "the public key does not fit its algorithm");
    EVP_PKEY_free(key);
    *ret_key = str_sub(*text, 0, n);
    *ret_alg = algs[which].alg;
    *text = rest;
    return STATUS_OK;
}

bool cose_verify(str bytes, str message, str signature)
{
    struct fields f;
    size_t which;
    if (!read_fields(&bytes, &f) || bytes.n || !signature.n)
        return false;
    EVP_PKEY *key = key_of(&f, &which);
    if (!key)
        return false;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx);
    bool ok = EVP_DigestVerifyInit(ctx, NULL, algs[which].sha256 ? EVP_sha256() : NULL, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n, (const unsigned char *)message.p,
                               message.n) == 1;
    ERR_clear_error();
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok;
}

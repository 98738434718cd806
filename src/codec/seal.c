/* SPDX-License-Identifier: Apache-2.0 */
/* seal — version | nonce | ciphertext | tag. The version is under the tag too, before the context. */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "codec/seal.h"

#include <limits.h>
#include <sys/random.h>

#include "codec/digest.h"

#define VERSION 1
#define NONCE   12
#define TAG     16

static void make_key(str secret, const char *purpose, unsigned char out[DIGEST_RAW_MAX])
{
    ASSERT(digest_hmac_sha256(secret, str_of(purpose), out) == 32);
}

/* One pass of the cipher over `in` to `out`; false: the tag is not right (opening). */
static bool run(bool close, str secret, str context, const unsigned char *nonce, str in, unsigned char *out,
                unsigned char *tag)
{
    unsigned char key[DIGEST_RAW_MAX], version = VERSION;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;
    ASSERT(c && in.n <= INT_MAX && context.n <= INT_MAX);
    make_key(secret, "seal 1", key);
    ASSERT(EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, close) == 1); /* its nonce is 12 bytes */
    ASSERT(EVP_CipherUpdate(c, NULL, &n, &version, 1) == 1);
    ASSERT(!context.n || EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)context.p, (int)context.n) == 1);
    if (!close)
        ASSERT(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1);
    ASSERT(!in.n || EVP_CipherUpdate(c, out, &n, (const unsigned char *)in.p, (int)in.n) == 1);
    bool right = EVP_CipherFinal_ex(c, out + in.n, &last) == 1;
    if (close)
        ASSERT(right && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1);
    EVP_CIPHER_CTX_free(c);
    OPENSSL_cleanse(key, sizeof key);
    return right;
}

str seal_close(struct arena *a, str secret, str context, str plain)
{
    unsigned char *out = arena_alloc(a, plain.n + SEAL_OVERHEAD);
    out[0] = VERSION;
    ASSERT(getrandom(out + 1, NONCE, 0) == NONCE);
    (void)run(true, secret, context, out + 1, plain, out + 1 + NONCE, out + 1 + NONCE + plain.n);
    return str_make((const char *)out, plain.n + SEAL_OVERHEAD);
}

enum status seal_open(struct arena *a, str secret, str context, str sealed, str *ret, struct err *err)
{
    const unsigned char *in = (const unsigned char *)sealed.p;
    unsigned char tag[TAG];
    if (sealed.n < SEAL_OVERHEAD || in[0] != VERSION)
        return err_set(err, STATUS_INVALID, "this is not sealed, or by a later version");
    str text = str_sub(sealed, 1 + NONCE, sealed.n - TAG);
    unsigned char *out = arena_alloc(a, text.n + 1);
    memcpy(tag, in + sealed.n - TAG, TAG);
    if (!run(false, secret, context, in + 1, text, out, tag)) {
        OPENSSL_cleanse(out, text.n);
        return err_set(err, STATUS_INVALID, "this was sealed with another key, for another place, or was changed");
    }
    out[text.n] = '\0';
    *ret = str_make((const char *)out, text.n);
    return STATUS_OK;
}

str seal_name(struct arena *a, str secret)
{
    unsigned char raw[DIGEST_RAW_MAX];
    char hex[DIGEST_HEX_MAX];
    make_key(secret, "name of the key", raw);
    digest_to_hex(raw, SEAL_NAME / 2, hex);
    return arena_str(a, str_make(hex, SEAL_NAME));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* token — "v1." payload "." signature. The version stands under the signature too, so that a later form cannot be taken
 * for this one. There is no name of an algorithm inside: a token cannot choose how it is checked. */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "codec/token.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/b64.h"

#define SIGNATURE_BYTES 64
#define VERSION         STR("v1.")

struct token_key {
    EVP_PKEY *pkey;
};

static enum status key_wrap(EVP_PKEY *pkey, struct token_key **ret)
{
    struct token_key *key = MEM_NEW(struct token_key);
    key->pkey = pkey;
    *ret = key;
    return STATUS_OK;
}

enum status token_key_new(struct token_key **ret, struct err *err)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (!pkey)
        return err_set(err, STATUS_IO, "cannot make a key: no random numbers");
    return key_wrap(pkey, ret);
}

void token_key_free(struct token_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

enum status token_key_save(const struct token_key *key, const char *path, struct err *err)
{
    char *text = NULL;
    BIO *out = BIO_new(BIO_s_secmem());
    ASSERT(out && PEM_write_bio_PrivateKey(out, key->pkey, NULL, NULL, 0, NULL, NULL) == 1);
    long n = BIO_get_mem_data(out, &text);
    enum status st = fs_write_atomic(path, str_make(text, (size_t)n), 0600, err);
    BIO_free(out);
    return st;
}

/* A file without a passphrase: OpenSSL must not ask for one at the terminal. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return 0;
}

enum status token_key_load(const char *path, struct token_key **ret, struct err *err)
{
    struct arena *a = arena_new(0);
    str text = {0};
    EVP_PKEY *pkey = NULL;
    enum status st = fs_read_file(path, LIMIT_TOKEN_KEY_FILE, a, &text, err);
    if (st == STATUS_OK) {
        BIO *in = BIO_new_mem_buf(text.p, (int)text.n);
        ASSERT(in);
        pkey = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
        BIO_free(in);
        OPENSSL_cleanse((char *)(uintptr_t)text.p, text.n);
    }
    arena_free(a);
    if (st != STATUS_OK)
        return st;
    if (!pkey || !EVP_PKEY_is_a(pkey, "ED25519")) {
        EVP_PKEY_free(pkey);
        err_set(err, STATUS_INVALID, "%s: not the PEM text of an Ed25519 private key", path);
        return err_hint(err, "openssl genpkey -algorithm ed25519 writes one");
    }
    return key_wrap(pkey, ret);
}

str token_key_public(const struct token_key *key, struct arena *a)
{
    unsigned char bytes[TOKEN_PUBLIC];
    size_t n = sizeof bytes;
    ASSERT(EVP_PKEY_get_raw_public_key(key->pkey, bytes, &n) == 1 && n == sizeof bytes);
    return b64url_encode(a, str_make((const char *)bytes, n));
}

/* Of texts that decode to the same bytes only the one that an encoder writes: what is kept by its text, as "seen
 * already", cannot be spelled in a second way. */
static bool decode_exactly(struct arena *a, str text, str *ret)
{
    str bytes;
    if (!b64url_decode(a, text, &bytes) || !str_eq(b64url_encode(a, bytes), text))
        return false;
    *ret = bytes;
    return true;
}

bool token_public_read(str base64url, unsigned char ret[TOKEN_PUBLIC])
{
    if (base64url.n != 43)
        return false;
    struct arena *a = arena_new(0);
    str bytes;
    bool good = decode_exactly(a, base64url, &bytes) && bytes.n == TOKEN_PUBLIC;
    if (good)
        memcpy(ret, bytes.p, TOKEN_PUBLIC);
    arena_free(a);
    return good;
}

enum status token_sign(struct arena *a, const struct token_key *key, str id, struct value claims, str *ret,
                       struct err *err)
{
    if (claims.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "a token says an object");
    struct value kid = VALUE_GET(claims, "kid");
    if (kid.kind != VALUE_UNDEFINED && !(value_is_text(kid) && str_eq(kid.s, id)))
        return err_set(err, STATUS_INVALID, "the token names another key");
    struct value all = value_dict(a);
    VALUE_SET(all, "kid", value_str(id));
    for (size_t i = 0; i < claims.dict->count; i++)
        value_set(all, claims.dict->entries[i].key, claims.dict->entries[i].value);

    struct buf json;
    buf_init(&json, LIMIT_TOKEN);
    value_to_json(&json, all, VALUE_JSON_COMPACT | VALUE_JSON_UTF8);
    bool over = json.over;
    str said = ARENA_CAT(a, VERSION, b64url_encode(a, buf_str(&json)));
    buf_release(&json);
    if (over)
        return err_set(err, STATUS_TOO_LARGE, "a token holds at most %d bytes", LIMIT_TOKEN);

    unsigned char sig[SIGNATURE_BYTES];
    size_t sig_n = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1);
    ASSERT(EVP_DigestSign(ctx, sig, &sig_n, (const unsigned char *)said.p, said.n) == 1 && sig_n == sizeof sig);
    EVP_MD_CTX_free(ctx);
    *ret = ARENA_CAT(a, said, STR("."), b64url_encode(a, str_make((const char *)sig, sig_n)));
    return STATUS_OK;
}

static bool signed_by(const struct token_public *key, str said, str sig)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->bytes, TOKEN_PUBLIC);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx);
    bool good = pkey && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                EVP_DigestVerify(ctx, (const unsigned char *)sig.p, sig.n, (const unsigned char *)said.p, said.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return good;
}

enum status token_verify(struct arena *a, const struct token_public *keys, size_t count, str text, struct value *ret,
                         struct err *err)
{
    size_t dot = str_rfind_char(text, '.');
    str sig, json;
    if (text.n > LIMIT_TOKEN * 2)
        return err_set(err, STATUS_INVALID, "the token is too long");
    if (!str_starts(text, VERSION) || dot < VERSION.n)
        return err_set(err, STATUS_INVALID, "not a token of version 1");
    str said = str_sub(text, 0, dot);
    if (!decode_exactly(a, str_from(text, dot + 1), &sig) || sig.n != SIGNATURE_BYTES)
        return err_set(err, STATUS_INVALID, "the token has no signature");
    for (size_t i = 0; i < count; i++) {
        if (!signed_by(&keys[i], said, sig))
            continue;
        struct value claims;
        if (!decode_exactly(a, str_from(said, VERSION.n), &json) ||
            value_from_json(a, json, &claims, err) != STATUS_OK || claims.kind != VALUE_DICT)
            return err_set(err, STATUS_INVALID, "the token is signed, but says no object");
        if (!str_eq(value_get_text(claims, STR("kid")), keys[i].id))
            return err_set(err, STATUS_INVALID, "the token is signed with another key than it names");
        *ret = claims;
        return STATUS_OK;
    }
    return err_set(err, STATUS_INVALID, "the token is not signed with a key that is known here");
}

enum status token_is_for(struct value claims, str use, str audience, int64_t now_s, int64_t skew_s, struct err *err)
{
    struct value iat = VALUE_GET(claims, "iat"), exp = VALUE_GET(claims, "exp");
    int64_t made, end;
    if (!str_eq(value_get_text(claims, STR("use")), use))
        return err_set(err, STATUS_INVALID, "the token is not for " STR_FMT, STR_ARG(use));
    if (!str_eq(value_get_text(claims, STR("aud")), audience))
        return err_set(err, STATUS_INVALID, "the token is for somebody else");
    if (iat.kind != VALUE_INT || exp.kind != VALUE_INT || __builtin_sub_overflow(iat.i, skew_s, &made) ||
        __builtin_add_overflow(exp.i, skew_s, &end))
        return err_set(err, STATUS_INVALID, "the token does not say from when to when it is good");
    if (now_s < made)
        return err_set(err, STATUS_INVALID, "the token is from the future: do the clocks differ?");
    if (now_s >= end)
        return err_set(err, STATUS_INVALID, "the token has expired");
    return STATUS_OK;
}

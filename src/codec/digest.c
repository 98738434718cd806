/* SPDX-License-Identifier: Apache-2.0 */
/* digest — hashes by the functions of OpenSSL that only calculate. The first call of its EVP interface, which is the
 * one recommended since 3.0, reads a configuration file, loads providers and fills tables: two milliseconds and two
 * megabytes of a start, for the hash of a name. HMAC, which signs, goes through EVP: by then somebody has signed in. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include "codec/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "codec/b64.h"

#define PIECE 65536

void digest_to_hex(const unsigned char *raw, size_t n, char out[DIGEST_HEX_MAX])
{
    static const char hex[] = "0123456789abcdef";
    ASSERT(n <= DIGEST_RAW_MAX);
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = hex[raw[i] >> 4];
        out[2 * i + 1] = hex[raw[i] & 15];
    }
    out[2 * n] = 0;
}

enum kind { KIND_NONE, KIND_MD5, KIND_SHA1, KIND_SHA256 };

struct hash {
    enum kind kind;
    union {
        MD5_CTX md5;
        SHA_CTX sha1;
        SHA256_CTX sha256;
    };
};

static void hash_begin(struct hash *h, enum kind kind)
{
    int ok = 0;
    h->kind = kind;
    if (kind == KIND_MD5)
        ok = MD5_Init(&h->md5);
    else if (kind == KIND_SHA1)
        ok = SHA1_Init(&h->sha1);
    else if (kind == KIND_SHA256)
        ok = SHA256_Init(&h->sha256);
    ASSERT(ok == 1);
}

static void hash_add(struct hash *h, const void *p, size_t n)
{
    int ok = h->kind == KIND_MD5    ? MD5_Update(&h->md5, p, n)
             : h->kind == KIND_SHA1 ? SHA1_Update(&h->sha1, p, n)
                                    : SHA256_Update(&h->sha256, p, n);
    ASSERT(ok == 1);
}

static size_t hash_end(struct hash *h, unsigned char out[DIGEST_RAW_MAX])
{
    int ok = h->kind == KIND_MD5    ? MD5_Final(out, &h->md5)
             : h->kind == KIND_SHA1 ? SHA1_Final(out, &h->sha1)
                                    : SHA256_Final(out, &h->sha256);
    ASSERT(ok == 1);
    return h->kind == KIND_MD5 ? MD5_DIGEST_LENGTH : h->kind == KIND_SHA1 ? SHA_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
}

static size_t hash(enum kind kind, str s, unsigned char out[DIGEST_RAW_MAX])
{
    struct hash h;
    hash_begin(&h, kind);
    hash_add(&h, s.p ? s.p : "", s.n);
    return hash_end(&h, out);
}

static void hash_hex(enum kind kind, str s, char out[DIGEST_HEX_MAX])
{
    unsigned char raw[DIGEST_RAW_MAX];
    digest_to_hex(raw, hash(kind, s, raw), out);
}

void digest_md5_hex(str s, char out[DIGEST_HEX_MAX])
{
    hash_hex(KIND_MD5, s, out);
}

void digest_sha1_hex(str s, char out[DIGEST_HEX_MAX])
{
    hash_hex(KIND_SHA1, s, out);
}

void digest_sha256_hex(str s, char out[DIGEST_HEX_MAX])
{
    hash_hex(KIND_SHA256, s, out);
}

size_t digest_sha1(str s, unsigned char out[DIGEST_RAW_MAX])
{
    return hash(KIND_SHA1, s, out);
}

size_t digest_sha256(str s, unsigned char out[DIGEST_RAW_MAX])
{
    return hash(KIND_SHA256, s, out);
}

str digest_sha256_b64url(struct arena *a, str s)
{
    unsigned char raw[DIGEST_RAW_MAX];
    return b64url_encode(a, str_make((const char *)raw, digest_sha256(s, raw)));
}

static size_t hmac(const EVP_MD *md, str key, str s, unsigned char *out)
{
    unsigned int n = 0;
    ASSERT(HMAC(md, key.p ? key.p : "", (int)key.n, (const unsigned char *)(s.p ? s.p : ""), s.n, out, &n));
    return n;
}

size_t digest_hmac_sha1(str key, str s, unsigned char out[DIGEST_RAW_MAX])
{
    return hmac(EVP_sha1(), key, s, out);
}

size_t digest_hmac_sha256(str key, str s, unsigned char out[DIGEST_RAW_MAX])
{
    return hmac(EVP_sha256(), key, s, out);
}

const char *digest_library_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

bool digest_equal(str a, str b)
{
    return a.n == b.n && (!a.n || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

static enum status hash_fd(int fd, const char *path, struct hash *h, struct err *err)
{
    unsigned char piece[PIECE];
    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, STATUS_IO, errno, "cannot read %s", path);
        if (n == 0)
            return STATUS_OK;
        hash_add(h, piece, (size_t)n);
    }
}

enum status digest_sha256_file(const char *path, char out[DIGEST_HEX_MAX], struct err *err)
{
    struct hash h;
    int fd;
    enum status st = fs_open(path, O_RDONLY, 0, &fd, err);
    if (st != STATUS_OK)
        return st;
    hash_begin(&h, KIND_SHA256);
    st = hash_fd(fd, path, &h, err);
    if (st == STATUS_OK) {
        unsigned char raw[DIGEST_RAW_MAX];
        digest_to_hex(raw, hash_end(&h, raw), out);
    }
    close(fd);
    return st;
}

enum status digest_rest(int fd, str algorithm, unsigned char out[DIGEST_RAW_MAX], size_t *ret_n, struct err *err)
{
    enum kind kind = str_is(algorithm, "sha1")     ? KIND_SHA1
                     : str_is(algorithm, "sha256") ? KIND_SHA256
                     : str_is(algorithm, "md5")    ? KIND_MD5
                                                   : KIND_NONE;
    struct hash h;
    if (!kind)
        return err_set(err, STATUS_INVALID, "there is no digest \"%.*s\" here", STR_ARG(algorithm));
    hash_begin(&h, kind);
    enum status st = hash_fd(fd, "the file", &h, err);
    if (st == STATUS_OK)
        *ret_n = hash_end(&h, out);
    return st;
}

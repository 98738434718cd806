/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "codec/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"

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

static size_t hash(const EVP_MD *md, str s, unsigned char *out)
{
    unsigned int n = 0;
    ASSERT(EVP_Digest(s.p ? s.p : "", s.n, out, &n, md, NULL) == 1);
    return n;
}

static void hash_hex(const EVP_MD *md, str s, char out[DIGEST_HEX_MAX])
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    digest_to_hex(raw, hash(md, s, raw), out);
}

void digest_md5_hex(str s, char out[DIGEST_HEX_MAX])
{
    hash_hex(EVP_md5(), s, out);
}

void digest_sha1_hex(str s, char out[DIGEST_HEX_MAX])
{
    hash_hex(EVP_sha1(), s, out);
}

void digest_sha256_hex(str s, char out[DIGEST_HEX_MAX])
{
    hash_hex(EVP_sha256(), s, out);
}

size_t digest_sha1(str s, unsigned char out[DIGEST_RAW_MAX])
{
    return hash(EVP_sha1(), s, out);
}

size_t digest_sha256(str s, unsigned char out[DIGEST_RAW_MAX])
{
    return hash(EVP_sha256(), s, out);
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

static enum status hash_fd(int fd, const char *path, EVP_MD_CTX *ctx, struct err *err)
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
        ASSERT(EVP_DigestUpdate(ctx, piece, (size_t)n) == 1);
    }
}

static enum status hash_file(const EVP_MD *md, const char *path, char out[DIGEST_HEX_MAX], struct err *err)
{
    int fd;
    enum status st = fs_open(path, O_RDONLY, 0, &fd, err);
    if (st != STATUS_OK)
        return st;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1);
    st = hash_fd(fd, path, ctx, err);
    if (st == STATUS_OK) {
        unsigned char raw[EVP_MAX_MD_SIZE];
        unsigned int n = 0;
        ASSERT(EVP_DigestFinal_ex(ctx, raw, &n) == 1);
        digest_to_hex(raw, n, out);
    }
    EVP_MD_CTX_free(ctx);
    close(fd);
    return st;
}

enum status digest_sha256_file(const char *path, char out[DIGEST_HEX_MAX], struct err *err)
{
    return hash_file(EVP_sha256(), path, out, err);
}

enum status digest_md5_file(const char *path, char out[DIGEST_HEX_MAX], struct err *err)
{
    return hash_file(EVP_md5(), path, out, err);
}

enum status digest_rest(int fd, str algorithm, unsigned char out[DIGEST_RAW_MAX], size_t *ret_n, struct err *err)
{
    const EVP_MD *md = str_is(algorithm, "sha1")     ? EVP_sha1()
                       : str_is(algorithm, "sha256") ? EVP_sha256()
                       : str_is(algorithm, "md5")    ? EVP_md5()
                                                     : NULL;
    unsigned int n = 0;
    if (!md)
        return err_set(err, STATUS_INVALID, "there is no digest \"%.*s\" here", STR_ARG(algorithm));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1);
    enum status st = hash_fd(fd, "the file", ctx, err);
    if (st == STATUS_OK) {
        ASSERT(EVP_DigestFinal_ex(ctx, out, &n) == 1);
        *ret_n = n;
    }
    EVP_MD_CTX_free(ctx);
    return st;
}

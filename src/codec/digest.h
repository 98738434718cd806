/* SPDX-License-Identifier: Apache-2.0 */
/* digest: hashes and HMAC by OpenSSL, as lower-case hex or raw bytes. Any thread. A failure of OpenSSL itself is
 * not something a caller can mend: ASSERT. */
#ifndef VITRINE_CODEC_DIGEST_H
#define VITRINE_CODEC_DIGEST_H

#include "base/arena.h"
#include "base/err.h"

#define DIGEST_HEX_MAX 65 /* SHA-256 in hex with its NUL */
#define DIGEST_RAW_MAX 32

/* `out` is NUL-terminated: 32, 40 and 64 digits. MD5 and SHA-1 are for names and compatibility, not for trust. */
void digest_md5_hex(str s, char out[DIGEST_HEX_MAX]);
void digest_sha1_hex(str s, char out[DIGEST_HEX_MAX]);
void digest_sha256_hex(str s, char out[DIGEST_HEX_MAX]);
/* Reads the file in pieces of 64 KiB. Blocks. Returns OK, NOT_FOUND, FORBIDDEN, IO. */
enum status digest_sha256_file(const char *path, char out[DIGEST_HEX_MAX], struct err *err) MUST_USE;

/* Raw bytes; each returns how many it wrote. */
size_t digest_sha1(str s, unsigned char out[DIGEST_RAW_MAX]);                 /* 20 */
size_t digest_sha256(str s, unsigned char out[DIGEST_RAW_MAX]);               /* 32 */
str digest_sha256_b64url(struct arena *a, str s);                             /* its 43 digits of base64url */
size_t digest_hmac_sha1(str key, str s, unsigned char out[DIGEST_RAW_MAX]);   /* 20 */
size_t digest_hmac_sha256(str key, str s, unsigned char out[DIGEST_RAW_MAX]); /* 32 */
/* Of the rest of an open file, in pieces. algorithm: "md5", "sha1", "sha256"; else INVALID. *ret_n: raw bytes. */
enum status digest_rest(int fd, str algorithm, unsigned char out[DIGEST_RAW_MAX], size_t *ret_n,
                        struct err *err) MUST_USE;
void digest_to_hex(const unsigned char *raw, size_t n, char out[DIGEST_HEX_MAX]); /* n <= DIGEST_RAW_MAX */
const char *digest_library_version(void);                                         /* "OpenSSL 3.0.19 ..." */
bool digest_equal(str a, str b); /* in constant time for equal lengths; the lengths are not secret */

#endif

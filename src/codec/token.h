/* SPDX-License-Identifier: Apache-2.0 */
/* token: what one process says to another, signed with Ed25519 (RFC 8032): who holds the public key can check it and
 * can make none. Signed, not encrypted: anybody can read what is inside.
 *
 *   "v1." base64url(JSON) "." base64url(64 bytes of signature over everything before the second ".")
 *
 * The JSON is an object; "kid" names the key. By OpenSSL; a signature takes about 40 us of CPU, a check about 120.
 * Any thread; a key may be used by many at once. */
#ifndef VITRINE_CODEC_TOKEN_H
#define VITRINE_CODEC_TOKEN_H

#include "codec/value.h"

#define TOKEN_PUBLIC 32 /* bytes of a public key */

/* The private key, which signs. */
struct token_key;

enum status token_key_new(struct token_key **ret, struct err *err) MUST_USE; /* made of fresh random bytes */
void token_key_free(struct token_key *key);                                  /* NULL is fine */
/* PEM (PKCS #8, not encrypted), mode 0600, replaced as a whole. The statuses of fs_write_atomic. Blocks. */
enum status token_key_save(const struct token_key *key, const char *path, struct err *err) MUST_USE;
/* Statuses of fs_read_file; INVALID: no PEM of an Ed25519 private key. Blocks. */
enum status token_key_load(const char *path, struct token_key **ret, struct err *err) MUST_USE;
str token_key_public(const struct token_key *key, struct arena *a); /* 32 bytes as base64url: 43 characters */

/* A key that checks, under the name that tokens give in "kid". */
struct token_public {
    str id;
    unsigned char bytes[TOKEN_PUBLIC];
};
bool token_public_read(str base64url, unsigned char ret[TOKEN_PUBLIC]) MUST_USE; /* false: not 32 bytes of base64url */

/* The token that says `claims` (a dict) and "kid": id. INVALID: claims is no dict or has another "kid"; TOO_LARGE: its
 * JSON is larger than LIMIT_TOKEN. */
enum status token_sign(struct arena *a, const struct token_key *key, str id, struct value claims, str *ret,
                       struct err *err) MUST_USE;
/* What a token says, when one of the keys signed it. Nothing inside is looked at before the signature is known to be
 * good. INVALID otherwise; the message says why, for a log: tell the sender no more than "no longer valid". */
enum status token_verify(struct arena *a, const struct token_public *keys, size_t count, str text, struct value *ret,
                         struct err *err) MUST_USE;
/* Whether it was made for this: "use" and "aud" are these texts, and "iat" <= now < "exp", each with skew_s seconds of
 * clocks that differ. Tokens of one use are thus never good for another. INVALID says what is wrong. */
enum status token_is_for(struct value claims, str use, str audience, int64_t now_s, int64_t skew_s,
                         struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* password: hashes of passwords as text.
 *
 *   $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH        what is written (RFC 9106, by libargon2)
 *   pbkdf2_sha256$ITERATIONS$SALT$BASE64            what datasette-auth-passwords and Django write; read, and written
 *                                                   for a Datasette that shares the configuration
 *
 * Hashing takes tens of milliseconds of CPU and, for argon2id, the memory it names, by design: never on the loop's
 * thread. Any other thread. */
#ifndef VITRINE_CODEC_PASSWORD_H
#define VITRINE_CODEC_PASSWORD_H

#include "base/arena.h"
#include "base/err.h"

enum password_kind { PASSWORD_ARGON2ID, PASSWORD_PBKDF2 };

/* A hash of the password with a fresh salt. INVALID: empty or longer than LIMIT_PASSWORD. IO: no random numbers, no
 * memory for argon2id. */
enum status password_hash(struct arena *a, str password, enum password_kind kind, str *ret, struct err *err) MUST_USE;
/* Whether `hash` is of one of the two forms, within the limits of cost. INVALID says what is wrong with it. */
enum status password_check(str hash, struct err *err) MUST_USE;
/* Compared in constant time. False too for a hash that password_check refuses, and for a password that is too long. */
bool password_matches(str hash, str password);

#endif

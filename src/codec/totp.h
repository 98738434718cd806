/* SPDX-License-Identifier: Apache-2.0 */
/* totp: codes that change with time (RFC 6238 over RFC 4226), as authenticator apps show them: SHA-1, six digits, a new
 * one every 30 seconds. Other parameters exist, but apps ignore them silently, and then every code is wrong.
 *
 * Nothing is kept here: the caller stores the secret and the step of the code that was accepted last. Any thread. */
#ifndef VITRINE_CODEC_TOTP_H
#define VITRINE_CODEC_TOTP_H

#include "base/arena.h"

#define TOTP_DIGITS       6
#define TOTP_STEP_S       30
#define TOTP_SECRET_BYTES 20 /* of SHA-1's output, which RFC 4226 section 4 asks for */

enum totp_result {
    TOTP_RIGHT,
    TOTP_WRONG,
    TOTP_USED, /* right, but of a step that was used, or before one that was (RFC 6238 section 5.2) */
};

/* The code of one step (RFC 4226 section 5.3), with a NUL. */
void totp_code(str secret, uint64_t step, char out[TOTP_DIGITS + 1]);
/* `typed` may hold spaces. Clocks may be one step apart either way. used_step: the step of the code that was accepted
 * last, -1 = none; one that lies ahead (the clock was set back) does not count, or nobody could sign in until then.
 * *ret_step is set for RIGHT: to be stored before anything is granted, and only if the stored step is still used_step.
 * Takes the same time for every wrong code. */
enum totp_result totp_check(str secret, str typed, int64_t unix_s, int64_t used_step, int64_t *ret_step) MUST_USE;
/* The text of the QR code: otpauth://totp/ISSUER:ACCOUNT?secret=... */
str totp_uri(struct arena *a, str issuer, str account, str secret);
/* The secret for typing: base32 in groups of four, "abcd efgh ...". */
str totp_typed_secret(struct arena *a, str secret);

#endif

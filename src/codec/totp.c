/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/totp.h"

#include <stdio.h>

#include "codec/b64.h"
#include "codec/digest.h"
#include "codec/url.h"

#define SKEW_STEPS 1 /* RFC 6238 section 5.2 advises no more than one step for what is on the way */

void totp_code(str secret, uint64_t step, char out[TOTP_DIGITS + 1])
{
    char counter[8];
    unsigned char mac[DIGEST_RAW_MAX];
    for (int i = 0; i < 8; i++)
        counter[i] = (char)(step >> (56 - 8 * i));
    size_t n = digest_hmac_sha1(secret, str_make(counter, sizeof counter), mac);
    const unsigned char *p = mac + (mac[n - 1] & 15); /* dynamic truncation */
    uint32_t v = (uint32_t)(p[0] & 127) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (int i = TOTP_DIGITS; i-- > 0; v /= 10)
        out[i] = (char)('0' + v % 10);
    out[TOTP_DIGITS] = 0;
}

/* "123 456" -> "123456"; false when it is anything but six digits. */
static bool digits_of(str typed, char out[TOTP_DIGITS])
{
    size_t n = 0;
    for (size_t i = 0; i < typed.n; i++) {
        char c = typed.p[i];
        if (c == ' ')
            continue;
        if (c < '0' || c > '9' || n == TOTP_DIGITS)
            return false;
        out[n++] = c;
    }
    return n == TOTP_DIGITS;
}

enum totp_result totp_check(str secret, str typed, int64_t unix_s, int64_t used_step, int64_t *ret_step)
{
    char digits[TOTP_DIGITS], code[TOTP_DIGITS + 1];
    int64_t now = unix_s / TOTP_STEP_S, found = -1;
    if (used_step > now + SKEW_STEPS) /* no code of now could have been it: the clock was set back since */
        used_step = -1;
    if (unix_s < 0 || !digits_of(typed, digits))
        return TOTP_WRONG;
    for (int64_t step = now + SKEW_STEPS; step >= now - SKEW_STEPS; step--) { /* of equal codes the earliest counts */
        if (step < 0)
            continue;
        totp_code(secret, (uint64_t)step, code);
        if (digest_equal(str_make(code, TOTP_DIGITS), str_make(digits, TOTP_DIGITS)) && (step > used_step || found < 0))
            found = step;
    }
    if (found < 0)
        return TOTP_WRONG;
    if (found <= used_step)
        return TOTP_USED;
    *ret_step = found;
    return TOTP_RIGHT;
}

str totp_uri(struct arena *a, str issuer, str account, str secret)
{
    str quoted = url_quote(a, issuer, "");
    return arena_printf(a, "otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=SHA1&digits=%d&period=%d",
                        arena_cstr(a, quoted), arena_cstr(a, url_quote(a, account, "@")), b32_encode(a, secret).p,
                        arena_cstr(a, quoted), TOTP_DIGITS, TOTP_STEP_S);
}

str totp_typed_secret(struct arena *a, str secret)
{
    str all = b32_encode(a, secret);
    char *out = arena_alloc(a, all.n * 5 / 4 + 2);
    size_t n = 0;
    for (size_t i = 0; i < all.n; i++) {
        if (i && i % 4 == 0)
            out[n++] = ' ';
        out[n++] = str_lower_char(all.p[i]);
    }
    return str_make(out, n);
}

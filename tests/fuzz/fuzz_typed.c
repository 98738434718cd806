/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what somebody typed: a code of an app, a recovery code, a new password; and as the name in a QR code. */
#include <stdlib.h>

#include "base/limits.h"
#include "codec/password_rules.h"
#include "codec/qr.h"
#include "codec/recovery.h"
#include "codec/totp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET STR("12345678901234567890")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(16u << 20);
    str text = str_make((const char *)data, size), svg;
    char digest[DIGEST_HEX_MAX];
    int64_t step = -1, again = -1, now = size ? data[0] * 7919L : 0;
    if (totp_check(SECRET, text, now, -1, &step) == TOTP_RIGHT &&
        (totp_check(SECRET, text, now, step, &again) == TOTP_RIGHT ||
         totp_check(SECRET, text, (step + 2) * TOTP_STEP_S, -1, &again) == TOTP_RIGHT))
        abort(); /* a second time, or too late */
    if (recovery_digest(SECRET, STR("u"), text, digest) && size < 16)
        abort();
    if (password_rules_check(text, STR("ana@example.org"), NULL) == STATUS_OK && (size < 10 || size > LIMIT_PASSWORD))
        abort();
    if (password_rules_check(STR("tricky fish"), text, NULL) != STATUS_OK && size < 11)
        abort(); /* it is no address as short as that */
    str uri = totp_uri(a, text, text, SECRET);
    if (str_find_char(uri, '\n') != STR_NPOS || str_find_char(uri, '"') != STR_NPOS)
        abort();
    if (size < 300 && qr_svg(a, uri, text, &svg, NULL) == STATUS_OK && !str_ends(svg, STR("\"/></svg>")))
        abort();
    arena_free(a);
    return 0;
}

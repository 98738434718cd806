/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/recovery.h"

#include <sys/random.h>

#define LETTERS 16 /* of 5 bits */

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum status recovery_make(struct arena *a, str ret[RECOVERY_CODES], struct err *err)
{
    unsigned char bytes[RECOVERY_CODES][LETTERS]; /* 5 bits of each are used: simpler than packing, and as random */
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set(err, STATUS_IO, "the system has no random numbers");
    for (int i = 0; i < RECOVERY_CODES; i++) {
        char *out = arena_alloc(a, LETTERS + LETTERS / 4);
        size_t n = 0;
        for (int k = 0; k < LETTERS; k++) {
            if (k && k % 4 == 0)
                out[n++] = '-';
            out[n++] = alphabet[bytes[i][k] & 31];
        }
        ret[i] = str_make(out, n);
    }
    return STATUS_OK;
}

static char letter_of(char c)
{
    c = str_lower_char(c);
    return c == 'o' ? '0' : c == 'i' || c == 'l' ? '1' : c;
}

bool recovery_digest(str key, str user, str typed, char out[DIGEST_HEX_MAX])
{
    char code[LETTERS];
    size_t n = 0;
    for (size_t i = 0; i < typed.n; i++) {
        char c = letter_of(typed.p[i]);
        if (c == ' ' || c == '-')
            continue;
        if (!c || !strchr(alphabet, c) || n == LETTERS)
            return false;
        code[n++] = c;
    }
    if (n != LETTERS)
        return false;
    unsigned char mac[DIGEST_RAW_MAX];
    struct arena *a = arena_new(0);
    size_t size = digest_hmac_sha256(key, ARENA_CAT(a, STR("recovery:"), user, STR(":"), str_make(code, n)), mac);
    arena_free(a);
    digest_to_hex(mac, size, out);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* django — payload ":" time ":" signature, of django.core.signing.
 *
 *   payload    base64url(JSON); with a "." in front: base64url(zlib(JSON))
 *   time       when it was signed, base 62, digits before capitals before small letters
 *   key        H(salt "signer" SECRET_KEY)
 *   signature  base64url(HMAC-H(key, payload ":" time)), H being SHA-256 or, before 3.1, SHA-1 */
#include "codec/django.h"

#include "base/limits.h"
#include "codec/b64.h"
#include "codec/compress.h"
#include "codec/digest.h"

static str signature(struct arena *a, str secret, str signed_part, bool sha1)
{
    unsigned char key[DIGEST_RAW_MAX], mac[DIGEST_RAW_MAX];
    str text = ARENA_CAT(a, STR(DJANGO_SESSION_SALT "signer"), secret);
    size_t key_n = sha1 ? digest_sha1(text, key) : digest_sha256(text, key);
    str k = str_make((const char *)key, key_n);
    size_t mac_n = sha1 ? digest_hmac_sha1(k, signed_part, mac) : digest_hmac_sha256(k, signed_part, mac);
    return b64url_encode(a, str_make((const char *)mac, mac_n));
}

static bool signed_by_one(struct arena *a, str signed_part, str mac, const str *secrets, size_t count)
{
    bool good = false;
    for (size_t i = 0; i < count; i++) {
        good |= digest_equal(mac, signature(a, secrets[i], signed_part, false));
        good |= digest_equal(mac, signature(a, secrets[i], signed_part, true));
    }
    return good;
}

static bool base62(str s, int64_t *ret)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(digits, s.p[i]) : NULL;
        if (!at || __builtin_mul_overflow(n, 62, &n) || __builtin_add_overflow(n, at - digits, &n))
            return false;
    }
    *ret = n;
    return s.n > 0;
}

enum status django_session(struct arena *a, str cookie, const str *secrets, size_t count, int64_t now_s,
                           int64_t max_age_s, struct value *ret, struct err *err)
{
    size_t last = str_rfind_char(cookie, ':');
    size_t colon = last == STR_NPOS ? STR_NPOS : str_rfind_char(str_sub(cookie, 0, last), ':');
    str payload, raw;
    int64_t signed_at, age;
    struct value v;
    if (colon == STR_NPOS)
        return err_set(err, STATUS_INVALID, "not a signed session");
    if (!signed_by_one(a, str_sub(cookie, 0, last), str_from(cookie, last + 1), secrets, count))
        return err_set(err, STATUS_INVALID, "bad signature");
    if (!base62(str_sub(cookie, colon + 1, last), &signed_at) || __builtin_sub_overflow(now_s, signed_at, &age) ||
        age > max_age_s)
        return err_set(err, STATUS_INVALID, "the session is too old");
    payload = str_sub(cookie, 0, colon);
    bool packed = str_starts(payload, STR("."));
    if (!b64url_decode(a, packed ? str_from(payload, 1) : payload, &raw))
        return err_set(err, STATUS_INVALID, "bad base64");
    enum status st = packed ? compress_unzlib(a, raw, LIMIT_SIGN_PAYLOAD, &raw, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = value_from_json(a, raw, &v, err);
    if (st == STATUS_OK && v.kind != VALUE_DICT)
        st = err_set(err, STATUS_INVALID, "the session is no object");
    if (st == STATUS_OK)
        *ret = v;
    return st;
}

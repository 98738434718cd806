/* SPDX-License-Identifier: Apache-2.0 */
/* sign — payload "." signature.
 *
 *   payload    base64url(JSON with "," and ":" separators, in UTF-8); with a "." in front: base64url(zlib(JSON)), used
 * when shorter key        SHA1(namespace + "signer" + secret)          ("django-concat") signature
 * base64url(HMAC-SHA1(key, payload)) */
#include "codec/sign.h"

#include "base/limits.h"
#include "codec/b64.h"
#include "codec/compress.h"
#include "codec/digest.h"

static str signature(struct arena *a, str secret, str name_space, str payload)
{
    unsigned char key[DIGEST_RAW_MAX], mac[DIGEST_RAW_MAX];
    size_t key_n = digest_sha1(ARENA_CAT(a, name_space, STR("signer"), secret), key);
    size_t mac_n = digest_hmac_sha1(str_make((const char *)key, key_n), payload, mac);
    return b64url_encode(a, str_make((const char *)mac, mac_n));
}

str sign_dumps(struct arena *a, str secret, str name_space, struct value v)
{
    struct buf b;
    buf_init(&b, LIMIT_SIGN_PAYLOAD);
    value_to_json(&b, v, VALUE_JSON_COMPACT | VALUE_JSON_UTF8 | VALUE_JSON_INFINITY);
    bool over = b.over;
    str json = arena_str(a, buf_str(&b));
    buf_release(&b);
    if (over)
        return (str){0};
    str packed = compress_zlib(a, json);
    str payload = packed.n + 1 < json.n ? ARENA_CAT(a, STR("."), b64url_encode(a, packed)) : b64url_encode(a, json);
    return ARENA_CAT(a, payload, STR("."), signature(a, secret, name_space, payload));
}

enum status sign_loads(struct arena *a, str secret, str name_space, str text, struct value *ret, struct err *err)
{
    size_t dot = str_rfind_char(text, '.');
    if (dot == STR_NPOS)
        return err_set(err, STATUS_INVALID, "not a signed text");
    str payload = str_sub(text, 0, dot), mac = str_from(text, dot + 1), raw;
    if (!digest_equal(mac, signature(a, secret, name_space, payload)))
        return err_set(err, STATUS_INVALID, "bad signature");
    bool packed = payload.n && payload.p[0] == '.';
    if (!b64url_decode(a, packed ? str_from(payload, 1) : payload, &raw))
        return err_set(err, STATUS_INVALID, "bad base64");
    if (packed) {
        enum status st = compress_unzlib(a, raw, LIMIT_SIGN_PAYLOAD, &raw, err);
        if (st != STATUS_OK)
            return st;
    }
    return value_from_json(a, raw, ret, err);
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz";

str base62_encode(struct arena *a, int64_t n)
{
    char out[16];
    size_t at = sizeof out;
    if (n <= 0)
        return STR("A");
    while (n > 0) {
        out[--at] = alphabet[n % 62];
        n /= 62;
    }
    return arena_str(a, str_make(out + at, sizeof out - at));
}

bool base62_decode(str s, int64_t *ret)
{
    int64_t n = 0;
    if (!s.n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(alphabet, s.p[i]) : NULL;
        if (!at || __builtin_mul_overflow(n, 62, &n) || __builtin_add_overflow(n, at - alphabet, &n))
            return false;
    }
    *ret = n;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/b64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char urlsafe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encode(char *out, str in, const char *alphabet, bool pad)
{
    size_t n = 0, i = 0;
    const unsigned char *p = (const unsigned char *)in.p;
    for (; i + 3 <= in.n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        out[n++] = alphabet[v >> 18];
        out[n++] = alphabet[v >> 12 & 63];
        out[n++] = alphabet[v >> 6 & 63];
        out[n++] = alphabet[v & 63];
    }
    if (i == in.n)
        return n;
    bool two = in.n - i == 2;
    uint32_t v = (uint32_t)p[i] << 16 | (two ? (uint32_t)p[i + 1] << 8 : 0);
    out[n++] = alphabet[v >> 18];
    out[n++] = alphabet[v >> 12 & 63];
    if (two)
        out[n++] = alphabet[v >> 6 & 63];
    for (int k = two ? 1 : 2; pad && k > 0; k--)
        out[n++] = '=';
    return n;
}

void b64_encode(struct buf *out, str bytes)
{
    char *p = buf_reserve(out, (bytes.n + 2) / 3 * 4);
    if (p)
        out->n += encode(p, bytes, standard, true);
}

static str encode_arena(struct arena *a, str bytes, const char *alphabet, bool pad)
{
    char *p = arena_alloc_raw(a, (bytes.n + 2) / 3 * 4 + 1);
    size_t n = encode(p, bytes, alphabet, pad);
    p[n] = 0;
    return str_make(p, n);
}

str b64_encode_arena(struct arena *a, str bytes)
{
    return encode_arena(a, bytes, standard, true);
}

str b64url_encode(struct arena *a, str bytes)
{
    return encode_arena(a, bytes, urlsafe, false);
}

static int digit(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

static bool decode(struct arena *a, str text, const char *alphabet, bool must_pad, str *ret)
{
    size_t pad = 0;
    while (pad < 2 && text.n && text.p[text.n - 1] == '=') {
        text.n--;
        pad++;
    }
    if (text.n % 4 == 1 || ((must_pad || pad) && (text.n + pad) % 4 != 0))
        return false;
    unsigned char *out = arena_alloc_raw(a, text.n / 4 * 3 + 4);
    size_t n = 0;
    uint32_t v = 0;
    int bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        int d = digit(text.p[i], alphabet);
        if (d < 0)
            return false;
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (unsigned char)(v >> bits);
        }
    }
    out[n] = 0;
    *ret = str_make((const char *)out, n);
    return true;
}

bool b64_decode(struct arena *a, str text, str *ret)
{
    return decode(a, text, standard, true, ret);
}

bool b64url_decode(struct arena *a, str text, str *ret)
{
    return decode(a, text, urlsafe, false, ret);
}

str b32_encode(struct arena *a, str bytes)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char *out = arena_alloc_raw(a, (bytes.n * 8 + 4) / 5 + 1);
    size_t n = 0;
    uint32_t v = 0;
    int bits = 0;
    for (size_t i = 0; i < bytes.n; i++) {
        v = (v << 8 | (unsigned char)bytes.p[i]) & 0xfff; /* at most 4 bits wait from before */
        for (bits += 8; bits >= 5; bits -= 5)
            out[n++] = alphabet[v >> (bits - 5) & 31];
    }
    if (bits)
        out[n++] = alphabet[v << (5 - bits) & 31];
    out[n] = 0;
    return str_make(out, n);
}

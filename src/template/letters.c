/* SPDX-License-Identifier: Apache-2.0 */
/* letters — upper and lower case without a locale: the letters of Latin-1, Latin Extended-A, Greek and Cyrillic, whose
 * cases are as many bytes; others stay as they are. */
#include "template/run.h"

#include "base/utf8.h"

struct span {
    uint32_t first, last; /* lower case */
    int32_t to_upper;
    bool every_second; /* pairs side by side: upper even, lower odd (or the other way round, by `first`) */
};

static const struct span spans[] = {
    {'a', 'z', -32, false},     {0xE0, 0xF6, -32, false},   {0xF8, 0xFE, -32, false},   {0x101, 0x12F, -1, true},
    {0x133, 0x137, -1, true},   {0x13A, 0x148, -1, true},   {0x14B, 0x177, -1, true},   {0x17A, 0x17E, -1, true},
    {0x3B1, 0x3C1, -32, false}, {0x3C3, 0x3C9, -32, false}, {0x3AD, 0x3AF, -37, false}, {0x430, 0x44F, -32, false},
    {0x450, 0x45F, -80, false}, {0x461, 0x481, -1, true},   {0x48B, 0x4BF, -1, true},   {0x4D1, 0x52F, -1, true},
};

static uint32_t to_upper(uint32_t c)
{
    for (size_t i = 0; i < ARRAY_LEN(spans); i++)
        if (c >= spans[i].first && c <= spans[i].last && !(spans[i].every_second && (c - spans[i].first) % 2))
            return (uint32_t)((int32_t)c + spans[i].to_upper);
    return c;
}

static uint32_t to_lower(uint32_t c)
{
    for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
        uint32_t lower = (uint32_t)((int32_t)c - spans[i].to_upper);
        if (lower >= spans[i].first && lower <= spans[i].last &&
            !(spans[i].every_second && (lower - spans[i].first) % 2))
            return lower;
    }
    return c;
}

str letters_case(struct arena *a, str s, char how)
{
    char *out = arena_alloc_raw(a, s.n + 1), code[4];
    bool start = true;
    for (size_t i = 0, len; i < s.n; i += len) {
        uint32_t c = utf8_decode(str_from(s, i), &len), upper = to_upper(c), lower = to_lower(c), new = c;
        bool letter = upper != c || lower != c;
        if (how == 'u' || ((how == 't' || how == 'c') && start))
            new = upper;
        else if (how == 's')
            new = upper != c ? upper : lower;
        else
            new = lower;
        start = how == 't' && !letter && c < 0x80 && c != '\'';
        if (new != c && utf8_encode(new, code) == len)
            memcpy(out + i, code, len);
        else
            memcpy(out + i, s.p + i, len);
    }
    return str_make(out, s.n);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* encoding — telling Windows-1252 from Mac Roman by what the letters would be.
 *
 * Both use all bytes from 0x80 on, so validity says nothing. What does: people write small letters with accents inside
 * of words, apostrophes between letters, quotation marks and dashes at the edges of words, and hardly ever signs such
 * as pilcrows inside of a word. Every byte above 0x7F is scored in both codes by its neighbours; the higher sum wins,
 * Windows-1252 when they are equal. Text that was mangled before it was saved is truly ambiguous: --encoding decides.
 */
#include "ingest/encoding.h"

#include "base/utf8.h"

#include "base/banned.h"

static const uint16_t windows_1252[128] = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152,
    0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122,
    0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178, 0x00A0, 0x00A1, 0x00A2, 0x00A3, 0x00A4, 0x00A5, 0x00A6,
    0x00A7, 0x00A8, 0x00A9, 0x00AA, 0x00AB, 0x00AC, 0x00AD, 0x00AE, 0x00AF, 0x00B0, 0x00B1, 0x00B2, 0x00B3,
    0x00B4, 0x00B5, 0x00B6, 0x00B7, 0x00B8, 0x00B9, 0x00BA, 0x00BB, 0x00BC, 0x00BD, 0x00BE, 0x00BF, 0x00C0,
    0x00C1, 0x00C2, 0x00C3, 0x00C4, 0x00C5, 0x00C6, 0x00C7, 0x00C8, 0x00C9, 0x00CA, 0x00CB, 0x00CC, 0x00CD,
    0x00CE, 0x00CF, 0x00D0, 0x00D1, 0x00D2, 0x00D3, 0x00D4, 0x00D5, 0x00D6, 0x00D7, 0x00D8, 0x00D9, 0x00DA,
    0x00DB, 0x00DC, 0x00DD, 0x00DE, 0x00DF, 0x00E0, 0x00E1, 0x00E2, 0x00E3, 0x00E4, 0x00E5, 0x00E6, 0x00E7,
    0x00E8, 0x00E9, 0x00EA, 0x00EB, 0x00EC, 0x00ED, 0x00EE, 0x00EF, 0x00F0, 0x00F1, 0x00F2, 0x00F3, 0x00F4,
    0x00F5, 0x00F6, 0x00F7, 0x00F8, 0x00F9, 0x00FA, 0x00FB, 0x00FC, 0x00FD, 0x00FE, 0x00FF,
};

static const uint16_t mac_roman[128] = {
    0x00C4, 0x00C5, 0x00C7, 0x00C9, 0x00D1, 0x00D6, 0x00DC, 0x00E1, 0x00E0, 0x00E2, 0x00E4, 0x00E3, 0x00E5,
    0x00E7, 0x00E9, 0x00E8, 0x00EA, 0x00EB, 0x00ED, 0x00EC, 0x00EE, 0x00EF, 0x00F1, 0x00F3, 0x00F2, 0x00F4,
    0x00F6, 0x00F5, 0x00FA, 0x00F9, 0x00FB, 0x00FC, 0x2020, 0x00B0, 0x00A2, 0x00A3, 0x00A7, 0x2022, 0x00B6,
    0x00DF, 0x00AE, 0x00A9, 0x2122, 0x00B4, 0x00A8, 0x2260, 0x00C6, 0x00D8, 0x221E, 0x00B1, 0x2264, 0x2265,
    0x00A5, 0x00B5, 0x2202, 0x2211, 0x220F, 0x03C0, 0x222B, 0x00AA, 0x00BA, 0x03A9, 0x00E6, 0x00F8, 0x00BF,
    0x00A1, 0x00AC, 0x221A, 0x0192, 0x2248, 0x2206, 0x00AB, 0x00BB, 0x2026, 0x00A0, 0x00C0, 0x00C3, 0x00D5,
    0x0152, 0x0153, 0x2013, 0x2014, 0x201C, 0x201D, 0x2018, 0x2019, 0x00F7, 0x25CA, 0x00FF, 0x0178, 0x2044,
    0x20AC, 0x2039, 0x203A, 0xFB01, 0xFB02, 0x2021, 0x00B7, 0x201A, 0x201E, 0x2030, 0x00C2, 0x00CA, 0x00C1,
    0x00CB, 0x00C8, 0x00CD, 0x00CE, 0x00CF, 0x00CC, 0x00D3, 0x00D4, 0xF8FF, 0x00D2, 0x00DA, 0x00DB, 0x00D9,
    0x0131, 0x02C6, 0x02DC, 0x00AF, 0x02D8, 0x02D9, 0x02DA, 0x00B8, 0x02DD, 0x02DB, 0x02C7,
};

static const struct {
    const char *name;
    enum encoding encoding;
} names[] = {
    {"utf8", ENCODING_UTF8},           {"utf8sig", ENCODING_UTF8},
    {"ascii", ENCODING_UTF8},          {"usascii", ENCODING_UTF8},
    {"utf16", ENCODING_UTF16LE},       {"utf16le", ENCODING_UTF16LE},
    {"utf16be", ENCODING_UTF16BE},     {"windows1252", ENCODING_WINDOWS_1252},
    {"cp1252", ENCODING_WINDOWS_1252}, {"1252", ENCODING_WINDOWS_1252},
    {"ansi", ENCODING_WINDOWS_1252},   {"macroman", ENCODING_MAC_ROMAN},
    {"macintosh", ENCODING_MAC_ROMAN}, {"mac", ENCODING_MAC_ROMAN},
    {"latin1", ENCODING_LATIN_1},      {"iso88591", ENCODING_LATIN_1},
    {"l1", ENCODING_LATIN_1},
};

const char *encoding_name(enum encoding e)
{
    static const char *const texts[] = {
        "", "UTF-8", "UTF-8 with ill-formed bytes", "UTF-16LE", "UTF-16BE", "Windows-1252", "Mac Roman", "Latin-1", ""};
    return texts[e];
}

enum encoding encoding_of_name(str name)
{
    char plain[32];
    size_t n = 0;
    for (size_t i = 0; i < name.n && n < sizeof plain; i++)
        if (name.p[i] != '-' && name.p[i] != '_' && name.p[i] != ' ')
            plain[n++] = name.p[i];
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(str_make(plain, n), str_of(names[i].name)))
            return names[i].encoding;
    return ENCODING_ICONV;
}

const uint16_t *encoding_table(enum encoding e)
{
    return e == ENCODING_WINDOWS_1252 ? windows_1252 : e == ENCODING_MAC_ROMAN ? mac_roman : NULL;
}

static bool is_letter(unsigned char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool is_small(unsigned char c)
{
    return c >= 'a' && c <= 'z';
}

/* How natural `code` is between the bytes `before` and `after`. */
static int naturalness(uint32_t code, unsigned char before, unsigned char after)
{
    bool left = is_letter(before), right = is_letter(after);
    if (code < 0xA0)
        return -4; /* a control character */
    if (code == 0xA0 || code == 0x2026 || code == 0x2013 || code == 0x2014)
        return !left && !right ? 3 : 1; /* no-break space, ellipsis, dashes */
    if (code == 0x2019)
        return left && right ? 4 : left ? 3 : 1;
    if (code == 0x2018 || code == 0x201C || code == 0x201D)
        return left && right ? -2 : left || right ? 3 : 2;
    if ((code >= 0xDF && code <= 0xFF && code != 0xF7) || code == 0x153) /* small letters with accents */
        return is_small(before) && is_small(after) ? 3 : is_small(before) || is_small(after) ? 2 : 0;
    if ((code >= 0xC0 && code <= 0xDE && code != 0xD7) || code == 0x152 || code == 0x178)
        return is_small(before)                       ? -2 /* capitals do not follow small letters, */
               : is_letter(before) || is_small(after) ? 1  /* and stand in words */
                                                      : 0;
    return left && right ? -2 : 0; /* signs */
}

static void score(struct encoding_evidence *e, unsigned char c, unsigned char before, unsigned char after)
{
    e->score_1252 += naturalness(windows_1252[c - 0x80], before, after);
    e->score_mac += naturalness(mac_roman[c - 0x80], before, after);
}

void encoding_feed(struct encoding_evidence *e, str piece)
{
    for (size_t i = 0; i < piece.n;) {
        unsigned char c = (unsigned char)piece.p[i];
        size_t n = 1;
        if (c >= 0x80) {
            bool good = utf8_decode(str_from(piece, i), &n) != UTF8_BAD;
            e->multibyte += good;
            e->ill_formed += !good;
            for (size_t k = 0; k < n; k++) {
                unsigned char before = i + k ? (unsigned char)piece.p[i + k - 1] : e->before;
                score(e, (unsigned char)piece.p[i + k], before,
                      i + k + 1 < piece.n ? (unsigned char)piece.p[i + k + 1] : 0);
            }
        }
        i += n;
    }
    if (piece.n)
        e->before = (unsigned char)piece.p[piece.n - 1];
}

enum encoding encoding_decide(const struct encoding_evidence *e)
{
    if (e->ill_formed && e->multibyte > 20 * e->ill_formed)
        return ENCODING_UTF8_MIXED;
    if (!e->ill_formed)
        return ENCODING_UTF8;
    return e->score_mac > e->score_1252 ? ENCODING_MAC_ROMAN : ENCODING_WINDOWS_1252;
}

enum encoding encoding_utf16(str sample)
{
    size_t zeros[2] = {0, 0}, n = MIN(sample.n, 4096);
    if (sample.n >= 2 && memcmp(sample.p, "\xff\xfe", 2) == 0)
        return ENCODING_UTF16LE;
    if (sample.n >= 2 && memcmp(sample.p, "\xfe\xff", 2) == 0)
        return ENCODING_UTF16BE;
    for (size_t i = 0; i < n; i++)
        zeros[i & 1] += sample.p[i] == 0;
    /* Latin text has a zero in (nearly) every second byte. */
    if (n >= 4 && zeros[1] * 2 >= n / 2 && zeros[0] * 20 <= n)
        return ENCODING_UTF16LE;
    if (n >= 4 && zeros[0] * 2 >= n / 2 && zeros[1] * 20 <= n)
        return ENCODING_UTF16BE;
    return ENCODING_UNKNOWN;
}

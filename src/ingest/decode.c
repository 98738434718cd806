/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/decode.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

#include "base/banned.h"

#define RAW_BYTES 65536

struct decode {
    struct unpack *unpack;
    enum encoding encoding;
    const uint16_t *table;
    iconv_t iconv;
    char *raw;
    size_t raw_at, raw_n;
    char tail[4]; /* UTF-8: the beginning of a character that the last piece ended with */
    size_t tail_n;
    uint64_t replaced;
    bool has_iconv, started, ended;
    str name; /* of the source */
};

enum status decode_new(const struct source *s, enum encoding encoding, const char *iconv_name, struct decode **ret,
                       struct err *err)
{
    struct decode *d = MEM_NEW(struct decode);
    enum status st = STATUS_OK;
    d->encoding = encoding;
    d->name = s->name;
    d->table = encoding_table(encoding);
    if (encoding == ENCODING_ICONV) {
        d->iconv = iconv_open("UTF-8", iconv_name);
        d->has_iconv = d->iconv != (iconv_t)-1; /* the value that iconv_open(3) gives */
        if (!d->has_iconv) {
            st = err_set(err, STATUS_USAGE, "there is no encoding \"%s\"", iconv_name);
            err_hint(err, "iconv -l lists those that this system knows.");
        }
    }
    if (encoding != ENCODING_UTF8 && encoding != ENCODING_UTF8_MIXED)
        d->raw = mem_alloc(RAW_BYTES);
    if (st == STATUS_OK)
        st = unpack_new(s, &d->unpack, err);
    if (st != STATUS_OK) {
        decode_free(d);
        return st;
    }
    *ret = d;
    return STATUS_OK;
}

void decode_free(struct decode *d)
{
    if (!d)
        return;
    if (d->has_iconv)
        iconv_close(d->iconv);
    unpack_free(d->unpack);
    free(d->raw);
    free(d);
}

bool decode_seek(struct decode *d, uint64_t offset)
{
    bool whole_bytes = !d->has_iconv && d->encoding != ENCODING_UTF16LE && d->encoding != ENCODING_UTF16BE;
    d->started = true; /* a mark stands at the beginning only */
    return whole_bytes && unpack_seek(d->unpack, offset);
}

uint64_t decode_position(const struct decode *d)
{
    return unpack_position(d->unpack);
}

uint64_t decode_replaced(const struct decode *d)
{
    return d->replaced;
}

/* How many of the last bytes begin a character that they do not finish. */
static size_t open_tail(const char *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char c = (unsigned char)p[n - back];
        if (c < 0x80)
            return 0;
        if (c >= 0xC0)
            return back < (c >= 0xF0 ? 4u : c >= 0xE0 ? 3u : 2u) ? back : 0;
    }
    return 0;
}

static enum status read_utf8(struct decode *d, char *p, size_t size, size_t *ret_n, bool *ret_ill, struct err *err)
{
    size_t n = d->tail_n, more = 0;
    memcpy(p, d->tail, n);
    d->tail_n = 0;
    enum status st = unpack_read(d->unpack, p + n, size - n, &more, err);
    if (st != STATUS_OK)
        return st;
    d->ended = n + more < size;
    n += more;
    if (!d->started && n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        n -= 3;
        memmove(p, p + 3, n);
    }
    d->started = true;
    if (!d->ended) {
        d->tail_n = open_tail(p, n);
        n -= d->tail_n;
        memcpy(d->tail, p + n, d->tail_n);
    }
    *ret_ill = !utf8_valid(str_make(p, n));
    *ret_n = n;
    return STATUS_OK;
}

/* Makes at least `least` raw bytes available, or all that are left. */
static enum status fill_raw(struct decode *d, size_t least, struct err *err)
{
    size_t n = 0;
    if (d->raw_n - d->raw_at >= least || d->ended)
        return STATUS_OK;
    memmove(d->raw, d->raw + d->raw_at, d->raw_n - d->raw_at);
    d->raw_n -= d->raw_at;
    d->raw_at = 0;
    enum status st = unpack_read(d->unpack, d->raw + d->raw_n, RAW_BYTES - d->raw_n, &n, err);
    if (st != STATUS_OK)
        return st;
    d->ended = d->raw_n + n < RAW_BYTES;
    d->raw_n += n;
    return STATUS_OK;
}

static size_t put(struct decode *d, uint32_t code, char *p)
{
    char text[4];
    size_t n = utf8_encode(code, text);
    d->replaced += code == UTF8_REPLACEMENT;
    memcpy(p, text, n);
    return n;
}

static size_t convert_8bit(struct decode *d, char *p, size_t size)
{
    size_t n = 0;
    while (d->raw_at < d->raw_n && size - n >= 4) {
        unsigned char c = (unsigned char)d->raw[d->raw_at++];
        if (c < 0x80)
            p[n++] = (char)c;
        else
            n += utf8_encode(d->table ? d->table[c - 0x80] : c, p + n);
    }
    return n;
}

static uint32_t unit_at(const struct decode *d, size_t at)
{
    unsigned char a = (unsigned char)d->raw[at], b = (unsigned char)d->raw[at + 1];
    return d->encoding == ENCODING_UTF16LE ? (uint32_t)(b << 8 | a) : (uint32_t)(a << 8 | b);
}

static size_t convert_utf16(struct decode *d, char *p, size_t size)
{
    size_t n = 0;
    while (size - n >= 4 && d->raw_n - d->raw_at >= 2) {
        uint32_t u = unit_at(d, d->raw_at);
        if (u >= 0xD800 && u < 0xDC00) {
            if (d->raw_n - d->raw_at < 4 && !d->ended)
                break;
            uint32_t low = d->raw_n - d->raw_at >= 4 ? unit_at(d, d->raw_at + 2) : 0;
            bool pair = low >= 0xDC00 && low < 0xE000;
            n += put(d, pair ? 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00) : UTF8_REPLACEMENT, p + n);
            d->raw_at += pair ? 4 : 2;
            continue;
        }
        d->raw_at += 2;
        if (u == 0xFEFF && !d->started)
            d->started = true;
        else
            n += put(d, u >= 0xDC00 && u < 0xE000 ? UTF8_REPLACEMENT : u, p + n);
        d->started = true;
    }
    if (d->ended && d->raw_n - d->raw_at == 1 && size - n >= 4) { /* half a unit at the end */
        d->raw_at++;
        n += put(d, UTF8_REPLACEMENT, p + n);
    }
    return n;
}

static size_t convert_iconv(struct decode *d, char *p, size_t size)
{
    char *in = d->raw + d->raw_at, *out = p;
    size_t in_n = d->raw_n - d->raw_at, out_n = size;
    size_t rc = iconv(d->iconv, &in, &in_n, &out, &out_n);
    bool stuck = rc == (size_t)-1 && (errno == EILSEQ || (errno == EINVAL && d->ended));
    if (stuck && out_n >= 4) {
        out += put(d, UTF8_REPLACEMENT, out);
        in++;
    }
    d->raw_at = (size_t)(in - d->raw);
    return (size_t)(out - p);
}

enum status decode_read(struct decode *d, char *p, size_t size, size_t *ret_n, bool *ret_ill_formed, struct err *err)
{
    ASSERT(size >= 64);
    *ret_ill_formed = false;
    if (!d->raw)
        return read_utf8(d, p, size, ret_n, ret_ill_formed, err);
    size_t n = 0;
    for (;;) {
        enum status st = fill_raw(d, 64, err);
        if (st != STATUS_OK)
            return st;
        if (size - n < 64 || d->raw_at == d->raw_n)
            break;
        n += d->has_iconv                                                         ? convert_iconv(d, p + n, size - n)
             : d->encoding == ENCODING_UTF16LE || d->encoding == ENCODING_UTF16BE ? convert_utf16(d, p + n, size - n)
                                                                                  : convert_8bit(d, p + n, size - n);
    }
    *ret_n = n;
    return STATUS_OK;
}

enum status decode_sample(struct arena *a, const struct source *s, size_t max, str *ret, struct err *err)
{
    struct unpack *u;
    size_t n = 0;
    enum status st = unpack_new(s, &u, err);
    if (st != STATUS_OK)
        return st;
    char *p = arena_alloc_raw(a, max);
    st = unpack_read(u, p, max, &n, err);
    unpack_free(u);
    if (st == STATUS_OK)
        *ret = str_make(p, n);
    return st;
}

enum status decode_detect(const struct source *s, enum encoding *ret, struct err *err)
{
    struct unpack *u;
    struct encoding_evidence evidence = {0};
    size_t n = 1;
    enum status st = unpack_new(s, &u, err);
    if (st != STATUS_OK)
        return st;
    char *p = mem_alloc(RAW_BYTES);
    while (n && st == STATUS_OK) {
        st = unpack_read(u, p, RAW_BYTES, &n, err);
        if (st == STATUS_OK)
            encoding_feed(&evidence, str_make(p, n));
    }
    free(p);
    unpack_free(u);
    if (st == STATUS_OK)
        *ret = encoding_decide(&evidence);
    return st;
}

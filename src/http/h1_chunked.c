/* SPDX-License-Identifier: Apache-2.0 */
#include "http/h1_chunked.h"

#include "base/limits.h"
#include "http/headers.h"

enum {
    SIZE,       /* hexadecimal digits */
    SIZE_SPACE, /* bad white space after them: only ";" may follow (RFC 9112 section 7.1.1) */
    EXTENSION,  /* after ";" up to CR */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START, /* first byte of a trailer line, or CR of the empty line that ends all */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    DONE,
};

#define SIZE_DIGITS_MAX 15 /* below 2^60: never overflows */

void h1_chunked_init(struct h1_chunked *c)
{
    *c = (struct h1_chunked){.state = SIZE};
}

static enum status bad(struct err *err, const char *text)
{
    return err_set(err, STATUS_INVALID, "The chunked body is malformed: %s.", text);
}

static enum status size_byte(struct h1_chunked *c, char ch, struct err *err)
{
    int digit = ch >= '0' && ch <= '9' ? ch - '0' : (ch | 32) >= 'a' && (ch | 32) <= 'f' ? (ch | 32) - 'a' + 10 : -1;
    if (++c->line > LIMIT_HTTP_CHUNK_EXTENSION)
        return bad(err, "a chunk extension is too long");
    if (c->state == SIZE && digit >= 0) {
        if (++c->digits > SIZE_DIGITS_MAX)
            return bad(err, "a chunk size is too large");
        c->left = c->left * 16 + digit;
        return STATUS_OK;
    }
    if (!c->digits)
        return bad(err, "a chunk size is missing");
    if (c->state == EXTENSION && ch != '\r') {
        if (((unsigned char)ch < 0x20 && ch != '\t') || ch == 0x7f)
            return bad(err, "control character in a chunk extension");
        return STATUS_OK;
    }
    if (ch == ';')
        c->state = EXTENSION;
    else if (ch == ' ' || ch == '\t')
        c->state = SIZE_SPACE;
    else if (ch == '\r' && c->state != SIZE_SPACE)
        c->state = SIZE_LF;
    else
        return bad(err, "unexpected character after a chunk size");
    return STATUS_OK;
}

/* RFC 9110 section 6.5.1: fields that say where a message ends or where it goes have no place behind it. */
static bool trailer_allowed(const struct h1_chunked *c)
{
    static const char *const names[] = {"content-length", "transfer-encoding", "host"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(str_make(c->name, c->name_n), str_of(names[i])))
            return false;
    return true;
}

static enum status trailer_byte(struct h1_chunked *c, char ch, struct err *err)
{
    if (++c->trail > LIMIT_HTTP_TRAILERS)
        return err_set(err, STATUS_HEADERS_TOO_LARGE, "The trailer fields of the body are too long.");
    if (c->state == TRAILER_START && ch == '\r') {
        c->state = END_LF;
    } else if (c->state == TRAILER_VALUE) {
        if (ch == '\r')
            c->state = TRAILER_LF;
        else if (!http_header_value_ok(str_make(&ch, 1)))
            return bad(err, "control character in a trailer field");
    } else if (ch == ':' && c->state == TRAILER_NAME) {
        c->state = TRAILER_VALUE;
        if (!trailer_allowed(c))
            return bad(err, "a trailer field that belongs into the head");
    } else if (http_token_ok(str_make(&ch, 1))) {
        if (c->state == TRAILER_START)
            c->name_n = 0;
        c->state = TRAILER_NAME;
        if (c->name_n < sizeof(c->name))
            c->name[c->name_n++] = ch;
    } else {
        return bad(err, "a trailer field has no valid name");
    }
    return STATUS_OK;
}

static enum status step(struct h1_chunked *c, char ch, struct err *err)
{
    switch (c->state) {
    case SIZE:
    case SIZE_SPACE:
    case EXTENSION:
        return size_byte(c, ch, err);
    case SIZE_LF:
        c->last = c->left == 0;
        c->state = c->last ? TRAILER_START : DATA;
        break;
    case DATA_CR:
        if (ch != '\r')
            return bad(err, "a chunk is longer than its size says");
        c->state = DATA_LF;
        return STATUS_OK;
    case DATA_LF:
        h1_chunked_init(c);
        break;
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return trailer_byte(c, ch, err);
    case TRAILER_LF:
        c->state = TRAILER_START;
        break;
    default: /* END_LF */
        c->state = DONE;
        break;
    }
    return ch == '\n' ? STATUS_OK : bad(err, "CR without LF");
}

enum status h1_chunked_decode(struct h1_chunked *c, str in, size_t *ret_used, str *ret_data, struct err *err)
{
    size_t i = 0;
    ASSERT(c->state != DONE);
    *ret_data = (str){NULL, 0};
    while (i < in.n) {
        if (c->state == DATA) {
            size_t n = (size_t)MIN(c->left, (int64_t)(in.n - i));
            *ret_data = str_sub(in, i, i + n);
            *ret_used = i + n;
            c->left -= (int64_t)n;
            if (!c->left)
                c->state = DATA_CR;
            return STATUS_AGAIN;
        }
        enum status st = step(c, in.p[i++], err);
        if (st != STATUS_OK)
            return st;
        if (c->state == DONE) {
            *ret_used = i;
            return STATUS_OK;
        }
    }
    *ret_used = i;
    return STATUS_AGAIN;
}

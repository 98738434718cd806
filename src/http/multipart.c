/* SPDX-License-Identifier: Apache-2.0 */
/* multipart — form-data parser.
 *
 * The body is searched for CRLF "--" boundary. Everything before a possible beginning of that delimiter is handed on at
 * once; only those bytes that could still turn out to be part of it (at most 4 + 70) are kept for the next piece, so
 * the result does not depend on how the body was cut. The first delimiter has no CRLF of its own: the parser starts as
 * if one had been seen.
 *
 * States: PREAMBLE -> AFTER (just behind a delimiter) -> HEADERS -> DATA -> AFTER ... -> EPILOGUE ("--" behind it). */
#include "http/multipart.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "http/headers.h"

#define BOUNDARY_MAX 70

enum { PREAMBLE, AFTER, HEADERS, DATA, EPILOGUE };

struct multipart {
    const struct multipart_sink *sink;
    size_t parts, max_parts;
    int state;
    char delimiter[BOUNDARY_MAX + 5]; /* "\r\n--boundary" */
    size_t delimiter_n;
    struct buf held; /* bytes not understood yet */
    struct arena *arena;
};

static bool boundary_ok(str b)
{
    if (!b.n || b.n > BOUNDARY_MAX || b.p[b.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < b.n; i++) {
        char c = b.p[i];
        if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || memchr("'()+_,-./:=? ", c, 13)))
            return false;
    }
    return true;
}

/* Takes `; name=value` off the front of *rest; value unquoted only by its quotes. False at the end or when malformed.
 */
static bool next_parameter(str *rest, str *ret_name, str *ret_value)
{
    size_t i = 0;
    while (i < rest->n && (rest->p[i] == ';' || rest->p[i] == ' ' || rest->p[i] == '\t'))
        i++;
    size_t name = i;
    while (i < rest->n && rest->p[i] != '=' && rest->p[i] != ';')
        i++;
    if (i >= rest->n || rest->p[i] != '=')
        return false;
    *ret_name = str_trim(str_sub(*rest, name, i++));
    size_t value = i;
    if (i < rest->n && rest->p[i] == '"') {
        value = ++i;
        while (i < rest->n && rest->p[i] != '"')
            i += rest->p[i] == '\\' && i + 1 < rest->n && (rest->p[i + 1] == '"' || rest->p[i + 1] == '\\') ? 2 : 1;
        if (i >= rest->n)
            return false;
        *ret_value = str_sub(*rest, value, i++);
    } else {
        while (i < rest->n && rest->p[i] != ';')
            i++;
        *ret_value = str_trim(str_sub(*rest, value, i));
    }
    *rest = str_from(*rest, i);
    return true;
}

str multipart_boundary(str content_type)
{
    str type, rest, name, value;
    str_cut(content_type, ';', &type, &rest);
    if (!str_eq_nocase(str_trim(type), STR("multipart/form-data")))
        return (str){NULL, 0};
    while (next_parameter(&rest, &name, &value))
        if (str_eq_nocase(name, STR("boundary")))
            return boundary_ok(value) ? value : (str){NULL, 0};
    return (str){NULL, 0};
}

struct multipart *multipart_new(str boundary, size_t max_parts, const struct multipart_sink *sink)
{
    ASSERT(boundary_ok(boundary));
    struct multipart *m = MEM_NEW(struct multipart);
    m->sink = sink;
    m->max_parts = max_parts;
    m->delimiter_n = 4 + boundary.n;
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.p, boundary.n);
    buf_init(&m->held, LIMIT_HTTP_MULTIPART_HEAD + sizeof(m->delimiter));
    buf_put(&m->held, "\r\n", 2);
    m->arena = arena_new(LIMIT_HTTP_MULTIPART_HEAD * 4);
    return m;
}

void multipart_free(struct multipart *m)
{
    if (!m)
        return;
    buf_release(&m->held);
    arena_free(m->arena);
    free(m);
}

/* Browsers write a quote in a name as %22 (HTML standard), older ones as \"; both stay as sent but for the latter. */
static str unescape(struct arena *a, str v)
{
    if (str_find_char(v, '\\') == STR_NPOS)
        return v;
    char *out = arena_alloc_raw(a, v.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '\\' && i + 1 < v.n && (v.p[i + 1] == '"' || v.p[i + 1] == '\\'))
            i++;
        out[n++] = v.p[i];
    }
    return str_make(out, n);
}

static enum status parse_header(struct multipart *m, str line, struct multipart_part *part, struct err *err)
{
    str name, value, key, v;
    if (!str_cut(line, ':', &name, &value) || !http_token_ok(name) || !http_header_value_ok(value))
        return err_set(err, STATUS_INVALID, "The form is malformed: part %zu has a bad header line.", m->parts);
    value = str_trim(value);
    if (str_eq_nocase(name, STR("content-type")))
        part->content_type = value;
    if (!str_eq_nocase(name, STR("content-disposition")))
        return STATUS_OK;
    str type, rest;
    str_cut(value, ';', &type, &rest);
    if (!str_eq_nocase(str_trim(type), STR("form-data")))
        return err_set(err, STATUS_INVALID, "The form is malformed: part %zu is no form-data.", m->parts);
    while (next_parameter(&rest, &key, &v)) {
        if (str_eq_nocase(key, STR("name")))
            part->name = unescape(m->arena, v);
        else if (str_eq_nocase(key, STR("filename")))
            part->filename = unescape(m->arena, v);
    }
    return STATUS_OK;
}

static enum status begin_part(struct multipart *m, str block, struct err *err)
{
    struct multipart_part part = {.content_type = STR("")};
    arena_reset(m->arena);
    block = arena_str(m->arena, block);
    while (block.n) {
        size_t end = str_find(block, STR("\r\n"));
        enum status st = parse_header(m, str_sub(block, 0, end), &part, err);
        if (st != STATUS_OK)
            return st;
        block = end == STR_NPOS ? STR("") : str_from(block, end + 2);
    }
    if (!part.name.p)
        return err_set(err, STATUS_INVALID, "The form is malformed: part %zu has no name.", m->parts);
    return m->sink->begin(m->sink->arg, &part, err);
}

/* PREAMBLE and DATA: hands on what cannot be the delimiter. Sets *ret_used; AGAIN = more input is needed. */
static enum status step_data(struct multipart *m, str in, size_t *ret_used, struct err *err)
{
    str delimiter = str_make(m->delimiter, m->delimiter_n);
    size_t at = str_find(in, delimiter), safe = at;
    if (at == STR_NPOS) {
        /* The longest end of `in` that is a beginning of the delimiter stays. */
        size_t keep = MIN(in.n, delimiter.n - 1);
        while (keep && memcmp(in.p + in.n - keep, delimiter.p, keep) != 0)
            keep--;
        safe = in.n - keep;
    }
    if (m->state == DATA && safe) {
        enum status st = m->sink->data(m->sink->arg, str_sub(in, 0, safe), err);
        if (st != STATUS_OK)
            return st;
    }
    *ret_used = safe;
    if (at == STR_NPOS)
        return STATUS_AGAIN;
    *ret_used = at + delimiter.n;
    enum status st = m->state == DATA ? m->sink->end(m->sink->arg, err) : STATUS_OK;
    m->state = AFTER;
    return st;
}

/* Behind a delimiter: "--" ends the form, CRLF begins a part; blanks before it are padding (RFC 2046 section 5.1.1). */
static enum status step_after(struct multipart *m, str in, size_t *ret_used, struct err *err)
{
    if (in.n < 2)
        return STATUS_AGAIN;
    if (str_starts(in, STR("--"))) {
        m->state = EPILOGUE;
        *ret_used = 2;
        return STATUS_OK;
    }
    if (in.p[0] == ' ' || in.p[0] == '\t') {
        *ret_used = 1;
        return STATUS_OK;
    }
    if (!str_starts(in, STR("\r\n")))
        return err_set(err, STATUS_INVALID, "The form is malformed: unexpected bytes after a boundary.");
    if (++m->parts > m->max_parts)
        return err_set(err, STATUS_TOO_LARGE, "The form has more than %zu fields.", m->max_parts);
    m->state = HEADERS;
    *ret_used = 2;
    return STATUS_OK;
}

static enum status step_headers(struct multipart *m, str in, size_t *ret_used, struct err *err)
{
    size_t end = str_starts(in, STR("\r\n")) ? 0 : str_find(in, STR("\r\n\r\n"));
    size_t length = end == STR_NPOS ? in.n : end;
    if (length > LIMIT_HTTP_MULTIPART_HEAD)
        return err_set(err, STATUS_TOO_LARGE, "The form is malformed: the headers of part %zu are too long.", m->parts);
    if (end == STR_NPOS)
        return STATUS_AGAIN;
    *ret_used = end ? end + 4 : 2;
    enum status st = begin_part(m, str_sub(in, 0, end), err);
    m->state = DATA;
    /* An empty body: its delimiter's CRLF may be the one that ended the headers. Not so here: a part without content
     * has the CRLF of its own, as all senders write it. */
    return st;
}

static enum status step(struct multipart *m, str in, size_t *ret_used, struct err *err)
{
    *ret_used = 0;
    switch (m->state) {
    case PREAMBLE:
    case DATA:
        return step_data(m, in, ret_used, err);
    case AFTER:
        return step_after(m, in, ret_used, err);
    case HEADERS:
        return step_headers(m, in, ret_used, err);
    default: /* the epilogue is nobody's */
        *ret_used = in.n;
        return STATUS_AGAIN;
    }
}

enum status multipart_feed(struct multipart *m, str bytes, struct err *err)
{
    while (bytes.n) {
        /* What is held is short; joining it with a bounded piece keeps every step on contiguous bytes. */
        size_t n = MIN(bytes.n, m->held.max - m->held.n);
        bool joined = m->held.n > 0;
        str in = bytes;
        if (joined) {
            buf_put(&m->held, bytes.p, n);
            in = buf_str(&m->held);
            bytes = str_from(bytes, n);
        } else {
            bytes = STR("");
        }
        enum status st = STATUS_OK;
        while (st == STATUS_OK) {
            size_t used = 0;
            st = step(m, in, &used, err);
            in = str_from(in, used);
        }
        if (st != STATUS_AGAIN)
            return st;
        if (joined) {
            buf_consume(&m->held, m->held.n - in.n);
        } else {
            buf_puts(&m->held, in);
        }
        if (m->held.over)
            return err_set(err, STATUS_TOO_LARGE, "The form is malformed: the headers of a part are too long.");
    }
    return STATUS_OK;
}

enum status multipart_finish(struct multipart *m, struct err *err)
{
    if (m->state != EPILOGUE)
        return err_set(err, STATUS_INVALID, "The form is cut off: its closing boundary is missing.");
    return STATUS_OK;
}

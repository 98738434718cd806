/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/jsplit.h"

void jsplit_init(struct jsplit *s, enum status (*read)(void *arg, struct buf *to, bool *ret_end, struct err *err),
                 void *arg, size_t most, bool whole)
{
    *s = (struct jsplit){.read = read, .arg = arg, .most = most, .whole = whole};
    buf_init(&s->buf, SIZE_MAX);
}

void jsplit_release(struct jsplit *s)
{
    buf_release(&s->buf);
}

static enum status more(struct jsplit *s, struct err *err)
{
    if (s->at) { /* what was given is not needed any more */
        buf_consume(&s->buf, s->at);
        s->at = 0;
    }
    return s->read(s->arg, &s->buf, &s->end, err);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* To the next byte that is no white space. AGAIN: there is one. OK: the text is at its end. */
static enum status skip_space(struct jsplit *s, struct err *err)
{
    for (;;) {
        for (; s->at < s->buf.n && is_space(s->buf.p[s->at]); s->at++)
            s->lines += s->buf.p[s->at] == '\n';
        if (s->at < s->buf.n)
            return STATUS_AGAIN;
        if (s->end)
            return STATUS_OK;
        enum status st = more(s, err);
        if (st != STATUS_OK)
            return st;
    }
}

static enum status begin(struct jsplit *s, struct err *err)
{
    enum status st = STATUS_OK;
    while (st == STATUS_OK && s->buf.n < 3 && !s->end)
        st = more(s, err);
    if (st != STATUS_OK)
        return st;
    if (str_starts(buf_str(&s->buf), STR("\xef\xbb\xbf")))
        s->at = 3;
    s->begun = true;
    st = skip_space(s, err);
    if (st != STATUS_AGAIN)
        return st;
    s->array = s->buf.p[s->at] == '[';
    s->whole = s->whole && s->buf.p[s->at] == '{';
    s->at += s->array;
    return STATUS_OK;
}

struct scan {
    size_t at, depth;
    bool text, escaped;
};

/* Looks on from where it was. True: the record ends before scan->at (ARRAY: a scalar's end is the byte behind it). */
static bool scan_array(struct scan *c, str in)
{
    for (; c->at < in.n; c->at++) {
        char b = in.p[c->at];
        if (c->text) {
            c->text = c->escaped || b != '"';
            c->escaped = !c->escaped && b == '\\';
            if (!c->text && !c->depth) {
                c->at++;
                return true;
            }
        } else if (b == '"') {
            c->text = true;
        } else if (b == '{' || b == '[') {
            c->depth++;
        } else if (b == '}' || b == ']') {
            if (!c->depth)
                return true; /* the end of the list behind a scalar */
            if (!--c->depth) {
                c->at++;
                return true;
            }
        } else if (!c->depth && (b == ',' || is_space(b))) {
            return true;
        }
    }
    return false;
}

static bool scan_line(struct scan *c, str in)
{
    size_t end = str_find_char(str_from(in, c->at), '\n');
    c->at = end == STR_NPOS ? in.n : c->at + end;
    return end != STR_NPOS;
}

static enum status too_large(const struct jsplit *s, struct err *err)
{
    return err_set(err, STATUS_TOO_LARGE, "line %llu: the record is larger than %zu bytes",
                   (unsigned long long)s->lines + 1, s->most);
}

static enum status take(struct jsplit *s, str *ret, struct err *err)
{
    struct scan c = {0};
    for (;;) {
        str in = str_from(buf_str(&s->buf), s->at);
        bool found = s->whole ? (c.at = in.n, false) : s->array ? scan_array(&c, in) : scan_line(&c, in);
        if (c.at > s->most)
            return too_large(s, err);
        if (found || s->end)
            break;
        enum status st = more(s, err);
        if (st != STATUS_OK)
            return st;
    }
    str record = str_sub(str_from(buf_str(&s->buf), s->at), 0, c.at);
    s->line = s->lines + 1;
    s->record++;
    for (size_t i = 0; i < record.n; i++)
        s->lines += record.p[i] == '\n';
    s->at += record.n;
    *ret = str_trim(record);
    return STATUS_AGAIN;
}

/* Between two records of a list: a comma or its end. OK: there are no more records. */
static enum status next_in_array(struct jsplit *s, struct err *err)
{
    unsigned long long line;
    enum status st = skip_space(s, err);
    line = s->lines + 1;
    if (st == STATUS_OK)
        return err_set(err, STATUS_INVALID, "line %llu: the list is not closed: is a part of it missing?", line);
    if (st != STATUS_AGAIN)
        return st;
    char b = s->buf.p[s->at];
    if (b == ']' && !s->after_comma) {
        s->at++;
        s->finished = true;
        st = skip_space(s, err);
        return st == STATUS_AGAIN ? err_set(err, STATUS_INVALID, "line %llu: there is text behind the list", line) : st;
    }
    if (s->record && !s->after_comma) {
        if (b != ',')
            return err_set(err, STATUS_INVALID, "line %llu: a comma or ] is missing behind record %llu", line,
                           (unsigned long long)s->record);
        s->at++;
        s->after_comma = true;
        return next_in_array(s, err);
    }
    if (b == ']' || b == ',' || b == '}')
        return err_set(err, STATUS_INVALID, "line %llu: a record is missing before %c", line, b);
    s->after_comma = false;
    return STATUS_AGAIN;
}

enum status jsplit_next(struct jsplit *s, str *ret, struct err *err)
{
    enum status st = s->begun ? STATUS_OK : begin(s, err);
    if (st != STATUS_OK || s->finished)
        return st;
    st = s->array ? next_in_array(s, err) : skip_space(s, err);
    return st == STATUS_AGAIN ? take(s, ret, err) : st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* answer — strict where a lenient reader would hide a fault: two lengths, a length beside chunks, a broken line, bytes
 * that are no field. A judge must not repair what it judges, so this shares no code with the server but the decoder of
 * chunks. Tests: tests/unit/prove/test_answer.c, tests/fuzz/fuzz_answer.c. */
#include "prove/answer.h"

#include "base/limits.h"
#include "http/headers.h"

void answer_init(struct answer *a)
{
    *a = (struct answer){0};
    buf_init(&a->head, LIMIT_PROVE_HEAD);
}

void answer_release(struct answer *a)
{
    buf_release(&a->head);
}

void answer_begin(struct answer *a)
{
    struct buf head = a->head;
    buf_clear(&head);
    *a = (struct answer){.head = head};
}

static enum status wrong(struct err *err, const char *what, str text)
{
    return err_set(err, STATUS_PROTOCOL, "%s: \"%.*s\"", what, (int)MIN(text.n, (size_t)200), text.n ? text.p : "");
}

static enum status status_line(struct answer *a, str line, int *ret_minor, struct err *err)
{
    bool fits = line.n >= 12 && str_starts(line, STR("HTTP/1.")) && line.p[8] == ' ' &&
                (line.n == 12 || line.p[12] == ' ') && str_all_digits(str_sub(line, 9, 12)) &&
                str_all_digits(str_sub(line, 7, 8));
    if (!fits)
        return wrong(err, "no status line", line);
    a->status = (line.p[9] - '0') * 100 + (line.p[10] - '0') * 10 + (line.p[11] - '0');
    *ret_minor = line.p[7] - '0';
    return a->status < 100 ? wrong(err, "no status", line) : STATUS_OK;
}

/* Is `token` one of the comma-separated ones? */
static bool has_token(str list, str token)
{
    while (list.n) {
        str one;
        str_cut(list, ',', &one, &list);
        if (str_eq_nocase(str_trim(one), token))
            return true;
    }
    return false;
}

struct framing {
    int64_t length; /* -1 = not told */
    bool chunked, close, keep;
};

static enum status field(struct answer *a, struct framing *f, str line, struct err *err)
{
    str name, value;
    if (!str_cut(line, ':', &name, &value) || !http_token_ok(name))
        return wrong(err, "no header field", line);
    value = str_trim(value);
    if (!http_header_value_ok(value))
        return wrong(err, "a control byte in a header field", name);
    if (str_eq_nocase(name, STR("content-length"))) {
        int64_t n;
        if (f->length >= 0)
            return wrong(err, "two lengths", line);
        if (!str_all_digits(value) || !str_to_i64(value, &n))
            return wrong(err, "no length", line);
        f->length = n;
    } else if (str_eq_nocase(name, STR("transfer-encoding"))) {
        if (f->chunked || !str_eq_nocase(value, STR("chunked")))
            return wrong(err, "a transfer coding that was not asked for", line);
        f->chunked = true;
    } else if (str_eq_nocase(name, STR("connection"))) {
        f->close |= has_token(value, STR("close"));
        f->keep |= has_token(value, STR("keep-alive"));
    } else if (str_eq_nocase(name, STR("prove-id"))) {
        if (a->has_id || !str_to_u64(value, &a->id))
            return wrong(err, "no id, or two", line);
        a->has_id = true;
    }
    return STATUS_OK;
}

static enum status head(struct answer *a, struct err *err)
{
    struct framing f = {.length = -1};
    str rest = buf_str(&a->head), line;
    int minor = 1;
    enum status st = STATUS_OK;
    for (bool first = true; st == STATUS_OK && rest.n; first = false) {
        str_cut(rest, '\n', &line, &rest);
        if (!line.n || line.p[line.n - 1] != '\r')
            return wrong(err, "a line that does not end with CR LF", line);
        line.n--;
        if (!first && !line.n)
            break;
        st = first ? status_line(a, line, &minor, err) : field(a, &f, line, err);
    }
    if (st != STATUS_OK)
        return st;
    if (f.chunked && f.length >= 0)
        return err_set(err, STATUS_PROTOCOL, "a length and chunks in one answer");
    a->close = f.close || (minor == 0 && !f.keep);
    bool none = a->status == 204 || a->status == 304 || a->status < 200;
    if (none || f.length == 0) {
        a->phase = ANSWER_DONE;
    } else if (f.chunked) {
        a->phase = ANSWER_CHUNKED;
        h1_chunked_init(&a->chunked);
    } else if (f.length > 0) {
        a->phase = ANSWER_SIZED;
        a->left = (uint64_t)f.length;
    } else {
        a->phase = ANSWER_TO_CLOSE;
        a->close = true;
    }
    return STATUS_OK;
}

/* Takes bytes up to the empty line. */
static enum status read_head(struct answer *a, str in, size_t *ret_used, struct err *err)
{
    size_t used = 0;
    while (used < in.n) {
        const char *nl = memchr(in.p + used, '\n', in.n - used);
        size_t end = nl ? (size_t)(nl - in.p) + 1 : in.n;
        buf_put(&a->head, in.p + used, end - used);
        used = end;
        *ret_used = used;
        if (a->head.over)
            return err_set(err, STATUS_PROTOCOL, "the head of the answer is longer than %d bytes", LIMIT_PROVE_HEAD);
        if (!nl || !str_ends(buf_str(&a->head), STR("\r\n\r\n")))
            continue;
        enum status st = head(a, err);
        if (st != STATUS_OK)
            return st;
        if (a->status < 200 && a->status != 101) { /* 100 (Continue) and such: the answer is still to come */
            answer_begin(a);
            continue;
        }
        return a->phase == ANSWER_DONE ? STATUS_OK : STATUS_AGAIN;
    }
    return STATUS_AGAIN;
}

static enum status give(struct answer *a, str in, size_t n, size_t *ret_used, str *ret_piece)
{
    *ret_piece = str_sub(in, 0, n);
    *ret_used = n;
    a->seen += n;
    return STATUS_AGAIN;
}

enum status answer_read(struct answer *a, str in, size_t *ret_used, str *ret_piece, struct err *err)
{
    enum status st = STATUS_AGAIN;
    *ret_used = 0;
    *ret_piece = (str){0};
    a->started |= in.n > 0;
    switch (a->phase) {
    case ANSWER_HEAD:
        return read_head(a, in, ret_used, err);
    case ANSWER_SIZED:
        give(a, in, MIN(in.n, a->left), ret_used, ret_piece);
        a->left -= *ret_used;
        st = a->left ? STATUS_AGAIN : STATUS_OK;
        break;
    case ANSWER_CHUNKED:
        st = h1_chunked_decode(&a->chunked, in, ret_used, ret_piece, err);
        a->seen += ret_piece->n;
        if (st != STATUS_OK && st != STATUS_AGAIN)
            return err_set(err, STATUS_PROTOCOL, "the chunks of the answer are wrong");
        break;
    case ANSWER_TO_CLOSE:
        return give(a, in, in.n, ret_used, ret_piece);
    case ANSWER_DONE:
        return STATUS_OK;
    }
    if (st == STATUS_OK)
        a->phase = ANSWER_DONE;
    return st;
}

enum status answer_end(struct answer *a)
{
    if (a->phase != ANSWER_TO_CLOSE)
        return STATUS_CLOSED;
    a->phase = ANSWER_DONE;
    return STATUS_OK;
}

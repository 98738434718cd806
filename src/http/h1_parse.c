/* SPDX-License-Identifier: Apache-2.0 */
/* h1_parse — heads of requests and of answers, one finished line at a time. An answer differs by its first line and by
 * what a fault means: the app lied, so the status is 502; its fields and their framing are read by the same code.
 *
 * Why strict: a request that two programs cut differently is a way to smuggle a second one past the first. So what RFC
 * 9112 lets a server repair is refused here: bare LF, obs-fold, white space before the colon, several Content-Length
 * fields even when equal, Content-Length beside Transfer-Encoding, any transfer coding but one "chunked".
 *
 * How: the buffer is searched for LF from where the last call stopped; every complete line is read once and remembered
 * as offsets; the empty line turns offsets into slices.
 *
 * Invariants: (1) `line` <= `scanned` <= bytes given. (2) The order of checks on a line is the same whether the line
 * came whole or in pieces: first byte, length, line end, content. Hence any cut of the input gives the same result (the
 * fuzz target cuts everywhere). (3) After a failure the parser is not called again.
 *
 * Not here: request targets (uri.c), bodies (h1_chunked.c), what follows from a limit (h1_conn.c).
 * Tests: tests/unit/http/test_h1_parse.c, tests/fuzz/fuzz_http1.c, tests/http/test_h11_oracle.py. */
#include "http/h1_parse.h"

#include "http/uri.h"

void h1_parser_init(struct h1_parser *p, const struct h1_limits *limits)
{
    ASSERT(limits->line_bytes < limits->head_bytes && limits->head_bytes <= LIMIT_HTTP_HEAD &&
           limits->header_count <= LIMIT_HTTP_HEADERS);
    memset(p, 0, offsetof(struct h1_parser, spans));
    p->limits = *limits;
    p->content_length = -1;
}

void h1_parser_init_answer(struct h1_parser *p, const struct h1_limits *limits)
{
    h1_parser_init(p, limits);
    p->answer = true;
}

static enum status fail(struct h1_parser *p, int http_status, struct err *err, const char *text)
{
    if (p->answer) {
        p->http_status = 502;
        return err_set(err, STATUS_PROTOCOL, "%s", text);
    }
    enum status st = http_status == 413   ? STATUS_TOO_LARGE
                     : http_status == 414 ? STATUS_URI_TOO_LONG
                     : http_status == 431 ? STATUS_HEADERS_TOO_LARGE
                     : http_status == 501 ? STATUS_NOT_IMPLEMENTED
                                          : STATUS_INVALID;
    p->http_status = http_status;
    return err_set(err, st, "%s", text);
}

/* RFC 9112 section 2.3: HTTP/DIGIT.DIGIT, case counts. */
static enum status parse_version(struct h1_parser *p, str v, struct err *err)
{
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[5] < '0' || v.p[5] > '9' || v.p[6] != '.' || v.p[7] < '0' ||
        v.p[7] > '9')
        return fail(p, 400, err, "The request line does not end with an HTTP version.");
    if (v.p[5] != '1')
        return fail(p, 505, err, "This server speaks HTTP/1.0 and HTTP/1.1.");
    p->minor = v.p[7] > '0';
    return STATUS_OK;
}

/* RFC 9112 section 3: method SP request-target SP HTTP-version, single spaces only. */
static enum status parse_request_line(struct h1_parser *p, str line, struct err *err)
{
    str method, target, version, rest;
    if (!str_cut(line, ' ', &method, &rest) || !http_token_ok(method))
        return fail(p, 400, err, "The request line does not begin with a method and a space.");
    if (method.n > LIMIT_HTTP_METHOD)
        return fail(p, 501, err, "The method is too long.");
    if (!str_cut(rest, ' ', &target, &version))
        return fail(p, 400, err, "The request line has no HTTP version.");
    enum status st = parse_version(p, version, err);
    if (st != STATUS_OK)
        return st;
    struct uri_target parts;
    st = uri_parse_target(target, str_is(method, "OPTIONS"), str_is(method, "CONNECT"), &parts, err);
    if (st != STATUS_OK) {
        p->http_status = 400;
        return st;
    }
    p->method_n = (uint32_t)method.n;
    p->target = (uint32_t)(p->line + method.n + 1);
    p->target_n = (uint32_t)target.n;
    p->got_first_line = true;
    return STATUS_OK;
}

/* RFC 9112 section 4: HTTP-version SP 3DIGIT [SP reason]. The space before an empty reason is often left out. */
static enum status parse_status_line(struct h1_parser *p, str line, struct err *err)
{
    str version, rest, reason;
    int64_t status;
    if (!str_cut(line, ' ', &version, &rest) || version.n != 8 || memcmp(version.p, "HTTP/1.", 7) != 0 ||
        version.p[7] < '0' || version.p[7] > '9')
        return fail(p, 502, err, "The answer does not begin with HTTP/1.0 or HTTP/1.1.");
    str digits = str_sub(rest, 0, 3);
    if (digits.n != 3 || !str_all_digits(digits) || !str_to_i64(digits, &status) || status < 100 || status > 599 ||
        (rest.n > 3 && rest.p[3] != ' '))
        return fail(p, 502, err, "The first line of the answer has no status from 100 to 599.");
    reason = str_from(rest, 4);
    if (!http_header_value_ok(reason))
        return fail(p, 502, err, "The first line of the answer holds a control character.");
    p->minor = version.p[7] > '0';
    p->status = (uint16_t)status;
    p->target = (uint32_t)(p->line + MIN(version.n + 5, line.n));
    p->target_n = (uint32_t)reason.n;
    p->got_first_line = true;
    return STATUS_OK;
}

static enum status note_content_length(struct h1_parser *p, str value, struct err *err)
{
    int64_t n;
    if (p->got_length)
        return fail(p, 400, err, "There are several Content-Length fields.");
    if (!str_all_digits(value))
        return fail(p, 400, err, "Content-Length is not a number.");
    if (!str_to_i64(value, &n))
        return fail(p, 413, err, "Content-Length is too large.");
    p->got_length = true;
    p->content_length = n;
    return STATUS_OK;
}

/* RFC 9112 section 6.1: chunked comes last and once. */
static enum status note_transfer_encoding(struct h1_parser *p, str value, struct err *err)
{
    str item;
    bool any = false;
    while (http_list_next(&value, &item)) {
        any = true;
        if (p->chunked)
            return fail(p, 400, err, "A transfer coding follows \"chunked\".");
        if (str_eq_nocase(item, STR("chunked")))
            p->chunked = true;
        else
            p->bad_coding = true;
    }
    if (!any)
        return fail(p, 400, err, "Transfer-Encoding is empty.");
    p->got_coding = true;
    return STATUS_OK;
}

static enum status note_host(struct h1_parser *p, str value, struct err *err)
{
    if (p->host) /* RFC 9112 section 3.2 */
        return fail(p, 400, err, "There are several Host fields.");
    if (!uri_authority_ok(value))
        return fail(p, 400, err, "The Host field is not valid.");
    p->host = p->count; /* the field was counted already: index plus 1 */
    return STATUS_OK;
}

static enum status note_field(struct h1_parser *p, str name, str value, struct err *err)
{
    switch (name.n) {
    case 4:
        if (!p->answer && str_eq_nocase(name, STR("host")))
            return note_host(p, value, err);
        break;
    case 6:
        /* Other expectations are ignored, as RFC 9110 section 10.1.1 allows. */
        if (str_eq_nocase(name, STR("expect")) && str_eq_nocase(value, STR("100-continue")))
            p->expect_continue = true;
        break;
    case 10:
        if (str_eq_nocase(name, STR("connection"))) {
            p->close = p->close || http_list_has(value, STR("close"));
            p->keep = p->keep || http_list_has(value, STR("keep-alive"));
        }
        break;
    case 14:
        if (str_eq_nocase(name, STR("content-length")))
            return note_content_length(p, value, err);
        break;
    case 17:
        if (str_eq_nocase(name, STR("transfer-encoding")))
            return note_transfer_encoding(p, value, err);
        break;
    default:
        break;
    }
    return STATUS_OK;
}

/* RFC 9112 section 5: field-name ":" OWS field-value OWS */
static enum status parse_field(struct h1_parser *p, str line, struct err *err)
{
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return fail(p, 400, err, "A header line begins with white space (folded lines are refused).");
    size_t colon = str_find_char(line, ':');
    str name = str_sub(line, 0, colon == STR_NPOS ? 0 : colon);
    if (!http_token_ok(name))
        return fail(p, 400, err, "A header line does not begin with a valid name and a colon.");
    size_t from = colon + 1, to = line.n;
    while (from < to && (line.p[from] == ' ' || line.p[from] == '\t'))
        from++;
    while (to > from && (line.p[to - 1] == ' ' || line.p[to - 1] == '\t'))
        to--;
    str value = str_sub(line, from, to);
    if (!http_header_value_ok(value))
        return fail(p, 400, err, "A header value holds a control character.");
    if (p->count >= p->limits.header_count)
        return fail(p, 431, err, "There are too many header fields.");
    p->spans[p->count++] = (struct h1_span){.name = p->line,
                                            .name_n = (uint32_t)name.n,
                                            .value = (uint32_t)(p->line + from),
                                            .value_n = (uint32_t)(to - from)};
    return note_field(p, name, value, err);
}

static enum status check_framing(struct h1_parser *p, struct err *err)
{
    if (p->minor > 0 && !p->host && !p->answer)
        return fail(p, 400, err, "An HTTP/1.1 request must have a Host field.");
    if (p->got_coding && p->got_length) /* RFC 9112 section 6.3, item 3 */
        return fail(p, 400, err, "The message has both Content-Length and Transfer-Encoding.");
    if (p->got_coding && p->minor == 0) /* RFC 9112 section 6.1, last paragraph */
        return fail(p, 400, err, "An HTTP/1.0 message may not have Transfer-Encoding.");
    if (p->bad_coding)
        return fail(p, 501, err, "The only transfer coding this server knows is \"chunked\".");
    return STATUS_OK;
}

void h1_parser_head(const struct h1_parser *p, str in, struct http_header *storage, struct h1_head *ret)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct h1_span *s = &p->spans[i];
        storage[i] = (struct http_header){str_make(in.p + s->name, s->name_n), str_make(in.p + s->value, s->value_n)};
    }
    *ret = (struct h1_head){
        .method = p->answer ? (str){NULL, 0} : str_make(in.p + p->target - 1 - p->method_n, p->method_n),
        .target = p->answer ? (str){NULL, 0} : str_make(in.p + p->target, p->target_n),
        .status = p->status,
        .reason = p->answer ? str_make(in.p + p->target, p->target_n) : (str){NULL, 0},
        .minor = p->minor,
        .headers = {.items = storage, .count = p->count, .cap = p->count},
        .host = p->host ? storage[p->host - 1].value : (str){NULL, 0},
        .content_length = p->content_length,
        .chunked = p->chunked,
        .keep_alive = !p->close && (p->minor > 0 || p->keep),
        .expect_continue = p->expect_continue && p->minor > 0,
        .bytes = p->scanned,
    };
}

/* What can be said about a line that starts at p->line and of which `have` bytes (without its LF) are known. */
static enum status check_partial(struct h1_parser *p, str in, size_t have, struct err *err)
{
    if (!p->got_first_line) {
        if (have && !p->answer && !http_token_ok(str_make(in.p + p->line, 1)) && in.p[p->line] != '\r')
            return fail(p, 400, err, "The request does not begin with a method.");
        if (have && p->answer && in.p[p->line] != 'H')
            return fail(p, 502, err, "The answer does not begin with HTTP/1.0 or HTTP/1.1.");
        /* One byte more is the CR. */
        if (have > p->limits.line_bytes + 1)
            return fail(p, 414, err, "The first line is too long.");
    } else if (p->line + have >= p->limits.head_bytes) { /* >=: its LF would be one too many */
        return fail(p, 431, err, "The header fields are too long.");
    }
    return STATUS_OK;
}

static enum status parse_line(struct h1_parser *p, str line, struct err *err)
{
    if (p->got_first_line)
        return parse_field(p, line, err);
    return p->answer ? parse_status_line(p, line, err) : parse_request_line(p, line, err);
}

static enum status parse_head(struct h1_parser *p, str in, struct http_header *storage, struct h1_head *ret,
                              struct err *err)
{
    for (;;) {
        const char *lf = p->scanned < in.n ? memchr(in.p + p->scanned, '\n', in.n - p->scanned) : NULL;
        size_t end = lf ? (size_t)(lf - in.p) : in.n;
        p->started = p->started || (end > p->line && in.p[p->line] != '\r');
        enum status st = check_partial(p, in, end - p->line, err);
        if (st != STATUS_OK)
            return st;
        if (!lf) {
            p->scanned = (uint32_t)in.n;
            return STATUS_AGAIN;
        }
        if (end == p->line || in.p[end - 1] != '\r') /* RFC 9112 section 2.2 would let us accept it */
            return fail(p, 400, err, "A line ends with LF alone; it must end with CR LF.");
        str line = str_make(in.p + p->line, end - 1 - p->line);
        if (line.n) {
            st = parse_line(p, line, err);
        } else if (p->got_first_line) {
            p->scanned = (uint32_t)(end + 1);
            st = check_framing(p, err);
            if (st == STATUS_OK)
                h1_parser_head(p, in, storage, ret);
            return st;
        } else if (p->line > 0) { /* one empty line before the request is let pass (RFC 9112 section 2.2) */
            st = fail(p, 400, err, "There is more than one empty line before the request.");
        }
        if (st != STATUS_OK)
            return st;
        p->line = p->scanned = (uint32_t)(end + 1);
    }
}

enum status h1_parse_request(struct h1_parser *p, str in, struct http_header *storage, struct h1_head *ret,
                             struct err *err)
{
    ASSERT(!p->answer);
    return parse_head(p, in, storage, ret, err);
}

enum status h1_parse_answer(struct h1_parser *p, str in, struct http_header *storage, struct h1_head *ret,
                            struct err *err)
{
    ASSERT(p->answer);
    return parse_head(p, in, storage, ret, err);
}

enum h1_body h1_answer_body(const struct h1_head *h, bool to_head)
{
    if (to_head || h->status < 200 || h->status == 204 || h->status == 304)
        return H1_BODY_NONE;
    if (h->chunked)
        return H1_BODY_CHUNKED;
    return h->content_length >= 0 ? H1_BODY_LENGTH : H1_BODY_CLOSE;
}

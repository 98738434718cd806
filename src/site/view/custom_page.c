/* SPDX-License-Identifier: Apache-2.0 */
/* custom_page — templates that are pages of their own, found by the address.
 *
 * A template of the very name goes first; then those with {variables} in the order of their names. A variable is any
 * part of one path segment, an empty one too, and takes as much as it can, as Datasette's regular expressions do; its
 * value is the text of the address, undecoded. */
#include "site/view/custom_page.h"

#include "base/limits.h"
#include "site/render/functions.h"
#include "site/render/page.h"
#include "site/template_files.h"
#include "template/eval.h"

#define PIECES_MAX 64 /* texts and variables of one pattern; a template with more is no page */

/* ---- which template ---- */

struct piece {
    str text; /* as it stands in the path; of a variable: its name */
    bool variable;
};

static size_t split(str pattern, struct piece pieces[PIECES_MAX])
{
    size_t n = 0;
    while (pattern.n && n < PIECES_MAX) {
        size_t open = str_find_char(pattern, '{');
        size_t close = open == STR_NPOS ? STR_NPOS : str_find_char(str_from(pattern, open), '}');
        if (close == STR_NPOS) {
            pieces[n++] = (struct piece){pattern, false};
            return n;
        }
        if (open)
            pieces[n++] = (struct piece){str_sub(pattern, 0, open), false};
        if (n < PIECES_MAX)
            pieces[n++] = (struct piece){str_sub(pattern, open + 1, open + close), true};
        pattern = str_from(pattern, open + close + 1);
    }
    return pattern.n ? 0 : n;
}

/* steps: what is left of the work one request may make us do. */
static bool fits(const struct piece *pieces, size_t n, str path, struct value vars, size_t *steps)
{
    if (!n)
        return !path.n;
    if (!*steps)
        return false;
    --*steps;
    if (!pieces->variable)
        return str_starts(path, pieces->text) && fits(pieces + 1, n - 1, str_from(path, pieces->text.n), vars, steps);
    size_t end = str_find_char(path, '/');
    for (size_t take = (end == STR_NPOS ? path.n : end) + 1; take-- > 0;) {
        if (fits(pieces + 1, n - 1, str_from(path, take), vars, steps)) {
            value_set(vars, pieces->text, value_str(str_sub(path, 0, take)));
            return true;
        }
    }
    return false;
}

bool custom_page_match(str pattern, str path, struct value vars)
{
    struct piece pieces[PIECES_MAX];
    size_t steps = LIMIT_PAGE_MATCH_STEPS, prefix = sizeof "pages/" - 1, suffix = sizeof ".html" - 1;
    if (pattern.n <= prefix + suffix || !path.n)
        return false;
    size_t n = split(str_sub(pattern, prefix, pattern.n - suffix), pieces);
    return n && fits(pieces, n, str_from(path, 1), vars, &steps);
}

static bool find(struct request *rq, str *ret_name, struct value vars)
{
    struct arena *a = rq->arena;
    struct site *s = rq->site;
    str exact = ARENA_CAT(a, STR("pages"), rq->path, STR(".html")), *patterns;
    const char *file;
    uint64_t stamp;
    if (template_files_find(s->template_files, exact, a, &file, &stamp)) {
        *ret_name = exact;
        return true;
    }
    size_t n = template_files_patterns(s->template_files, a, &patterns);
    for (size_t i = 0; i < n; i++) {
        if (custom_page_match(patterns[i], rq->path, vars)) {
            *ret_name = patterns[i];
            return true;
        }
    }
    return false;
}

/* ---- what the template may do to the answer ---- */

struct page {
    struct request *rq;
    int status;
    struct http_headers headers; /* the last of a name wins */
    bool not_found;              /* raise_404() was called */
    str message;
};

#define PAGE_FUNCTION(name)                                                                                            \
    static enum status page_##name(void *self, struct eval *ev, const struct value_args *args, struct value *ret)

static enum status set_status(struct page *p, struct eval *ev, struct value code)
{
    int64_t n = code.kind == VALUE_INT ? code.i : 0;
    if (value_is_text(code) && !str_to_i64(code.s, &n))
        n = 0;
    if (n < 200 || n > 599)
        return eval_fail(ev, STATUS_INVALID, "the status must be a number from 200 to 599");
    p->status = (int)n;
    return STATUS_OK;
}

static enum status set_header(struct page *p, struct eval *ev, str name, str value)
{
    struct arena *a = p->rq->arena;
    http_headers_remove(&p->headers, name);
    if (!name.n || !http_headers_add(&p->headers, a, arena_str(a, name), arena_str(a, value)))
        return eval_fail(ev, STATUS_INVALID, "'%.*s: %.*s' cannot be a header", STR_ARG(name), STR_ARG(value));
    return STATUS_OK;
}

PAGE_FUNCTION(custom_status)
{
    *ret = value_safe(STR(""));
    return set_status(self, ev, eval_arg(args, 0, "code"));
}

PAGE_FUNCTION(custom_header)
{
    *ret = value_safe(STR(""));
    return set_header(self, ev, function_text(ev, args, 0, "name"), function_text(ev, args, 1, "value"));
}

PAGE_FUNCTION(custom_redirect)
{
    struct value code = eval_arg(args, 1, "code");
    *ret = value_safe(STR(""));
    enum status st = set_status(self, ev, value_is_null(code) ? value_int(302) : code);
    return st == STATUS_OK ? set_header(self, ev, STR("Location"), function_text(ev, args, 0, "location")) : st;
}

PAGE_FUNCTION(raise_404)
{
    struct page *p = self;
    (void)ret;
    p->not_found = true;
    p->message = function_text(ev, args, 0, "message");
    return eval_fail(ev, STATUS_NOT_FOUND, "%.*s", STR_ARG(p->message));
}

static const struct function functions[] = {
    {"custom_status", {.name = "function", .call = page_custom_status}},
    {"custom_header", {.name = "function", .call = page_custom_header}},
    {"custom_redirect", {.name = "function", .call = page_custom_redirect}},
    {"raise_404", {.name = "function", .call = page_raise_404}},
};

/* ---- the answer ---- */

static enum status respond(struct page *p, struct buf *body, struct err *err)
{
    struct request *rq = p->rq;
    str type = http_headers_get(&p->headers, STR("content-type"));
    response_clear(rq->response);
    respond_buf(rq, p->status, type.n ? arena_cstr(rq->arena, type) : "text/html; charset=utf-8", body);
    for (size_t i = 0; i < p->headers.count; i++) {
        const struct http_header *h = &p->headers.items[i];
        if (!str_eq_nocase(h->name, STR("content-type")) && !response_header(rq->response, h->name, h->value))
            return err_set(err, STATUS_INTERNAL, "%.*s is a header that the server sets itself", STR_ARG(h->name));
    }
    return STATUS_OK;
}

enum status custom_page_respond(struct request *rq, struct err *why)
{
    struct value vars = value_dict(rq->arena);
    struct page *p = ARENA_NEW(rq->arena, struct page);
    struct err err = ERR_INIT;
    struct buf body;
    str name;
    if (!find(rq, &name, vars))
        return why->status;
    *p = (struct page){.rq = rq, .status = 200};
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        value_set(vars, str_of(functions[i].name), value_object(&functions[i].class, p));
    rq->error_title = NULL;
    rq->error_extra = VALUE_UNDEF;
    rq->response_varies = true;
    buf_init(&body, LIMIT_TEMPLATE_OUTPUT);
    enum status st = args_parse(rq->arena, rq->query_string, &rq->args, &err);
    if (st == STATUS_OK)
        st = page_render(rq, name, vars, &body, &err);
    if (p->not_found)
        st = err_set(&err, STATUS_NOT_FOUND, "%.*s", STR_ARG(p->message));
    if (st == STATUS_OK)
        st = respond(p, &body, &err);
    buf_release(&body);
    if (st != STATUS_OK)
        *why = err;
    return st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* rule — recursive descent over the text; a rule's value is the list of places it names, so "||" joins two lists and
 * "&&" pairs each of one with each of the other, leaving out what cannot be (two hosts, two unrelated paths). */
#include "edge/rule.h"

#include "base/limits.h"
#include "edge/model.h"

#define DEPTH_MAX 32

struct places {
    struct rule_place *items;
    size_t count, cap;
};
struct reader {
    struct arena *a;
    str text;
    size_t at;
    int depth;
    struct err *err;
};

static enum status fail(struct reader *r, size_t at, const char *what)
{
    return err_set(r->err, STATUS_INVALID, "rule, column %zu: %s", at + 1, what);
}

static void skip_space(struct reader *r)
{
    while (r->at < r->text.n && strchr(" \t\r\n", r->text.p[r->at]) && r->text.p[r->at])
        r->at++;
}

static bool take(struct reader *r, str mark)
{
    skip_space(r);
    if (!str_starts(str_from(r->text, r->at), mark))
        return false;
    r->at += mark.n;
    return true;
}

static enum status add(struct reader *r, struct places *to, struct rule_place p)
{
    for (size_t i = 0; i < to->count; i++)
        if (str_eq_nocase(to->items[i].host, p.host) && str_eq(to->items[i].path, p.path))
            return STATUS_OK;
    if (to->count >= LIMIT_EDGE_HOSTS)
        return err_set(r->err, STATUS_TOO_LARGE, "rule: it names more than %d places", LIMIT_EDGE_HOSTS);
    VEC_PUSH(r->a, to, p);
    return STATUS_OK;
}

/* ---- matchers ---- */

static enum status read_text(struct reader *r, str *ret)
{
    skip_space(r);
    char quote = r->at < r->text.n ? r->text.p[r->at] : '\0';
    if (quote != '`' && quote != '"')
        return fail(r, r->at, "a text in backticks is expected");
    size_t from = ++r->at;
    while (r->at < r->text.n && r->text.p[r->at] != quote && r->text.p[r->at] != '\\')
        r->at++;
    if (r->at >= r->text.n || r->text.p[r->at] == '\\')
        return fail(r, r->at, r->at < r->text.n ? "a backslash is not understood here" : "the text does not end");
    *ret = str_sub(r->text, from, r->at++);
    return STATUS_OK;
}

static bool covers(str prefix, str path)
{
    return prefix.n == 1 || (str_starts(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/'));
}

static enum status read_place(struct reader *r, bool host, struct places *ret)
{
    str text;
    size_t begin = r->at;
    enum status st = read_text(r, &text);
    if (st != STATUS_OK)
        return st;
    while (!host && text.n > 1 && text.p[text.n - 1] == '/')
        text.n--;
    if (host && !text.n)
        return fail(r, begin, "an empty host would be every host");
    if ((host ? edge_host_check : edge_path_check)(text, r->err) != STATUS_OK)
        return err_prefix(r->err, "rule, column %zu", begin + 1);
    text = arena_str(r->a, text);
    return add(r, ret, (struct rule_place){host ? text : STR(""), host ? STR("/") : text});
}

static enum status read_matcher(struct reader *r, struct places *ret)
{
    skip_space(r);
    size_t begin = r->at;
    while (r->at < r->text.n && ((r->text.p[r->at] | 32) >= 'a' && (r->text.p[r->at] | 32) <= 'z'))
        r->at++;
    str name = str_sub(r->text, begin, r->at);
    bool host = str_is(name, "Host");
    if (!name.n)
        return fail(r, begin,
                    begin < r->text.n && r->text.p[begin] == '!' ? "\"!\" is not known here"
                                                                 : "Host(`...`) or PathPrefix(`...`) is expected");
    if (!host && !str_is(name, "PathPrefix"))
        return err_set(r->err, STATUS_INVALID, "rule, column %zu: %.*s is not known here, only Host and PathPrefix",
                       begin + 1, STR_ARG(str_sub(name, 0, 40)));
    if (!take(r, STR("(")))
        return fail(r, r->at, "\"(\" is expected");
    do {
        enum status st = read_place(r, host, ret);
        if (st != STATUS_OK)
            return st;
    } while (take(r, STR(",")));
    return take(r, STR(")")) ? STATUS_OK : fail(r, r->at, "\")\" is expected");
}

/* ---- joining ---- */

static enum status both(struct reader *r, const struct places *x, const struct places *y, struct places *ret)
{
    for (size_t i = 0; i < x->count; i++)
        for (size_t k = 0; k < y->count; k++) {
            const struct rule_place *p = &x->items[i], *q = &y->items[k];
            bool hosts = !p->host.n || !q->host.n || str_eq_nocase(p->host, q->host);
            if (!hosts || (!covers(p->path, q->path) && !covers(q->path, p->path)))
                continue;
            struct rule_place one = {p->host.n ? p->host : q->host, covers(p->path, q->path) ? q->path : p->path};
            enum status st = add(r, ret, one);
            if (st != STATUS_OK)
                return st;
        }
    return STATUS_OK;
}

static enum status read_rule(struct reader *r, struct places *ret);

static enum status read_one(struct reader *r, struct places *ret)
{
    if (!take(r, STR("(")))
        return read_matcher(r, ret);
    if (++r->depth > DEPTH_MAX)
        return fail(r, r->at, "too many brackets");
    enum status st = read_rule(r, ret);
    r->depth--;
    if (st == STATUS_OK && !take(r, STR(")")))
        return fail(r, r->at, "\")\" is expected");
    return st;
}

static enum status read_all(struct reader *r, struct places *ret)
{
    enum status st = read_one(r, ret);
    while (st == STATUS_OK && take(r, STR("&&"))) {
        struct places right = {0}, joined = {0};
        st = read_one(r, &right);
        if (st == STATUS_OK)
            st = both(r, ret, &right, &joined);
        *ret = joined;
    }
    return st;
}

static enum status read_rule(struct reader *r, struct places *ret)
{
    enum status st = read_all(r, ret);
    while (st == STATUS_OK && take(r, STR("||"))) {
        struct places right = {0};
        st = read_all(r, &right);
        for (size_t i = 0; st == STATUS_OK && i < right.count; i++)
            st = add(r, ret, right.items[i]);
    }
    return st;
}

enum status rule_parse(struct arena *a, str text, struct rule_place **ret, size_t *ret_count, struct err *err)
{
    struct reader r = {.a = a, .text = text, .err = err};
    struct places all = {0};
    if (text.n > LIMIT_EDGE_RUN)
        return err_set(err, STATUS_TOO_LARGE, "rule: it is longer than %d bytes", LIMIT_EDGE_RUN);
    enum status st = read_rule(&r, &all);
    if (st != STATUS_OK)
        return st;
    skip_space(&r);
    if (r.at < text.n)
        return fail(&r, r.at, "\"&&\", \"||\" or the end is expected");
    if (!all.count)
        return err_set(err, STATUS_INVALID, "rule: no request can fit it");
    *ret = all.items;
    *ret_count = all.count;
    return STATUS_OK;
}

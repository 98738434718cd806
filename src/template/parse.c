/* SPDX-License-Identifier: Apache-2.0 */
/* parse — tags into nodes. Tags are a table: name and parser. */
#include "template/parse.h"

#include <stdarg.h>

const struct token *parse_peek(const struct parser *p)
{
    return &p->tokens[p->at];
}

/* Never past the end: the last token is TOK_END. */
const struct token *parse_ahead(const struct parser *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p->tokens[p->at + i].kind == TOK_END)
            return &p->tokens[p->at + i];
    return &p->tokens[p->at + n];
}

bool parse_is_op(const struct parser *p, const char *op)
{
    return parse_peek(p)->kind == TOK_OP && str_is(parse_peek(p)->s, op);
}

bool parse_is_name(const struct parser *p, const char *name)
{
    return parse_peek(p)->kind == TOK_NAME && str_is(parse_peek(p)->s, name);
}

bool parse_take_op(struct parser *p, const char *op)
{
    bool is = !p->failed && parse_is_op(p, op);
    p->at += is;
    return is;
}

bool parse_take_name(struct parser *p, const char *name)
{
    bool is = !p->failed && parse_is_name(p, name);
    p->at += is;
    return is;
}

void *parse_fail(struct parser *p, const char *fmt, ...)
{
    if (!p->failed) {
        va_list ap;
        char text[256];
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        err_set(p->err, STATUS_INVALID, "%.*s:%u: %s", STR_ARG(p->t->origin), parse_peek(p)->line, text);
    }
    p->failed = true;
    return NULL;
}

bool parse_expect_op(struct parser *p, const char *op)
{
    if (parse_take_op(p, op))
        return true;
    parse_fail(p, "'%s' was expected", op);
    return false;
}

/* Bytes of a token as it stands in the template: a text there has its quotes, and perhaps escapes. */
static size_t written_length(const struct token *t)
{
    if (t->kind != TOK_STR || !t->at)
        return t->s.n;
    size_t n = 1;
    while (t->at[n] && t->at[n] != t->at[0])
        n += t->at[n] == '\\' && t->at[n + 1] ? 2 : 1;
    return n + 1;
}

struct node *parse_node(struct parser *p, enum node_kind kind)
{
    struct node *n = ARENA_NEW(p->a, struct node);
    n->kind = kind;
    n->line = parse_peek(p)->line;
    n->source = str_make(parse_peek(p)->at, written_length(parse_peek(p)));
    return n;
}

void parse_name_is(struct node *n, str name)
{
    n->text = name;
    n->hash = value_hash(name);
}

void parse_end_source(struct parser *p, struct node *n)
{
    const char *end = parse_peek(p)->at;
    if (n->source.p && end && end > n->source.p)
        n->source = str_trim(str_make(n->source.p, (size_t)(end - n->source.p)));
}

/* ---- bodies ---- */

static struct node *parse_body(struct parser *p, const char *const *ends);

static bool expect_tag_end(struct parser *p)
{
    if (!p->failed && parse_peek(p)->kind == TOK_TAG_END) {
        p->at++;
        return true;
    }
    if (!p->failed)
        parse_fail(p, "the tag should end here, not at '%.*s'", STR_ARG(parse_peek(p)->s));
    return false;
}

/* Takes {% name %} that the body stopped at. */
static bool take_end(struct parser *p, const char *name)
{
    if (p->failed)
        return false;
    if (parse_peek(p)->kind != TOK_TAG_BEGIN || !str_is(parse_ahead(p, 1)->s, name)) {
        parse_fail(p, "{%% %s %%} is missing", name);
        return false;
    }
    p->at += 2;
    return true;
}

static bool at_end(const struct parser *p, const char *const *ends)
{
    if (parse_peek(p)->kind != TOK_TAG_BEGIN || parse_ahead(p, 1)->kind != TOK_NAME)
        return false;
    for (; ends && *ends; ends++)
        if (str_is(parse_ahead(p, 1)->s, *ends))
            return true;
    return false;
}

static struct node *body_until(struct parser *p, const char *end)
{
    const char *const ends[] = {end, NULL};
    struct node *body = parse_body(p, ends);
    return take_end(p, end) ? body : NULL;
}

/* ---- tags ---- */

static struct node *tag_if(struct parser *p)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    struct node *n = parse_node(p, N_IF);
    VEC(struct node *) items = {0};
    do {
        VEC_PUSH(p->a, &items, parse_tuple(p, false));
        if (!expect_tag_end(p))
            return NULL;
        VEC_PUSH(p->a, &items, parse_body(p, ends));
        if (p->failed)
            return NULL;
        if (!at_end(p, ends))
            return parse_fail(p, "{%% if %%} of line %u has no {%% endif %%}", n->line);
        p->at++;
    } while (parse_take_name(p, "elif"));
    if (parse_take_name(p, "else")) {
        if (!expect_tag_end(p))
            return NULL;
        n->else_body = body_until(p, "endif");
    } else {
        p->at++;
    }
    n->items = items.items;
    n->count = items.count;
    return n;
}

static struct node *tag_for(struct parser *p)
{
    static const char *const ends[] = {"else", "endfor", NULL};
    struct node *n = parse_node(p, N_FOR);
    n->a = parse_target(p, false);
    if (!p->failed && !parse_take_name(p, "in"))
        return parse_fail(p, "'in' was expected");
    n->b = parse_tuple(p, true);
    if (parse_take_name(p, "if"))
        n->c = parse_expression(p);
    n->flag = parse_take_name(p, "recursive");
    if (!expect_tag_end(p))
        return NULL;
    n->body = parse_body(p, ends);
    if (!p->failed && at_end(p, ends) && str_is(parse_ahead(p, 1)->s, "else")) {
        p->at += 2;
        if (!expect_tag_end(p))
            return NULL;
        n->else_body = body_until(p, "endfor");
        return n;
    }
    return take_end(p, "endfor") ? n : NULL;
}

static struct node *tag_set(struct parser *p)
{
    struct node *n = parse_node(p, N_SET);
    n->a = parse_target(p, true);
    if (parse_take_op(p, "=")) {
        n->b = parse_tuple(p, false);
        return n;
    }
    n->kind = N_SET_BLOCK;
    n->b = parse_filters(p, NULL, false);
    if (!expect_tag_end(p))
        return NULL;
    n->body = body_until(p, "endset");
    return n;
}

static struct node *tag_block(struct parser *p)
{
    struct node *n = parse_node(p, N_BLOCK);
    if (parse_peek(p)->kind != TOK_NAME)
        return parse_fail(p, "the name of the block was expected");
    n->text = parse_peek(p)->s;
    p->at++;
    n->flag = parse_take_name(p, "scoped");
    parse_take_name(p, "required");
    for (size_t i = 0; i < p->blocks.count; i++)
        if (str_eq(p->blocks.items[i].name, n->text))
            return parse_fail(p, "block '%.*s' is defined twice", STR_ARG(n->text));
    VEC_PUSH(p->a, &p->blocks, (struct block_entry){n->text, n});
    if (!expect_tag_end(p))
        return NULL;
    n->body = body_until(p, "endblock");
    if (!p->failed && parse_peek(p)->kind == TOK_NAME)
        p->at++;
    return n;
}

static struct node *tag_extends(struct parser *p)
{
    struct node *n = parse_node(p, N_EXTENDS);
    n->a = parse_expression(p);
    p->t->extends = true;
    return n;
}

static void context_words(struct parser *p, struct node *n)
{
    if ((parse_is_name(p, "with") || parse_is_name(p, "without")) && str_is(parse_ahead(p, 1)->s, "context")) {
        n->flag = parse_is_name(p, "with");
        p->at += 2;
    }
}

static struct node *tag_include(struct parser *p)
{
    struct node *n = parse_node(p, N_INCLUDE);
    n->a = parse_expression(p);
    n->flag = true;
    if (parse_is_name(p, "ignore") && str_is(parse_ahead(p, 1)->s, "missing")) {
        n->flag2 = true;
        p->at += 2;
    }
    context_words(p, n);
    return n;
}

static struct node *tag_import(struct parser *p)
{
    struct node *n = parse_node(p, N_IMPORT);
    n->a = parse_expression(p);
    if (!p->failed && !parse_take_name(p, "as"))
        return parse_fail(p, "'as' was expected");
    n->text = parse_peek(p)->s;
    p->at++;
    context_words(p, n);
    return n;
}

static struct node *tag_from(struct parser *p)
{
    struct node *n = parse_node(p, N_FROM_IMPORT);
    VEC(str) names = {0}, aliases = {0};
    n->a = parse_expression(p);
    if (!p->failed && !parse_take_name(p, "import"))
        return parse_fail(p, "'import' was expected");
    while (!p->failed && parse_peek(p)->kind == TOK_NAME) {
        bool context =
            (parse_is_name(p, "with") || parse_is_name(p, "without")) && str_is(parse_ahead(p, 1)->s, "context");
        if (context)
            break;
        str name = parse_peek(p)->s, alias = name;
        p->at++;
        if (parse_take_name(p, "as")) {
            alias = parse_peek(p)->s;
            p->at++;
        }
        VEC_PUSH(p->a, &names, name);
        VEC_PUSH(p->a, &aliases, alias);
        if (!parse_take_op(p, ","))
            break;
    }
    context_words(p, n);
    n->names = names.items;
    n->aliases = aliases.items;
    n->count = names.count;
    return n;
}

/* "(a, b=1)" -> the parameters of a macro or call block */
static void macro_params(struct parser *p, struct macro_def *m)
{
    VEC(str) params = {0};
    VEC(struct node *) defaults = {0};
    while (!p->failed && parse_peek(p)->kind == TOK_NAME) {
        struct node *value = NULL;
        VEC_PUSH(p->a, &params, parse_peek(p)->s);
        p->at++;
        if (parse_take_op(p, "="))
            value = parse_expression(p);
        VEC_PUSH(p->a, &defaults, value);
        if (!parse_take_op(p, ","))
            break;
    }
    parse_expect_op(p, ")");
    m->params = params.items;
    m->defaults = defaults.items;
    m->param_count = params.count;
}

static void macro_body(struct parser *p, struct macro_def *m, const char *end)
{
    struct macro_def *outer = p->macro;
    p->macro = m;
    m->body = body_until(p, end);
    p->macro = outer;
}

static struct node *tag_macro(struct parser *p)
{
    struct node *n = parse_node(p, N_MACRO);
    struct macro_def *m = ARENA_NEW(p->a, struct macro_def);
    n->macro = m;
    m->name = n->text = parse_peek(p)->s;
    p->at++;
    if (!parse_expect_op(p, "("))
        return NULL;
    macro_params(p, m);
    if (!expect_tag_end(p))
        return NULL;
    macro_body(p, m, "endmacro");
    if (!p->failed && parse_peek(p)->kind == TOK_NAME)
        p->at++;
    return n;
}

static struct node *tag_call(struct parser *p)
{
    struct node *n = parse_node(p, N_CALL_BLOCK);
    struct macro_def *m = ARENA_NEW(p->a, struct macro_def);
    n->macro = m;
    m->name = STR("caller");
    if (parse_take_op(p, "("))
        macro_params(p, m);
    n->a = parse_expression(p);
    if (!p->failed && n->a->kind != N_CALL)
        return parse_fail(p, "{%% call %%} needs a call");
    if (!expect_tag_end(p))
        return NULL;
    macro_body(p, m, "endcall");
    return n;
}

static struct node *tag_filter(struct parser *p)
{
    struct node *n = parse_node(p, N_FILTER_BLOCK);
    n->a = parse_filters(p, NULL, true);
    if (!expect_tag_end(p))
        return NULL;
    n->body = body_until(p, "endfilter");
    return n;
}

static struct node *tag_with(struct parser *p)
{
    struct node *n = parse_node(p, N_WITH);
    VEC(struct node *) items = {0};
    while (!p->failed && parse_peek(p)->kind != TOK_TAG_END) {
        VEC_PUSH(p->a, &items, parse_target(p, false));
        if (!parse_expect_op(p, "="))
            return NULL;
        VEC_PUSH(p->a, &items, parse_expression(p));
        if (!parse_take_op(p, ","))
            break;
    }
    n->items = items.items;
    n->count = items.count;
    if (!expect_tag_end(p))
        return NULL;
    n->body = body_until(p, "endwith");
    return n;
}

static struct node *tag_do(struct parser *p)
{
    struct node *n = parse_node(p, N_DO);
    n->a = parse_tuple(p, false);
    return n;
}

static struct node *tag_autoescape(struct parser *p)
{
    struct node *n = parse_node(p, N_AUTOESCAPE);
    n->a = parse_expression(p);
    if (!expect_tag_end(p))
        return NULL;
    n->body = body_until(p, "endautoescape");
    return n;
}

static struct node *tag_custom(struct parser *p, str name, template_filter_fn *fn)
{
    struct node *n = parse_node(p, N_TAG);
    n->filter = fn;
    n->args = ARENA_NEW(p->a, struct call_args);
    while (!p->failed && parse_peek(p)->kind != TOK_TAG_END) { /* name=value pairs */
        VEC(str) names = {0};
        VEC(struct node *) values = {0};
        while (!p->failed && parse_peek(p)->kind == TOK_NAME) {
            VEC_PUSH(p->a, &names, parse_peek(p)->s);
            p->at++;
            parse_expect_op(p, "=");
            VEC_PUSH(p->a, &values, parse_expression(p));
            parse_take_op(p, ",");
        }
        if (!p->failed && parse_peek(p)->kind != TOK_TAG_END)
            return parse_fail(p, "name=value was expected");
        n->args->names = names.items;
        n->args->keywords = values.items;
        n->args->keyword_count = names.count;
    }
    if (!expect_tag_end(p))
        return NULL;
    n->body = body_until(p, arena_cstr(p->a, ARENA_CAT(p->a, STR("end"), name)));
    return n;
}

static const struct {
    const char *name;
    struct node *(*parse)(struct parser *p);
} tags[] = {
    {"if", tag_if},           {"for", tag_for},
    {"set", tag_set},         {"block", tag_block},
    {"extends", tag_extends}, {"include", tag_include},
    {"import", tag_import},   {"from", tag_from},
    {"macro", tag_macro},     {"call", tag_call},
    {"filter", tag_filter},   {"with", tag_with},
    {"do", tag_do},           {"autoescape", tag_autoescape},
};

/* {% endname %} comes somewhere: the tag may be a function of the page, which is known only when it is rendered. */
static bool is_ended(const struct parser *p, str name)
{
    for (size_t i = p->at; p->tokens[i].kind != TOK_END; i++)
        if (p->tokens[i].kind == TOK_TAG_BEGIN && p->tokens[i + 1].kind == TOK_NAME &&
            str_starts(p->tokens[i + 1].s, STR("end")) && str_eq(str_from(p->tokens[i + 1].s, 3), name))
            return true;
    return false;
}

static struct node *parse_tag(struct parser *p)
{
    const struct token *t = parse_peek(p);
    if (t->kind != TOK_NAME)
        return parse_fail(p, "the name of a tag was expected");
    str name = t->s;
    p->at++;
    struct node *n = NULL;
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(tags) && !known; i++) {
        if (str_is(name, tags[i].name)) {
            known = true;
            n = tags[i].parse(p);
        }
    }
    if (!known) {
        template_filter_fn *custom = env_tag(p->env, name);
        if (!custom && !is_ended(p, name)) {
            p->at--;
            return parse_fail(p, "unknown tag '%.*s'", STR_ARG(name));
        }
        n = tag_custom(p, name, custom);
        if (n && !custom)
            n->text = name;
    }
    return expect_tag_end(p) ? n : NULL;
}

static struct node *parse_output(struct parser *p)
{
    struct node *n = parse_node(p, N_OUTPUT);
    n->a = parse_tuple(p, false);
    if (p->failed)
        return NULL;
    parse_end_source(p, n);
    if (parse_peek(p)->kind != TOK_VAR_END)
        return parse_fail(p, "'}}' was expected, not '%.*s'", STR_ARG(parse_peek(p)->s));
    p->at++;
    return n;
}

static struct node *parse_body(struct parser *p, const char *const *ends)
{
    struct node *body = parse_node(p, N_BODY);
    VEC(struct node *) items = {0};
    if (++p->depth > PARSE_DEPTH_MAX)
        return parse_fail(p, "nested too deeply");
    while (!p->failed && parse_peek(p)->kind != TOK_END && !at_end(p, ends)) {
        const struct token *t = parse_peek(p);
        struct node *n = NULL;
        if (t->kind == TOK_TEXT) {
            n = parse_node(p, N_TEXT);
            n->text = t->s;
            p->at++;
        } else if (t->kind == TOK_VAR_BEGIN) {
            p->at++;
            n = parse_output(p);
        } else {
            p->at++;
            n = parse_tag(p);
        }
        if (n)
            VEC_PUSH(p->a, &items, n);
    }
    p->depth--;
    body->items = items.items;
    body->count = items.count;
    return body;
}

enum status template_parse(const struct template_env *env, struct compiled *t, struct err *err)
{
    struct parser p = {.env = env, .t = t, .a = t->arena, .err = err};
    size_t count;
    enum status st = lex(t->arena, t->origin, t->source, &p.tokens, &count, err);
    if (st != STATUS_OK)
        return st;
    t->root = parse_body(&p, NULL);
    t->blocks = p.blocks.items;
    t->block_count = p.blocks.count;
    return p.failed ? STATUS_INVALID : STATUS_OK;
}

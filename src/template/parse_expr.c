/* SPDX-License-Identifier: Apache-2.0 */
/* parse_expr — Jinja2's expression grammar, loosest first:
 *   a if b else c | or | and | not | comparisons, in, not in | + - | ~ | * / // % | unary - + | ** | postfix (. [] () |
 * is) */
#include "template/parse.h"

static struct node *parse_unary(struct parser *p, bool with_filter);

static struct node *enter(struct parser *p)
{
    if (++p->depth > PARSE_DEPTH_MAX)
        return parse_fail(p, "nested too deeply");
    return NULL;
}

struct call_args *parse_call_args(struct parser *p)
{
    VEC(struct node *) positional = {0}, keywords = {0};
    VEC(str) names = {0};
    struct call_args *args = ARENA_NEW(p->a, struct call_args);
    while (!p->failed && !parse_is_op(p, ")")) {
        if (parse_take_op(p, "**")) {
            args->star_star = parse_expression(p);
        } else if (parse_take_op(p, "*")) {
            args->star = parse_expression(p);
        } else if (parse_peek(p)->kind == TOK_NAME && parse_ahead(p, 1)->kind == TOK_OP &&
                   str_is(parse_ahead(p, 1)->s, "=")) {
            VEC_PUSH(p->a, &names, parse_peek(p)->s);
            p->at += 2;
            VEC_PUSH(p->a, &keywords, parse_expression(p));
        } else {
            VEC_PUSH(p->a, &positional, parse_expression(p));
        }
        if (!parse_take_op(p, ","))
            break;
    }
    if (!parse_expect_op(p, ")"))
        return NULL;
    args->positional = positional.items;
    args->count = positional.count;
    args->names = names.items;
    args->keywords = keywords.items;
    args->keyword_count = keywords.count;
    return args;
}

static struct node *parse_list(struct parser *p, const char *close)
{
    struct node *n = parse_node(p, N_LIST);
    VEC(struct node *) items = {0};
    while (!p->failed && !parse_is_op(p, close)) {
        VEC_PUSH(p->a, &items, parse_expression(p));
        if (!parse_take_op(p, ","))
            break;
    }
    parse_expect_op(p, close);
    n->items = items.items;
    n->count = items.count;
    return n;
}

static struct node *parse_dict(struct parser *p)
{
    struct node *n = parse_node(p, N_DICT);
    VEC(struct node *) items = {0};
    while (!p->failed && !parse_is_op(p, "}")) {
        VEC_PUSH(p->a, &items, parse_expression(p));
        if (!parse_expect_op(p, ":"))
            return NULL;
        VEC_PUSH(p->a, &items, parse_expression(p));
        if (!parse_take_op(p, ","))
            break;
    }
    parse_expect_op(p, "}");
    n->items = items.items;
    n->count = items.count;
    return n;
}

static struct node *constant(struct parser *p, struct value v)
{
    struct node *n = parse_node(p, N_CONST);
    n->constant = v;
    p->at++;
    return n;
}

static struct node *parse_name(struct parser *p)
{
    str s = parse_peek(p)->s;
    if (str_is(s, "true") || str_is(s, "True"))
        return constant(p, value_bool(true));
    if (str_is(s, "false") || str_is(s, "False"))
        return constant(p, value_bool(false));
    if (str_is(s, "none") || str_is(s, "None"))
        return constant(p, VALUE_NULL);
    struct node *n = parse_node(p, N_NAME);
    parse_name_is(n, s);
    p->at++;
    if (p->macro) {
        p->macro->uses_caller |= str_is(s, "caller");
        p->macro->uses_varargs |= str_is(s, "varargs");
        p->macro->uses_kwargs |= str_is(s, "kwargs");
    }
    return n;
}

static struct node *parse_strings(struct parser *p)
{
    struct node *n = parse_node(p, N_CONST);
    str s = parse_peek(p)->s;
    p->at++;
    while (parse_peek(p)->kind == TOK_STR) { /* "a" "b" */
        s = ARENA_CAT(p->a, s, parse_peek(p)->s);
        p->at++;
    }
    n->constant = value_str(s);
    return n;
}

static struct node *parse_parenthesis(struct parser *p)
{
    if (parse_take_op(p, ")")) {
        struct node *n = parse_node(p, N_LIST);
        n->flag = true;
        return n;
    }
    struct node *n = parse_tuple(p, false);
    parse_expect_op(p, ")");
    return n;
}

static struct node *parse_primary(struct parser *p)
{
    const struct token *t = parse_peek(p);
    if (t->kind == TOK_NAME)
        return parse_name(p);
    if (t->kind == TOK_STR)
        return parse_strings(p);
    if (t->kind == TOK_INT)
        return constant(p, value_int(t->i));
    if (t->kind == TOK_FLOAT)
        return constant(p, value_float(t->f));
    if (parse_take_op(p, "("))
        return parse_parenthesis(p);
    if (parse_take_op(p, "["))
        return parse_list(p, "]");
    if (parse_take_op(p, "{"))
        return parse_dict(p);
    if (t->kind == TOK_VAR_END || t->kind == TOK_TAG_END)
        return parse_fail(p, "an expression was expected");
    return parse_fail(p, "unexpected '%.*s'", STR_ARG(t->s));
}

static struct node *parse_subscript(struct parser *p, struct node *of)
{
    struct node *n = parse_node(p, N_ITEM);
    n->a = of;
    n->source = of->source;
    struct node *part[3] = {0};
    int count = 0;
    bool slice = false;
    if (!parse_is_op(p, ":"))
        part[0] = parse_tuple(p, false);
    while (!p->failed && count < 2 && parse_take_op(p, ":")) {
        slice = true;
        count++;
        if (!parse_is_op(p, ":") && !parse_is_op(p, "]"))
            part[count] = parse_expression(p);
    }
    if (!parse_expect_op(p, "]"))
        return NULL;
    if (slice) {
        n->kind = N_SLICE;
        n->items = ARENA_ARRAY(p->a, struct node *, 3);
        memcpy(n->items, part, sizeof part);
    } else {
        n->b = part[0];
    }
    parse_end_source(p, n);
    return n;
}

static struct node *parse_postfix(struct parser *p, struct node *n)
{
    while (!p->failed && n) {
        struct node *up;
        if (parse_take_op(p, ".")) {
            const struct token *t = parse_peek(p);
            if (t->kind != TOK_NAME && t->kind != TOK_INT)
                return parse_fail(p, "a name must follow '.'");
            up = parse_node(p, t->kind == TOK_NAME ? N_ATTR : N_ITEM);
            up->a = n;
            up->source = n->source;
            parse_name_is(up, t->s);
            if (t->kind == TOK_INT) {
                up->b = parse_node(p, N_CONST);
                up->b->constant = value_int(t->i);
            }
            p->at++;
            parse_end_source(p, up);
        } else if (parse_take_op(p, "[")) {
            up = parse_subscript(p, n);
        } else if (parse_take_op(p, "(")) {
            up = parse_node(p, N_CALL);
            up->a = n;
            up->source = n->source;
            up->args = parse_call_args(p);
            if (!p->failed)
                parse_end_source(p, up);
        } else {
            return n;
        }
        n = up;
    }
    return n;
}

struct node *parse_filters(struct parser *p, struct node *in, bool need_one)
{
    while (!p->failed && (need_one || parse_take_op(p, "|"))) {
        need_one = false;
        const struct token *t = parse_peek(p);
        if (t->kind != TOK_NAME)
            return parse_fail(p, "the name of a filter was expected");
        str name = t->s;
        struct node *n = parse_node(p, N_FILTER);
        p->at++;
        while (parse_is_op(p, ".")) { /* names with dots */
            p->at++;
            name = ARENA_CAT(p->a, name, STR("."), parse_peek(p)->s);
            p->at++;
        }
        n->a = in;
        n->text = name;
        n->filter = env_filter(p->env, name);
        if (!n->filter)
            return parse_fail(p, "no filter named '%.*s'", STR_ARG(name));
        n->args = parse_take_op(p, "(") ? parse_call_args(p) : ARENA_NEW(p->a, struct call_args);
        if (in)
            n->source = in->source;
        if (!p->failed)
            parse_end_source(p, n);
        in = n;
    }
    return in;
}

/* The one argument of a test without parentheses: "is divisibleby 3", "is sameas x.y". */
static bool begins_test_argument(const struct parser *p)
{
    const struct token *t = parse_peek(p);
    if (t->kind == TOK_STR || t->kind == TOK_INT || t->kind == TOK_FLOAT)
        return true;
    if (t->kind == TOK_OP)
        return str_is(t->s, "[") || str_is(t->s, "{");
    static const char *const words[] = {"else", "or", "and", "is", "not", "in", "if"};
    return t->kind == TOK_NAME && !str_is_any(t->s, words, ARRAY_LEN(words));
}

static struct node *parse_test(struct parser *p, struct node *in)
{
    struct node *n = parse_node(p, N_TEST);
    n->a = in;
    n->source = in->source;
    n->flag = parse_take_name(p, "not");
    const struct token *t = parse_peek(p);
    if (t->kind != TOK_NAME)
        return parse_fail(p, "the name of a test was expected");
    n->text = t->s;
    n->test = env_test(t->s);
    if (!n->test)
        return parse_fail(p, "no test named '%.*s'", STR_ARG(t->s));
    p->at++;
    n->args = ARENA_NEW(p->a, struct call_args);
    if (parse_take_op(p, "(")) {
        n->args = parse_call_args(p);
    } else if (begins_test_argument(p)) {
        n->args->positional = ARENA_ARRAY(p->a, struct node *, 1);
        n->args->positional[0] = parse_postfix(p, parse_primary(p));
        n->args->count = 1;
    }
    if (!p->failed)
        parse_end_source(p, n);
    return n;
}

static struct node *parse_filter_or_test(struct parser *p, struct node *n)
{
    while (!p->failed && n) {
        if (parse_is_op(p, "|"))
            n = parse_filters(p, n, false);
        else if (parse_take_name(p, "is"))
            n = parse_test(p, n);
        else if (parse_take_op(p, "(")) {
            struct node *call = parse_node(p, N_CALL);
            call->a = n;
            call->source = n->source;
            call->args = parse_call_args(p);
            n = call;
        } else
            break;
    }
    return n;
}

static struct node *binary(struct parser *p, enum op op, struct node *a, struct node *b)
{
    if (p->failed)
        return NULL;
    struct node *n = parse_node(p, N_BINARY);
    n->op = op;
    n->a = a;
    n->b = b;
    n->source = a->source;
    parse_end_source(p, n);
    return n;
}

static struct node *parse_power(struct parser *p)
{
    struct node *n = parse_unary(p, true);
    while (!p->failed && parse_take_op(p, "**"))
        n = binary(p, OP_POW, n, parse_unary(p, true));
    return n;
}

static struct node *parse_unary(struct parser *p, bool with_filter)
{
    struct node *n;
    if (enter(p) || p->failed)
        return NULL;
    if (parse_is_op(p, "-") || parse_is_op(p, "+")) {
        n = parse_node(p, N_UNARY);
        n->op = parse_is_op(p, "-") ? OP_NEG : OP_POS;
        p->at++;
        n->a = parse_unary(p, false);
    } else {
        n = parse_primary(p);
    }
    if (!p->failed)
        n = parse_postfix(p, n);
    if (!p->failed && with_filter)
        n = parse_filter_or_test(p, n);
    p->depth--;
    return n;
}

struct op_row {
    const char *text;
    enum op op;
};

static struct node *left(struct parser *p, struct node *(*next)(struct parser *), const struct op_row *ops,
                         size_t count)
{
    struct node *n = next(p);
    for (size_t i = 0; !p->failed && i < count; i++) {
        if (parse_take_op(p, ops[i].text)) {
            n = binary(p, ops[i].op, n, next(p));
            i = (size_t)-1;
        }
    }
    return n;
}

static struct node *parse_product(struct parser *p)
{
    static const struct op_row ops[] = {{"*", OP_MUL}, {"//", OP_FLOOR}, {"/", OP_DIV}, {"%", OP_MOD}};
    return left(p, parse_power, ops, ARRAY_LEN(ops));
}

static struct node *parse_concat(struct parser *p)
{
    static const struct op_row ops[] = {{"~", OP_CONCAT}};
    return left(p, parse_product, ops, ARRAY_LEN(ops));
}

static struct node *parse_sum(struct parser *p)
{
    static const struct op_row ops[] = {{"+", OP_ADD}, {"-", OP_SUB}};
    return left(p, parse_concat, ops, ARRAY_LEN(ops));
}

static bool take_comparison(struct parser *p, enum op *ret)
{
    static const struct op_row ops[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE},
                                        {">=", OP_GE}, {"<", OP_LT},  {">", OP_GT}};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (parse_take_op(p, ops[i].text)) {
            *ret = ops[i].op;
            return true;
        }
    }
    if (parse_take_name(p, "in")) {
        *ret = OP_IN;
        return true;
    }
    const struct token *next = parse_ahead(p, 1);
    if (parse_is_name(p, "not") && next->kind == TOK_NAME && str_is(next->s, "in")) {
        p->at += 2;
        *ret = OP_NOT_IN;
        return true;
    }
    return false;
}

static struct node *parse_comparison(struct parser *p)
{
    struct node *first = parse_sum(p);
    enum op op;
    VEC(enum op) ops = {0};
    VEC(struct node *) items = {0};
    while (!p->failed && take_comparison(p, &op)) {
        VEC_PUSH(p->a, &ops, op);
        VEC_PUSH(p->a, &items, parse_sum(p));
    }
    if (p->failed || !ops.count)
        return first;
    struct node *n = parse_node(p, N_COMPARE);
    n->a = first;
    n->ops = ops.items;
    n->items = items.items;
    n->count = items.count;
    n->source = first->source;
    parse_end_source(p, n);
    return n;
}

static struct node *parse_not(struct parser *p)
{
    if (!parse_is_name(p, "not"))
        return parse_comparison(p);
    struct node *n = parse_node(p, N_UNARY);
    n->op = OP_NOT;
    p->at++;
    if (enter(p))
        return NULL;
    n->a = parse_not(p);
    p->depth--;
    return n;
}

static struct node *logical(struct parser *p, enum node_kind kind, struct node *a, struct node *b)
{
    struct node *n = parse_node(p, kind);
    n->a = a;
    n->b = b;
    return n;
}

static struct node *parse_and(struct parser *p)
{
    struct node *n = parse_not(p);
    while (!p->failed && parse_take_name(p, "and"))
        n = logical(p, N_AND, n, parse_not(p));
    return n;
}

static struct node *parse_or(struct parser *p)
{
    struct node *n = parse_and(p);
    while (!p->failed && parse_take_name(p, "or"))
        n = logical(p, N_OR, n, parse_and(p));
    return n;
}

struct node *parse_expression(struct parser *p)
{
    if (enter(p) || p->failed)
        return NULL;
    struct node *n = parse_or(p);
    while (!p->failed && parse_take_name(p, "if")) {
        struct node *cond = parse_node(p, N_IF_EXPR);
        cond->b = n;
        cond->a = parse_or(p);
        cond->c = !p->failed && parse_take_name(p, "else") ? parse_expression(p) : NULL;
        n = cond;
    }
    p->depth--;
    return n;
}

struct node *parse_tuple(struct parser *p, bool no_if)
{
    struct node *first = no_if ? parse_or(p) : parse_expression(p);
    if (p->failed || !parse_is_op(p, ","))
        return first;
    struct node *n = parse_node(p, N_LIST);
    VEC(struct node *) items = {0};
    n->flag = true;
    VEC_PUSH(p->a, &items, first);
    while (!p->failed && parse_take_op(p, ",")) {
        const struct token *t = parse_peek(p);
        bool end = t->kind == TOK_VAR_END || t->kind == TOK_TAG_END || parse_is_op(p, ")") || parse_is_op(p, "]") ||
                   parse_is_name(p, "in");
        if (end)
            break;
        VEC_PUSH(p->a, &items, no_if ? parse_or(p) : parse_expression(p));
    }
    n->items = items.items;
    n->count = items.count;
    return n;
}

static struct node *parse_target_name(struct parser *p, bool allow_attr)
{
    if (parse_take_op(p, "(")) {
        struct node *n = parse_target(p, false);
        parse_expect_op(p, ")");
        return n;
    }
    if (parse_peek(p)->kind != TOK_NAME)
        return parse_fail(p, "a name was expected");
    struct node *n = parse_node(p, N_NAME);
    parse_name_is(n, parse_peek(p)->s);
    p->at++;
    if (allow_attr && parse_take_op(p, ".")) {
        struct node *attr = parse_node(p, N_ATTR);
        attr->a = n;
        parse_name_is(attr, parse_peek(p)->s);
        p->at++;
        return attr;
    }
    return n;
}

struct node *parse_target(struct parser *p, bool allow_attr)
{
    struct node *first = parse_target_name(p, allow_attr);
    if (p->failed || !parse_is_op(p, ","))
        return first;
    struct node *n = parse_node(p, N_LIST);
    VEC(struct node *) items = {0};
    VEC_PUSH(p->a, &items, first);
    while (!p->failed && parse_take_op(p, ",") && parse_peek(p)->kind != TOK_TAG_END)
        VEC_PUSH(p->a, &items, parse_target_name(p, false));
    n->items = items.items;
    n->count = items.count;
    return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* parse: what the statement and the expression parser share. Private to this folder. */
#ifndef VITRINE_TEMPLATE_PARSE_H
#define VITRINE_TEMPLATE_PARSE_H

#include "base/limits.h"
#include "template/ast.h"

#define PARSE_DEPTH_MAX LIMIT_TEMPLATE_NESTING

struct parser {
    const struct template_env *env;
    struct compiled *t;
    struct arena *a;
    struct token *tokens;
    size_t at;
    unsigned depth;
    struct macro_def *macro; /* the one being parsed */
    VEC(struct block_entry) blocks;
    struct err *err;
    bool failed;
};

const struct token *parse_peek(const struct parser *p);
const struct token *parse_ahead(const struct parser *p, size_t n);
bool parse_is_op(const struct parser *p, const char *op);
bool parse_is_name(const struct parser *p, const char *name);
bool parse_take_op(struct parser *p, const char *op);
bool parse_take_name(struct parser *p, const char *name);
/* Each sets the error once and returns NULL/false; callers just pass it on. */
void *parse_fail(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool parse_expect_op(struct parser *p, const char *op);
struct node *parse_node(struct parser *p, enum node_kind kind);
void parse_name_is(struct node *n, str name);            /* text and hash */
void parse_end_source(struct parser *p, struct node *n); /* n->source ends before the current token */

struct node *parse_expression(struct parser *p);              /* with inline if */
struct node *parse_tuple(struct parser *p, bool no_if);       /* a, b, c: a tuple when there is a comma */
struct node *parse_target(struct parser *p, bool allow_attr); /* name, tuple of names, ns.attr */
struct call_args *parse_call_args(struct parser *p);          /* after "(" was taken; takes ")" */
struct node *parse_filters(struct parser *p, struct node *in,
                           bool need_one); /* | name(args) ... ; need_one: first without "|" */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* ast: the compiled form of a template: nodes in the template's own arena, immutable once parsed. Private to this
 * folder. */
#ifndef VITRINE_TEMPLATE_AST_H
#define VITRINE_TEMPLATE_AST_H

#include <stdatomic.h>

#include "template/template.h"

enum token_kind {
    TOK_TEXT,
    TOK_VAR_BEGIN,
    TOK_VAR_END,
    TOK_TAG_BEGIN,
    TOK_TAG_END,
    TOK_NAME,
    TOK_INT,
    TOK_FLOAT,
    TOK_STR,
    TOK_OP,
    TOK_END
};

struct token {
    enum token_kind kind;
    str s; /* TEXT, NAME, OP: slice of the source; STR: decoded */
    int64_t i;
    double f;
    uint32_t line;
    const char *at; /* place in the source, for messages */
};

enum node_kind {
    /* expressions */
    N_CONST,
    N_NAME,
    N_ATTR,   /* a.text */
    N_ITEM,   /* a[b] */
    N_SLICE,  /* a[b:c:d] */
    N_CALL,   /* a(args) */
    N_FILTER, /* a|filter(args); a NULL inside {% filter %} */
    N_TEST,   /* a is test(args), op '!' = is not */
    N_UNARY,  /* op: '-' '+' '!' */
    N_BINARY, /* op */
    N_AND,
    N_OR,
    N_COMPARE, /* a, then pairs of items: op and operand */
    N_IF_EXPR, /* b if a else c */
    N_LIST,    /* items; op 't' = tuple */
    N_DICT,    /* items: key, value, key, value */
    /* statements */
    N_TEXT,
    N_OUTPUT, /* a */
    N_IF,     /* items: condition, body; else: c */
    N_FOR,    /* a: target, b: iterable, c: filter, body, else_body */
    N_SET,    /* a: target, b: value */
    N_SET_BLOCK,
    N_BLOCK,   /* text: name */
    N_EXTENDS, /* a */
    N_INCLUDE, /* a */
    N_IMPORT,  /* a; text: name */
    N_FROM_IMPORT,
    N_MACRO,
    N_CALL_BLOCK,   /* a: the call; text "caller" */
    N_FILTER_BLOCK, /* a: filter chain over NULL */
    N_WITH,
    N_DO,
    N_AUTOESCAPE,
    N_TAG,  /* custom block tag */
    N_BODY, /* items */
};

enum op {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_FLOOR,
    OP_MOD,
    OP_POW,
    OP_CONCAT,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN,
    OP_NEG,
    OP_POS,
    OP_NOT
};

struct node;

struct call_args { /* of calls, filters and tests */
    struct node **positional;
    size_t count;
    str *names;
    struct node **keywords;
    size_t keyword_count;
    struct node *star, *star_star; /* *args, **kwargs; NULL = none */
};

struct macro_def {
    str name;
    str *params;
    struct node **defaults; /* one each, NULL = required */
    size_t param_count;
    struct node *body;
    bool uses_caller, uses_varargs, uses_kwargs;
};

struct node {
    enum node_kind kind;
    enum op op;
    uint32_t line;
    uint32_t hash; /* value_hash of the text of a NAME or ATTR */
    bool flag;     /* test: negated; include/import: with context; include: flag2 ignore missing; for: recursive; block:
                  scoped */
    bool flag2;
    str text;   /* NAME, ATTR, TEXT, BLOCK ... */
    str source; /* slice of the source, for messages */
    struct value constant;
    struct node *a, *b, *c;
    struct node *body, *else_body;
    struct node **items;
    size_t count;
    enum op *ops; /* COMPARE */
    struct call_args *args;
    struct macro_def *macro;
    template_filter_fn *filter;
    template_test_fn *test;
    str *names, *aliases; /* FROM_IMPORT */
};

struct block_entry {
    str name;
    struct node *node;
};

struct compiled {
    atomic_uint refs;
    struct arena *arena; /* of all nodes and the source */
    str name, origin, source;
    uint64_t stamp;
    struct node *root;
    struct block_entry *blocks;
    size_t block_count;
    bool extends;               /* has {% extends %} at top level */
    atomic_uint bytes_expected; /* about what a page made of it takes: the largest so far, within limits */
};

struct named_filter {
    const char *name;
    template_filter_fn *fn;
};
struct named_test {
    const char *name;
    template_test_fn *fn;
};
struct named_value {
    const char *name;
    struct value value;
};

#define ENV_EXTRA_MAX 64
struct template_env {
    struct template_loader loader;
    struct named_filter filters[ENV_EXTRA_MAX], tags[ENV_EXTRA_MAX];
    struct named_value globals[ENV_EXTRA_MAX];
    size_t filter_count, tag_count, global_count;
    const char *plain_suffixes[8]; /* names that end so are not escaped */
    size_t plain_suffix_count;
    uint64_t max_steps; /* 0 = LIMIT_TEMPLATE_STEPS */
    struct cache *cache;
};

/* lex.c: all tokens of a source; strings decoded into the arena. INVALID with the line. */
enum status lex(struct arena *a, str name, str source, struct token **ret, size_t *ret_count, struct err *err) MUST_USE;
/* parse.c */
enum status template_parse(const struct template_env *env, struct compiled *t, struct err *err) MUST_USE;
/* env.c: a reference for the caller */
enum status template_get(struct template_env *env, str name, struct compiled **ret, struct err *err) MUST_USE;
void template_unref(struct compiled *t);
template_filter_fn *env_filter(const struct template_env *env, str name);
template_test_fn *env_test(str name);
template_filter_fn *env_tag(const struct template_env *env, str name);

#endif

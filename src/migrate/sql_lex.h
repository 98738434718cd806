/* SPDX-License-Identifier: Apache-2.0 */
/* sql_lex: SQL text as tokens, by the rules of SQLite's own tokenizer. Pure. Nothing is copied: a token is a part of
 * the text. Source: https://sqlite.org/lang_expr.html, https://sqlite.org/lang_keywords.html */
#ifndef VITRINE_MIGRATE_SQL_LEX_H
#define VITRINE_MIGRATE_SQL_LEX_H

#include "base/arena.h"

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* bare: keyword or name */
    TOKEN_NAME,   /* "x", `x`, [x] */
    TOKEN_STRING, /* 'x' */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_COMMENT, /* with its marks, without the end of the line */
    TOKEN_OTHER    /* numbers, operators, x'00' */
};

struct token {
    enum token_kind kind;
    size_t start, end; /* bytes of the text */
};

/* The token at or after *at, which moves behind it. An unfinished quote or comment ends with the text. */
struct token sql_lex(str s, size_t *at);
bool token_is(str text, struct token t, const char *word); /* a bare word, ASCII case aside */
/* The name that a word, a quoted name or a string means. */
str token_name(struct arena *a, str text, struct token t);

#endif

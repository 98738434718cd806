/* SPDX-License-Identifier: Apache-2.0 */
/* sql_split: where the statements of a script end. Text may come in pieces: what has been looked at is not looked at
 * again. Pure; any thread. */
#ifndef VITRINE_INGEST_SQL_SPLIT_H
#define VITRINE_INGEST_SQL_SPLIT_H

#include "base/str.h"

struct sql_split {
    size_t at;  /* bytes of the statement looked at */
    char state; /* 0, the character that ends a quote, '-' or '*' in comments */
};

/* `text` begins with a statement; `ended` = nothing follows it. True: the statement has *ret_length bytes, with its
 * semicolon (without one at the end of the text). False: more text is needed; call again with the same beginning. */
bool sql_split(struct sql_split *s, str text, bool ended, size_t *ret_length);
/* The statement without the white space and comments before it. */
str sql_trim(str statement);
/* The n-th word of it (from 0) is `word`, in capitals or not; comments between words are not looked through. */
bool sql_word_is(str statement, size_t n, const char *word);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* regexp_tree: a regular expression as a tree; what regexp.c makes its program from. */
#ifndef VITRINE_DB_REGEXP_TREE_H
#define VITRINE_DB_REGEXP_TREE_H

#include "base/arena.h"
#include "base/err.h"

enum regexp_node_kind {
    REGEXP_EMPTY,
    REGEXP_CHAR,
    REGEXP_ANY,
    REGEXP_SET,
    REGEXP_CAT,
    REGEXP_ALT,
    REGEXP_REPEAT,
    REGEXP_BOL,
    REGEXP_EOL,
    REGEXP_WORD,
    REGEXP_NOT_WORD
};

struct regexp_range {
    uint32_t from, to;
};

struct regexp_set {
    VEC(struct regexp_range) ranges;
    bool negated;
};

struct regexp_node {
    enum regexp_node_kind kind;
    uint32_t code;
    int min, max; /* REPEAT; max -1 = no end */
    bool lazy;    /* REPEAT: as few as possible first */
    struct regexp_node *a, *b;
    struct regexp_set *set;
};

/* The tree, in the arena. *ret_fold: it began with (?i), and all its letters are small. INVALID with the reason and the
 * byte offset. */
enum status regexp_parse(struct arena *a, str pattern, struct regexp_node **ret, bool *ret_fold,
                         struct err *err) MUST_USE;
bool regexp_is_word(uint32_t code);           /* \w: ASCII letters, digits, _, and letters past ASCII */
uint32_t regexp_fold(bool on, uint32_t code); /* a capital ASCII letter made small */

#endif

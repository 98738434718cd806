/* SPDX-License-Identifier: Apache-2.0 */
/* query/args: the decoded arguments of one query string, as an ordered multi-map.
 *
 * Equal keys are brought together at the place of the first one (as a dict of lists would), values keep their order;
 * nothing in the planner depends on how different keys were interleaved. Blank values are kept: `?a=&b` is a="" b="".
 * All strings live in the arena given to args_parse. Read-only after that: any thread may read. */
#ifndef VITRINE_SITE_QUERY_ARGS_H
#define VITRINE_SITE_QUERY_ARGS_H

#include "base/arena.h"
#include "base/err.h"

struct arg {
    str key, value;
};

struct args {
    const struct arg *items; /* grouped by key */
    size_t count;
};

/* Parses the raw (percent-encoded) query string, without '?'. INVALID when it holds more than LIMIT_QUERY_ARGS pairs.
 */
enum status args_parse(struct arena *a, str raw, struct args *ret, struct err *err) MUST_USE;

/* First value; {NULL, 0} when absent. A blank value has p != NULL. */
str args_get(const struct args *args, str key);
bool args_has(const struct args *args, str key);
#define ARGS_GET(args, literal) args_get((args), STR(literal))
#define ARGS_HAS(args, literal) args_has((args), STR(literal))
/* All values of a key: *ret_first points at the first pair (the others follow it); returns how many, 0 = absent. */
size_t args_all(const struct args *args, str key, const struct arg **ret_first);
/* Next pair whose key differs from that of items[i]; args->count at the end. Walks the distinct keys:
 * for (i = 0; i < args->count; i = args_next_key(args, i)) */
size_t args_next_key(const struct args *args, size_t i);

/* `_x` without `__` after it is an option of the page (`_search`, `_size`, and any unknown one); everything else is a
 * column filter: `_x__exact`, `state`, `__x`. */
bool args_is_special(str key);

/* on/off/true/false/1/0 in any case; false (and *ret untouched) for anything else. */
bool args_boolean(str text, bool *ret);
/* Integers as Python's int() reads them: white space around, a sign, single underscores between digits. False on
 * anything else. Too large for 64 bits: true with *ret at INT64_MAX or INT64_MIN. */
bool args_integer(str text, int64_t *ret);

#endif

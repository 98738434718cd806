/* SPDX-License-Identifier: Apache-2.0 */
/* post_filter: an SQL expression over JSON objects. The keys of an object are its columns, the whole of it is `item`
 * (JSON text): "n > 5 and item ->> '$.a.b' like 'x%'". Runs in an SQLite database in memory. A column that an object
 * does not have is NULL. */
#ifndef VITRINE_CLI_POST_FILTER_H
#define VITRINE_CLI_POST_FILTER_H

#include "codec/value.h"

struct post_filter;

enum status post_filter_new(struct arena *a, str expression, struct post_filter **ret, struct err *err) MUST_USE;
void post_filter_free(struct post_filter *f); /* NULL is fine */
/* item: a DICT, text: the same as it was written. SQL: what SQLite says of the expression. */
enum status post_filter_test(struct post_filter *f, struct arena *work, struct value item, str text, bool *ret,
                             struct err *err) MUST_USE;
/* A column that the expression names and no object had; empty = none. Is it misspelt? */
str post_filter_unknown(const struct post_filter *f);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* history_impl: what history_look.c (what there is) tells history.c (what is done about it). */
#ifndef VITRINE_DB_HISTORY_IMPL_H
#define VITRINE_DB_HISTORY_IMPL_H

#include "db/history.h"

struct history_names {
    VEC(str) v;
};

struct history_found { /* a trigger of ours */
    str name, sql;
};

struct history_state {
    VEC(struct history_found) triggers;
};

/* First column of all rows; `one` is bound where the statement has a parameter. */
enum status history_fetch_names(struct conn *c, struct arena *a, const char *sql, str one, struct history_names *ret,
                                struct err *err) MUST_USE;
/* The table as it is now. */
enum status history_look_shape(struct conn *c, struct arena *a, str table, struct history_shape *ret,
                               struct err *err) MUST_USE;
/* The columns that are recorded: `there` and `names` of h. */
enum status history_look_names(struct conn *c, struct arena *a, struct history_info *h, struct err *err) MUST_USE;
const struct history_found *history_find_trigger(const struct history_state *state, str name); /* NULL: none */
/* As history_look(), with the triggers that are there. */
enum status history_look_whole(struct conn *c, struct arena *a, str table, struct history_info *ret,
                               struct history_state *state, struct err *err) MUST_USE;

#endif

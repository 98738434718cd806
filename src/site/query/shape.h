/* SPDX-License-Identifier: Apache-2.0 */
/* query/shape: `_shape`, `_nl` -> the form of a JSON answer. */
#ifndef VITRINE_SITE_QUERY_SHAPE_H
#define VITRINE_SITE_QUERY_SHAPE_H

#include "site/query/args.h"

enum query_shape {
    QUERY_SHAPE_OBJECTS,
    QUERY_SHAPE_ARRAYS,
    QUERY_SHAPE_ARRAY,
    QUERY_SHAPE_ARRAYFIRST,
    QUERY_SHAPE_OBJECT,
};

struct query_shaping {
    enum query_shape shape;
    bool lines; /* array with `_nl`: one JSON value a line, text/plain */
};

/* INVALID "Invalid _shape: x". */
enum status query_shape_parse(const struct args *args, struct query_shaping *ret, struct err *err) MUST_USE;
/* Is `object` possible? is_table: a table or view page (rows count too); has_pks. INVALID with Datasette's messages. */
enum status query_shape_check(enum query_shape shape, bool is_table, bool has_pks, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a JSON answer. Tests: test_shape.c. */
#include "site/query/shape.h"

static const char *const names[] = {
    [QUERY_SHAPE_OBJECTS] = "objects",       [QUERY_SHAPE_ARRAYS] = "arrays", [QUERY_SHAPE_ARRAY] = "array",
    [QUERY_SHAPE_ARRAYFIRST] = "arrayfirst", [QUERY_SHAPE_OBJECT] = "object",
};

enum status query_shape_parse(const struct args *args, struct query_shaping *ret, struct err *err)
{
    str text = ARGS_GET(args, "_shape");
    struct query_shaping s = {QUERY_SHAPE_OBJECTS, false};
    if (text.p) {
        size_t i = 0;
        while (i < ARRAY_LEN(names) && !str_is(text, names[i]))
            i++;
        if (i == ARRAY_LEN(names))
            return err_set(err, STATUS_INVALID, "Invalid _shape: " STR_FMT, STR_ARG(text));
        s.shape = (enum query_shape)i;
    }
    s.lines = s.shape == QUERY_SHAPE_ARRAY && ARGS_GET(args, "_nl").n > 0;
    *ret = s;
    return STATUS_OK;
}

enum status query_shape_check(enum query_shape shape, bool is_table, bool has_pks, struct err *err)
{
    if (shape != QUERY_SHAPE_OBJECT || (is_table && has_pks))
        return STATUS_OK;
    if (!is_table)
        return err_set(err, STATUS_INVALID, "_shape=object is only available on tables");
    return err_set(err, STATUS_INVALID, "_shape=object not available for tables with no primary keys");
}

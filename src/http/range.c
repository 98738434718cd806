/* SPDX-License-Identifier: Apache-2.0 */
#include "http/range.h"

enum range_result range_parse(str field, int64_t size, int64_t *ret_first, int64_t *ret_length)
{
    if (!field.p || field.n < 6 || !str_eq_nocase(str_sub(field, 0, 6), STR("bytes=")))
        return RANGE_NONE;
    str spec = str_trim(str_from(field, 6)), left, right;
    if (str_find_char(spec, ',') != STR_NPOS || !str_cut(spec, '-', &left, &right))
        return RANGE_NONE;
    /* Digits that overflow are still a valid range, far past the end. */
    bool has_left = left.n > 0, has_right = right.n > 0;
    if ((has_left && !str_all_digits(left)) || (has_right && !str_all_digits(right)) || (!has_left && !has_right))
        return RANGE_NONE;
    int64_t first, last;
    if (has_left && !str_to_i64(left, &first))
        first = INT64_MAX;
    if (has_right && !str_to_i64(right, &last))
        last = INT64_MAX;
    if (!has_left) { /* suffix: the last `last` bytes */
        if (last == 0 || size == 0)
            return RANGE_UNSATISFIABLE;
        first = last >= size ? 0 : size - last;
        last = size - 1;
    } else if (!has_right) {
        last = size - 1;
        if (first >= size)
            return RANGE_UNSATISFIABLE;
    } else if (last < first) {
        return RANGE_NONE; /* invalid, so ignored (RFC 9110 section 14.1.1) */
    }
    if (first >= size)
        return RANGE_UNSATISFIABLE;
    if (last > size - 1)
        last = size - 1;
    *ret_first = first;
    *ret_length = last - first + 1;
    return RANGE_ONE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* range: one byte range of a Range field (RFC 9110 section 14.2). Pure; any thread. */
#ifndef VITRINE_HTTP_RANGE_H
#define VITRINE_HTTP_RANGE_H

#include "base/str.h"

enum range_result {
    RANGE_NONE,         /* absent, another unit, malformed, or several ranges: send the whole thing, 200 */
    RANGE_ONE,          /* 206 with *ret_first and *ret_length */
    RANGE_UNSATISFIABLE /* 416 */
};
enum range_result range_parse(str field, int64_t size, int64_t *ret_first, int64_t *ret_length);

#endif

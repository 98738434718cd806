/* SPDX-License-Identifier: Apache-2.0 */
/* types: what one text of a file without types may mean. Pure; any thread. Nothing that would lose something counts: a
 * number with leading zeros, a plus sign, a thousands separator or more than 64 bits is text. */
#ifndef VITRINE_INGEST_TYPES_H
#define VITRINE_INGEST_TYPES_H

#include "base/str.h"

enum number_kind { NUMBER_NONE, NUMBER_INT, NUMBER_REAL };

/* Spaces around a number are allowed. INT: -?(0|[1-9][0-9]*) within int64 (not "-0"). REAL: with a point, an exponent,
 * or
 * "-0"; finite. *ret_i is set for INT, *ret_f for REAL. 10-20 ns. */
enum number_kind number_parse(str s, int64_t *ret_i, double *ret_f);

/* Orders of day, month and year in which a text may be a date; a column is a date in those that all its values allow.
 */
enum date_order {
    DATE_YMD = 1, /* 2020/1/31, 2020.1.31; "2020-01-31" is in normal form already and no date to be changed */
    DATE_MDY = 2, /* 1/31/2020, 1-31-2020, 1.31.2020 */
    DATE_DMY = 4,
    DATE_NAMED = 8, /* 31 Jan 2020, 31-Jan-2020, January 31, 2020 */
    DATE_ANY = 15
};
#define DATE_TEXT_MAX 20 /* "2020-01-31T23:59:59" and NUL */

/* The orders of `wanted` in which s is a day that exists, with an optional time of day (hh:mm or hh:mm:ss, 24 hours)
 * after a space; 0 = none. Years have four digits. */
unsigned date_orders(str s, unsigned wanted);
/* "2020-01-31" or "2020-01-31T23:59:59" into out; returns its length, 0 when s is no date in this order. */
size_t date_normalise(str s, enum date_order order, char out[DATE_TEXT_MAX]);

#endif

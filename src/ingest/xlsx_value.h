/* SPDX-License-Identifier: Apache-2.0 */
/* xlsx_value: what a number in a workbook means. Excel has no dates: it has numbers of days with a format that shows
 * them as dates (ECMA-376 part 1, 18.8.30 and 18.17.4.1). Pure; any thread. */
#ifndef VITRINE_INGEST_XLSX_VALUE_H
#define VITRINE_INGEST_XLSX_VALUE_H

#include "base/buf.h"
#include "base/str.h"

enum xlsx_show { XLSX_DATE = 1, XLSX_TIME = 2, XLSX_ELAPSED = 4 }; /* bits; 0 = a number */

/* By the number of a built-in format, or by the code of one of the workbook's own. */
unsigned xlsx_format_builtin(int64_t id);
unsigned xlsx_format_code(str code);

#define XLSX_DATE_MAX 40
/* "2020-01-31", "2020-01-31T07:05:00", "07:05:00", or "27:30:00" for ELAPSED, with ".250" where there are milliseconds.
 * Returns its length; 0 = the number is no date (negative, past the year 9999, the 29 February 1900 that Excel knows).
 * A time of day is shown when the number has one, whatever the format says: nothing is lost. */
size_t xlsx_date(double serial, unsigned show, bool date1904, char out[XLSX_DATE_MAX]);

/* "BC7" -> 54 (from 0) and 7; false when it is no reference. */
bool xlsx_reference(str reference, uint32_t *ret_column, uint64_t *ret_row);
/* "_x000D_" is how a workbook writes characters that XML cannot hold (22.9.2.19). In place; returns the new length. */
size_t xlsx_unescape(char *p, size_t n);

#endif

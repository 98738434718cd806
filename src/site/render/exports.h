/* SPDX-License-Identifier: Apache-2.0 */
/* exports: the formats that the table of formats names, one file each. */
#ifndef VITRINE_SITE_RENDER_EXPORTS_H
#define VITRINE_SITE_RENDER_EXPORTS_H

#include "site/render/formats.h"

extern const struct row_format geojson_format, ndjson_format;
enum format_fit geojson_fits(const str *columns, size_t count);
enum format_fit atom_fits(const str *columns, size_t count);
enum format_fit ics_fits(const str *columns, size_t count);
enum status atom_respond(const struct export *x, struct err *err) MUST_USE;
enum status ics_respond(const struct export *x, struct err *err) MUST_USE;
enum status copyable_respond(const struct export *x, struct err *err) MUST_USE;
enum status notebook_respond(const struct export *x, struct err *err) MUST_USE;

/* What atom.c and ics.c share. */
bool columns_have(const str *columns, size_t count, const char *name);
/* INVALID naming the columns of `wanted` that the rows lack. */
enum status columns_require(const struct rowset *rows, const char *const *wanted, size_t count, const char *format,
                            struct err *err) MUST_USE;
/* Text of the column's cell; p == NULL when the column is absent or the cell is null. */
str column_text(const struct export *x, size_t row, const char *column);

#endif

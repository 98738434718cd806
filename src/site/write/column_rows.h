/* SPDX-License-Identifier: Apache-2.0 */
/* column_rows: the rows of the forms that make and change tables: one a column, with fields "name.0", "type.0" and so
 * on; empty ones at the end for columns to come. */
#ifndef VITRINE_SITE_WRITE_COLUMN_ROWS_H
#define VITRINE_SITE_WRITE_COLUMN_ROWS_H

#include "site/request.h"

/* What was typed: DICT of the form. Empty with p NULL = the field is not there. */
str column_row_field(struct arena *a, struct value typed, const char *field, size_t i);
/* How many rows to show: those that were there (`least` of them at least), and more when that was asked for. */
size_t column_rows_count(struct value typed, size_t least);
bool column_rows_more(struct value typed); /* the form asks for more rows, not to be carried out */
/* A row as the template has it, from what was typed. */
struct value column_row(struct arena *a, struct value typed, size_t i);
/* Tables that a column may be a key of: LIST of names. */
struct value column_key_tables(struct request *rq);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* labels: foreign keys shown as the row they point at. Fills cell.label of the wanted columns with one query a column.
 */
#ifndef VITRINE_SITE_LABELS_H
#define VITRINE_SITE_LABELS_H

#include "db/schema.h"
#include "site/fetch.h"

/* The label column of a table: configuration, else the schema's rule; empty = none. */
str label_column(const struct request *rq, const struct schema *schema, str table);

/* May the actor see the table that the key leads to? A key may spell its name in other letters than the table itself,
 * and permissions go by the table's. */
bool labels_are_allowed(const struct request *rq, const struct schema_fk *fk);

/* Expands the columns named in `only` (NULL = every foreign key column that is in the rowset). Tables that the actor
 * may not see, and keys without a row, stay as they are. Errors of the look-up (a view that fails, ...) leave values
 * raw. */
enum status labels_expand(struct request *rq, const struct schema *schema, const struct schema_table *table,
                          const str *only, size_t only_count, struct rowset *rows, size_t row_count,
                          struct err *err) MUST_USE;

/* Labels for facet values: same order as values; p == NULL where there is none. */
enum status labels_of_values(struct request *rq, const struct schema *schema, const struct schema_table *table,
                             str column, const struct cell *values, size_t count, str *ret_labels,
                             struct err *err) MUST_USE;

/* Was a column expanded (a foreign key that was asked for, whether or not any label was found)? */
bool labels_is_expanded(const struct schema_table *table, str column, const str *only, size_t only_count);

#endif

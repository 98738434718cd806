/* SPDX-License-Identifier: Apache-2.0 */
/* csv: tables and query results as CSV. `_stream=on` walks all pages of a table in constant memory: the answer is
 * pulled piece by piece on workers, as fast as the client reads. */
#ifndef VITRINE_SITE_RENDER_CSV_H
#define VITRINE_SITE_RENDER_CSV_H

#include "site/table_page.h"

enum status csv_respond_table(struct table_page *p, struct err *err) MUST_USE;
/* Rows already fetched: queries and single rows. `name` is the file name for _dl. table empty: blobs link to the query.
 */
enum status csv_respond_rows(struct request *rq, const struct rowset *rows, str name, const struct schema_table *table,
                             struct err *err) MUST_USE;

#endif

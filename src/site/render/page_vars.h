/* SPDX-License-Identifier: Apache-2.0 */
/* page_vars: variables that several pages have. */
#ifndef VITRINE_SITE_RENDER_PAGE_VARS_H
#define VITRINE_SITE_RENDER_PAGE_VARS_H

#include "site/table_page.h"

/* url_csv, url_csv_path, url_csv_hidden_args of this page; labels: with _labels=on. */
void page_vars_csv(struct request *rq, struct value d, bool labels);
/* {name: value} of all settings. */
struct value page_vars_settings(struct request *rq);
/* sort, sort_desc: which header shows an arrow. Without a sort, tables are in the order of their key. */
void page_vars_sort(const struct table_page *p, struct value d);
/* What templates of Datasette 0.65 call things: canned_query, filtered_table_rows_count, table_actions() ... */
void page_vars_old_names(struct request *rq, struct value vars);

#endif

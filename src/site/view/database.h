/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the database page that the SQL page shows too. */
#ifndef VITRINE_SITE_VIEW_DATABASE_H
#define VITRINE_SITE_VIEW_DATABASE_H

#include "codec/value.h"

struct request;

/* The tables the actor may see, visible ones first, by name. */
struct value database_tables(struct request *rq);
/* {table: [columns]} for completion in the editor; views have no columns. */
struct value database_table_columns(struct request *rq);
/* Metadata of rq->db without its tables. */
struct value database_metadata(const struct request *rq);

#endif

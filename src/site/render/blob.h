/* SPDX-License-Identifier: Apache-2.0 */
/* blob: one binary value as a download. */
#ifndef VITRINE_SITE_RENDER_BLOB_H
#define VITRINE_SITE_RENDER_BLOB_H

#include "site/fetch.h"

/* ?_blob_column picks the column, ?_blob_hash (sha256) the row. table and pks name the file; empty for queries.
 * INVALID with the remedy when the column or the hash does not fit. */
enum status blob_respond(struct request *rq, const struct rowset *rows, size_t row_count, str table, str pks,
                         struct err *err) MUST_USE;

#endif

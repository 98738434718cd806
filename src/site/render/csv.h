/* SPDX-License-Identifier: Apache-2.0 */
/* csv: tables and query results as CSV: ?_dl downloads, ?_header=off leaves the names out, expanded foreign keys get a
 * column of labels. */
#ifndef VITRINE_SITE_RENDER_CSV_H
#define VITRINE_SITE_RENDER_CSV_H

#include "site/render/row_stream.h"

extern const struct row_format csv_format;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* query/redirect: the filter form's fields -> the page's canonical address. */
#ifndef VITRINE_SITE_QUERY_REDIRECT_H
#define VITRINE_SITE_QUERY_REDIRECT_H

#include "site/query/table.h"

/* True when `_filter_*` fields or `_sort_by_desc` ask for a redirect; *ret_location is then prefix + path?query. Comes
 * before everything else of a table page. */
bool query_redirect(struct arena *a, const struct query_request *request, str *ret_location);

#endif

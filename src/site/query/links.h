/* SPDX-License-Identifier: Apache-2.0 */
/* query/links: addresses of the same page with other arguments. Pairs with blank values are dropped from the current
 * query string on the way, as the reference does; its order is kept. */
#ifndef VITRINE_SITE_QUERY_LINKS_H
#define VITRINE_SITE_QUERY_LINKS_H

#include "site/query/table.h"

/* path?query with the pair added at the end. */
str query_link_added(struct arena *a, const struct query_request *r, str key, str value);
/* path?query without any pair of the keys that come without value (p == NULL), then the pairs that have one. */
str query_link_changed(struct arena *a, const struct query_request *r, const struct arg *changes, size_t count);
/* path?query without the pairs that have this key and this value. */
str query_link_removed(struct arena *a, const struct query_request *r, str key, str value);
/* path?query without any pair of the keys in `set`, then the pairs of `set` that have a value (p != NULL). */
str query_link_replaced(struct arena *a, const struct query_request *r, const struct arg *set, size_t count);
/* prefix + link, origin + prefix + link (prefixed) or origin + link. */
str query_link_path(struct arena *a, const struct query_request *r, str link);
str query_link_absolute(struct arena *a, const struct query_request *r, str link, bool prefixed);

#endif

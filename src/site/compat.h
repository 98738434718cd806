/* SPDX-License-Identifier: Apache-2.0 */
/* compat: JSON in the shapes of Datasette 0.65, for clients written for the stable release.
 *
 * Asked for by the setting json_compat or, for one request, by ?_compat=0.65 (and ?_compat=1.0 back). It changes only
 * what cannot stand beside the shapes of 1.0: the default of _shape, the top-level keys, facet_results, the objects of
 * the index, and errors, which get their "title". Any thread. */
#ifndef VITRINE_SITE_COMPAT_H
#define VITRINE_SITE_COMPAT_H

#include "site/extras.h"
#include "site/render/rows_json.h"

bool compat_is_old(const struct request *rq);

/* Each fills head and tail with the keys of 0.65, in its order; *spec already holds the rows. */
void compat_table(struct extra_context *c, struct table_page *p, struct value head, struct value tail);
void compat_row(struct extra_context *c, struct value head, struct value tail);
void compat_query(struct extra_context *c, const struct err *error, bool truncated, struct value head,
                  struct value tail);
/* Takes the keys away that 0.65's database page does not have, and adds query_ms. */
void compat_database(struct request *rq, struct value page);
/* {name: database} from the list of 1.0. */
struct value compat_by_name(struct arena *a, struct value databases);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* searchable: which tables can be searched by text, for /-/search, its link in the menu and the box on the index. */
#ifndef VITRINE_SITE_SEARCHABLE_H
#define VITRINE_SITE_SEARCHABLE_H

#include "site/request.h"

/* Has a full-text index (by the schema or by configuration), is not hidden, and the actor may see it. rq->db and
 * rq->schema are those of the table. */
bool searchable_table(const struct request *rq, const struct schema_table *t);
/* Is there any, of the schemas that were read so far? No SQL, no connection: for every page. */
bool searchable_any(const struct request *rq);

#endif

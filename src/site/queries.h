/* SPDX-License-Identifier: Apache-2.0 */
/* queries: stored queries: those of the configuration (trusted unless it says otherwise), then those that visitors
 * stored (kept.h; never trusted). */
#ifndef VITRINE_SITE_QUERIES_H
#define VITRINE_SITE_QUERIES_H

#include "site/request.h"

bool queries_exists(const struct request *rq, str db, str name);
/* All facts of one query as the API gives them (DICT), with "private" for this actor; UNDEFINED when there is none. */
struct value queries_get(struct request *rq, str db, str name);
/* Those of a database that the actor may see, by name. */
struct value queries_visible(struct request *rq, str db);
/* Parameter values of the configuration ("params" as an object): default for :name, or empty with p == NULL. */
str queries_default(const struct request *rq, str db, str query, str parameter);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* write/new_database: a new, empty database file beside those that are served, made from a page. */
#ifndef VITRINE_SITE_WRITE_NEW_DATABASE_H
#define VITRINE_SITE_WRITE_NEW_DATABASE_H

#include "site/request.h"

/* May the actor make databases here? Only where a directory is served, so that they are there after a restart too, and
 * only who is signed in and has create-table. `name` empty = of any name. */
bool new_database_may(const struct request *rq, str name);
/* For a POST: makes the file once, then sees to it that the request is answered by a generation of the site that has
 * it. OK: it is there. AGAIN: answered with a redirect to the same form (307). INVALID, CONFLICT, FORBIDDEN: why not.
 * BUSY: it is made, but not served yet. Blocks for a moment. */
enum status new_database_make(struct request *rq, str name, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* ready: should this process get requests? */
#ifndef VITRINE_SITE_READY_H
#define VITRINE_SITE_READY_H

#include "site/app.h"

/* False: it stops, or a database cannot be read; *ret_why (or NULL) gets a sentence in `a`. A few system calls for each
 * database, no SQL: a worker's business. */
bool site_is_ready(const struct site *s, struct arena *a, str *ret_why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* csrf: refuses unsafe requests that a page of another site made the browser send. No tokens: the browser's own
 * headers. */
#ifndef VITRINE_SITE_CSRF_H
#define VITRINE_SITE_CSRF_H

#include "base/err.h"

struct request;

/* FORBIDDEN unless Sec-Fetch-Site is same-origin or none; without it Origin must be our own; without both it passes.
 * Requests with a bearer token and no cookie are exempt. */
enum status csrf_check(const struct request *rq, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* handle: a request to one generation of the site. live.h chooses the generation. */
#ifndef VITRINE_SITE_HANDLE_H
#define VITRINE_SITE_HANDLE_H

#include "site/app.h"

void site_handle(struct site *s, struct http_exchange *x);                    /* loop's thread */
int64_t site_body_limit(const struct site *s, const struct http_request *rq); /* bytes of a body */
struct http_sink *site_body_sink(struct site *s, struct http_exchange *x);    /* see http/server.h */

#endif

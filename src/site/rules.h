/* SPDX-License-Identifier: Apache-2.0 */
/* rules: what the configuration says about requests before any page is made, in the words of Datasette's plugins.
 *
 *   plugins.datasette-redirects             {"301": {"/old": "/new"}, "302": {...}}
 *   plugins.datasette-redirect-to-https     {} or {"if_headers": {"x-forwarded-proto": "http"}}
 *   plugins.datasette-redirect-forbidden    {"redirect_to": "/-/login"}
 *   plugins.datasette-block                 {"prefixes": ["/private"]}
 *   plugins.datasette-referrer-policy       {"policy": "no-referrer"} */
#ifndef VITRINE_SITE_RULES_H
#define VITRINE_SITE_RULES_H

#include "http/message.h"
#include "site/config.h"

struct rules;

/* Lives in `a`, borrows the configuration. INVALID: a rule has the wrong type; the message names its key. */
enum status rules_new(struct arena *a, const struct config *c, const struct rules **ret, struct err *err) MUST_USE;

/* Are there rules that rules_gate looks at? */
bool rules_has_gate(const struct rules *rules);
/* Before anything else, the cache too: true when `r` is the answer (403 for a blocked path, the way to https). `path`
 * is below base_url. Allocates in the request's arena. */
bool rules_gate(const struct rules *rules, const struct http_request *http, str path, bool secure,
                struct http_response *r);
/* Where a path is redirected to; .p NULL = nowhere. The front page stays where it is. */
str rules_redirect(const struct rules *rules, str path, int *ret_status);
str rules_forbidden_to(const struct rules *rules);    /* empty = an error page */
str rules_referrer_policy(const struct rules *rules); /* "no-referrer" unless configured */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* conditional: If-None-Match, If-Modified-Since, If-Range (RFC 9110 section 13). Pure; any thread. */
#ifndef VITRINE_HTTP_CONDITIONAL_H
#define VITRINE_HTTP_CONDITIONAL_H

#include "base/str.h"

/* Weak comparison of an If-None-Match list ("*", W/"a", "b") with our tag (with quotes, maybe W/). Our tag empty: only
 * "*". */
bool conditional_none_match(str field, str etag);
/* True when the client's copy is still good, so 304 is the answer to GET and HEAD. If-None-Match wins over
 * If-Modified-Since. Fields: p == NULL when absent. modified: our Last-Modified text; empty = none. */
bool conditional_not_modified(str if_none_match, str if_modified_since, str etag, str modified);
/* If-Range holds: strong comparison of a tag, or exactly our date. Absent field: true. */
bool conditional_if_range(str if_range, str etag, str modified);

#endif

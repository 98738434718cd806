/* SPDX-License-Identifier: Apache-2.0 */
/* start: the body of a file that somebody brings goes to the disk while it comes in. The essay is in start.c. */
#ifndef VITRINE_HUB_VIEW_START_H
#define VITRINE_HUB_VIEW_START_H

#include "hub/request.h"

/* Loop's thread, both. */
bool start_is_upload(const struct http_request *http);
struct http_sink *start_sink_new(struct hub *h, struct http_exchange *x) MUST_USE;

/* The largest file: that of the limits, or what a new space may hold. */
int64_t start_most_bytes(const struct hub *h);

#endif

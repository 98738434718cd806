/* SPDX-License-Identifier: Apache-2.0 */
/* device: browsers that signed in before. Each has a cookie "ID.MAC": that the MAC is ours lets its attempts pass by
 * those of strangers, without a look at hub.db; that hub.db knows the ID for an account lets the owner try while
 * strangers are told to wait. It opens nothing by itself. */
#ifndef VITRINE_HUB_DEVICE_H
#define VITRINE_HUB_DEVICE_H

#include "hub/request.h"

/* The ID of the browser's cookie, in the request's arena: random, so it also ties forms to the browser that was given
 * them. Makes one, with its cookie in the answer, when there is none; the same for the whole request. */
str device_id(struct hub_request *rq);
/* Did this browser sign in here before, as anybody? Any thread, the loop's too. */
bool device_is_known(struct hub *h, const struct http_request *http, struct arena *a) MUST_USE;
/* ... as this user? */
enum status device_knows(struct conn *c, struct hub_request *rq, str user_id, bool *ret, struct err *err) MUST_USE;
/* Inside of a write: it just did. */
enum status device_note(struct conn *c, struct hub_request *rq, str user_id, struct err *err) MUST_USE;
/* The cookie that says so: after that write. */
void device_remember(struct hub_request *rq);

/* "Firefox on Linux", of the header User-Agent. */
str device_name(struct arena *a, str agent);
/* "192.0.2.17" -> "192.0.2.…", "2001:db8:1:2::7" -> "2001:db8:1:…": enough to know one's own network again. */
str device_place(struct arena *a, str address);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* actor: who is asking. The ds_actor cookie or a bearer token (dstok_...), both signed with the site's secret. */
#ifndef VITRINE_SITE_ACTOR_H
#define VITRINE_SITE_ACTOR_H

#include "base/err.h"
#include "codec/value.h"

struct request;
struct site;

/* Sets rq->actor. A bad or expired cookie means anonymous; a recognised but bad token is UNAUTHENTICATED. */
enum status actor_authenticate(struct request *rq, struct err *err) MUST_USE;
/* Signs the actor into a Set-Cookie header; expires after `seconds` (0 = with the browser session). */
void actor_set_cookie(struct request *rq, struct value actor, int64_t seconds);
void actor_clear_cookie(struct request *rq);
/* "dstok_..." for an actor id. restrictions: DICT or null; seconds 0 = no expiry. */
str actor_make_token(struct arena *a, str secret, str actor_id, int64_t seconds, struct value restrictions);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* actor: who is asking. The ds_actor cookie or a bearer token (dstok_...), both signed with the site's secret; or what
 * the configuration names (see accounts.h). */
#ifndef VITRINE_SITE_ACTOR_H
#define VITRINE_SITE_ACTOR_H

#include "base/err.h"
#include "codec/value.h"

struct request;
struct site;

#define ACTOR_CHALLENGE "Basic realm=\"Datasette\", charset=\"UTF-8\""

/* Sets rq->actor, from the first of: cookie, name and password (Basic), bearer token. A bad or expired cookie means
 * anonymous; a recognised but bad token is UNAUTHENTICATED. RATE: too many wrong passwords. May hash and may run SQL:
 * workers only. */
enum status actor_authenticate(struct request *rq, struct err *err) MUST_USE;
/* The actor's id as text; empty for nobody. */
str actor_name(const struct request *rq);
/* Open even where http_basic_auth asks everybody for a password: what watches the process has none. */
bool actor_is_open_path(str path);
/* Signs the actor into a Set-Cookie header; expires after `seconds` (0 = with the browser session). Over https it is
 * sent back over https only; `hidden` keeps it from scripts. */
void actor_set_cookie(struct request *rq, struct value actor, int64_t seconds, bool hidden);
void actor_clear_cookie(struct request *rq);
/* "dstok_..." for an actor id. record: its id in tokens.h, empty for a token without; restrictions: DICT or null;
 * seconds 0 = no expiry. */
str actor_make_token(struct arena *a, str secret, str actor_id, str record, int64_t seconds, struct value restrictions);

#endif

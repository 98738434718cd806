/* SPDX-License-Identifier: Apache-2.0 */
/* terms: what somebody asks for when they share: with whom, until when, which page. Pure; any thread. */
#ifndef VITRINE_SITE_SHARE_TERMS_H
#define VITRINE_SITE_SHARE_TERMS_H

#include "site/share/shares.h"

/* "never" or nothing: 0. "1d", "7d", "30d", any number of days up to 3650; "2027-01-31": the end of that day, UTC. Unix
 * seconds. INVALID: something else, or a day that is over. */
enum status terms_until(str text, int64_t now_s, int64_t *ret, struct err *err) MUST_USE;
/* An e-mail address, or an id of an actor. INVALID. */
enum status terms_who(str text, str *ret, struct err *err) MUST_USE;
bool terms_is_address(str who); /* of mail */
/* What stands behind the address of a page: "?_sort=x", "#g.mark=bar", both, or nothing. INVALID. */
enum status terms_page(struct arena *a, str text, str *ret, struct err *err) MUST_USE;
enum status terms_password(str text, struct err *err) MUST_USE;
/* -1: not one of its names. */
int terms_audience(str name);

#endif

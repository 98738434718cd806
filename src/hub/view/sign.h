/* SPDX-License-Identifier: Apache-2.0 */
/* sign: what signing in and links in mails share. Workers. */
#ifndef VITRINE_HUB_VIEW_SIGN_H
#define VITRINE_HUB_VIEW_SIGN_H

#include "hub/request.h"

/* Counts an attempt, before a password is hashed or a mail is made: STATUS_RATE (with Retry-After) after too many of
 * this client, at this address or of strangers at it. user_id: whose account it is, so that browsers it knows are not
 * held up by strangers; empty: of nobody, or it does not matter. *ret_known: such a browser. */
enum status sign_may_try(struct hub_request *rq, str email, str user_id, bool *ret_known, struct err *err) MUST_USE;

/* Answers with the form of a template ("sign_in.html"): as it begins, or, with `why`, with what was typed and what is
 * wrong with it. */
enum status sign_form(struct hub_request *rq, const char *page, const struct err *why, struct err *err) MUST_USE;

#endif

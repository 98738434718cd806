/* SPDX-License-Identifier: Apache-2.0 */
/* second: what a right password leads to, and showing again that it is still the same person. */
#ifndef VITRINE_HUB_SECOND_H
#define VITRINE_HUB_SECOND_H

#include "hub/passkey.h"
#include "hub/request.h"

/* The password of the user was right, or a link in a mail to them: signed in and on to `to`, or, where an app is set
 * up, to the page that asks for its code. `note` as in hub_go. */
enum status second_begin(struct hub_request *rq, str user_id, str to, const char *note, struct err *err) MUST_USE;
/* What a form asks a browser for: purpose "sign-in", "add" or "confirm". */
struct passkey_ask second_ask(struct hub_request *rq, const char *purpose);
/* Sets vars.passkey_options for a form that signs in. */
enum status second_offer(struct hub_request *rq, struct value vars, struct err *err) MUST_USE;
/* As hub_in_form, where people show who they are: that they did not is said in the form too. */
bool second_in_form(enum status st);

#endif

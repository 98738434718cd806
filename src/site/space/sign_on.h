/* SPDX-License-Identifier: Apache-2.0 */
/* sign_on: the way to the hub and back. The essay is in sign_on.c; the view is view_sign_on (view/view.h). */
#ifndef VITRINE_SITE_SPACE_SIGN_ON_H
#define VITRINE_SITE_SPACE_SIGN_ON_H

#include "site/request.h"

/* Answers with a redirect to the hub, which sends the browser back to `to` (a path of ours, see uri_is_own_path()). */
enum status sign_on_start(struct request *rq, str to, bool other_account, struct err *err) MUST_USE;
/* "/-/sign-on?to=...": where a link "Sign in" leads. */
str sign_on_link(const struct request *rq, bool other_account);

#endif

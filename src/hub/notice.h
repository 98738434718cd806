/* SPDX-License-Identifier: Apache-2.0 */
/* notice: mails that tell somebody what happened to their account, so that they know when it was not they. They hold no
 * link that does anything: who reads them can do nothing that a stranger cannot. */
#ifndef VITRINE_HUB_NOTICE_H
#define VITRINE_HUB_NOTICE_H

#include "hub/request.h"

/* Inside of the write that does it, before what it takes away is gone (the address, the account). kind: a notice of
 * tbl/mail_kinds.h; key, text: what it says beside when and from where; NULL = nothing. Nothing is sent without a way
 * to send, or to an address that nobody has confirmed: it may be a stranger's. */
enum status notice_add(struct conn *c, struct hub_request *rq, str user_id, const char *kind, const char *key,
                       struct value text, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* mail: what the hub sends. A mail is written into hub.db by the transaction that causes it. */
#ifndef VITRINE_HUB_MAIL_H
#define VITRINE_HUB_MAIL_H

#include "codec/value.h"
#include "db/conn.h"

/* kind: of the text ("verify", "reset", "invitation"); vars: what it says (DICT of texts). Inside of a write. */
enum status mail_add(struct conn *c, struct arena *a, str to, const char *kind, struct value vars,
                     struct err *err) MUST_USE;

#endif

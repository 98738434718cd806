/* SPDX-License-Identifier: Apache-2.0 */
/* outbox: what a space asks of its hub, as files in DIR/outbox (docs/design/0060-hub.md). The hub reads, checks and
 * removes them; nothing is answered. Blocks: workers. */
#ifndef VITRINE_SITE_SHARE_OUTBOX_H
#define VITRINE_SITE_SHARE_OUTBOX_H

#include "base/err.h"
#include "base/str.h"

/* Asks for the mail that tells `to` of a share: {"kind": "share", "to", "what", "url", "by"} in `folder`, which is
 * made; written beside and renamed. RATE: LIMIT_SHARE_MAILS wait already. */
enum status outbox_share(str folder, str id, str to, str what, str url, str by, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* outbox_mail: mails what spaces ask for (outbox.h). Whoever shares is looked up among the members of the space, and is
 * "Somebody" otherwise; a space may have LIMIT_OUTBOX_BURST mails sent, and one more each minute. */
#ifndef VITRINE_HUB_OUTBOX_MAIL_H
#define VITRINE_HUB_OUTBOX_MAIL_H

#include "hub/hub.h"

/* One look into the outbox of every space. Blocks: a worker's. What fails is in the log. */
void outbox_mail_all(struct hub *h);

#endif

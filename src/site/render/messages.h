/* SPDX-License-Identifier: Apache-2.0 */
/* messages: flash messages in the signed ds_messages cookie: a JSON list of [text, type]. */
#ifndef VITRINE_SITE_RENDER_MESSAGES_H
#define VITRINE_SITE_RENDER_MESSAGES_H

#include "codec/value.h"

struct request;

enum message_type { MESSAGE_INFO = 1, MESSAGE_WARNING = 2, MESSAGE_ERROR = 3 };

/* Shows on the next page: signs a Set-Cookie header on the response. */
void messages_add(struct request *rq, str text, enum message_type type);
/* The messages to show now (LIST of [text, type]); they are cleared by the answer that shows them. */
struct value messages_take(struct request *rq, struct arena *a);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* magic: values of :_actor_id, :_header_x, :_cookie_x, :_now_..., :_random_chars_N in stored queries. */
#ifndef VITRINE_SITE_MAGIC_H
#define VITRINE_SITE_MAGIC_H

#include "site/request.h"

/* False when `name` (with its leading "_") is no magic parameter. *ret may be a null value. */
bool magic_value(struct request *rq, str name, struct value *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* old_name: names that spaces gave up. Links, bookmarks and browsers (service workers) of their visitors still lead
 * there: so for LIMIT_HUB_OLD_NAME_S a name is free for those who owned the space, and for nobody else. */
#ifndef VITRINE_HUB_OLD_NAME_H
#define VITRINE_HUB_OLD_NAME_H

#include "db/conn.h"

/* All inside of a write. The space is about to give up the name that it has. */
enum status old_name_keep(struct conn *c, str space_id, struct err *err) MUST_USE;
/* The space takes the name, as `user_id` wishes. CONFLICT: it is kept for others. */
enum status old_name_take(struct conn *c, struct arena *a, str name, str space_id, str user_id,
                          struct err *err) MUST_USE;
/* Those whose time is over. */
enum status old_name_forget(struct conn *c, int64_t now_s, struct err *err) MUST_USE;

#endif

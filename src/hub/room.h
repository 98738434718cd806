/* SPDX-License-Identifier: Apache-2.0 */
/* room: whether the disk has room. The last LIMIT_HUB_RESERVE bytes are for what is there already: nothing new begins
 * in them, so that hub.db, sessions and spaces that run can still be written. Any thread; blocks shortly. */
#ifndef VITRINE_HUB_ROOM_H
#define VITRINE_HUB_ROOM_H

#include "hub/hub.h"

/* For so many bytes more. DISK_FULL, in words for whoever asked. */
enum status hub_room(const struct hub *h, int64_t bytes, struct err *err) MUST_USE;
/* After a failure `st`: a full disk is said in those words, whatever the part said that stumbled over it. */
enum status hub_room_or(const struct hub *h, enum status st, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* space: one team's site: its row in hub.db, its folder, its app at the edge.
 *
 *   making --answers--> live <--> suspended
 *     |                  `--> deleted --LIMIT_HUB_GRACE_S--> gone
 *     `--failed--> gone
 *
 * What a space must know is in its space.json (docs/design/0060-hub.md). Whoever changes something that stands there
 * says so in the same transaction (space_changed) and calls space_tell after it; what a crash left untold is told at
 * the next start. In the same way the edge follows hub.db (edge_apps_put, space_reconcile). */
#ifndef VITRINE_HUB_SPACE_H
#define VITRINE_HUB_SPACE_H

#include "hub/request.h"

enum space_role { ROLE_NONE, ROLE_VIEWER, ROLE_EDITOR, ROLE_OWNER };
const char *space_role_name(enum space_role role); /* "viewer"; "" for ROLE_NONE */
enum space_role space_role_parse(str name);        /* ROLE_NONE: it is none */

/* A host label that looks like no other: a-z, digits, single hyphens, not reserved. INVALID says which rule. */
enum status space_name_check(str name, struct err *err) MUST_USE;
/* "City museum" -> "city-museum": a name that space_name_check takes, or empty. */
str space_name_from(struct arena *a, str title);

/* What a new space begins with. */
struct space_contents {
    /* Puts it into the folders of the space, which does not run yet. */
    enum status (*put)(struct hub_request *rq, str space_id, void *arg, struct err *err);
    /* Inside of the write that makes the space live; NULL = there is nothing to write. */
    enum status (*kept)(struct conn *c, void *arg, struct err *err);
    void *arg;
};
/* Makes one, with its owner, and waits until it answers. contents: NULL = empty. After a failure nothing of it is
 * left. */
enum status space_make(struct hub_request *rq, str name, str title, const struct space_contents *contents, str *ret_id,
                       struct err *err) MUST_USE;
/* CONFLICT: the user owns as many spaces as one may, or deleted too many that can still be brought back. */
enum status space_room(struct hub_request *rq, struct err *err) MUST_USE;
/* Inside of a write: for one that is brought back. CONFLICT: the user owns as many as one may. */
enum status space_room_for(struct conn *c, const struct hub_request *rq, struct err *err) MUST_USE;
/* The row, with "role" as the user's role in it ("" = none; teams count), "logo" as its name, "origin", and "until" as
 * the day when a deleted one is gone. NOT_FOUND unless the user is a member or an administrator: that a space exists is
 * nobody else's business. */
enum status space_find(struct hub_request *rq, str name, struct value *ret, struct err *err) MUST_USE;
/* FORBIDDEN unless the role in that row is at least this, or the user is an administrator. */
enum status space_require(const struct hub_request *rq, struct value space, enum space_role role,
                          struct err *err) MUST_USE;
/* Both: the row, for somebody of that role. */
enum status space_find_for(struct hub_request *rq, str name, enum space_role role, struct value *ret,
                           struct err *err) MUST_USE;
/* Whether that user may act as an owner there: is one (teams count) or an administrator, and no closed account. */
enum status space_is_owned_by(struct conn *c, struct arena *a, str space_id, str user_id, bool *ret,
                              struct err *err) MUST_USE;
/* Everybody who is in, by themselves, by a team or by a group, with the highest role: LIST of {id, name, email, role,
 * direct, by_group}. */
enum status space_people(struct conn *c, struct arena *a, str space_id, struct value *ret, struct err *err) MUST_USE;
/* The spaces of one person, live first: LIST of rows with role. */
enum status space_list(struct conn *c, struct arena *a, str user_id, struct value *ret, struct err *err) MUST_USE;

/* Inside of a write: space.json is out of date from now on. */
enum status space_changed(struct conn *c, str space_id, struct err *err) MUST_USE;
/* Inside of a write: what members, sessions and roles allow in the user's spaces changes. */
enum status space_changed_of(struct conn *c, str user_id, struct err *err) MUST_USE;
/* Writes the space.json of all that changed. A failure is logged and tried again. Workers. */
void space_tell(struct hub *h);
/* Compares every space.json with hub.db, whatever was told before; how many were written. */
size_t space_tell_all(struct hub *h);

struct space_settled {
    size_t told;    /* space.json that were not as hub.db says */
    size_t changed; /* spaces of which the edge had something else */
    size_t left;    /* in the making, or failed: hub.unsettled stays, and upkeep tries again */
};
/* Folders, space.json and apps of all spaces as hub.db has them: after a crash between hub.db and the edge, at the
 * start and at `vitrine hub reload`. What was half made goes, apps of spaces that hub.db does not know too (not their
 * folders); what is right is not touched. Blocks; any process of the hub. */
enum status space_reconcile(struct hub *h, struct space_settled *ret, struct err *err) MUST_USE;
/* Takes the folder of a space away, with all data. */
enum status space_erase(struct hub *h, str space_id, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* permit: may this actor do this action on this resource?
 *
 * Rules come from the configuration (permissions, allow, allow_sql), from the defaults and from --root. The most
 * specific level that has a rule decides (resource, then database, then everything); at one level a deny beats an
 * allow; no rule means no. Restrictions in the actor's token ("_r") can only narrow. Pure: no database, no I/O; any
 * thread. */
#ifndef VITRINE_SITE_PERMIT_H
#define VITRINE_SITE_PERMIT_H

#include "codec/value.h"
#include "site/config.h"

enum action {
    ACTION_NONE = -1,
#define X(id, name, abbr, level, requires, allowed, role, description) ACTION_##id,
#include "site/tbl/actions.h"
#undef X
    ACTION_COUNT
};

/* Actions from here on are ours: /-/actions and the form of /-/permissions list those that clients know. */
#define ACTION_OWN ACTION_SHARE

enum action_level { ACTION_LEVEL_GLOBAL, ACTION_LEVEL_DATABASE, ACTION_LEVEL_TABLE, ACTION_LEVEL_QUERY };

/* What a member of a space is; each may what the one before it may. */
enum role { ROLE_NONE, ROLE_VIEWER, ROLE_EDITOR, ROLE_OWNER };
enum role role_find(str name); /* "viewer", "editor", "owner"; ROLE_NONE for anything else */
extern const char *const role_names[];

struct action_row {
    const char *name, *abbr;
    enum action_level level;
    enum action also_requires;
    bool allowed_by_default;
    enum role least_role;
    const char *description;
};
extern const struct action_row action_rows[ACTION_COUNT];

/* What the hub says of the people of a space (space/space.h). It is the ceiling: the configuration can only narrow it.
 * A member may what the role may; everybody else may read when the space is public, and nothing when it is not. */
struct permit_hub {
    bool is_public;
    struct value members; /* DICT user id -> DICT with "role" */
};

struct permit_policy {
    const struct config *config;
    const struct permit_hub *hub; /* NULL = a site of its own: no ceiling */
    bool root_enabled;            /* --root: actor id "root" may do everything that no narrower rule denies */
    bool default_deny;            /* --default-deny */
};

/* The role of an actor, ROLE_NONE for who is no member. hub may be NULL: ROLE_NONE. */
enum role permit_role(const struct permit_hub *hub, struct value actor);

enum action action_find(str name); /* by name or abbreviation; ACTION_NONE when unknown */

/* actor: DICT or null. parent = database, child = table, view or query; empty where the level has none. */
bool permit_allowed(const struct permit_policy *p, struct value actor, enum action a, str parent, str child);

/* One rule that took part, for the debug pages. */
struct permit_rule {
    str parent, child; /* empty = any */
    bool allow;
    const char *reason; /* static text */
};
/* 2 the resource itself, 1 its parent, 0 everything, -1 the rule is about something else. */
int permit_rule_level(const struct permit_rule *r, str parent, str child);
/* All rules of an action for an actor, in no order of rank; returns how many were written (at most max). */
size_t permit_rules(const struct permit_policy *p, struct value actor, enum action a, struct arena *arena,
                    struct permit_rule **ret_rules);
/* Verdict of the given rules for one resource, without restrictions and requirements. */
bool permit_resolve(const struct permit_rule *rules, size_t count, str parent, str child);
/* Is there a rule about this resource that is narrower than `level` (as permit_rule_level() counts)? What is shared at
 * that level does not reach past it. */
bool permit_has_narrower(const struct permit_policy *p, struct value actor, enum action a, str parent, str child,
                         int level);
/* Whether the actor's "_r" restrictions (if any) include this action on this resource. */
bool permit_within_restrictions(struct value actor, enum action a, str parent, str child);

/* Types of all allow blocks of a configuration. INVALID names the key; unknown actions are logged. Memory for paths
 * from `a`. */
enum status permit_check(struct arena *a, const struct config *c, struct err *err) MUST_USE;

/* allow block semantics: true, false, {}, {key: value | list | "*"}, {"unauthenticated": true}. */
bool permit_matches_allow(struct value actor, struct value allow);

#endif

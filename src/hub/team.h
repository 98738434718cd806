/* SPDX-License-Identifier: Apache-2.0 */
/* team: people who are in spaces together: a space gives the team a role, and everybody in it has it. A team never
 * stands in for the owner that each space has by itself (space.h), so taking one away leaves no space alone. */
#ifndef VITRINE_HUB_TEAM_H
#define VITRINE_HUB_TEAM_H

#include "hub/space.h"

/* The row {id, name, is_in, is_manager}. NOT_FOUND unless the user is in it or an administrator. Where no manager is
 * left everybody in it is one. */
enum status team_find(struct hub_request *rq, str id, struct value *ret, struct err *err) MUST_USE;
/* FORBIDDEN unless the user manages that row's team, or is an administrator. */
enum status team_require(const struct hub_request *rq, struct value team, struct err *err) MUST_USE;
/* The teams of one person: LIST of {id, name, is_manager, people, spaces}, the last two as numbers. */
enum status team_list(struct conn *c, struct arena *a, str user_id, struct value *ret, struct err *err) MUST_USE;
/* LIST of {id, name, email, is_manager, by_hand}; by_hand 0: a group of an issuer put them there. */
enum status team_people(struct conn *c, struct arena *a, str team_id, struct value *ret, struct err *err) MUST_USE;
/* Spaces that gave it a role: LIST of {name, title, role}. */
enum status team_spaces(struct conn *c, struct arena *a, str team_id, struct value *ret, struct err *err) MUST_USE;
/* Teams that have a role in a space: LIST of {id, name, role, people}. */
enum status team_of_space(struct conn *c, struct arena *a, str space_id, struct value *ret, struct err *err) MUST_USE;

/* Each is one transaction, after which the spaces concerned are told. */
enum status team_make(struct hub_request *rq, str name, str *ret_id, struct err *err) MUST_USE;
enum status team_rename(struct hub_request *rq, str id, str name, struct err *err) MUST_USE;
/* INVALID for an address of nobody whom the user shares a space or a team with: whether it has an account is told to
 * nobody else. */
enum status team_add(struct hub_request *rq, str id, str email, struct err *err) MUST_USE;
/* CONFLICT: the last manager, when others stay. */
enum status team_remove(struct hub_request *rq, str id, str user_id, struct err *err) MUST_USE;
enum status team_manager(struct hub_request *rq, str id, str user_id, bool on, struct err *err) MUST_USE;
enum status team_delete(struct hub_request *rq, str id, struct err *err) MUST_USE;
/* ROLE_NONE: it has none any more. INVALID: the user is not in the team. */
enum status team_give(struct hub_request *rq, str id, str space_id, enum space_role role, struct err *err) MUST_USE;

#endif

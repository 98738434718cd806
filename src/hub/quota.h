/* SPDX-License-Identifier: Apache-2.0 */
/* quota: how much a space may use: what hub.yaml says of all spaces, but for what an administrator set for this one
 * (spaces.quota in hub.db: a JSON object of those keys only). 0 = no limit. */
#ifndef VITRINE_HUB_QUOTA_H
#define VITRINE_HUB_QUOTA_H

#include "hub/request.h"

/* What counts for a space with this spaces.quota. Text that makes no sense counts as {}. Pure. */
void quota_of(const struct hub_config *c, struct arena *a, str own, struct hub_quota *ret);
/* As space.json has it. */
struct value quota_value(struct arena *a, const struct hub_quota *q);
/* For pages: LIST of {name, label, unit, value (as people write it), set (by an administrator), most, text, usual}. */
struct value quota_rows(const struct hub_config *c, struct arena *a, str own);
/* spaces.quota of the fields of a form: empty = as hub.yaml says. INVALID names the field. */
enum status quota_read_form(const struct hub_request *rq, str *ret, struct err *err) MUST_USE;

/* The space may use this from now on: told, and given to its processes. *ret_later: its process could not be changed
 * now, the next start does. */
enum status quota_set(struct hub_request *rq, str space_id, str own, struct err *err) MUST_USE;

#endif

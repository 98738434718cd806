/* SPDX-License-Identifier: Apache-2.0 */
/* explain: permission rules and verdicts in words, for the debug pages. */
#ifndef VITRINE_SITE_VIEW_EXPLAIN_H
#define VITRINE_SITE_VIEW_EXPLAIN_H

#include "site/request.h"

#define EXPLAIN_SOURCE "datasette.default_permissions" /* where clients expect built-in rules to come from */

struct explained_rule {
    struct permit_rule rule;
    str reason; /* complete: "config deny allow for view-table on data/pairs" */
    int rank;   /* among rules of one level: --root first, then settings, defaults, configuration */
    size_t at;  /* place in its rank */
};

/* All rules of an action for an actor, by rank. */
size_t explain_rules(struct request *rq, struct value actor, enum action a, struct explained_rule **ret);
/* Reasons of the rules that let the actor in at the level that decides (LIST of "source: reason"). */
struct value explain_allow_reasons(struct arena *a, const struct explained_rule *rules, size_t count, str parent,
                                   str child);
/* The whole answer of /-/check.json for a known action. */
struct value explain_check(struct request *rq, struct value actor, enum action a, str parent, str child);

#endif

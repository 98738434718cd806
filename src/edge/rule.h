/* SPDX-License-Identifier: Apache-2.0 */
/* rule: Traefik's rules for routers, as containers carry them in their labels:
 *
 *   rule    = all { "||" all }
 *   all     = one { "&&" one }
 *   one     = "(" rule ")" | Host(`a`, ...) | PathPrefix(`/p`, ...)
 *
 * Texts stand in backticks or double quotes. What Traefik can ask for beyond that (headers, methods, patterns, "!") is
 * refused by name: a route that is wider than its rule could show what was meant to be hidden. Pure; any thread. */
#ifndef VITRINE_EDGE_RULE_H
#define VITRINE_EDGE_RULE_H

#include "base/arena.h"
#include "base/err.h"

struct rule_place {
    str host; /* "" = any */
    str path; /* "/" = all */
};
/* The places that the rule names, in its order, each once. INVALID says at which column; TOO_LARGE: more than
 * LIMIT_EDGE_HOSTS. Hosts and paths are checked as those of any app. */
enum status rule_parse(struct arena *a, str text, struct rule_place **ret, size_t *ret_count, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Parts that several views share: the resources that permissions speak of, LIKE, ?_size and ?_page, forms, errors that
 * are JSON whatever the format of the page. */
#ifndef VITRINE_SITE_VIEW_RESOURCES_H
#define VITRINE_SITE_VIEW_RESOURCES_H

#include "site/request.h"

#define UNSTABLE_API "This API is not part of Datasette's stable interface and may change at any time"

struct resource {
    str parent, child; /* child is empty at database level */
    bool is_view;      /* table level only */
};

/* All databases, tables with views, or stored queries, sorted by parent and child; strings live in the request's arena.
 * `parent` empty = of all databases. A database that cannot be read now has no tables here, and neither
 * has it search indexes of tables that the actor may not see. Nothing at the global
 * level. rq->db and rq->conn must be unused and are so again afterwards. Statuses: CANCELLED. */
enum status resources_list(struct request *rq, enum action_level level, str parent, struct resource **ret,
                           size_t *ret_count, struct err *err) MUST_USE;
/* The same, only those that the request's actor may do `a` on. */
enum status resources_allowed(struct request *rq, enum action a, str parent, struct resource **ret, size_t *ret_count,
                              struct err *err) MUST_USE;

/* The published databases by name. */
struct published **published_by_name(struct request *rq);

/* SQL's LIKE: % any run, _ one code point, ASCII case aside, no escape. O(text * pattern) at worst. */
bool like_matches(str pattern, str text);
/* "%x%" */
str like_containing(struct arena *a, str x);

/* ?_size: blank = fallback, "max" = maximum. INVALID with Datasette's words. */
enum status page_size_arg(const struct request *rq, int64_t fallback, int64_t maximum, int64_t *ret,
                          struct err *err) MUST_USE;
/* ?_page, from 1. */
enum status page_number_arg(const struct request *rq, int64_t *ret, struct err *err) MUST_USE;

/* The urlencoded body of a POST. INVALID when it has too many fields. */
enum status form_parse(const struct request *rq, struct args *ret, struct err *err) MUST_USE;

/* Answers with the error as JSON, also on pages without ".json". Returns OK: the request has its answer. */
enum status respond_error_json(struct request *rq, const struct err *err);

/* "/", "/parent" or "/parent/child", as the permission pages name a resource. */
str resource_path(struct arena *a, str parent, str child);
/* The text, or null when empty. */
struct value text_or_none(str s);

#endif

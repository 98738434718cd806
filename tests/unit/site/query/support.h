/* SPDX-License-Identifier: Apache-2.0 */
/* What the planner's tests share: tables in one line, plans in one call. */
#ifndef VITRINE_TEST_QUERY_SUPPORT_H
#define VITRINE_TEST_QUERY_SUPPORT_H

#include "site/query/facets.h"
#include "site/query/filters.h"
#include "site/query/page.h"
#include "site/query/plan.h"
#include "test.h"

struct bench {
    struct arena *a;
    struct query_table table;
    struct query_settings settings;
    struct query_request request;
    struct err err;
};

/* A table `t` (id, name, price, tags, _city) with primary key id. Parts may be changed before bench_plan. */
void bench_init(struct bench *b);
void bench_release(struct bench *b);
/* Comma list -> names in the arena. */
const str *bench_names(struct bench *b, const char *list, size_t *ret_count);
void bench_columns(struct bench *b, const char *list);
void bench_pks(struct bench *b, const char *list); /* "" = rowid table */
void bench_config(struct bench *b, const char *json);
/* Plans `query`; NULL when refused (then b->err says why). */
const struct query_plan *bench_plan(struct bench *b, const char *query);
/* Fails the test unless the plan's SQL between "from" and "limit" is `want`. */
void bench_check_tail(struct bench *b, const char *query, const char *want);
/* ... unless it is refused with this message. */
void bench_check_refused(struct bench *b, const char *query, const char *message);
/* {"p0": "CA"} */
str bench_params(struct bench *b, const struct query_plan *plan);
str bench_json(struct arena *a, struct value v);
struct value bench_value(struct arena *a, const char *json);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* budget: who asks, and how much SQL they may still use. A client may use client_sql_burst_ms milliseconds of SQL in a
 * row and gets client_sql_ms_per_second back; actors have a budget each. The essay is in budget.c. */
#ifndef VITRINE_SITE_BUDGET_H
#define VITRINE_SITE_BUDGET_H

#include "site/request.h"

/* Sets note->budget to the client's and note->flow to its place in queues. Loop's thread. */
void budget_of_client(const struct site *s, const struct http_request *http, struct request_note *note);
/* From now on it is the actor's. Worker. */
void budget_of_actor(struct request *rq);
/* 0 = go on; else seconds until there is budget again. Any thread. */
int64_t budget_wait_s(const struct site *s, const struct request_note *note);
/* More than half of it is used. Any thread. */
bool budget_is_low(const struct site *s, const struct request_note *note);
void budget_charge(const struct site *s, const struct request_note *note, int64_t sql_us);
/* Does the budget count for this address? Pages for machines, signing in and static files are free. */
bool budget_counts(const struct request *rq);

/* Which lane a page belongs to. What was slow a moment ago, or may be slow by its arguments, does not stand before what
 * is quick. Any thread. */
bool budget_may_be_slow(const struct request *rq);
void budget_learn(const struct request *rq, int64_t sql_us);

#endif

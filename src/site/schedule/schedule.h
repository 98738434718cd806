/* SPDX-License-Identifier: Apache-2.0 */
/* schedule: tables that are filled from a URL or a file again and again, as databases.DB.imports says. The essay is in
 * schedule.c. */
#ifndef VITRINE_SITE_SCHEDULE_SCHEDULE_H
#define VITRINE_SITE_SCHEDULE_SCHEDULE_H

#include "site/app.h"

struct schedule;

struct schedule *schedule_new(struct internal *in) MUST_USE;
void schedule_free(struct schedule *s); /* after the pool has stopped; NULL is fine */
/* Takes what this generation's configuration says; what runs goes on. Reads the internal database: blocks. */
void schedule_configure(struct site *s);
/* Begins what is due. Loop's thread, about once a second. */
void schedule_tick(struct site *s);
/* LIST of DICT for pages. */
struct value schedule_list(struct site *s, struct arena *a);
/* It runs within a second or two. False: there is no such import, or it runs already. */
bool schedule_run_now(struct site *s, str db, str table);

#endif

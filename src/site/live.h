/* SPDX-License-Identifier: Apache-2.0 */
/* live: the site that is served now, and its renewal when files or configuration change. The essay is in live.c. */
#ifndef VITRINE_SITE_LIVE_H
#define VITRINE_SITE_LIVE_H

#include "rt/loop.h"
#include "site/sources.h"

struct live;

struct live_config {
    struct loop *loop;
    const struct sources *sources; /* kept: must outlive the object */
    bool access_log;               /* a line for each request */
    bool watch;                    /* renew by itself; else only live_renew does */
    /* After each renewal, also one that failed: loop's thread. May be NULL. */
    void (*done)(void *arg, bool renewed);
    void *arg;
};

/* Reads the sources, makes the first generation. Blocks: before the loop runs. Statuses: those of site_new and
 * sources_expand. That nothing can be watched is a line in the log: changes are then looked for now and then. */
enum status live_new(const struct live_config *config, struct live **ret, struct err *err) MUST_USE;
/* Only when the loop does not run any more. Waits for the pool. NULL is fine. */
void live_free(struct live *l);

/* All of this: the loop's thread. */
struct site *live_site(const struct live *l); /* borrowed until the next round */
void live_renew(struct live *l);              /* now, whatever changed or not; connections are opened anew */
void live_handle(void *live, struct http_exchange *x);
void live_access(void *live, const struct http_access *a);
struct http_sink *live_body_sink(void *live, struct http_exchange *x);
int64_t live_body_limit(void *live, const struct http_request *rq);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* metrics: requests counted by route, method and status, and the text of /-/metrics. Counters of other folders are in
 * base/metric.h; the table there names all of them. */
#ifndef VITRINE_SITE_METRICS_H
#define VITRINE_SITE_METRICS_H

#include "http/server.h"

struct metrics;
struct site;

/* Labels of exchanges (http_exchange_note); routes follow in the order of their table. */
enum metrics_label { METRICS_REFUSED, METRICS_STATIC, METRICS_NOWHERE, METRICS_ROUTES };

struct metrics *metrics_new(void) MUST_USE;
void metrics_free(struct metrics *m); /* NULL is fine */
/* Loop's thread, once an exchange. No lock, no allocation. */
void metrics_count(struct metrics *m, const struct http_access *a);
/* The page. `open`: OpenMetrics 1.0.0, else Prometheus text format 0.0.4. Any thread. */
void metrics_write(const struct site *s, const struct http_stats *http, bool open, struct buf *out);

#endif

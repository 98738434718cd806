/* SPDX-License-Identifier: Apache-2.0 */
/* app_log: what apps write. Each app's instances write into one file, APP.log, themselves: so nothing is lost and no
 * app waits when the edge is gone. The edge looks at the files every LOOK_MS: one that grew past LIMIT_EDGE_LOG_FILE is
 * put aside as APP.log.1 and begins anew; and beside it, in APP.log.times, it notes how long the file was when, which
 * is how `vitrine logs --since` finds a place in lines that bear no time. Threads: the control thread. */
#ifndef VITRINE_EDGE_APP_LOG_H
#define VITRINE_EDGE_APP_LOG_H

#include "edge/edge_impl.h"

#define APP_LOG_OLD   ".1"
#define APP_LOG_TIMES ".times" /* lines "UNIX-SECONDS BYTES", both growing */

/* For appending, with a line that says who writes from here on. Returns the descriptor, -1 on failure. */
int app_log_open(struct edge *e, struct arena *a, const char *app, const char *who, struct err *err);
void app_logs_watch(struct edge *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* trace: ?_trace=1 shows the statements that made a page, when the setting trace_debug allows it: "_trace" in a JSON
 * object, a <pre> before </body> in HTML. Part of one request: no locks. */
#ifndef VITRINE_SITE_TRACE_H
#define VITRINE_SITE_TRACE_H

#include "site/fetch.h"

struct trace;

/* Sets rq->trace when this request asks for it and may; such an answer is never kept. */
void trace_begin(struct request *rq);
/* One statement that was run since started_mono_us. Nothing without rq->trace. */
void trace_sql(struct request *rq, str sql, const struct query_param *params, size_t param_count,
               int64_t started_mono_us, const char *error);
/* Puts the trace into the finished body; bodies over LIMIT_TRACE_BODY, streams and other types stay as they are. */
void trace_finish(struct request *rq);

#endif

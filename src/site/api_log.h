/* SPDX-License-Identifier: Apache-2.0 */
/* api_log: requests that may write, with their answers, in the internal database: to be asked with SQL, read at
 * /-/api-log, and sent again by `vitrine replay`. Off unless the setting api_log says otherwise.
 *
 * A request pays for a copy of its texts and nothing else: rows are written in the background, many a transaction. When
 * more wait than LIMIT_API_LOG_QUEUE or LIMIT_API_LOG_BYTES, later ones are dropped and counted. What is on its way
 * when the process stops is still written. */
#ifndef VITRINE_SITE_API_LOG_H
#define VITRINE_SITE_API_LOG_H

#include "site/request.h"

struct api_log;

struct api_log *api_log_new(struct internal *in) MUST_USE;
void api_log_free(struct api_log *l); /* after the pool has stopped; NULL is fine */
/* Before the answer is packed and sent. Any thread; never blocks for long. */
void api_log_note(struct request *rq, struct http_response *response);
/* The value of a header as the log keeps it: "***" for what signs in. */
str api_log_header(str name, str value);

#endif

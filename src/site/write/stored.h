/* SPDX-License-Identifier: Apache-2.0 */
/* write/stored: running stored queries that write. */
#ifndef VITRINE_SITE_WRITE_STORED_H
#define VITRINE_SITE_WRITE_STORED_H

#include "site/request.h"

/* query: DICT of queries_get(). Permissions of one that is not trusted; needs rq->conn. FORBIDDEN. *ret_rejected: its
 * SQL may not run at all, whoever asks. */
enum status stored_query_may_run(struct request *rq, struct value query, bool *ret_rejected, struct err *err) MUST_USE;
/* A POST to it: gives AGAIN, or an answer, or an error. */
enum status stored_query_post(struct request *rq, struct value query, struct err *err) MUST_USE;

#endif

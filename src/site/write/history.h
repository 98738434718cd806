/* SPDX-License-Identifier: Apache-2.0 */
/* write/history: POST /DB/TABLE/-/history. */
#ifndef VITRINE_SITE_WRITE_HISTORY_H
#define VITRINE_SITE_WRITE_HISTORY_H

#include "base/err.h"

struct request;

enum status history_keep(struct request *rq, struct err *err) MUST_USE;

#endif

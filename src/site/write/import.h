/* SPDX-License-Identifier: Apache-2.0 */
/* write/import: POST /DB/TABLE/-/import. */
#ifndef VITRINE_SITE_WRITE_IMPORT_H
#define VITRINE_SITE_WRITE_IMPORT_H

#include "site/request.h"

/* May the actor send records to this table? Asked before the body is read. */
enum status import_admit(struct request *rq, struct err *err) MUST_USE;

#endif

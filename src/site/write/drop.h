/* SPDX-License-Identifier: Apache-2.0 */
/* write/drop: a table goes, and what was recorded of it. */
#ifndef VITRINE_SITE_WRITE_DROP_H
#define VITRINE_SITE_WRITE_DROP_H

#include "db/conn.h"

/* Writer's thread, inside of a transaction. */
enum status drop_run(struct arena *a, struct conn *c, str table, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* write/create: the body of /-/create as a plan, and running it. */
#ifndef VITRINE_SITE_WRITE_CREATE_H
#define VITRINE_SITE_WRITE_CREATE_H

#include "codec/value.h"
#include "migrate/table_def.h"

struct conn;

struct create_plan {
    str table, db;
    struct value rows; /* LIST of DICT; empty = from columns */
    struct table_def def;
    bool ignore, replace, alter;
};

/* Pure. INVALID with Datasette's words. Strings are borrowed from the body. */
enum status create_plan_read(struct arena *a, struct value body, struct create_plan *p, struct err *err) MUST_USE;
/* Writer's thread. *ret_schema: the CREATE TABLE as it is then. */
enum status create_run(struct arena *a, struct conn *c, struct create_plan *p, str *ret_schema,
                       struct err *err) MUST_USE;

/* Writer's thread. Only the table, with columns that fit these rows (LIST of DICT), and that key. */
enum status create_table_for_rows(struct arena *a, struct conn *c, str table, const str *pks, size_t pk_count,
                                  struct value rows, struct err *err) MUST_USE;

#endif

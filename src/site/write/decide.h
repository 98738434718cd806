/* SPDX-License-Identifier: Apache-2.0 */
/* write/decide: which permissions a visitor's writing SQL needs, by what it would do to which table. Pure but for the
 * permissions it asks. */
#ifndef VITRINE_SITE_WRITE_DECIDE_H
#define VITRINE_SITE_WRITE_DECIDE_H

#include "db/analyze.h"
#include "site/request.h"

enum decision { DECIDE_IGNORE, DECIDE_REQUIRE, DECIDE_REJECT, DECIDE_UNSUPPORTED };

struct sql_decision {
    enum decision kind;
    enum action actions[3]; /* REQUIRE */
    size_t action_count;
    bool of_table;       /* else of the database */
    const char *message; /* REJECT */
};

struct sql_decision decide_operation(const struct sql_operation *o, const struct schema *schema);
bool decide_is_write(const struct sql_analysis *an);

/* LIST of {operation, database, table, required_permission, source}, with "allowed" when asked for. */
struct value decide_rows(struct request *rq, const struct sql_analysis *an, bool with_allowed);
/* May the actor do all of it? FORBIDDEN with the first reason. *ret_rejected (NULL is fine): nobody may. */
enum status decide_check(struct request *rq, const struct sql_analysis *an, bool *ret_rejected,
                         struct err *err) MUST_USE;

/* Names of the :parameters; INVALID when one is magic. */
enum status decide_parameters(struct arena *a, str sql, const str **ret_names, size_t *ret_count,
                              struct err *err) MUST_USE;
/* The JSON of /-/execute-write/analyze and of the page: parameters, analysis_error, analysis_rows, execute_disabled,
 * execute_disabled_reason. Needs rq->conn. */
struct value decide_execute_data(struct request *rq, str sql);
/* ... of /-/queries/analyze. */
struct value decide_store_data(struct request *rq, str sql);

#endif

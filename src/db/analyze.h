/* SPDX-License-Identifier: Apache-2.0 */
/* analyze: what a statement would do, as SQLite's authorizer says while it compiles it. Nothing runs. */
#ifndef VITRINE_DB_ANALYZE_H
#define VITRINE_DB_ANALYZE_H

#include "db/conn.h"

enum sql_verb {
    SQL_READ,
    SQL_INSERT,
    SQL_UPDATE,
    SQL_DELETE,
    SQL_SELECT,
    SQL_FUNCTION,
    SQL_CREATE,
    SQL_ALTER,
    SQL_DROP,
    SQL_TRANSACTION, /* BEGIN, COMMIT, ROLLBACK */
    SQL_SAVEPOINT,
    SQL_ATTACH,
    SQL_DETACH,
    SQL_PRAGMA,
    SQL_ANALYZE,
    SQL_REINDEX,
    SQL_VACUUM,
    SQL_UNKNOWN,
    SQL_VERB_COUNT
};
extern const char *const sql_verb_names[SQL_VERB_COUNT];

enum sql_target {
    SQL_ON_NOTHING,
    SQL_ON_TABLE,
    SQL_ON_SCHEMA,
    SQL_ON_INDEX,
    SQL_ON_VIEW,
    SQL_ON_TRIGGER,
    SQL_ON_VIRTUAL
};

struct sql_operation {
    enum sql_verb verb;
    enum sql_target target;
    str schema;    /* "main", "temp", an attached one; empty = none */
    str table;     /* the table that is touched: of an index or trigger the one it belongs to */
    str name;      /* of the thing itself */
    str source;    /* trigger or view that brought it in; p == NULL = the statement itself */
    bool internal; /* SQLite's own book-keeping: needs no permission */
};

struct sql_analysis {
    const struct sql_operation *items; /* each once, in order of appearance */
    size_t count;
};

/* As conn_prepare of "EXPLAIN " + sql, with SQLite's message for what does not compile; INVALID for more than one
 * statement. `c` may be of any mode. Memory from `a`. */
enum status sql_analyze(struct conn *c, struct arena *a, str sql, struct sql_analysis *ret, struct err *err) MUST_USE;
bool sql_verb_writes(enum sql_verb v);

#endif

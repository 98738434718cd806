/* SPDX-License-Identifier: Apache-2.0 */
/* db_value: a cell of SQLite as JSON and as a value of the house. Pure; any thread. */
#ifndef VITRINE_DB_DB_VALUE_H
#define VITRINE_DB_DB_VALUE_H

#include "codec/value.h"
#include "db/stmt.h"

/* Bytes as {"$base64": true, "encoded": ...}; infinities as null, for JSON has none. */
void db_value_put_json(struct buf *out, const struct db_value *v);
/* Texts and bytes are copied into `a`. */
struct value db_value_copy(struct arena *a, const struct db_value *v);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* write/def: what the API calls types and defaults of columns. Pure. */
#ifndef VITRINE_SITE_WRITE_DEF_H
#define VITRINE_SITE_WRITE_DEF_H

#include "base/arena.h"
#include "codec/value.h"

const char *def_type(str api_type);                       /* "text" -> "TEXT"; NULL = unknown */
str def_default_expression(str name);                     /* "current_timestamp" -> SQL; p == NULL = unknown */
str def_default_literal(struct arena *a, struct value v); /* a JSON value as SQL */
extern const char *const def_expression_names[];
extern const size_t def_expression_count;
bool def_table_name_is_valid(str name);

#endif

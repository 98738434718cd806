/* SPDX-License-Identifier: Apache-2.0 */
/* kept: stored queries and column types, which visitors make, in the internal database (internal.h) in Datasette's
 * tables.
 *
 * Reading is from a picture in memory, made at the first use, behind a short lock; a change is written and makes a new
 * picture. Threads: any; all but kept_generation() may block and must not run on the loop thread. */
#ifndef VITRINE_SITE_KEPT_H
#define VITRINE_SITE_KEPT_H

#include "base/err.h"
#include "codec/value.h"

struct internal;
struct kept;

/* `in` must outlive it. Touches no disk. */
struct kept *kept_new(struct internal *in) MUST_USE;
void kept_free(struct kept *s); /* NULL is fine */
/* Changes with every change: a part of the key of cached answers. */
uint64_t kept_generation(struct kept *s);

/* DICT column -> {"type", "config"}; copies into `a`; empty when there are none. */
struct value kept_column_types(struct kept *s, struct arena *a, str db, str table);
/* type empty = none any more. config: DICT or null. */
enum status kept_set_column_type(struct kept *s, str db, str table, str column, str type, struct value config,
                                 struct err *err) MUST_USE;

/* DICT: sql title description description_html hide_sql fragment parameters is_write is_private is_trusted source
 * owner_id on_*; UNDEFINED when there is none. Copies into `a`. */
struct value kept_query(struct kept *s, struct arena *a, str db, str name);
/* DICT name -> query, all of a database. */
struct value kept_queries(struct kept *s, struct arena *a, str db);
/* Is it there, who owns it, is it private? *ret_owner lives in `a`, empty = nobody. */
bool kept_query_owner(struct kept *s, struct arena *a, str db, str name, str *ret_owner, bool *ret_private);
/* replace false: CONFLICT when there is one of that name. */
enum status kept_save_query(struct kept *s, str db, str name, struct value query, bool replace,
                            struct err *err) MUST_USE;
enum status kept_delete_query(struct kept *s, str db, str name, struct err *err) MUST_USE;

#endif

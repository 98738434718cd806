/* SPDX-License-Identifier: Apache-2.0 */
/* store: hub.db: everything that the hub knows. Read on any worker, written by one thread; "done" means on disk. */
#ifndef VITRINE_HUB_STORE_H
#define VITRINE_HUB_STORE_H

#include "db/conn.h"

struct store;

/* Makes the file (mode 0600) when there is none, brings its tables up to date in one transaction. CONFLICT: it is of a
 * newer version of the program. Blocks. */
enum status store_open(str path, struct store **ret, struct err *err) MUST_USE;
void store_free(struct store *s); /* ends the writer's thread; NULL is fine */
/* A connection that reads, for the calling thread; give it back with conn_release. */
enum status store_read(struct store *s, struct conn **ret, struct err *err) MUST_USE;

/* One transaction: all of `write` or nothing, on disk when this returns OK. It may be called a second time, from
 * scratch, when another write broke the transaction: it must change nothing but the database and *arg. Blocks until
 * the COMMIT; not on the writer's thread, not on the loop's. */
typedef enum status store_write_fn(struct conn *c, void *arg, struct err *err);
enum status store_write(struct store *s, store_write_fn *write, void *arg, struct err *err) MUST_USE;
/* Calls fn(arg) after each write, on the thread that asked for it, which it must not keep waiting. NULL: no more; when
 * this returns it is not being called. */
void store_when_written(struct store *s, void (*fn)(void *arg), void *arg);
struct database *store_database(struct store *s); /* borrowed */

/* A number of the table `facts`; 0 = it is not there. */
enum status store_fact(struct conn *c, struct arena *a, const char *name, int64_t *ret, struct err *err) MUST_USE;

#endif

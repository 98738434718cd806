/* SPDX-License-Identifier: Apache-2.0 */
/* conn_cache: each thread keeps its idle connections, at most LIMIT_DB_CONNS_PER_THREAD of all databases together; the
 * least recently used is closed first. conn_acquire/conn_release are the doors; these are for start, stop and tests. */
#ifndef VITRINE_DB_CONN_CACHE_H
#define VITRINE_DB_CONN_CACHE_H

#include "db/conn.h"

/* Closes idle connections of `db` (NULL = of all databases) in the caches of all threads. Threads: any. */
void conn_cache_drop(struct database *db);
/* Idle connections in the calling thread's cache. */
size_t conn_cache_idle(void);
/* Closes the calling thread's idle connections; happens by itself when a thread ends (not for the main thread). */
void conn_cache_clear_thread(void);

#endif

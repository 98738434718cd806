/* SPDX-License-Identifier: Apache-2.0 */
/* pack: a file that is written as a stream, packed on the way if its name says so (.gz, .zst), and put in its place at
 * the end: until then another name stands beside it. "-" is standard output. One thread. */
#ifndef VITRINE_INGEST_PACK_H
#define VITRINE_INGEST_PACK_H

#include "base/arena.h"
#include "base/err.h"

struct pack;

/* The name without .gz and .zst. */
str pack_inner_name(str path);
enum status pack_new(struct arena *a, str path, struct pack **ret, struct err *err) MUST_USE;
enum status pack_put(struct pack *p, str bytes, struct err *err) MUST_USE;
/* The end of the stream, fsync, rename. After a failure of any of these the file of that name is as it was. */
enum status pack_finish(struct pack *p, struct err *err) MUST_USE;
void pack_free(struct pack *p); /* without pack_finish() nothing is left; NULL is fine */

#endif

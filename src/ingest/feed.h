/* SPDX-License-Identifier: Apache-2.0 */
/* feed: a pass over an input on a thread of its own, so that reading and converting go on while the caller inserts. */
#ifndef VITRINE_INGEST_FEED_H
#define VITRINE_INGEST_FEED_H

#include "ingest/input.h"

struct feed;

/* work(arg, batch) is called on the feed's thread for each batch before it is handed over; NULL = nothing to do.
 * Statuses: those of input_start, IO (no thread). */
enum status feed_new(struct input *in, void (*work)(void *arg, struct batch *b), void *arg, struct feed **ret,
                     struct err *err) MUST_USE;
/* Waits for the next batch, the one given before becomes free. NULL at the end or after a failure. */
struct batch *feed_next(struct feed *f);
/* Ends the pass wherever it is, and says how reading went. */
enum status feed_free(struct feed *f, struct err *err);

#endif

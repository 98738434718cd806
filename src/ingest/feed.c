/* SPDX-License-Identifier: Apache-2.0 */
/* feed — a ring of three batches between the reader's thread and the caller's.
 *
 *   free -> (reader fills) -> full -> (caller has it) -> free
 *
 * `filled` and `taken` count batches; filled - taken is how many are full or with the caller, at most FEED_BATCHES.
 * Both sides sleep on one condition variable. Memory: three blocks of text and their cells, whatever the size of the
 * file. */
#include "ingest/feed.h"

#include <stdlib.h>

#include "base/mem.h"
#include "rt/thread.h"

#include "base/banned.h"

#define FEED_BATCHES 3

struct feed {
    struct input *input;
    void (*work)(void *arg, struct batch *b);
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct batch batches[FEED_BATCHES];
    uint64_t filled, taken; /* under the lock */
    bool holding;           /* the caller has batch taken % FEED_BATCHES */
    bool ended, cancelled;  /* under the lock */
    struct err err;         /* of the reader; read after it has ended */
};

/* The next free batch, or NULL when the caller has had enough. */
static struct batch *wait_free(struct feed *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->filled - f->taken == FEED_BATCHES && !f->cancelled)
        pthread_cond_wait(&f->moved, &f->lock);
    struct batch *b = f->cancelled ? NULL : &f->batches[f->filled % FEED_BATCHES];
    pthread_mutex_unlock(&f->lock);
    return b;
}

static void reader(void *arg)
{
    struct feed *f = arg;
    struct batch *b;
    bool last = false;
    enum status st = STATUS_OK;
    while (!last && st == STATUS_OK && (b = wait_free(f))) {
        batch_clear(b);
        st = f->input->class->fill(f->input, b, &f->err);
        if (st == STATUS_OK && f->work)
            f->work(f->arg, b);
        last = b->last;
        pthread_mutex_lock(&f->lock);
        f->filled += st == STATUS_OK;
        f->ended = last || st != STATUS_OK;
        pthread_cond_signal(&f->moved);
        pthread_mutex_unlock(&f->lock);
    }
}

enum status feed_new(struct input *in, void (*work)(void *arg, struct batch *b), void *arg, struct feed **ret,
                     struct err *err)
{
    enum status st = input_start(in, err);
    if (st != STATUS_OK)
        return st;
    struct feed *f = MEM_NEW(struct feed);
    f->input = in;
    f->work = work;
    f->arg = arg;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->moved, NULL);
    for (size_t i = 0; i < FEED_BATCHES; i++)
        batch_init(&f->batches[i]);
    st = thread_start("import-reader", 0, reader, f, &f->thread, err);
    if (st != STATUS_OK) {
        for (size_t i = 0; i < FEED_BATCHES; i++)
            batch_release(&f->batches[i]);
        free(f);
        return st;
    }
    *ret = f;
    return STATUS_OK;
}

struct batch *feed_next(struct feed *f)
{
    struct batch *b = NULL;
    pthread_mutex_lock(&f->lock);
    if (f->holding) {
        f->taken++;
        f->holding = false;
        pthread_cond_signal(&f->moved);
    }
    while (f->filled == f->taken && !f->ended)
        pthread_cond_wait(&f->moved, &f->lock);
    if (f->filled != f->taken) {
        b = &f->batches[f->taken % FEED_BATCHES];
        f->holding = true;
    }
    pthread_mutex_unlock(&f->lock);
    return b;
}

enum status feed_free(struct feed *f, struct err *err)
{
    pthread_mutex_lock(&f->lock);
    f->cancelled = true;
    pthread_cond_signal(&f->moved);
    pthread_mutex_unlock(&f->lock);
    thread_join(f->thread);
    enum status st = f->err.status;
    if (st != STATUS_OK && err)
        *err = f->err;
    for (size_t i = 0; i < FEED_BATCHES; i++)
        batch_release(&f->batches[i]);
    pthread_cond_destroy(&f->moved);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return st;
}

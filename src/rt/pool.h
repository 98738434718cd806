/* SPDX-License-Identifier: Apache-2.0 */
/* pool: worker threads for whatever may block. Work is put into lanes: each lane has its own threads, its own bounded
 * queue and its own nice value, so that slow queries never stand before fast ones. In a queue clients take turns.
 *
 * Threads: pool_submit and pool_lane_stats may be called from any thread, workers included; pool_new,
 * pool_stop and pool_free from one thread that is not a worker. Workers block all signals. */
#ifndef VITRINE_RT_POOL_H
#define VITRINE_RT_POOL_H

#include "base/err.h"

struct pool;

struct worker {
    struct pool *pool;
    unsigned index; /* 0.. over the whole pool: lane 0's threads first */
    unsigned lane;  /* index into the lanes of the configuration */
    void *user;     /* of the worker_init/worker_exit callbacks: per-thread connections and such */
};

struct pool_lane {
    const char *name;      /* shown in logs and as thread name; kept, not copied */
    unsigned threads;      /* 1..; each is started when a job comes and the others have one */
    unsigned queue_max;    /* jobs waiting, not counting running ones; 1.. */
    int nice;              /* 0 = as the process; 1..19 = yields to the others */
    unsigned flow_max;     /* jobs of one flow waiting; 0 = queue_max */
    unsigned flow_threads; /* threads that one flow may have at once; 0 = all */
};

struct pool_config {
    const struct pool_lane *lanes;                    /* copied */
    size_t lane_count;                                /* 1.. LIMIT_POOL_LANES */
    void (*worker_init)(struct worker *w, void *arg); /* on the new thread, before its first job; may be NULL */
    void (*worker_exit)(struct worker *w, void *arg); /* on the thread, after its last job; may be NULL */
    void *arg;
    uint64_t early; /* bits of lanes whose first thread is started with the pool: somebody will wait for it soon */
    /* A worker polls this long, yielding to others, before it sleeps; 0 = sleeps at once. Waking a sleeping core costs
     * more than the polling: on two virtual cores a no-op round trip took 40 us with 0, 5 us (and half the CPU time)
     * with 30. */
    unsigned spin_us;
};

/* Returns OK, INVALID (a lane without threads or queue, too many), IO (no thread for an early lane). */
enum status pool_new(const struct pool_config *config, struct pool **ret, struct err *err) MUST_USE;
/* Puts fn(arg, worker) at the end of the lane's queue. False: the queue is full, the pool is stopping, or the system
 * has no thread for the lane's first; fn is then never called and `arg` stays the caller's. Never blocks for long. */
bool pool_submit(struct pool *pool, unsigned lane, void (*fn)(void *arg, struct worker *w), void *arg) MUST_USE;
/* As above for one of many clients: flows (any number; those that are equal modulo LIMIT_POOL_FLOWS share) take turns,
 * so that many jobs of one do not stand before the few of another. Within a flow jobs keep their order. False also when
 * the flow has flow_max jobs waiting. pool_submit is flow 0, which has no maximum of its own. */
bool pool_submit_flow(struct pool *pool, unsigned lane, uint32_t flow, void (*fn)(void *arg, struct worker *w),
                      void *arg) MUST_USE;

enum pool_stop_mode {
    POOL_DRAIN, /* run everything that is queued, then stop */
    POOL_DROP,  /* finish the running jobs only */
};
/* Refuses new work, waits for the workers to end. With POOL_DROP every queued job is handed to dropped(ctx, fn, arg) on
 * the calling thread, in order, before waiting (dropped may be NULL when nobody minds). Blocks until running jobs
 * return; the caller tells long jobs to stop by its own flag. Calling it again does nothing. */
void pool_stop(struct pool *pool, enum pool_stop_mode mode,
               void (*dropped)(void *ctx, void (*fn)(void *arg, struct worker *w), void *arg), void *ctx);
void pool_free(struct pool *pool); /* after pool_stop, or does POOL_DRAIN itself; NULL is fine */

unsigned pool_worker_count(const struct pool *pool); /* the most threads of all lanes: worker indexes are below this */
struct pool_lane_stats {
    unsigned queued, running, threads, queue_max;
    uint64_t done, refused;
};
void pool_lane_stats(struct pool *pool, unsigned lane, struct pool_lane_stats *ret);

#endif

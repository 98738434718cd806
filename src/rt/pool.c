/* SPDX-License-Identifier: Apache-2.0 */
/* pool — worker threads behind bounded queues.
 *
 * Each lane is a ring of jobs, a mutex and a condition; lanes share nothing. A lock is held for a few instructions only
 * (push, pop, count), never while a job runs. A submitter wakes a thread only when one sleeps; a thread that finishes
 * one job and finds another takes it with the same lock, without sleeping in between.
 *
 * Invariants
 *  (1) A job given to pool_submit with true is run once, or handed to `dropped` once, or returned by pool_cancel once.
 *  (2) count <= queue_max at all times; the ring never grows.
 *  (3) No job begins after pool_stop(POOL_DROP) took the queue; none is taken in after either stop began.
 *
 * Not here: answers (the job posts to its loop), deadlines (db/). Tests: tests/unit/rt/test_pool.c. */
#include "rt/pool.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "rt/thread.h"

struct job {
    void (*fn)(void *arg, struct worker *w);
    void *arg;
};

struct lane {
    struct pool_lane config;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t wake;
    struct job *ring; /* queue_max of them */
    unsigned head, count;
    unsigned idle, running; /* threads asleep; in a job */
    bool stopping;
    uint64_t done, refused;
    atomic_uint visible; /* count, for threads that poll without the lock */
};

struct thread {
    struct worker worker;
    struct lane *lane;
    pthread_t id;
};

struct pool {
    struct lane *lanes;
    size_t lane_count;
    struct thread *threads;
    unsigned thread_count, started;
    struct pool_config config;
    bool stopped;
};

static void set_count(struct lane *lane, unsigned count)
{
    lane->count = count;
    atomic_store_explicit(&lane->visible, count, memory_order_relaxed);
}

static struct job pop(struct lane *lane)
{
    struct job job = lane->ring[lane->head];
    lane->head = lane->head + 1 == lane->config.queue_max ? 0 : lane->head + 1;
    set_count(lane, lane->count - 1);
    return job;
}

static struct job *ring_at(struct lane *lane, unsigned i)
{
    return &lane->ring[(size_t)(((uint64_t)lane->head + i) % lane->config.queue_max)];
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void spin(struct lane *lane, unsigned spin_us)
{
    int64_t end_us = clock_mono_us() + spin_us;
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load_explicit(&lane->visible, memory_order_relaxed) > 0)
                return;
            relax();
        }
        sched_yield(); /* whoever has work to do goes first */
    } while (clock_mono_us() < end_us);
}

/* With the lock held; false: the lane is stopping and empty. */
static bool next_job(struct lane *lane, unsigned spin_us, struct job *ret)
{
    if (spin_us > 0 && lane->count == 0 && !lane->stopping) {
        pthread_mutex_unlock(&lane->lock);
        spin(lane, spin_us);
        pthread_mutex_lock(&lane->lock);
    }
    while (lane->count == 0) {
        if (lane->stopping)
            return false;
        lane->idle++;
        pthread_cond_wait(&lane->wake, &lane->lock);
        lane->idle--;
    }
    *ret = pop(lane);
    return true;
}

static void worker_main(void *arg)
{
    struct thread *t = arg;
    struct lane *lane = t->lane;
    const struct pool_config *config = &t->worker.pool->config;
    if (config->worker_init)
        config->worker_init(&t->worker, config->arg);

    struct job job;
    pthread_mutex_lock(&lane->lock);
    while (next_job(lane, config->spin_us, &job)) {
        lane->running++;
        pthread_mutex_unlock(&lane->lock);
        job.fn(job.arg, &t->worker);
        pthread_mutex_lock(&lane->lock);
        lane->running--;
        lane->done++;
    }
    pthread_mutex_unlock(&lane->lock);

    if (config->worker_exit)
        config->worker_exit(&t->worker, config->arg);
}

static enum status check_config(const struct pool_config *config, struct err *err)
{
    if (config->lane_count == 0 || config->lane_count > LIMIT_POOL_LANES)
        return err_set(err, STATUS_INVALID, "a worker pool needs 1 to %d lanes, not %zu", LIMIT_POOL_LANES,
                       config->lane_count);
    for (size_t i = 0; i < config->lane_count; i++) {
        const struct pool_lane *lane = &config->lanes[i];
        if (lane->threads == 0 || lane->threads > LIMIT_POOL_THREADS)
            return err_set(err, STATUS_INVALID, "lane %s needs 1 to %d threads, not %u", lane->name, LIMIT_POOL_THREADS,
                           lane->threads);
        if (lane->queue_max == 0 || lane->queue_max > LIMIT_POOL_QUEUE)
            return err_set(err, STATUS_INVALID, "lane %s needs a queue of 1 to %d jobs, not %u", lane->name,
                           LIMIT_POOL_QUEUE, lane->queue_max);
        if (lane->nice < 0 || lane->nice > 19)
            return err_set(err, STATUS_INVALID, "lane %s needs a nice value of 0 to 19, not %d", lane->name,
                           lane->nice);
    }
    return STATUS_OK;
}

static void lane_init(struct lane *lane, const struct pool_lane *config)
{
    lane->config = *config;
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->wake, NULL);
    lane->ring = mem_array(config->queue_max, sizeof(*lane->ring));
}

static enum status start_threads(struct pool *pool, struct err *err)
{
    for (size_t i = 0; i < pool->lane_count; i++) {
        struct lane *lane = &pool->lanes[i];
        for (unsigned k = 0; k < lane->config.threads; k++) {
            struct thread *t = &pool->threads[pool->started];
            t->lane = lane;
            t->worker = (struct worker){.pool = pool, .index = pool->started, .lane = (unsigned)i};
            char name[64];
            snprintf(name, sizeof(name), "%.10s-%u", lane->config.name, k);
            enum status st = thread_start(name, lane->config.nice, worker_main, t, &t->id, err);
            if (st != STATUS_OK)
                return st;
            pool->started++;
        }
    }
    return STATUS_OK;
}

enum status pool_new(const struct pool_config *config, struct pool **ret, struct err *err)
{
    enum status st = check_config(config, err);
    if (st != STATUS_OK)
        return st;
    struct pool *pool = mem_alloc(sizeof(*pool));
    pool->config = *config;
    pool->config.lanes = NULL; /* the caller's array may be gone tomorrow */
    pool->lane_count = config->lane_count;
    pool->lanes = mem_array(pool->lane_count, sizeof(*pool->lanes));
    for (size_t i = 0; i < pool->lane_count; i++) {
        lane_init(&pool->lanes[i], &config->lanes[i]);
        pool->thread_count += config->lanes[i].threads;
    }
    pool->threads = mem_array(pool->thread_count, sizeof(*pool->threads));
    st = start_threads(pool, err);
    if (st != STATUS_OK) {
        pool_free(pool);
        return st;
    }
    *ret = pool;
    return STATUS_OK;
}

bool pool_submit(struct pool *pool, unsigned lane_index, void (*fn)(void *arg, struct worker *w), void *arg)
{
    ASSERT(lane_index < pool->lane_count);
    struct lane *lane = &pool->lanes[lane_index];
    pthread_mutex_lock(&lane->lock);
    if (lane->stopping || lane->count == lane->config.queue_max) {
        lane->refused++;
        pthread_mutex_unlock(&lane->lock);
        return false;
    }
    *ring_at(lane, lane->count) = (struct job){fn, arg};
    set_count(lane, lane->count + 1);
    bool wake = lane->idle > 0;
    pthread_mutex_unlock(&lane->lock);
    if (wake)
        pthread_cond_signal(&lane->wake);
    return true;
}

bool pool_cancel(struct pool *pool, unsigned lane_index, void (*fn)(void *arg, struct worker *w), const void *arg)
{
    ASSERT(lane_index < pool->lane_count);
    struct lane *lane = &pool->lanes[lane_index];
    bool found = false;
    pthread_mutex_lock(&lane->lock);
    for (unsigned i = 0; i < lane->count; i++) {
        if (found)
            *ring_at(lane, i - 1) = *ring_at(lane, i);
        else
            found = ring_at(lane, i)->fn == fn && ring_at(lane, i)->arg == arg;
    }
    if (found)
        set_count(lane, lane->count - 1);
    pthread_mutex_unlock(&lane->lock);
    return found;
}

static void stop_lane(struct lane *lane, enum pool_stop_mode mode,
                      void (*dropped)(void *ctx, void (*fn)(void *arg, struct worker *w), void *arg), void *ctx)
{
    struct job *jobs = NULL;
    unsigned count = 0;
    pthread_mutex_lock(&lane->lock);
    lane->stopping = true;
    if (mode == POOL_DROP && lane->count > 0) {
        jobs = mem_array(lane->count, sizeof(*jobs));
        while (lane->count > 0)
            jobs[count++] = pop(lane);
    }
    pthread_mutex_unlock(&lane->lock);
    pthread_cond_broadcast(&lane->wake);
    for (unsigned i = 0; i < count && dropped; i++)
        dropped(ctx, jobs[i].fn, jobs[i].arg);
    free(jobs);
}

void pool_stop(struct pool *pool, enum pool_stop_mode mode,
               void (*dropped)(void *ctx, void (*fn)(void *arg, struct worker *w), void *arg), void *ctx)
{
    if (pool->stopped)
        return;
    pool->stopped = true;
    for (size_t i = 0; i < pool->lane_count; i++)
        stop_lane(&pool->lanes[i], mode, dropped, ctx);
    for (unsigned i = 0; i < pool->started; i++)
        thread_join(pool->threads[i].id);
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pool_stop(pool, POOL_DRAIN, NULL, NULL);
    for (size_t i = 0; i < pool->lane_count; i++) {
        struct lane *lane = &pool->lanes[i];
        pthread_mutex_destroy(&lane->lock);
        pthread_cond_destroy(&lane->wake);
        free(lane->ring);
    }
    free(pool->lanes);
    free(pool->threads);
    free(pool);
}

unsigned pool_worker_count(const struct pool *pool)
{
    return pool->thread_count;
}

void pool_lane_stats(struct pool *pool, unsigned lane_index, struct pool_lane_stats *ret)
{
    ASSERT(lane_index < pool->lane_count);
    struct lane *lane = &pool->lanes[lane_index];
    pthread_mutex_lock(&lane->lock);
    *ret = (struct pool_lane_stats){.queued = lane->count,
                                    .running = lane->running,
                                    .threads = lane->config.threads,
                                    .queue_max = lane->config.queue_max,
                                    .done = lane->done,
                                    .refused = lane->refused};
    pthread_mutex_unlock(&lane->lock);
}

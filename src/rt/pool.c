/* SPDX-License-Identifier: Apache-2.0 */
/* pool — worker threads behind bounded queues.
 *
 * Each lane is a fixed set of places for jobs, a mutex and a condition; lanes share nothing. A place is free or in the
 * list of a flow; flows that have jobs stand in a ring, and the one whose turn it is gives its first job and goes to
 * the end: taking and giving are a few instructions however many flows there are. A lock is held for a few instructions
 * only (push, pop, count), never while a job runs. A submitter wakes a thread only when one sleeps; a thread that
 * finishes one job and finds another takes it with the same lock, without sleeping in between.
 *
 * A thread is started when a job comes and all that there are have one: a process that was started for one request does
 * not wait for a dozen threads that nobody needs, and one that does little has few. The lock is held meanwhile, some
 * 100 us, a few times in the life of a pool. On a busy machine a new thread waits longer for its turn than one that
 * slept, so a lane may ask for its first one early. A thread is born as nice as the one that starts it, and nothing but
 * root can take niceness back; so who is nicer than the lane starts no second thread of it.
 *
 * Invariants
 *  (1) A job given to pool_submit with true is run once, or handed to `dropped` once.
 *  (2) count <= queue_max at all times; nothing grows. A flow is in the ring exactly while it has jobs.
 *  (3) No job begins after pool_stop(POOL_DROP) took the queue; none is taken in after either stop began.
 *
 * Not here: answers (the job posts to its loop), deadlines (db/). Tests: tests/unit/rt/test_pool.c. */
#include "rt/pool.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "rt/thread.h"

#define NONE UINT32_MAX

struct job {
    void (*fn)(void *arg, struct worker *w);
    void *arg;
    uint32_t next; /* place of the flow's next job, or the next free place */
    uint32_t flow;
};

struct flow {
    uint32_t first, last; /* places; valid while count > 0 */
    uint32_t count, next; /* next flow in the ring */
    uint32_t running;     /* its jobs that threads have now */
};

struct lane {
    struct pool_lane config;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t wake;
    struct job *places;  /* queue_max of them */
    uint32_t free, turn; /* first free place; the flow that was served last, NONE = all are empty */
    struct flow *flows;
    unsigned count;
    struct thread *threads; /* config.threads places */
    unsigned started;       /* of them */
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
    unsigned thread_count;
    int nice; /* of the thread that made the pool */
    struct pool_config config;
    bool stopped;
};

static void set_count(struct lane *lane, unsigned count)
{
    lane->count = count;
    atomic_store_explicit(&lane->visible, count, memory_order_relaxed);
}

static uint32_t place_take(struct lane *lane)
{
    uint32_t at = lane->free;
    lane->free = lane->places[at].next;
    return at;
}

static void place_give(struct lane *lane, uint32_t at)
{
    lane->places[at] = (struct job){.next = lane->free};
    lane->free = at;
}

/* lane->turn is the last flow of the ring: the one after it is next. */
static void ring_add(struct lane *lane, uint32_t flow)
{
    struct flow *f = &lane->flows[flow];
    if (lane->turn == NONE) {
        f->next = flow;
    } else {
        f->next = lane->flows[lane->turn].next;
        lane->flows[lane->turn].next = flow;
    }
    lane->turn = flow;
}

/* Takes the flow behind `before` out. */
static void ring_remove(struct lane *lane, uint32_t before)
{
    uint32_t flow = lane->flows[before].next;
    lane->flows[before].next = lane->flows[flow].next;
    if (lane->turn == flow)
        lane->turn = before == flow ? NONE : before;
}

static void push(struct lane *lane, uint32_t flow, struct job job)
{
    struct flow *f = &lane->flows[flow];
    uint32_t at = place_take(lane);
    lane->places[at] = job;
    if (f->count++ == 0) {
        f->first = at;
        ring_add(lane, flow);
    } else {
        lane->places[f->last].next = at;
    }
    f->last = at;
    set_count(lane, lane->count + 1);
}

/* The first job of the flow behind `before`. */
static struct job pop(struct lane *lane, uint32_t before)
{
    uint32_t flow = lane->flows[before].next;
    struct flow *f = &lane->flows[flow];
    uint32_t at = f->first;
    struct job job = lane->places[at];
    f->first = job.next;
    place_give(lane, at);
    if (--f->count == 0)
        ring_remove(lane, before);
    else
        lane->turn = flow;
    set_count(lane, lane->count - 1);
    return job;
}

/* Whose turn is it? The flow before the next one that may have another thread; NONE = there is none. */
static uint32_t next_turn(const struct lane *lane)
{
    uint32_t before = lane->turn, most = lane->config.flow_threads;
    if (before == NONE || !most)
        return before;
    do {
        uint32_t flow = lane->flows[before].next;
        if (!flow || lane->flows[flow].running < most)
            return before;
        before = flow;
    } while (before != lane->turn);
    return NONE;
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
    uint32_t before;
    while ((before = next_turn(lane)) == NONE) {
        if (lane->stopping && lane->count == 0)
            return false;
        lane->idle++;
        pthread_cond_wait(&lane->wake, &lane->lock);
        lane->idle--;
    }
    *ret = pop(lane, before);
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
        lane->flows[job.flow].running++;
        pthread_mutex_unlock(&lane->lock);
        job.fn(job.arg, &t->worker);
        pthread_mutex_lock(&lane->lock);
        lane->running--;
        lane->flows[job.flow].running--;
        lane->done++;
        if (lane->stopping) /* who waited for this flow looks again */
            pthread_cond_broadcast(&lane->wake);
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
    lane->places = mem_array(config->queue_max, sizeof(*lane->places));
    lane->flows = mem_array(LIMIT_POOL_FLOWS, sizeof(*lane->flows));
    for (uint32_t i = 0; i < config->queue_max; i++)
        lane->places[i].next = i + 1;
    lane->turn = NONE;
}

/* With the lock held. AGAIN: there is none more that may be started from here; IO: the system has none. */
static enum status start_thread(struct pool *pool, struct lane *lane, struct err *err)
{
    unsigned k = lane->started;
    struct thread *t = &lane->threads[k];
    int wanted = MIN(pool->nice + lane->config.nice, 19), own = getpriority(PRIO_PROCESS, 0);
    char name[64];
    if (k == lane->config.threads || (k && own > wanted))
        return STATUS_AGAIN;
    t->lane = lane;
    t->worker =
        (struct worker){.pool = pool, .index = (unsigned)(t - pool->threads), .lane = (unsigned)(lane - pool->lanes)};
    (void)snprintf(name, sizeof(name), "%.10s-%u", lane->config.name, k);
    enum status st = thread_start(name, MAX(wanted - own, 0), worker_main, t, &t->id, err);
    lane->started += st == STATUS_OK;
    return st;
}

/* With the lock held. False: nobody would do the job. */
static bool have_thread(struct pool *pool, struct lane *lane)
{
    struct err err = ERR_INIT;
    if (lane->count < lane->started - lane->running || start_thread(pool, lane, &err) == STATUS_OK || lane->started)
        return true;
    log_line(LOG_ERROR, "pool", "%s", err.text);
    return false;
}

static enum status start_first(struct pool *pool, struct lane *lane, struct err *err)
{
    pthread_mutex_lock(&lane->lock);
    enum status st = start_thread(pool, lane, err);
    pthread_mutex_unlock(&lane->lock);
    return st;
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
    for (size_t i = 0, first = 0; i < pool->lane_count; first += pool->lanes[i++].config.threads)
        pool->lanes[i].threads = &pool->threads[first];
    pool->nice = getpriority(PRIO_PROCESS, 0);
    for (size_t i = 0; i < pool->lane_count && st == STATUS_OK; i++)
        if (config->early >> i & 1)
            st = start_first(pool, &pool->lanes[i], err);
    if (st != STATUS_OK) {
        pool_free(pool);
        return st;
    }
    *ret = pool;
    return STATUS_OK;
}

bool pool_submit_flow(struct pool *pool, unsigned lane_index, uint32_t flow, void (*fn)(void *arg, struct worker *w),
                      void *arg)
{
    ASSERT(lane_index < pool->lane_count);
    struct lane *lane = &pool->lanes[lane_index];
    uint32_t at = flow ? 1 + flow % (LIMIT_POOL_FLOWS - 1) : 0;
    unsigned most = at && lane->config.flow_max ? lane->config.flow_max : lane->config.queue_max;
    pthread_mutex_lock(&lane->lock);
    bool full = lane->stopping || lane->count == lane->config.queue_max || lane->flows[at].count >= most;
    if (full || !have_thread(pool, lane)) {
        lane->refused++;
        pthread_mutex_unlock(&lane->lock);
        return false;
    }
    push(lane, at, (struct job){.fn = fn, .arg = arg, .flow = at});
    bool wake = lane->idle > 0;
    pthread_mutex_unlock(&lane->lock);
    if (wake)
        pthread_cond_signal(&lane->wake);
    return true;
}

bool pool_submit(struct pool *pool, unsigned lane_index, void (*fn)(void *arg, struct worker *w), void *arg)
{
    return pool_submit_flow(pool, lane_index, 0, fn, arg);
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
            jobs[count++] = pop(lane, lane->turn);
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
    for (size_t i = 0; i < pool->lane_count; i++) /* nothing is started any more */
        for (unsigned k = 0; k < pool->lanes[i].started; k++)
            thread_join(pool->lanes[i].threads[k].id);
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
        free(lane->places);
        free(lane->flows);
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

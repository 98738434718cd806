/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "rt/loop.h"
#include "rt/pool.h"
#include "test.h"

static struct pool *make(const struct pool_lane *lanes, size_t count)
{
    struct pool *pool;
    struct err err = ERR_INIT;
    CHECK_INT(pool_new(&(struct pool_config){.lanes = lanes, .lane_count = count}, &pool, &err), STATUS_OK);
    return pool;
}

/* ---- a gate that holds a worker, and a log of the order ---- */

static sem_t entered, gate;
static pthread_mutex_t ran_lock = PTHREAD_MUTEX_INITIALIZER;
static char ran[100];

static void hold(void *arg, struct worker *w)
{
    (void)arg;
    (void)w;
    sem_post(&entered);
    while (sem_wait(&gate) < 0)
        ;
}

static void note(void *arg, struct worker *w)
{
    (void)w;
    pthread_mutex_lock(&ran_lock);
    strncat(ran, arg, sizeof(ran) - strlen(ran) - 1);
    pthread_mutex_unlock(&ran_lock);
}

static char *letter(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* A pool of one lane, its one worker held inside a job. */
static struct pool *make_held(unsigned queue_max)
{
    sem_init(&entered, 0, 0);
    sem_init(&gate, 0, 0);
    struct pool *pool = make(&(struct pool_lane){"held", 1, queue_max, 0, 0, 0}, 1);
    CHECK(pool_submit(pool, 0, hold, NULL));
    while (sem_wait(&entered) < 0)
        ;
    return pool;
}

TEST(a_full_lane_refuses_and_the_others_go_on)
{
    sem_init(&entered, 0, 0);
    sem_init(&gate, 0, 0);
    struct pool_lane lanes[] = {{"slow", 1, 2, 0, 0, 0}, {"fast", 2, 100, 0, 0, 0}};
    struct pool *pool = make(lanes, 2);
    CHECK_INT(pool_worker_count(pool), 3);
    CHECK(pool_submit(pool, 0, hold, NULL));
    while (sem_wait(&entered) < 0)
        ;
    CHECK(pool_submit(pool, 0, note, letter("a")));
    CHECK(pool_submit(pool, 0, note, letter("b")));
    CHECK(!pool_submit(pool, 0, note, letter("c")));
    struct pool_lane_stats stats;
    pool_lane_stats(pool, 0, &stats);
    CHECK_INT(stats.queued, 2);
    CHECK_INT(stats.running, 1);
    CHECK_INT(stats.refused, 1);
    for (int i = 0; i < 10; i++)
        CHECK(pool_submit(pool, 1, note, letter("f")));
    do
        pool_lane_stats(pool, 1, &stats);
    while (stats.done < 10);
    CHECK_STR(str_of(ran), "ffffffffff");
    sem_post(&gate);
    pool_free(pool);
    CHECK_STR(str_of(ran), "ffffffffffab");
}

static void drop(void *ctx, void (*fn)(void *arg, struct worker *w), void *arg)
{
    CHECK(fn == note);
    strncat(ctx, arg, 10);
    sem_post(&gate); /* the running job may end now */
}

TEST(dropping_hands_back_what_has_not_begun)
{
    struct pool *pool = make_held(4);
    char dropped[100] = "";
    CHECK(pool_submit(pool, 0, note, letter("a")) && pool_submit(pool, 0, note, letter("b")));
    pool_stop(pool, POOL_DROP, drop, dropped);
    CHECK_STR(str_of(dropped), "ab");
    CHECK_STR(str_of(ran), "");
    pool_stop(pool, POOL_DROP, drop, dropped);
    CHECK_STR(str_of(dropped), "ab");
    pool_free(pool);
}

/* A pool of one lane whose one worker is held, and whose flows may hold two jobs each. */
static struct pool *make_held_flows(void)
{
    sem_init(&entered, 0, 0);
    sem_init(&gate, 0, 0);
    struct pool *pool = make(&(struct pool_lane){"held", 1, 10, 0, 2, 0}, 1);
    CHECK(pool_submit(pool, 0, hold, NULL));
    while (sem_wait(&entered) < 0)
        ;
    return pool;
}

TEST(flows_take_turns)
{
    struct pool *pool = make_held_flows();
    CHECK(pool_submit_flow(pool, 0, 7, note, letter("a")) && pool_submit_flow(pool, 0, 7, note, letter("b")));
    CHECK(!pool_submit_flow(pool, 0, 7, note, letter("x"))); /* it has two */
    CHECK(pool_submit_flow(pool, 0, 8, note, letter("c")));
    CHECK(pool_submit_flow(pool, 0, 9, note, letter("d")) && pool_submit_flow(pool, 0, 9, note, letter("e")));
    CHECK(pool_submit(pool, 0, note, letter("1")) && pool_submit(pool, 0, note, letter("2")) &&
          pool_submit(pool, 0, note, letter("3")));
    struct pool_lane_stats stats;
    pool_lane_stats(pool, 0, &stats);
    CHECK_INT(stats.queued, 8);
    CHECK_INT(stats.refused, 1);
    sem_post(&gate);
    pool_free(pool);
    CHECK_STR(str_of(ran), "acd1be23");
}

/* Of two threads a flow may have one: the second is left for others, whatever waits. */
TEST(a_flow_leaves_threads_to_others)
{
    sem_init(&entered, 0, 0);
    sem_init(&gate, 0, 0);
    struct pool *pool = make(&(struct pool_lane){"two", 2, 10, 0, 0, 1}, 1);
    struct pool_lane_stats stats;
    CHECK(pool_submit_flow(pool, 0, 7, hold, NULL) && pool_submit_flow(pool, 0, 7, note, letter("b")));
    while (sem_wait(&entered) < 0)
        ;
    CHECK(pool_submit_flow(pool, 0, 8, note, letter("a")));
    do
        pool_lane_stats(pool, 0, &stats);
    while (stats.done < 1);
    CHECK_STR(str_of(ran), "a");
    CHECK_INT(stats.queued, 1);
    sem_post(&gate);
    pool_free(pool);
    CHECK_STR(str_of(ran), "ab");
}

TEST(the_ring_wraps_in_order)
{
    struct pool *pool = make_held(3);
    static const char *const letters[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    CHECK(pool_submit(pool, 0, note, letter(letters[0])));
    for (int i = 1; i < 10; i++) {
        CHECK(pool_submit(pool, 0, hold, NULL));
        CHECK(pool_submit(pool, 0, note, letter(letters[i])));
        sem_post(&gate); /* one step: note, then the next hold */
        while (sem_wait(&entered) < 0)
            ;
    }
    sem_post(&gate);
    pool_free(pool);
    CHECK_STR(str_of(ran), "0123456789");
}

/* ---- per-thread state ---- */

static atomic_int inits, exits;

static void on_init(struct worker *w, void *arg)
{
    CHECK(w->user == NULL);
    w->user = arg;
    atomic_fetch_add(&inits, 1);
}

static void on_exit_worker(struct worker *w, void *arg)
{
    CHECK(w->user == arg);
    atomic_fetch_add(&exits, 1);
}

static atomic_uint seen_indexes;

static void check_worker(void *arg, struct worker *w)
{
    CHECK(w->user != NULL && w->index < 3);
    CHECK_INT(w->lane, w->index == 0 ? 0 : 1);
    atomic_fetch_or(&seen_indexes, 1u << w->index);
    pthread_barrier_wait(arg);
}

TEST(workers_carry_their_own_state)
{
    struct pool_lane lanes[] = {{"one", 1, 10, 0, 0, 0}, {"two", 2, 10, 0, 0, 0}};
    struct pool *pool;
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 3); /* all three threads at once */
    struct pool_config config = {
        .lanes = lanes, .lane_count = 2, .worker_init = on_init, .worker_exit = on_exit_worker, .arg = &barrier};
    struct err err = ERR_INIT;
    CHECK_INT(pool_new(&config, &pool, &err), STATUS_OK);
    CHECK(pool_submit(pool, 0, check_worker, &barrier));
    CHECK(pool_submit(pool, 1, check_worker, &barrier));
    CHECK(pool_submit(pool, 1, check_worker, &barrier));
    pool_stop(pool, POOL_DRAIN, NULL, NULL);
    CHECK_INT(atomic_load(&seen_indexes), 7);
    CHECK_INT(atomic_load(&inits), 3);
    CHECK_INT(atomic_load(&exits), 3);
    pool_free(pool);
    pthread_barrier_destroy(&barrier);
}

/* ---- threads are started when they are needed ---- */

static int threads_now(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    CHECK(dir != NULL);
    for (const struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void *note_tid(void *arg)
{
    *(pid_t *)arg = gettid();
    return NULL;
}

/* Sanitizers have a thread of their own from the first one on. Who was joined stays in /proc for a moment. */
static int threads_before(void)
{
    pthread_t thread;
    pid_t tid = 0;
    char path[64];
    CHECK(pthread_create(&thread, NULL, note_tid, &tid) == 0 && pthread_join(thread, NULL) == 0);
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d", (int)tid);
    while (access(path, F_OK) == 0)
        sched_yield();
    return threads_now();
}

static void wait_until_done(struct pool *pool, unsigned lane, uint64_t jobs)
{
    struct pool_lane_stats stats;
    do
        pool_lane_stats(pool, lane, &stats);
    while (stats.done < jobs);
}

TEST(a_thread_is_started_when_the_others_have_a_job)
{
    sem_init(&entered, 0, 0);
    sem_init(&gate, 0, 0);
    int before = threads_before() + 1;
    struct pool_lane lanes[] = {{"three", 3, 10, 0, 0, 0}, {"never", 2, 10, 0, 0, 0}, {"early", 2, 10, 0, 0, 0}};
    struct pool *pool;
    struct err err = ERR_INIT;
    CHECK_INT(pool_new(&(struct pool_config){.lanes = lanes, .lane_count = 3, .early = 4}, &pool, &err), STATUS_OK);
    CHECK_INT(threads_now(), before);
    for (uint64_t i = 1; i <= 5; i++) { /* one after another: one thread does them */
        CHECK(pool_submit(pool, 0, note, letter("a")));
        wait_until_done(pool, 0, i);
    }
    CHECK_INT(threads_now(), before + 1);
    for (int i = 0; i < 5; i++)
        CHECK(pool_submit(pool, 0, hold, NULL));
    for (int i = 0; i < 3; i++)
        while (sem_wait(&entered) < 0)
            ;
    CHECK_INT(threads_now(), before + 3);
    for (int i = 0; i < 5; i++)
        sem_post(&gate);
    pool_free(pool);
}

struct nice_job {
    struct pool *pool;
    int threads, nice_value;
};

static void note_nice(void *arg, struct worker *w)
{
    (void)w;
    ((struct nice_job *)arg)->nice_value = getpriority(PRIO_PROCESS, 0);
    hold(NULL, w);
}

static void submit_from_a_nice_thread(void *arg, struct worker *w)
{
    struct nice_job *j = arg;
    (void)w;
    j->threads = threads_now();
    CHECK(pool_submit(j->pool, 1, note, letter("n")));
    j->threads = threads_now() - j->threads;
}

TEST(a_nice_thread_starts_none_that_should_be_less_so)
{
    sem_init(&entered, 0, 0);
    sem_init(&gate, 0, 0);
    int own = getpriority(PRIO_PROCESS, 0);
    if (own > 14)
        return; /* nothing is nicer than we are */
    struct pool *pool = make((struct pool_lane[]){{"calm", 1, 10, 5, 0, 0}, {"quick", 2, 10, 0, 0, 0}}, 2);
    struct nice_job j = {.pool = pool, .threads = -1}, second = {.pool = pool};
    CHECK(pool_submit(pool, 1, hold, NULL));
    while (sem_wait(&entered) < 0)
        ;
    CHECK(pool_submit(pool, 0, submit_from_a_nice_thread, &j));
    wait_until_done(pool, 0, 1);
    CHECK_INT(j.threads, 0);
    CHECK_STR(str_of(ran), "");
    CHECK(pool_submit(pool, 1, note_nice, &second)); /* now there is a second one, which does what waited too */
    while (sem_wait(&entered) < 0)
        ;
    CHECK_STR(str_of(ran), "n");
    CHECK_INT(second.nice_value, own);
    sem_post(&gate);
    sem_post(&gate);
    pool_free(pool);
}

static void look_at_thread(void *arg, struct worker *w)
{
    int *nice_value = arg;
    (void)w;
    sigset_t set;
    char name[16];
    *nice_value = getpriority(PRIO_PROCESS, (id_t)gettid());
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &set) == 0);
    CHECK(sigismember(&set, SIGTERM) && sigismember(&set, SIGCHLD) && sigismember(&set, SIGUSR1));
    CHECK(pthread_getname_np(pthread_self(), name, sizeof(name)) == 0);
    CHECK_STR(str_of(name), "background-0");
}

TEST(a_lane_is_nice_and_blocks_signals)
{
    int before = getpriority(PRIO_PROCESS, 0), value = -100;
    struct pool *pool = make(&(struct pool_lane){"background", 1, 1, 5, 0, 0}, 1);
    CHECK(pool_submit(pool, 0, look_at_thread, &value));
    pool_free(pool);
    CHECK_INT(value, MIN(before + 5, 19));
    CHECK_INT(getpriority(PRIO_PROCESS, 0), before);
}

TEST(wrong_lanes_are_refused)
{
    struct pool *pool = NULL;
    struct err err = ERR_INIT;
    static const struct pool_lane wrong[] = {
        {"w", 0, 1, 0, 0, 0}, {"w", 1, 0, 0, 0, 0}, {"w", 1, 1, 20, 0, 0}, {"w", 1, 1u << 30, 0, 0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct pool_config config = {.lanes = &wrong[i], .lane_count = 1};
        CHECK_INT(pool_new(&config, &pool, &err), STATUS_INVALID);
        CHECK(pool == NULL && strstr(err.text, "lane w") != NULL);
    }
    CHECK_INT(pool_new(&(struct pool_config){0}, &pool, &err), STATUS_INVALID);
}

/* ---- many threads ---- */

enum { FEEDERS = 4, JOBS = 20000 };

static atomic_int jobs_run, jobs_refused;

static void count_job(void *arg, struct worker *w)
{
    (void)w;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void *feed(void *arg)
{
    for (int i = 0; i < JOBS; i++)
        if (!pool_submit(arg, (unsigned)i % 2, count_job, &jobs_run))
            atomic_fetch_add(&jobs_refused, 1);
    return NULL;
}

static void hammer(unsigned spin_us)
{
    struct pool_lane lanes[] = {{"one", 1, 64, 0, 0, 0}, {"three", 3, 64, 3, 0, 0}};
    struct pool *pool;
    struct err err = ERR_INIT;
    struct pool_config config = {.lanes = lanes, .lane_count = 2, .spin_us = spin_us};
    CHECK_INT(pool_new(&config, &pool, &err), STATUS_OK);
    pthread_t threads[FEEDERS];
    for (int i = 0; i < FEEDERS; i++)
        CHECK(pthread_create(&threads[i], NULL, feed, pool) == 0);
    for (int i = 0; i < FEEDERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    pool_stop(pool, POOL_DRAIN, NULL, NULL);
    struct pool_lane_stats a, b;
    pool_lane_stats(pool, 0, &a);
    pool_lane_stats(pool, 1, &b);
    CHECK_INT(atomic_load(&jobs_run) + atomic_load(&jobs_refused), FEEDERS * JOBS);
    CHECK_INT(a.done + b.done, atomic_load(&jobs_run));
    CHECK_INT(a.refused + b.refused, atomic_load(&jobs_refused));
    pool_free(pool);
}

TEST(every_job_is_run_or_refused_once)
{
    hammer(0);
}

TEST(every_job_is_run_or_refused_once_when_spinning)
{
    hammer(20);
}

/* ---- loop -> worker -> loop ---- */

struct trip {
    struct loop *loop;
    struct pool *pool;
    struct loop_message back;
    int left;
    int *open; /* trips still under way */
};

static void trip_work(void *arg, struct worker *w)
{
    struct trip *t = arg;
    (void)w;
    loop_post_message(t->loop, &t->back);
}

static void trip_back(void *arg)
{
    struct trip *t = arg;
    if (--t->left > 0)
        CHECK(pool_submit(t->pool, 0, trip_work, t));
    else if (--*t->open == 0)
        loop_stop(t->loop);
}

TEST(round_trips_between_loop_and_workers)
{
    struct loop *loop;
    struct err err = ERR_INIT;
    CHECK_INT(loop_new(&loop, &err), STATUS_OK);
    struct pool *pool = make(&(struct pool_lane){"work", 2, 64, 0, 0, 0}, 1);
    static const int in_flight[] = {1, 32};
    for (size_t k = 0; k < ARRAY_LEN(in_flight); k++) {
        enum { TRIPS = 20000 };
        struct trip trips[32];
        int open = in_flight[k];
        int64_t begin = clock_mono_us();
        for (int i = 0; i < in_flight[k]; i++) {
            trips[i] = (struct trip){.loop = loop, .pool = pool, .left = TRIPS / in_flight[k], .open = &open};
            trips[i].back = (struct loop_message){.fn = trip_back, .arg = &trips[i]};
            CHECK(pool_submit(pool, 0, trip_work, &trips[i]));
        }
        CHECK_INT(loop_run(loop, &err), STATUS_OK);
        CHECK_INT(open, 0);
        printf("# %d in flight: %lld ns a trip\n", in_flight[k],
               (long long)(clock_mono_us() - begin) * 1000 / (TRIPS / in_flight[k] * in_flight[k]));
    }
    pool_free(pool);
    loop_free(loop);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* deadline — every statement stops in time.
 *
 * SQLite calls the progress handler every LIMIT_DB_PROGRESS_OPS instructions of its virtual machine. Some instructions
 * are long: count(*) of a whole table is one (sqlite3BtreeCount looks only at the interrupt flag), and so are steps of
 * a big sort. For those a watchdog thread looks at all armed deadlines every LIMIT_DB_WATCHDOG_TICK_MS and calls
 * sqlite3_interrupt(). What nothing can stop is one call of one built-in function on one value (LIKE, instr, printf):
 * the limits on value and pattern length bound it.
 *
 * Invariants: (1) the list and the fields at_mono_us and cancelled of listed deadlines change under watch_lock only,
 * and the watchdog interrupts under it, so an interrupt never hits a statement of a later deadline: SQLite clears the
 * flag when a statement starts and none is active. (2) the watchdog starts with the first deadline and sleeps when
 * there is none. Tests: tests/unit/db/test_conn.c */
#include "db/deadline.h"

#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "rt/thread.h"

#include "base/banned.h"

static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t watch_wake = PTHREAD_COND_INITIALIZER;
static struct deadline *watch_list;
static bool watch_started, watch_asleep;

#define WATCH_IDLE_TICKS 100 /* stays awake this long after the last deadline: under load nobody pays for waking it */

static enum status deadline_state(const struct deadline *d)
{
    if (d->cancelled && atomic_load_explicit(d->cancelled, memory_order_relaxed))
        return STATUS_CANCELLED;
    if (d->at_mono_us && clock_mono_us() >= d->at_mono_us)
        return STATUS_TIMEOUT;
    return STATUS_OK;
}

static void watchdog(void *arg)
{
    (void)arg;
    int idle = 0;
    struct timespec tick = {.tv_nsec = LIMIT_DB_WATCHDOG_TICK_MS * 1000000L};
    pthread_mutex_lock(&watch_lock);
    for (;;) {
        for (struct deadline *d = watch_list; d; d = d->next)
            if (deadline_state(d) != STATUS_OK)
                sqlite3_interrupt(d->sqlite);
        idle = watch_list ? 0 : idle + 1;
        if (idle > WATCH_IDLE_TICKS) {
            watch_asleep = true;
            while (!watch_list)
                pthread_cond_wait(&watch_wake, &watch_lock);
            watch_asleep = false;
            idle = 0;
        }
        pthread_mutex_unlock(&watch_lock);
        nanosleep(&tick, NULL);
        pthread_mutex_lock(&watch_lock);
    }
}

/* Called with the lock. Without a watchdog the progress handler still stops most statements. */
static void watch_start(void)
{
    struct err err = ERR_INIT;
    pthread_t thread;
    watch_started = true;
    if (thread_start("db-watchdog", 0, watchdog, NULL, &thread, &err) == STATUS_OK)
        pthread_detach(thread);
    else
        log_line(LOG_WARN, "db", "cannot start the watchdog of SQL time limits: %s", err.text);
}

void deadline_set(struct deadline *d, int64_t at_mono_us, const atomic_bool *cancelled)
{
    bool armed = at_mono_us || cancelled;
    if (!armed && !d->armed)
        return;
    pthread_mutex_lock(&watch_lock);
    d->at_mono_us = at_mono_us;
    d->cancelled = cancelled;
    d->tripped = STATUS_OK;
    if (armed && !d->armed) {
        d->next = watch_list;
        d->link = &watch_list;
        if (d->next)
            d->next->link = &d->next;
        watch_list = d;
        if (!watch_started)
            watch_start();
        if (watch_asleep)
            pthread_cond_signal(&watch_wake);
    } else if (!armed) {
        *d->link = d->next;
        if (d->next)
            d->next->link = d->link;
        d->link = NULL;
    }
    d->armed = armed;
    pthread_mutex_unlock(&watch_lock);
}

bool deadline_passed(struct deadline *d)
{
    enum status st = deadline_state(d);
    if (st != STATUS_OK)
        d->tripped = st;
    return st != STATUS_OK;
}

static int on_progress(void *arg)
{
    return deadline_passed(arg);
}

#define READER_LOOK_US 2000

/* Waits 1, 2, 5, 10 ... 100 ms between tries, as sqlite3_busy_timeout() does, but never past the deadline. */
static int on_busy(void *arg, int tries)
{
    static const unsigned char wait_ms[] = {1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100};
    struct deadline *d = arg;
    int64_t now = clock_mono_us();
    if (tries == 0)
        d->busy_since_us = now;
    if (deadline_passed(d) || now - d->busy_since_us >= d->busy_timeout_us)
        return 0;
    int64_t wait_us = wait_ms[MIN((size_t)tries, ARRAY_LEN(wait_ms) - 1)] * 1000L;
    if (d->waited_us) {
        atomic_store_explicit(d->waited_us, now, memory_order_relaxed);
        wait_us = MIN(wait_us, READER_LOOK_US);
    }
    wait_us = MIN(wait_us, d->busy_since_us + d->busy_timeout_us - now);
    if (d->at_mono_us)
        wait_us = MIN(wait_us, d->at_mono_us - now);
    struct timespec t = {.tv_nsec = MAX(wait_us, 1) * 1000L};
    nanosleep(&t, NULL);
    return 1;
}

void deadline_init(struct deadline *d, struct sqlite3 *sqlite, int64_t busy_timeout_ms, atomic_llong *waited_us)
{
    *d = (struct deadline){.sqlite = sqlite, .busy_timeout_us = busy_timeout_ms * 1000, .waited_us = waited_us};
    sqlite3_progress_handler(sqlite, LIMIT_DB_PROGRESS_OPS, on_progress, d);
    sqlite3_busy_handler(sqlite, on_busy, d);
}

void deadline_release(struct deadline *d)
{
    deadline_set(d, 0, NULL);
}

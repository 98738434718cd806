/* SPDX-License-Identifier: Apache-2.0 */
/* loop — epoll, timers, a mailbox, and one place where objects die.
 *
 * Why our own: 400 lines give exactly the round we need (batched writes before sleeping, destruction after dispatch,
 * a wake-up that costs nothing while the loop is busy), and a test can drive it one round at a time on its own clock.
 *
 *   wait -> descriptors -> mailbox -> due timers -> hooks -> deferred functions -> dead descriptors are recycled
 *
 * Invariants
 *  (1) After loop_remove_fd no callback of that descriptor runs, even when its event is already in the batch being
 *      dispatched: the loop_fd stays allocated, marked dead, until the round ends.
 *  (2) A message is never lost and never delays: a sender publishes it, then looks whether the loop sleeps; the loop
 *      announces that it sleeps, then looks at the mailbox. Both are sequentially consistent, so one of them sees the
 *      other. Whoever takes the `sleeping` flag back writes the eventfd: one write for a burst, none while the loop is
 *      awake. The eventfd is edge-triggered, so nobody ever needs to read it.
 *  (3) The mailbox is a stack turned round when it is emptied: messages run in the order of their pushes.
 *  (4) A timer armed by a timer callback waits for the next round, a deferred function deferred by another likewise:
 *      no phase can run for ever.
 *
 * Not here: the heap (timer_heap.c), signals (signal.c), threads (pool.c). Tests: tests/unit/rt/test_loop.c. */
#include "rt/loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "rt/timer_heap.h"

#define SLOW_CALLBACK_US  50000
#define OWN_CLOCK_WAIT_MS 10 /* longest sleep on an injected clock */

struct loop_fd {
    int fd;
    unsigned events; /* LOOP_READ | ... as asked */
    bool dead;
    void (*fn)(void *arg, unsigned events);
    void *arg;
    struct loop_fd *next; /* in the dead or the free list */
};

struct deferred {
    void (*fn)(void *arg);
    void *arg;
};

struct deferred_list {
    struct deferred *items;
    size_t count, cap;
};

struct loop {
    int epoll_fd, event_fd;
    _Atomic(struct loop_message *) mail; /* newest first */
    atomic_bool sleeping;                /* in epoll_wait, or about to be */
    atomic_bool stop;
    _Atomic(pthread_t) thread;
    atomic_uint_fast64_t wakeups;

    int64_t now_us;
    int64_t (*clock)(void *arg); /* NULL: the real one */
    void *clock_arg;
    struct timer_heap timers;
    bool firing; /* inside the timer phase */
    bool watch_slow;

    struct deferred_list deferred, running; /* collected now; being run */
    struct loop_hook *hooks, *hook_next;    /* hook_next: the walk's next one */
    struct loop_fd *dead, *free_fds;
    struct loop_stats stats;
    struct epoll_event events[LIMIT_LOOP_EVENTS];
};

/* ---- making and freeing ---- */

enum status loop_new(struct loop **ret, struct err *err)
{
    struct loop *l = mem_alloc(sizeof(*l));
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (l->epoll_fd < 0 || l->event_fd < 0 || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->event_fd, &ev) < 0) {
        enum status st = err_sys(err, STATUS_IO, errno, "cannot make an event loop");
        loop_free(l);
        return st;
    }
    atomic_store(&l->thread, pthread_self());
    loop_refresh_now_us(l);
    *ret = l;
    return STATUS_OK;
}

static void free_fd_list(struct loop_fd *f)
{
    while (f) {
        struct loop_fd *next = f->next;
        free(f);
        f = next;
    }
}

static bool run_mail(struct loop *l);
static void run_deferred(struct loop *l);

void loop_free(struct loop *l)
{
    if (!l)
        return;
    atomic_store(&l->thread, pthread_self());
    for (bool more = true; more;) {
        more = run_mail(l);
        more |= l->deferred.count > 0;
        run_deferred(l);
    }
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    if (l->event_fd >= 0)
        close(l->event_fd);
    timer_heap_release(&l->timers);
    free(l->deferred.items);
    free(l->running.items);
    free_fd_list(l->dead);
    free_fd_list(l->free_fds);
    free(l);
}

/* ---- time ---- */

uint64_t loop_round(const struct loop *l)
{
    return l->stats.rounds;
}

int64_t loop_now_us(const struct loop *l)
{
    return l->now_us;
}

int64_t loop_refresh_now_us(struct loop *l)
{
    l->now_us = l->clock ? l->clock(l->clock_arg) : clock_mono_us();
    return l->now_us;
}

void loop_set_clock(struct loop *l, int64_t (*now_us)(void *arg), void *arg)
{
    l->clock = now_us;
    l->clock_arg = arg;
    loop_refresh_now_us(l);
}

/* The clock is read around callbacks only while somebody would see the line. */
static int64_t slow_begin(const struct loop *l)
{
    return UNLIKELY(l->watch_slow) ? clock_mono_us() : 0;
}

static void slow_end(const struct loop *l, int64_t begin_us, const char *what, uintptr_t fn)
{
    if (LIKELY(!l->watch_slow))
        return;
    int64_t took_us = clock_mono_us() - begin_us;
    if (took_us > SLOW_CALLBACK_US)
        log_line(LOG_DEBUG, "loop", "slow callback: %s at 0x%llx held the loop for %lld ms", what,
                 (unsigned long long)fn, (long long)(took_us / 1000));
}

/* ---- descriptors ---- */

static uint32_t epoll_bits(unsigned events)
{
    return ((events & LOOP_READ) ? (uint32_t)EPOLLIN : 0) | ((events & LOOP_WRITE) ? (uint32_t)EPOLLOUT : 0) |
           ((events & LOOP_READ_CLOSED) ? (uint32_t)EPOLLRDHUP : 0);
}

/* An error or hang-up also counts as every direction asked for: the next read or write then tells what it is. */
static unsigned loop_bits(uint32_t bits, unsigned asked)
{
    unsigned events = ((bits & EPOLLIN) ? LOOP_READ : 0u) | ((bits & EPOLLOUT) ? LOOP_WRITE : 0u) |
                      ((bits & EPOLLRDHUP) ? LOOP_READ_CLOSED : 0u);
    if (bits & (EPOLLERR | EPOLLHUP))
        events |= LOOP_HANGUP | asked;
    return events & (asked | LOOP_HANGUP);
}

enum status loop_add_fd(struct loop *l, int fd, unsigned events, void (*fn)(void *arg, unsigned events), void *arg,
                        struct loop_fd **ret, struct err *err)
{
    struct loop_fd *f = l->free_fds;
    if (f) {
        l->free_fds = f->next;
    } else {
        f = mem_alloc(sizeof(*f));
    }
    *f = (struct loop_fd){.fd = fd, .events = events, .fn = fn, .arg = arg};
    struct epoll_event ev = {.events = epoll_bits(events), .data.ptr = f};
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        int saved = errno;
        f->next = l->free_fds;
        l->free_fds = f;
        return err_sys(err, STATUS_IO, saved, "cannot watch descriptor %d", fd);
    }
    l->stats.fds++;
    *ret = f;
    return STATUS_OK;
}

void loop_set_events(struct loop *l, struct loop_fd *f, unsigned events)
{
    ASSERT(!f->dead);
    if (f->events == events)
        return;
    f->events = events;
    struct epoll_event ev = {.events = epoll_bits(events), .data.ptr = f};
    ASSERT(epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, f->fd, &ev) == 0);
}

void loop_remove_fd(struct loop *l, struct loop_fd *f)
{
    if (!f)
        return;
    ASSERT(!f->dead);
    struct epoll_event ev = {0};
    ASSERT(epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, f->fd, &ev) == 0); /* fails when fd was closed too early: a bug */
    f->dead = true;
    f->next = l->dead;
    l->dead = f;
    l->stats.fds--;
}

static void recycle_dead(struct loop *l)
{
    while (l->dead) {
        struct loop_fd *f = l->dead;
        l->dead = f->next;
        f->next = l->free_fds;
        l->free_fds = f;
    }
}

static void run_events(struct loop *l, int count)
{
    for (int i = 0; i < count; i++) {
        struct loop_fd *f = l->events[i].data.ptr;
        if (!f || f->dead) /* NULL: the eventfd, which has done its work by ending the wait */
            continue;
        unsigned events = loop_bits(l->events[i].events, f->events);
        if (events == 0) /* the interest changed earlier in this batch */
            continue;
        uintptr_t fn = (uintptr_t)f->fn;
        int64_t begin = slow_begin(l);
        f->fn(f->arg, events);
        slow_end(l, begin, "descriptor", fn);
        l->stats.events++;
    }
}

/* ---- timers ---- */

void loop_timer_init(struct loop_timer *t, void (*fn)(void *arg), void *arg)
{
    *t = (struct loop_timer)LOOP_TIMER_INIT(fn, arg);
}

void loop_timer_at(struct loop *l, struct loop_timer *t, int64_t at_us)
{
    t->at_us = l->firing && at_us <= l->now_us ? l->now_us + 1 : at_us;
    timer_heap_put(&l->timers, t);
}

void loop_timer_after_ms(struct loop *l, struct loop_timer *t, int64_t delay_ms)
{
    int64_t delay_us;
    int64_t at_us;
    if (__builtin_mul_overflow(delay_ms, (int64_t)1000, &delay_us) ||
        __builtin_add_overflow(l->now_us, delay_us, &at_us))
        at_us = INT64_MAX;
    loop_timer_at(l, t, at_us);
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
    timer_heap_remove(&l->timers, t);
}

static void run_timers(struct loop *l)
{
    int64_t now_us = l->now_us;
    struct loop_timer *t;
    l->firing = true;
    while ((t = timer_heap_first(&l->timers)) != NULL && t->at_us <= now_us) {
        timer_heap_remove(&l->timers, t);
        uintptr_t fn = (uintptr_t)t->fn;
        int64_t begin = slow_begin(l);
        t->fn(t->arg);
        slow_end(l, begin, "timer", fn);
        l->stats.timers++;
    }
    l->firing = false;
}

/* ---- mailbox ---- */

static void wake(struct loop *l)
{
    if (!atomic_exchange(&l->sleeping, false))
        return;
    atomic_fetch_add_explicit(&l->wakeups, 1, memory_order_relaxed);
    uint64_t one = 1;
    ssize_t n;
    do
        n = write(l->event_fd, &one, sizeof(one));
    while (n < 0 && errno == EINTR);
}

void loop_post_message(struct loop *l, struct loop_message *m)
{
    struct loop_message *head = atomic_load_explicit(&l->mail, memory_order_relaxed);
    do
        m->next = head;
    while (!atomic_compare_exchange_weak(&l->mail, &head, m));
    wake(l);
}

struct posted {
    struct loop_message message;
    void (*fn)(void *arg);
    void *arg;
};

static void run_posted(void *arg)
{
    struct posted *p = arg;
    void (*fn)(void *arg) = p->fn;
    void *fn_arg = p->arg;
    free(p);
    fn(fn_arg);
}

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct posted *p = mem_alloc(sizeof(*p));
    *p = (struct posted){.message = {.fn = run_posted, .arg = p}, .fn = fn, .arg = arg};
    loop_post_message(l, &p->message);
}

/* Runs what is there now; what these messages post waits for the next call. */
static bool run_mail(struct loop *l)
{
    if (atomic_load_explicit(&l->mail, memory_order_relaxed) == NULL)
        return false;
    struct loop_message *m = atomic_exchange(&l->mail, NULL);
    struct loop_message *first = NULL;
    while (m) {
        struct loop_message *next = m->next;
        m->next = first;
        first = m;
        m = next;
    }
    while (first) {
        m = first;
        first = m->next; /* fn may free m */
        uintptr_t fn = (uintptr_t)m->fn;
        int64_t begin = slow_begin(l);
        m->fn(m->arg);
        slow_end(l, begin, "message", fn);
        l->stats.messages++;
    }
    return true;
}

/* ---- end of the round ---- */

void loop_defer(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct deferred_list *d = &l->deferred;
    if (d->count == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 32;
        struct deferred *items = mem_resize(d->items, cap, sizeof(*items));
        d->items = items;
        d->cap = cap;
    }
    d->items[d->count++] = (struct deferred){fn, arg};
}

static void run_deferred(struct loop *l)
{
    if (l->deferred.count == 0)
        return;
    struct deferred_list now = l->deferred;
    l->deferred = l->running;
    l->running = now;
    for (size_t i = 0; i < now.count; i++) {
        int64_t begin = slow_begin(l);
        now.items[i].fn(now.items[i].arg);
        slow_end(l, begin, "deferred function", (uintptr_t)now.items[i].fn);
    }
    l->running.count = 0;
}

void loop_hook_add(struct loop *l, struct loop_hook *hook)
{
    struct loop_hook **end = &l->hooks;
    while (*end)
        end = &(*end)->next;
    hook->next = NULL;
    *end = hook;
}

void loop_hook_remove(struct loop *l, struct loop_hook *hook)
{
    for (struct loop_hook **at = &l->hooks; *at; at = &(*at)->next) {
        if (*at != hook)
            continue;
        *at = hook->next;
        if (l->hook_next == hook)
            l->hook_next = hook->next;
        hook->next = NULL;
        return;
    }
}

static void run_hooks(struct loop *l)
{
    for (struct loop_hook *hook = l->hooks; hook; hook = l->hook_next) {
        l->hook_next = hook->next;
        uintptr_t fn = (uintptr_t)hook->fn;
        int64_t begin = slow_begin(l);
        hook->fn(hook->arg);
        slow_end(l, begin, "hook", fn);
    }
    l->hook_next = NULL;
}

/* ---- rounds ---- */

/* Whole milliseconds, rounded up: waking early would spin until the timer is due. */
static int wait_ms(struct loop *l, int max_wait_ms)
{
    if (l->deferred.count > 0)
        return 0;
    int64_t wait = max_wait_ms < 0 ? INT_MAX : max_wait_ms;
    bool forever = max_wait_ms < 0;
    if (wait == 0)
        return 0;
    const struct loop_timer *t = timer_heap_first(&l->timers);
    if (t) {
        int64_t now_us = loop_refresh_now_us(l);
        int64_t left = t->at_us <= now_us ? 0 : (t->at_us - now_us - 1) / 1000 + 1;
        wait = MIN(wait, left);
        forever = false;
    }
    if (l->clock) {
        wait = MIN(wait, OWN_CLOCK_WAIT_MS);
        forever = false;
    }
    return forever ? -1 : (int)wait;
}

static enum status run_round(struct loop *l, int max_wait_ms, struct err *err)
{
    int wait = wait_ms(l, max_wait_ms);
    if (wait != 0) {
        atomic_store(&l->sleeping, true);
        if (atomic_load(&l->mail) != NULL || atomic_load(&l->stop)) {
            wait = 0;
            atomic_store_explicit(&l->sleeping, false, memory_order_relaxed);
        }
    }
    int count = epoll_wait(l->epoll_fd, l->events, LIMIT_LOOP_EVENTS, wait);
    int saved = errno;
    atomic_store_explicit(&l->sleeping, false, memory_order_relaxed);
    if (count < 0 && saved != EINTR)
        return err_sys(err, STATUS_IO, saved, "cannot wait for events");
    loop_refresh_now_us(l);
    l->watch_slow = log_enabled(LOG_DEBUG);
    l->stats.rounds++;
    run_events(l, count);
    run_mail(l);
    run_timers(l);
    run_hooks(l);
    run_deferred(l);
    recycle_dead(l);
    return STATUS_OK;
}

enum status loop_run_once(struct loop *l, int max_wait_ms, struct err *err)
{
    atomic_store_explicit(&l->thread, pthread_self(), memory_order_relaxed);
    return run_round(l, max_wait_ms, err);
}

enum status loop_run(struct loop *l, struct err *err)
{
    atomic_store_explicit(&l->thread, pthread_self(), memory_order_relaxed);
    enum status st;
    do
        st = run_round(l, -1, err);
    while (st == STATUS_OK && !atomic_load(&l->stop));
    atomic_store(&l->stop, false); /* so that the loop can be run again, to wind down */
    return st;
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    wake(l);
}

bool loop_on_thread(const struct loop *l)
{
    return pthread_equal(atomic_load_explicit(&l->thread, memory_order_relaxed), pthread_self());
}

void loop_stats(const struct loop *l, struct loop_stats *ret)
{
    *ret = l->stats;
    ret->wakeups = atomic_load_explicit(&l->wakeups, memory_order_relaxed);
}

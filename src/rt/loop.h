/* SPDX-License-Identifier: Apache-2.0 */
/* loop: one thread that waits for descriptors, timers and messages, and calls back.
 *
 * A round is: wait -> descriptor callbacks -> mailbox -> due timers -> hooks ("before sleeping") -> deferred functions.
 * Callbacks never free what they were called for: they call loop_remove_fd / loop_timer_cancel at will (nothing is
 * delivered any more from that moment) and hand the object to loop_defer, which frees it at the end of the round.
 *
 * Threads: everything is for the loop's thread, except loop_post, loop_post_message, loop_stop and loop_on_thread. */
#ifndef VITRINE_RT_LOOP_H
#define VITRINE_RT_LOOP_H

#include "base/err.h"

struct loop;
struct loop_fd; /* one watched descriptor */

enum { /* bits of `events` */
       LOOP_READ = 1,
       LOOP_WRITE = 2,
       LOOP_HANGUP = 4, /* reported only, and again each round: both directions are gone or an error is pending */
       LOOP_READ_CLOSED =
           8, /* the peer sent its end, whether or not bytes wait before it; again each round while asked */
};

/* Returns OK, IO (out of descriptors or memory of the kernel). The calling thread becomes the loop's thread; loop_run
 * may move it to another thread once. */
enum status loop_new(struct loop **ret, struct err *err) MUST_USE;
/* Runs what is left in the mailbox and the deferred list, then frees. Descriptors still watched are only forgotten,
 * timers still armed are disarmed (so they must still exist). NULL is fine. Nobody may post any more. */
void loop_free(struct loop *loop);
/* Runs rounds until loop_stop. IO when epoll itself fails (a bug or a closed descriptor). */
enum status loop_run(struct loop *loop, struct err *err) MUST_USE;
/* One round that waits at most max_wait_ms (-1: until something happens, 0: not at all). */
enum status loop_run_once(struct loop *loop, int max_wait_ms, struct err *err) MUST_USE;
/* loop_run returns after the current round. Any thread. A stop before loop_run makes it return after one round.
 * The loop may be run again afterwards. */
void loop_stop(struct loop *loop);
bool loop_on_thread(const struct loop *loop); /* any thread: am I the loop's thread? */

/* ---- time: monotonic microseconds, read once a round ---- */
int64_t loop_now_us(const struct loop *loop);
uint64_t loop_round(const struct loop *loop);   /* counts the returns of epoll_wait; from 1 in callbacks */
int64_t loop_refresh_now_us(struct loop *loop); /* reads the clock again: after long work inside a callback */
/* Another clock, for tests. Waits are then cut to 10 ms so that a clock moved by hand is seen. NULL: back to the real
 * one. */
void loop_set_clock(struct loop *loop, int64_t (*now_us)(void *arg), void *arg);

/* ---- descriptors: level-triggered ---- */
/* Calls fn(arg, events) whenever `fd` is ready for one of `events` (may be 0: hang-ups only). The descriptor stays the
 * caller's and must be removed here before it is closed. Returns OK, IO. */
enum status loop_add_fd(struct loop *loop, int fd, unsigned events, void (*fn)(void *arg, unsigned events), void *arg,
                        struct loop_fd **ret, struct err *err) MUST_USE;
/* Changes what is waited for; no syscall when nothing changes. */
void loop_set_events(struct loop *loop, struct loop_fd *f, unsigned events);
/* From now on no callback; `f` is dead at once for the caller (its memory is reused after the round). NULL is fine. */
void loop_remove_fd(struct loop *loop, struct loop_fd *f);

/* ---- timers: storage by the caller, so arming never allocates per timer; O(log n) ---- */
struct loop_timer {
    void (*fn)(void *arg);
    void *arg;
    int64_t at_us;  /* loop clock */
    uint64_t order; /* ties fire in the order they were armed */
    uint32_t index; /* place in the heap plus 1; 0 = not armed */
};
#define LOOP_TIMER_INIT(function, argument)                                                                            \
    {                                                                                                                  \
        .fn = (function), .arg = (argument)                                                                            \
    }
void loop_timer_init(struct loop_timer *t, void (*fn)(void *arg), void *arg);
/* Arms, or moves when armed. Fires once, not before at_us; when armed by a timer's fn, not before the next round. */
void loop_timer_at(struct loop *loop, struct loop_timer *t, int64_t at_us);
void loop_timer_after_ms(struct loop *loop, struct loop_timer *t, int64_t delay_ms); /* from loop_now_us */
void loop_timer_cancel(struct loop *loop, struct loop_timer *t);                     /* fine when not armed */
static inline bool loop_timer_armed(const struct loop_timer *t)
{
    return t->index != 0;
}

/* ---- mailbox: from any thread to the loop's thread, in order, one eventfd write for a burst ---- */
struct loop_message { /* storage by the sender; free for reuse or to be freed as soon as fn is called */
    struct loop_message *next;
    void (*fn)(void *arg);
    void *arg;
};
/* Never allocates, never blocks. m->fn and m->arg are set by the caller; `m` belongs to the loop until fn runs. */
void loop_post_message(struct loop *loop, struct loop_message *m);
/* As above with a node from malloc. */
void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);

/* ---- end of the round ---- */
/* Calls fn(arg) once, at the end of this round, in order. What a deferred function defers runs in the next round, which
 * then does not wait. */
void loop_defer(struct loop *loop, void (*fn)(void *arg), void *arg);
/* Hooks run in every round after all callbacks and before the deferred functions: batched writes. Storage by the
 * caller. A hook may remove itself. */
struct loop_hook {
    struct loop_hook *next;
    void (*fn)(void *arg);
    void *arg;
};
void loop_hook_add(struct loop *loop, struct loop_hook *hook);
void loop_hook_remove(struct loop *loop, struct loop_hook *hook);

struct loop_stats {
    uint64_t rounds, events, timers, messages, wakeups; /* wakeups: eventfd writes by senders */
    uint32_t fds;
};
void loop_stats(const struct loop *loop, struct loop_stats *ret);

#endif

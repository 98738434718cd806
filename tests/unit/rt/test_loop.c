/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "rt/loop.h"
#include "rt/timer_heap.h"
#include "test.h"

static struct loop *make(void)
{
    struct loop *l;
    struct err err = ERR_INIT;
    CHECK_INT(loop_new(&l, &err), STATUS_OK);
    return l;
}

static void once(struct loop *l, int wait_ms)
{
    struct err err = ERR_INIT;
    CHECK_INT(loop_run_once(l, wait_ms, &err), STATUS_OK);
}

/* ---- a log of what ran ---- */

static char ran[256];

static void note(void *arg)
{
    strncat(ran, arg, sizeof(ran) - strlen(ran) - 1);
}

#define NOTE(text) note, (void *)(uintptr_t)(text)

/* ---- timers ---- */

#define TIMER(text) LOOP_TIMER_INIT(note, (void *)(uintptr_t)(text))

static int64_t fake_now;

static int64_t fake_clock(void *arg)
{
    (void)arg;
    return fake_now;
}

TEST(timers_fire_in_order_of_time_then_of_arming)
{
    struct loop *l = make();
    loop_set_clock(l, fake_clock, NULL);
    struct loop_timer a = TIMER("a"), b = TIMER("b"), c = TIMER("c");
    struct loop_timer d = TIMER("d");
    loop_timer_after_ms(l, &c, 30);
    loop_timer_after_ms(l, &a, 10);
    loop_timer_after_ms(l, &b, 10);
    loop_timer_after_ms(l, &d, 20);
    loop_timer_cancel(l, &d);
    CHECK(!loop_timer_armed(&d));
    once(l, 0);
    CHECK_STR(str_of(ran), "");
    fake_now = 9999;
    once(l, 0);
    CHECK_STR(str_of(ran), "");
    fake_now = 10000;
    once(l, 0);
    CHECK_STR(str_of(ran), "ab");
    loop_timer_at(l, &c, 11000); /* moved while armed */
    fake_now = 11000;
    once(l, 0);
    CHECK_STR(str_of(ran), "abc");
    CHECK(!loop_timer_armed(&c));
    loop_free(l);
}

struct again {
    struct loop *loop;
    struct loop_timer timer;
    int fired;
};

static void fire_again(void *arg)
{
    struct again *a = arg;
    a->fired++;
    loop_timer_after_ms(a->loop, &a->timer, 0);
}

TEST(a_timer_that_arms_itself_for_now_fires_once_a_round)
{
    struct loop *l = make();
    struct again a = {.loop = l};
    loop_timer_init(&a.timer, fire_again, &a);
    loop_timer_after_ms(l, &a.timer, -5);
    once(l, 0);
    CHECK_INT(a.fired, 1);
    once(l, 20);
    CHECK_INT(a.fired, 2);
    loop_timer_cancel(l, &a.timer);
    loop_free(l);
}

TEST(the_heap_agrees_with_sorting)
{
    enum { COUNT = 3000 };
    static struct loop_timer timers[COUNT];
    struct timer_heap heap = {0};
    uint32_t seed = 12345, armed = 0;
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1664525u + 1013904223u;
        struct loop_timer *t = &timers[(seed >> 8) % COUNT];
        if (seed >> 30 == 0) {
            armed -= t->index != 0;
            timer_heap_remove(&heap, t);
        } else {
            armed += t->index == 0;
            t->at_us = (int64_t)((seed >> 12) % 500);
            timer_heap_put(&heap, t);
        }
    }
    CHECK_INT(heap.count, armed);
    int64_t at = -1;
    uint64_t order = 0;
    for (; armed > 0; armed--) {
        struct loop_timer *t = timer_heap_first(&heap);
        CHECK(t->at_us > at || (t->at_us == at && t->order > order));
        at = t->at_us;
        order = t->order;
        timer_heap_remove(&heap, t);
    }
    CHECK(timer_heap_first(&heap) == NULL);
    timer_heap_release(&heap);
}

TEST(waiting_ends_when_a_timer_is_due)
{
    struct loop *l = make();
    struct loop_timer t = TIMER("t");
    int64_t begin = loop_refresh_now_us(l);
    loop_timer_after_ms(l, &t, 20);
    while (!ran[0])
        once(l, -1);
    CHECK(loop_now_us(l) - begin >= 20000);
    struct loop_stats stats;
    loop_stats(l, &stats);
    CHECK(stats.rounds <= 3); /* it slept, it did not spin */
    loop_free(l);
}

/* ---- descriptors ---- */

struct end {
    struct loop *loop;
    struct loop_fd *own, *other;
    int calls;
    unsigned events;
};

static void on_event(void *arg, unsigned events)
{
    struct end *e = arg;
    e->calls++;
    e->events = events;
    if (e->other) {
        loop_remove_fd(e->loop, e->other);
        e->other = NULL;
    }
}

static void watch_end(struct loop *l, struct end *e, int fd, unsigned events)
{
    struct err err = ERR_INIT;
    e->loop = l;
    CHECK_INT(loop_add_fd(l, fd, events, on_event, e, &e->own, &err), STATUS_OK);
}

TEST(a_removed_descriptor_is_silent_even_within_the_batch)
{
    struct loop *l = make();
    int p[2], q[2];
    CHECK(pipe(p) == 0 && pipe(q) == 0);
    struct end a = {0}, b = {0};
    watch_end(l, &a, p[0], LOOP_READ);
    watch_end(l, &b, q[0], LOOP_READ);
    a.other = b.own;
    b.other = a.own;
    CHECK(write(p[1], "x", 1) == 1 && write(q[1], "x", 1) == 1);
    once(l, 0);
    CHECK_INT(a.calls + b.calls, 1); /* whoever came first silenced the other */
    once(l, 0);
    CHECK_INT(a.calls + b.calls, 2); /* level-triggered: the first again */
    loop_remove_fd(l, a.calls ? a.own : b.own);
    close(p[0]), close(p[1]), close(q[0]), close(q[1]);
    loop_free(l);
}

TEST(interest_can_be_switched_off_and_on)
{
    struct loop *l = make();
    int p[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
    struct end a = {0};
    watch_end(l, &a, p[0], LOOP_READ | LOOP_WRITE);
    once(l, 0);
    CHECK_INT(a.events, LOOP_WRITE);
    CHECK(write(p[1], "x", 1) == 1);
    loop_set_events(l, a.own, 0);
    once(l, 0);
    CHECK_INT(a.calls, 1);
    loop_set_events(l, a.own, LOOP_READ);
    once(l, 0);
    CHECK_INT(a.events, LOOP_READ);
    loop_set_events(l, a.own, LOOP_READ_CLOSED);
    once(l, 0);
    CHECK_INT(a.calls, 2);
    CHECK(shutdown(p[1], SHUT_WR) == 0);
    once(l, 0);
    CHECK_INT(a.events, LOOP_READ_CLOSED);
    loop_set_events(l, a.own, 0);
    close(p[1]);
    once(l, 0);
    CHECK_INT(a.events, LOOP_HANGUP);
    loop_remove_fd(l, a.own);
    close(p[0]);
    loop_free(l);
}

TEST(adding_a_closed_descriptor_fails_in_words)
{
    struct loop *l = make();
    struct err err = ERR_INIT;
    struct loop_fd *f = NULL;
    CHECK_INT(loop_add_fd(l, 999, LOOP_READ, on_event, NULL, &f, &err), STATUS_IO);
    CHECK(f == NULL && strstr(err.text, "999") != NULL);
    loop_free(l);
}

/* ---- hooks and deferred functions ---- */

static struct loop *the_loop;
static struct loop_hook the_hook;

static void defer_more(void *arg)
{
    note(arg);
    loop_defer(the_loop, NOTE("3"));
}

static void hook_once(void *arg)
{
    note(arg);
    loop_hook_remove(the_loop, &the_hook);
}

TEST(hooks_run_before_deferred_functions_and_both_once)
{
    struct loop *l = the_loop = make();
    struct loop_hook always = {.fn = note, .arg = (void *)(uintptr_t) "k"};
    the_hook = (struct loop_hook){.fn = hook_once, .arg = (void *)(uintptr_t) "h"};
    loop_hook_add(l, &the_hook);
    loop_hook_add(l, &always);
    loop_defer(l, NOTE("1"));
    loop_defer(l, defer_more, (void *)(uintptr_t) "2");
    loop_post(l, NOTE("m"));
    once(l, 0);
    CHECK_STR(str_of(ran), "mhk12");
    once(l, -1); /* does not wait: something is deferred */
    CHECK_STR(str_of(ran), "mhk12k3");
    loop_hook_remove(l, &always);
    once(l, 0);
    CHECK_STR(str_of(ran), "mhk12k3");
    loop_free(l);
}

/* ---- mailbox ---- */

enum { SENDERS = 4, EACH = 20000 };

struct sender {
    struct loop *loop;
    pthread_t thread;
    int next;          /* what the loop expects from this sender */
    atomic_int *total; /* of all senders */
};

struct letter {
    struct loop_message message;
    struct sender *from;
    int number;
};

static void receive(void *arg)
{
    struct letter *letter = arg;
    struct sender *from = letter->from;
    CHECK_INT(letter->number, from->next);
    from->next++;
    free(letter);
    if (atomic_fetch_add(from->total, 1) + 1 == SENDERS * EACH)
        loop_stop(from->loop);
}

static void *send_all(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < EACH; i++) {
        struct letter *letter = malloc(sizeof(*letter));
        CHECK(letter != NULL);
        *letter = (struct letter){.message = {.fn = receive, .arg = letter}, .from = s, .number = i};
        if (i % 2)
            loop_post_message(s->loop, &letter->message);
        else
            loop_post(s->loop, receive, letter);
    }
    return NULL;
}

TEST(mail_from_many_threads_arrives_complete_and_in_order)
{
    struct loop *l = make();
    atomic_int total = 0;
    struct sender senders[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.loop = l, .total = &total};
        CHECK(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]) == 0);
    }
    struct err err = ERR_INIT;
    CHECK_INT(loop_run(l, &err), STATUS_OK);
    for (int i = 0; i < SENDERS; i++) {
        CHECK(pthread_join(senders[i].thread, NULL) == 0);
        CHECK_INT(senders[i].next, EACH);
    }
    struct loop_stats stats;
    loop_stats(l, &stats);
    CHECK_INT(stats.messages, SENDERS * EACH);
    printf("# %llu messages, %llu rounds, %llu eventfd writes\n", (unsigned long long)stats.messages,
           (unsigned long long)stats.rounds, (unsigned long long)stats.wakeups);
    loop_free(l);
}

TEST(a_burst_to_a_loop_that_is_awake_costs_no_eventfd_write)
{
    struct loop *l = make();
    for (int i = 0; i < 100; i++)
        loop_post(l, NOTE(i % 2 ? "b" : "a"));
    once(l, -1);
    struct loop_stats stats;
    loop_stats(l, &stats);
    CHECK_INT(stats.messages, 100);
    CHECK_INT(stats.wakeups, 0);
    CHECK(strncmp(ran, "abababab", 8) == 0);
    loop_free(l);
}

static void *wake_later(void *arg)
{
    usleep(30000);
    loop_post(arg, NOTE("w"));
    usleep(30000);
    CHECK(!loop_on_thread(arg));
    loop_stop(arg);
    return NULL;
}

TEST(mail_and_stop_wake_a_sleeping_loop)
{
    struct loop *l = make();
    pthread_t t;
    CHECK(loop_on_thread(l));
    CHECK(pthread_create(&t, NULL, wake_later, l) == 0);
    struct err err = ERR_INIT;
    CHECK_INT(loop_run(l, &err), STATUS_OK);
    CHECK_STR(str_of(ran), "w");
    CHECK(pthread_join(t, NULL) == 0);
    struct loop_stats stats;
    loop_stats(l, &stats);
    CHECK_INT(stats.wakeups, 2);
    CHECK(stats.rounds <= 4);
    loop_free(l);
}

static void post_more(void *arg)
{
    note(arg);
    loop_post(the_loop, NOTE("b"));
    loop_defer(the_loop, NOTE("c"));
}

TEST(freeing_runs_what_is_left)
{
    struct loop *l = the_loop = make();
    loop_post(l, post_more, (void *)(uintptr_t) "a");
    loop_free(l);
    CHECK_STR(str_of(ran), "acb");
}

static void be_slow(void *arg)
{
    (void)arg;
    usleep(60000);
}

TEST(a_slow_callback_is_logged_at_debug)
{
    int p[2];
    CHECK(pipe(p) == 0);
    log_setup(LOG_DEBUG, LOG_TEXT, p[1]);
    struct loop *l = make();
    loop_post(l, be_slow, NULL);
    once(l, 0);
    char text[1000];
    CHECK(fcntl(p[0], F_SETFL, O_NONBLOCK) == 0);
    ssize_t n = read(p[0], text, sizeof(text) - 1);
    CHECK(n > 0);
    text[n] = '\0';
    CHECK(strstr(text, "slow callback: message") != NULL);
    log_setup(LOG_INFO, LOG_TEXT, 2);
    loop_post(l, be_slow, NULL);
    once(l, 0);
    CHECK(read(p[0], text, sizeof(text)) < 0 && errno == EAGAIN);
    close(p[0]), close(p[1]);
    loop_free(l);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The state table and the wheel, and a server driven round by round over a socket pair of TCP. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/server_impl.h"
#include "test.h"

TEST(state_table)
{
    const char *why = "";
    unsigned state = 0;
    if (!sm_table_ok(h1_conn_states, H1_STATES, &why, &state))
        test_fail(__FILE__, __LINE__, "%s: %s", h1_conn_states[state].name, why);
}

/* Every edge may be walked, every other move aborts. */
TEST(edges)
{
    for (unsigned from = 0; from < H1_STATES; from++) {
        for (unsigned to = 0; to < H1_STATES; to++) {
            struct sm sm;
            sm_init(&sm, "t", h1_conn_states, H1_STATES, H1_IDLE);
            sm.state = (uint8_t)from;
            bool allowed = (h1_conn_states[from].allowed & SM_TO(to)) != 0;
            CHECK(sm_may(&sm, to) == allowed);
            if (allowed) {
                sm_move(&sm, to);
                CHECK_INT(sm_state(&sm), to);
                continue;
            }
            pid_t child = fork();
            CHECK(child >= 0);
            if (child == 0) {
                (void)close(2);
                sm_move(&sm, to);
                _exit(0);
            }
            int status = 0;
            CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        }
    }
}

/* ---- wheel ---- */

static int64_t fake_now = 1000000000;
static int64_t fake_clock(void *arg)
{
    (void)arg;
    return fake_now;
}

static struct wheel_item items[3];
static int64_t expired_at[3];
static void on_expired(struct wheel_item *item)
{
    expired_at[item - items] = fake_now;
}

static void run_until(struct loop *loop, int64_t until)
{
    while (fake_now < until) {
        fake_now += 100000;
        CHECK_INT(loop_run_once(loop, 0, NULL), STATUS_OK);
    }
}

TEST(wheel_keeps_deadlines)
{
    struct loop *loop;
    struct wheel w;
    CHECK_INT(loop_new(&loop, NULL), STATUS_OK);
    loop_set_clock(loop, fake_clock, NULL);
    CHECK_INT(loop_run_once(loop, 0, NULL), STATUS_OK);
    wheel_init(&w, loop, on_expired);
    int64_t start = fake_now;
    wheel_set(&w, &items[0], start + 1000000);
    wheel_set(&w, &items[1], start + 60000000); /* beyond one turn of the wheel */
    wheel_set(&w, &items[2], start + 5000000);
    wheel_set(&w, &items[2], start + 2000000); /* sooner */
    wheel_set(&w, &items[0], start + 3000000); /* later */
    run_until(loop, start + 70000000);
    static const int64_t want[] = {3000000, 60000000, 2000000};
    for (int i = 0; i < 3; i++) {
        CHECK(expired_at[i] >= start + want[i]);
        CHECK(expired_at[i] <= start + want[i] + WHEEL_TICK_MS * 1000 + 100000);
    }
    CHECK(!loop_timer_armed(&w.timer) && !w.count);
    wheel_set(&w, &items[0], fake_now + 1000000);
    wheel_set(&w, &items[0], 0);
    wheel_set(&w, &items[1], fake_now + 1000000);
    wheel_remove(&w, &items[1]);
    int64_t before = expired_at[0];
    fake_now += 3600000000; /* asleep for an hour */
    run_until(loop, fake_now + 2000000);
    CHECK_INT(expired_at[0], before);
    wheel_remove(&w, &items[0]);
    wheel_release(&w);
    loop_free(loop);
}

/* ---- a server on the loop of the test ---- */

struct rig {
    struct loop *loop;
    struct http_server *server;
    struct http_exchange *held;
    int gone_calls, client;
    uint64_t rounds[4]; /* of the last requests, newest first: http_exchange_round */
    uint64_t now;       /* loop_round when the newest was handled */
    bool stopped;
};

static void on_gone(void *arg)
{
    ((struct rig *)arg)->gone_calls++;
}

static void handler(void *app, struct http_exchange *x)
{
    struct rig *rig = app;
    const struct http_request *rq = http_exchange_request(x);
    memmove(rig->rounds + 1, rig->rounds, sizeof(rig->rounds) - sizeof(rig->rounds[0]));
    rig->rounds[0] = http_exchange_round(x);
    rig->now = loop_round(rig->loop);
    if (str_is(rq->path, "/held")) {
        rig->held = x;
        http_exchange_on_gone(x, on_gone, rig);
        return;
    }
    http_exchange_fail(x, 200, rq->body.n ? rq->body : rq->path);
}

static void rounds(struct rig *rig, int n)
{
    for (int i = 0; i < n; i++)
        CHECK_INT(loop_run_once(rig->loop, 10, NULL), STATUS_OK);
}

static void rig_open(struct rig *rig)
{
    struct listener_config lc = {0};
    struct http_listen listen = {0};
    *rig = (struct rig){.client = -1};
    CHECK_INT(loop_new(&rig->loop, NULL), STATUS_OK);
    CHECK_INT(addr_parse(STR("127.0.0.1:0"), &lc.addr, NULL), STATUS_OK);
    CHECK_INT(listener_open(&lc, &listen.listener, NULL), STATUS_OK);
    struct http_server_config config = {
        .loop = rig->loop, .listens = &listen, .listen_count = 1, .app = rig, .handler = handler};
    http_limits_default(&config.limits);
    CHECK_INT(http_server_new(&config, &rig->server, NULL), STATUS_OK);
    const struct addr *at = http_server_addr(rig->server, 0);
    rig->client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(rig->client, (const struct sockaddr *)&at->ss, at->len) == 0);
    for (int i = 0; i < 1000 && !rig->server->conns; i++)
        rounds(rig, 1);
    CHECK(rig->server->conns);
}

static void on_stopped(void *arg)
{
    ((struct rig *)arg)->stopped = true;
}

static void rig_close(struct rig *rig)
{
    http_server_stop(rig->server, 0, on_stopped, rig);
    for (int i = 0; i < 100 && !rig->stopped; i++)
        rounds(rig, 1);
    CHECK(rig->stopped && http_server_stopped(rig->server));
    http_server_free(rig->server);
    loop_free(rig->loop);
    if (rig->client >= 0)
        (void)close(rig->client);
}

static void send_text(struct rig *rig, const char *text)
{
    struct pollfd there = {.fd = rig->server->conns->stream.fd, .events = POLLIN};
    CHECK(send(rig->client, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
    CHECK_INT(poll(&there, 1, 10000), 1); /* a busy machine brings it later */
    rounds(rig, 3);
}

static str receive(struct rig *rig)
{
    static char text[4096];
    ssize_t n = recv(rig->client, text, sizeof(text), MSG_DONTWAIT);
    return n > 0 ? str_make(text, (size_t)n) : STR("");
}

TEST(answers_and_goes_idle)
{
    struct rig rig;
    rig_open(&rig);
    for (int i = 0; i < 3; i++) {
        send_text(&rig, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(str_ends(receive(&rig), STR("\r\n\r\n/x\n")));
        CHECK(rig.server->conns && !rig.server->conns->work); /* no buffers while idle */
        CHECK_INT(sm_state(&rig.server->conns->sm), H1_IDLE);
    }
    CHECK_INT(rig.server->spare_count, 1);
    rig_close(&rig);
}

/* The answer made later, by the loop's own thread outside of the handler. */
TEST(late_answer)
{
    struct rig rig;
    rig_open(&rig);
    send_text(&rig, "GET /held HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(rig.held && !receive(&rig).n);
    http_exchange_fail(rig.held, 200, STR("late"));
    rounds(&rig, 2);
    str got = receive(&rig);
    CHECK(str_find(got, STR("late\n")) != STR_NPOS && str_ends(got, STR("/next\n")));
    rig_close(&rig);
}

/* Only a request whose first byte epoll reported may share what was looked up in that round. */
TEST(round_of_a_request)
{
    struct rig rig;
    rig_open(&rig);
    send_text(&rig, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(rig.rounds[0] && rig.rounds[0] == rig.now);
    send_text(&rig, "GET /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(rig.rounds[1] && rig.rounds[1] == rig.now);
    CHECK(!rig.rounds[0]); /* sent ahead: when it came is not known */
    send_text(&rig, "GET /d HTTP/1.1\r\nHo");
    uint64_t began = loop_round(rig.loop);
    send_text(&rig, "st: h\r\n\r\n");
    CHECK(rig.rounds[0] && rig.rounds[0] <= began && rig.now > began); /* an old round: nothing is shared */
    send_text(&rig, "\r\nGET /e HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(!rig.rounds[0]);
    rig_close(&rig);
}

TEST(client_gone_then_answer)
{
    struct rig rig;
    struct http_stats stats;
    rig_open(&rig);
    send_text(&rig, "GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    const atomic_bool *gone = http_exchange_gone(rig.held);
    CHECK(!atomic_load(gone));
    (void)close(rig.client);
    rig.client = -1;
    rounds(&rig, 3);
    CHECK(atomic_load(gone));
    CHECK_INT(rig.gone_calls, 1);
    http_server_stats(rig.server, &stats);
    CHECK_INT(stats.connections, 1); /* waits for the answer */
    http_exchange_fail(rig.held, 200, STR("nobody hears this"));
    rounds(&rig, 2);
    http_server_stats(rig.server, &stats);
    CHECK_INT(stats.connections, 0);
    CHECK_INT(stats.gone, 1);
    rig_close(&rig);
}

TEST(stop_waits_for_the_exchange)
{
    struct rig rig;
    rig_open(&rig);
    send_text(&rig, "GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    http_server_stop(rig.server, 60000, on_stopped, &rig);
    rounds(&rig, 3);
    CHECK(!rig.stopped);
    http_exchange_fail(rig.held, 200, STR("done"));
    rounds(&rig, 2);
    CHECK(str_find(receive(&rig), STR("connection: close\r\n")) != STR_NPOS);
    (void)close(rig.client);
    rig.client = -1;
    rig_close(&rig);
}

TEST(second_answer_is_a_bug)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct rig rig;
        (void)close(2);
        rig_open(&rig);
        send_text(&rig, "GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
        http_exchange_fail(rig.held, 200, STR("one"));
        http_exchange_fail(rig.held, 200, STR("two"));
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

/* What 10,000 idle connections cost beyond the kernel. */
TEST(idle_connection_is_small)
{
    CHECK(sizeof(struct h1_conn) <= 400);
}

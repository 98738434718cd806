/* SPDX-License-Identifier: Apache-2.0 */
/* The predecessor against a successor played by a shell, or by the same test in a child; the states as tables. */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "rt/takeover.h"
#include "test.h"

TEST(takeover_states_fit_together)
{
    const char *why = "";
    unsigned state = 0;
    CHECK(sm_table_ok(takeover_states, TAKEOVER_STATES, &why, &state));
    CHECK(sm_table_ok(arrival_states, ARRIVAL_STATES, &why, &state));
}

/* Each edge of the table may be gone, each other one ends the process. */
static void walk(const struct sm_state *states, unsigned count)
{
    for (unsigned from = 0; from < count; from++)
        for (unsigned to = 0; to < count; to++) {
            struct sm sm;
            sm_init(&sm, "walk", states, count, 0);
            sm.state = (uint8_t)from;
            bool may = (states[from].allowed & SM_TO(to)) != 0;
            CHECK_INT(sm_may(&sm, to), may);
            if (may) {
                sm_move(&sm, to);
                CHECK_INT(sm_state(&sm), to);
                continue;
            }
            pid_t pid = fork();
            if (pid == 0) {
                if (!freopen("/dev/null", "w", stderr))
                    _exit(1);
                sm_move(&sm, to);
                _exit(0);
            }
            int how = 0;
            CHECK(waitpid(pid, &how, 0) == pid);
            CHECK(!WIFEXITED(how) || WEXITSTATUS(how) != 0);
        }
}

TEST(takeover_states_allow_what_the_table_says_and_nothing_else)
{
    walk(takeover_states, TAKEOVER_STATES);
    walk(arrival_states, ARRIVAL_STATES);
}

struct seen {
    struct loop *loop;
    struct takeover *takeover;
    char why[400];
    bool failed, was_ready, stopped, left;
    int ready_pid;
};

static void on_ready(void *arg, int pid)
{
    struct seen *s = arg;
    s->ready_pid = pid;
}

static void on_failed(void *arg, const char *why, bool was_ready, bool stopped)
{
    struct seen *s = arg;
    CHECK(!s->failed && !s->left);
    s->failed = true;
    s->was_ready = was_ready;
    s->stopped = stopped;
    snprintf(s->why, sizeof s->why, "%s", why);
}

static void on_left(void *arg)
{
    struct seen *s = arg;
    CHECK(!s->failed && !s->left);
    s->left = true;
}

/* Starts `sh -c script` as the successor. */
static void begin(struct seen *s, const char *script, uint32_t ready_ms, int listening)
{
    struct err err = ERR_INIT;
    char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, NULL};
    const struct takeover_socket sockets[] = {{listening, STR("here")}};
    const struct takeover_config c = {.loop = s->loop,
                                      .program = "/bin/sh",
                                      .argv = argv,
                                      .sockets = sockets,
                                      .socket_count = 1,
                                      .state = STR("state"),
                                      .ready_ms = ready_ms,
                                      .arg = s,
                                      .ready = on_ready,
                                      .failed = on_failed,
                                      .left = on_left};
    CHECK_INT(takeover_new(&c, &s->takeover, &err), STATUS_OK);
}

static void run_until_failed(struct seen *s)
{
    struct err err = ERR_INIT;
    while (!s->failed)
        CHECK_INT(loop_run_once(s->loop, 1000, &err), STATUS_OK);
    CHECK_INT(takeover_state(s->takeover), TAKEOVER_FAILED);
    takeover_free(s->takeover);
    loop_free(s->loop);
}

static struct seen make(void)
{
    struct seen s = {0};
    struct err err = ERR_INIT;
    CHECK_INT(loop_new(&s.loop, &err), STATUS_OK);
    return s;
}

static int listening_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    return fd;
}

TEST(a_successor_that_ends_is_told_with_its_status)
{
    struct seen s = make();
    int fd = listening_socket();
    begin(&s, "exit 7", 20000, fd);
    run_until_failed(&s);
    CHECK(!s.was_ready && strstr(s.why, "exited with 7") != NULL);
    close(fd);
}

TEST(a_successor_that_says_nothing_is_killed_in_time)
{
    struct seen s = make();
    int fd = listening_socket();
    begin(&s, "exec sleep 1000", 50, fd);
    run_until_failed(&s);
    CHECK(!s.was_ready && strstr(s.why, "not ready within") != NULL);
    close(fd);
}

TEST(a_successor_that_talks_nonsense_is_refused)
{
    struct seen s = make();
    int fd = listening_socket();
    begin(&s, "echo nonsense >&3; exec sleep 1000", 20000, fd);
    run_until_failed(&s);
    CHECK(!s.was_ready && strstr(s.why, "no message") != NULL);
    close(fd);
}

TEST(a_successor_that_says_too_much_is_refused)
{
    for (int more = 0; more <= 1; more++) {
        struct seen s = make();
        int fd = listening_socket();
        char script[100];
        snprintf(script, sizeof script, "head -c %d /dev/zero | dd bs=10000 iflag=fullblock >&3 2>&-; exec sleep 1000",
                 LIMIT_TAKEOVER_WORD + more);
        begin(&s, script, 20000, fd);
        run_until_failed(&s);
        CHECK(strstr(s.why, more ? "too long" : "no message") != NULL);
        close(fd);
    }
}

TEST(a_program_that_is_not_there_is_told_at_once)
{
    struct seen s = make();
    struct err err = ERR_INIT;
    int fd = listening_socket();
    char *const argv[] = {(char *)(uintptr_t) "x", NULL};
    const struct takeover_socket sockets[] = {{fd, STR("")}};
    struct takeover_config c = {.loop = s.loop,
                                .program = "/no/such/program",
                                .argv = argv,
                                .sockets = sockets,
                                .socket_count = 1,
                                .ready_ms = 1000,
                                .arg = &s,
                                .ready = on_ready,
                                .failed = on_failed,
                                .left = on_left};
    CHECK_INT(takeover_new(&c, &s.takeover, &err), STATUS_NOT_FOUND);
    c.socket_count = 0;
    CHECK_INT(takeover_new(&c, &s.takeover, &err), STATUS_INVALID);
    CHECK(!s.failed);
    loop_free(s.loop);
    close(fd);
}

TEST(nobody_is_expected_without_a_predecessor)
{
    unsetenv("VITRINE_TAKEOVER_FD");
    CHECK(!takeover_expected());
    setenv("VITRINE_TAKEOVER_FD", "3", 1);
    CHECK(takeover_expected());
    CHECK(!takeover_expected()); /* once */
    setenv("VITRINE_TAKEOVER_FD", "17", 1);
    CHECK(!takeover_expected());
    CHECK(takeover_alone(NULL));
}

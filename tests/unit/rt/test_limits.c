/* SPDX-License-Identifier: Apache-2.0 */
/* The walls of rt/: what is at the limit passes, one more is refused. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "rt/fault.h"
#include "rt/notify.h"
#include "rt/pool.h"
#include "rt/proc.h"
#include "rt/takeover.h"
#include "rt/watch.h"
#include "test.h"

static enum status make_pool(unsigned threads, unsigned queue, size_t lanes)
{
    struct pool_lane lane[LIMIT_POOL_LANES + 1];
    struct pool *pool = NULL;
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(lane); i++)
        lane[i] = (struct pool_lane){"w", threads, queue, 0, 0, 0};
    enum status st = pool_new(&(struct pool_config){.lanes = lane, .lane_count = lanes}, &pool, &err);
    pool_free(pool);
    return st;
}

TEST(pools)
{
    CHECK_INT(make_pool(1, 1, LIMIT_POOL_LANES), STATUS_OK);
    CHECK_INT(make_pool(1, 1, LIMIT_POOL_LANES + 1), STATUS_INVALID);
    CHECK_INT(make_pool(LIMIT_POOL_THREADS + 1, 1, 1), STATUS_INVALID);
    CHECK_INT(make_pool(1, LIMIT_POOL_QUEUE, 1), STATUS_OK);
    CHECK_INT(make_pool(1, LIMIT_POOL_QUEUE + 1, 1), STATUS_INVALID);
}

TEST(fault_plans)
{
    struct buf plan;
    struct err err = ERR_INIT;
    char text[64];
    buf_init(&plan, 64u << 20);
    for (int i = 0; i < LIMIT_FAULTS; i++)
        buf_printf(&plan, "%sp%d:1", i ? "," : "", i);
    CHECK_INT(fault_plan(buf_str(&plan), &err), STATUS_OK);
    buf_puts(&plan, STR(",more:1"));
    CHECK_INT(fault_plan(buf_str(&plan), &err), STATUS_INVALID);
    buf_release(&plan);
    snprintf(text, sizeof text, "p:1:sleep:%d", LIMIT_FAULT_SLEEP_MS);
    CHECK_INT(fault_plan(str_of(text), &err), STATUS_OK);
    snprintf(text, sizeof text, "p:1:sleep:%d", LIMIT_FAULT_SLEEP_MS + 1);
    CHECK_INT(fault_plan(str_of(text), &err), STATUS_INVALID);
}

TEST(descriptors_of_a_child)
{
    struct loop *loop;
    struct proc *p = NULL;
    struct err err = ERR_INIT;
    struct proc_fd fds[LIMIT_PROC_FDS + 1];
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};
    for (int i = 0; i <= LIMIT_PROC_FDS; i++)
        fds[i] = (struct proc_fd){2, 100 + i};
    CHECK_INT(loop_new(&loop, &err), STATUS_OK);
    struct proc_config c = {.path = "true", .argv = argv, .fds = fds, .fd_count = LIMIT_PROC_FDS + 1};
    CHECK_INT(proc_spawn(loop, &c, NULL, NULL, &p, &err), STATUS_INVALID);
    CHECK(strstr(err.text, "33 descriptors") != NULL);
    loop_free(loop);
}

TEST(state_that_goes_over)
{
    struct loop *loop;
    struct takeover *t = NULL;
    struct err err = ERR_INIT;
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};
    char *state = calloc(1, LIMIT_TAKEOVER_STATE + 1);
    const struct takeover_socket sockets[] = {{0, STR("")}};
    CHECK_INT(loop_new(&loop, &err), STATUS_OK);
    struct takeover_config c = {.loop = loop,
                                .program = "true",
                                .argv = argv,
                                .sockets = sockets,
                                .socket_count = 1,
                                .state = str_make(state, LIMIT_TAKEOVER_STATE + 1),
                                .ready_ms = 1000};
    CHECK_INT(takeover_new(&c, &t, &err), STATUS_INVALID);
    loop_free(loop);
    free(state);
}

TEST(names_of_sockets)
{
    for (int n = LIMIT_NOTIFY_NAMES - 1; n <= LIMIT_NOTIFY_NAMES + 100; n += 101) {
        char names[LIMIT_NOTIFY_NAMES + 101], pid[32];
        memset(names, 'n', sizeof names);
        memcpy(names, "first:", 6);
        names[n] = '\0';
        snprintf(pid, sizeof pid, "%d", (int)getpid());
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", "2", 1);
        setenv("LISTEN_FDNAMES", names, 1);
        CHECK(dup2(2, 3) == 3 && dup2(2, 4) == 4);
        CHECK_INT(notify_listen_fds(), 2);
        CHECK_STR(str_of(notify_listen_name(0)), "first");
        CHECK_INT(strlen(notify_listen_name(1)), LIMIT_NOTIFY_NAMES - 1 - 6);
        close(3);
        close(4);
    }
}

#if defined(VITRINE_FAULTS) && VITRINE_FAULTS
static void not_called(void *arg, unsigned id)
{
    (void)arg;
    (void)id;
}

TEST(number_of_watched_folders)
{
    setenv("VITRINE_LIMITS", "WATCH_FOLDERS=3", 1);
    char folder[] = "/tmp/vitrine-limits-XXXXXX", path[600];
    struct loop *loop;
    struct watch *w;
    struct err err = ERR_INIT;
    CHECK(mkdtemp(folder) != NULL);
    CHECK_INT(loop_new(&loop, &err), STATUS_OK);
    CHECK_INT(watch_new(loop, 20, not_called, NULL, &w, &err), STATUS_OK);
    CHECK_INT(LIMIT_WATCH_FOLDERS, 3);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        CHECK(mkdir(path, 0700) == 0);
    }
    CHECK_INT(watch_add(w, str_of(folder), WATCH_TREE, NULL, &err), STATUS_TOO_LARGE); /* with itself four */
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        CHECK(rmdir(path) == 0);
    }
    CHECK(strstr(err.text, "more than 3 folders") != NULL);
    watch_free(w);
    loop_free(loop);
    CHECK(rmdir(folder) == 0);
}
#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "rt/fault.h"
#include "test.h"

static void plan(const char *text)
{
    struct err err = ERR_INIT;
    CHECK_INT(fault_plan(str_of(text), &err), STATUS_OK);
}

TEST(the_nth_hit_fails_and_only_that)
{
    plan("one:2,two:2+");
    CHECK(!fault_hit("one") && fault_hit("one") && !fault_hit("one"));
    CHECK(!fault_hit("two") && fault_hit("two") && fault_hit("two"));
    CHECK(!fault_hit("three"));
    plan("");
    CHECK(!fault_hit("two"));
}

TEST(sleeping_goes_on_afterwards)
{
    plan("s:1:sleep:30");
    int64_t begin = clock_mono_us();
    CHECK(!fault_hit("s"));
    CHECK(clock_mono_us() - begin >= 30000);
}

TEST(kill_is_sudden)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        plan("k:1:kill");
        (void)fault_hit("k");
        _exit(0);
    }
    int wait_status;
    CHECK(waitpid(pid, &wait_status, 0) == pid);
    CHECK(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL);
}

TEST(a_wrong_plan_is_refused_and_the_old_one_stays)
{
    plan("kept:1+");
    static const char *const wrong[] = {"x",        "x:",        "x:0",          "x:no",    ":1",
                                        "x:1:boom", "x:1:sleep", "x:1:sleep:1h", "a:1,,b:1"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct err err = ERR_INIT;
        CHECK_INT(fault_plan(str_of(wrong[i]), &err), STATUS_INVALID);
        CHECK(err.text[0] != '\0');
    }
    CHECK(fault_hit("kept"));
}

TEST(a_plan_in_a_file_is_read_at_each_hit)
{
    char path[] = "/tmp/vitrine-fault-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        char at[sizeof path + 1] = "@";
        memcpy(at + 1, path, sizeof path);
        setenv("VITRINE_FAULT", at, 1);
        bool none = fault_hit("f"); /* an empty file: no plan */
        if (none || write(fd, "f:1", 3) != 3)
            _exit(1);
        bool fails = fault_hit("f"), again = fault_hit("f");
        if (!fails || again || ftruncate(fd, 0) != 0 || pwrite(fd, "f:1:kill", 8, 0) != 8)
            _exit(2);
        (void)fault_hit("f");
        _exit(3);
    }
    int wait_status;
    CHECK(waitpid(pid, &wait_status, 0) == pid);
    CHECK(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL);
    CHECK(access(path, F_OK) != 0); /* who is started next goes on */
    close(fd);
}

static bool here(void)
{
    return FAULT("test.here");
}

static void find(void *arg, const char *name)
{
    if (strcmp(name, "test.here") == 0)
        ++*(int *)arg;
}

TEST(points_are_listed_and_cost_nothing_when_left_out)
{
    int found = 0;
    fault_list(find, &found);
    CHECK_INT(found, fault_compiled_in() ? 1 : 0);
    plan("test.here:1");
    CHECK(here() == fault_compiled_in());
    CHECK(!here());
}

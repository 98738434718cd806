/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/proc_run.h"
#include "test.h"

static enum status run(const char *script, int64_t timeout_ms, struct buf *out, struct err *err)
{
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, NULL};
    return proc_run(&(struct proc_config){.path = "/bin/sh", .argv = argv, .new_group = true, .end_group = true},
                    timeout_ms, out, err);
}

TEST(proc_run_gives_what_was_written)
{
    struct err err = ERR_INIT;
    struct buf out;
    buf_init(&out, 64);
    CHECK_INT(run("echo one; echo two >&2", 0, &out, &err), STATUS_OK);
    CHECK_STR(buf_str(&out), "one\ntwo\n");
    buf_clear(&out);
    CHECK_INT(run("echo; seq 1 1000", 0, &out, &err), STATUS_OK);
    CHECK(str_ends(buf_str(&out), STR("999\n1000\n"))); /* the end is kept */
    CHECK(!out.over);
    buf_release(&out);
}

TEST(proc_run_tells_how_it_ended)
{
    struct err err = ERR_INIT;
    CHECK_INT(run("exit 3", 0, NULL, &err), STATUS_IO);
    CHECK_STR(str_of(err.text), "/bin/sh exited with 3");
    CHECK_INT(run("kill -9 $$", 0, NULL, &err), STATUS_IO);
    CHECK(str_starts(str_of(err.text), STR("/bin/sh killed by SIGKILL")));
    char *argv[] = {(char *)(uintptr_t) "x", NULL};
    CHECK_INT(proc_run(&(struct proc_config){.path = "/no/such", .argv = argv}, 0, NULL, &err), STATUS_NOT_FOUND);
}

TEST(proc_run_ends_what_takes_too_long)
{
    struct err err = ERR_INIT;
    struct buf out;
    buf_init(&out, 64);
    CHECK_INT(run("echo begun; sleep 100 & wait", 50, &out, &err), STATUS_TIMEOUT);
    buf_release(&out);
}

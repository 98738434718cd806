/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/wait.h>
#include <unistd.h>

#include "rt/cgroup.h"
#include "test.h"

TEST(our_group_is_found_in_what_the_kernel_says)
{
    static const char first[] = "12:pids:/p\n9:cpu,cpuacct:/a/b\n4:memory:/\n1:name=systemd:/x\n0::/unified\n";
    static const char *const cases[][3] = {
        {first, "cpu", "/a/b"},
        {first, "cpuacct", "/a/b"},
        {first, "pids", "/p"},
        {first, "memory", ""},
        {first, "", "/unified"},
        {first, "blkio", NULL},
        {"0::/\n", "", ""},
        {"0::/../other\n", "", NULL}, /* of another namespace */
        {"0::/..\n", "", NULL},
        {"", "", NULL},
        {"0::", "", NULL},
        {"1:name=systemd:/x\n", "", NULL},
        {"0::/a.slice/b c", "", "/a.slice/b c"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str found = STR("none");
        bool there = cgroup_path(str_of(cases[i][0]), cases[i][1], &found);
        CHECK(there == (cases[i][2] != NULL));
        CHECK_STR(found, there ? cases[i][2] : "none");
    }
}

TEST(no_group_is_nothing_to_remove)
{
    struct cgroup g = CGROUP_NONE;
    bool inside = false;
    pid_t pid = cgroup_clone(&g, 0, &inside);
    if (pid == 0)
        _exit(inside ? 0 : 1);
    int status = -1;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
    CHECK(cgroup_end(&g) == CGROUP_FINE);
    cgroup_remove(&g);
}

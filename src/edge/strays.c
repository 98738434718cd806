/* SPDX-License-Identifier: Apache-2.0 */
/* strays — processes that an edge started and was killed before they served. Those the state file lists, because their
 * version was coming or going, are ended by id and start time. The others it did not know yet: each app finds in its
 * environment which edge started it as what (VITRINE_INSTANCE, the first variable); after a start that is no upgrade,
 * leaders of a process group that carry our mark and are nobody we know are ended. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "edge/edge_impl.h"

#define MARK "VITRINE_INSTANCE="

/* The folder by its number: however it was named. */
str strays_mark(struct edge *e, struct arena *a, const char *instance)
{
    struct stat st = {0};
    (void)stat(edge_path(e, a, "", "."), &st);
    return arena_printf(a, MARK "%llx.%llx/%s", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, instance);
}

static bool is_known(struct edge *e, pid_t pid)
{
    size_t pos = 0;
    void *item;
    while (map_next(e->lives, &pos, NULL, &item))
        for (const struct unit *u = ((struct life *)item)->units; u; u = u->next)
            if (u->proc && proc_pid(u->proc) == pid)
                return true;
    return false;
}

static bool has_mark(pid_t pid, str mark)
{
    char path[48], text[512];
    (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (fd >= 0)
        close(fd);
    return n > 0 && str_starts(str_make(text, (size_t)n), mark);
}

void strays_end(struct edge *e)
{
    struct arena *a = arena_new(0);
    str mark = strays_mark(e, a, "");
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        int64_t pid = 0;
        if (!str_to_i64(str_of(entry->d_name), &pid) || pid < 2 || getpgid((pid_t)pid) != (pid_t)pid ||
            !has_mark((pid_t)pid, mark) || is_known(e, (pid_t)pid))
            continue;
        log_line(LOG_INFO, "edge", "process %lld of an unfinished change is ended", (long long)pid);
        (void)kill(-(pid_t)pid, SIGTERM);
    }
    if (dir)
        (void)closedir(dir);
    arena_free(a);
}

static void on_listed_end(void *arg, int wait_status)
{
    (void)arg;
    (void)wait_status;
}

void strays_end_listed(struct edge *e, struct value list)
{
    for (size_t i = 0; i < value_count(list); i++) {
        struct value pid = VALUE_GET(value_at(list, i), "pid"), ticks = VALUE_GET(value_at(list, i), "start_ticks");
        struct proc *p;
        if (pid.kind != VALUE_INT || ticks.kind != VALUE_INT || pid.i < 2 ||
            proc_adopt(e->loop, (pid_t)pid.i, (uint64_t)ticks.i, on_listed_end, NULL, &p, NULL) != STATUS_OK)
            continue;
        log_line(LOG_INFO, "edge", "process %lld of an unfinished deploy is ended", (long long)pid.i);
        proc_kill_group(p, SIGTERM);
        proc_disown(p);
    }
}

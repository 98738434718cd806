/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_own — when the program is the file that we are, nothing has to be started: the child goes on in it. The start
 * of a program with its libraries is a third of what a wake of a space takes, and most of it would be a second time
 * what the parent has just done.
 *
 * What execve would have made anew is made anew here:
 *  - the number of the thread, which the C library keeps and locks that may be taken twice compare. It is written by
 * the C library's own fork, which knows no namespaces; its place is what the kernel is to clear when the thread ends;
 *  - the command line, which others read: the program's own instead of ours;
 *  - the environment: the program gets the short list, and ours, which lies on the stack, is wiped;
 *  - descriptors are closed instead of being closed at the start.
 * Random numbers are not repeated: who keeps a seed (OpenSSL, SQLite) looks at the process number, which is another.
 * The layout of memory is the parent's, which is another in each sandbox.
 *
 * A process that became somebody else is not dumpable until it starts a program. So it stays: nobody of the same user
 * may look into it. */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "rt/proc.h"
#include "rt/sandbox_impl.h"

#include "base/banned.h"

#if defined(__SANITIZE_THREAD__)
#define OTHERS_KEEP_IT true /* ThreadSanitizer has a thread of its own, which no clone of ours brings along */
#elif defined(__has_feature)
#define OTHERS_KEEP_IT __has_feature(thread_sanitizer)
#else
#define OTHERS_KEEP_IT false
#endif

#define FIRST_FIELD 48 /* of proc(5)'s stat: arg_start, arg_end, env_start, env_end */

bool sandbox_own_find(struct sandbox_own *ret)
{
    uint64_t places[4];
    pid_t *tid = NULL;
    bool found = !OTHERS_KEEP_IT && proc_stat_numbers(getpid(), FIRST_FIELD, places, ARRAY_LEN(places)) && places[0] &&
                 places[0] <= places[1] && places[2] && places[2] <= places[3];
    /* Without CONFIG_CHECKPOINT_RESTORE the kernel does not say. */
    found = found && prctl(PR_GET_TID_ADDRESS, &tid, 0, 0, 0) == 0 && tid && *tid == (pid_t)syscall(SYS_gettid);
    if (found)
        *ret = (struct sandbox_own){.tid = tid,
                                    .args = str_make((char *)(uintptr_t)places[0], places[1] - places[0]),
                                    .env = str_make((char *)(uintptr_t)places[2], places[3] - places[2])};
    return found;
}

static void wipe(str s)
{
    explicit_bzero((char *)(uintptr_t)s.p, s.n);
}

/* The strings of `argv` may lie in what is written over. */
static char **copy(char *const *argv, int argc)
{
    char **own = mem_array((size_t)argc + 1, sizeof *own);
    for (int i = 0; i < argc; i++)
        own[i] = mem_cstr(str_of(argv[i]));
    own[argc] = NULL;
    return own;
}

static void write_command_line(str place, char **argv)
{
    char *at = (char *)(uintptr_t)place.p;
    size_t left = place.n;
    wipe(place);
    for (; *argv && strlen(*argv) < left; argv++) {
        size_t n = strlen(*argv) + 1;
        memcpy(at, *argv, n);
        at += n;
        left -= n;
    }
}

NORETURN void sandbox_own_start(const struct sandbox_own *o, const struct sandbox_config *c, char **env)
{
    int argc = 0;
    while (c->argv[argc])
        argc++;
    *o->tid = (pid_t)syscall(SYS_set_tid_address, o->tid);
    char **argv = copy(c->argv, argc);
    write_command_line(o->args, argv);
    wipe(o->env);
    environ = env;
    int status = c->own(argc, argv);
    (void)fflush(NULL);
    _exit(status);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_filters — a program of the build: which system calls a program in the sandbox may make, as filters for the
 * kernel. They are the same for every start, and libseccomp takes 1.5 ms to compute one: so they are computed here,
 * once, and sandbox_calls.c has them as tables.
 *
 *   sandbox-filters FILE.h      writes the four filters: with a network or not, with children or not
 *
 * The list says what is allowed; it was found by running the site's tests under it (tests/sandbox). Three answers to
 * the others:
 *
 *   - EPERM for what an honest program or a library may try and can live without (symlink among them: what
 *     reads a space's folder from outside, a backup say, must not be led away);
 *   - the end of the process (SIGSYS) for what nobody calls but who looks for a way out: it gets no second try, and the
 *     edge's log says what happened;
 *   - ENOSYS for clone3, whose flags lie in memory where no filter can look: the C library then calls clone, whose
 *     flags are in a register.
 *
 * execve asks a listener (sandbox_calls.c). Numbers of system calls are those of the machine that builds: of the same
 * kind as the one that the program is for. */
#include <asm/termbits.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define API_LEVEL    6 /* of libseccomp: what the kernel of the build machine can do does not matter */

/* By name: not every machine has them all, and a name that libseccomp does not know is passed over. */
static const char *const allowed[] = {
    /* files */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "close",
    "close_range",
    "lseek",
    "_llseek",
    "open",
    "openat",
    "openat2",
    "creat",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "stat64",
    "fstat64",
    "lstat64",
    "fstatat64",
    "statx",
    "statfs",
    "fstatfs",
    "statfs64",
    "fstatfs64",
    "access",
    "faccessat",
    "faccessat2",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "fcntl64",
    "flock",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "truncate",
    "ftruncate",
    "truncate64",
    "ftruncate64",
    "fallocate",
    "fadvise64",
    "readahead",
    "getdents",
    "getdents64",
    "getcwd",
    "chdir",
    "fchdir",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "rmdir",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "readlink",
    "readlinkat",
    "fchmod",
    "fchmodat",
    "chmod",
    "umask",
    "utimensat",
    "utimes",
    "futimesat",
    "sendfile",
    "sendfile64",
    "copy_file_range",
    "splice",
    "tee",
    "memfd_create",
    "pipe",
    "pipe2",
    "getxattr",
    "lgetxattr",
    "fgetxattr",
    "listxattr",
    "llistxattr",
    "flistxattr",
    /* memory */
    "brk",
    "mmap",
    "mmap2",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "msync",
    "mincore",
    "mlock",
    "munlock",
    "membarrier",
    /* threads and time */
    "futex",
    "futex_time64",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "arch_prctl",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "getpriority",
    "setpriority",
    "gettid",
    "getcpu",
    "exit",
    "exit_group",
    "nanosleep",
    "clock_nanosleep",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "times",
    "getrusage",
    "restart_syscall",
    "timer_create",
    "timer_settime",
    "timer_delete",
    "timer_gettime",
    "setitimer",
    "getitimer",
    "alarm",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    /* signals; kill reaches nobody else, for there is nobody else in the namespace */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigsuspend",
    "sigaltstack",
    "tgkill",
    "kill",
    "signalfd",
    "signalfd4",
    "pause",
    "pidfd_open",
    "pidfd_send_signal",
    /* waiting */
    "poll",
    "ppoll",
    "select",
    "_newselect",
    "pselect6",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd",
    "eventfd2",
    "inotify_init",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    /* sockets: which families, see below */
    "bind",
    "listen",
    "accept",
    "accept4",
    "connect",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "send",
    "sendto",
    "sendmsg",
    "sendmmsg",
    "recv",
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "shutdown",
    /* who and where */
    "getpid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getgroups",
    "getresuid",
    "getresgid",
    "getpgrp",
    "getpgid",
    "getsid",
    "uname",
    "sysinfo",
    "getrlimit",
    "ugetrlimit",
    "getrandom",
    "wait4",
    "waitid",
    "capget",
};

static const char *const deadly[] = {
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "kcmp",
    "mount",
    "umount2",
    "umount",
    "pivot_root",
    "chroot",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "unshare",
    "setns",
    "bpf",
    "perf_event_open",
    "add_key",
    "request_key",
    "keyctl",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "settimeofday",
    "clock_settime",
    "stime",
    "adjtimex",
    "clock_adjtime",
    "iopl",
    "ioperm",
    "modify_ldt",
    "lookup_dcookie",
    "quotactl",
    "quotactl_fd",
    "syslog",
    "vhangup",
    "nfsservctl",
    "open_by_handle_at",
    "name_to_handle_at",
    "fanotify_init",
    "fanotify_mark",
    "mknod",
    "mknodat",
    "shmget",
    "shmat",
    "shmctl",
    "msgget",
    "msgsnd",
    "msgrcv",
    "semget",
    "semop",
    "mq_open",
    "uselib",
    "vm86",
    "vm86old",
    "move_pages",
    "migrate_pages",
    "mbind",
    "set_mempolicy",
    "seccomp",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "capset",
    "sethostname",
    "setdomainname",
    "memfd_secret",
};

/* ioctl(2): what a server does with sockets, pipes and files. TIOCSTI, TIOCLINUX and all devices are not here. */
static const unsigned long ioctls[] = {FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, TCGETS, TIOCGWINSZ};
/* socket(2) families; the first alone without a network. */
static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
/* prctl(2): names of threads, and what libraries ask. */
static const int prctls[] = {15 /* PR_SET_NAME */, 16 /* PR_GET_NAME */, 3 /* PR_GET_DUMPABLE */,
                             39 /* PR_GET_NO_NEW_PRIVS */, 0x53564d41 /* PR_SET_VMA: names of memory areas */};

#define NEW_NAMESPACES                                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |       \
     0x80 /* CLONE_NEWTIME */)

static int add_names(scmp_filter_ctx x, uint32_t action, const char *const *names, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number >= 0) /* below: another architecture's */
            rc = seccomp_rule_add(x, action, number, 0);
    }
    return rc;
}

static int add_values(scmp_filter_ctx x, int number, unsigned argument, const uint64_t *values, size_t count)
{
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct scmp_arg_cmp is = {argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, values[i]};
        rc = seccomp_rule_add_array(x, SCMP_ACT_ALLOW, number, 1, &is);
    }
    return rc;
}

static int add_asked(scmp_filter_ctx x, bool network)
{
    uint64_t values[16];
    int rc = 0;
    for (size_t i = 0; i < ARRAY_LEN(ioctls); i++)
        values[i] = ioctls[i];
    rc = add_values(x, SCMP_SYS(ioctl), 1, values, ARRAY_LEN(ioctls));
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        values[i] = (uint64_t)families[i];
    if (rc == 0)
        rc = add_values(x, SCMP_SYS(socket), 0, values, network ? ARRAY_LEN(families) : 1);
    if (rc == 0)
        rc = add_values(x, SCMP_SYS(socketpair), 0, values, 1);
    for (size_t i = 0; i < ARRAY_LEN(prctls); i++)
        values[i] = (uint64_t)prctls[i];
    return rc ? rc : add_values(x, SCMP_SYS(prctl), 0, values, ARRAY_LEN(prctls));
}

/* Reading one's limits; changing them, or another's, no. */
static int add_prlimit(scmp_filter_ctx x)
{
    struct scmp_arg_cmp reads = {2, SCMP_CMP_EQ, 0, 0};
    return seccomp_rule_add_array(x, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, &reads);
}

static int add_starts(scmp_filter_ctx x, bool children)
{
    struct scmp_arg_cmp thread = {0, SCMP_CMP_MASKED_EQ, NEW_NAMESPACES | CLONE_THREAD, CLONE_THREAD};
    struct scmp_arg_cmp any = {0, SCMP_CMP_MASKED_EQ, NEW_NAMESPACES, 0};
    int rc = seccomp_rule_add(x, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (rc == 0)
        rc = seccomp_rule_add_array(x, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, children ? &any : &thread);
    static const char *const more[] = {"execve", "execveat", "fork", "vfork", "setsid", "setpgid"};
    if (rc == 0 && children)
        rc = add_names(x, SCMP_ACT_ALLOW, more, ARRAY_LEN(more));
    return rc ? rc : children ? 0 : seccomp_rule_add(x, SCMP_ACT_NOTIFY, SCMP_SYS(execve), 0);
}

static int fill(scmp_filter_ctx x, bool network, bool children)
{
    int rc = seccomp_attr_set(x, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = add_names(x, SCMP_ACT_ALLOW, allowed, ARRAY_LEN(allowed));
    if (rc == 0)
        rc = add_names(x, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_LEN(deadly));
    if (rc == 0)
        rc = add_asked(x, network);
    if (rc == 0)
        rc = add_prlimit(x);
    if (rc == 0)
        rc = add_starts(x, children);
    /* A tree: each call is looked up in a few steps. */
    return rc ? rc : seccomp_attr_set(x, SCMP_FLTATR_CTL_OPTIMIZE, 2);
}

/* The filter, as an initializer. */
static int put(FILE *out, scmp_filter_ctx x)
{
    struct sock_filter op;
    FILE *binary = tmpfile();
    int rc = binary ? seccomp_export_bpf(x, fileno(binary)) : -errno;
    if (rc == 0 && fseek(binary, 0, SEEK_SET) != 0)
        rc = -errno;
    while (rc == 0 && fread(&op, sizeof op, 1, binary) == 1)
        if (fprintf(out, "    {0x%04x, %u, %u, 0x%08x},\n", op.code, op.jt, op.jf, op.k) < 0)
            rc = -EIO;
    if (binary)
        (void)fclose(binary);
    return rc;
}

static int write_all(FILE *out)
{
    int rc = seccomp_api_set(API_LEVEL);
    for (int kind = 0; kind < 4 && rc == 0; kind++) {
        scmp_filter_ctx x = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        rc = x ? fill(x, kind & 2, kind & 1) : -ENOMEM;
        if (fprintf(out, "static const struct sock_filter filter_%d[] = {\n", kind) < 0)
            rc = -EIO;
        if (rc == 0)
            rc = put(out, x);
        if (fprintf(out, "};\n") < 0)
            rc = -EIO;
        seccomp_release(x);
    }
    return rc;
}

int main(int argc, char **argv)
{
    FILE *out = argc == 2 ? fopen(argv[1], "we") : NULL;
    int rc = out ? write_all(out) : -EINVAL;
    if (out && fclose(out) != 0)
        rc = -EIO;
    if (rc != 0)
        (void)fprintf(stderr, "sandbox-filters: no filters: %s\n", strerror(-rc));
    return rc != 0;
}

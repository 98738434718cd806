/* SPDX-License-Identifier: Apache-2.0 */
/* attacker — what a broken-into space process might try, one attempt a row. A test program, and as attacker.so an
 * SQLite extension, so that the same code runs inside of a real `vitrine serve`: select attack('NAME').
 *
 *   attacker NAME...      prints "NAME WHAT" for each: "got through", or the name of the error that stopped it
 *
 * An attempt that the sandbox answers with the end of the process prints nothing; the test sees the signal. Where
 * things are comes in the environment (ATTACK_...), see test_escape.py, which holds for each row what has to stop it,
 * and runs the harmless ones outside of the sandbox too, where they must get through. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define THROUGH 0
#define MUCH    1000000 /* of what a bomb makes; a limit must come before */

static const char *env(const char *name)
{
    const char *text = getenv(name);
    return text ? text : "";
}

static char *join(const char *a, const char *b)
{
    static char out[4096];
    (void)snprintf(out, sizeof out, "%s%s", a, b);
    return out;
}

static char *space(const char *name)
{
    return join(env("ATTACK_SPACE"), name);
}

static pid_t victim(void)
{
    return (pid_t)strtol(env("ATTACK_PID"), NULL, 10);
}

static char *victims(const char *name)
{
    static char out[256];
    (void)snprintf(out, sizeof out, "/proc/%s%s", env("ATTACK_PID"), name);
    return out;
}

/* What a call that fails with -1 says. */
static int told(long result)
{
    return result < 0 ? errno : THROUGH;
}

static int try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    int error = errno;
    if (fd >= 0)
        close(fd);
    return fd < 0 ? error : THROUGH;
}

static int try_socket(int family, int type, int protocol)
{
    int fd = socket(family, type, protocol);
    int error = errno;
    if (fd >= 0)
        close(fd);
    return fd < 0 ? error : THROUGH;
}

/* ---- files ---- */

static int read_secret(void)
{
    return try_open(env("ATTACK_SECRET"), O_RDONLY);
}
static int read_other_space(void)
{
    return try_open(join(env("ATTACK_OTHER"), "/data/secret"), O_RDONLY);
}
static int read_by_dots(void)
{
    return try_open(space("/data/../../other/data/secret"), O_RDONLY);
}
static int read_passwd(void)
{
    return try_open("/etc/passwd", O_RDONLY);
}
static int read_tls_key(void)
{
    return try_open("/etc/ssl/private", O_RDONLY);
}
static int list_home(void)
{
    return try_open("/root", O_RDONLY | O_DIRECTORY);
}
static int follow_planted_link(void)
{
    return try_open(space("/data/planted"), O_RDONLY);
}
static int follow_planted_folder(void)
{
    return try_open(space("/data/planted-folder/data/secret"), O_RDONLY);
}
static int make_link(void)
{
    return told(symlink(env("ATTACK_SECRET"), space("/data/made")));
}
static int write_space_json(void)
{
    return try_open(space("/space.json"), O_WRONLY);
}
static int remove_space_json(void)
{
    return told(unlink(space("/space.json")));
}
static int add_to_space(void)
{
    return try_open(space("/new.json"), O_WRONLY | O_CREAT);
}
static int write_program(void)
{
    return try_open("/proc/self/exe", O_WRONLY);
}
static int write_library(void)
{
    return try_open("/lib/x86_64-linux-gnu/libc.so.6", O_WRONLY);
}
static int write_root(void)
{
    return told(mkdir("/made", 0700));
}
static int own_by_root(void)
{
    return told(chown(space("/data/own"), 0, 0));
}
static int give_capability(void)
{
    return told(setxattr(space("/data/own"), "security.capability", "\1\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0));
}

static int replace_space_json(void)
{
    char from[4096];
    (void)snprintf(from, sizeof from, "%s", space("/data/own"));
    return told(rename(from, space("/space.json")));
}

/* The folders above are there, for the path is the same; nothing else is in them. */
static int list_spaces(void)
{
    DIR *folder = opendir(space("/.."));
    if (!folder)
        return errno;
    int rc = ENODATA;
    for (struct dirent *e; (e = readdir(folder));)
        if (e->d_name[0] != '.' && strcmp(e->d_name, strrchr(env("ATTACK_SPACE"), '/') + 1) != 0)
            rc = THROUGH;
    closedir(folder);
    return rc;
}

static int link_space_json(void)
{
    char from[4096];
    (void)snprintf(from, sizeof from, "%s", space("/space.json"));
    return told(link(from, space("/data/linked")));
}

static int climb_out(void)
{
    for (int i = 0; i < 64; i++)
        if (chdir("..") != 0)
            return errno;
    return try_open("etc/passwd", O_RDONLY);
}

static int run_from_data(void)
{
    int fd = open(space("/data/own"), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    int error = errno;
    close(fd);
    return p == MAP_FAILED ? error : THROUGH;
}

static int setuid_file(void)
{
    struct stat st;
    if (chmod(space("/data/own"), 04755) != 0)
        return errno;
    if (stat(space("/data/own"), &st) != 0)
        return errno;
    return execl(space("/data/own"), "own", NULL), errno;
}

/* ---- devices, /proc, /sys ---- */

static int open_memory(void)
{
    return try_open("/dev/mem", O_RDWR);
}
static int open_kernel_log(void)
{
    return try_open("/dev/kmsg", O_RDONLY);
}
static int open_disk(void)
{
    return try_open("/dev/vda", O_RDONLY);
}
static int open_kvm(void)
{
    return try_open("/dev/kvm", O_RDWR);
}
static int open_terminal(void)
{
    return try_open("/dev/tty", O_RDWR);
}
static int open_shared_memory(void)
{
    int rc = try_open("/dev/shm/vitrine-attack", O_RDWR | O_CREAT);
    (void)unlink("/dev/shm/vitrine-attack");
    return rc;
}
static int make_device(void)
{
    return told(mknod(space("/data/disk"), S_IFBLK | 0600, 0x800));
}
static int make_pipe(void)
{
    return told(mkfifo(space("/data/pipe"), 0600));
}
static int proc_root_1(void)
{
    return try_open("/proc/1/root/etc/passwd", O_RDONLY);
}
static int proc_root_victim(void)
{
    return try_open(victims("/root/etc/passwd"), O_RDONLY);
}
static int proc_mem_victim(void)
{
    return try_open(victims("/mem"), O_RDWR);
}
static int proc_environ_victim(void)
{
    return try_open(victims("/environ"), O_RDONLY);
}
static int proc_core_pattern(void)
{
    return try_open("/proc/sys/kernel/core_pattern", O_WRONLY);
}
static int proc_sysrq(void)
{
    return try_open("/proc/sysrq-trigger", O_WRONLY);
}
static int proc_kcore(void)
{
    return try_open("/proc/kcore", O_RDONLY);
}
static int proc_kallsyms(void)
{
    return try_open("/proc/kallsyms", O_RDONLY);
}
static int proc_oom(void)
{
    return try_open("/proc/self/oom_score_adj", O_WRONLY);
}
static int proc_uid_map(void)
{
    return try_open("/proc/self/uid_map", O_WRONLY);
}
static int cgroup_agent(void)
{
    return try_open("/sys/fs/cgroup/release_agent", O_WRONLY);
}
static int cgroup_list(void)
{
    return try_open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
}

/* ---- other processes ---- */

static int trace_victim(void)
{
    return told(ptrace(PTRACE_SEIZE, victim(), 0, 0));
}
static int trace_me(void)
{
    return told(ptrace(PTRACE_TRACEME, 0, 0, 0));
}
static int signal_victim(void)
{
    return told(kill(victim(), 0));
}
static int signal_all(void)
{
    return told(kill(-1, 0));
}
static int pidfd_victim(void)
{
    return told(syscall(SYS_pidfd_open, victim(), 0));
}
static int pidfd_take(void)
{
    return told(syscall(SYS_pidfd_getfd, 0, 0, 0));
}
static int limit_victim(void)
{
    struct rlimit l = {0};
    return told(prlimit(victim(), RLIMIT_NOFILE, NULL, &l));
}

static int read_victim(void)
{
    char space_for[8];
    struct iovec local = {space_for, sizeof space_for}, remote = {(void *)(uintptr_t)0x400000, 1};
    return process_vm_readv(victim(), &local, 1, &remote, 1, 0) < 0 && errno != EFAULT ? errno : THROUGH;
}

static int write_victim(void)
{
    char space_for[8] = "";
    struct iovec local = {space_for, 1}, remote = {NULL, 1};
    return process_vm_writev(victim(), &local, 1, &remote, 1, 0) < 0 && errno != EFAULT ? errno : THROUGH;
}

static int sysv_memory(void)
{
    return told(syscall(SYS_shmget, 0x5617, 4096, 01000 | 0600));
}
static int sysv_semaphore(void)
{
    return told(syscall(SYS_semget, 0x5617, 1, 01000 | 0600));
}
static int sysv_queue(void)
{
    return told(syscall(SYS_msgget, 0x5617, 01000 | 0600));
}
static int posix_queue(void)
{
    return told(syscall(SYS_mq_open, "attack", O_CREAT | O_RDWR, 0600, NULL));
}
static int key_add(void)
{
    return told(syscall(SYS_add_key, "user", "attack", "x", 1, KEY_SPEC_USER_KEYRING));
}
static int key_request(void)
{
    return told(syscall(SYS_request_key, "user", "attack", NULL, 0));
}
static int key_control(void)
{
    return told(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0));
}

/* ---- namespaces and mounts ---- */

static int mount_something(void)
{
    return told(mount("none", "/tmp", "tmpfs", 0, NULL));
}
static int mount_proc(void)
{
    return told(mount("none", "/tmp", "proc", 0, NULL));
}
static int unmount_folder(void)
{
    return told(umount2(env("ATTACK_SPACE"), MNT_DETACH));
}
static int new_mount(void)
{
    return told(syscall(SYS_fsopen, "tmpfs", 0));
}
static int clone_mount(void)
{
    return told(syscall(SYS_open_tree, AT_FDCWD, "/", 1));
}
static int change_mount(void)
{
    return told(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, "", 0));
}
static int pivot(void)
{
    return told(syscall(SYS_pivot_root, ".", "."));
}
static int change_root(void)
{
    return told(chroot("/tmp"));
}
static int unshare_user(void)
{
    return told(unshare(CLONE_NEWUSER));
}
static int unshare_mount(void)
{
    return told(unshare(CLONE_NEWNS));
}
static int join_namespace(void)
{
    return told(setns(0, 0));
}
static int clone_user(void)
{
    return told(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}
static int clone_3(void)
{
    return told(syscall(SYS_clone3, NULL, 0));
}
static int host_name(void)
{
    return told(sethostname("attack", 6));
}

static int clone_child(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return told(pid);
}

static int fork_old(void)
{
    long pid = syscall(SYS_fork);
    if (pid == 0)
        _exit(0);
    return told(pid);
}

static int clone_thread_in_namespace(void)
{
    return told(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWNET, 0, 0, 0, 0));
}

static int run_shell(void)
{
    return execl("/bin/sh", "sh", "-c", "exit 0", NULL), errno;
}
static int run_self(void)
{
    return execl("/proc/self/exe", "x", "none", NULL), errno;
}
static int run_at(void)
{
    return told(syscall(SYS_execveat, AT_FDCWD, "/proc/self/exe", NULL, NULL, 0));
}

static int run_memory(void)
{
    char *argv[] = {NULL, NULL};
    int fd = memfd_create("x", 0);
    return fd < 0 ? errno : (fexecve(fd, argv, argv), errno);
}

/* ---- network and sockets ---- */

static int netlink(void)
{
    return try_socket(AF_NETLINK, SOCK_RAW, 0);
}
static int packet(void)
{
    return try_socket(AF_PACKET, SOCK_RAW, 0x0300);
}
static int raw_ip(void)
{
    return try_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static int udp(void)
{
    return try_socket(AF_INET, SOCK_DGRAM, 0);
}
static int tcp6(void)
{
    return try_socket(AF_INET6, SOCK_STREAM, 0);
}
static int vsock(void)
{
    return try_socket(40 /* AF_VSOCK */, SOCK_STREAM, 0);
}
static int kernel_crypto(void)
{
    return try_socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0);
}
static int bluetooth(void)
{
    return try_socket(31, SOCK_RAW, 1);
}

static int connect_tcp(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtol(env("ATTACK_PORT"), NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int rc = told(connect(fd, (struct sockaddr *)&sa, sizeof sa));
    close(fd);
    return rc;
}

/* '@': an abstract name. */
static int connect_unix(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@')
        sa.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int rc = told(connect(fd, (struct sockaddr *)&sa, size));
    close(fd);
    return rc;
}

static int connect_control(void)
{
    return connect_unix(env("ATTACK_CONTROL"));
}
static int connect_other(void)
{
    return connect_unix(join(env("ATTACK_OTHER"), ".sock"));
}
static int connect_abstract(void)
{
    return connect_unix(env("ATTACK_ABSTRACT"));
}
static int connect_docker(void)
{
    return connect_unix("/var/run/docker.sock");
}
static int connect_dbus(void)
{
    return connect_unix("/run/dbus/system_bus_socket");
}

/* A descriptor that we were not meant to have: what was inherited beside standard files, the listening socket and what
 * we opened ourselves. */
static int inherited(void)
{
    for (int fd = 4; fd < 1024; fd++) {
        struct stat st;
        char path[64], name[256] = "";
        if (fstat(fd, &st) != 0)
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, name, sizeof name - 1) < 0 || S_ISDIR(st.st_mode) || strstr(name, "control") ||
            strstr(name, "pidfd") || strstr(name, "seccomp"))
            return THROUGH;
    }
    return EBADF;
}

static int parents_environment(void)
{
    return getenv("ATTACK_SECRET_VARIABLE") ? THROUGH : ENODATA;
}

/* ---- rights and the kernel ---- */

static int become_root(void)
{
    return told(setuid(0));
}
static int become_root_3(void)
{
    return told(setresuid(0, 0, 0));
}
static int join_group(void)
{
    return told(syscall(SYS_setgroups, 0, NULL));
}
static int set_capabilities(void)
{
    return told(syscall(SYS_capset, NULL, NULL));
}
static int push_key(void)
{
    return told(ioctl(0, TIOCSTI, "x"));
}
static int console_call(void)
{
    return told(ioctl(0, TIOCLINUX, "\3"));
}
static int new_personality(void)
{
    return told(personality(READ_IMPLIES_EXEC));
}
static int uring(void)
{
    struct io_uring_params p = {0};
    return told(syscall(SYS_io_uring_setup, 4, &p));
}
static int bpf_program(void)
{
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return told(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr));
}
static int perf(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_CPU_CLOCK};
    return told(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}
static int page_faults(void)
{
    return told(syscall(SYS_userfaultfd, 1));
}
static int load_kernel(void)
{
    return told(syscall(SYS_kexec_load, 0, 0, NULL, 0));
}
static int load_module(void)
{
    return told(syscall(SYS_init_module, NULL, 0, ""));
}
static int restart_machine(void)
{
    return told(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, 0, 0, NULL));
}
static int use_swap(void)
{
    return told(syscall(SYS_swapon, "/nowhere", 0));
}
static int set_time(void)
{
    return told(syscall(SYS_settimeofday, NULL, NULL));
}
static int kernel_messages(void)
{
    return told(syscall(SYS_syslog, 10, NULL, 0));
}
static int file_by_handle(void)
{
    return told(syscall(SYS_open_by_handle_at, 0, NULL, 0));
}
static int watch_all_files(void)
{
    return told(syscall(SYS_fanotify_init, 0, 0));
}
static int own_filter(void)
{
    return told(syscall(SYS_seccomp, 0, 0, NULL));
}
static int real_time(void)
{
    struct sched_param p = {.sched_priority = 1};
    return told(sched_setscheduler(0, SCHED_FIFO, &p));
}
static int raise_limit(void)
{
    struct rlimit l = {1u << 20, 1u << 20};
    return told(setrlimit(RLIMIT_NOFILE, &l));
}
#if defined(__x86_64__)
static int ports(void)
{
    return told(syscall(SYS_iopl, 3));
}
static int segments(void)
{
    return told(syscall(SYS_modify_ldt, 0, NULL, 0));
}
static int call_32(void)
{
    int result = 20; /* getpid */
    __asm__ volatile("int $0x80" : "+a"(result)::"memory");
    return result > 0 ? THROUGH : ENOSYS;
}
static int call_x32(void)
{
    return told(syscall(0x40000000 | SYS_getpid));
}
#endif

/* ---- bombs: each ends at a limit ---- */

static int bomb_memory(void)
{
    for (int i = 0; i < MUCH; i++) {
        char *p = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            return errno;
    }
    return THROUGH;
}

static void *sit(void *arg)
{
    (void)arg;
    pause();
    return NULL;
}

static int bomb_threads(void)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    for (int i = 0; i < 20000; i++) {
        pthread_t t;
        int rc = pthread_create(&t, &attr, sit, NULL);
        if (rc != 0)
            return rc;
    }
    return THROUGH;
}

static int bomb_descriptors(void)
{
    for (int i = 0; i < MUCH; i++)
        if (dup(0) < 0)
            return errno;
    return THROUGH;
}

static int bomb_tmp(void)
{
    static char block[1 << 20];
    int fd = open("/tmp/bomb", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 4096; i++)
        if (write(fd, block, sizeof block) < 0) {
            int error = errno;
            unlink("/tmp/bomb");
            close(fd);
            return error;
        }
    return THROUGH;
}

static int bomb_names(void)
{
    char path[64];
    for (int i = 0; i < MUCH; i++) {
        (void)snprintf(path, sizeof path, "/tmp/n%d", i);
        int rc = try_open(path, O_WRONLY | O_CREAT);
        if (rc)
            return rc;
    }
    return THROUGH;
}

static int bomb_file(void)
{
    (void)signal(SIGXFSZ, SIG_IGN);
    int fd = open(space("/data/big"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int rc = fd < 0 ? errno : told(ftruncate(fd, (off_t)1 << 40));
    if (fd >= 0)
        close(fd);
    unlink(space("/data/big"));
    return rc;
}

static int lock_memory(void)
{
    return told(mlockall(MCL_CURRENT | MCL_FUTURE));
}

static const struct row {
    const char *name;
    int (*attempt)(void);
} rows[] = {
#define ROW(name)                                                                                                      \
    {                                                                                                                  \
#name, name                                                                                                    \
    }
    ROW(read_secret),
    ROW(read_other_space),
    ROW(read_by_dots),
    ROW(read_passwd),
    ROW(read_tls_key),
    ROW(list_home),
    ROW(list_spaces),
    ROW(follow_planted_link),
    ROW(follow_planted_folder),
    ROW(make_link),
    ROW(write_space_json),
    ROW(remove_space_json),
    ROW(add_to_space),
    ROW(write_program),
    ROW(write_library),
    ROW(write_root),
    ROW(own_by_root),
    ROW(give_capability),
    ROW(replace_space_json),
    ROW(link_space_json),
    ROW(climb_out),
    ROW(run_from_data),
    ROW(setuid_file),
    ROW(open_memory),
    ROW(open_kernel_log),
    ROW(open_disk),
    ROW(open_kvm),
    ROW(open_terminal),
    ROW(open_shared_memory),
    ROW(make_device),
    ROW(make_pipe),
    ROW(proc_root_1),
    ROW(proc_root_victim),
    ROW(proc_mem_victim),
    ROW(proc_environ_victim),
    ROW(proc_core_pattern),
    ROW(proc_sysrq),
    ROW(proc_kcore),
    ROW(proc_kallsyms),
    ROW(proc_oom),
    ROW(proc_uid_map),
    ROW(cgroup_agent),
    ROW(cgroup_list),
    ROW(trace_victim),
    ROW(trace_me),
    ROW(signal_victim),
    ROW(signal_all),
    ROW(pidfd_victim),
    ROW(pidfd_take),
    ROW(limit_victim),
    ROW(read_victim),
    ROW(write_victim),
    ROW(sysv_memory),
    ROW(sysv_semaphore),
    ROW(sysv_queue),
    ROW(posix_queue),
    ROW(key_add),
    ROW(key_request),
    ROW(key_control),
    ROW(mount_something),
    ROW(mount_proc),
    ROW(unmount_folder),
    ROW(new_mount),
    ROW(clone_mount),
    ROW(change_mount),
    ROW(pivot),
    ROW(change_root),
    ROW(unshare_user),
    ROW(unshare_mount),
    ROW(join_namespace),
    ROW(clone_user),
    ROW(clone_3),
    ROW(host_name),
    ROW(clone_child),
    ROW(fork_old),
    ROW(clone_thread_in_namespace),
    ROW(run_shell),
    ROW(run_self),
    ROW(run_at),
    ROW(run_memory),
    ROW(netlink),
    ROW(packet),
    ROW(raw_ip),
    ROW(udp),
    ROW(tcp6),
    ROW(vsock),
    ROW(kernel_crypto),
    ROW(bluetooth),
    ROW(connect_tcp),
    ROW(connect_control),
    ROW(connect_other),
    ROW(connect_abstract),
    ROW(connect_docker),
    ROW(connect_dbus),
    ROW(inherited),
    ROW(parents_environment),
    ROW(become_root),
    ROW(become_root_3),
    ROW(join_group),
    ROW(set_capabilities),
    ROW(push_key),
    ROW(console_call),
    ROW(new_personality),
    ROW(uring),
    ROW(bpf_program),
    ROW(perf),
    ROW(page_faults),
    ROW(load_kernel),
    ROW(load_module),
    ROW(restart_machine),
    ROW(use_swap),
    ROW(set_time),
    ROW(kernel_messages),
    ROW(file_by_handle),
    ROW(watch_all_files),
    ROW(own_filter),
    ROW(real_time),
    ROW(raise_limit),
#if defined(__x86_64__)
    ROW(ports),
    ROW(segments),
    ROW(call_32),
    ROW(call_x32),
#endif
    ROW(bomb_memory),
    ROW(bomb_threads),
    ROW(bomb_descriptors),
    ROW(bomb_tmp),
    ROW(bomb_names),
    ROW(bomb_file),
    ROW(lock_memory),
};

static const char *attempt(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0) {
            int error = rows[i].attempt();
            const char *text = error ? strerrorname_np(error) : "got through";
            return text ? text : "unknown";
        }
    return "no such attempt";
}

#ifdef ATTACKER_EXTENSION
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

static void sql_attack(sqlite3_context *c, int count, sqlite3_value **values)
{
    (void)count;
    const char *name = (const char *)sqlite3_value_text(values[0]);
    sqlite3_result_text(c, attempt(name ? name : ""), -1, SQLITE_TRANSIENT);
}

int sqlite3_attacker_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);
__attribute__((visibility("default"))) int sqlite3_attacker_init(sqlite3 *db, char **message,
                                                                 const sqlite3_api_routines *api)
{
    (void)message;
    SQLITE_EXTENSION_INIT2(api);
    return sqlite3_create_function_v2(db, "attack", 1, SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL, sql_attack, NULL, NULL,
                                      NULL);
}
#else
int main(int argc, char **argv)
{
    if (argc == 1)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            printf("%s\n", rows[i].name);
    for (int i = 1; i < argc; i++) {
        const char *text = attempt(argv[i]);
        char line[256]; /* without stdio's own buffer: memory may be used up */
        int n = snprintf(line, sizeof line, "%s %s\n", argv[i], text);
        if (write(1, line, (size_t)n) != n)
            return 1;
    }
    return 0;
}
#endif

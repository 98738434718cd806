/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_lock — what the program may use up, which files it may open, and what rights it has left.
 *
 * Landlock says a second time what the mounts say already (and says it alone where there are no namespaces): a fault in
 * one of them opens nothing. The numbers are those of the kernel's include/uapi/linux/landlock.h up to ABI 7; Debian
 * 12's own header ends with ABI 2. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"
#include "rt/sandbox_impl.h"

#include "base/banned.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true /* terabytes of shadow, in this process already, that are no memory */
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

/* ---- limits ---- */

static enum status set_limit(int resource, uint64_t value, const char *name, struct err *err)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot read the limit of %s", name);
    struct rlimit l = {MIN(value, now.rlim_max), MIN(value, now.rlim_max)};
    if (setrlimit((__rlimit_resource_t)resource, &l) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot limit %s", name);
    return STATUS_OK;
}

enum status sandbox_lock_limits(const struct sandbox_config *c, struct err *err)
{
    const struct {
        int resource;
        uint64_t value;
        const char *name;
    } rows[] = {
        {RLIMIT_CORE, 0, "core dumps"},
        {RLIMIT_MEMLOCK, 0, "locked memory"},
        {RLIMIT_MSGQUEUE, 0, "message queues"},
        {RLIMIT_RTPRIO, 0, "real-time priority"},
        {RLIMIT_SIGPENDING, LIMIT_SANDBOX_SIGNALS, "waiting signals"},
        {RLIMIT_NOFILE, c->files, "open files"},
        {RLIMIT_NPROC, c->processes, "processes"},
        {RLIMIT_FSIZE, c->file_bytes, "the size of a file"},
        /* Stacks of threads count in full though they are hardly touched. */
        {RLIMIT_DATA, c->memory_bytes ? c->memory_bytes + LIMIT_SANDBOX_STACKS : 0, "memory"},
    };
    enum status st = STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(rows) && st == STATUS_OK; i++)
        if ((rows[i].value || i < 4) && !(rows[i].resource == RLIMIT_DATA && SANITIZED))
            st = set_limit(rows[i].resource, rows[i].value, rows[i].name, err);
    return st;
}

/* ---- Landlock ---- */

enum { /* LANDLOCK_ACCESS_FS_* */
       EXECUTE = 1 << 0,
       WRITE_FILE = 1 << 1,
       READ_FILE = 1 << 2,
       READ_DIR = 1 << 3,
       REMOVE_DIR = 1 << 4,
       REMOVE_FILE = 1 << 5,
       MAKE_CHAR = 1 << 6,
       MAKE_DIR = 1 << 7,
       MAKE_REG = 1 << 8,
       MAKE_SOCK = 1 << 9,
       MAKE_FIFO = 1 << 10,
       MAKE_BLOCK = 1 << 11,
       MAKE_SYM = 1 << 12,
       REFER = 1 << 13,    /* ABI 2 */
       TRUNCATE = 1 << 14, /* ABI 3 */
       IOCTL_DEV = 1 << 15 /* ABI 5 */
};
#define READING     (READ_FILE | READ_DIR)
#define MAKING      (REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | REFER)
#define WRITING     (READING | WRITE_FILE | TRUNCATE | MAKING)
#define FILE_RIGHTS (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)

struct ruleset { /* struct landlock_ruleset_attr of ABI 6; an older kernel takes its beginning */
    uint64_t fs, net, scoped;
};
struct path_rule { /* struct landlock_path_beneath_attr */
    uint64_t access;
    int32_t parent;
} __attribute__((packed));

static const struct abi { /* what each version added, and how long the ruleset then is */
    uint64_t fs, net, scoped;
    size_t size;
} abis[] = {
    {0, 0, 0, 0},
    {0x1fff, 0, 0, 8},
    {0x3fff, 0, 0, 8},
    {0x7fff, 0, 0, 8},
    {0x7fff, 3 /* bind, connect TCP */, 0, 16},
    {0xffff, 3, 0, 16},
    {0xffff, 3, 3 /* abstract sockets, signals */, 24},
};

static bool add_path(int ruleset, uint64_t handled, const struct sandbox_bind *b)
{
    static const uint64_t rights[] = {
        [SANDBOX_READ] = READING, [SANDBOX_WRITE] = WRITING, [SANDBOX_RUN] = READING | EXECUTE};
    struct stat st;
    int fd = open(b->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return b->optional;
    struct path_rule rule = {handled & rights[b->kind], fd};
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.access &= FILE_RIGHTS;
    bool done = syscall(SYS_landlock_add_rule, ruleset, 1 /* PATH_BENEATH */, &rule, 0) == 0;
    close(fd);
    return done;
}

void sandbox_lock_files(const struct sandbox_config *c, const struct sandbox_binds *all,
                        struct sandbox_missing *missing)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* VERSION */);
    if (version < 1) {
        sandbox_missing_add(missing, SANDBOX_LANDLOCK, "%s", strerror(errno));
        return;
    }
    struct abi abi = abis[MIN((size_t)version, ARRAY_LEN(abis) - 1)];
    struct ruleset wanted = {abi.fs, c->network ? 0 : abi.net, abi.scoped};
    int fd = (int)syscall(SYS_landlock_create_ruleset, &wanted, abi.size, 0);
    bool done = fd >= 0;
    for (size_t i = 0; i < all->count && done; i++)
        done = add_path(fd, abi.fs, &all->items[i]);
    /* In namespaces of its own all of /proc is its own. */
    const struct sandbox_bind own[] = {
        {"/tmp", SANDBOX_WRITE, true},
        {missing->parts & SANDBOX_NAMESPACES ? "/proc/self" : "/proc", SANDBOX_READ, true}};
    for (size_t i = 0; i < ARRAY_LEN(own) && done; i++)
        done = add_path(fd, abi.fs, &own[i]);
    /* Who has no capability in its own user namespace may restrict itself only so. */
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!done || syscall(SYS_landlock_restrict_self, fd, 0) != 0)
        sandbox_missing_add(missing, SANDBOX_LANDLOCK, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* ---- capabilities ---- */

enum status sandbox_lock_capabilities(struct err *err)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    /* Not in the bounding set: no program ever has it. Without CAP_SETPCAP there is nothing to drop from. */
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    (void)prctl(PR_SET_SECUREBITS,
                SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
                    SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
                0, 0, 0);
    if (syscall(SYS_capset, &head, none) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot set no_new_privs");
    return STATUS_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_sandbox — options to a struct sandbox_config. What the program gets of our environment is a short list: secrets
 * of whoever starts it are not its own. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/command.h"
#include "rt/proc.h"
#include "rt/sandbox.h"

enum {
    OPT_FOLDER,
    OPT_READ,
    OPT_WRITE,
    OPT_RUN,
    OPT_LISTEN,
    OPT_GATE,
    OPT_USER,
    OPT_NAME,
    OPT_ENV,
    OPT_NETWORK,
    OPT_CHILDREN,
    OPT_REQUIRE,
    OPT_MEMORY,
    OPT_CPU,
    OPT_PROCESSES,
    OPT_FILES,
    OPT_FILE_SIZE,
    OPT_TMP_SIZE,
    OPT_HELP
};
static const struct option options[] = {
    {"--folder", 0, OPTION_VALUE, "DIR", "A space: DIR can be read; DIR/data, state and outbox can be written",
     OPT_FOLDER},
    {"--read", 0, OPTION_VALUE, "PATH", "A further file or folder that can be read", OPT_READ},
    {"--write", 0, OPTION_VALUE, "PATH", "... that can be written", OPT_WRITE},
    {"--run", 0, OPTION_VALUE, "PATH", "... that can be read, and holds programs or libraries", OPT_RUN},
    {"--listen", 0, OPTION_VALUE, "SOCKET", "Listen at this Unix socket and hand it to the program ($LISTEN_FDS)",
     OPT_LISTEN},
    {"--gate", 0, OPTION_VALUE, "SOCKET", "The socket of vitrine gate, the only way to the network ($VITRINE_GATE)",
     OPT_GATE},
    {"--user-id", 0, OPTION_VALUE, "N", "As root: the user that it is outside (default: the folder's owner)", OPT_USER},
    {"--name", 0, OPTION_VALUE, "NAME", "Of the host inside, and in the log (default: the folder's)", OPT_NAME},
    {"--env", 0, OPTION_VALUE, "NAME[=VALUE]", "A variable of its environment, else ours of that name", OPT_ENV},
    {"--network", 0, OPTION_FLAG, NULL, "Leave it the network of the machine", OPT_NETWORK},
    {"--children", 0, OPTION_FLAG, NULL, "Let it start processes and other programs", OPT_CHILDREN},
    {"--require", 0, OPTION_VALUE, "LIST", "Refuse to run without: all, namespaces, landlock, seccomp, cgroup",
     OPT_REQUIRE},
    {"--memory", 0, OPTION_VALUE, "SIZE", "Memory (default 1G; 0 = no limit)", OPT_MEMORY},
    {"--cpu", 0, OPTION_VALUE, "PERCENT", "Of one processor (default 0: no limit)", OPT_CPU},
    {"--processes", 0, OPTION_VALUE, "N", "Processes and threads (default 256)", OPT_PROCESSES},
    {"--files", 0, OPTION_VALUE, "N", "Open files and connections (default 8192)", OPT_FILES},
    {"--file-size", 0, OPTION_VALUE, "SIZE", "The largest file (default 64G)", OPT_FILE_SIZE},
    {"--tmp-size", 0, OPTION_VALUE, "SIZE", "Its /tmp, which is in memory (default 256M)", OPT_TMP_SIZE},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct job {
    struct arena *arena;
    struct sandbox_config config;
    VEC(struct sandbox_bind) binds;
    VEC(char *) env;
    str name;
    bool help;
};

static enum status absolute(struct job *j, str path, const char **ret, struct err *err)
{
    char here[PATH_MAX];
    if (!path.n || memchr(path.p, 0, path.n))
        return err_set(err, STATUS_USAGE, "an empty path");
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path = str_sub(path, 0, path.n - 1);
    if (path.p[0] != '/') {
        if (!getcwd(here, sizeof here))
            return err_sys(err, STATUS_IO, errno, "no current folder");
        path = ARENA_CAT(j->arena, str_of(here), STR("/"), path);
    }
    /* What is shown must be where it is said to be: no way may lead elsewhere by "..". */
    for (str rest = path, part; rest.n;) {
        str_cut(rest, '/', &part, &rest);
        if (str_is(part, ".."))
            return err_set(err, STATUS_USAGE, "'%.*s': a path with '..'", STR_ARG(path));
    }
    *ret = arena_cstr(j->arena, path);
    return STATUS_OK;
}

static enum status read_size(str text, uint64_t *ret, struct err *err)
{
    static const char units[] = "kmgt";
    unsigned shift = 0;
    str digits = text;
    if (text.n && text.p[text.n - 1] > '9') {
        const char *unit = strchr(units, text.p[text.n - 1] | 0x20);
        shift = unit && *unit ? 10 * (unsigned)(unit - units + 1) : 64;
        digits = str_sub(text, 0, text.n - 1);
    }
    uint64_t n = 0;
    if (shift == 64 || !str_to_u64(digits, &n) || n > (UINT64_MAX >> 1) >> shift)
        return err_set(err, STATUS_USAGE, "\"%.*s\" is no size: write 500M, 2G", STR_ARG(text));
    *ret = n << shift;
    return STATUS_OK;
}

static enum status read_number(str text, uint64_t least, uint64_t most, uint64_t *ret, struct err *err)
{
    uint64_t n;
    if (!str_to_u64(text, &n) || n < least || n > most)
        return err_set(err, STATUS_USAGE, "\"%.*s\" is no number from %llu to %llu", STR_ARG(text),
                       (unsigned long long)least, (unsigned long long)most);
    *ret = n;
    return STATUS_OK;
}

static enum status read_require(str text, unsigned *ret, struct err *err)
{
    str one;
    while (text.n) {
        unsigned found = 0;
        str_cut(text, ',', &one, &text);
        for (unsigned part = 1; part < 1u << SANDBOX_PARTS; part <<= 1)
            if (str_is(one, "all") || str_is(one, sandbox_part_name((enum sandbox_part)part)))
                found |= part;
        if (!found)
            return err_set(err, STATUS_USAGE, "\"%.*s\": one of all, namespaces, landlock, seccomp, cgroup",
                           STR_ARG(one));
        *ret |= found;
    }
    return STATUS_OK;
}

static void add_env(struct job *j, str text)
{
    if (str_find_char(text, '=') == STR_NPOS) {
        const char *own = getenv(arena_cstr(j->arena, text));
        if (!own)
            return;
        text = ARENA_CAT(j->arena, text, STR("="), str_of(own));
    }
    VEC_PUSH(j->arena, &j->env, arena_cstr(j->arena, text));
}

static enum status add_bind(struct job *j, str path, enum sandbox_bind_kind kind, struct err *err)
{
    struct sandbox_bind b = {.kind = kind};
    enum status st = absolute(j, path, &b.path, err);
    if (st == STATUS_OK)
        VEC_PUSH(j->arena, &j->binds, b);
    return st;
}

/* The folder of the socket, so that a gate that is started again is found again. */
static enum status add_gate(struct job *j, str path, struct err *err)
{
    const char *full = NULL;
    enum status st = absolute(j, path, &full, err);
    if (st != STATUS_OK)
        return st;
    str text = str_of(full);
    add_env(j, ARENA_CAT(j->arena, STR("VITRINE_GATE="), text));
    return add_bind(j, str_sub(text, 0, str_rfind_char(text, '/')), SANDBOX_READ, err);
}

static enum status apply(struct job *j, int id, str value, struct err *err)
{
    struct sandbox_config *c = &j->config;
    uint64_t n = 0;
    enum status st = STATUS_OK;
    switch (id) {
    case OPT_FOLDER:
        return absolute(j, value, &c->folder, err);
    case OPT_READ:
        return add_bind(j, value, SANDBOX_READ, err);
    case OPT_WRITE:
        return add_bind(j, value, SANDBOX_WRITE, err);
    case OPT_RUN:
        return add_bind(j, value, SANDBOX_RUN, err);
    case OPT_LISTEN:
        return absolute(j, value, &c->listen, err);
    case OPT_GATE:
        return add_gate(j, value, err);
    case OPT_USER:
        st = read_number(value, 1, UINT32_MAX - 1, &n, err);
        c->user_id = (uid_t)n;
        return st;
    case OPT_NAME:
        j->name = value;
        return STATUS_OK;
    case OPT_ENV:
        add_env(j, value);
        return STATUS_OK;
    case OPT_NETWORK:
        c->network = true;
        return STATUS_OK;
    case OPT_CHILDREN:
        c->children = true;
        return STATUS_OK;
    case OPT_REQUIRE:
        return read_require(value, &c->require, err);
    case OPT_MEMORY:
        return read_size(value, &c->memory_bytes, err);
    case OPT_CPU:
        return read_number(value, 0, 100000, &c->cpu_percent, err);
    case OPT_PROCESSES:
        return read_number(value, 1, 1000000, &c->processes, err);
    case OPT_FILES:
        return read_number(value, 16, 1000000, &c->files, err);
    case OPT_FILE_SIZE:
        return read_size(value, &c->file_bytes, err);
    case OPT_TMP_SIZE:
        return read_size(value, &c->tmp_bytes, err);
    default:
        j->help = true;
        return STATUS_OK;
    }
}

/* An absolute path, links resolved: the file itself is shown inside, at its own place. */
static enum status find_program(struct job *j, const char *name, struct err *err)
{
    char real[PATH_MAX];
    const char *path = getenv("PATH");
    str rest = str_of(path && *path ? path : "/usr/local/bin:/usr/bin:/bin"), folder;
    const char *tried = name;
    bool found = strchr(name, '/') && access(name, X_OK) == 0;
    while (!strchr(name, '/') && !found && rest.n) {
        str_cut(rest, ':', &folder, &rest);
        tried = arena_printf(j->arena, "%.*s/%s", STR_ARG(folder), name).p;
        found = access(tried, X_OK) == 0;
    }
    if (!found || !realpath(tried, real))
        return err_sys(err, STATUS_NOT_FOUND, errno ? errno : ENOENT, "cannot run '%s'", name);
    j->config.program = arena_cstr(j->arena, str_of(real));
    return STATUS_OK;
}

/* Root must not be root inside, not even of a namespace: the owner of the folder is who the space is. */
static enum status find_user(struct sandbox_config *c, struct err *err)
{
    struct stat st;
    if (geteuid() != 0) {
        if (c->user_id && c->user_id != geteuid())
            return err_set(err, STATUS_USAGE, "only root can run a program as user %u", c->user_id);
        c->user_id = 0;
        return STATUS_OK;
    }
    if (!c->user_id && c->folder && stat(c->folder, &st) == 0)
        c->user_id = st.st_uid;
    if (c->user_id)
        return STATUS_OK;
    err_set(err, STATUS_USAGE, "as root, the program needs a user of its own");
    return err_hint(err, "Give one that nothing else runs as, a different one for each: --user-id 200001");
}

static enum status finish(struct job *j, struct err *err)
{
    struct sandbox_config *c = &j->config;
    enum status st = find_program(j, c->argv[0], err);
    if (st == STATUS_OK)
        st = find_user(c, err);
    if (st != STATUS_OK)
        return st;
    bool same; /* not where an upgrade has put another file under our name */
    c->own = proc_compare_own(c->program, &same) && same ? command_main : NULL;
    str name = j->name.n ? j->name : c->folder ? str_of(c->folder) : STR("sandbox");
    name = str_from(name, str_rfind_char(name, '/') == STR_NPOS ? 0 : str_rfind_char(name, '/') + 1);
    c->name = arena_cstr(j->arena, str_sub(name, 0, MIN(name.n, 63)));
    for (const char *p = c->name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-_.", *p)))
            return err_set(err, STATUS_USAGE, "\"%s\" is no name: letters, digits, '-', '_' and '.'", c->name);
    static const char *const passed[] = {
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "PATH=/usr/bin:/bin",
        "HOME=/tmp",
        "TMPDIR=/tmp",
#if defined(VITRINE_FAULTS) && VITRINE_FAULTS /* what tests say to programs that are built for them */
        "VITRINE_FAULT",
        "VITRINE_LIMITS",
        "UBSAN_OPTIONS",
        "ASAN_OPTIONS=detect_leaks=0:disable_coredump=0",
#endif
    };
    for (size_t i = 0; i < ARRAY_LEN(passed); i++)
        add_env(j, str_of(passed[i]));
    VEC_PUSH(j->arena, &j->env, NULL);
    c->envp = j->env.items;
    c->binds = j->binds.items;
    c->bind_count = j->binds.count;
    return STATUS_OK;
}

static int help(void)
{
    printf("Usage: vitrine sandbox [OPTIONS] -- PROGRAM [ARGUMENTS]\n\n"
           "Runs a program that sees its own folder, the system's libraries and nothing else: namespaces, a root of\n"
           "its own, Landlock, seccomp, no capabilities, limits. Paths are the same inside. Its exit status is ours;\n"
           "250 means that it was ended for lack of memory.\n\n"
           "Options:\n");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

int cmd_sandbox(int argc, char **argv)
{
    struct err err = ERR_INIT;
    struct job j = {.arena = arena_new(0),
                    .config = {.memory_bytes = UINT64_C(1) << 30,
                               .file_bytes = UINT64_C(64) << 30,
                               .tmp_bytes = UINT64_C(256) << 20,
                               .processes = 256,
                               .files = 8192}};
    int end = 0, id, exit_status = 0;
    while (end < argc && strcmp(argv[end], "--") != 0)
        end++;
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = end, .argv = argv};
    str value, second;
    enum status st;
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        st = id < 0 ? err_set(&err, STATUS_USAGE, "\"%.*s\": the program stands after --", STR_ARG(value))
                    : apply(&j, id, value, &err);
        if (st != STATUS_OK)
            break;
    }
    if (st == STATUS_OK && j.help) {
        arena_free(j.arena);
        return help();
    }
    if (st == STATUS_OK && end + 1 >= argc) {
        st = err_set(&err, STATUS_USAGE, "no program was given");
        err_hint(&err, "vitrine sandbox [OPTIONS] -- PROGRAM [ARGUMENTS]");
    }
    j.config.argv = argv + MIN(end + 1, argc);
    if (st == STATUS_OK)
        st = finish(&j, &err);
    if (st == STATUS_OK)
        st = sandbox_run(&j.config, &exit_status, &err);
    if (st != STATUS_OK)
        exit_status = command_fail(&err);
    arena_free(j.arena);
    return exit_status;
}

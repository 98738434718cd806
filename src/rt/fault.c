/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/fault.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

enum fault_action { FAULT_FAIL, FAULT_KILL, FAULT_SLEEP };

struct fault {
    char name[64];
    uint64_t nth; /* the hit that fires, from 1 */
    bool onwards; /* and all later ones */
    enum fault_action action;
    uint64_t sleep_ms;
    uint64_t hits;
};

/* The plan belongs to the process, as the environment variable it comes from does. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fault plan[LIMIT_FAULTS];
static size_t plan_count;
static atomic_bool planned; /* plan_count > 0, or there is a file: lets fault_hit pass without the lock */
static const char *plan_file;
static char file_text[1024]; /* what the plan was read from */

static enum status parse_action(str action, str argument, struct fault *f, struct err *err)
{
    if (action.n == 0 || str_eq(action, STR("fail"))) {
        f->action = FAULT_FAIL;
    } else if (str_eq(action, STR("kill"))) {
        f->action = FAULT_KILL;
    } else if (str_eq(action, STR("sleep"))) {
        f->action = FAULT_SLEEP;
        if (!str_to_u64(argument, &f->sleep_ms) || f->sleep_ms > LIMIT_FAULT_SLEEP_MS)
            return err_set(err, STATUS_INVALID, "fault action sleep needs milliseconds up to %d, not '" STR_FMT "'",
                           LIMIT_FAULT_SLEEP_MS, STR_ARG(argument));
    } else {
        return err_set(err, STATUS_INVALID, "unknown fault action '" STR_FMT "' (fail, kill or sleep:MS)",
                       STR_ARG(action));
    }
    return STATUS_OK;
}

static enum status parse_fault(str text, struct fault *f, struct err *err)
{
    str name, rest, count, action, argument;
    str_cut(text, ':', &name, &rest);
    str_cut(rest, ':', &count, &rest);
    str_cut(rest, ':', &action, &argument);
    *f = (struct fault){0};
    if (name.n == 0 || name.n >= sizeof(f->name))
        return err_set(err, STATUS_INVALID, "fault '" STR_FMT "' needs the form name:count[:action]", STR_ARG(text));
    memcpy(f->name, name.p, name.n);
    f->onwards = str_ends(count, STR("+"));
    if (!str_to_u64(str_sub(count, 0, count.n - (f->onwards ? 1 : 0)), &f->nth) || f->nth == 0)
        return err_set(err, STATUS_INVALID, "fault '" STR_FMT "' needs a count from 1, not '" STR_FMT "'",
                       STR_ARG(name), STR_ARG(count));
    return parse_action(action, argument, f, err);
}

static enum status parse_plan(str text, struct fault parsed[LIMIT_FAULTS], size_t *ret_count, struct err *err)
{
    size_t count = 0;
    while (text.n > 0) {
        str one;
        str_cut(text, ',', &one, &text);
        if (count == LIMIT_FAULTS)
            return err_set(err, STATUS_INVALID, "more than %d faults in one plan", LIMIT_FAULTS);
        enum status st = parse_fault(one, &parsed[count++], err);
        if (st != STATUS_OK)
            return st;
    }
    *ret_count = count;
    return STATUS_OK;
}

static enum status set_plan(str text, struct err *err)
{
    struct fault parsed[LIMIT_FAULTS];
    size_t count = 0;
    enum status st = parse_plan(text, parsed, &count, err);
    if (st != STATUS_OK)
        return st;
    pthread_mutex_lock(&lock);
    memcpy(plan, parsed, count * sizeof(plan[0]));
    plan_count = count;
    plan_file = NULL;
    atomic_store(&planned, count > 0);
    pthread_mutex_unlock(&lock);
    return STATUS_OK;
}

/* Under the lock. Without the file there is no plan; with another text it begins anew. */
static void look_at_file(void)
{
    char text[sizeof(file_text)] = "";
    struct err err = ERR_INIT;
    int fd = open(plan_file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (strcmp(text, file_text) == 0)
        return;
    memcpy(file_text, text, sizeof(text));
    if (parse_plan(str_of(file_text), plan, &plan_count, &err) != STATUS_OK) {
        dprintf(STDERR_FILENO, "%s: %s\n", plan_file, err.text);
        _exit(status_exit(STATUS_USAGE));
    }
}

static void read_environment(void)
{
    const char *text = getenv("VITRINE_FAULT");
    struct err err = ERR_INIT;
    if (text && text[0] == '@') {
        plan_file = mem_cstr(str_of(text + 1)); /* the environment may be wiped (sandbox_own.c) */
        atomic_store(&planned, true);
    } else if (text && set_plan(str_of(text), &err) != STATUS_OK) {
        dprintf(STDERR_FILENO, "VITRINE_FAULT: %s\n", err.text);
        _exit(status_exit(STATUS_USAGE));
    }
}

enum status fault_plan(str text, struct err *err)
{
    pthread_once(&once, read_environment); /* or it would come later and win */
    return set_plan(text, err);
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) < 0)
        ;
}

bool fault_hit(const char *name)
{
    pthread_once(&once, read_environment);
    if (!atomic_load_explicit(&planned, memory_order_acquire))
        return false;
    bool fail = false, killed = false;
    uint64_t wait_ms = 0;
    pthread_mutex_lock(&lock);
    if (plan_file)
        look_at_file();
    for (size_t i = 0; i < plan_count; i++) {
        struct fault *f = &plan[i];
        if (strcmp(f->name, name) != 0)
            continue;
        f->hits++;
        if (f->onwards ? f->hits < f->nth : f->hits != f->nth)
            continue;
        fail |= f->action == FAULT_FAIL;
        killed |= f->action == FAULT_KILL;
        wait_ms = MAX(wait_ms, f->sleep_ms);
    }
    if (killed && plan_file)
        (void)unlink(plan_file);
    pthread_mutex_unlock(&lock);
    if (killed)
        kill(getpid(), SIGKILL);
    if (wait_ms > 0)
        sleep_ms(wait_ms);
    return fail;
}

#if defined(VITRINE_FAULTS) && VITRINE_FAULTS

/* Bounds of the section, made by the linker; both NULL when no file with a FAULT was linked. */
extern const struct fault_point *const __start_vitrine_faults[] __attribute__((weak, visibility("hidden")));
extern const struct fault_point *const __stop_vitrine_faults[] __attribute__((weak, visibility("hidden")));

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool fault_compiled_in(void)
{
    return true;
}

void fault_list(void (*fn)(void *arg, const char *name), void *arg)
{
    size_t count = (size_t)(__stop_vitrine_faults - __start_vitrine_faults);
    if (count == 0)
        return;
    const char **names = mem_array(count, sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = __start_vitrine_faults[i]->name;
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            fn(arg, names[i]);
    free(names);
}

static void print_name(void *arg, const char *name)
{
    (void)arg;
    puts(name);
}

/* Before main: whatever the program would have done. */
__attribute__((constructor)) static void list_when_asked(void)
{
    const char *text = getenv("VITRINE_FAULT");
    if (!text || strcmp(text, "list") != 0)
        return;
    fault_list(print_name, NULL);
    exit(0);
}

#else

bool fault_compiled_in(void)
{
    return false;
}

void fault_list(void (*fn)(void *arg, const char *name), void *arg)
{
    (void)fn;
    (void)arg;
}

#endif

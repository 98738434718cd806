/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_logs — what an app wrote: its files in the edge's state folder (edge/app_log.h), read here, so also when the edge
 * is gone. --since finds its place by the lengths that the edge noted; lines themselves bear no time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "cli/command.h"
#include "codec/when.h"
#include "edge/app_log.h"
#include "edge/edge.h"
#include "http/edge_call.h"

#define LOOK_MS 100

enum { OPT_STATE, OPT_LINES, OPT_FOLLOW, OPT_SINCE, OPT_HELP };
static const struct option options[] = {
    {"--lines", 'n', OPTION_VALUE, "N", "Lines from the end (default 100; all with --since)", OPT_LINES},
    {"--since", 0, OPTION_VALUE, "TIME", "From there on: 30s, 10m, 2h, 1d ago, or 2026-01-31T12:00 (UTC)", OPT_SINCE},
    {"--follow", 'f', OPTION_FLAG, NULL, "Go on printing what comes, until Ctrl-C", OPT_FOLLOW},
    {"--state", 0, OPTION_VALUE, "DIR", "State folder of the edge", OPT_STATE},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct logs {
    struct arena *a;
    str app, state;
    int64_t lines, since; /* since: Unix seconds; 0 = from the beginning */
    bool follow, help;
    const char *path; /* without its ending */
};

static enum status read_since(str value, int64_t *ret, struct err *err)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    struct when w;
    int64_t n;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (value.n > 1 && value.p[value.n - 1] == units[i].unit && str_to_i64(str_sub(value, 0, value.n - 1), &n) &&
            n >= 0 && n < 36500 * INT64_C(86400) / units[i].seconds) {
            *ret = clock_unix_s() - n * units[i].seconds;
            return STATUS_OK;
        }
    if (when_parse(value, &w)) {
        struct tm tm = {.tm_year = w.year - 1900, .tm_mon = w.month - 1, .tm_mday = w.day};
        *ret = (int64_t)timegm(&tm) + w.hour * 3600 + w.minute * 60 + w.second - w.zone_minutes * 60;
        return STATUS_OK;
    }
    err_set(err, STATUS_USAGE, "--since: \"%.*s\" is no time", STR_ARG(value));
    return err_hint(err, "Write 30s, 10m, 2h or 1d for so long ago, or a time as 2026-01-31T12:00.");
}

/* Where the file stood when the time came: the last length noted before it. 0: it began later. */
static size_t place_of(struct logs *l, const char *path)
{
    str text, line, when, size;
    int64_t at = 0, s, n;
    const char *times = arena_printf(l->a, "%s" APP_LOG_TIMES, path).p;
    if (!l->since || fs_read_file(times, LIMIT_EDGE_STATE, l->a, &text, NULL) != STATUS_OK)
        return 0;
    while (text.n) {
        str_cut(text, '\n', &line, &text);
        if (str_cut(line, ' ', &when, &size) && str_to_i64(when, &s) && str_to_i64(size, &n) && s <= l->since)
            at = n;
    }
    return (size_t)MAX(at, 0);
}

/* The last `n` lines of it. */
static str last_lines(str text, int64_t n)
{
    size_t at = text.n;
    for (n += text.n && text.p[text.n - 1] == '\n'; at > 0; at--)
        if (text.p[at - 1] == '\n' && --n <= 0)
            break;
    return str_from(text, at);
}

static enum status read_part(struct logs *l, const char *path, str *ret, size_t *ret_end, struct err *err)
{
    enum status st = fs_read_file(path, (size_t)LIMIT_EDGE_LOG_FILE * 64, l->a, ret, err);
    if (st != STATUS_OK)
        return st;
    *ret_end = ret->n;
    *ret = str_from(*ret, MIN(place_of(l, path), ret->n));
    return STATUS_OK;
}

static enum status print_past(struct logs *l, size_t *ret_end, struct err *err)
{
    str old = STR(""), now = STR("");
    size_t ignored;
    bool had = read_part(l, arena_printf(l->a, "%s" APP_LOG_OLD, l->path).p, &old, &ignored, NULL) == STATUS_OK;
    enum status st = read_part(l, l->path, &now, ret_end, err);
    if (st == STATUS_NOT_FOUND && !had) {
        err_set(err, STATUS_NOT_FOUND, "there is no log of \"%.*s\"", STR_ARG(l->app));
        return err_hint(err, "vitrine list shows the apps; those that run elsewhere (--to) have no log here.");
    }
    if (st != STATUS_OK && st != STATUS_NOT_FOUND)
        return st;
    if (place_of(l, l->path) > 0) /* the time came after the file before this one ended */
        old = STR("");
    if (l->lines >= 0) {
        str all = last_lines(ARENA_CAT(l->a, old, now), l->lines);
        (void)fwrite(all.p, 1, all.n, stdout);
    } else {
        (void)fwrite(old.p, 1, old.n, stdout);
        (void)fwrite(now.p, 1, now.n, stdout);
    }
    return STATUS_OK;
}

/* What comes: also after the file began anew. Ends with the reader of our output. */
static int follow(struct logs *l, size_t at)
{
    char block[65536];
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    while (fflush(stdout) == 0) {
        struct stat st;
        int fd = open(l->path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &st) == 0 && (size_t)st.st_size < at)
            at = 0;
        ssize_t n = fd >= 0 ? pread(fd, block, sizeof(block), (off_t)at) : 0;
        if (fd >= 0)
            close(fd);
        if (n > 0) {
            (void)fwrite(block, 1, (size_t)n, stdout);
            at += (size_t)n;
        } else {
            (void)nanosleep(&pause, NULL);
        }
    }
    return 0;
}

static enum status apply(struct logs *l, int id, str value, struct err *err)
{
    switch (id) {
    case OPT_STATE:
        l->state = value;
        return STATUS_OK;
    case OPT_LINES:
        if (!str_to_i64(value, &l->lines) || l->lines < 0)
            return err_set(err, STATUS_USAGE, "--lines: \"%.*s\" is no number", STR_ARG(value));
        return STATUS_OK;
    case OPT_SINCE:
        return read_since(value, &l->since, err);
    case OPT_FOLLOW:
        l->follow = true;
        return STATUS_OK;
    case OPT_HELP:
        l->help = true;
        return STATUS_OK;
    default:
        if (l->app.n)
            return err_set(err, STATUS_USAGE, "one app at a time: \"%.*s\" is too much", STR_ARG(value));
        l->app = value;
        return STATUS_OK;
    }
}

int cmd_logs(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct logs l = {.a = arena_new(0), .lines = -1};
    struct err err = ERR_INIT;
    str value, second;
    size_t end = 0;
    enum status st;
    int id;
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN)
        if ((st = apply(&l, id, value, &err)) != STATUS_OK)
            break;
    if (l.help) {
        printf("Usage: vitrine logs APP [OPTIONS]\n\n"
               "Prints what an app's instances wrote to standard output and standard error.\n\nOptions:\n");
        option_print_help(options, ARRAY_LEN(options));
        arena_free(l.a);
        return 0;
    }
    if (l.lines < 0 && !l.since)
        l.lines = 100;
    if (st == STATUS_OK && !l.app.n) {
        st = err_set(&err, STATUS_USAGE, "logs: which app?");
        err_hint(&err, "vitrine logs APP");
    }
    l.state = edge_state_folder(l.a, l.state);
    l.path = arena_printf(l.a, "%.*s/%s/%.*s.log", STR_ARG(l.state), EDGE_LOG_FOLDER, STR_ARG(l.app)).p;
    if (st == STATUS_OK && !edge_name_ok(l.app))
        st = err_set(&err, STATUS_NOT_FOUND, "there is no app \"%.*s\"", STR_ARG(l.app));
    if (st == STATUS_OK)
        st = print_past(&l, &end, &err);
    int code = st != STATUS_OK ? command_fail(&err) : l.follow ? follow(&l, end) : 0;
    arena_free(l.a);
    return code;
}

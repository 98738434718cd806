/* SPDX-License-Identifier: Apache-2.0 */
/* app_log — sizes, times and turning over of what apps write.
 *
 * A file that apps hold open cannot be renamed under them: they would go on writing into the old one. So its bytes are
 * copied aside and it is cut to nothing; O_APPEND makes every writer go on at the new end. What is written between the
 * last look for more and the cut is lost: microseconds, once in LIMIT_EDGE_LOG_FILE bytes. */
#include "edge/app_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#define LOOK_MS 1000

static const char *path_of(struct edge *e, struct arena *a, const char *app, const char *end)
{
    return edge_path(e, a, EDGE_LOG_FOLDER, arena_printf(a, "%s.log%s", app, end).p);
}

int app_log_open(struct edge *e, struct arena *a, const char *app, const char *who, struct err *err)
{
    char when[CLOCK_ISO_LEN + 1];
    int fd = -1;
    if (fs_open(path_of(e, a, app, ""), O_RDWR | O_CREAT | O_APPEND, 0600, &fd, err) != STATUS_OK)
        return -1;
    clock_format_iso_ms(clock_unix_us(), when);
    str line = arena_printf(a, "--- %s, %s ---\n", who, when);
    if (fs_write_fd(fd, "log", line, NULL) != STATUS_OK)
        log_line(LOG_WARN, "edge", "%s: its log cannot be written", app);
    return fd;
}

/* From where `in` stands to its end; again, until nothing more came. */
static bool copy_all(int in, int out)
{
    char block[LIMIT_EDGE_BLOCK];
    ssize_t n;
    while ((n = copy_file_range(in, NULL, out, NULL, LIMIT_EDGE_LOG_FILE, 0)) > 0)
        ;
    while (n < 0 && (n = read(in, block, sizeof(block))) > 0) { /* a file system that cannot */
        if (fs_write_fd(out, "log", str_make(block, (size_t)n), NULL) != STATUS_OK)
            return false;
        n = -1;
    }
    return n == 0;
}

static void turn_over(struct edge *e, struct arena *a, const char *app)
{
    const char *path = path_of(e, a, app, ""), *part = path_of(e, a, app, ".part");
    int in = -1, out = -1;
    /* The copy is in its place before the file is cut, and what came meanwhile follows it. */
    bool ok = fs_open(path, O_RDWR, 0, &in, NULL) == STATUS_OK &&
              fs_open(part, O_WRONLY | O_CREAT | O_TRUNC, 0600, &out, NULL) == STATUS_OK && copy_all(in, out) &&
              rename(part, path_of(e, a, app, APP_LOG_OLD)) == 0 && copy_all(in, out);
    /* Cut also when there is no room for a copy: that is when it matters most. */
    if (in >= 0 && ftruncate(in, 0) < 0)
        log_line(LOG_WARN, "edge", "%s: its log cannot be cut", app);
    if (out >= 0)
        close(out);
    if (in >= 0)
        close(in);
    if (!ok) {
        (void)unlink(part);
        log_line(LOG_WARN, "edge", "%s: its log was cut, and what was in it could not be kept", app);
    }
    (void)unlink(path_of(e, a, app, APP_LOG_OLD APP_LOG_TIMES));
    (void)rename(path_of(e, a, app, APP_LOG_TIMES), path_of(e, a, app, APP_LOG_OLD APP_LOG_TIMES));
}

static void note_time(struct edge *e, struct arena *a, const char *app, int64_t size)
{
    int fd = -1;
    str line = arena_printf(a, "%lld %lld\n", (long long)clock_unix_s(), (long long)size);
    if (fs_open(path_of(e, a, app, APP_LOG_TIMES), O_WRONLY | O_CREAT | O_APPEND, 0600, &fd, NULL) != STATUS_OK)
        return;
    (void)!fs_write_fd(fd, "log times", line, NULL); /* --since then finds an earlier place */
    close(fd);
}

static void look_at(struct edge *e, struct life *l)
{
    struct arena *a = arena_new(0);
    struct stat st;
    if (stat(path_of(e, a, l->app->name, ""), &st) == 0 && st.st_size != l->log_size) {
        note_time(e, a, l->app->name, st.st_size);
        l->log_size = st.st_size;
        if (st.st_size > LIMIT_EDGE_LOG_FILE) {
            turn_over(e, a, l->app->name);
            l->log_size = 0;
        }
    }
    arena_free(a);
}

static void on_look(void *arg)
{
    struct edge *e = arg;
    size_t pos = 0;
    void *item;
    while (map_next(e->lives, &pos, NULL, &item)) {
        const struct edge_spec *spec = life_spec(item);
        if (!spec || spec->run.n)
            look_at(e, item);
    }
    loop_timer_after_ms(e->loop, &e->logs, LOOK_MS);
}

void app_logs_watch(struct edge *e)
{
    loop_timer_init(&e->logs, on_look, e);
    loop_timer_after_ms(e->loop, &e->logs, LOOK_MS);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "hub/edge_apps.h"
#include "hub/quota.h"
#include "hub/request.h"

struct walk {
    int64_t bytes, *files;
    bool whole;
};

/* Takes fd. The space may change its folder at the same time, so nothing is opened by a link. */
static void walk_folder(struct walk *w, int fd, int depth)
{
    struct stat st;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; w->whole && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        w->whole = --*w->files >= 0;
        if (!w->whole || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(st.st_mode))
            w->bytes += st.st_size;
        else if (S_ISDIR(st.st_mode) && depth < LIMIT_SANDBOX_DEPTH)
            walk_folder(w, openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), depth + 1);
    }
    closedir(d);
}

static void add_disk(struct hub *h, struct arena *a, struct value row, int64_t *io_files)
{
    struct walk w = {.files = io_files, .whole = *io_files > 0};
    struct hub_quota quota;
    str path =
        arena_printf(a, "%.*s/spaces/%.*s/data", STR_ARG(h->config.dir), STR_ARG(value_get_text(row, STR("id"))));
    if (w.whole)
        walk_folder(&w, open(path.p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), 0);
    VALUE_SET(row, "disk_bytes", value_int(w.bytes));
    VALUE_SET(row, "disk_whole", value_bool(w.whole));
    quota_of(&h->config, a, value_get_text(row, STR("quota")), &quota);
    VALUE_SET(row, "disk_most", value_int(quota.disk_bytes));
}

static int64_t number(struct value v)
{
    return v.kind == VALUE_INT ? v.i : 0;
}

void usage_add(struct hub *h, struct arena *a, struct value apps, struct value row, int64_t *io_files)
{
    struct value app = value_get(apps, edge_apps_name(a, value_get_text(row, STR("id"))));
    bool there = app.kind == VALUE_DICT;
    int64_t at = number(VALUE_GET(row, "backup_at"));
    add_disk(h, a, row, io_files);
    VALUE_SET(row, "requests", value_int(there ? number(VALUE_GET(app, "requests")) : 0));
    VALUE_SET(row, "errors", value_int(there ? number(VALUE_GET(app, "answers_5xx")) : 0));
    VALUE_SET(row, "runs", value_str(there ? value_get_text(app, STR("rest")) : STR("not there")));
    VALUE_SET(row, "problem", value_str(there ? value_get_text(app, STR("problem")) : STR("")));
    VALUE_SET(row, "backup", value_str(hub_day(a, at)));
    VALUE_SET(row, "backup_well", value_bool(number(VALUE_GET(row, "backup_good")) == 1));
}

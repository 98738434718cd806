/* SPDX-License-Identifier: Apache-2.0 */
/* logs — what a space, or the hub itself, wrote: the end of the file that the edge keeps of it (edge/app_log.h), for
 * administrators. All of it: vitrine logs, on the machine. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "hub/edge_apps.h"
#include "hub/space.h"
#include "hub/view/view.h"

/* The last whole lines that fit. A file that is not there, or empty, is an empty text: nothing was written yet. */
static enum status read_end(struct arena *a, const char *path, str *ret, bool *ret_cut, struct err *err)
{
    struct stat file;
    int fd = -1;
    *ret = STR("");
    *ret_cut = false;
    enum status st = fs_open(path, O_RDONLY | O_NOFOLLOW, 0, &fd, err);
    if (st != STATUS_OK)
        return st == STATUS_NOT_FOUND ? STATUS_OK : st;
    off_t most = (off_t)LIMIT_HUB_LOG_TAIL, at = 0;
    if (fstat(fd, &file) == 0 && file.st_size > most)
        at = file.st_size - most;
    char *text = arena_alloc(a, (size_t)most);
    ssize_t n = pread(fd, text, (size_t)most, at);
    close(fd);
    str said = str_make(text, n > 0 ? (size_t)n : 0);
    size_t line = at ? str_find_char(said, '\n') : STR_NPOS;
    *ret_cut = at > 0;
    *ret = utf8_repair(a, line == STR_NPOS ? said : str_from(said, line + 1));
    return STATUS_OK;
}

enum status hub_view_admin_log(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a), space = VALUE_NULL, apps, app = VALUE_NULL;
    str name = STR("hub"), text;
    bool cut;
    enum status st = rq->params[0].n ? space_find(rq, rq->params[0], &space, err) : STATUS_OK;
    if (st != STATUS_OK)
        return st;
    hub_conn_release(rq);
    if (rq->params[0].n) {
        name = edge_apps_name(rq->a, VALUE_GET(space, "id").s);
        if (edge_apps_list(rq->hub, rq->a, &apps, NULL) == STATUS_OK)
            app = value_get(apps, name);
    }
    st =
        read_end(rq->a, hub_path(rq->a, &rq->hub->config, arena_printf(rq->a, "edge/logs/%.*s.log", STR_ARG(name)).p).p,
                 &text, &cut, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(vars, "space", space);
    VALUE_SET(vars, "app", value_str(name));
    VALUE_SET(vars, "runs", value_str(app.kind == VALUE_DICT ? value_get_text(app, STR("rest")) : STR("")));
    VALUE_SET(vars, "problem", value_str(app.kind == VALUE_DICT ? value_get_text(app, STR("problem")) : STR("")));
    VALUE_SET(vars, "text", value_str(text));
    VALUE_SET(vars, "cut", value_bool(cut));
    VALUE_SET(vars, "state", value_str(hub_path(rq->a, &rq->hub->config, "edge")));
    return hub_page(rq, 200, "log.html", vars, err);
}

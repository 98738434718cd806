/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/changes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"

#define EVENTS                                                                                                         \
    (IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF |   \
     IN_MOVE_SELF | IN_ONLYDIR)

struct changes {
    int queue;
};

enum status changes_new(struct changes **ret, struct err *err)
{
    int queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (queue < 0) {
        err_sys(err, STATUS_IO, errno, "cannot watch folders");
        return err_hint(err, "sysctl fs.inotify.max_user_instances raises the limit.");
    }
    *ret = MEM_NEW(struct changes);
    (*ret)->queue = queue;
    return STATUS_OK;
}

void changes_free(struct changes *c)
{
    if (!c)
        return;
    close(c->queue);
    free(c);
}

bool changes_add(struct changes *c, const char *folder)
{
    return inotify_add_watch(c->queue, folder, EVENTS) >= 0;
}

bool changes_any(struct changes *c)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool any = false;
    while (read(c->queue, events, sizeof events) > 0)
        any = true;
    return any;
}

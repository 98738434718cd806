/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/room.h"

#include <sys/statvfs.h>

#include "base/limits.h"

static enum status say(const struct hub *h, struct err *err)
{
    err_set(err, STATUS_DISK_FULL, "There is no room left on the disk here.");
    return err_hint(err, "Nothing was changed. Ask an administrator of %.*s for more room, and try again.",
                    STR_ARG(h->config.domain));
}

enum status hub_room(const struct hub *h, int64_t bytes, struct err *err)
{
    struct statvfs v;
    struct arena *a = arena_new_small();
    bool full = statvfs(hub_path(a, &h->config, "").p, &v) == 0 &&
                (int64_t)v.f_bavail * (int64_t)v.f_frsize < LIMIT_HUB_RESERVE + bytes;
    arena_free(a);
    return full ? say(h, err) : STATUS_OK;
}

enum status hub_room_or(const struct hub *h, enum status st, struct err *err)
{
    bool maybe = st == STATUS_IO || st == STATUS_INTERNAL;
    if (st != STATUS_DISK_FULL && (!maybe || hub_room(h, 0, NULL) == STATUS_OK))
        return st;
    return say(h, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"

#define LOOK_US 5000 /* between two tries */

/* Open-file-description locks: threads of one process keep each other out too, and closing another descriptor of the
 * file gives nothing up (fcntl(2)). 62 bits of hash: two names never meet. */
static bool take(int fd, const char *what, str id)
{
    uint64_t at = (str_hash(id) ^ (str_hash(str_of(what)) * UINT64_C(0x9e3779b97f4a7c15))) >> 2;
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1};
    int done;
    do
        done = fcntl(fd, F_OFD_SETLK, &l);
    while (done < 0 && errno == EINTR);
    return done == 0;
}

enum status hub_lock(struct hub *h, const char *what, str id, int64_t wait_ms, int *ret_fd, struct err *err)
{
    struct arena *a = arena_new_small();
    int64_t until = clock_mono_ms() + wait_ms;
    int fd = -1;
    enum status st = fs_open(hub_path(a, &h->config, "lock").p, O_RDWR | O_CREAT, 0600, &fd, err);
    arena_free(a);
    while (st == STATUS_OK && !take(fd, what, id)) {
        if (clock_mono_ms() >= until) {
            close(fd);
            err_set(err, STATUS_BUSY, "Somebody else changes this space at the same moment.");
            return err_hint(err, "Try again in a moment.");
        }
        (void)usleep(LOOK_US);
    }
    if (st == STATUS_OK)
        *ret_fd = fd;
    return st;
}

void hub_unlock(int fd)
{
    if (fd >= 0)
        close(fd);
}

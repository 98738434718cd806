/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

struct record { /* little endian in the file as on the machines we run on */
    uint64_t run, id;
};

enum status ledger_open(str path, struct ledger *ret, struct err *err)
{
    enum status st = STATUS_OK;
    int fd = -1;
    if (path.n) {
        char *text = mem_cstr(path);
        st = fs_open(text, O_RDWR | O_CREAT | O_APPEND, 0644, &fd, err);
        free(text);
    } else if ((fd = memfd_create("ledger", MFD_CLOEXEC)) < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0) {
        st = err_sys(err, STATUS_IO, errno, "no memory file for the ledger");
    }
    if (st == STATUS_OK)
        ret->fd = fd;
    return st;
}

void ledger_release(struct ledger *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* O_APPEND: records of several processes do not mix. */
enum status ledger_add(struct ledger *l, uint64_t run, uint64_t id, struct err *err)
{
    struct record r = {run, id};
    ssize_t n;
    do
        n = write(l->fd, &r, sizeof r);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof r ? STATUS_OK
                                  : err_sys(err, STATUS_IO, n < 0 ? errno : ENOSPC, "the ledger is not written");
}

enum status ledger_read(const struct ledger *l, uint64_t run, struct buf *out, struct err *err)
{
    struct record r[512];
    off_t at = 0;
    for (;;) {
        ssize_t n = pread(l->fd, r, sizeof r, at);
        if (n < 0)
            return err_sys(err, STATUS_IO, errno, "the ledger cannot be read");
        size_t count = (size_t)n / sizeof r[0];
        for (size_t i = 0; i < count; i++)
            if (r[i].run == run)
                buf_put(out, &r[i].id, sizeof r[i].id);
        if (out->over)
            return err_set(err, STATUS_TOO_LARGE, "the ledger of this run is larger than %zu bytes", out->max);
        if (!count)
            return STATUS_OK;
        at += (off_t)(count * sizeof r[0]);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/zip.h"

#include <errno.h>
#include <minizip/unzip.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"

#include "base/banned.h"

struct file { /* what minizip sees as a stream: a position of its own on a shared descriptor */
    int fd;
    uint64_t size, at;
};

struct zip_reader {
    struct file file;
    unzFile zip;
    str name; /* of the zip, for messages; borrowed */
    bool open;
};

static voidpf on_open(voidpf opaque, const void *name, int mode)
{
    (void)name;
    (void)mode;
    return opaque;
}

static uLong on_read(voidpf opaque, voidpf stream, void *to, uLong size)
{
    struct file *f = stream;
    uLong done = 0;
    (void)opaque;
    while (done < size) {
        ssize_t n = pread(f->fd, (char *)to + done, size - done, (off_t)f->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (uLong)n;
        f->at += (uint64_t)n;
    }
    return done;
}

static uLong on_write(voidpf opaque, voidpf stream, const void *from, uLong size)
{
    (void)opaque;
    (void)stream;
    (void)from;
    (void)size;
    return 0;
}

static ZPOS64_T on_tell(voidpf opaque, voidpf stream)
{
    (void)opaque;
    return ((const struct file *)stream)->at;
}

static long on_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin)
{
    struct file *f = stream;
    (void)opaque;
    uint64_t from = origin == ZLIB_FILEFUNC_SEEK_SET ? 0 : origin == ZLIB_FILEFUNC_SEEK_CUR ? f->at : f->size;
    if (offset > f->size || from > f->size - offset)
        return -1;
    f->at = from + offset;
    return 0;
}

static int on_close(voidpf opaque, voidpf stream)
{
    (void)opaque;
    (void)stream;
    return 0;
}

static int on_error(voidpf opaque, voidpf stream)
{
    (void)opaque;
    (void)stream;
    return 0;
}

static enum status damaged(str name, struct err *err)
{
    err_set(err, STATUS_INVALID, "%.*s is a damaged or truncated zip file", STR_ARG(name));
    return err_hint(err, "Fetch it again, or try to unpack it with unzip.");
}

static enum status reader_new(const struct source *s, struct zip_reader **ret, struct err *err)
{
    struct zip_reader *z = MEM_NEW(struct zip_reader);
    z->file = (struct file){.fd = s->fd, .size = s->size_bytes};
    z->name = s->name;
    zlib_filefunc64_def calls = {.zopen64_file = on_open,
                                 .zread_file = on_read,
                                 .zwrite_file = on_write,
                                 .ztell64_file = on_tell,
                                 .zseek64_file = on_seek,
                                 .zclose_file = on_close,
                                 .zerror_file = on_error,
                                 .opaque = &z->file};
    z->zip = unzOpen2_64("", &calls);
    if (!z->zip) {
        free(z);
        return damaged(s->name, err);
    }
    *ret = z;
    return STATUS_OK;
}

void zip_close(struct zip_reader *z)
{
    if (!z)
        return;
    if (z->open)
        unzCloseCurrentFile(z->zip);
    unzClose(z->zip);
    free(z);
}

static bool holds_data(str name)
{
    size_t slash = str_rfind_char(name, '/');
    str last = slash == STR_NPOS ? name : str_from(name, slash + 1);
    return last.n && last.p[0] != '.' && !str_starts(name, STR("__MACOSX/"));
}

enum status zip_list(struct arena *a, const struct source *s, struct zip_entry **ret, size_t *ret_count,
                     struct err *err)
{
    struct zip_reader *z = NULL;
    VEC(struct zip_entry) entries = {0};
    enum status st = reader_new(s, &z, err);
    if (st != STATUS_OK)
        return st;
    uint64_t index = 0;
    int rc = unzGoToFirstFile(z->zip);
    for (; rc == UNZ_OK; rc = unzGoToNextFile(z->zip), index++) {
        unz_file_info64 info = {0};
        char name[1024];
        if (index >= (uint64_t)LIMIT_INGEST_ZIP_ENTRIES) {
            zip_close(z);
            err_set(err, STATUS_TOO_LARGE, "%.*s holds more than %d files", STR_ARG(s->name), LIMIT_INGEST_ZIP_ENTRIES);
            return err_hint(err, "Unpack it, and import the file that you want.");
        }
        if (unzGetCurrentFileInfo64(z->zip, &info, name, sizeof name - 1, NULL, 0, NULL, 0) != UNZ_OK)
            break;
        name[sizeof name - 1] = '\0';
        str text = utf8_repair(a, arena_str(a, str_of(name)));
        if (holds_data(text))
            VEC_PUSH(a, &entries, (struct zip_entry){text, index, info.uncompressed_size});
    }
    zip_close(z);
    if (rc != UNZ_END_OF_LIST_OF_FILE && index)
        return damaged(s->name, err);
    *ret = entries.items;
    *ret_count = entries.count;
    return STATUS_OK;
}

enum status zip_open(const struct source *s, uint64_t index, struct zip_reader **ret, struct err *err)
{
    struct zip_reader *z = NULL;
    unz_file_info64 info = {0};
    enum status st = reader_new(s, &z, err);
    if (st != STATUS_OK)
        return st;
    int rc = unzGoToFirstFile(z->zip);
    for (uint64_t i = 0; i < index && rc == UNZ_OK; i++)
        rc = unzGoToNextFile(z->zip);
    if (rc == UNZ_OK)
        rc = unzGetCurrentFileInfo64(z->zip, &info, NULL, 0, NULL, 0, NULL, 0);
    if (rc == UNZ_OK && (info.flag & 1))
        st = err_set(err, STATUS_INVALID, "%.*s is encrypted: unpack it first", STR_ARG(s->name));
    else if (rc == UNZ_OK && info.compression_method != 0 && info.compression_method != 8)
        st = err_set(err, STATUS_INVALID, "%.*s is packed by a method (%lu) that is not known: unpack it first",
                     STR_ARG(s->name), info.compression_method);
    else if (rc != UNZ_OK || unzOpenCurrentFile(z->zip) != UNZ_OK)
        st = damaged(s->name, err);
    if (st != STATUS_OK) {
        zip_close(z);
        return st;
    }
    z->open = true;
    *ret = z;
    return STATUS_OK;
}

enum status zip_read(struct zip_reader *z, char *p, size_t size, size_t *ret_n, struct err *err)
{
    int n = unzReadCurrentFile(z->zip, p, (unsigned)MIN(size, (size_t)1 << 30));
    if (n < 0)
        return damaged(z->name, err);
    if (n == 0) {
        int rc = unzCloseCurrentFile(z->zip);
        z->open = false;
        if (rc != UNZ_OK) /* the checksum, or fewer bytes than the directory says */
            return damaged(z->name, err);
    }
    *ret_n = (size_t)n;
    return STATUS_OK;
}

uint64_t zip_position(const struct zip_reader *z)
{
    return z->file.at;
}

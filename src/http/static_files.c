/* SPDX-License-Identifier: Apache-2.0 */
/* static_files — a directory as answers.
 *
 * Why on the loop: opening and looking at a file whose directory entry is cached takes 2-3 us, a hand-over to a worker
 * and back takes more than 20. Hashing a new file for its ETag and compressing it can take long: over 16 KiB that is
 * refused on the loop (AGAIN) and left to static_dir_serve_blocking, once per state of the file.
 *
 * Every request opens the file, so a changed or removed file is seen at once. What is remembered, under the identity
 * (device, inode, mtime, ctime, size), is the ETag, and for small files the whole answer as a blob, gzip variant
 * included: then the open descriptor is closed again and no byte is read.
 *
 * Safety: the path is decoded and resolved as text first (uri_file_path), then the kernel is told to keep below the
 * root (openat2 RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, Linux 5.6), which also holds for symbolic links: those that
 * stay inside work. Without openat2 (old kernel, seccomp) the path is walked with O_NOFOLLOW and links do not work at
 * all. Non-blocking opens, so that a FIFO cannot hang the loop; only regular files are served.
 *
 * Lock: one mutex around the table of remembered files; held for a look-up, never for I/O or hashing. */
/* OpenSSL first: its headers use names that base/banned.h poisons. */
#include <openssl/evp.h>

#include "http/static_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "http/mime.h"
#include "http/uri.h"
#include "rt/fault.h"

#define READ_PIECE 65536
#define TABLE      1024 /* heads of the chains of remembered files */

struct file_key {
    dev_t dev;
    ino_t ino;
    int64_t mtime_ns, ctime_ns, size;
};

struct entry {
    struct entry *chain;         /* same slot of the table */
    struct entry *newer, *older; /* least recently used last */
    struct file_key key;
    str name;               /* Content-Type follows from it */
    char etag[40];          /* with quotes */
    struct http_blob *blob; /* NULL: a big file */
};

struct static_dir {
    int root_fd;
    char *cache_control; /* NULL = none */
    bool dot_files;
    size_t cache_max;
    pthread_mutex_t mutex; /* guards all below */
    struct entry *table[TABLE];
    struct entry *newest, *oldest;
    size_t count, bytes;
    bool no_openat2;
};

/* ---- opening ---- */

static int open_walking(const struct static_dir *d, const char *path)
{
    int dir = d->root_fd;
    for (;;) {
        const char *slash = strchr(path, '/');
        char name[256];
        size_t n = slash ? (size_t)(slash - path) : strlen(path);
        int fd = -1;
        if (n < sizeof(name)) {
            memcpy(name, path, n);
            name[n] = '\0';
            fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | (slash ? O_DIRECTORY : 0));
        } else {
            errno = ENOENT;
        }
        int saved = errno;
        if (dir != d->root_fd)
            (void)close(dir);
        errno = saved;
        if (fd < 0 || !slash || !slash[1])
            return fd;
        dir = fd;
        path = slash + 1;
    }
}

static int open_beneath(struct static_dir *d, const char *path)
{
    if (!__atomic_load_n(&d->no_openat2, __ATOMIC_RELAXED)) {
        struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
        int fd;
        do {
            fd = FAULT("http.openat2") ? (errno = ENOSYS, -1)
                                       : (int)syscall(SYS_openat2, d->root_fd, path, &how, sizeof(how));
        } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
        if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
            return fd;
        __atomic_store_n(&d->no_openat2, true, __ATOMIC_RELAXED);
    }
    return open_walking(d, path);
}

static enum status open_error(int e, str raw_path, struct err *err)
{
    int n = (int)MIN(raw_path.n, 200);
    if (e == EACCES)
        return err_set(err, STATUS_FORBIDDEN, "No permission to read %.*s", n, raw_path.p);
    if (e == EMFILE || e == ENFILE || e == ENOMEM)
        return err_sys(err, STATUS_BUSY, e, "Cannot open %.*s", n, raw_path.p);
    return err_set(err, STATUS_NOT_FOUND, "No such file: %.*s", n, raw_path.p);
}

static bool has_dot_name(str path)
{
    return str_starts(path, STR(".")) || str_find(path, STR("/.")) != STR_NPOS;
}

static enum status open_file(struct static_dir *d, struct arena *a, str raw_path, int *ret_fd, struct stat *ret_stat,
                             str *ret_path, struct err *err)
{
    str path;
    enum status st = uri_file_path(a, raw_path, &path, err);
    if (st != STATUS_OK)
        return st;
    if (!path.n)
        return err_set(err, STATUS_FORBIDDEN, "Directory listings are not given");
    if (!d->dot_files && has_dot_name(path))
        return open_error(ENOENT, raw_path, err);
    int fd = open_beneath(d, path.p);
    if (fd < 0)
        return open_error(errno, raw_path, err);
    if (fstat(fd, ret_stat) != 0)
        st = err_sys(err, STATUS_IO, errno, "Cannot look at %.*s", (int)MIN(path.n, 200), path.p);
    else if (S_ISDIR(ret_stat->st_mode))
        st = err_set(err, STATUS_FORBIDDEN, "Directory listings are not given");
    else if (!S_ISREG(ret_stat->st_mode) || path.p[path.n - 1] == '/')
        st = open_error(ENOENT, raw_path, err);
    if (st != STATUS_OK) {
        (void)close(fd);
        return st;
    }
    *ret_fd = fd;
    *ret_path = path;
    return STATUS_OK;
}

/* ---- what is remembered ---- */

static struct file_key key_of(const struct stat *st)
{
    return (struct file_key){.dev = st->st_dev,
                             .ino = st->st_ino,
                             .mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
                             .ctime_ns = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec,
                             .size = st->st_size};
}

static size_t slot_of(const struct file_key *k)
{
    return (size_t)((uint64_t)k->ino * UINT64_C(0x9e3779b97f4a7c15) >> 54) % TABLE;
}

static bool key_eq(const struct file_key *a, const struct file_key *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns &&
           a->size == b->size;
}

static void unlink_lru(struct static_dir *d, struct entry *e)
{
    *(e->newer ? &e->newer->older : &d->newest) = e->older;
    *(e->older ? &e->older->newer : &d->oldest) = e->newer;
}

static void push_newest(struct static_dir *d, struct entry *e)
{
    e->newer = NULL;
    e->older = d->newest;
    *(d->newest ? &d->newest->newer : &d->oldest) = e;
    d->newest = e;
}

static size_t entry_bytes(const struct entry *e)
{
    return sizeof(*e) + e->name.n + (e->blob ? e->blob->size : 0);
}

static void entry_free(struct entry *e)
{
    http_blob_unref(e->blob);
    free(e);
}

static void drop(struct static_dir *d, struct entry *e)
{
    struct entry **at = &d->table[slot_of(&e->key)];
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlink_lru(d, e);
    d->count--;
    d->bytes -= entry_bytes(e);
    entry_free(e);
}

/* Copies the ETag out and takes a reference on the blob; false when nothing is known. A hard link with another name,
 * and so maybe another type, is another entry. An older state of the same file is forgotten on the way. */
static bool recall(struct static_dir *d, const struct file_key *key, str name, char etag[40],
                   struct http_blob **ret_blob)
{
    bool found = false;
    (void)pthread_mutex_lock(&d->mutex);
    struct entry *next;
    for (struct entry *e = d->table[slot_of(key)]; e && !found; e = next) {
        next = e->chain;
        if (e->key.dev != key->dev || e->key.ino != key->ino || !str_eq(e->name, name))
            continue;
        if (!key_eq(&e->key, key)) {
            drop(d, e);
            continue;
        }
        found = true;
        memcpy(etag, e->etag, sizeof(e->etag));
        *ret_blob = e->blob ? http_blob_ref(e->blob) : NULL;
        if (d->newest != e) {
            unlink_lru(d, e);
            push_newest(d, e);
        }
    }
    (void)pthread_mutex_unlock(&d->mutex);
    return found;
}

static void remember(struct static_dir *d, const struct file_key *key, str name, const char etag[40],
                     struct http_blob *blob)
{
    struct entry *e = mem_alloc(sizeof(*e) + name.n);
    e->key = *key;
    memcpy(e + 1, name.p, name.n);
    e->name = str_make((char *)(e + 1), name.n);
    memcpy(e->etag, etag, sizeof(e->etag));
    e->blob = blob ? http_blob_ref(blob) : NULL;
    (void)pthread_mutex_lock(&d->mutex);
    struct entry **slot = &d->table[slot_of(key)];
    e->chain = *slot;
    *slot = e;
    push_newest(d, e);
    d->count++;
    d->bytes += entry_bytes(e);
    while (d->oldest && (d->count > (size_t)LIMIT_STATIC_FILES || d->bytes > d->cache_max))
        drop(d, d->oldest);
    (void)pthread_mutex_unlock(&d->mutex);
}

/* ---- reading ---- */

static enum status read_at(int fd, char *p, size_t size, int64_t offset, struct err *err)
{
    if (FAULT("http.static_read"))
        return err_sys(err, STATUS_IO, EIO, "Cannot read a file");
    for (size_t n = 0; n < size;) {
        ssize_t got = pread(fd, p + n, size - n, offset + (int64_t)n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? err_sys(err, STATUS_IO, errno, "Cannot read a file")
                           : err_set(err, STATUS_IO, "A file became shorter while it was read");
        n += (size_t)got;
    }
    return STATUS_OK;
}

/* MD5, since Datasette's ETags of static files are that; it guards against nothing. */
static enum status hash_file(int fd, int64_t size, char etag[40], struct err *err)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned int raw_n = 0;
    char *piece = mem_alloc(READ_PIECE);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    ASSERT(md && EVP_DigestInit_ex(md, EVP_md5(), NULL) == 1);
    enum status st = STATUS_OK;
    for (int64_t at = 0; at < size && st == STATUS_OK;) {
        size_t n = (size_t)MIN(size - at, READ_PIECE);
        st = read_at(fd, piece, n, at, err);
        if (st == STATUS_OK)
            ASSERT(EVP_DigestUpdate(md, piece, n) == 1);
        at += (int64_t)n;
    }
    ASSERT(EVP_DigestFinal_ex(md, raw, &raw_n) == 1 && raw_n == 16);
    EVP_MD_CTX_free(md);
    free(piece);
    if (st != STATUS_OK)
        return st;
    static const char hex[] = "0123456789abcdef";
    etag[0] = etag[33] = '"';
    etag[34] = '\0';
    for (unsigned i = 0; i < raw_n; i++) {
        etag[1 + 2 * i] = hex[raw[i] >> 4];
        etag[2 + 2 * i] = hex[raw[i] & 15];
    }
    return STATUS_OK;
}

static void common_headers(const struct static_dir *d, struct http_headers *h, struct arena *a, str path,
                           const struct stat *st, const char *etag)
{
    char date[CLOCK_HTTP_LEN + 1];
    clock_format_http(st->st_mtim.tv_sec, date);
    (void)http_headers_add(h, a, STR("content-type"), mime_of_path(path));
    (void)http_headers_add(h, a, STR("etag"), arena_str(a, str_of(etag)));
    (void)http_headers_add(h, a, STR("last-modified"), arena_str(a, str_of(date)));
    (void)http_headers_add(h, a, STR("accept-ranges"), STR("bytes"));
    (void)http_headers_add(h, a, STR("x-content-type-options"), STR("nosniff"));
    if (d->cache_control)
        (void)http_headers_add(h, a, STR("cache-control"), str_of(d->cache_control));
}

static enum status make_blob(const struct static_dir *d, int fd, struct arena *a, str path, const struct stat *st,
                             const char *etag, struct http_blob **ret, struct err *err)
{
    char *bytes = arena_alloc_raw(a, (size_t)st->st_size + 1);
    enum status status = read_at(fd, bytes, (size_t)st->st_size, 0, err);
    if (status != STATUS_OK)
        return status;
    struct http_headers h = {NULL, 0, 0};
    common_headers(d, &h, a, path, st, etag);
    *ret = http_blob_new(200, &h, str_make(bytes, (size_t)st->st_size), (str){NULL, 0}, HTTP_BLOB_GZIP);
    return STATUS_OK;
}

/* ---- serving ---- */

static enum status serve_open(struct static_dir *d, const struct http_request *rq, int fd, str path,
                              const struct stat *st, bool may_block, struct http_response *r, struct err *err)
{
    struct arena *a = rq->arena;
    struct file_key key = key_of(st);
    struct http_blob *blob = NULL;
    char etag[40];
    size_t slash = str_rfind_char(path, '/');
    str name = slash == STR_NPOS ? path : str_from(path, slash + 1);
    if (!recall(d, &key, name, etag, &blob)) {
        bool small = key.size <= LIMIT_STATIC_SMALL;
        if (key.size > LIMIT_STATIC_INLINE && !may_block)
            return STATUS_AGAIN;
        enum status status = hash_file(fd, key.size, etag, err);
        if (status == STATUS_OK && small)
            status = make_blob(d, fd, a, path, st, etag, &blob, err);
        if (status != STATUS_OK)
            return status;
        remember(d, &key, name, etag, blob);
    }
    /* Ranges are of the identity bytes: they come from the file. */
    if (blob && !http_headers_has(&rq->headers, STR("range"))) {
        (void)close(fd);
        response_body_blob(r, blob);
        return STATUS_OK;
    }
    http_blob_unref(blob);
    r->status = 200;
    common_headers(d, &r->headers, r->arena, path, st, etag);
    response_body_file(r, fd, 0, key.size);
    return STATUS_OK;
}

static enum status serve(struct static_dir *d, const struct http_request *rq, str raw_path, bool may_block,
                         struct http_response *r, struct err *err)
{
    struct stat st;
    int fd;
    str path = {0};
    if (rq->method != HTTP_GET && rq->method != HTTP_HEAD)
        return err_set(err, STATUS_METHOD, "Files are read with GET and HEAD");
    enum status status = open_file(d, rq->arena, raw_path, &fd, &st, &path, err);
    if (status != STATUS_OK)
        return status;
    status = serve_open(d, rq, fd, path, &st, may_block, r, err);
    if (status != STATUS_OK)
        (void)close(fd);
    return status;
}

enum status static_dir_serve(struct static_dir *d, const struct http_request *rq, str raw_path, struct http_response *r,
                             struct err *err)
{
    return serve(d, rq, raw_path, false, r, err);
}

enum status static_dir_serve_blocking(struct static_dir *d, const struct http_request *rq, str raw_path,
                                      struct http_response *r, struct err *err)
{
    return serve(d, rq, raw_path, true, r, err);
}

enum status static_dir_new(const struct static_options *o, struct static_dir **ret, struct err *err)
{
    char *path = mem_cstr(o->path);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), e = errno;
    free(path);
    if (fd < 0)
        return err_sys(err, e == ENOTDIR ? STATUS_INVALID : STATUS_IO, e, "Cannot serve files from %.*s",
                       (int)MIN(o->path.n, 500), o->path.p);
    struct static_dir *d = MEM_NEW(struct static_dir);
    d->root_fd = fd;
    d->cache_control = o->cache_control.n ? mem_cstr(o->cache_control) : NULL;
    d->dot_files = o->dot_files;
    d->cache_max = o->cache_bytes ? o->cache_bytes : LIMIT_STATIC_CACHE;
    (void)pthread_mutex_init(&d->mutex, NULL);
    *ret = d;
    return STATUS_OK;
}

void static_dir_free(struct static_dir *d)
{
    if (!d)
        return;
    while (d->oldest)
        drop(d, d->oldest);
    (void)pthread_mutex_destroy(&d->mutex);
    (void)close(d->root_fd);
    free(d->cache_control);
    free(d);
}

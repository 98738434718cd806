/* SPDX-License-Identifier: Apache-2.0 */
#include "http/blob.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/compress.h"
#include "codec/digest.h"
#include "http/message.h"
#include "http/mime.h"
#include "http/response.h"
#include "rt/fault.h"

#define GZIP_LEVEL 6 /* made once, sent often */

/* Fields of a 304 (RFC 9110 section 15.4.5); Date is the server's. */
static bool in_304(str name)
{
    static const char *const names[] = {"etag",
                                        "cache-control",
                                        "content-location",
                                        "expires",
                                        "vary",
                                        "set-cookie",
                                        "referrer-policy",
                                        "link",
                                        "access-control-allow-origin"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(name, str_of(names[i])))
            return true;
    return false;
}

struct draft { /* what goes into one blob */
    const struct http_headers *headers;
    str etag, body, gzip;
    bool varies, own_etag;
};

static void put_line(struct buf *out, str name, str value)
{
    buf_puts(out, name);
    buf_put(out, ": ", 2);
    buf_puts(out, value);
    buf_put(out, "\r\n", 2);
}

enum part { PART_IDENTITY, PART_GZIP, PART_304 };

static void put_head(struct buf *out, const struct draft *d, enum part part)
{
    for (size_t i = 0; i < d->headers->count; i++) {
        const struct http_header *h = &d->headers->items[i];
        if ((part == PART_304 && !in_304(h->name)) || str_eq_nocase(h->name, STR("etag")))
            continue;
        put_line(out, h->name, h->value);
    }
    if (d->etag.n) {
        buf_puts(out, STR("etag: "));
        /* Other bytes than the tag was made of: comparable only weakly (RFC 9110 section 8.8.1). */
        if (part == PART_GZIP && !str_starts(d->etag, STR("W/")))
            buf_puts(out, STR("W/"));
        buf_puts(out, d->etag);
        buf_put(out, "\r\n", 2);
    }
    if (d->varies)
        buf_puts(out, STR("vary: Accept-Encoding\r\n"));
    if (part == PART_GZIP)
        buf_puts(out, STR("content-encoding: gzip\r\n"));
    if (part != PART_304) {
        buf_puts(out, STR("content-length: "));
        buf_put_u64(out, part == PART_GZIP ? d->gzip.n : d->body.n);
        buf_put(out, "\r\n", 2);
    }
    buf_put(out, "\r\n", 2);
}

static str take_bytes(char **at, str s)
{
    char *to = *at;
    if (s.n)
        memcpy(to, s.p, s.n);
    *at += s.n;
    return str_make(to, s.n);
}

static struct http_blob *assemble(int status, const struct draft *d, unsigned flags)
{
    struct buf heads[3];
    size_t size = sizeof(struct http_blob);
    for (int i = 0; i < 3; i++) {
        buf_init(&heads[i], LIMIT_HTTP_RESPONSE_HEAD);
        put_head(&heads[i], d, (enum part)i);
        ASSERT(!heads[i].over);
        size += heads[i].n;
    }
    str modified = http_headers_get(d->headers, STR("last-modified"));
    bool borrow = (flags & HTTP_BLOB_STATIC) != 0;
    size = size_add(size, d->etag.n + modified.n + (borrow ? 0 : size_add(d->body.n, d->gzip.n)));
    struct http_blob *b = mem_alloc(size);
    char *at = (char *)(b + 1);
    atomic_init(&b->refs, 1);
    b->status = status;
    b->size = size;
    atomic_init(&b->file, 0);
    atomic_init(&b->asked, 0);
    b->etag = take_bytes(&at, d->etag);
    b->modified = take_bytes(&at, modified);
    b->head = take_bytes(&at, buf_str(&heads[PART_IDENTITY]));
    b->head_304 = take_bytes(&at, buf_str(&heads[PART_304]));
    b->gzip_head = take_bytes(&at, buf_str(&heads[PART_GZIP]));
    b->body = borrow ? d->body : take_bytes(&at, d->body);
    if (d->gzip.p)
        b->gzip = borrow ? d->gzip : take_bytes(&at, d->gzip);
    for (int i = 0; i < 3; i++)
        buf_release(&heads[i]);
    return b;
}

struct http_blob *http_blob_new(int status, const struct http_headers *headers, str body, str gzip, unsigned flags)
{
    static const struct http_headers none = {NULL, 0, 0};
    struct draft d = {.headers = headers ? headers : &none, .body = body, .gzip = gzip};
    char hex[DIGEST_HEX_MAX], quoted[DIGEST_HEX_MAX + 2];
    struct buf packed;
    buf_init(&packed, body.n + RESPONSE_GZIP_ROOM);
    d.etag = http_headers_get(d.headers, STR("etag"));
    if (!d.etag.n && (flags & HTTP_BLOB_ETAG)) {
        digest_md5_hex(body, hex);
        d.etag = str_make(quoted, (size_t)snprintf(quoted, sizeof(quoted), "\"%s\"", hex));
    }
    bool encoded = http_headers_has(d.headers, STR("content-encoding"));
    if (!gzip.p && (flags & HTTP_BLOB_GZIP) && !encoded && body.n >= LIMIT_GZIP_MIN &&
        mime_compressible(http_headers_get(d.headers, STR("content-type"))) &&
        compress_gzip(&packed, body, GZIP_LEVEL) == STATUS_OK && packed.n < body.n)
        d.gzip = buf_str(&packed);
    d.varies = d.gzip.p && !http_list_has(http_headers_get(d.headers, STR("vary")), STR("accept-encoding"));
    /* A variant made here is on the heap even when the body itself is static. */
    bool made_here = d.gzip.p && !gzip.p;
    struct http_blob *b = assemble(status, &d, made_here ? flags & ~(unsigned)HTTP_BLOB_STATIC : flags);
    buf_release(&packed);
    return b;
}

struct http_blob *http_blob_from_response(const struct http_response *r, unsigned flags)
{
    str body = r->kind == HTTP_BODY_BUF ? buf_str(&r->buf) : r->kind == HTTP_BODY_TEXT ? r->text : STR("");
    if ((r->kind != HTTP_BODY_BUF && r->kind != HTTP_BODY_TEXT && r->kind != HTTP_BODY_NONE) || r->prepared ||
        r->bad_header || r->status < 200 || r->status == 204 || r->status == 304)
        return NULL;
    return http_blob_new(r->status, &r->headers, body, (str){NULL, 0}, flags & ~(unsigned)HTTP_BLOB_STATIC);
}

struct http_blob *http_blob_ref(struct http_blob *b)
{
    unsigned before = atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return b;
}

/* ---- memory files ---- */

static atomic_size_t files, files_bytes;

static void unreserve(size_t bytes)
{
    atomic_fetch_sub(&files, 1);
    atomic_fetch_sub(&files_bytes, bytes);
}

static bool reserve(size_t bytes)
{
    size_t count = atomic_fetch_add(&files, 1), sum = atomic_fetch_add(&files_bytes, bytes);
    if (count < LIMIT_BLOB_FILES && sum + bytes <= LIMIT_BLOB_FILE_BYTES)
        return true;
    unreserve(bytes);
    return false;
}

static int make_file(str body)
{
    int fd = memfd_create("answer", MFD_CLOEXEC);
    for (size_t at = 0; fd >= 0 && at < body.n;) {
        ssize_t n = FAULT("http.blob_file") ? -1 : write(fd, body.p + at, body.n - at);
        if (n <= 0) {
            close(fd);
            fd = -1;
        } else {
            at += (size_t)n;
        }
    }
    return fd;
}

int http_blob_file(struct http_blob *b)
{
    if (b->body.n < LIMIT_BLOB_FILE_MIN)
        return -1;
    int fd = atomic_load_explicit(&b->file, memory_order_acquire);
    if (fd > 0)
        return fd;
    if (atomic_fetch_add_explicit(&b->asked, 1, memory_order_relaxed) != 1 || !reserve(b->body.n))
        return -1; /* one caller tries, once */
    fd = make_file(b->body);
    if (fd < 0)
        unreserve(b->body.n);
    else
        atomic_store_explicit(&b->file, fd, memory_order_release);
    return fd;
}

void http_blob_unref(struct http_blob *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    int fd = atomic_load_explicit(&b->file, memory_order_relaxed);
    if (fd > 0) {
        close(fd);
        unreserve(b->body.n);
    }
    free(b);
}

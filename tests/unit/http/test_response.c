/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "http/response.h"
#include "test.h"

static struct arena *a;
static struct http_request rq;
static struct http_response r;

/* A GET with up to two header fields, and a response with text body of `n` bytes. */
static void given(size_t n, const char *name1, const char *value1, const char *name2, const char *value2)
{
    static char text[10000];
    memset(text, 'x', sizeof(text));
    a = arena_new(1 << 20);
    rq = (struct http_request){.method = HTTP_GET, .minor = 1, .arena = a};
    if (name1)
        CHECK(http_headers_add(&rq.headers, a, str_of(name1), str_of(value1)));
    if (name2)
        CHECK(http_headers_add(&rq.headers, a, str_of(name2), str_of(value2)));
    response_init(&r, a);
    CHECK(response_header(&r, STR("Content-Type"), STR("text/html; charset=utf-8")));
    CHECK(response_header(&r, STR("ETag"), STR("\"t\"")));
    response_body_text(&r, str_make(text, n));
}

static void done(void)
{
    response_release(&r);
    arena_free(a);
}

static str head(bool chunked)
{
    struct buf b;
    buf_init(&b, LIMIT_HTTP_RESPONSE_HEAD);
    response_write_head(&r, chunked, &b);
    str copy = arena_str(a, buf_str(&b));
    buf_release(&b);
    return copy;
}

TEST(plain_answer)
{
    given(5, NULL, NULL, NULL, NULL);
    response_prepare(&r, &rq);
    CHECK_STR(head(false), "Content-Type: text/html; charset=utf-8\r\nETag: \"t\"\r\ncontent-length: 5\r\n\r\n");
    done();
}

TEST(not_modified)
{
    given(5, "If-None-Match", "\"x\", W/\"t\"", NULL, NULL);
    CHECK(response_header(&r, STR("Cache-Control"), STR("max-age=5")));
    response_prepare(&r, &rq);
    CHECK_INT(r.status, 304);
    CHECK_STR(head(false), "ETag: \"t\"\r\nCache-Control: max-age=5\r\n\r\n");
    done();
    given(5, "If-None-Match", "\"t\"", NULL, NULL);
    rq.method = HTTP_POST;
    response_prepare(&r, &rq);
    CHECK_INT(r.status, 200);
    done();
    given(5, "If-None-Match", "\"t\"", NULL, NULL);
    r.status = 404;
    response_prepare(&r, &rq);
    CHECK_INT(r.status, 404);
    done();
}

TEST(gzip_when_it_pays)
{
    given(5000, "Accept-Encoding", "gzip", NULL, NULL);
    response_prepare(&r, &rq);
    CHECK_STR(response_header_get(&r, STR("content-encoding")), "gzip");
    CHECK_STR(response_header_get(&r, STR("vary")), "Accept-Encoding");
    CHECK_STR(response_header_get(&r, STR("etag")), "W/\"t\"");
    CHECK(r.kind == HTTP_BODY_BUF && r.buf.n < 100);
    size_t n = r.buf.n;
    response_prepare(&r, &rq); /* once only */
    CHECK_INT(r.buf.n, n);
    done();
    given(LIMIT_GZIP_MIN - 1, "Accept-Encoding", "gzip", NULL, NULL);
    response_prepare(&r, &rq);
    CHECK(!response_header_get(&r, STR("content-encoding")).p);
    done();
    given(5000, NULL, NULL, NULL, NULL);
    response_prepare(&r, &rq);
    CHECK_STR(response_header_get(&r, STR("vary")), "Accept-Encoding");
    CHECK(!response_header_get(&r, STR("content-encoding")).p);
    done();
    given(5000, "Accept-Encoding", "gzip", NULL, NULL);
    CHECK(response_header_set(&r, STR("content-type"), STR("image/png")));
    response_prepare(&r, &rq);
    CHECK(!response_header_get(&r, STR("vary")).p);
    done();
    given(5000, "Accept-Encoding", "gzip", NULL, NULL);
    response_fit(&r, &rq, 0); /* the loop's way: never compresses */
    CHECK(!response_header_get(&r, STR("content-encoding")).p);
    done();
}

TEST(head_keeps_the_length)
{
    given(5, NULL, NULL, NULL, NULL);
    rq.method = HTTP_HEAD;
    response_prepare(&r, &rq);
    CHECK(r.no_body);
    CHECK(str_find(head(false), STR("content-length: 5\r\n")) != STR_NPOS);
    done();
}

static void given_file(const char *range, const char *if_range)
{
    given(0, "Range", range, if_range ? "If-Range" : NULL, if_range);
    int fd = open("/dev/null", O_RDONLY);
    CHECK(fd >= 0);
    response_body_file(&r, fd, 0, 100);
    response_prepare(&r, &rq);
}

TEST(file_ranges)
{
    given_file("bytes=10-19", NULL);
    CHECK_INT(r.status, 206);
    CHECK_INT(r.offset, 10);
    CHECK_INT(r.length, 10);
    CHECK_STR(response_header_get(&r, STR("content-range")), "bytes 10-19/100");
    CHECK_STR(response_header_get(&r, STR("accept-ranges")), "bytes");
    done();
    given_file("bytes=100-", NULL);
    CHECK_INT(r.status, 416);
    CHECK_STR(response_header_get(&r, STR("content-range")), "bytes */100");
    done();
    given_file("bytes=0-1,5-6", NULL);
    CHECK_INT(r.status, 200);
    CHECK_INT(r.length, 100);
    done();
    given_file("bytes=0-1", "\"other\"");
    CHECK_INT(r.status, 200);
    done();
    given_file("bytes=0-1", "\"t\"");
    CHECK_INT(r.status, 206);
    done();
}

TEST(reserved_and_bad_headers)
{
    given(1, NULL, NULL, NULL, NULL);
    CHECK(!response_header(&r, STR("Content-Length"), STR("5")));
    CHECK(r.bad_header);
    done();
    given(1, NULL, NULL, NULL, NULL);
    CHECK(!response_header(&r, STR("Location"), STR("/x\r\nSet-Cookie: y")));
    CHECK(r.bad_header);
    done();
}

TEST(bodies_are_released)
{
    struct buf b;
    given(1, NULL, NULL, NULL, NULL);
    int fd = open("/dev/null", O_RDONLY);
    response_body_file(&r, fd, 0, 1);
    buf_init(&b, 100);
    buf_puts(&b, STR("hello"));
    response_body_take(&r, &b);
    CHECK(fcntl(fd, F_GETFD) < 0); /* replaced, so closed */
    CHECK(!b.p && r.buf.n == 5);
    response_clear(&r);
    CHECK(r.kind == HTTP_BODY_NONE && !r.headers.count && r.status == 200);
    response_release(&r);
    done();
}

TEST(blobs)
{
    static char text[5000];
    struct http_headers h = {NULL, 0, 0};
    a = arena_new(1 << 20);
    memset(text, 'y', sizeof(text));
    CHECK(http_headers_add(&h, a, STR("content-type"), STR("text/css")));
    CHECK(http_headers_add(&h, a, STR("cache-control"), STR("max-age=1")));
    struct http_blob *b =
        http_blob_new(200, &h, str_make(text, sizeof(text)), (str){NULL, 0}, HTTP_BLOB_GZIP | HTTP_BLOB_ETAG);
    CHECK_STR(b->etag, "\"a1afb2336d5b67da1f874c942dcf58f3\"");
    CHECK(b->gzip.n && b->gzip.n < 100);
    CHECK(str_find(b->head, STR("content-length: 5000\r\n\r\n")) != STR_NPOS);
    CHECK(str_find(b->head, STR("vary: Accept-Encoding\r\n")) != STR_NPOS);
    CHECK(str_find(b->gzip_head, STR("etag: W/\"")) != STR_NPOS);
    CHECK(str_find(b->gzip_head, STR("content-encoding: gzip\r\n")) != STR_NPOS);
    CHECK(str_find(b->head_304, STR("content-")) == STR_NPOS);
    CHECK(str_find(b->head_304, STR("cache-control: max-age=1\r\n")) != STR_NPOS);
    CHECK(b->body.p != text);

    rq = (struct http_request){.method = HTTP_GET, .minor = 1, .arena = a};
    response_init(&r, a);
    response_body_blob(&r, http_blob_ref(b));
    struct blob_choice c = response_choose_blob(&r, &rq);
    CHECK(c.head.p == b->head.p && c.body.p == b->body.p);
    CHECK(http_headers_add(&rq.headers, a, STR("accept-encoding"), STR("gzip")));
    c = response_choose_blob(&r, &rq);
    CHECK(c.body.p == b->gzip.p);
    CHECK(http_headers_add(&rq.headers, a, STR("if-none-match"), b->etag));
    c = response_choose_blob(&r, &rq);
    CHECK(r.status == 304 && c.head.p == b->head_304.p && !c.body.n);
    response_release(&r);
    http_blob_unref(b);

    b = http_blob_new(404, NULL, STR("static"), (str){NULL, 0}, HTTP_BLOB_STATIC);
    CHECK(!b->gzip.p && !b->etag.n && b->status == 404);
    CHECK_STR(b->body, "static");
    http_blob_unref(b);
    http_blob_unref(NULL);
    arena_free(a);
}

TEST(blob_from_response)
{
    given(3000, NULL, NULL, NULL, NULL);
    struct http_blob *b = http_blob_from_response(&r, HTTP_BLOB_GZIP);
    CHECK(b && b->gzip.n && b->body.n == 3000);
    CHECK_STR(b->etag, "\"t\"");
    http_blob_unref(b);
    r.prepared = true;
    CHECK(!http_blob_from_response(&r, 0));
    done();
}

static struct http_blob *large_blob(char fill, size_t n)
{
    char *text = malloc(n);
    ASSERT(text);
    memset(text, fill, n);
    struct http_blob *b = http_blob_new(200, NULL, str_make(text, n), (str){NULL, 0}, 0);
    free(text);
    return b;
}

TEST(large_blob_in_a_memory_file)
{
    struct http_blob *small = large_blob('s', LIMIT_BLOB_FILE_MIN - 1), *b = large_blob('b', LIMIT_BLOB_FILE_MIN);
    for (int i = 0; i < 3; i++)
        CHECK_INT(http_blob_file(small), -1);
    CHECK_INT(http_blob_file(b), -1); /* asked for once: not worth it */
    int fd = http_blob_file(b);
    CHECK(fd > 0);
    CHECK_INT(http_blob_file(b), fd);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    char bytes[LIMIT_BLOB_FILE_MIN + 1];
    CHECK_INT(pread(fd, bytes, sizeof(bytes), 0), LIMIT_BLOB_FILE_MIN);
    CHECK(str_eq(str_make(bytes, LIMIT_BLOB_FILE_MIN), b->body));
    http_blob_unref(small);
    http_blob_unref(b);
    CHECK_INT(fcntl(fd, F_GETFD), -1);
}

TEST(memory_files_are_limited)
{
    enum { COUNT = LIMIT_BLOB_FILES + 2 };
    struct http_blob *blobs[COUNT];
    int made = 0;
    for (int i = 0; i < COUNT; i++) {
        blobs[i] = large_blob('x', LIMIT_BLOB_FILE_MIN);
        CHECK_INT(http_blob_file(blobs[i]), -1);
        made += http_blob_file(blobs[i]) > 0;
    }
    CHECK_INT(made, LIMIT_BLOB_FILES);
    for (int i = 0; i < COUNT; i++)
        http_blob_unref(blobs[i]);
    struct http_blob *huge = large_blob('h', LIMIT_BLOB_FILE_BYTES + 1), *b = large_blob('b', LIMIT_BLOB_FILE_MIN);
    for (int i = 0; i < 3; i++)
        CHECK_INT(http_blob_file(huge), -1);
    CHECK_INT(http_blob_file(b), -1);
    CHECK(http_blob_file(b) > 0); /* the places were given back */
    http_blob_unref(huge);
    http_blob_unref(b);
}

TEST(methods_and_reasons)
{
    CHECK_INT(http_method_parse(STR("PATCH")), HTTP_PATCH);
    CHECK_INT(http_method_parse(STR("get")), HTTP_OTHER);
    CHECK_INT(http_method_parse(STR("BREW")), HTTP_OTHER);
    CHECK_STR(str_of(http_method_name(HTTP_DELETE)), "DELETE");
    CHECK_STR(str_of(http_reason(404)), "Not Found");
    CHECK_STR(str_of(http_reason(299)), "Unknown");
}

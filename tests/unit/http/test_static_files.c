/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "http/static_files.h"
#include "test.h"

static char root[64];
static struct static_dir *d;
static struct arena *a;
static struct http_request rq;
static struct http_response r;

static void put(const char *name, const char *text, size_t n)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, text, n) == (ssize_t)n && close(fd) == 0);
}

static void link_to(const char *target, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    CHECK(symlink(target, path) == 0);
}

static void begin(void)
{
    static char big[LIMIT_STATIC_SMALL + 1];
    char sub[80];
    (void)snprintf(root, sizeof(root), "/tmp/static-test-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    (void)snprintf(sub, sizeof(sub), "%s/sub", root);
    CHECK(mkdir(sub, 0755) == 0);
    (void)snprintf(sub, sizeof(sub), "%s/pipe", root);
    CHECK(mkfifo(sub, 0644) == 0);
    put("a.css", "body {}", 7);
    put("sub/b.txt", "b", 1);
    put(".secret", "s", 1);
    put("big.bin", big, sizeof(big));
    link_to("a.css", "inside.css");
    link_to("/etc/passwd", "outside");
    link_to("../../../../etc/passwd", "outside2");
    link_to("/", "slash");
    a = arena_new(1 << 24);
    rq = (struct http_request){.method = HTTP_GET, .minor = 1, .arena = a};
    CHECK_INT(static_dir_new(&(struct static_options){.path = str_of(root)}, &d, NULL), STATUS_OK);
}

static enum status serve(const char *path)
{
    response_init(&r, a);
    return static_dir_serve(d, &rq, str_of(path), &r, NULL);
}

static void end(void)
{
    char command[128];
    static_dir_free(d);
    arena_free(a);
    static const char *const names[] = {"a.css", "sub/b.txt", ".secret", "big.bin", "inside.css", "outside", "outside2",
                                        "slash", "pipe",      "sub",     ""};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(command, sizeof(command), "%s/%s", root, names[i]);
        (void)remove(command);
    }
}

TEST(small_file_is_a_blob)
{
    begin();
    CHECK_INT(serve("/a.css"), STATUS_OK);
    CHECK(r.kind == HTTP_BODY_BLOB);
    CHECK_STR(r.blob->body, "body {}");
    CHECK_STR(r.blob->etag, "\"fcdce6b6d6e2175f6406869882f6f1ce\"");
    CHECK(str_find(r.blob->head, STR("content-type: text/css\r\n")) != STR_NPOS);
    struct http_blob *first = r.blob;
    response_release(&r);
    CHECK_INT(serve("sub/../a.css"), STATUS_OK);
    CHECK(r.blob == first);
    response_release(&r);
    put("a.css", "changed", 7); /* same size, other time */
    CHECK_INT(serve("a.css"), STATUS_OK);
    CHECK_STR(r.blob->body, "changed");
    response_release(&r);
    end();
}

TEST(big_file_needs_a_worker_once)
{
    begin();
    CHECK_INT(serve("big.bin"), STATUS_AGAIN);
    CHECK(r.kind == HTTP_BODY_NONE && !r.headers.count);
    response_init(&r, a);
    CHECK_INT(static_dir_serve_blocking(d, &rq, STR("big.bin"), &r, NULL), STATUS_OK);
    CHECK(r.kind == HTTP_BODY_FILE && r.length == LIMIT_STATIC_SMALL + 1);
    response_release(&r);
    CHECK_INT(serve("big.bin"), STATUS_OK);
    CHECK(r.kind == HTTP_BODY_FILE);
    CHECK_INT(response_header_get(&r, STR("etag")).n, 34);
    response_release(&r);
    end();
}

TEST(middling_file_is_made_on_a_worker)
{
    static char text[LIMIT_STATIC_INLINE + 1];
    begin();
    memset(text, 't', sizeof(text));
    put("a.css", text, sizeof(text) - 1);
    CHECK_INT(serve("a.css"), STATUS_OK);
    response_release(&r);
    put("a.css", text, sizeof(text));
    CHECK_INT(serve("a.css"), STATUS_AGAIN);
    response_init(&r, a);
    CHECK_INT(static_dir_serve_blocking(d, &rq, STR("a.css"), &r, NULL), STATUS_OK);
    CHECK(r.kind == HTTP_BODY_BLOB && r.blob->gzip.n);
    response_release(&r);
    CHECK_INT(serve("a.css"), STATUS_OK);
    response_release(&r);
    end();
}

TEST(ranges_come_from_the_file)
{
    begin();
    CHECK(http_headers_add(&rq.headers, a, STR("Range"), STR("bytes=0-3")));
    CHECK_INT(serve("a.css"), STATUS_OK);
    CHECK(r.kind == HTTP_BODY_FILE);
    response_prepare(&r, &rq);
    CHECK_INT(r.status, 206);
    CHECK_INT(r.length, 4);
    response_release(&r);
    end();
}

TEST(nothing_outside_of_the_root)
{
    static const struct {
        const char *path;
        enum status status;
    } cases[] = {
        {"", STATUS_FORBIDDEN},
        {"/", STATUS_FORBIDDEN},
        {"sub", STATUS_FORBIDDEN},
        {"sub/", STATUS_FORBIDDEN},
        {"none", STATUS_NOT_FOUND},
        {"none/x", STATUS_NOT_FOUND},
        {"..", STATUS_NOT_FOUND},
        {"../x", STATUS_NOT_FOUND},
        {"%2e%2e/x", STATUS_NOT_FOUND},
        {"a.css%00", STATUS_NOT_FOUND},
        {"a.css/", STATUS_NOT_FOUND},
        {"a.css/x", STATUS_NOT_FOUND},
        {".secret", STATUS_NOT_FOUND},
        {"outside", STATUS_NOT_FOUND},
        {"outside2", STATUS_NOT_FOUND},
        {"pipe", STATUS_NOT_FOUND},
        {"slash/etc/passwd", STATUS_NOT_FOUND},
        {"%zz", STATUS_NOT_FOUND},
    };
    begin();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum status st = serve(cases[i].path);
        if (st != cases[i].status)
            test_fail(__FILE__, __LINE__, "%s: got %s", cases[i].path, status_name(st));
    }
    CHECK_INT(serve("inside.css"), STATUS_OK); /* a link that stays below the root */
    response_release(&r);
    rq.method = HTTP_POST;
    CHECK_INT(serve("a.css"), STATUS_METHOD);
    rq.method = HTTP_HEAD;
    CHECK_INT(serve("a.css"), STATUS_OK);
    response_release(&r);
    end();
}

TEST(roots_that_are_none)
{
    struct err err = ERR_INIT;
    CHECK_INT(static_dir_new(&(struct static_options){.path = STR("/nowhere/at/all")}, &d, &err), STATUS_NOT_FOUND);
    CHECK(err.text[0]);
    CHECK_INT(static_dir_new(&(struct static_options){.path = STR("/etc/passwd")}, &d, &err), STATUS_INVALID);
    static_dir_free(NULL);
}

TEST(memory_is_bounded)
{
    begin();
    static_dir_free(d);
    CHECK_INT(static_dir_new(&(struct static_options){.path = str_of(root), .cache_bytes = 1}, &d, NULL), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(serve("a.css"), STATUS_OK);
        CHECK_STR(r.blob->body, "body {}");
        response_release(&r);
    }
    end();
}

/* Whether a.css is still in memory after `count` other files of `size` bytes. */
static bool stays(int count, int size)
{
    char name[96];
    CHECK_INT(serve("a.css"), STATUS_OK);
    struct http_response first = r;
    for (int i = 0; i < count; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/f%d", root, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        CHECK(fd >= 0 && ftruncate(fd, size) == 0 && close(fd) == 0);
        (void)snprintf(name, sizeof name, "f%d", i);
        response_init(&r, a);
        CHECK_INT(static_dir_serve_blocking(d, &rq, str_of(name), &r, NULL), STATUS_OK);
        response_release(&r);
        CHECK(unlink(path) == 0);
    }
    CHECK_INT(serve("a.css"), STATUS_OK);
    bool same = r.blob == first.blob;
    response_release(&r);
    response_release(&first);
    return same;
}

TEST(memory_of_a_directory)
{
    begin();
    CHECK(stays(100, LIMIT_STATIC_SMALL));
    CHECK(!stays(LIMIT_STATIC_CACHE / LIMIT_STATIC_SMALL + 1, LIMIT_STATIC_SMALL));
    end();
}

#if defined(VITRINE_FAULTS) && VITRINE_FAULTS
TEST(number_of_files)
{
    setenv("VITRINE_LIMITS", "STATIC_FILES=5", 1);
    begin();
    CHECK_INT(LIMIT_STATIC_FILES, 5);
    CHECK(stays(4, 1));
    CHECK(!stays(5, 1));
    end();
}
#endif

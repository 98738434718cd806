/* SPDX-License-Identifier: Apache-2.0 */
/* The template folder: a change is seen by the very next question. */
#include "site/template_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

struct fixture {
    struct arena *arena;
    char dir[64];
    struct template_files *files;
};

static void put(const struct fixture *f, const char *name, const char *text)
{
    str path = ARENA_CAT(f->arena, str_of(f->dir), STR("/"), str_of(name));
    int fd = open(arena_cstr(f->arena, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static const char *below(const struct fixture *f, const char *name)
{
    return arena_cstr(f->arena, ARENA_CAT(f->arena, str_of(f->dir), STR("/"), str_of(name)));
}

static void begin(struct fixture *f)
{
    struct err err = ERR_INIT;
    *f = (struct fixture){.arena = arena_new(0), .dir = "/tmp/vitrine-templates-XXXXXX"};
    CHECK(mkdtemp(f->dir) != NULL);
    CHECK_INT(template_files_new(str_of(f->dir), &f->files, &err), STATUS_OK);
}

static void end(struct fixture *f)
{
    static const char *const names[] = {"a.html", "b.html", "pages/{id}.html", "pages/x/{y}.html", "pages/about.html"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlink(below(f, names[i]));
    rmdir(below(f, "pages/x"));
    rmdir(below(f, "pages"));
    CHECK_INT(rmdir(f->dir), 0);
    template_files_free(f->files);
    arena_free(f->arena);
}

TEST(template_files_change_is_seen_at_once)
{
    struct fixture f;
    const char *path;
    uint64_t stamp, other;
    begin(&f);
    uint64_t g = template_files_generation(f.files);
    CHECK(!template_files_find(f.files, STR("a.html"), f.arena, &path, &stamp));
    put(&f, "a.html", "1");
    CHECK(template_files_generation(f.files) > g);
    g = template_files_generation(f.files);
    CHECK_INT(template_files_generation(f.files), g);
    CHECK(template_files_find(f.files, STR("a.html"), f.arena, &path, &stamp));
    CHECK_STR(str_of(path), below(&f, "a.html"));
    put(&f, "a.html", "2"); /* same size, perhaps the same tick of the clock */
    CHECK(template_files_generation(f.files) > g);
    CHECK(template_files_find(f.files, STR("a.html"), f.arena, &path, &other));
    CHECK(other != stamp);
    g = template_files_generation(f.files);
    CHECK_INT(rename(below(&f, "a.html"), below(&f, "b.html")), 0);
    CHECK(template_files_generation(f.files) > g);
    end(&f);
}

TEST(template_files_in_new_folders)
{
    struct fixture f;
    str *names;
    begin(&f);
    CHECK_INT(template_files_patterns(f.files, f.arena, &names), 0);
    CHECK_INT(mkdir(below(&f, "pages"), 0700), 0);
    CHECK_INT(mkdir(below(&f, "pages/x"), 0700), 0);
    put(&f, "pages/x/{y}.html", "");
    put(&f, "pages/{id}.html", "");
    put(&f, "pages/about.html", "");
    CHECK_INT(template_files_patterns(f.files, f.arena, &names), 2);
    CHECK_STR(names[0], "pages/x/{y}.html");
    CHECK_STR(names[1], "pages/{id}.html");
    uint64_t g = template_files_generation(f.files);
    put(&f, "pages/x/{y}.html", "new");
    CHECK(template_files_generation(f.files) > g);
    CHECK_INT(unlink(below(&f, "pages/x/{y}.html")), 0);
    CHECK_INT(template_files_patterns(f.files, f.arena, &names), 1);
    end(&f);
}

TEST(template_files_stay_inside)
{
    struct fixture f;
    const char *path;
    uint64_t stamp;
    begin(&f);
    put(&f, "a.html", "");
    static const char *const names[] = {"",        "/etc/passwd", "../etc/passwd", "x/../../etc/passwd",
                                        "a/../..", ".",           "pages"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        CHECK(!template_files_find(f.files, str_of(names[i]), f.arena, &path, &stamp));
    CHECK(!template_files_find(f.files, str_make("a.html\0x", 8), f.arena, &path, &stamp));
    CHECK(template_files_find(f.files, STR("a.html"), f.arena, &path, &stamp));
    end(&f);
}

TEST(template_files_without_a_folder)
{
    struct template_files *files;
    struct err err = ERR_INIT;
    struct arena *a = arena_new(0);
    const char *path;
    uint64_t stamp;
    str *names;
    CHECK_INT(template_files_new(STR(""), &files, &err), STATUS_OK);
    CHECK_INT(template_files_generation(files), 0);
    CHECK_INT(template_files_patterns(files, a, &names), 0);
    CHECK(!template_files_find(files, STR("base.html"), a, &path, &stamp));
    template_files_free(files);
    CHECK_INT(template_files_new(STR("/no/such/folder"), &files, &err), STATUS_NOT_FOUND);
    CHECK(err.hint[0] != 0);
    CHECK_INT(template_files_new(STR("/dev/null"), &files, &err), STATUS_INVALID);
    arena_free(a);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "test.h"

static char folder[64];

static char *in_folder(struct arena *a, const char *name)
{
    return arena_cstr(a, arena_printf(a, "%s/%s", folder, name));
}

static struct arena *fs_begin(void)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/vitrine-fs-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    return arena_new(0);
}

static size_t files_in_folder(void)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    CHECK(dir != NULL);
    for (struct dirent *e; (e = readdir(dir));)
        count += e->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

TEST(fs_write_then_read)
{
    struct arena *a = fs_begin();
    struct err e = ERR_INIT;
    char *path = in_folder(a, "x");
    str got;
    CHECK(fs_write_atomic(path, STR("one"), 0640, &e) == STATUS_OK);
    CHECK(fs_write_atomic(path, STR("two\0three"), 0600, &e) == STATUS_OK);
    CHECK(fs_read_file(path, 9, a, &got, &e) == STATUS_OK);
    CHECK_STRS(got, STR("two\0three"));
    CHECK(got.p[got.n] == '\0');
    struct stat st;
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(fs_write_atomic_group(path, STR("two\0three"), 0640, getegid(), &e) == STATUS_OK);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640 && st.st_gid == getegid());
    CHECK_INT(files_in_folder(), 1); /* no temporary file stays */
    CHECK(fs_read_file(path, 8, a, &got, &e) == STATUS_TOO_LARGE);
    CHECK(str_find(str_of(e.text), STR("it has 9 bytes, at most 8")) != STR_NPOS);
    CHECK(fs_write_passing(path, STR("four"), 0640, &e) == STATUS_OK);
    CHECK(fs_read_file(path, 100, a, &got, &e) == STATUS_OK);
    CHECK_STRS(got, STR("four"));
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
    CHECK(fs_write_atomic(path, (str){NULL, 0}, 0600, &e) == STATUS_OK);
    CHECK(fs_read_file(path, 0, a, &got, &e) == STATUS_OK);
    CHECK_INT(got.n, 0);
    CHECK(unlink(path) == 0 && rmdir(folder) == 0);
    arena_free(a);
}

TEST(fs_clear_errors)
{
    struct arena *a = fs_begin();
    struct err e = ERR_INIT;
    str got = STR("untouched");
    CHECK(fs_read_file(in_folder(a, "none"), 10, a, &got, &e) == STATUS_NOT_FOUND);
    CHECK(str_ends(str_of(e.text), STR("none': No such file or directory")));
    CHECK(fs_read_file(folder, 10, a, &got, &e) == STATUS_INVALID);
    CHECK(str_find(str_of(e.text), STR("it is a folder")) != STR_NPOS);
    CHECK(fs_write_atomic(in_folder(a, "none/x"), STR("x"), 0600, &e) == STATUS_NOT_FOUND);
    CHECK(fs_write_atomic(folder, STR("x"), 0600, &e) != STATUS_OK); /* a folder is in the place */
    CHECK(fs_write_fd(-1, "nothing", STR("x"), &e) == STATUS_IO);
    CHECK_STR(got, "untouched");
    CHECK_INT(files_in_folder(), 0);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK(fs_write_fd(full, "/dev/full", STR("x"), &e) == STATUS_DISK_FULL);
    (void)close(full);
    CHECK(rmdir(folder) == 0);
    arena_free(a);
}

TEST(fs_reads_what_has_no_size)
{
    struct arena *a = arena_new(0);
    struct err e = ERR_INIT;
    str got;
    CHECK(fs_read_file("/proc/self/stat", 1 << 20, a, &got, &e) == STATUS_OK); /* says 0 bytes, has more */
    CHECK(got.n > 10);
    CHECK(fs_read_file("/dev/zero", 100000, a, &got, &e) == STATUS_TOO_LARGE);
    int fds[2];
    CHECK(pipe(fds) == 0);
    static char block[30000];
    memset(block, 'b', sizeof(block));
    CHECK(fs_write_fd(fds[1], "pipe", str_make(block, sizeof(block)), &e) == STATUS_OK);
    (void)close(fds[1]);
    CHECK(fs_read_fd(fds[0], "pipe", sizeof(block), a, &got, &e) == STATUS_OK);
    (void)close(fds[0]);
    CHECK_STRS(got, str_make(block, sizeof(block)));
    arena_free(a);
}

TEST(fs_descriptors_are_close_on_exec)
{
    int fd = -1;
    CHECK(fs_open("/dev/null", O_RDONLY, 0, &fd, NULL) == STATUS_OK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    (void)close(fd);
}

static void put(struct arena *a, const char *name)
{
    char *path = in_folder(a, name);
    CHECK(fs_make_folders(str_of(path), 0755, NULL) == STATUS_OK);
    CHECK(fs_write_atomic(path, STR("x"), 0600, NULL) == STATUS_OK);
}

TEST(fs_removes_a_tree_and_no_more)
{
    struct arena *a = fs_begin();
    struct err e = ERR_INIT;
    put(a, "keep/file");
    put(a, "tree/one/two/.hidden");
    put(a, "tree/one/three");
    CHECK(symlink("../../keep", in_folder(a, "tree/one/link")) == 0);
    CHECK(symlink("nowhere", in_folder(a, "tree/dangling")) == 0);
    CHECK(mkfifo(in_folder(a, "tree/pipe"), 0600) == 0);
    CHECK_INT(fs_remove_tree(in_folder(a, "tree"), &e), STATUS_OK);
    CHECK_INT(files_in_folder(), 1);
    CHECK(access(in_folder(a, "keep/file"), F_OK) == 0);
    CHECK_INT(fs_remove_tree(in_folder(a, "tree"), &e), STATUS_OK); /* not there */
    CHECK(symlink("keep", in_folder(a, "link")) == 0);
    CHECK_INT(fs_remove_tree(in_folder(a, "link"), &e), STATUS_OK); /* the link itself */
    CHECK(access(in_folder(a, "keep/file"), F_OK) == 0);
    CHECK_INT(fs_remove_tree(in_folder(a, "keep/file"), &e), STATUS_OK); /* a file */
    CHECK_INT(fs_remove_tree(folder, &e), STATUS_OK);
    CHECK(access(folder, F_OK) != 0);
    arena_free(a);
}

TEST(fs_removes_what_it_can)
{
    struct arena *a = fs_begin();
    struct err e = ERR_INIT;
    put(a, "file");
    CHECK(fs_remove_tree(in_folder(a, "file/below"), &e) != STATUS_OK);
    CHECK(strstr(e.text, "file/below': Not a directory") != NULL);
    CHECK(unlink(in_folder(a, "file")) == 0);
    err_clear(&e);
    /* As deep as may be goes; one folder more stays, what is beside it goes. */
    for (int extra = 0; extra < 2; extra++) {
        str path = str_of(in_folder(a, "deep"));
        for (int i = 0; i < LIMIT_FS_DEPTH - 1 + extra; i++)
            path = ARENA_CAT(a, path, STR("/d"));
        CHECK(fs_make_folders(ARENA_CAT(a, path, STR("/")), 0700, NULL) == STATUS_OK);
        put(a, "deep/file");
        CHECK_INT(fs_remove_tree(in_folder(a, "deep"), &e), extra ? STATUS_TOO_LARGE : STATUS_OK);
        CHECK_INT(files_in_folder(), extra);
    }
    CHECK(strstr(e.text, "more than 128 folders inside each other") != NULL && e.hint[0]);
    CHECK(access(in_folder(a, "deep/file"), F_OK) != 0);
    CHECK_INT(fs_remove_tree(in_folder(a, "deep/d"), &e), STATUS_OK);
    CHECK_INT(fs_remove_tree(folder, &e), STATUS_OK);
    arena_free(a);
}

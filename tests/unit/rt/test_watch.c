/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "rt/watch.h"
#include "test.h"

static struct loop *loop;
static struct watch *watch;
static int calls[8];
static char root[64];

static void on_change(void *arg, unsigned id)
{
    (void)arg;
    calls[id]++;
}

static void begin(void)
{
    struct err err = ERR_INIT;
    strncpy(root, "/tmp/test-watch-XXXXXX", sizeof(root) - 1);
    CHECK(mkdtemp(root) != NULL);
    CHECK_INT(loop_new(&loop, &err), STATUS_OK);
    CHECK_INT(watch_new(loop, 20, on_change, NULL, &watch, &err), STATUS_OK);
}

static const char *path(const char *name)
{
    static char text[2][256];
    static int turn;
    turn = !turn;
    snprintf(text[turn], sizeof(text[0]), "%s/%s", root, name);
    return text[turn];
}

static void put(const char *name)
{
    int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
    close(fd);
}

static unsigned add(const char *name, enum watch_kind kind)
{
    unsigned id = 99;
    struct err err = ERR_INIT;
    CHECK_INT(watch_add(watch, str_of(path(name)), kind, &id, &err), STATUS_OK);
    return id;
}

/* Runs the loop until calls[id] reaches `want`, or fails after 5 seconds. */
static void wait_calls(unsigned id, int want)
{
    struct err err = ERR_INIT;
    int64_t end_us = loop_refresh_now_us(loop) + 5000000;
    while (calls[id] < want) {
        CHECK_INT(loop_run_once(loop, 100, &err), STATUS_OK);
        CHECK(loop_now_us(loop) < end_us);
    }
}

static void run_ms(int ms)
{
    struct err err = ERR_INIT;
    int64_t end_us = loop_refresh_now_us(loop) + ms * 1000;
    while (loop_now_us(loop) < end_us)
        CHECK_INT(loop_run_once(loop, 5, &err), STATUS_OK);
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(name);
}

static void finish(void)
{
    watch_free(watch);
    loop_free(loop);
    CHECK(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

TEST(a_file_is_followed_through_replacement)
{
    begin();
    put("a");
    put("b");
    unsigned a = add("a", WATCH_FILE), b = add("b", WATCH_FILE);
    CHECK_INT(a, 0);
    CHECK_INT(b, 1);
    put("a");
    wait_calls(a, 1);
    put("new");
    CHECK(rename(path("new"), path("a")) == 0);
    wait_calls(a, 2);
    CHECK(unlink(path("a")) == 0);
    wait_calls(a, 3);
    put("a");
    wait_calls(a, 4);
    CHECK_INT(calls[b], 0);
    finish();
}

TEST(a_burst_is_one_call)
{
    begin();
    unsigned id = add("", WATCH_FOLDER);
    for (int i = 0; i < 50; i++)
        put(i % 2 ? "x" : "y");
    wait_calls(id, 1);
    run_ms(60);
    CHECK_INT(calls[id], 1);
    finish();
}

TEST(an_endless_burst_is_reported_all_the_same)
{
    begin();
    unsigned id = add("", WATCH_FOLDER);
    struct err err = ERR_INIT;
    int64_t end_us = loop_refresh_now_us(loop) + 5000000;
    while (calls[id] == 0) { /* a change each 5 ms, always before the 20 ms are over */
        put("x");
        CHECK_INT(loop_run_once(loop, 5, &err), STATUS_OK);
        CHECK(loop_now_us(loop) < end_us);
    }
    finish();
}

TEST(a_tree_takes_in_new_folders)
{
    begin();
    CHECK(mkdir(path("t"), 0700) == 0 && mkdir(path("t/one"), 0700) == 0);
    unsigned id = add("t", WATCH_TREE);
    put("t/one/f");
    wait_calls(id, 1);
    CHECK(mkdir(path("t/two"), 0700) == 0 && mkdir(path("t/two/three"), 0700) == 0);
    wait_calls(id, 2);
    run_ms(60);
    int before = calls[id];
    put("t/two/three/f");
    wait_calls(id, before + 1);
    finish();
}

TEST(a_tree_is_watched_so_deep)
{
    begin();
    char deep[200] = "t";
    CHECK(mkdir(path("t"), 0700) == 0);
    for (int i = 0; i < LIMIT_WATCH_DEPTH + 1; i++) {
        strncat(deep, "/d", sizeof deep - strlen(deep) - 1);
        CHECK(mkdir(path(deep), 0700) == 0);
    }
    unsigned id = add("t", WATCH_TREE);
    strncat(deep, "/f", sizeof deep - strlen(deep) - 1);
    put(deep);
    run_ms(60);
    CHECK_INT(calls[id], 0);
    deep[strlen(deep) - 4] = '\0'; /* the folder above: "/d/f" taken off */
    strncat(deep, "/f", sizeof deep - strlen(deep) - 1);
    put(deep);
    wait_calls(id, 1);
    finish();
}

TEST(a_folder_that_comes_back_is_found)
{
    begin();
    CHECK(mkdir(path("d"), 0700) == 0);
    unsigned id = add("d", WATCH_FOLDER);
    CHECK(rmdir(path("d")) == 0);
    wait_calls(id, 1);
    run_ms(50);
    CHECK(mkdir(path("d"), 0700) == 0);
    wait_calls(id, 2);
    put("d/f");
    wait_calls(id, 3);
    CHECK(rename(path("d"), path("moved")) == 0);
    wait_calls(id, 4);
    put("moved/f"); /* no longer ours */
    run_ms(60);
    CHECK_INT(calls[id], 4);
    finish();
}

TEST(what_cannot_be_watched_is_refused)
{
    begin();
    unsigned id = 99;
    struct err err = ERR_INIT;
    CHECK_INT(watch_add(watch, str_of(path("none")), WATCH_FOLDER, &id, &err), STATUS_NOT_FOUND);
    CHECK(strstr(err.text, "none") != NULL);
    CHECK_INT(watch_add(watch, str_of(path("none/f")), WATCH_FILE, &id, &err), STATUS_NOT_FOUND);
    CHECK_INT(watch_add(watch, STR(""), WATCH_FILE, &id, &err), STATUS_INVALID);
    CHECK_INT(id, 99);
    CHECK_INT(add("later", WATCH_FILE), 0); /* a file may be made later */
    put("later");
    wait_calls(0, 1);
    finish();
}

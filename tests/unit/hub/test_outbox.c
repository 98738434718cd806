/* SPDX-License-Identifier: Apache-2.0 */
/* A space in the hands of others writes whatever it likes into its outbox. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "hub/outbox.h"
#include "test.h"

#define ORIGIN "https://museum.example.org"
#define GOOD                                                                                                           \
    "{\"kind\": \"share\", \"to\": \"ana@example.org\", \"what\": \"Prices\", \"by\": \"Ben\", \"url\": \"" ORIGIN     \
    "/data/prices?_share=x\"}"

TEST(what_is_asked_for)
{
    static const struct {
        const char *text, *why; /* NULL = good */
    } known[] = {
        {GOOD, NULL},
        {"{\"kind\":\"share\",\"to\":\"ana@example.org\",\"what\":\"caf\xc3\xa9\",\"by\":\"B\",\"url\":\"" ORIGIN
         "/\"}",
         NULL},
        {"{\"kind\":\"reset\",\"to\":\"ana@example.org\",\"what\":\"x\",\"by\":\"B\",\"url\":\"" ORIGIN "/\"}", "kind"},
        {"{\"kind\":\"share\",\"to\":\"ana\",\"what\":\"x\",\"by\":\"B\",\"url\":\"" ORIGIN "/\"}",
         "no e-mail address"},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\\nBcc: x@y.z\",\"what\":\"x\",\"by\":\"B\",\"url\":\"" ORIGIN "/\"}",
         "address"},
        {"{\"kind\":\"share\",\"to\":[\"a@b.c\"],\"what\":\"x\",\"by\":\"B\",\"url\":\"" ORIGIN "/\"}", "missing"},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\",\"what\":\"x\",\"by\":\"B\",\"url\":\"" ORIGIN "\"}",
         "lead to the space"},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\",\"what\":\"x\",\"by\":\"B\",\"url\":\"" ORIGIN ".evil.org/\"}",
         "lead to the space"},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\",\"what\":\"x\",\"by\":\"B\",\"url\":\"" ORIGIN "@evil.org/\"}",
         "lead to the space"},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\",\"what\":\"x\",\"by\":\"B\",\"url\":\"https://evil.org/\"}",
         "lead to the space"},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\",\"what\":\"x\",\"by\":\"B\",\"url\":\"" ORIGIN "/a\\nb\"}",
         "not for an address"},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\",\"what\":\"pay at https://evil.org\",\"by\":\"B\",\"url\":\"" ORIGIN
         "/\"}",
         NULL},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\",\"what\":\"x\",\"by\":\"www.evil.org\",\"url\":\"" ORIGIN "/\"}", NULL},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\",\"what\":\"x\\r\\nBcc: y\",\"by\":\"B\",\"url\":\"" ORIGIN "/\"}",
         "more than a line"},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\",\"what\":\"\",\"by\":\"B\",\"url\":\"" ORIGIN "/\"}", "what"},
        {"{\"kind\":\"share\",\"to\":\"a@b.c\",\"what\":\"x\",\"url\":\"" ORIGIN "/\"}", "by"},
        {"[]", "kind"},
        {"{", "line 1"},
        {"", "line 1"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct arena *a = arena_new(0);
        struct outbox_mail m;
        struct err err = ERR_INIT;
        enum status st = outbox_read(a, str_of(known[i].text), STR(ORIGIN), &m, &err);
        if (st != (known[i].why ? STATUS_INVALID : STATUS_OK) || (known[i].why && !strstr(err.text, known[i].why)))
            test_fail(__FILE__, __LINE__, "%s: %s", known[i].text, err.text);
        CHECK(st != STATUS_OK || str_find(m.what, STR("evil")) == STR_NPOS); /* "a page" */
        arena_free(a);
    }
}

TEST(texts_have_sizes)
{
    struct arena *a = arena_new(0);
    struct outbox_mail m;
    struct err err = ERR_INIT;
    const char frame[] =
        "{\"kind\":\"share\",\"to\":\"a@b.c\",\"by\":\"B\",\"what\":\"%0*d\",\"url\":\"" ORIGIN "/%0*d\"}";
    int url = LIMIT_OUTBOX_URL - (int)strlen(ORIGIN "/");
    CHECK_INT(outbox_read(a, arena_printf(a, frame, LIMIT_MAIL_WORD, 0, url, 0), STR(ORIGIN), &m, &err), STATUS_OK);
    CHECK_INT(outbox_read(a, arena_printf(a, frame, LIMIT_MAIL_WORD + 1, 0, url, 0), STR(ORIGIN), &m, &err),
              STATUS_INVALID);
    CHECK_INT(outbox_read(a, arena_printf(a, frame, 1, 0, url + 1, 0), STR(ORIGIN), &m, &err), STATUS_INVALID);
    arena_free(a);
}

struct got {
    size_t n;
    enum status answer;
    char last[100];
};

static enum status put(void *arg, str id, const struct outbox_mail *mail, struct err *err)
{
    struct got *g = arg;
    CHECK_STR(id, "s1");
    if (g->answer != STATUS_OK)
        return err_set(err, g->answer, "later");
    g->n++;
    (void)snprintf(g->last, sizeof g->last, "%.*s", STR_ARG(mail->to));
    return STATUS_OK;
}

static char root[64];

static const char *in(const char *name)
{
    static char path[4][160];
    static unsigned turn;
    turn = (turn + 1) % 4;
    (void)snprintf(path[turn], sizeof path[turn], "%s/s1/outbox/%s", root, name);
    return path[turn];
}

static int begin(void)
{
    log_setup(LOG_OFF, LOG_TEXT, 2);
    (void)snprintf(root, sizeof root, "/tmp/outbox-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    char path[100];
    (void)snprintf(path, sizeof path, "%s/s1/outbox/", root);
    CHECK_INT(fs_make_folders(str_of(path), 0700, NULL), STATUS_OK);
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static size_t collect(int fd, struct got *g, enum status want)
{
    size_t n = 99;
    struct err err = ERR_INIT;
    CHECK_INT(outbox_collect(fd, STR("s1"), STR(ORIGIN), put, g, &n, &err), want);
    return n;
}

static void end(int fd)
{
    close(fd);
    static const char *const names[] = {"a.json", "b.tmp", "d.json"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (unlink(in(names[i])) != 0)
            (void)rmdir(in(names[i]));
    (void)rmdir(in(""));
    char path[100];
    (void)snprintf(path, sizeof path, "%s/s1", root);
    (void)unlink(path);
    (void)rmdir(path);
    (void)rmdir(root);
}

TEST(files_are_taken_once)
{
    int fd = begin();
    struct got g = {.answer = STATUS_BUSY};
    CHECK_INT(fs_write_atomic(in("a.json"), STR(GOOD), 0600, NULL), STATUS_OK);
    CHECK_INT(fs_write_atomic(in("b.tmp"), STR(GOOD), 0600, NULL), STATUS_OK); /* being written */
    CHECK_INT(collect(fd, &g, STATUS_BUSY), 0);
    CHECK(access(in("a.json"), F_OK) == 0); /* for later */
    g.answer = STATUS_OK;
    CHECK_INT(collect(fd, &g, STATUS_OK), 1);
    CHECK_STR(str_of(g.last), "ana@example.org");
    CHECK(access(in("a.json"), F_OK) != 0 && access(in("b.tmp"), F_OK) == 0);
    CHECK_INT(collect(fd, &g, STATUS_OK), 0);
    end(fd);
}

TEST(odd_files_are_refused)
{
    int fd = begin();
    struct got g = {0};
    char secret[100];
    (void)snprintf(secret, sizeof secret, "%s/secret", root);
    CHECK_INT(fs_write_atomic(secret, STR(GOOD), 0600, NULL), STATUS_OK);
    CHECK(symlink(secret, in("link.json")) == 0);
    CHECK(symlink("../../secret", in("up.json")) == 0);
    CHECK(link(secret, in("hard.json")) == 0);
    CHECK(mkfifo(in("pipe.json"), 0600) == 0);
    CHECK(mkdir(in("folder.json"), 0700) == 0);
    CHECK_INT(fs_write_atomic(in("bad.json"), STR("{}"), 0600, NULL), STATUS_OK);
    char *big = calloc(1, LIMIT_OUTBOX_FILE + 1);
    CHECK_INT(fs_write_atomic(in("big.json"), str_make(big, LIMIT_OUTBOX_FILE + 1), 0600, NULL), STATUS_OK);
    free(big);
    CHECK_INT(collect(fd, &g, STATUS_OK), 0);
    CHECK_INT(g.n, 0);
    static const char *const names[] = {"link.json",   "up.json",  "hard.json", "pipe.json",
                                        "folder.json", "bad.json", "big.json"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (access(in(names[i]), F_OK) == 0)
            test_fail(__FILE__, __LINE__, "%s is still there", names[i]);
    CHECK(access(secret, F_OK) == 0);
    CHECK(unlink(secret) == 0);
    end(fd);
}

TEST(folders_that_are_links)
{
    int fd = begin();
    struct got g = {0};
    char path[100];
    CHECK(rmdir(in("")) == 0);
    (void)snprintf(path, sizeof path, "%s/s1/outbox", root);
    CHECK(symlink("/tmp", path) == 0);
    (void)collect(fd, &g, STATUS_FORBIDDEN);
    CHECK(unlink(path) == 0);
    (void)collect(fd, &g, STATUS_NOT_FOUND);
    (void)snprintf(path, sizeof path, "%s/s1", root);
    CHECK(rmdir(path) == 0 && symlink("/tmp", path) == 0);
    (void)collect(fd, &g, STATUS_FORBIDDEN);
    end(fd);
}

TEST(rounds_have_a_size)
{
    int fd = begin();
    struct got g = {0};
    char name[32];
    for (int i = 0; i < LIMIT_OUTBOX_ROUND + 3; i++) {
        (void)snprintf(name, sizeof name, "%d.json", i);
        CHECK_INT(fs_write_atomic(in(name), STR(GOOD), 0600, NULL), STATUS_OK);
    }
    CHECK_INT(collect(fd, &g, STATUS_OK), LIMIT_OUTBOX_ROUND);
    CHECK_INT(collect(fd, &g, STATUS_OK), 3);
    end(fd);
}

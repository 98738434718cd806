/* SPDX-License-Identifier: Apache-2.0 */
/* changes: every kind of change of an entry is there at once, and only once. */
#include "rt/changes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

TEST(changes_of_entries)
{
    char dir[] = "/tmp/vitrine-changes-XXXXXX", a[64], b[64], below[64];
    struct changes *c;
    struct err err = ERR_INIT;
    CHECK(mkdtemp(dir) != NULL);
    snprintf(a, sizeof a, "%s/a", dir);
    snprintf(b, sizeof b, "%s/b", dir);
    snprintf(below, sizeof below, "%s/d", dir);
    CHECK_INT(changes_new(&c, &err), STATUS_OK);
    CHECK(changes_add(c, dir));
    CHECK(!changes_any(c));
    write_file(a, "1");
    CHECK(changes_any(c));
    CHECK(!changes_any(c));
    write_file(a, "2");
    CHECK(changes_any(c));
    CHECK_INT(rename(a, b), 0);
    CHECK(changes_any(c));
    CHECK_INT(chmod(b, 0400), 0);
    CHECK(changes_any(c));
    CHECK_INT(mkdir(below, 0700), 0);
    CHECK(changes_any(c));
    CHECK(changes_add(c, below));
    CHECK(changes_add(c, below));
    CHECK(!changes_any(c));
    CHECK_INT(rmdir(below), 0);
    CHECK(changes_any(c));
    CHECK(!changes_add(c, below));
    CHECK(!changes_add(c, b)); /* a file */
    CHECK_INT(unlink(b), 0);
    CHECK(changes_any(c));
    CHECK_INT(rmdir(dir), 0);
    CHECK(changes_any(c));
    changes_free(c);
    changes_free(NULL);
}

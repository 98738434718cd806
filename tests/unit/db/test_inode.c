/* SPDX-License-Identifier: Apache-2.0 */
#include "db/inode.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

/* Whether another process could lock the byte range that a reader holds (PENDING_BYTE 0x40000000 + 2, 510 bytes). */
static bool others_may_write(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        int mine = open(path, O_RDWR);
        _exit(fcntl(mine, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK ? 1 : 0);
    }
    int status;
    waitpid(pid, &status, 0);
    (void)fd; /* closing it here would drop the locks: that is the point of the test below */
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

TEST(inode_keeps_the_locks_of_readers)
{
    const char *path = temp_path("l.db");
    make_database(path, "create table t(a); insert into t values (1)");
    struct database *db = open_database(path), *twin = open_database(path);
    struct conn *c = acquire(db);
    struct stmt *s;
    CHECK_OK(conn_prepare(c, STR("select a from t"), &s, e));
    CHECK_INT(stmt_step(s, NULL), STATUS_AGAIN); /* holds SHARED */
    struct db_signature sig;
    CHECK_OK(database_signature(db, &sig, e));
    CHECK_OK(database_signature(twin, &sig, e));
    CHECK_OK(database_check(twin, e));
    struct inode *i;
    CHECK_OK(inode_open(path, &i, e));
    inode_unref(i);
    database_unref(twin); /* closes its connections; the descriptor is shared */
    CHECK(!others_may_write(path));
    stmt_done(s);
    conn_release(c);
    database_unref(db);
    _exit(0); /* one descriptor is left open on purpose */
}

TEST(inode_the_hazard_is_real)
{
    /* What this folder must never do: open and close the file beside SQLite. */
    const char *path = temp_path("h.db");
    make_database(path, "create table t(a); insert into t values (1)");
    struct database *db = open_database(path);
    struct conn *c = acquire(db);
    struct stmt *s;
    CHECK_OK(conn_prepare(c, STR("select a from t"), &s, e));
    CHECK_INT(stmt_step(s, NULL), STATUS_AGAIN);
    close(open(path, O_RDONLY));
    CHECK(others_may_write(path));
    _exit(0);
}

TEST(inode_is_one_per_file)
{
    struct inode *a, *b, *c;
    struct err err = ERR_INIT;
    write_file(temp_path("x"), "1", 1);
    write_file(temp_path("y"), "2", 1);
    CHECK_OK(inode_open(temp_path("x"), &a, e));
    CHECK(link(temp_path("x"), temp_path("x2")) == 0);
    CHECK_OK(inode_open(temp_path("x2"), &b, e));
    CHECK_OK(inode_open(temp_path("y"), &c, e));
    CHECK(a == b && a != c);
    CHECK_INT(inode_open(temp_folder(), &c, &err), STATUS_INVALID);
    inode_unref(a);
    inode_unref(b);
    inode_unref(c);
    inode_unref(NULL);
}

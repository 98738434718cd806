/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/conn_cache.h"

static char folder[256];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *temp_folder(void)
{
    if (!folder[0]) {
        const char *tmp = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/vitrine-db-XXXXXX", tmp ? tmp : "/tmp");
        CHECK(mkdtemp(folder) != NULL);
        CHECK(chmod(folder, 0755) == 0);
        atexit(remove_folder);
    }
    return folder;
}

const char *temp_path(const char *name)
{
    static char paths[8][1024];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", temp_folder(), name);
    return path;
}

void write_file(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    CHECK(write(fd, bytes, n) == (ssize_t)n);
    close(fd);
}

void make_database(const char *path, const char *sql)
{
    sqlite3 *handle;
    char *message = NULL;
    CHECK_INT(sqlite3_open(path, &handle), SQLITE_OK);
    if (sqlite3_exec(handle, sql, NULL, NULL, &message) != SQLITE_OK)
        test_fail(__FILE__, __LINE__, "%s", message);
    sqlite3_close(handle);
}

struct database *open_database(const char *path)
{
    struct database *db = NULL;
    struct database_options o = {.name = STR("test"), .path = str_of(path)};
    CHECK_OK(database_new(&o, &db, e));
    return db;
}

struct conn *acquire(struct database *db)
{
    struct conn *c = NULL;
    CHECK_OK(conn_acquire(db, &c, e));
    return c;
}

int64_t query_i64(struct conn *c, const char *sql)
{
    struct stmt *s = NULL;
    struct err err = ERR_INIT;
    CHECK_OK(conn_prepare(c, str_of(sql), &s, e));
    enum status st = stmt_step(s, &err);
    if (st != STATUS_AGAIN)
        test_fail(__FILE__, __LINE__, "%s: %s: %s", sql, status_name(st), err.text);
    int64_t v = stmt_column_i64(s, 0);
    stmt_done(s);
    return v;
}

enum status try_sql(struct conn *c, const char *sql, struct err *err)
{
    struct stmt *s = NULL;
    err_clear(err);
    enum status st = conn_prepare(c, str_of(sql), &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN)
        ;
    stmt_done(s);
    return st;
}

/* ---- the other process
 * ------------------------------------------------------------------------------------------------- */

struct writer {
    pid_t pid;
    FILE *to, *from;
};

static const char program[] = "import sqlite3, sys, os\n"
                              "path = sys.argv[1]\n"
                              "def connect(): return sqlite3.connect(path, isolation_level=None, timeout=5)\n"
                              "c = connect()\n"
                              "for line in sys.stdin:\n"
                              "    line = line.rstrip('\\n')\n"
                              "    try:\n"
                              "        if line == '!exit': os._exit(0)\n"
                              "        elif line == '!close': c.close()\n"
                              "        elif line == '!open': c = connect()\n"
                              "        else:\n"
                              "            for part in line.split(';;'): c.execute(part).fetchall()\n"
                              "        print('ok', flush=True)\n"
                              "    except Exception as e: print('error', e, flush=True)\n";

struct writer *writer_start(const char *path)
{
    int to[2], from[2];
    CHECK(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    struct writer *w = calloc(1, sizeof *w);
    w->pid = fork();
    if (w->pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        execl("/usr/bin/python3", "python3", "-c", program, path, (char *)NULL);
        execlp("python3", "python3", "-c", program, path, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    w->to = fdopen(to[1], "w");
    w->from = fdopen(from[0], "r");
    return w;
}

void writer_sql(struct writer *w, const char *sql)
{
    char answer[512];
    fprintf(w->to, "%s\n", sql);
    fflush(w->to);
    if (strcmp(sql, "!exit") == 0) {
        waitpid(w->pid, NULL, 0);
        w->pid = 0;
        return;
    }
    if (!fgets(answer, sizeof answer, w->from) || strcmp(answer, "ok\n") != 0)
        test_fail(__FILE__, __LINE__, "writer: %s: %s", sql, answer);
}

void writer_end(struct writer *w)
{
    fclose(w->to);
    fclose(w->from);
    if (w->pid)
        waitpid(w->pid, NULL, 0);
    free(w);
}

void become_nobody(void)
{
    if (geteuid() == 0) {
        CHECK(setegid(65534) == 0);
        CHECK(seteuid(65534) == 0);
    }
}

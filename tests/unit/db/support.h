/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of db share: a temporary folder, files made with SQL, and another process that writes. */
#ifndef VITRINE_TEST_DB_SUPPORT_H
#define VITRINE_TEST_DB_SUPPORT_H

#include "db/conn.h"
#include "db/database.h"
#include "db/stmt.h"
#include "test.h"

#define CHECK_OK(expression)                                                                                           \
    do {                                                                                                               \
        struct err err_ = ERR_INIT, *e = &err_;                                                                        \
        enum status st_ = (expression);                                                                                \
        if (st_ != STATUS_OK)                                                                                          \
            test_fail(__FILE__, __LINE__, "%s: %s: %s (%s)", #expression, status_name(st_), err_.text, err_.hint);     \
    } while (0)

const char *temp_folder(void);           /* made at the first call, readable by all, removed at exit */
const char *temp_path(const char *name); /* in it; static storage, eight at a time */
void write_file(const char *path, const void *bytes, size_t n);
void make_database(const char *path, const char *sql); /* with the compiled-in SQLite, closed again */

struct database *open_database(const char *path); /* plain options */
struct conn *acquire(struct database *db);
int64_t query_i64(struct conn *c, const char *sql); /* as a visitor */
/* Status of preparing and stepping as a visitor until done; the message in *err. */
enum status try_sql(struct conn *c, const char *sql, struct err *err);

/* Another process, with the system's SQLite, through Python's sqlite3. */
struct writer;
struct writer *writer_start(const char *path);
/* Runs one line of SQL there, in autocommit, and returns when it is done. "!open", "!close", "!exit" do what they say.
 */
void writer_sql(struct writer *w, const char *sql);
void writer_end(struct writer *w);
void become_nobody(void); /* for tests of permissions, when run as root */

#endif

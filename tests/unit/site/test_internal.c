/* SPDX-License-Identifier: Apache-2.0 */
/* The internal database: made at first use, transactions, fallback, threads. */
#include "site/internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "db/conn_cache.h"
#include "db/stmt.h"
#include "test.h"

static char folder[] = "/tmp/vitrine-internal-XXXXXX";
static char path[128];

static void begin(void)
{
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sub/internal.db", folder);
}

static void end(struct internal *in)
{
    static const char *const names[] = {"sub/internal.db", "sub/internal.db-wal", "sub/internal.db-shm"};
    char name[160];
    conn_cache_clear_thread();
    internal_free(in);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        unlink(name);
    }
    snprintf(name, sizeof name, "%s/sub", folder);
    rmdir(name);
    rmdir(folder);
}

static int64_t ask(struct internal *in, const char *sql)
{
    struct conn *c;
    struct err err = ERR_INIT;
    int64_t n = -1;
    CHECK(internal_read(in, &c, &err) == STATUS_OK);
    CHECK(conn_query_i64(c, str_of(sql), &n, &err) == STATUS_OK);
    conn_release(c);
    return n;
}

static enum status execute(struct conn *c, void *arg, struct err *err)
{
    return conn_execute(c, str_of(arg), err);
}

static enum status write_then_fail(struct conn *c, void *arg, struct err *err)
{
    CHECK(conn_execute(c, str_of(arg), err) == STATUS_OK);
    return err_set(err, STATUS_CONFLICT, "changed my mind");
}

#define ADD(name) ((char[]){"insert into queries (database_name, name, sql) values ('d', '" name "', 'select 1')"})

TEST(made_at_first_use_with_its_schema)
{
    struct err err = ERR_INIT;
    struct stat meta;
    begin();
    struct internal *in = internal_new(str_of(path));
    CHECK(stat(path, &meta) != 0);
    CHECK_INT(ask(in, "select count(*) from queries"), 0);
    CHECK(stat(path, &meta) == 0 && (meta.st_mode & 0777) == 0600);
    CHECK_INT(ask(in, "select count(*) from pragma_table_list where name in ('metadata_instance', "
                      "'metadata_databases', 'metadata_resources', 'metadata_columns', 'column_types', 'queries')"),
              6);
    CHECK(!internal_is_memory(in));
    CHECK(internal_write(in, execute, ADD("a"), &err) == STATUS_OK);
    conn_cache_clear_thread();
    internal_free(in);
    in = internal_new(str_of(path)); /* kept, and no step runs twice */
    CHECK(internal_open(in, &err) == STATUS_OK);
    CHECK_INT(ask(in, "select count(*) from queries"), 1);
    CHECK_INT(ask(in, "select count(*) = count(distinct name) from vitrine_steps"), 1);
    end(in);
}

TEST(writes_are_transactions)
{
    struct err err = ERR_INIT;
    struct db_signature before, after;
    begin();
    struct internal *in = internal_new(str_of(path));
    CHECK(internal_signature(in, &before, &err) == STATUS_OK);
    CHECK(internal_write(in, write_then_fail, ADD("a"), &err) == STATUS_CONFLICT);
    CHECK_STR(str_of(err.text), "changed my mind");
    CHECK_INT(ask(in, "select count(*) from queries"), 0);
    CHECK(internal_write(in, execute, (char[]){"insert into nowhere values (1)"}, &err) == STATUS_SQL);
    CHECK(internal_write(in, execute, ADD("b"), &err) == STATUS_OK);
    CHECK_INT(ask(in, "select count(*) from queries"), 1);
    CHECK(internal_signature(in, &after, &err) == STATUS_OK && !db_signature_equal(&before, &after));
    end(in);
}

TEST(readers_cannot_write)
{
    struct err err = ERR_INIT;
    struct conn *c;
    struct stmt *s;
    begin();
    struct internal *in = internal_new(str_of(path));
    CHECK(internal_read(in, &c, &err) == STATUS_OK);
    CHECK(conn_prepare(c, STR("delete from queries"), &s, &err) == STATUS_SQL);
    conn_release(c);
    end(in);
}

TEST(memory_when_it_cannot_be_written)
{
    struct err err = ERR_INIT;
    log_setup(LOG_OFF, LOG_TEXT, 2);
    struct internal *in = internal_new(STR("/dev/null/x/internal.db"));
    CHECK(internal_open(in, &err) != STATUS_OK && str_find(str_of(err.text), STR("/dev/null")) != STR_NPOS);
    CHECK(internal_is_memory(in));
    CHECK(internal_write(in, execute, ADD("a"), &err) == STATUS_OK);
    CHECK_INT(ask(in, "select count(*) from queries"), 1);
    conn_cache_clear_thread();
    internal_free(in);
    in = internal_new(STR(""));
    CHECK(internal_is_memory(in));
    CHECK_INT(ask(in, "select count(*) from queries"), 0); /* another one */
    conn_cache_clear_thread();
    internal_free(in);
}

static enum status add_one(struct conn *c, void *arg, struct err *err)
{
    (void)arg;
    return conn_execute(
        c, STR("insert into metadata_instance values ('n', 1) on conflict(key) do update set value = value + 1"), err);
}

static void *hammer(void *arg)
{
    for (int i = 0; i < 50; i++) {
        CHECK(internal_write(arg, add_one, NULL, NULL) == STATUS_OK);
        CHECK(ask(arg, "select cast(value as integer) from metadata_instance") > 0);
    }
    conn_cache_clear_thread();
    return NULL;
}

static void hammer_all(struct internal *in)
{
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, hammer, in) == 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(ask(in, "select cast(value as integer) from metadata_instance"), 200);
}

TEST(many_threads_lose_nothing)
{
    begin();
    struct internal *in = internal_new(str_of(path));
    hammer_all(in);
    end(in);
}

TEST(many_threads_in_memory)
{
    struct internal *in = internal_new(STR(""));
    hammer_all(in);
    conn_cache_clear_thread();
    internal_free(in);
}

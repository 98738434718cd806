/* SPDX-License-Identifier: Apache-2.0 */
/* The queue, with folders and programs as the way out. Mail servers are in tests/hub/test_mail.py. */
#include <dirent.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/yaml.h"
#include "db/stmt.h"
#include "hub/mail.h"
#include "hub/store.h"
#include "test.h"

#define KEY STR("0123456789abcdef0123456789abcdef")

static char root[64];
static struct arena *a;
static struct store *store;
static struct mailer *mailer;
static struct mail_config config;

static str in(const char *name)
{
    return arena_printf(a, "%s/%s", root, name);
}

static enum status add(struct conn *c, void *arg, struct err *err)
{
    const str *to = arg;
    struct value vars = value_dict(a);
    VALUE_SET(vars, "by", value_cstr("Ana\r\nBcc: x@y.z"));
    VALUE_SET(vars, "what", value_cstr("<b>Prices</b>"));
    VALUE_SET(vars, "url", value_cstr("https://museum.example.org/data?a=1&b=2"));
    return mail_add(c, a, KEY, *to, "share", vars, err);
}

static enum status put(const char *to, struct err *err)
{
    str address = str_of(to);
    return store_write(store, add, &address, err);
}

static enum status run_one(struct conn *c, void *arg, struct err *err)
{
    return conn_execute(c, str_of(arg), err);
}

static void run_sql(char *sql)
{
    CHECK_INT(store_write(store, run_one, sql, NULL), STATUS_OK);
}

static int64_t query(const char *sql)
{
    struct conn *c;
    int64_t n = -1;
    CHECK_INT(store_read(store, &c, NULL), STATUS_OK);
    CHECK_INT(conn_query_i64(c, str_of(sql), &n, NULL), STATUS_OK);
    conn_release(c);
    return n;
}

static void wait_for(const char *sql, int64_t want)
{
    int64_t until = clock_mono_ms() + 20000;
    while (query(sql) != want) {
        if (clock_mono_ms() > until)
            test_fail(__FILE__, __LINE__, "%s stays at %lld", sql, (long long)query(sql));
        (void)poll(NULL, 0, 5);
    }
}

/* The way out is `kind` and the path of `name`. */
static void begin(const char *kind, const char *name)
{
    log_setup(LOG_OFF, LOG_TEXT, 2);
    (void)snprintf(root, sizeof root, "/tmp/mail-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    a = arena_new(0);
    CHECK(mkdir(in("out").p, 0700) == 0);
    CHECK_INT(store_open(in("hub.db"), &store, NULL), STATUS_OK);
    config = (struct mail_config){.url = arena_printf(a, "%s%s/%s", kind, root, name),
                                  .from = STR("data@example.org"),
                                  .from_name = STR("City data"),
                                  .key = KEY,
                                  .host = STR("example.org"),
                                  .origin = STR("https://example.org")};
    struct err err = ERR_INIT;
    if (mailer_new(&config, store, &mailer, &err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s", err.text);
}

static void end(void)
{
    mailer_free(mailer);
    store_free(store);
    static const char *const names[] = {"hub.db", "hub.db-wal", "hub.db-shm", "program", "seen"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlink(in(names[i]).p);
    DIR *d = opendir(in("out").p);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        (void)unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    (void)rmdir(in("out").p);
    CHECK(rmdir(root) == 0);
    arena_free(a);
}

static str only_file(void)
{
    DIR *d = opendir(in("out").p);
    str name = {0}, text = {0};
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.')
            name = arena_printf(a, "%s/out/%s", root, e->d_name);
    closedir(d);
    CHECK_INT(fs_read_file(name.p, LIMIT_LETTER, a, &text, NULL), STATUS_OK);
    return text;
}

TEST(a_mail_into_a_folder)
{
    begin("file:", "out");
    CHECK_INT(put("ana@example.org", NULL), STATUS_OK);
    CHECK_INT(mailer_start(mailer, NULL), STATUS_OK);
    wait_for("select count(*) from mails where sent_at > 0 and vars = '{}'", 1);
    str text = only_file();
    CHECK(str_find(text, STR("\r\nTo: <ana@example.org>\r\n")) != STR_NPOS);
    CHECK(str_find(text, STR("\r\nBcc")) == STR_NPOS); /* nor a line of the text */
    CHECK(str_find(text, STR("Ana  Bcc: x@y.z shares <b>Prices</b> with you:")) != STR_NPOS);
    CHECK(str_find(text, STR("\r\nhttps://museum.example.org/data?a=1&b=2\r\n")) != STR_NPOS);
    CHECK(str_find(text, STR("href=\"https://museum.example.org/data?a=1&amp;b=2\"")) != STR_NPOS);
    CHECK(str_find(text, STR("&lt;b&gt;Prices&lt;/b&gt;")) != STR_NPOS);
    end();
}

/* The program says "later" (75) once; the mail goes out with the second try. */
TEST(a_program_that_wants_to_be_asked_again)
{
    begin("", "program");
    str script = arena_printf(a, "#!/bin/sh\n[ -e %s/seen ] || { : > %s/seen; exit 75; }\ncat > %s/out/mail\n", root,
                              root, root);
    CHECK_INT(fs_write_atomic(in("program").p, script, 0700, NULL), STATUS_OK);
    CHECK_INT(put("ana@example.org", NULL), STATUS_OK);
    CHECK_INT(mailer_start(mailer, NULL), STATUS_OK);
    wait_for("select count(*) from mails where sent_at > 0 and tries = 2", 1);
    str text = only_file();
    CHECK(str_find(text, STR("\nTo: <ana@example.org>\n")) != STR_NPOS && str_find_char(text, '\r') == STR_NPOS);
    end();
}

/* A program that fails puts a mail off, and LIMIT_MAIL_AGE_S after it was written it is given up. */
TEST(mails_are_given_up)
{
    begin("", "program");
    CHECK_INT(put("ana@example.org", NULL), STATUS_OK);
    CHECK_INT(mailer_start(mailer, NULL), STATUS_OK); /* there is no such program */
    wait_for("select tries from mails", 1);
    CHECK_INT(query("select count(*) from mails where failed like '%program%' and next_at > created_at"), 1);
    char sql[120];
    (void)snprintf(sql, sizeof sql, "update mails set created_at = created_at - %d, next_at = 0",
                   (int)LIMIT_MAIL_AGE_S);
    run_sql(sql);
    mailer_wake(mailer);
    wait_for("select count(*) from mails", 0);
    end();
}

TEST(queues_have_sizes)
{
    begin("file:", "out");
    struct err err = ERR_INIT;
    for (int i = 0; i < LIMIT_MAIL_PER_HOUR; i++)
        CHECK_INT(put("ana@example.org", &err), STATUS_OK);
    CHECK_INT(put("Ana@Example.org", &err), STATUS_OK); /* and nothing comes of it */
    CHECK_INT(query("select count(*) from mails"), LIMIT_MAIL_PER_HOUR);
    CHECK_INT(put("ben@example.org", &err), STATUS_OK);
    char earlier[] = "update mails set created_at = created_at - 3600";
    run_sql(earlier);
    CHECK_INT(put("ana@example.org", &err), STATUS_OK);
    CHECK_INT(query("select count(*) from mails"), LIMIT_MAIL_PER_HOUR + 2);
    char sql[250];
    (void)snprintf(sql, sizeof sql,
                   "with recursive n (i) as (select 1 union all select i + 1 from n where i < %d) insert"
                   " into mails (kind, recipient, created_at, next_at) select 'x', i, 0, 1e12 from n",
                   (int)LIMIT_MAIL_WAITING);
    run_sql(sql);
    CHECK_INT(put("ben@example.org", &err), STATUS_BUSY);
    CHECK_INT(put("ben", &err), STATUS_INVALID);
    end();
}

static enum status read_config(const char *yaml, struct mail_config *ret, struct err *err)
{
    struct value v;
    CHECK_INT(value_from_yaml(a, str_of(yaml), &v, NULL), STATUS_OK);
    return mail_config_read(a, v, STR("data.example.org"), STR("https://data.example.org"), ret, err);
}

TEST(ways_out)
{
    static const struct {
        const char *yaml, *why;
    } bad[] = {{"{url: mail.example.org}", "no way to send"},
               {"{url: 'smtp://'}", "no address of a mail server"},
               {"{url: 'file:/nowhere'}", "no folder"},
               {"{from: a@b.c}", "url is missing"},
               {"{url: 'smtp://x', from: Ana}", "from: "},
               {"{url: 'smtp://x', from: \"Ana <a@b.c>\\nBcc: x@y.z\"}", "more than one line"},
               {"{url: 'smtp://x', ca_file: /nowhere.pem}", "/nowhere.pem"},
               {"{url: 'smtp://x', password: {$env: NOT_THERE}}", "variable that is not set"},
               {"{url: 'smtp://x', pass: y}", "no key \"pass\""},
               {"[]", "keys and values"}};
    struct mail_config c;
    struct err err = ERR_INIT;
    a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (read_config(bad[i].yaml, &c, &err) != STATUS_CONFIG || !strstr(err.text, bad[i].why))
            test_fail(__FILE__, __LINE__, "%s: %s", bad[i].yaml, err.text);
    CHECK_INT(read_config("{url: 'smtps://me:p%40ss@mail.example.org', from: '\"Data\" <a@b.c>'}", &c, &err),
              STATUS_OK);
    CHECK_STR(c.url, "smtps://mail.example.org");
    CHECK_STR(c.user, "me");
    CHECK_STR(c.password, "p@ss");
    CHECK_STR(c.from, "a@b.c");
    CHECK_STR(c.from_name, "Data");
    CHECK_INT(read_config("{url: /usr/sbin/sendmail -i -t}", &c, &err), STATUS_OK);
    CHECK_STR(c.from, "noreply@data.example.org");
    arena_free(a);
}

/* Without a way out a mail is dropped, and does not wait for ever. */
TEST(no_way_out)
{
    begin("file:", "out");
    config.url = (str){0};
    CHECK_INT(put("ana@example.org", NULL), STATUS_OK);
    CHECK_INT(mailer_start(mailer, NULL), STATUS_OK);
    wait_for("select count(*) from mails", 0);
    end();
}

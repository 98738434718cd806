/* SPDX-License-Identifier: Apache-2.0 */
/* Whose account it is. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "hub/identity.h"
#include "hub/sql.h"
#include "hub/store.h"
#include "test.h"

static char root[64];
static struct store *store;
static struct conn *c;
static struct arena *a;
static struct err err;

static void begin(void)
{
    a = arena_new(0);
    (void)snprintf(root, sizeof root, "/tmp/identity-XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    CHECK_INT(store_open(arena_printf(a, "%s/hub.db", root), &store, NULL), STATUS_OK);
    CHECK_INT(conn_open_private(store_database(store), CONN_WRITE, &c, NULL), STATUS_OK);
    CHECK_INT(conn_execute(c,
                           STR("insert into users (id, email, name, created_at) values ('ua', 'a@b.c', 'A', 0),"
                               " ('ub', 'b@b.c', 'B', 0)"),
                           NULL),
              STATUS_OK);
}

static void end(void)
{
    static const char *const names[] = {"hub.db", "hub.db-wal", "hub.db-shm"};
    conn_close(c);
    store_free(store);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)unlink(arena_printf(a, "%s/%s", root, names[i]).p);
    CHECK(rmdir(root) == 0);
    arena_free(a);
}

static struct identity_person person(const char *issuer, const char *subject)
{
    return (struct identity_person){.issuer = str_of(issuer), .subject = str_of(subject), .email = STR("a@b.c")};
}

TEST(linked_and_found)
{
    str user;
    struct value list;
    int64_t n;
    begin();
    struct identity_person p = person("https://i", "7"), q = person("https://j", "7"), r = person("https://i", "8");
    CHECK_INT(identity_find(c, a, &p, &user, NULL, &err), STATUS_NOT_FOUND);
    CHECK_INT(identity_link(c, a, STR("ua"), STR("i"), &p, &err), STATUS_OK);
    CHECK_INT(identity_link(c, a, STR("ua"), STR("i"), &p, &err), STATUS_OK); /* again */
    CHECK_INT(identity_link(c, a, STR("ub"), STR("i"), &p, &err), STATUS_CONFLICT);
    CHECK_INT(identity_find(c, a, &p, &user, NULL, &err), STATUS_OK);
    CHECK_STR(user, "ua");
    CHECK_INT(identity_find(c, a, &q, &user, NULL, &err), STATUS_NOT_FOUND); /* the same subject of another issuer */
    CHECK_INT(identity_find(c, a, &r, &user, NULL, &err), STATUS_NOT_FOUND); /* the same e-mail of another subject */
    CHECK_INT(identity_list(c, a, STR("ua"), &list, &err), STATUS_OK);
    CHECK_INT(value_count(list), 1);
    CHECK_STR(value_get_text(value_at(list, 0), STR("who")), "a@b.c");
    int64_t id = VALUE_GET(value_at(list, 0), "id").i;
    CHECK_INT(identity_unlink(c, STR("ub"), id, &err), STATUS_NOT_FOUND);
    CHECK_INT(identity_unlink(c, STR("ua"), id, &err), STATUS_OK);
    CHECK_INT(identity_count(c, STR("ua"), &n, &err), STATUS_OK);
    CHECK_INT(n, 0);
    end();
}

TEST(gone_with_the_account)
{
    str user;
    begin();
    struct identity_person p = person("https://i", "7");
    CHECK_INT(identity_link(c, a, STR("ua"), STR("i"), &p, &err), STATUS_OK);
    CHECK_INT(conn_execute(c, STR("delete from users where id = 'ua'"), NULL), STATUS_OK);
    CHECK_INT(identity_find(c, a, &p, &user, NULL, &err), STATUS_NOT_FOUND);
    end();
}

TEST(not_without_end)
{
    begin();
    for (int i = 0; i < LIMIT_IDENTITIES; i++) {
        struct identity_person p = person("https://i", arena_printf(a, "%d", i).p);
        CHECK_INT(identity_link(c, a, STR("ua"), STR("i"), &p, &err), STATUS_OK);
    }
    struct identity_person p = person("https://i", "more");
    CHECK_INT(identity_link(c, a, STR("ua"), STR("i"), &p, &err), STATUS_TOO_LARGE);
    end();
}

TEST(a_try_has_one_answer)
{
    int64_t n;
    begin();
    CHECK_INT(identity_use_try(c, STR("s1"), clock_unix_s() + 600, &err), STATUS_OK);
    CHECK_INT(identity_use_try(c, STR("s2"), clock_unix_s() - 5, &err), STATUS_OK);
    CHECK_INT(identity_use_try(c, STR("s1"), clock_unix_s() + 600, &err), STATUS_CONFLICT);
    CHECK_INT(conn_query_i64(c, STR("select count(*) from used_tries"), &n, &err), STATUS_OK);
    CHECK_INT(n, 1); /* what is over is forgotten: its cookie has ended too */
    end();
}

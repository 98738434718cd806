/* SPDX-License-Identifier: Apache-2.0 */
/* seals — bringing hub.db to one key.
 *
 * seals_begin runs on a connection of its own, with secure_delete on and a checkpoint after it, so that what was
 * readable is overwritten in the file and gone from the log. All in one transaction: a crash leaves the readable rows
 * or the sealed ones, and the next start goes on. A row is known by what it is: a secret of an app has
 * TOTP_SECRET_BYTES bytes, a sealed one SEAL_OVERHEAD more; what a mail says is text, sealed it is a blob. */
#include "hub/seals.h"

#include "base/clock.h"
#include "codec/seal.h"
#include "codec/totp.h"
#include "hub/sql.h"
#include "rt/fault.h"

#define PAGE 500 /* rows at a time */

str seals_of_app(struct arena *a, str user_id)
{
    return ARENA_CAT(a, STR("app "), user_id);
}

str seals_of_mail(struct arena *a, str recipient)
{
    return ARENA_CAT(a, STR("mail "), recipient);
}

static enum status read_key(struct conn *c, struct arena *a, str *ret, struct err *err)
{
    struct value row;
    enum status st = sql_row(c, a, "select key from seals", NULL, 0, &row, err);
    if (st == STATUS_OK)
        *ret = row.kind == VALUE_DICT ? VALUE_GET(row, "key").s : (str){0};
    return st;
}

enum status seals_key(struct store *s, struct arena *a, str *ret, struct err *err)
{
    struct conn *c = NULL;
    enum status st = store_read(s, &c, err);
    if (st == STATUS_OK)
        st = read_key(c, a, ret, err);
    conn_release(c);
    return st;
}

struct sealing {
    struct conn *c;
    struct arena *a;
    str secret;
    bool found; /* something that was readable */
};

static enum status note_key(struct sealing *s, struct err *err)
{
    str is, ours = seal_name(s->a, s->secret);
    enum status st = read_key(s->c, s->a, &is, err);
    if (st != STATUS_OK || str_eq(is, ours))
        return st;
    if (!is.n)
        return SQL_RUN(s->c, err, "insert into seals (key, since) values (?1, ?2)", SQL_T(ours), SQL_I(clock_unix_s()));
    err_set(err, STATUS_CONFIG, "hub.db is sealed with another key than that in " SEALS_FILE);
    return err_hint(err, "Put the right one back: vitrine hub keys --load FILE");
}

/* One column of totp; the next rows after those that are done are the ones left. */
static enum status seal_apps(struct sealing *s, const char *find, const char *write, struct err *err)
{
    struct value rows = VALUE_NULL;
    enum status st;
    do {
        st = SQL_ROWS(s->c, s->a, &rows, err, find, SQL_I(TOTP_SECRET_BYTES), SQL_I(PAGE));
        for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
            struct value row = value_at(rows, i);
            str user = VALUE_GET(row, "user_id").s;
            str sealed = seal_close(s->a, s->secret, seals_of_app(s->a, user), VALUE_GET(row, "secret").s);
            s->found = true;
            st = SQL_RUN(s->c, err, write, SQL_T(user), SQL_B(sealed));
        }
    } while (st == STATUS_OK && value_count(rows) == PAGE);
    return st;
}

static enum status seal_mails(struct sealing *s, struct err *err)
{
    struct value rows = VALUE_NULL;
    enum status st;
    do {
        st = SQL_ROWS(s->c, s->a, &rows, err,
                      "select id, recipient, vars from mails where sent_at = 0 and typeof(vars) = 'text' limit ?1",
                      SQL_I(PAGE));
        for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
            struct value row = value_at(rows, i);
            str sealed = seal_close(s->a, s->secret, seals_of_mail(s->a, VALUE_GET(row, "recipient").s),
                                    VALUE_GET(row, "vars").s);
            s->found = true;
            st = SQL_RUN(s->c, err, "update mails set vars = ?2 where id = ?1", SQL_I(VALUE_GET(row, "id").i),
                         SQL_B(sealed));
        }
    } while (st == STATUS_OK && value_count(rows) == PAGE);
    return st;
}

static enum status seal_all(struct sealing *s, struct err *err)
{
    enum status st = note_key(s, err);
    if (st == STATUS_OK)
        st = seal_apps(s, "select user_id, secret from totp where length(secret) = ?1 limit ?2",
                       "update totp set secret = ?2 where user_id = ?1", err);
    if (st == STATUS_OK)
        st = seal_apps(s, "select user_id, waiting as secret from totp where length(waiting) = ?1 limit ?2",
                       "update totp set waiting = ?2 where user_id = ?1", err);
    return st == STATUS_OK ? seal_mails(s, err) : st;
}

enum status seals_begin(struct store *store, str secret, struct err *err)
{
    struct sealing s = {.secret = secret};
    enum status st = conn_open_private(store_database(store), CONN_WRITE, &s.c, err);
    if (st != STATUS_OK)
        return st;
    s.a = arena_new(0);
    st = conn_execute(s.c, STR("pragma secure_delete = on"), err);
    if (st == STATUS_OK)
        st = conn_execute(s.c, STR("begin immediate"), err);
    if (st == STATUS_OK)
        st = seal_all(&s, err);
    (void)FAULT("hub.seals.before");
    if (st == STATUS_OK)
        st = conn_execute(s.c, STR("commit"), err);
    else
        (void)!conn_execute(s.c, STR("rollback"), NULL);
    (void)FAULT("hub.seals.after");
    if (st == STATUS_OK && s.found) /* another process may hold the log; then it goes with the next checkpoint */
        (void)!conn_execute(s.c, STR("pragma wal_checkpoint(truncate)"), NULL);
    conn_close(s.c);
    arena_free(s.a);
    return st;
}

static enum status drop(struct conn *c, void *arg, struct err *err)
{
    (void)arg;
    static const char *const all[] = {"delete from totp", "delete from recovery_codes",
                                      "delete from mails where sent_at = 0", "delete from seals"};
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(all); i++)
        st = sql_change(c, all[i], NULL, 0, NULL, err);
    return st;
}

enum status seals_drop(struct store *s, struct err *err)
{
    return store_write(s, drop, NULL, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* brought — hub.db counts its copies, and DIR/keys/copies, which is in no backup, has the same number.
 *
 *   a copy is taken      it has n; then hub.db gets n + 1, then the file
 *   the hub starts       file = hub.db: all is well; file < hub.db: a crash came between the two, the file follows
 *                        file > hub.db, or there is none: hub.db is a copy, or on another machine
 *
 * In such a copy people are signed in who have signed out since, or were sent away; links and invitations are good that
 * were used or withdrawn. Nobody knows which: so all of them end. A hub without a number is new, or of a version before
 * this, and gets its first one; with a file and no number it is a copy too.
 *
 * Not here: what a copy says of people, passwords, roles and used recovery codes. It cannot be known; the log says what
 * to look at. A whole folder that was copied with its keys is the hub itself. Tests: tests/hub/test_brought.py. */
#include "hub/brought.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "hub/sql.h"
#include "rt/fault.h"

#define NUMBER_BYTES 32 /* more is not ours */

static str file_of(struct hub *h, struct arena *a)
{
    return hub_path(a, &h->config, "keys/copies");
}

/* 0: there is none. */
static enum status read_file(struct hub *h, struct arena *a, int64_t *ret, struct err *err)
{
    str text, path = file_of(h, a);
    struct err own = ERR_INIT;
    enum status st = fs_read_file(path.p, NUMBER_BYTES, a, &text, &own);
    *ret = 0;
    if (st == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (st == STATUS_OK && (!str_to_i64(str_trim(text), ret) || *ret < 1)) {
        err_set(err, STATUS_CONFIG, "%s must have a number", path.p);
        return err_hint(err, "Remove it: everybody signs in again then.");
    }
    if (st != STATUS_OK && err)
        *err = own;
    return st;
}

/* `vitrine hub backup` may be run by root, and the hub by somebody else: it is theirs to read. */
static enum status write_file(struct hub *h, struct arena *a, int64_t n, struct err *err)
{
    struct stat s;
    str path = file_of(h, a);
    enum status st = fs_write_atomic(path.p, arena_printf(a, "%lld\n", (long long)n), 0600, err);
    if (st == STATUS_OK && geteuid() == 0 && stat(hub_path(a, &h->config, "keys").p, &s) == 0 &&
        chown(path.p, s.st_uid, s.st_gid) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot give %s to its owner", path.p);
    return st;
}

struct count {
    struct arena *a;
    int64_t least, now; /* now: as it is written */
};

static enum status write_number(struct conn *c, void *arg, struct err *err)
{
    struct count *k = arg;
    int64_t n = 0;
    enum status st = store_fact(c, k->a, "copies", &n, err);
    k->now = MAX(n + 1, k->least);
    return st == STATUS_OK ? SQL_RUN(c, err, "insert or replace into facts (name, value) values ('copies', ?1)",
                                     SQL_T(arena_i64(k->a, k->now)))
                           : st;
}

enum status brought_mark(struct hub *h, struct err *err)
{
    struct count k = {.a = arena_new(0)};
    enum status st = store_write(h->store, write_number, &k, err);
    (void)FAULT("hub.copies.counted");
    if (st == STATUS_OK)
        st = write_file(h, k.a, k.now, err);
    arena_free(k.a);
    return st;
}

static enum status end_all(struct conn *c, void *arg, struct err *err)
{
    struct count *k = arg;
    const struct db_value args[] = {SQL_I(clock_unix_s()), SQL_I(clock_unix_s() + LIMIT_HUB_SESSION_S)};
    static const struct {
        const char *sql;
        size_t count;
    } all[] = {
        {"insert or replace into revoked (space_id, session_id, until) select space_id, session_id, ?2 from"
         " session_spaces where ?1 > 0",
         2},
        {"delete from sessions", 0},
        {"update links set used_at = ?1 where used_at = 0", 1},
        {"delete from invitations where used_at = 0", 0},
        {"insert into audit (at, action) values (?1, 'hub.brought-back')", 1},
        {"insert or replace into facts (name, value) values ('signed_in_after', ?1)", 1},
        {"update spaces set changed = changed + 1", 0},
    };
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(all); i++)
        st = sql_change(c, all[i].sql, args, all[i].count, NULL, err);
    return st == STATUS_OK ? write_number(c, k, err) : st;
}

static enum status end(struct hub *h, struct arena *a, int64_t of_file, struct err *err)
{
    struct count k = {.a = a, .least = of_file + 1};
    enum status st = store_write(h->store, end_all, &k, err);
    (void)FAULT("hub.copies.ended");
    if (st == STATUS_OK)
        st = write_file(h, a, k.now, err);
    if (st == STATUS_OK)
        log_line(
            LOG_WARN, "hub",
            "hub.db was brought back from a copy: all sessions, links in mails and invitations are ended. People, "
            "passwords, roles and recovery codes are those of the copy: whoever was sent away or closed since must "
            "be so again (%.*s/-/admin)",
            STR_ARG(h->config.origin));
    return st;
}

enum status brought_look(struct hub *h, struct err *err)
{
    struct arena *a = arena_new(0);
    struct conn *c = NULL;
    struct err own = ERR_INIT;
    int64_t of_file = 0, of_db = 0;
    enum status counted = STATUS_OK, st = read_file(h, a, &of_file, err);
    if (st == STATUS_OK)
        st = store_read(h->store, &c, err);
    if (st == STATUS_OK)
        st = store_fact(c, a, "copies", &of_db, err);
    conn_release(c);
    if (st == STATUS_OK && (of_file > of_db || (of_db && !of_file)))
        st = end(h, a, of_file, err);
    else if (st == STATUS_OK && !of_db)
        counted = brought_mark(h, &own);
    else if (st == STATUS_OK && of_file < of_db)
        counted = write_file(h, a, of_db, &own);
    if (counted != STATUS_OK) /* a full disk: it serves all the same */
        log_line(LOG_WARN, "hub", "copies of hub.db are not counted: %s", own.text);
    arena_free(a);
    return st;
}

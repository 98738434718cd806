/* SPDX-License-Identifier: Apache-2.0 */
/* factor — see factor.h.
 *
 * Invariants
 * 1. A step of the app, and a recovery code, is used by a conditional UPDATE in the same transaction that signs in: of
 * two that come at once, one changes no row and is refused.
 * 2. `used_step` only grows, unless the clock was set back.
 * 3. Setting up anew changes nothing until the new app has shown that it knows the secret.
 * 4. A secret is sealed wherever it is kept (seals.h). */
#include "hub/factor.h"

#include <sys/random.h>

#include "codec/seal.h"
#include "codec/totp.h"
#include "hub/seals.h"
#include "hub/sql.h"

#define WAITING_S 3600 /* a set-up page may stay open so long */

enum status factor_state(struct conn *c, str user, struct factor_state *ret, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value row;
    enum status st = SQL_ROW(c, a, &row, err,
                             "select (select count(*) from totp where user_id = ?1 and secret is not null) as totp,"
                             " (select count(*) from recovery_codes where user_id = ?1 and used_at = 0) as recovery,"
                             " (select count(*) from passkeys where user_id = ?1) as passkeys",
                             SQL_T(user));
    if (st == STATUS_OK)
        *ret = (struct factor_state){.totp = VALUE_GET(row, "totp").i > 0,
                                     .recovery_left = VALUE_GET(row, "recovery").i,
                                     .passkeys = VALUE_GET(row, "passkeys").i};
    arena_free(a);
    return st;
}

enum status factor_begin(struct conn *c, struct arena *a, str key, str user, int64_t now_s, str *ret_secret,
                         struct err *err)
{
    char *secret = arena_alloc(a, TOTP_SECRET_BYTES);
    if (getrandom(secret, TOTP_SECRET_BYTES, 0) != TOTP_SECRET_BYTES)
        return err_set(err, STATUS_IO, "the system has no random numbers");
    str fresh = str_make(secret, TOTP_SECRET_BYTES);
    enum status st = SQL_RUN(c, err,
                             "insert into totp (user_id, waiting, waiting_since) values (?1, ?2, ?3)"
                             " on conflict (user_id) do update set waiting = ?2, waiting_since = ?3",
                             SQL_T(user), SQL_B(seal_close(a, key, seals_of_app(a, user), fresh)), SQL_I(now_s));
    if (st == STATUS_OK)
        *ret_secret = fresh;
    return st;
}

enum status factor_waiting(struct conn *c, struct arena *a, str key, str user, int64_t now_s, str *ret_secret,
                           struct err *err)
{
    struct value row;
    enum status st = SQL_ROW(c, a, &row, err, "select waiting from totp where user_id = ?1 and waiting_since > ?2",
                             SQL_T(user), SQL_I(now_s - WAITING_S));
    if (st == STATUS_OK && VALUE_GET(row, "waiting").kind != VALUE_BYTES)
        return err_set(err, STATUS_NOT_FOUND, "No app is being set up, or it took longer than an hour: begin again");
    return st == STATUS_OK ? seal_open(a, key, seals_of_app(a, user), VALUE_GET(row, "waiting").s, ret_secret, err)
                           : st;
}

static enum status refused(enum totp_result result, struct err *err)
{
    if (result == TOTP_USED) {
        err_set(err, STATUS_FORBIDDEN, "This code was used already");
        err_hint(err, "Wait for the next one: a new code comes every %d seconds.", TOTP_STEP_S);
    } else {
        err_set(err, STATUS_FORBIDDEN, "This code is not right");
        err_hint(err,
                 "Codes change every %d seconds. When they are never right, the clock of the phone is wrong: let it "
                 "set itself.",
                 TOTP_STEP_S);
    }
    return STATUS_FORBIDDEN;
}

enum status factor_confirm(struct conn *c, struct arena *a, str key, str user, str typed, int64_t now_s,
                           struct err *err)
{
    str secret;
    int64_t step;
    enum status st = factor_waiting(c, a, key, user, now_s, &secret, err);
    if (st != STATUS_OK)
        return st;
    enum totp_result result = totp_check(secret, typed, now_s, -1, &step);
    if (result != TOTP_RIGHT)
        return refused(result, err);
    return SQL_RUN(c, err,
                   "update totp set secret = waiting, since = ?2, used_step = ?3, waiting = null,"
                   " waiting_since = null where user_id = ?1",
                   SQL_T(user), SQL_I(now_s), SQL_I(step));
}

static enum status use_totp(struct conn *c, struct arena *a, str key, str user, str typed, int64_t now_s,
                            struct err *err)
{
    struct value row;
    str secret;
    int64_t step;
    enum status st = SQL_ROW(
        c, a, &row, err, "select secret, used_step from totp where user_id = ?1 and secret is not null", SQL_T(user));
    if (st != STATUS_OK)
        return st;
    if (row.kind != VALUE_DICT)
        return refused(TOTP_WRONG, err);
    st = seal_open(a, key, seals_of_app(a, user), VALUE_GET(row, "secret").s, &secret, err);
    if (st != STATUS_OK)
        return st;
    enum totp_result result = totp_check(secret, typed, now_s, VALUE_GET(row, "used_step").i, &step);
    if (result != TOTP_RIGHT)
        return refused(result, err);
    st = SQL_RUN(c, err, "update totp set used_step = ?2 where user_id = ?1 and used_step = ?3", SQL_T(user),
                 SQL_I(step), SQL_I(VALUE_GET(row, "used_step").i));
    return st != STATUS_OK || conn_changes(c) == 1 ? st : refused(TOTP_USED, err);
}

enum status factor_use(struct conn *c, struct arena *a, str key, str user, str typed, int64_t now_s, bool *ret_recovery,
                       struct err *err)
{
    char digest[DIGEST_HEX_MAX];
    enum status st;
    bool recovery = recovery_digest(key, user, typed, digest);
    if (recovery) {
        st =
            SQL_RUN(c, err, "update recovery_codes set used_at = ?3 where user_id = ?1 and digest = ?2 and used_at = 0",
                    SQL_T(user), SQL_T(str_of(digest)), SQL_I(now_s));
        if (st == STATUS_OK && conn_changes(c) != 1)
            st = err_set(err, STATUS_FORBIDDEN, "This recovery code is not right, or was used already");
    } else {
        st = use_totp(c, a, key, user, typed, now_s, err);
    }
    if (st == STATUS_OK)
        *ret_recovery = recovery;
    return st;
}

enum status factor_renew_recovery(struct conn *c, struct arena *a, str key, str user, int64_t now_s,
                                  str ret[RECOVERY_CODES], struct err *err)
{
    str codes[RECOVERY_CODES];
    char digest[DIGEST_HEX_MAX];
    enum status st = recovery_make(a, codes, err);
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "delete from recovery_codes where user_id = ?1", SQL_T(user));
    for (int i = 0; i < RECOVERY_CODES && st == STATUS_OK; i++) {
        bool ok = recovery_digest(key, user, codes[i], digest);
        ASSERT(ok);
        st = SQL_RUN(c, err, "insert into recovery_codes (user_id, digest, made_at) values (?1, ?2, ?3)", SQL_T(user),
                     SQL_T(str_of(digest)), SQL_I(now_s));
    }
    if (st == STATUS_OK)
        memcpy(ret, codes, sizeof codes);
    return st;
}

enum status factor_off(struct conn *c, str user, struct err *err)
{
    enum status st = SQL_RUN(c, err, "delete from totp where user_id = ?1", SQL_T(user));
    return st == STATUS_OK ? SQL_RUN(c, err, "delete from recovery_codes where user_id = ?1", SQL_T(user)) : st;
}

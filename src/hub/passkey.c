/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/passkey.h"

#include <sys/random.h>

#include "base/limits.h"
#include "codec/b64.h"
#include "codec/cose.h"
#include "codec/digest.h"
#include "hub/sql.h"

#define NONCE_BYTES 16
#define UNTIL_BYTES 8
#define CHALLENGE_S 3600 /* a page may stay open so long before the answer to it is refused */
#define OPTIONS_MAX (LIMIT_HUB_PASSKEYS * 1500 + 65536) /* ids of 1023 bytes as base64, and names */
#define TIMEOUT_MS  300000 /* the browser's own window; what the specification recommends */

/* ---- challenges ---- */

static str challenge_mac(struct arena *a, const struct passkey_ask *ask, str head)
{
    unsigned char mac[DIGEST_RAW_MAX];
    str what = ARENA_CAT(a, STR("passkey:"), head, ask->purpose, STR(":"), ask->browser);
    size_t n = digest_hmac_sha256(ask->key, what, mac);
    return arena_str(a, str_make((const char *)mac, n));
}

static enum status make_challenge(struct arena *a, const struct passkey_ask *ask, str *ret, struct err *err)
{
    char head[NONCE_BYTES + UNTIL_BYTES];
    uint64_t until = (uint64_t)ask->now_s + CHALLENGE_S;
    if (getrandom(head, NONCE_BYTES, 0) != NONCE_BYTES)
        return err_set(err, STATUS_IO, "the system has no random numbers");
    for (int i = 0; i < UNTIL_BYTES; i++)
        head[NONCE_BYTES + i] = (char)(until >> (56 - 8 * i));
    str first = str_make(head, sizeof head);
    *ret = ARENA_CAT(a, first, challenge_mac(a, ask, first));
    return STATUS_OK;
}

/* Is it one of ours, in time, and not answered before? Notes it. */
static enum status take_challenge(struct conn *c, struct arena *a, const struct passkey_ask *ask, str challenge,
                                  struct err *err)
{
    str head = str_sub(challenge, 0, NONCE_BYTES + UNTIL_BYTES);
    uint64_t until = 0;
    if (challenge.n <= head.n || !digest_equal(str_from(challenge, head.n), challenge_mac(a, ask, head)))
        return err_set(err, STATUS_FORBIDDEN, "This page was not made for this browser: load it again");
    for (int i = 0; i < UNTIL_BYTES; i++)
        until = until << 8 | (unsigned char)head.p[NONCE_BYTES + i];
    if ((int64_t)until <= ask->now_s)
        return err_set(err, STATUS_FORBIDDEN, "The page was open for too long: try again");
    enum status st = SQL_RUN(c, err, "delete from used_challenges where until <= ?1", SQL_I(ask->now_s));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "insert or ignore into used_challenges (nonce, until) values (?1, ?2)",
                     SQL_B(str_sub(head, 0, NONCE_BYTES)), SQL_I((int64_t)until));
    if (st == STATUS_OK && conn_changes(c) != 1)
        return err_set(err, STATUS_FORBIDDEN, "This was sent before: try again");
    return st;
}

/* ---- what the browser is asked ---- */

static struct value credentials_of(struct arena *a, struct value rows)
{
    struct value list = value_list(a);
    for (size_t i = 0; i < value_count(rows); i++) {
        struct value one = value_dict(a);
        VALUE_SET(one, "type", value_cstr("public-key"));
        VALUE_SET(one, "id", VALUE_GET(value_at(rows, i), "id"));
        value_push(list, one);
    }
    return list;
}

static enum status write_options(struct arena *a, const struct passkey_ask *ask, struct value options, str *ret,
                                 struct err *err)
{
    str challenge;
    enum status st = make_challenge(a, ask, &challenge, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(options, "challenge", value_str(b64url_encode(a, challenge)));
    VALUE_SET(options, "timeout", value_int(TIMEOUT_MS));
    struct buf json;
    buf_init(&json, OPTIONS_MAX);
    value_to_json(&json, options, 0);
    ASSERT(!json.over);
    *ret = arena_str(a, buf_str(&json));
    buf_release(&json);
    return STATUS_OK;
}

enum status passkey_options_create(struct conn *c, struct arena *a, const struct passkey_ask *ask, str user, str email,
                                   str name, str site_name, str *ret_json, struct err *err)
{
    static const int64_t algs[] = {COSE_EDDSA, COSE_ES256, COSE_RS256};
    struct value options = value_dict(a), rp = value_dict(a), who = value_dict(a), params = value_list(a),
                 choice = value_dict(a), known;
    enum status st = passkey_list(c, a, user, &known, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(rp, "id", value_str(ask->site.rp_id));
    VALUE_SET(rp, "name", value_str(site_name));
    VALUE_SET(who, "id", value_str(b64url_encode(a, user)));
    VALUE_SET(who, "name", value_str(email));
    VALUE_SET(who, "displayName", value_str(name.n ? name : email));
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        struct value one = value_dict(a);
        VALUE_SET(one, "type", value_cstr("public-key"));
        VALUE_SET(one, "alg", value_int(algs[i]));
        value_push(params, one);
    }
    VALUE_SET(choice, "residentKey", value_cstr("required"));
    VALUE_SET(choice, "requireResidentKey", value_bool(true));
    VALUE_SET(choice, "userVerification", value_cstr("required"));
    VALUE_SET(options, "rp", rp);
    VALUE_SET(options, "user", who);
    VALUE_SET(options, "pubKeyCredParams", params);
    VALUE_SET(options, "authenticatorSelection", choice);
    VALUE_SET(options, "attestation", value_cstr("none"));
    VALUE_SET(options, "excludeCredentials", credentials_of(a, known));
    return write_options(a, ask, options, ret_json, err);
}

enum status passkey_options_get(struct conn *c, struct arena *a, const struct passkey_ask *ask, str user, str *ret_json,
                                struct err *err)
{
    struct value options = value_dict(a), known = value_list(a);
    enum status st = user.n ? passkey_list(c, a, user, &known, err) : STATUS_OK;
    if (st != STATUS_OK)
        return st;
    VALUE_SET(options, "rpId", value_str(ask->site.rp_id));
    VALUE_SET(options, "userVerification", value_cstr("required"));
    if (user.n)
        VALUE_SET(options, "allowCredentials", credentials_of(a, known));
    return write_options(a, ask, options, ret_json, err);
}

/* ---- what it answers ---- */

static enum status decoded(struct arena *a, str text, str *ret, struct err *err)
{
    if (text.n > LIMIT_WEBAUTHN_ATTESTATION * 2 || !b64url_decode(a, text, ret))
        return err_set(err, STATUS_INVALID, "the browser's answer is damaged");
    return STATUS_OK;
}

static enum status no_verification(struct err *err)
{
    err_set(err, STATUS_INVALID, "The passkey did not check who is using it");
    err_hint(err, "Set a PIN, a finger or a face for this security key, and try again.");
    return STATUS_INVALID;
}

static enum status insert(struct conn *c, struct arena *a, const struct passkey_ask *ask, str user, str name,
                          const struct webauthn_credential *cred, struct err *err)
{
    struct value row;
    enum status st = SQL_ROW(c, a, &row, err, "select count(*) as n from passkeys where user_id = ?1", SQL_T(user));
    if (st != STATUS_OK)
        return st;
    if (VALUE_GET(row, "n").i >= LIMIT_HUB_PASSKEYS)
        return err_set(err, STATUS_TOO_LARGE, "An account holds at most %d passkeys: remove one first",
                       LIMIT_HUB_PASSKEYS);
    st = SQL_RUN(c, err,
                 "insert or ignore into passkeys (id, user_id, name, key, counter, aaguid, backed_up, made_at)"
                 " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                 SQL_B(cred->id), SQL_T(user), SQL_T(name), SQL_B(cred->key), SQL_I(cred->counter),
                 SQL_B(str_make((const char *)cred->aaguid, WEBAUTHN_AAGUID)), SQL_I(cred->backed_up),
                 SQL_I(ask->now_s));
    if (st == STATUS_OK && conn_changes(c) != 1)
        return err_set(err, STATUS_CONFLICT, "This passkey is of an account already");
    return st;
}

enum status passkey_add(struct conn *c, struct arena *a, const struct passkey_ask *ask, str user, str name,
                        str client_data, str attestation, struct err *err)
{
    struct webauthn_credential cred;
    str client, object, challenge;
    enum status st = decoded(a, client_data, &client, err);
    if (st == STATUS_OK)
        st = decoded(a, attestation, &object, err);
    if (st == STATUS_OK)
        st = webauthn_challenge_of(a, client, &challenge, err);
    if (st == STATUS_OK)
        st = take_challenge(c, a, ask, challenge, err);
    if (st == STATUS_OK)
        st = webauthn_register(a, &ask->site, challenge, client, object, &cred, err);
    if (st == STATUS_OK && !cred.user_verified)
        st = no_verification(err);
    return st == STATUS_OK ? insert(c, a, ask, user, name, &cred, err) : st;
}

static enum status unknown(struct err *err)
{
    err_set(err, STATUS_FORBIDDEN, "This passkey is not known here");
    err_hint(err, "It may have been removed from the account. Sign in another way, and add a new one.");
    return STATUS_FORBIDDEN;
}

static enum status note_use(struct conn *c, const struct passkey_ask *ask, str id, const struct webauthn_seen *seen,
                            struct err *err)
{
    return SQL_RUN(c, err,
                   "update passkeys set counter = max(counter, ?2), used_at = ?3, backed_up = ?4,"
                   " suspect_at = case when ?5 then ?3 else suspect_at end where id = ?1",
                   SQL_B(id), SQL_I(seen->counter), SQL_I(ask->now_s), SQL_I(seen->backed_up), SQL_I(seen->cloned));
}

enum status passkey_use(struct conn *c, struct arena *a, const struct passkey_ask *ask, str user,
                        const struct passkey_answer *given, str *ret_user, struct err *err)
{
    struct webauthn_assertion answer;
    struct webauthn_seen seen;
    struct value row;
    str id, challenge;
    enum status st = decoded(a, given->id, &id, err);
    if (st == STATUS_OK)
        st = decoded(a, given->client_data, &answer.client_data, err);
    if (st == STATUS_OK)
        st = decoded(a, given->authenticator_data, &answer.authenticator_data, err);
    if (st == STATUS_OK)
        st = decoded(a, given->signature, &answer.signature, err);
    if (st == STATUS_OK)
        st = webauthn_challenge_of(a, answer.client_data, &challenge, err);
    if (st == STATUS_OK)
        st = take_challenge(c, a, ask, challenge, err);
    if (st != STATUS_OK)
        return st;
    st = SQL_ROW(c, a, &row, err, "select user_id, key, counter from passkeys where id = ?1", SQL_B(id));
    if (st != STATUS_OK)
        return st;
    if (row.kind != VALUE_DICT)
        return unknown(err);
    str owner = value_get_text(row, STR("user_id"));
    if (user.n && !str_eq(user, owner))
        return unknown(err);
    st = webauthn_assert(a, &ask->site, challenge, VALUE_GET(row, "key").s, (uint32_t)VALUE_GET(row, "counter").i,
                         &answer, &seen, err);
    if (st == STATUS_OK && !seen.user_verified)
        st = no_verification(err);
    if (st == STATUS_OK)
        st = note_use(c, ask, id, &seen, err);
    if (st == STATUS_OK)
        *ret_user = owner;
    return st;
}

/* ---- the list ---- */

enum status passkey_list(struct conn *c, struct arena *a, str user, struct value *ret, struct err *err)
{
    struct value rows;
    enum status st =
        SQL_ROWS(c, a, &rows, err,
                 "select id, name, made_at, used_at, backed_up, suspect_at from passkeys where user_id = ?1"
                 " order by made_at desc, id",
                 SQL_T(user));
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < value_count(rows); i++) {
        struct value row = value_at(rows, i);
        VALUE_SET(row, "id", value_str(b64url_encode(a, VALUE_GET(row, "id").s)));
    }
    *ret = rows;
    return STATUS_OK;
}

static enum status of_user(struct conn *c, enum status st, struct err *err)
{
    return st == STATUS_OK && conn_changes(c) != 1
               ? err_set(err, STATUS_NOT_FOUND, "This account has no such passkey; perhaps it was removed already")
               : st;
}

enum status passkey_name(struct conn *c, struct arena *a, str user, str id, str *ret, struct err *err)
{
    struct value row;
    str raw;
    if (!b64url_decode(a, id, &raw))
        return err_set(err, STATUS_INVALID, "the name of the passkey is damaged");
    enum status st =
        SQL_ROW(c, a, &row, err, "select name from passkeys where user_id = ?1 and id = ?2", SQL_T(user), SQL_B(raw));
    if (st == STATUS_OK && row.kind != VALUE_DICT)
        return err_set(err, STATUS_NOT_FOUND, "There is no such passkey; perhaps it was removed already.");
    if (st == STATUS_OK)
        *ret = VALUE_GET(row, "name").s;
    return st;
}

enum status passkey_remove(struct conn *c, struct arena *a, str user, str id, struct err *err)
{
    str raw;
    if (!b64url_decode(a, id, &raw))
        return err_set(err, STATUS_INVALID, "the name of the passkey is damaged");
    return of_user(c, SQL_RUN(c, err, "delete from passkeys where user_id = ?1 and id = ?2", SQL_T(user), SQL_B(raw)),
                   err);
}

enum status passkey_rename(struct conn *c, struct arena *a, str user, str id, str name, struct err *err)
{
    str raw;
    if (!b64url_decode(a, id, &raw))
        return err_set(err, STATUS_INVALID, "the name of the passkey is damaged");
    return of_user(c,
                   SQL_RUN(c, err, "update passkeys set name = ?3 where user_id = ?1 and id = ?2", SQL_T(user),
                           SQL_B(raw), SQL_T(name)),
                   err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/session.h"

#include "base/clock_jump.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/digest.h"
#include "hub/device.h"
#include "hub/notice.h"
#include "hub/space.h"
#include "hub/waiting.h"
#include "rt/fault.h"

#define SEEN_EVERY_S 600 /* how exactly "last seen" is kept: a write each time */
#define PROOF_BYTES  16

struct seen {
    str id;
    int64_t now;
};

static enum status note_seen(struct conn *c, void *arg, struct err *err)
{
    const struct seen *s = arg;
    return SQL_RUN(c, err,
                   "update sessions set seen_at = ?2, ends_at = case when by_identity then ends_at else ?3 end"
                   " where id = ?1",
                   SQL_T(s->id), SQL_I(s->now), SQL_I(s->now + LIMIT_HUB_SESSION_S));
}

enum status hub_session_find(struct hub_request *rq, struct err *err)
{
    str secret = hub_cookie_of(rq, SESSION_COOKIE);
    struct conn *c;
    struct value row;
    int64_t now = clock_unix_s();
    rq->user = VALUE_NULL;
    if (!secret.n || secret.n > 100)
        return STATUS_OK;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err,
                     "select u.id, u.email, u.name, u.verified_at, u.is_admin, u.deletes_at, s.id as session_id,"
                     " s.seen_at, s.strong_at from sessions s join users u on u.id = s.user_id"
                     " where s.hash = ?1 and s.ends_at > ?2 and u.disabled_at = 0",
                     SQL_T(hub_hash(rq->a, secret)), SQL_I(now));
    if (st != STATUS_OK || row.kind != VALUE_DICT)
        return st;
    rq->session = VALUE_GET(row, "session_id").s;
    rq->strong_at = VALUE_GET(row, "strong_at").i;
    struct seen seen = {rq->session, now};
    if (clock_age_s(VALUE_GET(row, "seen_at").i, now) > SEEN_EVERY_S)
        (void)!store_write(rq->hub->store, note_seen, &seen, NULL); /* worth no failure of the page */
    rq->user = row;
    return STATUS_OK;
}

enum status hub_session_end(struct conn *c, struct arena *a, str session_id, struct err *err)
{
    struct value spaces;
    int64_t until = clock_unix_s() + LIMIT_HUB_SESSION_S;
    enum status st =
        SQL_ROWS(c, a, &spaces, err, "select space_id from session_spaces where session_id = ?1", SQL_T(session_id));
    for (size_t i = 0; st == STATUS_OK && i < value_count(spaces); i++) {
        str space = VALUE_GET(value_at(spaces, i), "space_id").s;
        st = SQL_RUN(c, err, "insert or replace into revoked (space_id, session_id, until) values (?1, ?2, ?3)",
                     SQL_T(space), SQL_T(session_id), SQL_I(until));
        if (st == STATUS_OK)
            st = SQL_RUN(c, err, "update spaces set changed = changed + 1 where id = ?1", SQL_T(space));
    }
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "delete from sessions where id = ?1", SQL_T(session_id));
    return st;
}

enum status hub_session_end_others(struct conn *c, struct arena *a, str user_id, str keep, struct err *err)
{
    struct value rows;
    enum status st = SQL_ROWS(c, a, &rows, err, "select id from sessions where user_id = ?1 and id <> ?2",
                              SQL_T(user_id), SQL_T(keep));
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++)
        st = hub_session_end(c, a, VALUE_GET(value_at(rows, i), "id").s, err);
    return st;
}

struct begin {
    struct hub_request *rq;
    struct session_first first;
    const str *user_id;
    str id, hash, agent, old;
    int64_t now;
    bool ended; /* another one: spaces believe it until they are told */
};

/* Who signs in without end fills hub.db with sessions: those that were used last stay. */
static enum status end_oldest(struct conn *c, struct begin *b, str user_id, struct err *err)
{
    struct value rows;
    enum status st =
        SQL_ROWS(c, b->rq->a, &rows, err,
                 "select id from sessions where user_id = ?1 and id <> ?2 order by seen_at desc, rowid desc"
                 " limit 100 offset ?3",
                 SQL_T(user_id), SQL_T(b->id), SQL_I(LIMIT_HUB_SESSIONS - 1));
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        st = hub_session_end(c, b->rq->a, VALUE_GET(value_at(rows, i), "id").s, err);
        b->ended = true;
    }
    return st;
}

/* The first browser of an account is no news. */
static enum status tell_of_device(struct conn *c, struct hub_request *rq, str user_id, struct err *err)
{
    struct value row;
    bool known;
    enum status st = device_knows(c, rq, user_id, &known, err);
    if (st != STATUS_OK || known)
        return st;
    st = SQL_ROW(c, rq->a, &row, err, "select exists (select 1 from devices where user_id = ?1) as others",
                 SQL_T(user_id));
    if (st != STATUS_OK || !VALUE_GET(row, "others").i)
        return st;
    return notice_add(c, rq, user_id, "new_device", NULL, VALUE_NULL, err);
}

static enum status begin(struct conn *c, void *arg, struct err *err)
{
    struct begin *b = arg;
    enum status st = b->first.fn ? b->first.fn(c, b->first.arg, err) : STATUS_OK;
    str user = *b->user_id; /* known by now */
    b->ended = b->old.n > 0;
    int64_t identity = b->rq->identity, life_s = LIMIT_HUB_SESSION_S;
    if (identity) /* what the issuer knows of them by now: that they left */
        life_s = MIN(life_s, (int64_t)LIMIT_IDENTITY_AGE_S);
    if (st == STATUS_OK && b->old.n)
        st = hub_session_end(c, b->rq->a, b->old, err);
    if (st == STATUS_OK)
        st = SQL_RUN(c, err,
                     "insert into sessions (id, hash, user_id, created_at, seen_at, ends_at, strong_at, agent, address,"
                     " by_identity) values (?1, ?2, ?3, ?4, ?4, ?5, ?4, ?6, ?7, ?8)",
                     SQL_T(b->id), SQL_T(b->hash), SQL_T(user), SQL_I(b->now), SQL_I(b->now + life_s), SQL_T(b->agent),
                     SQL_T(b->rq->client), SQL_I(identity));
    if (st == STATUS_OK)
        st = end_oldest(c, b, user, err);
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "update users set seen_at = ?2 where id = ?1", SQL_T(user), SQL_I(b->now));
    if (st == STATUS_OK) /* what this browser brought is nobody else's from now on */
        st = waiting_give(c, b->rq, user, err);
    if (st == STATUS_OK)
        st = tell_of_device(c, b->rq, user, err);
    if (st == STATUS_OK)
        st = device_note(c, b->rq, user, err);
    return st;
}

enum status hub_session_begin(struct hub_request *rq, const str *user_id, struct session_first first, struct err *err)
{
    str hash, secret = hub_secret(rq->a, &hash);
    struct begin b = {.rq = rq,
                      .first = first,
                      .id = hub_id(rq->a, 'k'),
                      .hash = hash,
                      .user_id = user_id,
                      .agent = str_sub(http_header(rq->http, STR("user-agent")), 0, 300),
                      .old = rq->session,
                      .now = clock_unix_s()};
    hub_conn_release(rq);
    (void)device_id(rq); /* made here: the write may run twice */
    enum status st = store_write(rq->hub->store, begin, &b, err);
    (void)FAULT("hub.session.made");
    if (st == STATUS_OK) {
        hub_cookie(rq, SESSION_COOKIE, secret, LIMIT_HUB_SESSION_S);
        device_remember(rq);
        if (b.ended)
            space_tell(rq->hub);
    }
    hub_conn_release(rq);
    return st;
}

str hub_session_proof(const struct hub_request *rq, const char *what)
{
    unsigned char mac[DIGEST_RAW_MAX];
    str said = ARENA_CAT(rq->a, STR("page:"), str_of(what), STR(":"), rq->session);
    (void)digest_hmac_sha256(rq->hub->secret, said, mac);
    return b64url_encode(rq->a, str_make((const char *)mac, PROOF_BYTES));
}

enum status hub_session_confirm(struct conn *c, const struct hub_request *rq, struct err *err)
{
    return SQL_RUN(c, err, "update sessions set strong_at = ?2 where id = ?1", SQL_T(rq->session),
                   SQL_I(clock_unix_s()));
}

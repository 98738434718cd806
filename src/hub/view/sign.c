/* SPDX-License-Identifier: Apache-2.0 */
/* sign — making an account, signing in and out, sign-on to spaces. Links in mails: mail_links.c.
 *
 * Whether an address has an account is told to nobody who does not own it: wrong address and wrong password are one
 * answer that takes the same time, "forgot" always says that a mail is on its way, and where addresses are confirmed
 * signing up always ends in the same page. */
#include "hub/view/sign.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/letter.h"
#include "codec/password.h"
#include "codec/password_rules.h"
#include "codec/token.h"
#include "codec/url.h"
#include "hub/account.h"
#include "hub/device.h"
#include "hub/mail.h"
#include "hub/second.h"
#include "hub/session.h"
#include "hub/space.h"
#include "hub/view/view.h"
#include "hub/waiting.h"
#include "rt/fault.h"

/* Of a password nobody has: what an unknown address is compared with, so that it takes as long. */
#define NOBODY "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ib2R5$Q2hlY2tlZCBzbyB0aGF0IGl0IHRha2VzIGFzIGxvbmc"

static const struct throttle_rule per_address = {20, 6000}, per_account = {6, 20000}, per_device = {10, 10000},
                                  strangers = {100, 30000};

struct bucket {
    str name;
    struct throttle_rule rule;
};

/* Whose attempts this one counts among. A browser that signed in to the account before has a bucket of its own, so that
 * nobody else can use it up. All others: those of the client, those of the client at this account, and those of all
 * strangers at this account (many clients of one attacker), whatever the spelling of the address. */
static size_t buckets_of(struct hub_request *rq, str email, bool known, struct bucket out[3])
{
    struct arena *a = rq->a;
    str lower = arena_lower(a, str_sub(email, 0, 320));
    if (known) {
        out[0] = (struct bucket){ARENA_CAT(a, STR("device "), device_id(rq), STR(" "), lower), per_device};
        return 1;
    }
    out[0] = (struct bucket){ARENA_CAT(a, STR("sign-in "), rq->crowd), per_address};
    out[1] = (struct bucket){ARENA_CAT(a, STR("sign-in "), rq->crowd, STR(" "), lower), per_account};
    out[2] = (struct bucket){ARENA_CAT(a, STR("strangers "), lower), strangers};
    return 3;
}

enum status sign_may_try(struct hub_request *rq, str email, str user_id, bool *ret_known, struct err *err)
{
    struct bucket buckets[3];
    struct conn *c;
    bool known = false;
    int64_t now = clock_mono_ms(), wait = 0;
    enum status st = user_id.n ? hub_conn(rq, &c, err) : STATUS_OK;
    if (st == STATUS_OK && user_id.n)
        st = device_knows(c, rq, user_id, &known, err);
    if (st != STATUS_OK)
        return st;
    size_t n = buckets_of(rq, email, known, buckets);
    for (size_t i = 0; i < n && !wait; i++)
        wait = throttle_take(rq->hub->throttle, buckets[i].name, buckets[i].rule, now);
    *ret_known = known;
    if (!wait)
        return STATUS_OK;
    response_header_set(&rq->response, STR("retry-after"), arena_i64(rq->a, wait));
    err_set(err, STATUS_RATE, "Too many attempts. Wait %lld second%s, then try again.", (long long)wait,
            wait == 1 ? "" : "s");
    return STATUS_RATE;
}

static void was_right(struct hub_request *rq, str email, bool known)
{
    struct bucket buckets[3];
    size_t n = buckets_of(rq, email, known, buckets);
    for (size_t i = 0; i < n; i++)
        throttle_give_back(rq->hub->throttle, buckets[i].name, buckets[i].rule, clock_mono_ms());
}

enum status sign_form(struct hub_request *rq, const char *page, const struct err *why, struct err *err)
{
    struct value vars = value_dict(rq->a), file;
    str to = hub_safe_path(hub_is_post(rq) ? hub_field(rq, "to") : hub_arg(rq, "to"));
    hub_put_error(rq, vars, why);
    VALUE_SET(vars, "email", value_str(hub_is_post(rq) ? hub_field(rq, "email") : hub_arg(rq, "email")));
    VALUE_SET(vars, "name", value_str(hub_field(rq, "name")));
    VALUE_SET(vars, "token", value_str(hub_is_post(rq) ? hub_field(rq, "token") : hub_arg(rq, "token")));
    VALUE_SET(vars, "invitation", value_str(hub_field(rq, "invitation")));
    VALUE_SET(vars, "verify", value_bool(rq->hub->config.verify));
    VALUE_SET(vars, "sends", value_bool(hub_sends_mail(&rq->hub->config)));
    enum status st = waiting_find(rq, &file, err);
    VALUE_SET(vars, "file", file);
    if (str_is(to, "/") && file.kind == VALUE_DICT)
        to = STR("/-/start");
    VALUE_SET(vars, "to", value_str(to));
    if (st == STATUS_OK && str_is(str_of(page), "sign_in.html"))
        st = second_offer(rq, vars, err);
    if (st != STATUS_OK)
        return st;
    return hub_page(rq, why ? status_http(why->status) : 200, page, vars, err);
}

/* ---- signing up ---- */

struct sign_up {
    struct hub_request *rq;
    str id, email, name, hash, link, secret, browser;
    bool verified, taken, invited;
};

/* An account that nobody confirmed, and whoever signs up once more did not get, or lost, the mail. The new link sets
 * the password that was typed this time: whose the first one was, nobody knows. */
static enum status write_again(struct conn *c, struct sign_up *s, struct err *err)
{
    enum status st = account_link_add(c, s->link, "verify", s->id, s->email, LIMIT_HUB_LINK_S, err);
    if (st == STATUS_OK)
        st = account_link_of_browser(c, s->link, s->browser, err);
    if (st == STATUS_OK)
        st = account_link_of_password(c, s->link, s->hash, err);
    return st == STATUS_OK ? waiting_give(c, s->rq, s->id, err) : st;
}

static enum status write_sign_up(struct conn *c, void *arg, struct err *err)
{
    struct sign_up *s = arg;
    struct value row, vars = value_dict(s->rq->a);
    enum status st =
        SQL_ROW(c, s->rq->a, &row, err,
                "select id, verified_at = 0 and disabled_at = 0 as again from users where email = ?1", SQL_T(s->email));
    if (st != STATUS_OK)
        return st;
    s->taken = row.kind == VALUE_DICT;
    bool again = s->taken && s->rq->hub->config.verify && !s->verified && VALUE_GET(row, "again").i;
    if (again) {
        s->id = VALUE_GET(row, "id").s;
        s->taken = false;
    }
    const char *path = s->taken ? "/-/forgot" : "/-/verify?token=";
    VALUE_SET(vars, "name", value_str(s->name));
    VALUE_SET(vars, "url",
              value_str(ARENA_CAT(s->rq->a, s->rq->hub->config.origin, str_of(path), s->taken ? STR("") : s->secret)));
    bool new = !s->taken && !again;
    if (again)
        st = write_again(c, s, err);
    if (new)
        st = account_add(c, s->rq, s->id, s->email, s->name, s->hash, s->verified, err);
    if (st == STATUS_OK && new) /* also for who goes on from a mail, in another browser */
        st = waiting_give(c, s->rq, s->id, err);
    if (st == STATUS_OK && new && !s->verified)
        st = account_link_add(c, s->link, "verify", s->id, s->email, LIMIT_HUB_LINK_S, err);
    if (st == STATUS_OK && new && !s->verified)
        st = account_link_of_browser(c, s->link, s->browser, err);
    if (st == STATUS_OK && s->rq->hub->config.verify && !s->verified)
        st = mail_add(c, s->rq->a, s->rq->hub->secret, s->email, s->taken ? "already" : "verify", vars, err);
    return st;
}

/* Whoever was invited by mail has shown that the address is theirs, and may come where others may not. */
static enum status find_invitation(struct hub_request *rq, str email, bool *ret, struct err *err)
{
    struct conn *c;
    struct value row = VALUE_UNDEF;
    str token = hub_field(rq, "invitation");
    *ret = false;
    if (!token.n || token.n > 100)
        return STATUS_OK;
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err,
                     "select space_id, by_user from invitations where hash = ?1 and email = ?2 and used_at = 0 and"
                     " ends_at > ?3",
                     SQL_T(hub_hash(rq->a, token)), SQL_T(email), SQL_I(clock_unix_s()));
    return st == STATUS_OK && row.kind == VALUE_DICT
               ? space_is_owned_by(c, rq->a, VALUE_GET(row, "space_id").s, VALUE_GET(row, "by_user").s, ret, err)
               : st;
}

/* However many addresses they come from: so many accounts, passwords to hash and mails, and no more. Who has an
 * account, or was invited, is not held up. */
static enum status may_join(struct hub_request *rq, struct err *err)
{
    const struct throttle_rule rule = {(uint32_t)LIMIT_HUB_SIGN_UPS, (uint32_t)(60000 / LIMIT_HUB_SIGN_UPS_MIN)};
    int64_t wait = throttle_take(rq->hub->throttle, STR("sign-ups"), rule, clock_mono_ms());
    if (!wait)
        return STATUS_OK;
    response_header_set(&rq->response, STR("retry-after"), arena_i64(rq->a, wait));
    err_set(err, STATUS_RATE, "Too many people make an account at this moment.");
    err_hint(err, "Wait a little, then try again. With an invitation you need not wait.");
    return STATUS_RATE;
}

static enum status sign_up(struct hub_request *rq, struct err *err)
{
    struct sign_up s = {
        .rq = rq, .id = hub_id(rq->a, 'u'), .email = hub_field(rq, "email"), .name = hub_field(rq, "name")};
    str password = value_get_text(rq->form, STR("password"));
    enum status st = hub_of_field(rq, "email", letter_address(s.email, err));
    if (st == STATUS_OK && !s.name.n)
        s.name = str_sub(s.email, 0, str_find_char(s.email, '@'));
    if (st == STATUS_OK)
        st = hub_of_field(rq, "name", account_name_check(s.name, "Your name", err));
    if (st == STATUS_OK)
        st = hub_of_field(rq, "password", password_rules_check(password, s.email, err));
    if (st == STATUS_OK)
        st = find_invitation(rq, s.email, &s.invited, err);
    if (st == STATUS_OK && rq->hub->config.sign_up != SIGN_UP_OPEN && !s.invited) {
        err_set(err, STATUS_FORBIDDEN, "Nobody can make an account here without an invitation.");
        return err_hint(err, "Ask somebody who has a space here to invite you.");
    }
    bool known;
    if (st == STATUS_OK)
        st = sign_may_try(rq, s.email, STR(""), &known, err);
    if (st == STATUS_OK && !s.invited)
        st = may_join(rq, err);
    if (st == STATUS_OK)
        st = password_hash(rq->a, password, PASSWORD_ARGON2ID, &s.hash, err);
    if (st != STATUS_OK)
        return st;
    s.verified = s.invited && hub_sends_mail(&rq->hub->config); /* the link came to that address, and only there */
    s.secret = hub_secret(rq->a, &s.link);
    s.browser = hub_hash(rq->a, device_id(rq));
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_sign_up, &s, err);
    (void)FAULT("hub.account.made");
    if (st != STATUS_OK)
        return st;
    if (rq->hub->config.verify && !s.verified)
        return hub_go(rq, STR("/-/sign-in"), "confirm-sent");
    if (s.taken) {
        err_set(err, STATUS_CONFLICT, "This address has an account already.");
        return hub_of_field(rq, "email", err_hint(err, "Sign in with it, or set a new password."));
    }
    st = hub_session_begin(rq, &s.id, (struct session_first){0}, err);
    return st == STATUS_OK ? hub_go(rq, hub_safe_path(hub_field(rq, "to")), NULL) : st;
}

enum status hub_view_sign_up(struct hub_request *rq, struct err *err)
{
    struct err why = ERR_INIT;
    if (!hub_is_post(rq))
        return sign_form(rq, "sign_up.html", NULL, err);
    enum status st = sign_up(rq, &why);
    if (st == STATUS_OK)
        return st;
    if (second_in_form(st))
        return sign_form(rq, "sign_up.html", &why, err);
    *err = why;
    return st;
}

/* ---- signing in and out ---- */

static enum status sign_in(struct hub_request *rq, struct err *err)
{
    struct conn *c;
    struct value row;
    bool known;
    str email = hub_field(rq, "email"), password = value_get_text(rq->form, STR("password"));
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err, "select id, password, verified_at, disabled_at from users where email = ?1",
                     SQL_T(email));
    if (st == STATUS_OK)
        st = sign_may_try(rq, email, value_get_text(row, STR("id")), &known, err);
    if (st != STATUS_OK)
        return st;
    str hash = value_get_text(row, STR("password"));
    bool right = password_matches(hash.n ? hash : STR(NOBODY), password) && hash.n;
    if (!right) {
        err_set(err, STATUS_UNAUTHENTICATED, "The address or the password is wrong.");
        return hub_of_field(rq, "password",
                            err_hint(err, "Forgotten? \"Forgot the password\" below says how to set a new one."));
    }
    if (VALUE_GET(row, "disabled_at").i)
        return account_closed(rq, err);
    if (rq->hub->config.verify && !VALUE_GET(row, "verified_at").i) {
        err_set(err, STATUS_FORBIDDEN, "This address is not confirmed yet.");
        return err_hint(
            err, "Follow the link in the mail that we sent you. Nothing came? Sign up again: another one is sent.");
    }
    was_right(rq, email, known);
    return second_begin(rq, VALUE_GET(row, "id").s, hub_field(rq, "to"), NULL, err);
}

enum status hub_view_sign_in(struct hub_request *rq, struct err *err)
{
    struct err why = ERR_INIT;
    if (!hub_is_post(rq) && !value_is_null(rq->user))
        return hub_go(rq, hub_safe_path(hub_arg(rq, "to")), NULL);
    if (!hub_is_post(rq))
        return sign_form(rq, "sign_in.html", NULL, err);
    enum status st = sign_in(rq, &why);
    if (st == STATUS_OK)
        return st;
    if (second_in_form(st))
        return sign_form(rq, "sign_in.html", &why, err);
    *err = why;
    return st;
}

static enum status write_sign_out(struct conn *c, void *arg, struct err *err)
{
    struct hub_request *rq = arg;
    return hub_session_end(c, rq->a, rq->session, err);
}

enum status hub_view_sign_out(struct hub_request *rq, struct err *err)
{
    enum status st = STATUS_OK;
    if (!hub_is_post(rq)) { /* from a space: it cannot send our form */
        struct value vars = value_dict(rq->a);
        return value_is_null(rq->user) ? hub_go(rq, STR("/"), NULL) : hub_page(rq, 200, "sign_out.html", vars, err);
    }
    hub_conn_release(rq);
    if (rq->session.n)
        st = store_write(rq->hub->store, write_sign_out, rq, err);
    (void)FAULT("hub.session.ended");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub);
    hub_cookie(rq, SESSION_COOKIE, STR(""), 0);
    if (hub_field(rq, "to").n) /* back to the space, with another account */
        return hub_go(rq, hub_safe_path(hub_field(rq, "to")), NULL);
    return hub_go(rq, hub_identity_signed_out(rq), "signed-out");
}

/* ---- sign-on: a space asks who this is ---- */

static enum status note_space(struct conn *c, void *arg, struct err *err)
{
    const str *ids = arg;
    return SQL_RUN(c, err, "insert or ignore into session_spaces (session_id, space_id) values (?1, ?2)", SQL_T(ids[0]),
                   SQL_T(ids[1]));
}

/* Who is signed in wants to be somebody else: that begins with signing out, by a form of ours. */
static enum status other_account(struct hub_request *rq, str space, str nonce, str to, struct err *err)
{
    struct value vars = value_dict(rq->a);
    const struct url_pair pairs[] = {{STR("space"), space}, {STR("state"), nonce}, {STR("to"), to}};
    VALUE_SET(vars, "to", value_str(ARENA_CAT(rq->a, STR("/-/sign-on?"), url_encode(rq->a, pairs, ARRAY_LEN(pairs)))));
    return hub_page(rq, 200, "sign_out.html", vars, err);
}

enum status hub_view_sign_on(struct hub_request *rq, struct err *err)
{
    struct conn *c;
    struct value row, claims = value_dict(rq->a);
    str space = hub_arg(rq, "space"), nonce = hub_arg(rq, "state"), to = hub_safe_path(hub_arg(rq, "to")), ticket;
    int64_t now = clock_unix_s();
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err,
                     "select id, name from spaces where id = ?1 and state in ('live', 'suspended')", SQL_T(space));
    if (st != STATUS_OK)
        return st;
    if (row.kind != VALUE_DICT || !nonce.n || nonce.n > 200) {
        err_set(err, STATUS_NOT_FOUND, "There is no such space.");
        return err_hint(err, "Open its address again.");
    }
    if (hub_arg(rq, "switch").n)
        return other_account(rq, space, nonce, to, err);
    str ids[] = {rq->session, VALUE_GET(row, "id").s};
    hub_conn_release(rq);
    st = store_write(rq->hub->store, note_space, ids, err); /* before the ticket: a sign-out must find the space */
    (void)FAULT("hub.session.space");
    if (st != STATUS_OK)
        return st;
    VALUE_SET(claims, "use", value_cstr("sign-on"));
    VALUE_SET(claims, "aud", VALUE_GET(row, "id"));
    VALUE_SET(claims, "sub", VALUE_GET(rq->user, "id"));
    VALUE_SET(claims, "sid", value_str(rq->session));
    VALUE_SET(claims, "name", VALUE_GET(rq->user, "name"));
    if (VALUE_GET(rq->user, "verified_at").i)
        VALUE_SET(claims, "email", VALUE_GET(rq->user, "email"));
    VALUE_SET(claims, "nonce", value_str(nonce));
    VALUE_SET(claims, "iat", value_int(now));
    VALUE_SET(claims, "exp", value_int(now + LIMIT_HUB_TICKET_S));
    st = token_sign(rq->a, rq->hub->key, STR("1"), claims, &ticket, err);
    if (st != STATUS_OK)
        return st;
    str origin = hub_space_origin(rq->a, &rq->hub->config, VALUE_GET(row, "name").s);
    return hub_go_outside(
        rq, ARENA_CAT(rq->a, origin, STR("/-/sign-on?ticket="), ticket, STR("&to="), url_quote(rq->a, to, "/")));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* mail_links — what links lead to that prove who somebody is: an address confirmed, a password set anew, the first
 * administrator. Most stand in mails; an administrator hands out some by hand, and `vitrine hub init` prints one.
 *
 * A GET changes nothing: programs that look through mail open every link. */
#include "base/clock.h"
#include "base/limits.h"
#include "codec/letter.h"
#include "codec/password.h"
#include "codec/password_rules.h"
#include "hub/account.h"
#include "hub/audit.h"
#include "hub/device.h"
#include "hub/mail.h"
#include "hub/notice.h"
#include "hub/second.h"
#include "hub/session.h"
#include "hub/space.h"
#include "hub/view/sign.h"
#include "hub/view/view.h"
#include "rt/fault.h"

static enum status no_link(const struct hub_request *rq, const char *kind, struct err *err)
{
    err_set(err, STATUS_NOT_FOUND, "This link was used already, or its time is over.");
    if (strcmp(kind, "admin") == 0)
        return err_hint(err, "On the machine of the hub, \"vitrine hub admin-link\" prints a new one.");
    if (strcmp(kind, "verify") == 0)
        return err_hint(err, "Is the address confirmed already? Sign in. Else sign up again: another link is sent.");
    if (!hub_sends_mail(&rq->hub->config))
        return err_hint(err, "Ask whoever runs %.*s for a new one.", STR_ARG(rq->hub->config.domain));
    return err_hint(err, "Ask for a new one with \"Forgot the password\" on the sign-in page.");
}

static enum status link_of(struct hub_request *rq, const char *kind, struct value *ret, struct err *err)
{
    struct conn *c;
    str token = hub_is_post(rq) ? hub_field(rq, "token") : hub_arg(rq, "token");
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = account_link_find(c, rq->a, token, kind, ret, err);
    return st == STATUS_OK && ret->kind != VALUE_DICT ? no_link(rq, kind, err) : st;
}

struct use_link {
    struct hub_request *rq;
    struct value link;
    str hash;       /* the new password; empty = none */
    bool as_chosen; /* it was typed when signing up: nobody needs to be told */
    const char *kind;
};

static enum status write_use_link(struct conn *c, void *arg, struct err *err)
{
    const struct use_link *u = arg;
    str user = VALUE_GET(u->link, "user_id").s;
    bool proves = strcmp(u->kind, "handed") != 0 || u->rq->hub->config.verify; /* else nobody's address is */
    enum status st = account_link_use(c, u->rq->a, hub_field(u->rq, "token"), u->kind, err);
    if (st == STATUS_OK && u->hash.n && proves)
        st = account_proven(c, u->rq->a, user, err);
    if (st == STATUS_OK && u->hash.n)
        st = SQL_RUN(c, err, "update users set password = ?2 where id = ?1", SQL_T(user), SQL_T(u->hash));
    if (st == STATUS_OK && u->hash.n)
        st = hub_session_end_others(c, u->rq->a, user, STR(""), err);
    if (st == STATUS_OK && u->hash.n)
        st = account_void_links(c, user, err);
    if (st == STATUS_OK && u->hash.n && !u->as_chosen)
        st = notice_add(c, u->rq, user, "password_changed", NULL, VALUE_NULL, err);
    if (st == STATUS_OK && !u->hash.n) /* nobody could sign in before that */
        st = SQL_RUN(c, err, "update users set verified_at = ?2 where id = ?1 and verified_at = 0", SQL_T(user),
                     SQL_I(clock_unix_s()));
    if (st == STATUS_OK) /* other links of that kind are of no use any more */
        st = SQL_RUN(c, err, "update links set used_at = ?3 where user_id = ?1 and kind = ?2 and used_at = 0",
                     SQL_T(user), SQL_T(str_of(u->kind)), SQL_I(clock_unix_s()));
    bool reset = u->hash.n && !u->as_chosen;
    return st == STATUS_OK ? hub_audit(c, u->rq, reset ? "password.reset" : "email.verified", STR(""), user, err) : st;
}

/* Whoever follows the link has the mailbox, but may not be who made the account: somebody else may have begun it with
 * this address and a password of theirs, and wait for its owner to confirm it. So the link alone confirms only in the
 * browser that signed up. Elsewhere it takes the password, or a new one: then what was there before ends
 * (account_proven). */
static bool is_same_browser(struct hub_request *rq, struct value link)
{
    str browser = VALUE_GET(link, "browser").s;
    return browser.n && str_eq(browser, hub_hash(rq->a, device_id(rq)));
}

static enum status verify_page(struct hub_request *rq, struct value link, const struct err *why, struct err *err)
{
    struct value vars = value_dict(rq->a);
    hub_put_error(rq, vars, why);
    VALUE_SET(vars, "token", value_str(hub_is_post(rq) ? hub_field(rq, "token") : hub_arg(rq, "token")));
    VALUE_SET(vars, "email", VALUE_GET(link, "email"));
    VALUE_SET(vars, "here", value_bool(is_same_browser(rq, link)));
    return hub_page(rq, why ? status_http(why->status) : 200, "verify.html", vars, err);
}

static enum status check_chosen(struct hub_request *rq, struct value link, struct err *err)
{
    struct conn *c;
    struct value row;
    bool known;
    enum status st = sign_may_try(rq, VALUE_GET(link, "email").s, STR(""), &known, err);
    if (st == STATUS_OK)
        st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, rq->a, &row, err, "select password from users where id = ?1",
                     SQL_T(VALUE_GET(link, "user_id").s));
    if (st != STATUS_OK)
        return st;
    str sent = VALUE_GET(link, "password").s, hash = sent.n ? sent : value_get_text(row, STR("password"));
    if (hash.n && password_matches(hash, value_get_text(rq->form, STR("chosen"))))
        return STATUS_OK;
    err_set(err, STATUS_FORBIDDEN, "That is not the password that the account was made with.");
    return hub_of_field(rq, "chosen",
                        err_hint(err, "If you did not make it, or forgot the password, choose a new one below."));
}

static enum status verify(struct hub_request *rq, struct use_link *u, struct err *err)
{
    str password = value_get_text(rq->form, STR("password"));
    enum status st = STATUS_OK;
    if (password.n) {
        st = hub_of_field(rq, "password", password_rules_check(password, VALUE_GET(u->link, "email").s, err));
        if (st == STATUS_OK)
            st = password_hash(rq->a, password, PASSWORD_ARGON2ID, &u->hash, err);
    } else {
        if (!is_same_browser(rq, u->link))
            st = check_chosen(rq, u->link, err);
        u->hash = VALUE_GET(u->link, "password").s;
        u->as_chosen = true;
    }
    hub_conn_release(rq);
    if (st == STATUS_OK)
        st = store_write(rq->hub->store, write_use_link, u, err);
    (void)FAULT("hub.address.verified");
    return st;
}

enum status hub_view_verify(struct hub_request *rq, struct err *err)
{
    struct use_link u = {.rq = rq, .kind = "verify"};
    struct err why = ERR_INIT;
    enum status st = link_of(rq, u.kind, &u.link, err);
    if (st != STATUS_OK || !hub_is_post(rq))
        return st == STATUS_OK ? verify_page(rq, u.link, NULL, err) : st;
    st = verify(rq, &u, &why);
    if (st != STATUS_OK && second_in_form(st))
        return verify_page(rq, u.link, &why, err);
    if (st != STATUS_OK) {
        *err = why;
        return st;
    }
    if (u.hash.n)
        space_tell(rq->hub);
    return second_begin(rq, VALUE_GET(u.link, "user_id").s, STR("/-/start"), "verified", err);
}

struct forgot {
    struct hub_request *rq;
    str email, link, secret;
};

static enum status write_forgot(struct conn *c, void *arg, struct err *err)
{
    const struct forgot *f = arg;
    struct value row, vars = value_dict(f->rq->a);
    enum status st = SQL_ROW(c, f->rq->a, &row, err, "select id, name from users where email = ?1 and disabled_at = 0",
                             SQL_T(f->email));
    if (st != STATUS_OK)
        return st;
    if (row.kind != VALUE_DICT) /* a write too: what waits for the disk is not to be told from what does not */
        return account_link_add(c, f->link, "nobody", STR(""), f->email, LIMIT_HUB_LINK_S, err);
    VALUE_SET(vars, "name", VALUE_GET(row, "name"));
    VALUE_SET(vars, "url",
              value_str(ARENA_CAT(f->rq->a, f->rq->hub->config.origin, STR("/-/reset?token="), f->secret)));
    st = account_link_add(c, f->link, "reset", VALUE_GET(row, "id").s, f->email, LIMIT_HUB_LINK_S, err);
    return st == STATUS_OK ? mail_add(c, f->rq->a, f->rq->hub->secret, f->email, "reset", vars, err) : st;
}

enum status hub_view_forgot(struct hub_request *rq, struct err *err)
{
    struct forgot f = {.rq = rq, .email = hub_field(rq, "email")};
    struct err why = ERR_INIT;
    if (!hub_is_post(rq))
        return sign_form(rq, "forgot.html", NULL, err);
    bool known;
    enum status st = hub_of_field(rq, "email", letter_address(f.email, &why));
    if (st == STATUS_OK && !hub_sends_mail(&rq->hub->config))
        st = err_set(&why, STATUS_CONFLICT, "No mail is sent here, and so no link either.");
    if (st == STATUS_OK)
        st = sign_may_try(rq, f.email, STR(""), &known, &why);
    if (st != STATUS_OK)
        return sign_form(rq, "forgot.html", &why, err);
    f.secret = hub_secret(rq->a, &f.link);
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_forgot, &f, err);
    (void)FAULT("hub.link.made");
    return st == STATUS_OK ? hub_go(rq, STR("/-/sign-in"), "mail-sent") : st;
}

enum status hub_view_reset(struct hub_request *rq, struct err *err)
{
    struct use_link u = {.rq = rq, .kind = "reset"};
    struct err why = ERR_INIT;
    str password = value_get_text(rq->form, STR("password"));
    struct err none = ERR_INIT;
    enum status st = link_of(rq, "handed", &u.link, &none);
    if (st == STATUS_OK)
        u.kind = "handed";
    else
        st = link_of(rq, u.kind, &u.link, err);
    if (st != STATUS_OK || !hub_is_post(rq))
        return st == STATUS_OK ? sign_form(rq, "reset.html", NULL, err) : st;
    st = hub_of_field(rq, "password", password_rules_check(password, VALUE_GET(u.link, "email").s, &why));
    if (st == STATUS_OK)
        st = password_hash(rq->a, password, PASSWORD_ARGON2ID, &u.hash, &why);
    if (st != STATUS_OK)
        return sign_form(rq, "reset.html", &why, err);
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_use_link, &u, err);
    (void)FAULT("hub.password.reset");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub);
    return second_begin(rq, VALUE_GET(u.link, "user_id").s, STR("/"), "password-changed", err);
}

/* ---- the link that `vitrine hub init` prints ---- */

struct admin {
    struct hub_request *rq;
    str id, email, name, hash;
};

static enum status write_admin(struct conn *c, void *arg, struct err *err)
{
    const struct admin *m = arg;
    struct value row;
    enum status st = account_link_use(c, m->rq->a, hub_field(m->rq, "token"), "admin", err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, m->rq->a, &row, err, "select id from users where email = ?1", SQL_T(m->email));
    if (st == STATUS_OK && row.kind == VALUE_DICT) {
        err_set(err, STATUS_CONFLICT, "This address has an account already.");
        return hub_of_field(m->rq, "email",
                            err_hint(err, "Give another one; an administrator can make that account one too."));
    }
    if (st == STATUS_OK)
        st = account_add(c, m->rq, m->id, m->email, m->name, m->hash, true, err);
    return st == STATUS_OK ? SQL_RUN(c, err, "update users set is_admin = 1 where id = ?1", SQL_T(m->id)) : st;
}

enum status hub_view_admin_link(struct hub_request *rq, struct err *err)
{
    struct admin m = {
        .rq = rq, .id = hub_id(rq->a, 'u'), .email = hub_field(rq, "email"), .name = hub_field(rq, "name")};
    struct err why = ERR_INIT;
    struct value link;
    str password = value_get_text(rq->form, STR("password"));
    enum status st = link_of(rq, "admin", &link, err);
    if (st != STATUS_OK || !hub_is_post(rq))
        return st == STATUS_OK ? sign_form(rq, "admin_link.html", NULL, err) : st;
    st = hub_of_field(rq, "email", letter_address(m.email, &why));
    if (st == STATUS_OK && !m.name.n)
        m.name = str_sub(m.email, 0, str_find_char(m.email, '@'));
    if (st == STATUS_OK)
        st = hub_of_field(rq, "name", account_name_check(m.name, "Your name", &why));
    if (st == STATUS_OK)
        st = hub_of_field(rq, "password", password_rules_check(password, m.email, &why));
    if (st == STATUS_OK)
        st = password_hash(rq->a, password, PASSWORD_ARGON2ID, &m.hash, &why);
    hub_conn_release(rq);
    if (st == STATUS_OK)
        st = store_write(rq->hub->store, write_admin, &m, &why);
    (void)FAULT("hub.admin.made");
    if (st != STATUS_OK)
        return sign_form(rq, "admin_link.html", &why, err);
    st = hub_session_begin(rq, &m.id, (struct session_first){0}, err);
    return st == STATUS_OK ? hub_go(rq, STR("/"), NULL) : st;
}

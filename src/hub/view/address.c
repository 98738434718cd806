/* SPDX-License-Identifier: Apache-2.0 */
/* address — another e-mail address of one's own. Where mails are sent it counts when a link that came to it was
 * followed by who is signed in to that account, and the old one is told; that somebody else has an account of the new
 * one is told to its owner only. */
#include "base/clock.h"
#include "base/limits.h"
#include "codec/letter.h"
#include "codec/url.h"
#include "hub/account.h"
#include "hub/audit.h"
#include "hub/mail.h"
#include "hub/notice.h"
#include "hub/space.h"
#include "hub/view/view.h"
#include "rt/fault.h"

static const struct throttle_rule per_user = {5, 600000};

struct address {
    struct hub_request *rq;
    str user, email, hash, secret;
    bool proven;
};

static enum status taken(struct err *err)
{
    err_set(err, STATUS_CONFLICT, "This address has an account already.");
    return err_hint(err, "Take another one, or delete that account first.");
}

static enum status set(struct conn *c, const struct address *x, struct err *err)
{
    int64_t now = clock_unix_s();
    enum status st = notice_add(c, x->rq, x->user, "address_changed", "new_address", value_str(x->email), err);
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "update users set email = ?2, verified_at = ?3 where id = ?1", SQL_T(x->user),
                     SQL_T(x->email), SQL_I(x->proven ? now : 0));
    if (st == STATUS_CONFLICT)
        return taken(err);
    if (st == STATUS_OK) /* links in mails to the old address, which somebody else may have by now */
        st = SQL_RUN(c, err, "update links set used_at = ?2 where user_id = ?1 and used_at = 0 and kind <> 'second'",
                     SQL_T(x->user), SQL_I(now));
    if (st == STATUS_OK)
        st = space_changed_of(c, x->user, err);
    return st == STATUS_OK ? hub_audit_of(c, x->rq, x->user, "account.address", STR(""), x->email, err) : st;
}

static enum status write_ask(struct conn *c, void *arg, struct err *err)
{
    const struct address *x = arg;
    struct arena *a = x->rq->a;
    struct value row, vars = value_dict(a);
    bool sends = hub_sends_mail(&x->rq->hub->config);
    str origin = x->rq->hub->config.origin;
    enum status st = SQL_ROW(c, a, &row, err, "select id from users where email = ?1", SQL_T(x->email));
    if (st != STATUS_OK)
        return st;
    bool has = row.kind == VALUE_DICT;
    if (has && str_eq(VALUE_GET(row, "id").s, x->user))
        return err_set(err, STATUS_INVALID, "This is your address already.");
    if (!sends)
        return has ? taken(err) : set(c, x, err);
    VALUE_SET(vars, "name", VALUE_GET(x->rq->user, "name"));
    VALUE_SET(vars, "url",
              value_str(has ? ARENA_CAT(a, origin, STR("/-/forgot"))
                            : ARENA_CAT(a, origin, STR("/-/new-address?token="), x->secret)));
    if (!has)
        st = account_link_add(c, x->hash, "address", x->user, x->email, LIMIT_HUB_LINK_S, err);
    return st == STATUS_OK ? mail_add(c, a, x->rq->hub->secret, x->email, has ? "already" : "new_address", vars, err)
                           : st;
}

static enum status ask(struct hub_request *rq, struct err *err)
{
    struct address x = {.rq = rq, .user = hub_user_id(rq), .email = hub_field(rq, "email")};
    enum status st = hub_of_field(rq, "email", letter_address(x.email, err));
    int64_t wait = st == STATUS_OK ? throttle_take(rq->hub->throttle, ARENA_CAT(rq->a, STR("address "), x.user),
                                                   per_user, clock_mono_ms())
                                   : 0;
    if (wait)
        return err_set(err, STATUS_RATE, "Too many addresses in a short time. Wait %lld seconds.", (long long)wait);
    x.secret = hub_secret(rq->a, &x.hash);
    hub_conn_release(rq);
    if (st == STATUS_OK)
        st = hub_of_field(rq, "email", store_write(rq->hub->store, write_ask, &x, err));
    (void)FAULT("hub.address.asked");
    return st;
}

static enum status page(struct hub_request *rq, const char *name, const struct err *why, struct value vars,
                        struct err *err)
{
    bool bad = why->status != STATUS_OK;
    hub_put_error(rq, vars, why);
    VALUE_SET(vars, "sends", value_bool(hub_sends_mail(&rq->hub->config)));
    return hub_page(rq, bad ? status_http(why->status) : 200, name, vars, err);
}

enum status hub_view_address(struct hub_request *rq, struct err *err)
{
    struct err why = ERR_INIT;
    struct value vars = value_dict(rq->a);
    enum status st = hub_is_post(rq) ? ask(rq, &why) : STATUS_OK;
    if (st != STATUS_OK && !hub_in_form(st)) {
        *err = why;
        return st;
    }
    VALUE_SET(vars, "email", value_str(hub_field(rq, "email")));
    if (st != STATUS_OK || !hub_is_post(rq))
        return page(rq, "address.html", &why, vars, err);
    bool sends = hub_sends_mail(&rq->hub->config);
    if (!sends)
        space_tell(rq->hub);
    return hub_go(rq, STR("/-/account"), sends ? "mail-sent" : "address-changed");
}

/* ---- the link in the mail to the new address ---- */

static enum status write_set(struct conn *c, void *arg, struct err *err)
{
    const struct address *x = arg;
    enum status st = account_link_use(c, x->rq->a, hub_field(x->rq, "token"), "address", err);
    return st == STATUS_OK ? set(c, x, err) : st;
}

enum status hub_view_new_address(struct hub_request *rq, struct err *err)
{
    struct err why = ERR_INIT;
    struct conn *c;
    struct value link, vars = value_dict(rq->a);
    str token = hub_is_post(rq) ? hub_field(rq, "token") : hub_arg(rq, "token");
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK)
        st = account_link_find(c, rq->a, token, "address", &link, err);
    if (st == STATUS_OK && link.kind != VALUE_DICT) {
        err_set(err, STATUS_NOT_FOUND, "This link was used already, or its time is over.");
        return err_hint(err, "Ask for a new one on your account page.");
    }
    if (st != STATUS_OK)
        return st;
    if (value_is_null(
            rq->user)) /* whoever reads the mail need not be who asked: else an account of theirs gets the address */
        return hub_go(rq, ARENA_CAT(rq->a, STR("/-/sign-in?to=/-/new-address%3Ftoken="), url_quote(rq->a, token, "")),
                      NULL);
    if (!str_eq(VALUE_GET(link, "user_id").s, hub_user_id(rq))) {
        err_set(err, STATUS_FORBIDDEN, "Another account asked for this address than the one that is signed in here.");
        return err_hint(err, "If you asked for it, sign in with that account. If you did not, do nothing.");
    }
    VALUE_SET(vars, "token", value_str(token));
    VALUE_SET(vars, "email", VALUE_GET(link, "email"));
    if (!hub_is_post(rq))
        return page(rq, "new_address.html", &why, vars, err);
    struct address x = {
        .rq = rq, .user = VALUE_GET(link, "user_id").s, .email = VALUE_GET(link, "email").s, .proven = true};
    hub_conn_release(rq);
    st = store_write(rq->hub->store, write_set, &x, &why);
    (void)FAULT("hub.address.changed");
    if (hub_in_form(st))
        return page(rq, "new_address.html", &why, vars, err);
    if (st != STATUS_OK) {
        *err = why;
        return st;
    }
    space_tell(rq->hub);
    return hub_go(rq, STR("/-/account"), "address-changed");
}

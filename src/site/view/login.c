/* SPDX-License-Identifier: Apache-2.0 */
/* login — signing in with a name and a password of the configuration, and making hashes for it. Addresses, fields and
 * template names are those of datasette-auth-passwords. */
#include "codec/password.h"
#include "http/uri.h"
#include "site/access.h"
#include "site/accounts.h"
#include "site/actor.h"
#include "site/links.h"
#include "site/render/page.h"
#include "site/view/resources.h"
#include "site/view/view.h"

static enum status require_accounts(const struct request *rq, struct err *err)
{
    if (accounts_configured(rq->site->accounts))
        return STATUS_OK;
    err_set(err, STATUS_NOT_FOUND, "Page not found: %.*s", STR_ARG(rq->path));
    return err_hint(err, "Nobody can sign in with a password here: the configuration names no accounts.");
}

static void add_retry_after(struct request *rq, int64_t wait_s)
{
    if (wait_s)
        response_header(rq->response, STR("retry-after"), arena_printf(rq->arena, "%lld", (long long)wait_s));
}

static enum status respond_form(struct request *rq, int http_status, str next, const char *error, struct err *err)
{
    struct value d = value_dict(rq->arena);
    const str names[] = {STR("password_login.html")};
    if (!accounts_count(rq->site->accounts))
        error = "This instance does not have any configured accounts";
    VALUE_SET(d, "error", value_cstr(error));
    VALUE_SET(d, "next", value_str(uri_is_own_path(next) ? next : STR("")));
    return page_respond(rq, http_status, names, 1, d, false, err);
}

static enum status sign_in(struct request *rq, struct err *err)
{
    struct args form;
    struct value actor;
    struct err why = ERR_INIT;
    int64_t wait_s = 0;
    enum status st = form_parse(rq, &form, err);
    if (st != STATUS_OK)
        return st;
    str next = ARGS_GET(&form, "next");
    st = accounts_sign_in(rq->site->accounts, ARGS_GET(&form, "username"), ARGS_GET(&form, "password"),
                          access_client(rq->site, rq->http, rq->note), &actor, &wait_s, &why);
    if (st == STATUS_OK) {
        actor_set_cookie(rq, actor, 0, true);
        respond_redirect(rq, 302, uri_is_own_path(next) ? next : link_path(rq, STR("")));
        return STATUS_OK;
    }
    add_retry_after(rq, wait_s);
    const char *text = why.hint[0] ? arena_printf(rq->arena, "%s. %s", why.text, why.hint).p : why.text;
    return respond_form(rq, status_http(st), next, text, err);
}

enum status view_login(struct request *rq, struct err *err)
{
    enum status st = require_accounts(rq, err);
    if (st != STATUS_OK)
        return st;
    return rq->http->method == HTTP_POST ? sign_in(rq, err) : respond_form(rq, 200, request_arg(rq, "next"), NULL, err);
}

/* ---- making hashes ---- */

static enum status make_hash(struct request *rq, struct value d, int *http_status, struct err *err)
{
    struct args form;
    struct err why = ERR_INIT;
    str hash;
    int64_t wait_s = accounts_take_attempt(rq->site->accounts, access_client(rq->site, rq->http, rq->note));
    enum status st = form_parse(rq, &form, err);
    if (st != STATUS_OK)
        return st;
    if (wait_s) {
        add_retry_after(rq, wait_s);
        *http_status = 429;
        VALUE_SET(d, "error",
                  value_str(arena_printf(rq->arena, "Too many hashes in a row. Wait %lld seconds and try again.",
                                         (long long)wait_s)));
        return STATUS_OK;
    }
    st = password_hash(rq->arena, ARGS_GET(&form, "password"), PASSWORD_ARGON2ID, &hash, &why);
    if (st == STATUS_OK) {
        VALUE_SET(d, "hashed_password", value_str(hash));
        return STATUS_OK;
    }
    *http_status = status_http(st);
    VALUE_SET(d, "error", value_str(arena_str(rq->arena, str_of(why.text))));
    return STATUS_OK;
}

enum status view_password_tool(struct request *rq, struct err *err)
{
    struct value d = value_dict(rq->arena);
    const str names[] = {STR("password_tool.html")};
    int http_status = 200;
    enum status st = require_accounts(rq, err);
    if (st == STATUS_OK && rq->http->method == HTTP_POST)
        st = make_hash(rq, d, &http_status, err);
    return st == STATUS_OK ? page_respond(rq, http_status, names, 1, d, false, err) : st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* auth — signing in with the one-time link of --root, and signing out. */
#include "codec/url.h"
#include "site/actor.h"
#include "site/links.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/request.h"
#include "site/space/session.h"
#include "site/space/space.h"
#include "site/view/view.h"

static enum status go_home(struct request *rq)
{
    respond_redirect(rq, 302, link_path(rq, STR("")));
    return STATUS_OK;
}

/* Time depends on the length of the guess alone, not on where it differs. */
static bool equal_in_constant_time(str guess, str secret)
{
    unsigned char difference = guess.n != secret.n;
    for (size_t i = 0; i < guess.n; i++)
        difference |= (unsigned char)(guess.p[i] ^ secret.p[secret.n ? i % secret.n : 0]);
    return !difference;
}

/* The token counts as used once its length is 0. Several workers may hold the right token at once: the exchange of the
 * length lets one of them in. The bytes never change. */
static enum status use_root_token(struct site_shared *s, str guess, struct err *err)
{
    size_t n = __atomic_load_n(&s->root_token.n, __ATOMIC_ACQUIRE);
    if (!n)
        return err_set(err, STATUS_FORBIDDEN, "Root token has already been used");
    if (!equal_in_constant_time(guess, str_make(s->root_token.p, n)))
        return err_set(err, STATUS_FORBIDDEN, "Invalid token");
    if (!__atomic_compare_exchange_n(&s->root_token.n, &n, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return err_set(err, STATUS_FORBIDDEN, "Root token has already been used");
    return STATUS_OK;
}

enum status view_auth_token(struct request *rq, struct err *err)
{
    struct value id = VALUE_GET(rq->actor, "id"), root = value_dict(rq->arena);
    if (value_is_text(id) && str_is(id.s, "root"))
        return go_home(rq);
    enum status st = use_root_token(rq->site->shared, request_arg(rq, "token"), err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(root, "id", value_cstr("root"));
    actor_set_cookie(rq, root, 0, false);
    return go_home(rq);
}

/* Two ends: of the session here, and of the one at the hub, from which all spaces live. The page that says so is no
 * redirect to the hub, which would sign in again at once. */
static enum status leave_space(struct request *rq, struct err *err)
{
    struct value d = value_dict(rq->arena);
    const str names[] = {STR("space_logout.html")};
    if (rq->http->method == HTTP_POST) {
        session_end(rq);
        respond_redirect(rq, 303, link_path(rq, STR("-/logout")));
        return STATUS_OK;
    }
    VALUE_SET(d, "sign_in_url",
              value_str(ARENA_CAT(rq->arena, link_path(rq, STR("-/sign-on")), STR("?to="),
                                  url_quote_plus(rq->arena, link_path(rq, STR("/"))))));
    VALUE_SET(d, "hub_logout_url", value_str(ARENA_CAT(rq->arena, rq->space->hub, STR("/-/sign-out"))));
    return page_respond(rq, 200, names, 1, d, false, err);
}

enum status view_logout(struct request *rq, struct err *err)
{
    if (rq->space)
        return leave_space(rq, err);
    if (rq->http->method == HTTP_POST) {
        actor_clear_cookie(rq);
        messages_add(rq, STR("You are now logged out"), MESSAGE_WARNING);
        return go_home(rq);
    }
    if (value_is_null(rq->actor))
        return go_home(rq);
    struct value d = value_dict(rq->arena);
    const str names[] = {STR("logout.html")};
    return page_respond(rq, 200, names, 1, d, false, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sign_on — one sign-on for all spaces, without a cookie that all of them get (docs/design/0062-sign-on.md).
 *
 *   browser -> space  /-/sign-on?to=/x       sets the cookie nonce = R (random), redirects
 *           -> hub    /-/sign-on?space=ID&state=S&to=/x     S = SHA-256(R); the hub knows who this is, or asks
 *           -> space  /-/sign-on?ticket=T&to=/x             T holds S, signed by the hub, good for a minute
 *                     sets the cookie of the session, redirects to /x
 *
 * What each part is for:
 *  - T is signed for this space, this use and this minute: another space cannot use what it was shown.
 *  - S ties T to the browser that began. A link with somebody else's T signs nobody in (login CSRF): the cookie R is
 *    not there. S is a hash, so that who reads the address (a log, a history) still has no R.
 *  - S is used up in the internal database, with a unique key: once, across restarts and two processes that overlap.
 *  - `to` is a path of this host, or the front page is meant.
 *  - A failure is a page with a link. It never redirects by itself, so there is no way to go round in circles.
 *
 * Who was let in a moment ago may come before the space has read who its people are: it reads again (is_member).
 *
 * A second tab that comes back when the first has used S up finds its user signed in already, and just goes on.
 *
 * Not here: what the cookie of the session says (session.c), who is sent here (gate.c). Tests:
 * tests/site/test_space.py.
 */
#include "site/space/sign_on.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/b64.h"
#include "codec/digest.h"
#include "codec/url.h"
#include "http/uri.h"
#include "site/audit.h"
#include "site/internal.h"
#include "site/links.h"
#include "site/space/session.h"
#include "site/space/space.h"
#include "site/view/view.h"

#define SKEW_S 10

static str own_path(const struct request *rq, str to)
{
    return uri_is_own_path(to) ? to : link_path(rq, STR("/"));
}

static void go(struct request *rq, str to)
{
    response_header(rq->response, STR("cache-control"), STR("no-store"));
    response_header(rq->response, STR("referrer-policy"), STR("no-referrer"));
    respond_redirect(rq, 302, to);
}

enum status sign_on_start(struct request *rq, str to, bool other_account, struct err *err)
{
    struct arena *a = rq->arena;
    str nonce;
    if (space_is_other_host(rq->space, rq->http->host)) { /* the hub leads back to the origin: begin there */
        go(rq, ARENA_CAT(a, rq->space->origin, STR("/-/sign-on?to="), url_quote_plus(a, own_path(rq, to)),
                         other_account ? STR("&switch=1") : STR("")));
        return STATUS_OK;
    }
    enum status st = session_nonce_set(rq, &nonce, err);
    if (st != STATUS_OK)
        return st;
    const struct url_pair pairs[] = {{STR("space"), rq->space->id},
                                     {STR("state"), digest_sha256_b64url(a, nonce)},
                                     {STR("to"), own_path(rq, to)},
                                     {STR("switch"), STR("1")}};
    go(rq, ARENA_CAT(a, rq->space->hub, STR("/-/sign-on?"),
                     url_encode(a, pairs, ARRAY_LEN(pairs) - (other_account ? 0 : 1))));
    return STATUS_OK;
}

str sign_on_link(const struct request *rq, bool other_account)
{
    str to =
        request_is_get(rq) && uri_is_own_path(request_full_path(rq)) ? request_full_path(rq) : link_path(rq, STR("/"));
    return ARENA_CAT(rq->arena, link_path(rq, STR("/-/sign-on")), STR("?to="), url_quote_plus(rq->arena, to),
                     other_account ? STR("&switch=1") : STR(""));
}

/* ---- coming back ---- */

static enum status once(struct request *rq, str state, struct err *err)
{
    int64_t now = clock_unix_s(), added = 0;
    const struct db_value old = {.kind = DB_INT, .i = now};
    const struct db_value row[] = {{.kind = DB_TEXT, .s = state},
                                   {.kind = DB_INT, .i = now + LIMIT_SPACE_TICKET_S + 2 * SKEW_S}};
    struct internal *in = rq->site->internal;
    enum status st = internal_run(in, "DELETE FROM sign_on_states WHERE until < ?", &old, 1, NULL, err);
    if (st == STATUS_OK)
        st = internal_run(in, "INSERT OR IGNORE INTO sign_on_states (state, until) VALUES (?, ?)", row, ARRAY_LEN(row),
                          &added, err);
    return st == STATUS_OK && !added ? err_set(err, STATUS_INVALID, "the ticket was used before") : st;
}

/* Whom the hub names and we do not know may have been let in a moment ago: the hub writes space.json before it answers.
 * Only here a request takes another picture than the one it began with. A file that was read is not read again, so
 * strangers with tickets cost a stat(2) each. */
static bool is_member(struct request *rq, str user)
{
    struct err why = ERR_INIT;
    if (permit_role(&rq->space->people, session_member(rq->space, rq->arena, user)) != ROLE_NONE)
        return true;
    if (space_cell_read(rq->site->shared->space, &why) != STATUS_OK)
        log_line(LOG_ERROR, "space", "%s; what it said before stays in force", why.text);
    rq->space = space_cell_borrow(rq->site->shared->space, rq->arena);
    return permit_role(&rq->space->people, session_member(rq->space, rq->arena, user)) != ROLE_NONE;
}

static enum status check_ticket(struct request *rq, str ticket, struct session *ret, struct err *err)
{
    const struct space *sp = rq->space;
    struct value claims;
    str nonce = session_nonce(rq);
    int64_t now = clock_unix_s();
    enum status st = token_verify(rq->arena, sp->keys, sp->key_count, ticket, &claims, err);
    if (st == STATUS_OK)
        st = token_is_for(claims, STR("sign-on"), sp->id, now, SKEW_S, err);
    if (st != STATUS_OK)
        return st;
    *ret = (struct session){.user = value_get_text(claims, STR("sub")),
                            .id = value_get_text(claims, STR("sid")),
                            .name = value_get_text(claims, STR("name")),
                            .email = value_get_text(claims, STR("email"))};
    str state = value_get_text(claims, STR("nonce"));
    if (VALUE_GET(claims, "exp").i > now + LIMIT_SPACE_TICKET_S + SKEW_S)
        return err_set(err, STATUS_INVALID, "the ticket is good for too long");
    if (!ret->user.n || ret->user.n > LIMIT_SPACE_ID || !ret->id.n || ret->id.n > LIMIT_SPACE_SESSION_ID)
        return err_set(err, STATUS_INVALID, "the ticket does not say who it is for");
    if (!nonce.n)
        return err_set(err, STATUS_INVALID, "the browser sent no cookie of the beginning");
    if (!state.n || !digest_equal(state, digest_sha256_b64url(rq->arena, nonce)))
        return err_set(err, STATUS_INVALID, "the ticket belongs to another browser");
    if (space_is_revoked(sp, ret->id))
        return err_set(err, STATUS_INVALID, "the session was ended");
    ret->member = is_member(rq, ret->user);
    return once(rq, state, err);
}

static enum status finish(struct request *rq, str ticket, str to, struct err *err)
{
    struct session s = {0};
    struct err why = ERR_INIT;
    if (check_ticket(rq, ticket, &s, &why) == STATUS_OK) {
        session_nonce_clear(rq);
        session_begin(rq, &s);
        audit_add(rq->site->internal, s.user, "sign-on", s.member ? STR("member") : STR("no member"));
        go(rq, own_path(rq, to));
        return STATUS_OK;
    }
    str now = value_get_text(rq->actor, STR("id"));
    if (s.user.n && str_eq(now, s.user)) {
        go(rq, own_path(rq, to));
        return STATUS_OK;
    }
    log_line(LOG_WARN, "space", "sign-on refused: %s", why.text);
    rq->error_title = "Not signed in";
    err_set(err, STATUS_FORBIDDEN, "You could not be signed in: %s.", why.text);
    return err_hint(err, "Sign in again from here; cookies must be allowed for this site.");
}

enum status view_sign_on(struct request *rq, struct err *err)
{
    str to = request_arg(rq, "to"), ticket = request_arg(rq, "ticket");
    if (!rq->space) {
        err_set(err, STATUS_NOT_FOUND, "Page not found: %.*s", STR_ARG(rq->path));
        return err_hint(err, "This site does not belong to a hub.");
    }
    return ticket.n ? finish(rq, ticket, to, err) : sign_on_start(rq, to, request_flag(rq, "switch", false), err);
}

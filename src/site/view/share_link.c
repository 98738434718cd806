/* SPDX-License-Identifier: Apache-2.0 */
/* view/share_link — /-/s/TOKEN: what a link that somebody shared leads to.
 *
 *   a browser                      cookie of this host, then on to the page itself: its address holds no token
 *   .json, .csv and other formats  the data at once, without a cookie: for programs and spreadsheets
 *   ?_embed=1                      the bare table, for a frame in a page of another site
 *   a service that makes previews  title and description of what the link gives; nothing behind a password
 *
 * With a password: a form first, and nothing else before it was right. A link that is unknown, over or withdrawn says
 * so on a page of its own. Who guesses has 2^128 of them to try. */
#include "base/clock.h"
#include "codec/password.h"
#include "site/links.h"
#include "site/queries.h"
#include "site/render/page.h"
#include "site/share/guest.h"
#include "site/view/resources.h"
#include "site/view/view.h"
#include "site/write/write.h"

/* Services that fetch a page to show its title beside a link in a chat; they take no cookies. Compared without case. */
static const char *const unfurlers[] = {"slackbot",      "facebookexternalhit",
                                        "twitterbot",    "linkedinbot",
                                        "discordbot",    "whatsapp",
                                        "telegrambot",   "mastodon",
                                        "iframely",      "skypeuri",
                                        "embedly",       "redditbot",
                                        "bluesky",       "mattermost",
                                        "zulip",         "matrix",
                                        "synapse",       "applebot",
                                        "google-safety", "microsoft teams",
                                        "signal-"};

static bool is_unfurler(struct request *rq)
{
    str agent = http_header(rq->http, STR("user-agent"));
    for (size_t i = 0; i < ARRAY_LEN(unfurlers); i++) {
        str name = str_of(unfurlers[i]);
        for (size_t at = 0; at + name.n <= agent.n; at++)
            if (str_eq_nocase(str_sub(agent, at, at + name.n), name))
                return true;
    }
    return false;
}

static void headers(struct request *rq)
{
    response_header_set(rq->response, STR("referrer-policy"), STR("no-referrer"));
    response_header_set(rq->response, STR("x-robots-tag"), STR("noindex, nofollow"));
    response_header_set(rq->response, STR("cache-control"), STR("no-store"));
}

static bool wants_page(const struct request *rq)
{
    return str_is(rq->format, "html");
}

/* What stands there instead of the thing: "form", "gone", "embed", "card". */
static enum status respond_page(struct request *rq, int code, const char *state, struct value d, struct err *err)
{
    const str names[] = {STR("share_link.html")};
    VALUE_SET(d, "state", value_cstr(state));
    VALUE_SET(d, "link", value_str(link_path(rq, rq->path)));
    enum status st = page_respond(rq, code, names, 1, d, false, err);
    headers(rq);
    if (!rq->guest->embedded)
        write_no_framing(rq);
    return st;
}

static enum status respond_gone(struct request *rq, int code, const char *text, struct err *err)
{
    struct value d = value_dict(rq->arena);
    struct err why = ERR_INIT;
    if (wants_page(rq)) {
        VALUE_SET(d, "text", value_cstr(text));
        return respond_page(rq, code, "gone", d, err);
    }
    err_set(&why, STATUS_NOT_FOUND, "%s", text);
    respond_json(rq, code, page_error_json(rq->arena, &why, code));
    headers(rq);
    return STATUS_OK;
}

static enum status respond_form(struct request *rq, int code, const char *error, struct err *err)
{
    struct value d = value_dict(rq->arena);
    struct err why = ERR_INIT;
    VALUE_SET(d, "error", value_cstr(error));
    if (wants_page(rq))
        return respond_page(rq, code, rq->guest->embedded ? "embed" : "form", d, err);
    err_set(&why, STATUS_UNAUTHENTICATED,
            "This link has a password: open it in a browser, or ask for a link without one");
    respond_json(rq, 401, page_error_json(rq->arena, &why, 401));
    headers(rq);
    return STATUS_OK;
}

static enum status enter(struct request *rq, const struct share *s)
{
    shares_used(rq->site->shares, s->id);
    guest_admit(rq, s, true);
    respond_redirect(rq, 303, share_address(rq, s));
    headers(rq);
    return STATUS_OK;
}

static enum status try_password(struct request *rq, const struct share *s, struct err *err)
{
    struct args form;
    char network[CLIENT_TEXT_MAX];
    client_network(access_client(rq->site, rq->http, rq->note), network);
    str client = str_of(network);
    enum status st = form_parse(rq, &form, err);
    if (st != STATUS_OK)
        return st;
    int64_t wait_s = shares_take_attempt(rq->site->shares, s->id, client);
    if (wait_s) {
        const char *text = arena_printf(rq->arena, "Too many attempts in a row. Wait %lld second%s and try again.",
                                        (long long)wait_s, wait_s == 1 ? "" : "s")
                               .p;
        response_header(rq->response, STR("retry-after"), arena_printf(rq->arena, "%lld", (long long)wait_s));
        return respond_form(rq, 429, text, err);
    }
    if (!password_matches(s->password, ARGS_GET(&form, "password")))
        return respond_form(rq, 403, "That is not the password of this link.", err);
    shares_attempt_was_right(rq->site->shares, s->id, client);
    return enter(rq, s);
}

/* Title and description as the page itself has them. */
static enum status respond_card(struct request *rq, const struct share *s, struct err *err)
{
    struct value d = value_dict(rq->arena), metadata = VALUE_UNDEF;
    if (s->kind == SHARE_TABLE)
        metadata = config_table(&rq->site->config, s->database, s->name);
    else if (s->kind == SHARE_QUERY && queries_exists(rq, s->database, s->name))
        metadata = queries_get(rq, s->database, s->name);
    else if (s->kind == SHARE_DATABASE)
        metadata = config_database(&rq->site->config, s->database);
    str title = value_get_text(metadata, STR("title"));
    VALUE_SET(d, "title", value_str(title.n ? title : s->name.n ? s->name : s->database));
    VALUE_SET(d, "description", value_str(value_get_text(metadata, STR("description"))));
    VALUE_SET(d, "by", value_str(s->maker_name));
    VALUE_SET(d, "url", value_str(request_absolute_url(rq, link_path(rq, rq->path))));
    return respond_page(rq, 200, "card", d, err);
}

enum status view_share_link(struct request *rq, struct err *err)
{
    struct share s;
    struct guest *g = rq->guest;
    g->embedded = wants_page(rq) && request_arg(rq, "_embed").n;
    if (!shares_find(rq->site->shares, rq->arena, rq->params[0], &s) || s.audience != SHARE_LINK)
        return respond_gone(rq, 404, "This link leads nowhere. Look whether it was copied whole.", err);
    if (s.withdrawn_at)
        return respond_gone(rq, 410, "Whoever shared this has withdrawn the link.", err);
    if (!share_holds(&s, clock_unix_s()))
        return respond_gone(rq, 410, "This link was for a limited time, which is over.", err);
    if (rq->http->method == HTTP_POST)
        return s.password.n ? try_password(rq, &s, err) : enter(rq, &s);
    if (s.password.n && !guest_has_pass(rq, &s))
        return respond_form(rq, 200, NULL, err);
    if (wants_page(rq) && !g->embedded)
        return is_unfurler(rq) ? respond_card(rq, &s, err) : enter(rq, &s);
    shares_used(rq->site->shares, s.id);
    guest_admit(rq, &s, false);
    g->address = link_path(rq, rq->path);
    return guest_forward(rq, &s, true, err);
}

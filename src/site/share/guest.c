/* SPDX-License-Identifier: Apache-2.0 */
#include "site/share/guest.h"

#include "base/clock.h"
#include "codec/digest.h"
#include "codec/sign.h"
#include "codec/url.h"
#include "http/cookie.h"
#include "site/links.h"
#include "site/queries.h"
#include "site/request.h"
#include "site/route.h"
#include "site/view/view.h"

const enum action share_actions[SHARE_KINDS] = {
    [SHARE_DATABASE] = ACTION_VIEW_DATABASE, [SHARE_TABLE] = ACTION_VIEW_TABLE, [SHARE_QUERY] = ACTION_VIEW_QUERY};

/* "ds_": such a cookie keeps answers out of the cache (is_anonymous() of handle.c). */
#define COOKIE_NAME "ds_share"
#define COOKIE_S    (90 * 86400)

/* Over https the browser itself keeps pages of sibling hosts from setting it. */
static str cookie_name(const struct request *rq)
{
    return str_starts(request_origin(rq), STR("https:")) ? STR("__Host-" COOKIE_NAME) : STR(COOKIE_NAME);
}

/* [[id, version], ...], newest first, signed with the site's secret: it says what was opened, not the tokens. */
static void read_cookie(struct request *rq, struct guest *g)
{
    str raw = cookie_find(rq->arena, http_header(rq->http, STR("cookie")), cookie_name(rq));
    struct value list;
    if (!raw.n || sign_loads(rq->arena, rq->site->secret, STR("share"), raw, &list, NULL) != STATUS_OK)
        return;
    for (size_t i = 0; i < value_count(list) && g->pass_count < LIMIT_SHARE_PASSES; i++) {
        struct value id = value_at(value_at(list, i), 0), version = value_at(value_at(list, i), 1);
        if (value_is_text(id) && version.kind == VALUE_INT)
            g->passes[g->pass_count++] = (struct share_pass){id.s, version.i};
    }
}

void guest_begin(struct request *rq)
{
    struct guest *g = ARENA_NEW(rq->arena, struct guest);
    g->viewer = g->audience = VALUE_NULL;
    rq->guest = g;
    shares_look(rq->site->shares);
    read_cookie(rq, g);
}

struct guest *guest_copy(struct arena *a, const struct guest *g)
{
    struct guest *copy = ARENA_NEW(a, struct guest);
    *copy = *g;
    for (size_t i = 0; i < g->pass_count; i++)
        copy->passes[i].id = arena_str(a, g->passes[i].id);
    copy->address = arena_str(a, g->address);
    copy->viewer = value_copy(a, g->viewer);
    copy->audience = value_copy(a, g->audience);
    return copy;
}

bool guest_has_pass(const struct request *rq, const struct share *share)
{
    const struct guest *g = rq->guest;
    for (size_t i = 0; i < g->pass_count; i++)
        if (str_eq(g->passes[i].id, share->id) && g->passes[i].version == share->version)
            return true;
    return false;
}

static void write_cookie(struct request *rq)
{
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    bool https = str_starts(request_origin(rq), STR("https:"));
    for (size_t i = 0; i < rq->guest->pass_count; i++) {
        struct value pair = value_list(a);
        value_push(pair, value_str(rq->guest->passes[i].id));
        value_push(pair, value_int(rq->guest->passes[i].version));
        value_push(list, pair);
    }
    response_header(rq->response, STR("set-cookie"),
                    cookie_format(a, cookie_name(rq), sign_dumps(a, rq->site->secret, STR("share"), list), (str){0},
                                  COOKIE_S, COOKIE_HTTP_ONLY | COOKIE_LAX | (https ? COOKIE_SECURE : 0)));
}

void guest_admit(struct request *rq, const struct share *share, bool set_cookie)
{
    struct guest *g = rq->guest;
    struct guest next = {0};
    next.passes[next.pass_count++] = (struct share_pass){share->id, share->version};
    for (size_t i = 0; i < g->pass_count && next.pass_count < LIMIT_SHARE_PASSES; i++)
        if (!str_eq(g->passes[i].id, share->id))
            next.passes[next.pass_count++] = g->passes[i];
    memcpy(g->passes, next.passes, sizeof next.passes);
    g->pass_count = next.pass_count;
    if (set_cookie)
        write_cookie(rq);
}

/* ---- the page of a share ---- */

static void cut_page(str page, str *ret_query, str *ret_fragment)
{
    str query, fragment;
    str_cut(page, '#', &query, &fragment);
    *ret_query = str_starts(query, STR("?")) ? str_from(query, 1) : query;
    *ret_fragment = fragment;
}

str share_address(const struct request *rq, const struct share *share)
{
    str base = share->kind == SHARE_DATABASE ? link_database(rq, share->database)
                                             : link_table(rq, share->database, share->name);
    return ARENA_CAT(rq->arena, base, share->page);
}

/* Arguments of the shared page, but for those that the address names itself: a link on the page names them all. */
static str merged_query(struct request *rq, str shared)
{
    struct url_pair *theirs;
    struct args own;
    size_t count;
    VEC(struct url_pair) pairs = {0};
    struct arena *a = rq->arena;
    if (!shared.n || !url_parse_query(a, shared, LIMIT_QUERY_ARGS, &theirs, &count) ||
        args_parse(a, rq->query_string, &own, NULL) != STATUS_OK)
        return rq->query_string;
    for (size_t i = 0; i < count; i++)
        if (!args_has(&own, theirs[i].key))
            VEC_PUSH(a, &pairs, theirs[i]);
    str encoded = url_encode(a, pairs.items, pairs.count);
    return !rq->query_string.n ? encoded
           : !encoded.n        ? rq->query_string
                               : ARENA_CAT(a, encoded, STR("&"), rq->query_string);
}

enum status guest_forward(struct request *rq, const struct share *share, bool own_path, struct err *err)
{
    struct arena *a = rq->arena;
    str query, fragment, dot = str_is(rq->format, "html") ? STR("") : STR(".");
    str name = share->kind == SHARE_DATABASE ? STR("") : ARENA_CAT(a, STR("/"), tilde_encode(a, share->name));
    str path = ARENA_CAT(a, STR("/"), tilde_encode(a, share->database), name, dot, dot.n ? rq->format : STR(""));
    struct route_match m = route_find(path, a);
    if (!m.route || !request_is_get(rq))
        return err_set(err, STATUS_NOT_FOUND, "Page not found: %.*s", STR_ARG(rq->path));
    cut_page(share->page, &query, &fragment);
    rq->query_string = merged_query(rq, query);
    if (!own_path)
        rq->path = path;
    rq->route = m.route;
    rq->param_count = m.param_count;
    for (size_t i = 0; i < m.param_count; i++)
        rq->params[i] = m.params[i];
    rq->response_varies = true; /* it is of whoever may see it */
    enum status st = args_parse(a, rq->query_string, &rq->args, err);
    return st == STATUS_OK ? rq->route->view(rq, err) : st;
}

/* ---- what the page says ---- */

/* What of this page can be shared by this actor: false = nothing. */
static bool shareable(struct request *rq, struct share *ret)
{
    bool of_database = rq->route && rq->route->view == view_database;
    bool of_table = rq->route && rq->route->view == view_table;
    if (!rq->db || value_is_null(rq->actor) || !(of_database || of_table) || !rq->guest || rq->guest->preview ||
        rq->guest->address.n || !request_allowed(rq, ACTION_SHARE, rq->db->name, (str){0}))
        return false;
    *ret = (struct share){.kind = SHARE_DATABASE, .database = rq->db->name, .name = STR("")};
    if (of_table) {
        ret->kind = rq->schema && schema_table(rq->schema, rq->params[1]) ? SHARE_TABLE : SHARE_QUERY;
        ret->name = rq->params[1];
    }
    if (ret->kind == SHARE_QUERY && value_truth(VALUE_GET(queries_get(rq, ret->database, ret->name), "is_write")))
        return false;
    return request_allowed_by_rules(rq, share_actions[ret->kind], ret->database, ret->name);
}

str share_dialog_of_page(struct request *rq)
{
    struct arena *a = rq->arena;
    struct url_pair pairs[3];
    struct share s;
    size_t n = 0;
    if (!shareable(rq, &s))
        return (str){0};
    pairs[n++] = (struct url_pair){STR("database"), s.database};
    if (s.name.n)
        pairs[n++] = (struct url_pair){str_of(share_kind_names[s.kind]), s.name};
    if (s.name.n && rq->query_string.n && rq->query_string.n < LIMIT_SHARE_TEXT)
        pairs[n++] = (struct url_pair){STR("page"), ARENA_CAT(a, STR("?"), rq->query_string)};
    return ARENA_CAT(a, link_path(rq, STR("-/share?")), url_encode(a, pairs, n));
}

struct value share_toggle_of_page(struct request *rq)
{
    struct value d = value_dict(rq->arena);
    struct share s, *all;
    size_t count, i = 0;
    if (!shareable(rq, &s) ||
        site_allowed(rq->site, &rq->policy, VALUE_NULL, share_actions[s.kind], s.database, s.name))
        return VALUE_NULL;
    shares_list(rq->site->shares, rq->arena, s.database, s.name, false, &all, &count);
    while (i < count && !(all[i].audience == SHARE_PUBLIC && all[i].kind == s.kind))
        i++;
    VALUE_SET(d, "public", value_bool(i < count));
    VALUE_SET(d, "action",
              value_str(i < count ? ARENA_CAT(rq->arena, link_path(rq, STR("-/shares/")), all[i].id)
                                  : link_path(rq, STR("-/share"))));
    VALUE_SET(d, "database", value_str(s.database));
    VALUE_SET(d, "kind", value_cstr(share_kind_names[s.kind]));
    VALUE_SET(d, "name", value_str(s.name));
    return d;
}

struct value guest_banner(struct request *rq)
{
    struct guest *g = rq->guest;
    struct value d = value_dict(rq->arena);
    struct share share;
    if (!g || g->embedded || !rq->db)
        return VALUE_NULL;
    bool shared = g->first.id[0] && shares_get(rq->site->shares, rq->arena, str_of(g->first.id), &share);
    if (!g->preview && !(shared && share.audience != SHARE_PUBLIC))
        return VALUE_NULL;
    char iso[CLOCK_ISO_LEN + 1] = "";
    if (shared && share.until)
        clock_format_iso_ms(share.until * 1000000, iso);
    VALUE_SET(d, "by", value_str_if(shared, shared ? share.maker_name : (str){0}));
    VALUE_SET(d, "until", iso[0] ? value_str(arena_str(rq->arena, str_make(iso, 10))) : VALUE_NULL);
    VALUE_SET(d, "preview", value_bool(g->preview));
    VALUE_SET(d, "audience",
              value_cstr(!shared                          ? "anyone"
                         : share.audience == SHARE_LINK   ? "whoever has the link"
                         : share.audience == SHARE_PUBLIC ? "everybody"
                                                          : arena_cstr(rq->arena, share.who)));
    if (shared && share.audience == SHARE_PERSON && !g->preview && str_is(rq->format, "html"))
        shares_used(rq->site->shares, share.id);
    return d;
}

void guest_headers(struct request *rq)
{
    const struct guest *g = rq->guest;
    struct http_response *r = rq->response;
    if (!g || !((g->first.id[0] && g->first.audience != SHARE_PUBLIC) || g->preview || g->address.n))
        return;
    response_header_set(r, STR("cache-control"), g->preview ? STR("no-store") : STR("private, no-cache"));
    response_header_set(r, STR("referrer-policy"), STR("no-referrer"));
    response_header_set(r, STR("x-robots-tag"), STR("noindex, nofollow"));
    response_header_set(r, STR("content-security-policy"),
                        g->preview    ? STR("sandbox allow-scripts allow-same-origin; frame-ancestors 'self'")
                        : g->embedded ? STR("form-action 'none'; base-uri 'none'") /* framed by any page */
                                      : STR("frame-ancestors 'self'"));
}

const char *guest_query_refusal(struct request *rq, str database, str name, str sql, bool is_write)
{
    char digest[DIGEST_HEX_MAX];
    struct share share;
    if (request_allowed_by_rules(rq, ACTION_VIEW_QUERY, database, name))
        return NULL;
    if (is_write || !request_is_get(rq))
        return "A query that changes data is not shared: sign in to run it";
    digest_sha256_hex(sql, digest);
    bool own = shares_get(rq->site->shares, rq->arena, str_of(rq->guest->seen.id), &share) &&
               share.kind == SHARE_QUERY && str_eq(share.name, name);
    if (own && !str_is(share.sql_digest, digest))
        return "This query was changed after it had been shared. Ask whoever shared it to share it again";
    return NULL;
}

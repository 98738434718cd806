/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/page.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/version.h"
#include "codec/html_escape.h"
#include "codec/url.h"
#include "http/cookie.h"
#include "site/accounts.h"
#include "site/compat.h"
#include "site/links.h"
#include "site/render/functions.h"
#include "site/render/page_vars.h"
#include "site/render/site_functions.h"
#include "site/rules.h"
#include "site/share/guest.h"
#include "site/space/sign_on.h"
#include "site/space/space.h"
#include "site/space/theme.h"
#include "site/template_files.h"
#include "site/version.h"
#include "site/visitors.h"

/* ---- variables ------------------------------------------------------------------------------------------------------
 */

static bool has_url(struct value list, str url)
{
    for (size_t i = 0; i < value_count(list); i++)
        if (str_eq(VALUE_GET(value_at(list, i), "given").s, url))
            return true;
    return false;
}

/* extra_css_urls and extra_js_urls of the configuration: texts, or dicts with url, sri, module. Each URL once. */
static struct value asset_urls(struct request *rq, const char *key)
{
    struct arena *a = rq->arena;
    struct value urls = value_get(rq->site->config.root, str_of(key)), out = value_list(a);
    for (size_t i = 0; i < value_count(urls); i++) {
        struct value u = value_at(urls, i), d = value_dict(a), url = value_is_text(u) ? u : VALUE_GET(u, "url");
        struct value sri = VALUE_GET(u, "sri");
        if (!value_is_text(url) || has_url(out, url.s))
            continue;
        bool local = str_starts(url.s, STR("/")) && !str_starts(url.s, STR("//"));
        VALUE_SET(d, "url", value_str(local ? link_path(rq, url.s) : url.s));
        VALUE_SET(d, "given", url);
        if (value_truth(sri))
            VALUE_SET(d, "sri", sri);
        if (value_truth(VALUE_GET(u, "module")))
            VALUE_SET(d, "module", value_bool(true));
        value_push(out, d);
    }
    for (size_t i = 0; i < value_count(out); i++)
        value_remove(value_at(out, i), STR("given"));
    return out;
}

/* Pages that are on the way in or out have a link of their own. */
static bool is_way_in(const struct request *rq)
{
    return str_starts(rq->path, STR("/-/sign-on")) || str_starts(rq->path, STR("/-/logout"));
}

/* What templates see of a space: its name and colours, and the ways to the hub. Nothing of a private one is said to who
 * is no member, but its title. */
static struct value space_vars(struct request *rq)
{
    struct arena *a = rq->arena;
    const struct space *sp = rq->space;
    struct value d = value_dict(a);
    bool shown = sp->people.is_public || permit_role(&sp->people, rq->actor) != ROLE_NONE;
    VALUE_SET(d, "title", value_str(sp->title));
    VALUE_SET(d, "css", value_safe(theme_css(a, sp->accent)));
    bool at_hub = str_find_char(sp->logo, '/') != STR_NPOS;
    VALUE_SET(
        d, "logo",
        value_str_if(shown && sp->logo.n, at_hub ? sp->logo : link_path(rq, ARENA_CAT(a, STR("static/"), sp->logo))));
    VALUE_SET(d, "visibility", value_cstr(sp->people.is_public ? "public" : "private"));
    VALUE_SET(d, "role", VALUE_GET(rq->actor, "role"));
    VALUE_SET(d, "hub", value_str(sp->hub));
    VALUE_SET(d, "sign_in_url", value_str_if(value_is_null(rq->actor) && !is_way_in(rq), sign_on_link(rq, false)));
    return d;
}

void page_base_vars(struct request *rq, struct value vars)
{
    struct arena *a = rq->arena;
    bool cookie = cookie_find(a, http_header(rq->http, STR("cookie")), STR("ds_actor")).n > 0;
    VALUE_SET(vars, "actor", rq->actor);
    bool here = rq->space ? !value_has(rq->actor, STR("token")) : cookie;
    VALUE_SET(vars, "show_logout", value_bool(here && !value_is_null(rq->actor)));
    if (rq->space)
        VALUE_SET(vars, "space", space_vars(rq));
    VALUE_SET(vars, "share_banner", guest_banner(rq));
    VALUE_SET(vars, "share_toggle", share_toggle_of_page(rq));
    str share = share_dialog_of_page(rq);
    VALUE_SET(vars, "share_url", value_str_if(share.n > 0, share));
    VALUE_SET(vars, "body_scripts", value_list(a));
    VALUE_SET(vars, "extra_css_urls", asset_urls(rq, "extra_css_urls"));
    VALUE_SET(vars, "extra_js_urls", asset_urls(rq, "extra_js_urls"));
    VALUE_SET(vars, "nofollow",
              value_safe(rq->site->config.settings.crawler_rules ? STR(" rel=\"nofollow\"") : STR("")));
    VALUE_SET(vars, "base_url", value_str(rq->site->config.settings.base_url));
    VALUE_SET(vars, "datasette_version", value_cstr(VERSION_DATASETTE));
    VALUE_SET(vars, "vitrine_version", value_cstr(version_text()));
    functions_add(rq, vars);
    page_vars_old_names(rq, vars);
}

void page_cors(struct request *rq)
{
    static const char *const headers[][2] = {
        {"access-control-allow-headers", "Authorization, Content-Type"},
        {"access-control-expose-headers", "Link"},
        {"access-control-allow-methods", "GET, POST, HEAD, OPTIONS"},
        {"access-control-max-age", "3600"},
    };
    const struct site *s = rq->site;
    str origin = site_cors_origin(s, http_header(rq->http, STR("origin")));
    if (s->config.settings.cors_origins.n)
        response_header(rq->response, STR("vary"), STR("Origin"));
    if (!origin.n)
        return;
    response_header(rq->response, STR("access-control-allow-origin"), origin);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        response_header(rq->response, str_of(headers[i][0]), str_of(headers[i][1]));
}

void page_cache_headers(struct request *rq, bool ok)
{
    if (ok && rq->site->cache_headers) {
        str asked = request_arg(rq, "_ttl");
        int64_t ttl = rq->site->config.settings.default_cache_ttl;
        if (!asked.p || !str_all_digits(asked) || !str_to_i64(asked, &ttl))
            ttl = rq->site->config.settings.default_cache_ttl;
        response_header(rq->response, STR("cache-control"),
                        ttl ? arena_printf(rq->arena, "max-age=%lld", (long long)ttl) : STR("no-cache"));
    }
    response_header(rq->response, STR("referrer-policy"), rules_referrer_policy(rq->site->rules));
}

/* ---- answers --------------------------------------------------------------------------------------------------------
 */

/* Whatever the failure, it is the site's and not the visitor's: 500, except when the client is gone, or when a page of
 * ours got too large by what was asked for. */
static enum status template_failed(const struct request *rq, enum status st, struct err *err)
{
    bool ours = st == STATUS_TOO_LARGE && !template_files_generation(rq->site->template_files);
    if (st == STATUS_OK || st == STATUS_CANCELLED || st == STATUS_BUSY || ours)
        return st;
    err->status = STATUS_INTERNAL;
    return STATUS_INTERNAL;
}

enum status page_render(struct request *rq, str name, struct value vars, struct buf *out, struct err *err)
{
    enum status st = site_functions_add(rq, vars, err);
    if (st != STATUS_OK)
        return template_failed(rq, st, err);
    page_base_vars(rq, vars);
    if (rq->site->config.settings.template_debug && request_arg(rq, "_context").n) {
        struct buf json;
        buf_init(&json, LIMIT_JSON_OUTPUT);
        value_to_json_indent(&json, value_plain(rq->arena, vars), 0, 4);
        buf_puts(out, STR("<pre>"));
        html_escape(out, buf_str(&json));
        buf_puts(out, STR("</pre>"));
        buf_release(&json);
        return STATUS_OK;
    }
    st = template_render(rq->site->templates, name, vars, rq->arena, out, err);
    return template_failed(rq, st, err);
}

static enum status respond(struct request *rq, int http_status, str name, struct value vars, struct err *err)
{
    struct buf out;
    buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
    enum status st = page_render(rq, name, vars, &out, err);
    if (st == STATUS_OK)
        respond_buf(rq, http_status, "text/html; charset=utf-8", &out);
    buf_release(&out);
    return st;
}

enum status page_respond(struct request *rq, int http_status, const str *names, size_t name_count, struct value vars,
                         bool alternate, struct err *err)
{
    static const str embedded[] = {{"embed.html", 10}};
    struct arena *a = rq->arena;
    str chosen;
    if (rq->guest && rq->guest->embedded && rq->guest->address.n) {
        names = embedded;
        name_count = 1;
        VALUE_SET(vars, "share_link", value_str(rq->guest->address));
    }
    if (!template_select(rq->site->templates, names, name_count, &chosen))
        return err_set(err, STATUS_INTERNAL, "There is no template %.*s", STR_ARG(names[name_count - 1]));
    struct value considered = value_list(a);
    for (size_t i = 0; i < name_count; i++)
        value_push(considered, value_str(str_eq(names[i], chosen) ? ARENA_CAT(a, STR("*"), names[i]) : names[i]));
    VALUE_SET(vars, "select_templates", considered);
    if (alternate) {
        str url = request_absolute_url(rq, link_this_format(rq, STR("json"), NULL, 0));
        VALUE_SET(vars, "alternate_url_json", value_str(url));
        response_header(rq->response, STR("link"),
                        ARENA_CAT(a, STR("<"), url, STR(">; rel=\"alternate\"; type=\"application/json+datasette\"")));
    }
    return respond(rq, http_status, chosen, vars, err);
}

enum status page_respond_json_page(struct request *rq, const char *title, const char *filename, struct value data,
                                   struct err *err)
{
    if (str_is(rq->format, "json")) {
        if (compat_is_old(rq))
            value_remove(data, STR("ok"));
        respond_json(rq, 200, data);
        return STATUS_OK;
    }
    struct value vars = value_dict(rq->arena);
    struct buf text;
    buf_init(&text, LIMIT_TEMPLATE_OUTPUT);
    value_remove(data, STR("ok")); /* of the API: says nothing on a page */
    value_to_json_indent(&text, data, 0, 4);
    VALUE_SET(vars, "filename", value_cstr(filename));
    VALUE_SET(vars, "title", value_cstr(title));
    VALUE_SET(vars, "data", data);
    VALUE_SET(vars, "data_json", value_str(arena_str(rq->arena, buf_str(&text))));
    buf_release(&text);
    const str names[] = {STR("show_json.html")};
    return page_respond(rq, 200, names, 1, vars, true, err);
}

struct value page_error_json(struct arena *a, const struct err *err, int http_status)
{
    struct value d = value_dict(a), errors = value_list(a), text = value_str(arena_str(a, str_of(err->text)));
    value_push(errors, text);
    VALUE_SET(d, "ok", value_bool(false));
    VALUE_SET(d, "error", text);
    VALUE_SET(d, "errors", errors);
    VALUE_SET(d, "status", value_int(http_status));
    if (err->hint[0] && http_status >= 413) /* errors that Datasette has too have exactly its four members */
        VALUE_SET(d, "hint", value_str(arena_str(a, str_of(err->hint))));
    return d;
}

static bool wants_json(const struct request *rq, int http_status)
{
    if (rq->error_template)
        return false;
    if (str_is(rq->format, "json") || str_ends(rq->path, STR(".json")))
        return true;
    if (http_status == 401)
        return true;
    if (http_status == 403)
        return str_find(http_header(rq->http, STR("accept")), STR("application/json")) != STR_NPOS ||
               str_is(http_header(rq->http, STR("content-type")), "application/json");
    return (http_status == 405 || http_status == 413 || http_status == 507) &&
           str_is(http_header(rq->http, STR("content-type")), "application/json");
}

/* When even the error template fails, as with an error in a base.html of --template-dir: a page without one. */
static void bare_error(struct request *rq, int http_status, const struct err *err, const struct err *second)
{
    static const char style[] =
        "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "pre{white-space:pre-wrap;overflow-wrap:anywhere;border-left:4px solid #b00020;"
        "padding:.5rem 1rem}:root{color-scheme:light dark}";
    struct buf b;
    buf_init(&b, LIMIT_TEMPLATE_OUTPUT);
    buf_printf(&b,
               "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
               "content=\"width=device-width\">\n<title>Error %d</title>\n<style>%s</style>\n<main><h1>Error "
               "%d</h1>\n<pre>",
               http_status, style, http_status);
    html_escape(&b, str_of(err->text));
    buf_puts(&b, STR("</pre>\n"));
    if (strcmp(err->text, second->text) != 0) {
        buf_puts(&b, STR("<p>The page for errors cannot be shown either:</p>\n<pre>"));
        html_escape(&b, str_of(second->text));
        buf_puts(&b, STR("</pre>\n"));
    }
    buf_puts(&b, STR("</main>\n</html>\n"));
    respond_buf(rq, http_status, "text/html; charset=utf-8", &b);
}

/* Where to sign in and come back from; none for those who are in, and where nobody can. */
static struct value sign_in_link(struct request *rq)
{
    if (rq->space && str_starts(rq->path, STR("/-/sign-on"))) /* that failed: again, to the same place */
        return value_str(ARENA_CAT(rq->arena, link_path(rq, STR("/-/sign-on")), STR("?to="),
                                   url_quote_plus(rq->arena, request_arg(rq, "to"))));
    if (rq->space)
        return permit_role(&rq->space->people, rq->actor) == ROLE_NONE
                   ? value_str(sign_on_link(rq, !value_is_null(rq->actor)))
                   : VALUE_NULL;
    if (value_is_null(rq->actor) && visitors_sign_in(rq->site->visitors, rq).n)
        return value_str(visitors_sign_in(rq->site->visitors, rq));
    if (!accounts_count(rq->site->accounts) || !value_is_null(rq->actor))
        return VALUE_NULL;
    str link = link_path(rq, STR("-/login"));
    if (!request_is_get(rq))
        return value_str(link);
    return value_str(ARENA_CAT(rq->arena, link, STR("?next="), url_quote_plus(rq->arena, request_full_path(rq))));
}

void page_respond_error(struct request *rq, const struct err *err, const char *title, struct value extra)
{
    struct arena *a = rq->arena;
    int http_status = status_http(err->status);
    if (http_status < 400)
        http_status = 500;
    response_clear(rq->response);
    if (http_status >= 500)
        LOG_WITH(LOG_ERROR, "site", str_of(err->text), LOG_STR("target", rq->http->target),
                 LOG_STR("request_id", rq->note->id),
                 LOG_STR("trace_id", rq->note->trace_id.n ? rq->note->trace_id : STR("none")));
    if (http_status == 401)
        response_header(rq->response, STR("www-authenticate"),
                        rq->challenge ? str_of(rq->challenge) : STR("Bearer error=\"invalid_token\""));
    if (http_status == 503 || rq->retry_after_s)
        response_header(rq->response, STR("retry-after"),
                        arena_printf(a, "%lld", (long long)MAX(rq->retry_after_s, 1)));
    if (wants_json(rq, http_status)) {
        struct value body = page_error_json(a, err, http_status);
        for (size_t i = 0; extra.kind == VALUE_DICT && i < extra.dict->count; i++)
            value_set(body, extra.dict->entries[i].key, extra.dict->entries[i].value);
        if (compat_is_old(rq))
            VALUE_SET(body, "title", title ? value_cstr(title) : VALUE_NULL);
        respond_json(rq, http_status, body);
    } else if (http_status == 405) {
        respond_text(rq, http_status, "text/plain; charset=utf-8", STR("Method not allowed"));
    } else {
        struct value vars = value_dict(a);
        VALUE_SET(vars, "ok", value_bool(false));
        VALUE_SET(vars, "error", value_cstr(err->text));
        VALUE_SET(vars, "hint", err->hint[0] ? value_cstr(err->hint) : VALUE_NULL);
        VALUE_SET(vars, "status", value_int(http_status));
        VALUE_SET(vars, "request_id", value_str(rq->note->id));
        VALUE_SET(vars, "title", title ? value_cstr(title) : http_status == 403 ? value_cstr("Forbidden") : VALUE_NULL);
        VALUE_SET(vars, "login_label",
                  value_cstr(!rq->space                 ? "Log in"
                             : value_is_null(rq->actor) ? "Sign in"
                                                        : "Use another account"));
        if (rq->space)
            VALUE_SET(vars, "owners", value_str(space_owners(rq->space, a)));
        VALUE_SET(vars, "login_url", http_status == 403 ? sign_in_link(rq) : VALUE_NULL);
        if (extra.kind == VALUE_DICT && value_has(extra, STR("sql")))
            VALUE_SET(vars, "failed_sql", VALUE_GET(extra, "sql"));
        str names[] = {rq->error_template ? str_of(rq->error_template) : arena_printf(a, "%d.html", http_status),
                       STR("error.html")};
        str chosen;
        struct err second = ERR_INIT;
        if (!template_select(rq->site->templates, names, 2, &chosen) ||
            respond(rq, http_status, chosen, vars, &second) != STATUS_OK) {
            log_line(LOG_ERROR, "site", "error page: %s", second.text);
            bare_error(rq, http_status, err, &second);
        }
    }
    page_cors(rq);
}

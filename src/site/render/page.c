/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/page.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "assets/assets.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/version.h"
#include "codec/html_escape.h"
#include "codec/url.h"
#include "http/cookie.h"
#include "site/links.h"
#include "site/render/urls.h"
#include "site/version.h"
#include "template/eval.h"

/* ---- templates ----------------------------------------------------------------------------------------------------
 */

struct loader {
    str dir; /* --template-dir; empty = none */
};

static bool name_is_safe(str name)
{
    if (!name.n || name.p[0] == '/' || str_find(name, STR("..")) != STR_NPOS)
        return false;
    return memchr(name.p, 0, name.n) == NULL;
}

static bool custom_stat(const struct loader *l, str name, struct arena *a, char **ret_path, struct stat *st)
{
    if (!l->dir.n || !name_is_safe(name))
        return false;
    *ret_path = arena_cstr(a, ARENA_CAT(a, l->dir, STR("/"), name));
    return stat(*ret_path, st) == 0 && S_ISREG(st->st_mode);
}

static enum status load(void *self, str name, struct arena *a, str *ret_source, str *ret_origin, struct err *err)
{
    const struct loader *l = self;
    char *path;
    struct stat st;
    if (custom_stat(l, name, a, &path, &st)) {
        *ret_origin = str_of(path);
        return fs_read_file(path, LIMIT_TEMPLATE_SOURCE, a, ret_source, err);
    }
    if (str_starts(name, STR("default:")))
        name = str_from(name, 8);
    const struct asset *asset = asset_find(ARENA_CAT(a, STR("templates/"), name));
    if (!asset)
        return err_set(err, STATUS_NOT_FOUND, "There is no template %.*s", STR_ARG(name));
    *ret_source = asset->data;
    *ret_origin = name;
    return STATUS_OK;
}

/* Built-in templates never change; files change with their modification time. */
static uint64_t stamp(void *self, str name)
{
    const struct loader *l = self;
    if (!l->dir.n)
        return 1;
    struct arena *a = arena_new(1u << 16);
    char *path;
    struct stat st;
    uint64_t out = 1;
    if (custom_stat(l, name, a, &path, &st))
        out = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec + (uint64_t)st.st_ino;
    arena_free(a);
    return out;
}

static enum status filter_css_class(struct eval *ev, struct value in, const struct value_args *args, struct value *ret)
{
    struct arena *a = eval_arena(ev);
    (void)args;
    *ret = value_str(css_class(a, value_to_str(a, in)));
    return STATUS_OK;
}

static enum status filter_escape_sqlite(struct eval *ev, struct value in, const struct value_args *args,
                                        struct value *ret)
{
    struct arena *a = eval_arena(ev);
    (void)args;
    *ret = value_str(query_identifier(a, value_to_str(a, in)));
    return STATUS_OK;
}

static enum status filter_quote_plus(struct eval *ev, struct value in, const struct value_args *args, struct value *ret)
{
    struct arena *a = eval_arena(ev);
    (void)args;
    *ret = value_str(url_quote_plus(a, value_to_str(a, in)));
    return STATUS_OK;
}

/* Every character that could end a CSS string as a \XXXXXX escape. */
static enum status filter_escape_css(struct eval *ev, struct value in, const struct value_args *args, struct value *ret)
{
    struct arena *a = eval_arena(ev);
    str s = value_to_str(a, in);
    struct buf b;
    (void)args;
    buf_init(&b, LIMIT_TEMPLATE_OUTPUT);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == '"' || c == '\'' || c == '\\' || c == '<' || c == '>' || c == '&')
            buf_printf(&b, "\\%06X", c);
        else
            buf_putc(&b, (char)c);
    }
    *ret = value_safe(arena_str(a, buf_str(&b)));
    buf_release(&b);
    return STATUS_OK;
}

enum status page_templates_new(struct site *s, str template_dir, struct err *err)
{
    struct loader *l = ARENA_NEW(s->arena, struct loader);
    struct stat st;
    l->dir = arena_str(s->arena, template_dir);
    if (l->dir.n && stat(l->dir.p, &st) != 0) {
        err_sys(err, STATUS_IO, errno, "cannot use the template directory %s", l->dir.p);
        return err_hint(err, "Check the spelling of the name, or leave --template-dir out.");
    }
    if (l->dir.n && !S_ISDIR(st.st_mode))
        return err_set(err, STATUS_INVALID, "--template-dir %s is no directory", l->dir.p);
    struct template_loader tl = {.self = l, .load = load, .stamp = stamp};
    s->templates = template_env_new(&tl);
    template_env_add_filter(s->templates, "to_css_class", filter_css_class);
    template_env_add_filter(s->templates, "escape_sqlite", filter_escape_sqlite);
    template_env_add_filter(s->templates, "quote_plus", filter_quote_plus);
    template_env_add_filter(s->templates, "escape_css_string", filter_escape_css);
    return STATUS_OK;
}

/* ---- variables ------------------------------------------------------------------------------------------------------
 */

static struct value asset_urls(struct request *rq, const char *key)
{
    struct arena *a = rq->arena;
    struct value urls = value_get(rq->site->config.root, str_of(key)), out = value_list(a);
    for (size_t i = 0; i < value_count(urls); i++) {
        struct value u = value_at(urls, i), d = value_dict(a);
        str href = value_is_text(u) ? u.s : VALUE_GET(u, "url").kind == VALUE_STR ? VALUE_GET(u, "url").s : STR("");
        if (href.n && href.p[0] == '/' && !str_starts(href, STR("//")))
            href = link_path(rq, href);
        VALUE_SET(d, "url", value_str(href));
        struct value sri = VALUE_GET(u, "sri"), module = VALUE_GET(u, "module");
        if (sri.kind != VALUE_UNDEFINED)
            VALUE_SET(d, "sri", sri);
        VALUE_SET(d, "module", value_bool(value_truth(module)));
        value_push(out, d);
    }
    return out;
}

void page_base_vars(struct request *rq, struct value vars)
{
    struct arena *a = rq->arena;
    bool cookie = cookie_find(a, http_header(rq->http, STR("cookie")), STR("ds_actor")).n > 0;
    VALUE_SET(vars, "actor", rq->actor);
    VALUE_SET(vars, "show_logout", value_bool(cookie && !value_is_null(rq->actor)));
    VALUE_SET(vars, "body_scripts", value_list(a));
    VALUE_SET(vars, "extra_css_urls", asset_urls(rq, "extra_css_urls"));
    VALUE_SET(vars, "extra_js_urls", asset_urls(rq, "extra_js_urls"));
    VALUE_SET(vars, "base_url", value_str(rq->site->config.settings.base_url));
    VALUE_SET(vars, "datasette_version", value_cstr(VERSION_DATASETTE));
    VALUE_SET(vars, "vitrine_version", value_cstr(version_text()));
    urls_add(rq, vars);
}

void page_cors(struct request *rq)
{
    static const char *const headers[][2] = {
        {"access-control-allow-origin", "*"},      {"access-control-allow-headers", "Authorization, Content-Type"},
        {"access-control-expose-headers", "Link"}, {"access-control-allow-methods", "GET, POST, HEAD, OPTIONS"},
        {"access-control-max-age", "3600"},
    };
    if (!rq->site->cors)
        return;
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
    response_header(rq->response, STR("referrer-policy"), STR("no-referrer"));
}

/* ---- answers --------------------------------------------------------------------------------------------------------
 */

static enum status render(struct request *rq, int http_status, str name, struct value vars, struct err *err)
{
    struct buf out;
    buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
    enum status st = template_render(rq->site->templates, name, vars, rq, rq->arena, &out, err);
    if (st == STATUS_OK)
        respond_buf(rq, http_status, "text/html; charset=utf-8", &out);
    buf_release(&out);
    return st;
}

enum status page_respond(struct request *rq, int http_status, const str *names, size_t name_count, struct value vars,
                         bool alternate, struct err *err)
{
    struct arena *a = rq->arena;
    str chosen;
    if (!template_select(rq->site->templates, names, name_count, &chosen))
        return err_set(err, STATUS_INTERNAL, "There is no template %.*s", STR_ARG(names[name_count - 1]));
    struct value considered = value_list(a);
    for (size_t i = 0; i < name_count; i++)
        value_push(considered, value_str(str_eq(names[i], chosen) ? ARENA_CAT(a, STR("*"), names[i]) : names[i]));
    VALUE_SET(vars, "select_templates", considered);
    if (alternate) {
        str url = request_absolute_url(rq, link_this_format(rq, STR("json"), NULL, 0));
        VALUE_SET(vars, "alternate_url_json", value_safe(url));
        response_header(rq->response, STR("link"),
                        ARENA_CAT(a, STR("<"), url, STR(">; rel=\"alternate\"; type=\"application/json+datasette\"")));
    }
    page_base_vars(rq, vars);
    return render(rq, http_status, chosen, vars, err);
}

enum status page_respond_json_page(struct request *rq, const char *title, const char *filename, struct value data,
                                   struct err *err)
{
    if (str_is(rq->format, "json")) {
        respond_json(rq, 200, data);
        return STATUS_OK;
    }
    struct value vars = value_dict(rq->arena);
    struct buf text;
    buf_init(&text, LIMIT_TEMPLATE_OUTPUT);
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
    return http_status == 405 && str_is(http_header(rq->http, STR("content-type")), "application/json");
}

/* When even the error template fails: a page without one. */
static void bare_error(struct request *rq, int http_status, const char *text)
{
    str safe = html_escape_arena(rq->arena, str_of(text));
    respond_text(rq, http_status, "text/html; charset=utf-8",
                 arena_printf(rq->arena, "<!DOCTYPE html><title>Error %d</title><h1>Error %d</h1><p>%.*s</p>",
                              http_status, http_status, STR_ARG(safe)));
}

void page_respond_error(struct request *rq, const struct err *err, const char *title, struct value extra)
{
    struct arena *a = rq->arena;
    int http_status = status_http(err->status);
    if (http_status < 400)
        http_status = 500;
    response_clear(rq->response);
    if (http_status >= 500)
        log_line(LOG_ERROR, "site", "%.*s: %s", STR_ARG(rq->http->target), err->text);
    if (http_status == 401)
        response_header(rq->response, STR("www-authenticate"), STR("Bearer error=\"invalid_token\""));
    if (http_status == 503)
        response_header(rq->response, STR("retry-after"), STR("1"));
    if (wants_json(rq, http_status)) {
        struct value body = page_error_json(a, err, http_status);
        for (size_t i = 0; extra.kind == VALUE_DICT && i < extra.dict->count; i++)
            value_set(body, extra.dict->entries[i].key, extra.dict->entries[i].value);
        respond_json(rq, http_status, body);
    } else if (http_status == 405) {
        respond_text(rq, http_status, "text/plain; charset=utf-8", STR("Method not allowed"));
    } else {
        struct value vars = value_dict(a);
        VALUE_SET(vars, "ok", value_bool(false));
        VALUE_SET(vars, "error", value_cstr(err->text));
        VALUE_SET(vars, "hint", err->hint[0] ? value_cstr(err->hint) : VALUE_NULL);
        VALUE_SET(vars, "status", value_int(http_status));
        VALUE_SET(vars, "title", title ? value_cstr(title) : http_status == 403 ? value_cstr("Forbidden") : VALUE_NULL);
        if (extra.kind == VALUE_DICT && value_has(extra, STR("sql")))
            VALUE_SET(vars, "sql", VALUE_GET(extra, "sql"));
        page_base_vars(rq, vars);
        str names[] = {rq->error_template ? str_of(rq->error_template) : arena_printf(a, "%d.html", http_status),
                       STR("error.html")};
        str chosen;
        struct err second = ERR_INIT;
        if (!template_select(rq->site->templates, names, 2, &chosen) ||
            render(rq, http_status, chosen, vars, &second) != STATUS_OK) {
            log_line(LOG_ERROR, "site", "error page: %s", second.text);
            bare_error(rq, http_status, err->text);
        }
    }
    page_cors(rq);
}

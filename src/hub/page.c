/* SPDX-License-Identifier: Apache-2.0 */
/* page — what the hub's answers have in common: templates and what each of them is given, notes after a redirect,
 * headers, errors. */
#include "hub/page.h"

#include "assets/assets.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/version.h"
#include "hub/providers.h"
#include "hub/request.h"
#include "hub/room.h"
#include "hub/route.h"
#include "hub/session.h"
#include "template/eval.h"

/* What a page says once after a redirect: ?note=KEY. */
static const struct note {
    const char *key, *text;
} notes[] = {
    {"signed-out", "You are signed out."},
    {"saved", "Saved."},
    {"linked", "Linked: from now on you can sign in with it too."},
    {"linked-by-mail", "Linked: now sign in with it."},
    {"unlinked", "Unlinked: it signs nobody in any more."},
    {"password-changed", "Your password is changed. Other devices were signed out."},
    {"address-changed", "Your address is changed. Use it from now on to sign in."},
    {"mail-sent", "Look into your mailbox: we sent you a link."},
    {"confirm-sent", "Look into your mailbox: we sent you a link."},
    {"verified", "Your address is confirmed."},
    {"invited", "The invitation is on its way."},
    {"removed", "Removed. They can no longer see anything that is not public."},
    {"role-changed", "The role is changed."},
    {"deleted", "The space is deleted. It can be brought back for seven days."},
    {"restored", "The space is back."},
    {"suspended", "The space is suspended."},
    {"too-late", "That took too long. Sign in again."},
    {"recovery-used", "You signed in with a recovery code. It does not work again: see how many are left."},
    {"factor-off", "The app is not asked for any more."},
    {"passkey-added", "The passkey is added. It signs you in without a password."},
    {"passkey-removed", "The passkey is removed. Delete it on your device too."},
    {"session-ended", "Signed out there, and in all spaces that were opened from there."},
    {"account-deleted", "Your account is deleted. Sign in within seven days to keep it after all."},
    {"kept", "Your account stays."},
    {"file-dropped", "The file is removed."},
    {"resumed", "The space is open again."},
    {"quota-set", "Saved. It holds from now on."},
};

static void add_note(struct hub_request *rq, struct value vars)
{
    str key = hub_arg(rq, "note");
    for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
        if (!str_is(key, notes[i].key))
            continue;
        VALUE_SET(vars, "note", value_cstr(notes[i].text));
        VALUE_SET(vars, "note_key", value_cstr(notes[i].key));
    }
}

static enum status static_url(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    str name;
    (void)self;
    if (!eval_arg_str(ev, args, 0, "name", &name))
        return STATUS_INVALID;
    const struct asset *asset = asset_find(ARENA_CAT(eval_arena(ev), STR("static/"), name));
    if (!asset)
        return eval_fail(ev, STATUS_NOT_FOUND, "there is no static file %.*s", STR_ARG(name));
    *ret = value_str(arena_printf(eval_arena(ev), "/-/static/%.*s?_hash=%.12s", STR_ARG(name), asset->etag));
    return STATUS_OK;
}
static const struct value_class static_class = {.name = "function", .call = static_url};

/* field("email", "email-help"): attributes of an input, beside its label and what explains it. One that is wrong says
 * so, is described by what the page says of it as well, and has the focus (WCAG 3.3.1, 3.3.3). */
static enum status field_attributes(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct hub_request *rq = self;
    str name, help = {0};
    if (!eval_arg_str(ev, args, 0, "name", &name) || !eval_arg_str(ev, args, 1, "help", &help))
        return STATUS_INVALID;
    bool wrong = rq->wrong && str_is(name, rq->wrong);
    if (wrong)
        *ret = value_safe(ARENA_CAT(eval_arena(ev), STR(" aria-invalid=\"true\" autofocus aria-describedby=\"error"),
                                    help.n ? STR(" ") : STR(""), help, STR("\"")));
    else
        *ret = value_safe(help.n ? ARENA_CAT(eval_arena(ev), STR(" aria-describedby=\""), help, STR("\"")) : STR(""));
    return STATUS_OK;
}
static const struct value_class field_class = {.name = "function", .call = field_attributes};

/* typed("title", space.title): what a field holds: after an error what was sent, so that nothing is lost. */
static enum status typed(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct hub_request *rq = self;
    str name;
    if (!eval_arg_str(ev, args, 0, "name", &name))
        return STATUS_INVALID;
    *ret = rq->said && value_has(rq->form, name) ? value_get(rq->form, name) : eval_arg(args, 1, "otherwise");
    return STATUS_OK;
}
static const struct value_class typed_class = {.name = "function", .call = typed};

/* The buttons of those who sign people in for us. */
static struct value providers_of(const struct hub_request *rq)
{
    struct value list = value_list(rq->a);
    const struct providers *all = rq->hub->providers;
    str link = rq->session.n && all && providers_count(all) ? hub_session_proof(rq, "link") : STR("");
    for (size_t i = 0; all && i < providers_count(all); i++) {
        const struct provider *p = providers_at(all, i);
        struct value one = value_dict(rq->a);
        VALUE_SET(one, "name", value_str(p->name));
        VALUE_SET(one, "label", value_str(p->label));
        VALUE_SET(
            one, "start",
            value_str(p->oidc ? ARENA_CAT(rq->a, STR("/-/oidc/"), p->name, STR("/start")) : STR("/-/github/start")));
        VALUE_SET(one, "link", value_str(link));
        value_push(list, one);
    }
    return list;
}

static void add_common(struct hub_request *rq, struct value vars)
{
    const struct hub_config *c = &rq->hub->config;
    VALUE_SET(vars, "user", rq->user);
    VALUE_SET(vars, "domain", value_str(c->domain));
    VALUE_SET(vars, "origin", value_str(c->origin));
    VALUE_SET(vars, "path", value_str(rq->http->path));
    add_note(rq, vars);
    VALUE_SET(vars, "providers", providers_of(rq));
    VALUE_SET(vars, "static", value_object(&static_class, NULL));
    VALUE_SET(vars, "field", value_object(&field_class, rq));
    VALUE_SET(vars, "typed", value_object(&typed_class, rq));
    VALUE_SET(vars, "wrong", rq->wrong ? value_cstr(rq->wrong) : VALUE_NULL);
    VALUE_SET(vars, "links", c->links);
    VALUE_SET(vars, "sign_up_open", value_bool(c->sign_up == SIGN_UP_OPEN));
    VALUE_SET(vars, "vitrine_version", value_cstr(version_text()));
}

/* Pages of the hub hold forms that act with the visitor's rights: nobody may frame them, and no script but ours runs.
 */
static void add_headers(struct hub_request *rq)
{
    static const char *const headers[][2] = {
        {"x-frame-options", "DENY"},        {"x-content-type-options", "nosniff"},
        {"referrer-policy", "same-origin"}, {"cross-origin-opener-policy", "same-origin"},
        {"cache-control", "no-store"},
    };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        response_header_set(&rq->response, str_of(headers[i][0]), str_of(headers[i][1]));
    const struct hub_config *c = &rq->hub->config;
    str spaces = hub_space_origin(rq->a, c, STR("*")); /* where a form may lead to after it was sent here */
    response_header_set(&rq->response, STR("content-security-policy"),
                        ARENA_CAT(rq->a,
                                  STR("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "
                                      "data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
                                      "form-action 'self' "),
                                  spaces));
    if (c->secure)
        response_header_set(&rq->response, STR("strict-transport-security"), STR("max-age=31536000"));
}

enum status hub_page(struct hub_request *rq, int status, const char *name, struct value vars, struct err *err)
{
    struct buf out;
    buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
    add_common(rq, vars);
    enum status st = template_render(rq->hub->templates, arena_printf(rq->a, "hub/%s", name), vars, rq->a, &out, err);
    if (st == STATUS_OK) {
        rq->response.status = status;
        response_header_set(&rq->response, STR("content-type"), STR("text/html; charset=utf-8"));
        add_headers(rq);
        response_body_take(&rq->response, &out);
    }
    buf_release(&out);
    return st;
}

enum status hub_go(struct hub_request *rq, str path, const char *note)
{
    str to = hub_safe_path(path);
    if (note)
        to = arena_printf(rq->a, "%.*s%snote=%s", STR_ARG(to), str_find_char(to, '?') == STR_NPOS ? "?" : "&", note);
    return hub_go_outside(rq, to);
}

enum status hub_go_outside(struct hub_request *rq, str url)
{
    rq->response.status = 303;
    response_header_set(&rq->response, STR("location"), url);
    add_headers(rq);
    return STATUS_OK;
}

enum status hub_json(struct hub_request *rq, int status, struct value v)
{
    struct buf out;
    buf_init(&out, LIMIT_JSON_OUTPUT);
    value_to_json(&out, v, VALUE_JSON_UTF8);
    buf_putc(&out, '\n');
    rq->response.status = status;
    response_header_set(&rq->response, STR("content-type"), STR("application/json; charset=utf-8"));
    add_headers(rq);
    response_body_take(&rq->response, &out);
    return STATUS_OK;
}

enum status hub_of_field(struct hub_request *rq, const char *field, enum status st)
{
    if (st != STATUS_OK && !rq->wrong)
        rq->wrong = field;
    return st;
}

void hub_put_error(struct hub_request *rq, struct value vars, const struct err *why)
{
    if (!why || why->status == STATUS_OK)
        return;
    rq->said = true;
    VALUE_SET(vars, "error", value_str(arena_str(rq->a, str_of(why->text))));
    VALUE_SET(vars, "hint", value_str_if(why->hint[0] != 0, arena_str(rq->a, str_of(why->hint))));
}

bool hub_in_form(enum status st)
{
    return st == STATUS_INVALID || st == STATUS_CONFLICT || st == STATUS_RATE;
}

/* What a page of an error is called. */
static const char *title_of(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {{400, "That did not work"},         {401, "Sign in first"},
                  {403, "This is not open to you"},   {404, "Nothing is here"},
                  {405, "That cannot be done here"},  {409, "That does not fit any more"},
                  {413, "That is too large"},         {429, "Too much at once"},
                  {500, "Something went wrong here"}, {503, "Not now, but in a moment"},
                  {504, "That took too long"},        {507, "There is no room here"}};
    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return http_reason(status);
}

void hub_answer_error(struct hub_request *rq, const struct err *err)
{
    int status = status_http(err->status);
    struct value vars = value_dict(rq->a);
    struct err again = ERR_INIT;
    struct err full = *err;
    bool no_room = hub_room_or(rq->hub, err->status, &full) == STATUS_DISK_FULL, ours = status >= 500 && status != 503;
    if (ours)
        log_line(LOG_ERROR, "hub", "%.*s: %s", STR_ARG(rq->http->path), err->text);
    if (no_room) {
        err = &full;
        status = status_http(full.status);
        ours = false;
    }
    response_clear(&rq->response);
    VALUE_SET(vars, "status", value_int(status));
    VALUE_SET(vars, "title", value_cstr(title_of(status)));
    VALUE_SET(vars, "again", value_bool(!hub_is_post(rq) && (status >= 500 || status == 429)));
    VALUE_SET(vars, "error",
              value_str(arena_str(rq->a, ours ? STR("This page could not be made.") : str_of(err->text))));
    VALUE_SET(
        vars, "hint",
        value_str(arena_str(rq->a, ours ? STR("Try again. If it stays so, tell whoever runs this: the log says why.")
                                        : str_of(err->hint))));
    if (rq->route && (rq->route->flags & HUB_API)) {
        VALUE_SET(vars, "ok", value_bool(false));
        (void)!hub_json(rq, status, vars);
        return;
    }
    if (hub_page(rq, status, "error.html", vars, &again) == STATUS_OK)
        return;
    log_line(LOG_ERROR, "hub", "the error page: %s", again.text);
    response_clear(&rq->response);
    rq->response.status = 500;
    response_header_set(&rq->response, STR("content-type"), STR("text/plain; charset=utf-8"));
    response_body_text(&rq->response, STR("Something went wrong here.\n"));
}

/* ---- templates ---- */

static enum status load(void *self, str name, struct arena *a, str *ret_source, str *ret_origin, struct err *err)
{
    (void)self;
    const struct asset *asset = asset_find(ARENA_CAT(a, STR("templates/"), name));
    if (!asset)
        return err_set(err, STATUS_NOT_FOUND, "there is no template %.*s", STR_ARG(name));
    *ret_source = asset->data;
    *ret_origin = name;
    return STATUS_OK;
}

struct template_env *hub_templates_new(void)
{
    const struct template_loader loader = {.load = load};
    return template_env_new(&loader);
}

/* ---- static files ---- */

struct hub_static {
    struct http_blob **blobs; /* in the order of the assets; NULL: not made yet */
};

struct hub_static *hub_static_new(struct arena *a)
{
    struct hub_static *s = ARENA_NEW(a, struct hub_static);
    s->blobs = ARENA_ARRAY(a, struct http_blob *, asset_count());
    return s;
}

void hub_static_release(struct hub_static *s)
{
    for (size_t i = 0; s && i < asset_count(); i++)
        http_blob_unref(s->blobs[i]);
}

/* Compressed when the program was built: nothing is packed on the loop's thread. */
static struct http_blob *static_blob(struct hub_static *s, const struct asset *asset)
{
    struct http_blob **slot = &s->blobs[asset - asset_at(0)];
    if (*slot)
        return *slot;
    struct arena *a = arena_new(0);
    struct http_headers headers = {0};
    bool ok = http_headers_add(&headers, a, STR("content-type"), str_of(asset->mime)) &&
              http_headers_add(&headers, a, STR("etag"), arena_printf(a, "\"%.32s\"", asset->etag)) &&
              http_headers_add(&headers, a, STR("cache-control"), STR("max-age=31536000, immutable, public")) &&
              http_headers_add(&headers, a, STR("x-content-type-options"), STR("nosniff"));
    ASSERT(ok);
    *slot = http_blob_new(200, &headers, asset->data, asset->gz, HTTP_BLOB_STATIC);
    arena_free(a);
    return *slot;
}

bool hub_static(struct hub_static *s, struct http_exchange *x)
{
    static const char prefix[] = "/-/static/";
    const struct http_request *http = http_exchange_request(x);
    struct http_response r;
    if (!str_starts(http->path, str_of(prefix)))
        return false;
    const struct asset *asset =
        asset_find(ARENA_CAT(http->arena, STR("static/"), str_from(http->path, sizeof prefix - 1)));
    response_init(&r, http->arena);
    if (asset && (http->method == HTTP_GET || http->method == HTTP_HEAD)) {
        response_body_blob(&r, http_blob_ref(static_blob(s, asset)));
    } else {
        r.status = asset ? 405 : 404;
        response_header(&r, STR("content-type"), STR("text/plain; charset=utf-8"));
        response_body_text(&r, asset ? STR("Only GET and HEAD.\n") : STR("There is no such file.\n"));
    }
    http_exchange_respond(x, &r);
    return true;
}

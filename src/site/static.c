/* SPDX-License-Identifier: Apache-2.0 */
#include "site/static.h"

#include "assets/assets.h"
#include "http/static_files.h"
#include "site/app.h"

#define BUILTIN "/-/static/"
#define FOREVER "max-age=31536000, immutable, public"

/* Blobs of the built-in assets, made on first use. Loop thread only. [1]: addressed by hash, may be kept for ever. */
struct static_blobs {
    struct http_blob *(*blobs)[2];
};

/* "text/css; charset=utf-8" -> "text/css": style sheets and scripts take the charset of the page. */
static str bare_type(const char *mime)
{
    str type, rest;
    str_cut(str_of(mime), ';', &type, &rest);
    return type;
}

static struct http_blob *asset_blob(struct site *s, size_t index, bool forever)
{
    struct http_blob **slot = &s->static_blobs->blobs[index][forever];
    if (*slot)
        return *slot;
    const struct asset *asset = asset_at(index);
    struct arena *a = arena_new(4096);
    struct http_headers headers = {0};
    bool ok = http_headers_add(&headers, a, STR("content-type"), bare_type(asset->mime)) &&
              http_headers_add(&headers, a, STR("etag"), arena_printf(a, "\"%.32s\"", asset->etag));
    if (forever)
        ok = ok && http_headers_add(&headers, a, STR("cache-control"), STR(FOREVER));
    if (s->cors)
        ok = ok && http_headers_add(&headers, a, STR("access-control-allow-origin"), STR("*"));
    ASSERT(ok);
    *slot = http_blob_new(200, &headers, asset->data, asset->gz, HTTP_BLOB_STATIC);
    arena_free(a);
    return *slot;
}

static size_t asset_index(str path)
{
    const struct asset *asset = asset_find(path);
    return asset ? (size_t)(asset - asset_at(0)) : (size_t)-1;
}

static bool hash_fits(const struct http_request *http, size_t index)
{
    str hash = http->query;
    if (!str_starts(hash, STR("_hash=")))
        return false;
    return str_eq(str_from(hash, 6), str_make(asset_at(index)->etag, 12));
}

static void respond_page(struct http_exchange *x, int status, const char *text)
{
    struct http_response r;
    struct arena *a = http_exchange_arena(x);
    response_init(&r, a);
    r.status = status;
    response_header(&r, STR("content-type"), STR("text/html; charset=utf-8"));
    response_body_text(&r, arena_printf(a, "<!DOCTYPE html><title>%d</title><h1>%s</h1>", status, text));
    http_exchange_respond(x, &r);
}

static bool respond_builtin(struct site *s, struct http_exchange *x, str name)
{
    const struct http_request *http = http_exchange_request(x);
    struct http_response r;
    size_t index = asset_index(ARENA_CAT(http->arena, STR("static/"), name));
    if (index == (size_t)-1)
        return false;
    response_init(&r, http->arena);
    response_body_blob(&r, http_blob_ref(asset_blob(s, index, hash_fits(http, index))));
    http_exchange_respond(x, &r);
    return true;
}

struct blocking {
    struct static_dir *dir;
    struct http_exchange *x;
    str path;
};

static void answer(struct http_exchange *x, enum status st, struct http_response *r)
{
    if (st == STATUS_OK)
        http_exchange_respond(x, r);
    else if (st == STATUS_FORBIDDEN)
        respond_page(x, 403, "403: Directory listing is not allowed");
    else
        respond_page(x, st == STATUS_NOT_FOUND ? 404 : status_http(st),
                     st == STATUS_NOT_FOUND ? "404: File not found" : status_text(st));
}

static void serve_on_worker(void *arg, struct worker *w)
{
    struct blocking *b = arg;
    struct http_response r;
    struct err err = ERR_INIT;
    (void)w;
    response_init(&r, http_exchange_arena(b->x));
    enum status st = static_dir_serve_blocking(b->dir, http_exchange_request(b->x), b->path, &r, &err);
    answer(b->x, st, &r);
}

static void respond_mounted(struct site *s, struct http_exchange *x, const struct static_mount *m, str path)
{
    const struct http_request *http = http_exchange_request(x);
    struct http_response r;
    struct err err = ERR_INIT;
    response_init(&r, http->arena);
    enum status st = static_dir_serve(m->dir, http, path, &r, &err);
    if (st != STATUS_AGAIN) {
        answer(x, st, &r);
        return;
    }
    struct blocking *b = ARENA_NEW(http->arena, struct blocking);
    *b = (struct blocking){m->dir, x, path};
    site_hold(s, http->arena);
    if (!pool_submit(s->pool, LANE_PAGE, serve_on_worker, b))
        http_exchange_fail(x, 503, STR("The server is busy. Try again in a moment."));
}

static str path_of(const struct site *s, const struct http_request *http)
{
    str path = http->path, base = s->config.settings.base_url;
    if (http->method != HTTP_GET && http->method != HTTP_HEAD)
        return (str){0};
    return base.n > 1 && str_starts(path, base) ? str_from(path, base.n - 1) : path;
}

/* Files of --static static:DIR are also where urls.static('x.css') looks, behind the built-in ones. */
static const struct static_mount *mount_of(const struct site *s, str path, str *ret_rest)
{
    if (str_starts(path, STR(BUILTIN)))
        path = str_from(path, sizeof "/-" - 1);
    for (size_t i = 0; i < s->mount_count; i++) {
        str mount = s->mounts[i].mount;
        if (str_starts(path, mount) && path.n > mount.n && path.p[mount.n] == '/') {
            *ret_rest = str_from(path, mount.n + 1);
            return &s->mounts[i];
        }
    }
    return NULL;
}

bool static_respond_builtin(struct site *s, struct http_exchange *x)
{
    str path = path_of(s, http_exchange_request(x));
    return str_starts(path, STR(BUILTIN)) && respond_builtin(s, x, str_from(path, sizeof BUILTIN - 1));
}

bool static_respond(struct site *s, struct http_exchange *x)
{
    str path = path_of(s, http_exchange_request(x)), rest;
    const struct static_mount *m = mount_of(s, path, &rest);
    if (static_respond_builtin(s, x))
        return true;
    if (m)
        respond_mounted(s, x, m, rest);
    else if (str_starts(path, STR(BUILTIN)))
        respond_page(x, 404, "404: File not found");
    else
        return false;
    return true;
}

bool static_is_mounted(const struct site *s, const struct http_request *http)
{
    str rest;
    return mount_of(s, path_of(s, http), &rest) != NULL;
}

bool static_respond_blocking(struct site *s, struct http_exchange *x)
{
    const struct http_request *http = http_exchange_request(x);
    struct blocking b = {.x = x};
    const struct static_mount *m = mount_of(s, path_of(s, http), &b.path);
    if (!m)
        return false;
    b.dir = m->dir;
    serve_on_worker(&b, NULL);
    return true;
}

enum status static_mount_add(struct site *s, str spec, struct err *err)
{
    str mount, dir;
    if (!str_cut(spec, ':', &mount, &dir) || !dir.n) {
        err_set(err, STATUS_USAGE, "--static %.*s must be MOUNT:DIRECTORY", STR_ARG(spec));
        return err_hint(err, "For example --static assets:./static serves ./static/x.css as /assets/x.css.");
    }
    while (mount.n && mount.p[0] == '/')
        mount = str_from(mount, 1);
    while (mount.n && mount.p[mount.n - 1] == '/')
        mount.n--;
    if (!mount.n)
        return err_set(err, STATUS_USAGE, "--static %.*s has no mount point", STR_ARG(spec));
    const struct static_options o = {.path = dir};
    struct static_mount *grown = ARENA_ARRAY(s->arena, struct static_mount, s->mount_count + 1);
    if (s->mount_count)
        memcpy(grown, s->mounts, s->mount_count * sizeof *grown);
    enum status st = static_dir_new(&o, &grown[s->mount_count].dir, err);
    if (st != STATUS_OK)
        return st;
    grown[s->mount_count].mount = ARENA_CAT(s->arena, STR("/"), mount);
    s->mounts = grown;
    s->mount_count++;
    return STATUS_OK;
}

void static_init(struct site *s)
{
    s->static_blobs = ARENA_NEW(s->arena, struct static_blobs);
    s->static_blobs->blobs = arena_alloc_array(s->arena, sizeof(*s->static_blobs->blobs), asset_count() + 1);
}

void static_release(struct site *s)
{
    for (size_t i = 0; s->static_blobs && i < asset_count(); i++) {
        http_blob_unref(s->static_blobs->blobs[i][0]);
        http_blob_unref(s->static_blobs->blobs[i][1]);
    }
    for (size_t i = 0; i < s->mount_count; i++)
        static_dir_free(s->mounts[i].dir);
}

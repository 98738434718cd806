/* SPDX-License-Identifier: Apache-2.0 */
/* robots — rules for crawlers. By default pages whose number is without bound (facets, sorts, filters, searches) and
 * whatever is the same data in another format are closed to them; tables, their further pages and rows are open. The
 * plugin configuration datasette-block-robots replaces the rules; the setting crawler_rules turns them off. */
#include "base/limits.h"
#include "codec/url.h"
#include "site/links.h"
#include "site/render/formats.h"
#include "site/template_files.h"
#include "site/view/resources.h"
#include "site/view/view.h"

static void rule(struct request *rq, struct buf *out, const char *verb, str path)
{
    str base = rq->site->config.settings.base_url;
    buf_printf(out, "%s: ", verb);
    buf_puts(out, str_sub(base, 0, base.n - 1));
    for (size_t i = 0; i < path.n; i++) /* one line each */
        if ((unsigned char)path.p[i] >= ' ')
            buf_putc(out, path.p[i]);
    buf_putc(out, '\n');
}

static void default_rules(struct request *rq, struct buf *out)
{
    rule(rq, out, "Allow", STR("/*?_next="));
    rule(rq, out, "Disallow", STR("/*?"));
    rule(rq, out, "Disallow", STR("/*/-/"));
    rule(rq, out, "Disallow", STR("/-/"));
    rule(rq, out, "Allow", STR("/-/static/"));
    for (size_t i = 0; i < format_count; i++)
        if (!str_is(STR("html"), formats[i].extension))
            rule(rq, out, "Disallow", ARENA_CAT(rq->arena, STR("/*."), str_of(formats[i].extension), STR("$")));
    rule(rq, out, "Disallow", STR("/*.db$"));
}

/* A path or a list of them. */
static void listed(struct request *rq, struct buf *out, const char *verb, struct value paths)
{
    if (value_is_text(paths))
        rule(rq, out, verb, paths.s);
    for (size_t i = 0; paths.kind == VALUE_LIST && i < value_count(paths); i++)
        if (value_is_text(value_at(paths, i)))
            rule(rq, out, verb, value_at(paths, i).s);
}

static void configured_rules(struct request *rq, struct value plugin, struct buf *out)
{
    struct value literal = VALUE_GET(plugin, "literal"), allow = VALUE_GET(plugin, "allow"),
                 disallow = VALUE_GET(plugin, "disallow");
    if (value_is_text(literal)) {
        buf_puts(out, literal.s);
        return;
    }
    buf_puts(out, STR("User-agent: *\n"));
    listed(rq, out, "Allow", allow);
    listed(rq, out, "Disallow", disallow);
    struct published **databases = published_by_name(rq);
    bool index_only = value_truth(VALUE_GET(plugin, "allow_only_index"));
    for (size_t i = 0; index_only && i < rq->site->published_count; i++)
        if (request_allowed(rq, ACTION_VIEW_DATABASE, databases[i]->name, (str){0}))
            rule(rq, out, "Disallow", ARENA_CAT(rq->arena, STR("/"), tilde_encode(rq->arena, databases[i]->name)));
    if (value_is_null(disallow) && !index_only)
        rule(rq, out, "Disallow", STR("/"));
}

/* pages/robots.txt.html of --template-dir answers instead of the default rules. */
static bool has_page(struct request *rq)
{
    const char *file;
    uint64_t stamp;
    return template_files_find(rq->site->template_files, STR("pages/robots.txt.html"), rq->arena, &file, &stamp);
}

static void sitemap_line(struct request *rq, struct buf *out)
{
    str sitemap = sitemap_address(rq);
    if (!sitemap.n)
        return;
    if (out->n && out->p[out->n - 1] != '\n')
        buf_putc(out, '\n');
    buf_puts(out, STR("Sitemap: "));
    buf_puts(out, sitemap);
    buf_putc(out, '\n');
}

enum status view_robots(struct request *rq, struct err *err)
{
    struct value plugin = config_plugin(&rq->site->config, STR("datasette-block-robots"), (str){0}, (str){0});
    bool off = plugin.kind == VALUE_BOOL && !plugin.b;
    struct buf out;
    if (off || (plugin.kind == VALUE_UNDEFINED && (!rq->site->config.settings.crawler_rules || has_page(rq))))
        return err_set(err, STATUS_NOT_FOUND, "There are no rules for crawlers here");
    buf_init(&out, LIMIT_CONFIG_FILE);
    if (plugin.kind == VALUE_UNDEFINED) {
        buf_puts(&out, STR("User-agent: *\n"));
        default_rules(rq, &out);
    } else {
        configured_rules(rq, plugin, &out);
    }
    sitemap_line(rq, &out);
    respond_buf(rq, 200, "text/plain; charset=utf-8", &out);
    return STATUS_OK;
}

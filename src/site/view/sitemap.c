/* SPDX-License-Identifier: Apache-2.0 */
/* sitemap — /sitemap.xml from a query, configured as for the plugin datasette-sitemap: its column path holds addresses
 * of this site. The query is the site's own, so it may read what visitors may not. */
#include "base/limits.h"
#include "codec/html_escape.h"
#include "site/fetch.h"
#include "site/links.h"
#include "site/view/resources.h"
#include "site/view/view.h"

#define SITEMAP_ROWS 50000 /* what the protocol allows in one file */

static struct value plugin_of(const struct request *rq)
{
    struct value plugin = config_plugin(&rq->site->config, STR("datasette-sitemap"), (str){0}, (str){0});
    return plugin.kind == VALUE_DICT ? plugin : VALUE_UNDEF;
}

static struct value query_of(struct value plugin)
{
    struct value sql = VALUE_GET(plugin, "query");
    return value_is_text(sql) ? sql : VALUE_GET(plugin, "sql");
}

static str address(struct request *rq, str path)
{
    struct value base = VALUE_GET(plugin_of(rq), "base_url");
    return value_is_text(base) ? ARENA_CAT(rq->arena, base.s, path) : request_absolute_url(rq, link_path(rq, path));
}

str sitemap_address(struct request *rq)
{
    return plugin_of(rq).kind == VALUE_DICT ? address(rq, STR("/sitemap.xml")) : (str){0};
}

static enum status run_query(struct request *rq, struct value plugin, struct rowset *rows, struct err *err)
{
    struct value name = VALUE_GET(plugin, "database");
    struct fetch_limits limits = {
        .max_rows = SITEMAP_ROWS, .time_limit_ms = rq->site->config.settings.sql_time_limit_ms, .trusted = true};
    struct published *db = value_is_text(name)         ? site_find(rq->site, name.s)
                           : rq->site->published_count ? rq->site->published[0]
                                                       : NULL;
    struct conn *conn;
    if (!db)
        return err_set(err, STATUS_INTERNAL, "plugins.datasette-sitemap.database names no database of this site");
    enum status st = conn_acquire(db->database, &conn, err);
    if (st != STATUS_OK)
        return st;
    st = fetch_rows(rq, conn, query_of(plugin).s, NULL, 0, &limits, rows, err);
    conn_release(conn);
    return st;
}

static enum status put_rows(struct request *rq, const struct rowset *rows, struct buf *out, struct err *err)
{
    size_t column = rowset_column(rows, STR("path"));
    if (column == (size_t)-1)
        return err_set(err, STATUS_INTERNAL, "The query of plugins.datasette-sitemap must have a column named path");
    for (size_t r = 0; r < rows->row_count; r++) {
        const struct cell *c = rowset_cell(rows, r, column);
        if (c->kind != CELL_TEXT || !str_starts(c->s, STR("/")))
            return err_set(err, STATUS_INTERNAL, "The path %.100s of plugins.datasette-sitemap must begin with /",
                           arena_cstr(rq->arena, cell_text(rq->arena, c)));
        buf_puts(out, STR("<url><loc>"));
        html_escape(out, address(rq, c->s));
        buf_puts(out, STR("</loc></url>\n"));
    }
    return out->over ? err_set(err, STATUS_TOO_LARGE, "The sitemap is too large") : STATUS_OK;
}

enum status view_sitemap(struct request *rq, struct err *err)
{
    struct value plugin = plugin_of(rq);
    struct rowset rows = {0};
    struct buf out;
    if (plugin.kind != VALUE_DICT)
        return err_set(err, STATUS_NOT_FOUND, "There is no sitemap here");
    bool any = value_is_text(query_of(plugin));
    enum status st = any ? run_query(rq, plugin, &rows, err) : STATUS_OK;
    if (st != STATUS_OK)
        return st;
    buf_init(&out, LIMIT_JSON_OUTPUT);
    buf_puts(&out, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                       "<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n"));
    if (any)
        st = put_rows(rq, &rows, &out, err);
    buf_puts(&out, STR("</urlset>"));
    if (st == STATUS_OK)
        respond_buf(rq, 200, "application/xml", &out);
    buf_release(&out);
    rq->response_varies = true; /* the database is not the address's */
    return st;
}

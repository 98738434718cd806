/* SPDX-License-Identifier: Apache-2.0 */
/* notebook — how to load these rows in Jupyter or Observable: lines to paste. */
#include "site/links.h"
#include "site/render/exports.h"
#include "site/render/page.h"

enum status notebook_respond(const struct export *x, struct err *err)
{
    struct request *rq = x->rq;
    struct arena *a = rq->arena;
    struct table_page *p = x->page;
    struct value d = value_dict(a);
    const str names[] = {STR("export_notebook.html")};
    const struct arg array[] = {{STR("_shape"), STR("array")}}, stream[] = {{STR("_stream"), STR("on")}};
    int64_t total = -1;
    if (p) {
        table_page_count(p);
        total = p->count;
    }
    bool more = p && p->next.has && rq->site->config.settings.allow_csv_stream;
    VALUE_SET(d, "cors_enabled", value_bool(rq->site->cors));
    VALUE_SET(d, "allow_csv_stream", value_bool(rq->site->config.settings.allow_csv_stream));
    VALUE_SET(d, "back_url", value_str(link_other_format(rq, (str){0}, NULL, 0)));
    VALUE_SET(d, "json_url", value_str(request_absolute_url(rq, link_other_format(rq, STR("json"), array, 1))));
    VALUE_SET(d, "csv_stream_url",
              more ? value_str(request_absolute_url(rq, link_other_format(rq, STR("csv"), stream, 1))) : VALUE_NULL);
    VALUE_SET(d, "count", value_int((int64_t)x->row_count));
    VALUE_SET(d, "total_count", total < 0 ? VALUE_NULL : value_int(total));
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "table", value_str(x->name));
    return page_respond(rq, 200, names, 1, d, false, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* view/imports — /-/imports: tables that are filled on a schedule: last run, next run, what it did; POST runs one now.
 * For those who may see how the site is run (permissions-debug). */
#include "site/links.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/schedule/schedule.h"
#include "site/view/view.h"
#include "site/write/write.h"

static enum status run_now(struct request *rq, struct err *err)
{
    struct value body, d = value_dict(rq->arena);
    bool is_json;
    enum status st = write_body_any(rq, &body, &is_json, err);
    str db = value_get_text(body, STR("database")), table = value_get_text(body, STR("table"));
    if (st != STATUS_OK)
        return st;
    bool begins = schedule_run_now(rq->site, db, table);
    if (!begins && is_json)
        return err_set(err, STATUS_NOT_FOUND, "There is no such import, or it is running");
    if (is_json) {
        VALUE_SET(d, "ok", value_bool(true));
        respond_json(rq, 202, d);
        return STATUS_OK;
    }
    messages_add(rq, begins ? STR("The import begins") : STR("There is no such import, or it is running"),
                 begins ? MESSAGE_INFO : MESSAGE_WARNING);
    respond_redirect(rq, 303, link_path(rq, STR("-/imports")));
    return STATUS_OK;
}

enum status view_imports(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a);
    enum status st = request_require(rq, ACTION_PERMISSIONS_DEBUG, (str){0}, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return rq->http->method == HTTP_POST ? write_end(rq, st, err) : st;
    if (rq->http->method == HTTP_POST)
        return write_end(rq, run_now(rq, err), err);
    struct value list = schedule_list(rq->site, a);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "imports", list);
    if (str_is(rq->format, "json")) {
        respond_json(rq, 200, d);
        return STATUS_OK;
    }
    for (size_t i = 0; i < value_count(list); i++) {
        struct value e = value_at(list, i);
        VALUE_SET(e, "table_url", value_str(link_table(rq, VALUE_GET(e, "database").s, VALUE_GET(e, "table").s)));
    }
    VALUE_SET(d, "imports_url", value_str(link_path(rq, STR("-/imports"))));
    const str names[] = {STR("imports.html")};
    return page_respond(rq, 200, names, 1, d, true, err);
}

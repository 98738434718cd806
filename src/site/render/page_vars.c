/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/page_vars.h"

#include "assets/assets.h"
#include "site/links.h"
#include "template/eval.h"

static struct value pair_list(struct arena *a, const struct arg *items, size_t n)
{
    struct value list = value_list(a);
    for (size_t i = 0; i < n; i++) {
        struct value pair = value_list(a);
        pair.tuple = true;
        value_push(pair, value_str(items[i].key));
        value_push(pair, value_str(items[i].value));
        value_push(list, pair);
    }
    return list;
}

void page_vars_csv(struct request *rq, struct value d, bool labels)
{
    struct arena *a = rq->arena;
    const struct arg extra[] = {{STR("_labels"), STR("on")}, {STR("_size"), STR("max")}};
    str url = link_this_format(rq, STR("csv"), labels ? extra : extra + 1, labels ? 2 : 1), path, rest;
    struct arg *hidden = ARENA_ARRAY(a, struct arg, rq->args.count + 1);
    size_t n = 0;
    for (size_t i = 0; i < rq->args.count; i++) {
        str k = rq->args.items[i].key;
        if (!str_is(k, "_labels") && !str_is(k, "_facet") && !str_is(k, "_size") && rq->args.items[i].value.n)
            hidden[n++] = rq->args.items[i];
    }
    hidden[n++] = extra[1];
    str_cut(url, '?', &path, &rest);
    VALUE_SET(d, "url_csv", value_str(url));
    VALUE_SET(d, "url_csv_path", value_str(path));
    VALUE_SET(d, "url_csv_hidden_args", pair_list(a, hidden, n));
}

struct value page_vars_settings(struct request *rq)
{
    struct value d = value_dict(rq->arena);
    for (size_t i = 0; i < setting_row_count; i++)
        value_set(d, str_of(setting_rows[i].name), settings_get(&rq->site->config.settings, &setting_rows[i]));
    return d;
}

void page_vars_sort(const struct table_page *p, struct value d)
{
    str sort = p->plan->sort, desc = p->plan->sort_desc;
    if (!sort.n && !desc.n && p->table->pk_count == 1)
        sort = p->table->pks[0];
    else if (!sort.n && !desc.n && p->table->use_rowid)
        sort = STR("rowid");
    VALUE_SET(d, "sort", value_str_if(sort.n > 0, sort));
    VALUE_SET(d, "sort_desc", value_str_if(desc.n > 0, desc));
}

/* ---- names of Datasette 0.65 ---- */

/* A text that may be called: database_color is a text today and was a function, database_color(database). */
static enum status callable_text_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    (void)ev;
    (void)args;
    *ret = value_str(*(const str *)self);
    return STATUS_OK;
}

static struct value callable_text(void *self, struct eval *ev)
{
    (void)ev;
    return value_str(*(const str *)self);
}

static struct value callable_text_plain(void *self, struct arena *a)
{
    (void)a;
    return value_str(*(const str *)self);
}

static const struct value_class callable_text_class = {
    .name = "text", .call = callable_text_call, .text = callable_text, .plain = callable_text_plain};

void page_vars_old_names(struct request *rq, struct value vars)
{
    static const char *const names[][2] = {
        {"filtered_table_rows_count", "count"}, {"expanded_columns", "expandable_columns"},
        {"canned_query", "stored_query"},       {"query_name", "stored_query"},
        {"canned_write", "stored_query_write"}, {"disable_sort", "is_view"},
        {"table_actions", "actions"},           {"view_actions", "actions"},
    };
    struct arena *a = rq->arena;
    const struct asset *css = asset_find(STR("static/app.css"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct value today = value_get(vars, str_of(names[i][1]));
        if (today.kind != VALUE_UNDEFINED && !value_has(vars, str_of(names[i][0])))
            value_set(vars, str_of(names[i][0]), today);
    }
    struct value color = VALUE_GET(vars, "database_color");
    if (value_is_text(color)) {
        str *text = ARENA_NEW(a, str);
        *text = color.s;
        VALUE_SET(vars, "database_color", value_object(&callable_text_class, text));
    }
    if (css)
        VALUE_SET(vars, "app_css_hash", value_str(str_make(css->etag, 6)));
}

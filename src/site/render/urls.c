/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/urls.h"

#include "site/links.h"
#include "site/render/functions.h"
#include "template/eval.h"

static struct value with_format(struct request *rq, str path, struct eval *ev, const struct value_args *args, size_t i)
{
    str format = function_text(ev, args, i, "format");
    return value_str(format.n ? link_with_format(rq, path, format) : path);
}

#define URL_FUNCTION(name)                                                                                             \
    static enum status url_##name(void *self, struct eval *ev, const struct value_args *args, struct value *ret)

URL_FUNCTION(path)
{
    *ret = with_format(self, link_path(self, function_text(ev, args, 0, "path")), ev, args, 1);
    return STATUS_OK;
}

URL_FUNCTION(instance)
{
    *ret = with_format(self, link_path(self, STR("")), ev, args, 0);
    return STATUS_OK;
}

URL_FUNCTION(static)
{
    *ret = value_str(link_path(self, ARENA_CAT(eval_arena(ev), STR("-/static/"), function_text(ev, args, 0, "path"))));
    return STATUS_OK;
}

URL_FUNCTION(static_plugins)
{
    *ret = value_str(
        link_path(self, ARENA_CAT(eval_arena(ev), STR("-/static-plugins/"), function_text(ev, args, 0, "plugin"),
                                  STR("/"), function_text(ev, args, 1, "path"))));
    return STATUS_OK;
}

URL_FUNCTION(logout)
{
    (void)ev;
    (void)args;
    *ret = value_str(link_path(self, STR("-/logout")));
    return STATUS_OK;
}

URL_FUNCTION(database)
{
    *ret = with_format(self, link_database(self, function_text(ev, args, 0, "database")), ev, args, 1);
    return STATUS_OK;
}

URL_FUNCTION(database_query)
{
    str link = link_query(self, function_text(ev, args, 0, "database"), function_text(ev, args, 1, "sql"));
    *ret = with_format(self, link, ev, args, 2);
    return STATUS_OK;
}

URL_FUNCTION(table)
{
    str link = link_table(self, function_text(ev, args, 0, "database"), function_text(ev, args, 1, "table"));
    *ret = with_format(self, link, ev, args, 2);
    return STATUS_OK;
}

URL_FUNCTION(query)
{
    str link = link_table(self, function_text(ev, args, 0, "database"), function_text(ev, args, 1, "query"));
    *ret = with_format(self, link, ev, args, 2);
    return STATUS_OK;
}

URL_FUNCTION(row)
{
    str link = link_row(self, function_text(ev, args, 0, "database"), function_text(ev, args, 1, "table"),
                        function_text(ev, args, 2, "row_path"));
    *ret = with_format(self, link, ev, args, 3);
    return STATUS_OK;
}

URL_FUNCTION(row_blob)
{
    *ret = value_str(link_blob(self, function_text(ev, args, 0, "database"), function_text(ev, args, 1, "table"),
                               function_text(ev, args, 2, "row_path"), function_text(ev, args, 3, "column")));
    return STATUS_OK;
}

#define URL_ROW(id)                                                                                                    \
    {                                                                                                                  \
#id,                                                                                                           \
        {                                                                                                              \
            .name = "function", .call = url_##id                                                                       \
        }                                                                                                              \
    }
static const struct function url_functions[] = {
    URL_ROW(path),   URL_ROW(instance), URL_ROW(static),         URL_ROW(static_plugins),
    URL_ROW(logout), URL_ROW(database), URL_ROW(database_query), URL_ROW(table),
    URL_ROW(query),  URL_ROW(row),      URL_ROW(row_blob)};

static bool urls_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    (void)ev;
    return function_find(url_functions, ARRAY_LEN(url_functions), self, name, ret);
}

static const struct value_class urls_class = {.name = "urls", .attr = urls_attr};

struct value urls_value(struct request *rq)
{
    return value_object(&urls_class, rq);
}

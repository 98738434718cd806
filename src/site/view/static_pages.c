/* SPDX-License-Identifier: Apache-2.0 */
/* static_pages — the style guide and the API explorer. */
#include "base/limits.h"
#include "codec/url.h"
#include "site/links.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/view/resources.h"
#include "site/view/view.h"

enum status view_patterns(struct request *rq, struct err *err)
{
    const str names[] = {STR("patterns.html")};
    enum status st = request_require(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0}, NULL, err);
    return st == STATUS_OK ? page_respond(rq, 200, names, 1, value_dict(rq->arena), false, err) : st;
}

/* ---- API explorer: requests to try ---- */

static void add_link(struct value list, struct arena *a, const char *method, str path, str label, struct value body)
{
    struct value d = value_dict(a);
    VALUE_SET(d, "path", value_str(path));
    VALUE_SET(d, "method", value_cstr(method));
    VALUE_SET(d, "label", value_str(label));
    if (body.kind != VALUE_UNDEFINED)
        VALUE_SET(d, "json", body);
    value_push(list, d);
}

static struct value rows_body(struct arena *a, struct value row)
{
    struct value d = value_dict(a), rows = value_list(a);
    value_push(rows, row);
    VALUE_SET(d, "rows", rows);
    return d;
}

/* {"rows": [{column: null}]}: keys are for the database to make. */
static struct value insert_body(struct arena *a, const struct schema_table *t)
{
    struct value row = value_dict(a);
    for (size_t i = 0; i < t->column_name_count; i++)
        if (!schema_column_is_pk(t, t->column_names[i]))
            value_set(row, arena_str(a, t->column_names[i]), VALUE_NULL);
    return rows_body(a, row);
}

static struct value upsert_body(struct arena *a, const struct schema_table *t)
{
    struct value row = value_dict(a);
    if (!t->pk_count)
        VALUE_SET(row, "rowid", value_cstr("<rowid (primary key)>"));
    for (size_t i = 0; i < t->column_name_count; i++) {
        str name = arena_str(a, t->column_names[i]);
        str key = schema_column_is_pk(t, name) ? STR(" (primary key)") : STR("");
        value_set(row, name, value_str(ARENA_CAT(a, STR("<"), name, key, STR(">"))));
    }
    return rows_body(a, row);
}

static struct value drop_body(struct arena *a)
{
    struct value d = value_dict(a);
    VALUE_SET(d, "confirm", value_bool(false));
    return d;
}

static struct value create_body(struct arena *a)
{
    static const char *const columns[][2] = {{"id", "integer"}, {"name", "text"}};
    struct value d = value_dict(a), list = value_list(a);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        struct value c = value_dict(a);
        VALUE_SET(c, "name", value_cstr(columns[i][0]));
        VALUE_SET(c, "type", value_cstr(columns[i][1]));
        value_push(list, c);
    }
    VALUE_SET(d, "table", value_cstr("new_table"));
    VALUE_SET(d, "columns", list);
    VALUE_SET(d, "pk", value_cstr("id"));
    return d;
}

static struct value table_links(struct request *rq, const struct schema_table *t, str name)
{
    struct arena *a = rq->arena;
    str db = rq->db->name, base = link_table(rq, db, name);
    struct value links = value_list(a);
    add_link(links, a, "GET", link_with_format(rq, base, STR("json")), ARENA_CAT(a, STR("Get rows for "), name),
             VALUE_UNDEF);
    if (!rq->db->is_mutable)
        return links;
    if (request_allowed(rq, ACTION_INSERT_ROW, db, name)) {
        add_link(links, a, "POST", ARENA_CAT(a, base, STR("/-/insert")), ARENA_CAT(a, STR("Insert rows into "), name),
                 insert_body(a, t));
        add_link(links, a, "POST", ARENA_CAT(a, base, STR("/-/upsert")), ARENA_CAT(a, STR("Upsert rows into "), name),
                 upsert_body(a, t));
    }
    if (request_allowed(rq, ACTION_DROP_TABLE, db, name))
        add_link(links, a, "POST", ARENA_CAT(a, base, STR("/-/drop")), ARENA_CAT(a, STR("Drop table "), name),
                 drop_body(a));
    return links;
}

/* The connected database's entry; nothing when there is nothing to try. */
static void add_database(struct request *rq, struct value databases)
{
    struct arena *a = rq->arena;
    str db = rq->db->name;
    struct value d = value_dict(a), tables = value_list(a), links = value_list(a);
    for (size_t i = 0; i < rq->schema->table_count; i++) {
        const struct schema_table *t = &rq->schema->tables[i];
        if (t->kind == SCHEMA_VIEW || !table_allowed(rq, t))
            continue;
        struct value e = value_dict(a);
        str name = arena_str(a, t->name);
        VALUE_SET(e, "name", value_str(name));
        VALUE_SET(e, "links", table_links(rq, t, name));
        value_push(tables, e);
    }
    if (rq->db->is_mutable && request_allowed(rq, ACTION_CREATE_TABLE, db, (str){0}))
        add_link(links, a, "POST", ARENA_CAT(a, link_database(rq, db), STR("/-/create")),
                 ARENA_CAT(a, STR("Create table in "), db), create_body(a));
    if (!value_count(tables) && !value_count(links))
        return;
    VALUE_SET(d, "name", value_str(db));
    VALUE_SET(d, "links", links);
    VALUE_SET(d, "tables", tables);
    value_push(databases, d);
}

/* Those that can be written to come first. */
static enum status example_links(struct request *rq, struct value databases, struct err *err)
{
    const struct site *s = rq->site;
    size_t count = s->published_count;
    for (size_t i = 0; i < 2 * count; i++) {
        struct published *p = s->published[i < count ? i : i - count];
        bool mutable_turn = i < count;
        if (p->is_mutable != mutable_turn || !request_allowed(rq, ACTION_VIEW_DATABASE, p->name, (str){0}))
            continue;
        rq->db = p;
        enum status st = request_connect(rq, err);
        if (st == STATUS_OK)
            add_database(rq, databases);
        request_disconnect(rq);
        rq->db = NULL;
        if (st == STATUS_CANCELLED)
            return st;
    }
    return STATUS_OK;
}

/* api_path(link): the explorer with that request filled in. */
static enum status api_path(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct request *rq = self;
    struct arena *a = rq->arena;
    struct value link = args->count ? args->positional[0] : VALUE_UNDEF;
    struct url_pair pairs[3];
    size_t n = 0;
    (void)ev;
    for (size_t i = 0; link.kind == VALUE_DICT && i < link.dict->count; i++) {
        const struct value_entry *e = &link.dict->entries[i];
        if (n < ARRAY_LEN(pairs) && (str_is(e->key, "path") || str_is(e->key, "method")))
            pairs[n++] = (struct url_pair){e->key, value_to_str(a, e->value)};
        if (n < ARRAY_LEN(pairs) && str_is(e->key, "json")) {
            struct buf b;
            buf_init(&b, LIMIT_TEMPLATE_OUTPUT);
            value_to_json_indent(&b, e->value, 0, 2);
            pairs[n++] = (struct url_pair){e->key, arena_str(a, buf_str(&b))};
            buf_release(&b);
        }
    }
    *ret = value_safe(ARENA_CAT(a, link_path(rq, STR("-/api#")), url_encode(a, pairs, n)));
    return STATUS_OK;
}

static const struct value_class api_path_class = {.name = "function", .call = api_path};

enum status view_api(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a), databases = value_list(a);
    const str names[] = {STR("api_explorer.html")};
    enum status st = request_require(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0},
                                     "You do not have permission to view this instance", err);
    if (st == STATUS_OK)
        st = example_links(rq, databases, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "example_links", databases);
    VALUE_SET(d, "api_path", value_object(&api_path_class, rq));
    VALUE_SET(d, "private", value_bool(request_private(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0})));
    return page_respond(rq, 200, names, 1, d, false, err);
}

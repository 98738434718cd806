/* SPDX-License-Identifier: Apache-2.0 */
/* fragment — the bare HTML table of a table page, for scripts that refresh a part of it; ?_row=KEY is one row. Also
 * the list of columns that a foreign key may point at, for the table editor. */
#include <stdlib.h>

#include "codec/url.h"
#include "site/extras.h"
#include "site/query/redirect.h"
#include "site/render/page.h"
#include "site/render/page_vars.h"
#include "site/tables.h"
#include "site/view/resources.h"
#include "site/view/view.h"

/* ---- one row ---- */

/* Column filters named like options need their operator spelled out. */
static str exact_filter(struct arena *a, str column)
{
    return str_starts(column, STR("_")) ? ARENA_CAT(a, column, STR("__exact")) : column;
}

static bool is_replaced(struct arena *a, str key, const str *pks, size_t pk_count)
{
    static const char *const options[] = {"_row", "_next", "_nocount", "_nofacet", "_nosuggest"};
    if (str_is_any(key, options, ARRAY_LEN(options)))
        return true;
    for (size_t i = 0; i < pk_count; i++)
        if (str_eq(key, exact_filter(a, pks[i])) || str_eq(key, ARENA_CAT(a, pks[i], STR("__exact"))))
            return true;
    return false;
}

/* Rewrites the request as one for the row named by ?_row: filters on the key columns, no counts, no facets. */
static enum status narrow_to_row(struct request *rq, const struct schema_table *t, struct err *err)
{
    static const str rowid[] = {{"rowid", 5}};
    static const char *const off[] = {"_nocount", "_nofacet", "_nosuggest"};
    struct arena *a = rq->arena;
    str rest = request_arg(rq, "_row"), part;
    const str *pks = t->pk_count ? t->pks : rowid;
    size_t pk_count = t->pk_count ? t->pk_count : 1, n = 0, parts = 1;
    if (!rest.n)
        return STATUS_OK;
    if (t->kind == SCHEMA_VIEW)
        return err_set(err, STATUS_INVALID, "_row is not supported for views");
    for (size_t i = 0; i < rest.n; i++)
        parts += rest.p[i] == ',';
    if (parts != pk_count)
        return err_set(err, STATUS_INVALID, "_row does not match the primary key for this table");
    struct url_pair *pairs = ARENA_ARRAY(a, struct url_pair, rq->args.count + pk_count + ARRAY_LEN(off));
    for (size_t i = 0; i < rq->args.count; i++)
        if (!is_replaced(a, rq->args.items[i].key, pks, pk_count))
            pairs[n++] = (struct url_pair){rq->args.items[i].key, rq->args.items[i].value};
    for (size_t i = 0; i < pk_count; i++) {
        str_cut(rest, ',', &part, &rest);
        pairs[n++] = (struct url_pair){exact_filter(a, pks[i]), tilde_decode(a, part)};
    }
    for (size_t i = 0; i < ARRAY_LEN(off); i++)
        pairs[n++] = (struct url_pair){str_of(off[i]), STR("1")};
    rq->query_string = url_encode(a, pairs, n);
    return args_parse(a, rq->query_string, &rq->args, err);
}

/* ---- the fragment ---- */

static enum status respond_fragment(struct table_page *p, struct err *err)
{
    static const char *const from_extras[] = {
        "metadata", "columns", "database",     "table",       "database_color",
        "is_view",  "private", "primary_keys", "all_columns", "custom_table_templates"};
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct value d = value_dict(a), params = value_dict(a), columns, rows;
    for (size_t i = 0; i < p->plan->param_count; i++)
        value_set(params, p->plan->params[i].name, p->plan->params[i].value);
    struct extra_context c = {.scope = EXTRA_TABLE,
                              .rq = rq,
                              .page = p,
                              .table = p->table,
                              .rows = &p->rows,
                              .row_count = p->row_count,
                              .pks = p->table->pks,
                              .pk_count = p->table->pk_count,
                              .sql = p->plan->sql,
                              .params = params};
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(from_extras); i++)
        st = extras_add(&c, str_of(from_extras[i]), d, err);
    if (st != STATUS_OK)
        return st;
    extra_display(&c, p->table->kind != SCHEMA_VIEW, &columns, &rows);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "display_columns", columns);
    VALUE_SET(d, "display_rows", rows);
    VALUE_SET(d, "rows", rows);
    VALUE_SET(d, "next", value_str_if(p->next.has, p->next.token));
    VALUE_SET(d, "next_url", value_str_if(p->next.has, p->next.url));
    VALUE_SET(d, "settings", page_vars_settings(rq));
    page_vars_sort(p, d);
    struct value templates = VALUE_GET(d, "custom_table_templates");
    size_t n = value_count(templates);
    str *names = ARENA_ARRAY(a, str, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = value_at(templates, i).s;
    return page_respond(rq, 200, names, n, d, false, err);
}

enum status view_fragment(struct request *rq, struct err *err)
{
    const struct schema_table *t;
    struct table_page *p = ARENA_NEW(rq->arena, struct table_page);
    str location;
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = tables_open(rq, rq->params[1], &t, err);
    if (st == STATUS_OK)
        st = narrow_to_row(rq, t, err);
    if (st == STATUS_OK)
        st = table_page_init(p, rq, t, err);
    if (st != STATUS_OK)
        return st;
    if (query_redirect(rq->arena, &p->query_request, &location)) {
        respond_redirect(rq, 302, location);
        return STATUS_OK;
    }
    st = table_page_fetch(p, true, err);
    return st == STATUS_OK ? respond_fragment(p, err) : st;
}

/* ---- foreign key targets ---- */

static bool holds(str type, const char *word)
{
    return like_matches(str_of(word), type);
}

/* SQLite's affinity of a declared type, by its rules in their order. */
static const char *affinity(str type)
{
    if (holds(type, "%INT%"))
        return "integer";
    if (holds(type, "%CHAR%") || holds(type, "%CLOB%") || holds(type, "%TEXT%"))
        return "text";
    if (!type.n || holds(type, "%BLOB%"))
        return "blob";
    return holds(type, "%REAL%") || holds(type, "%FLOA%") || holds(type, "%DOUB%") ? "real" : "numeric";
}

static int by_table(const void *x, const void *y)
{
    const struct schema_table *const *a = x, *const *b = y;
    return str_cmp((*a)->name, (*b)->name);
}

/* Tables with a key of one column, by name; hidden ones are no targets. */
static struct value targets(struct request *rq)
{
    struct arena *a = rq->arena;
    const struct schema_table **tables = ARENA_ARRAY(a, const struct schema_table *, rq->schema->table_count + 1);
    struct value list = value_list(a);
    size_t n = 0;
    for (size_t i = 0; i < rq->schema->table_count; i++) {
        const struct schema_table *t = &rq->schema->tables[i];
        if (t->kind != SCHEMA_VIEW && t->pk_count == 1 && !t->hidden && !like_matches(STR("sqlite_%"), t->name) &&
            table_allowed(rq, t))
            tables[n++] = t;
    }
    qsort(tables, n, sizeof *tables, by_table);
    for (size_t i = 0; i < n; i++) {
        const struct schema_column *c = schema_column(tables[i], tables[i]->pks[0]);
        struct value d = value_dict(a);
        VALUE_SET(d, "fk_table", value_str(tables[i]->name));
        VALUE_SET(d, "fk_column", value_str(tables[i]->pks[0]));
        VALUE_SET(d, "type", value_cstr(affinity(c ? c->type : (str){0})));
        value_push(list, d);
    }
    return list;
}

enum status view_foreign_key_targets(struct request *rq, struct err *err)
{
    enum status st = request_open_database(rq, err);
    if (st != STATUS_OK)
        return st;
    str db = rq->db->name, asked = request_arg(rq, "table");
    const struct schema_table *t = asked.n ? schema_table(rq->schema, asked) : NULL;
    bool may_alter =
        t && t->kind != SCHEMA_VIEW && str_eq(t->name, asked) && request_allowed(rq, ACTION_ALTER_TABLE, db, asked);
    if (!may_alter && !request_allowed(rq, ACTION_CREATE_TABLE, db, (str){0})) {
        struct err local = ERR_INIT;
        err_set(&local, STATUS_FORBIDDEN, "Permission denied: need create-table");
        return respond_error_json(rq, &local);
    }
    struct value d = value_dict(rq->arena);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", value_str(db));
    VALUE_SET(d, "targets", targets(rq));
    respond_json(rq, 200, d);
    return STATUS_OK;
}

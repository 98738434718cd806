/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/cells.h"

#include "codec/digest.h"
#include "site/links.h"
#include "site/render/display_rows.h"

/* ---- columns ---- */

static struct value column_dict(const struct cells_spec *spec, str name)
{
    struct arena *a = spec->rq->arena;
    const struct schema_table *t = spec->table;
    const struct schema_column *col = schema_column(t, name);
    struct value d = value_dict(a), type = value_get(spec->column_types, name);
    struct value description = value_get(spec->descriptions, name);
    bool is_pk = t->pk_count ? str_in(name, t->pks, t->pk_count) : str_is(name, "rowid");
    VALUE_SET(d, "name", value_str(name));
    VALUE_SET(d, "sortable", value_bool(str_in(name, spec->sortable, spec->sortable_count)));
    VALUE_SET(d, "is_pk", value_bool(is_pk));
    VALUE_SET(d, "type", col ? value_str(col->type) : value_str(STR("integer")));
    VALUE_SET(d, "notnull", value_int(col && col->notnull));
    VALUE_SET(d, "description", value_is_null(description) ? VALUE_NULL : description);
    VALUE_SET(d, "column_type", type.kind == VALUE_DICT ? VALUE_GET(type, "type") : VALUE_NULL);
    VALUE_SET(d, "column_type_config", type.kind == VALUE_DICT ? VALUE_GET(type, "config") : VALUE_NULL);
    return d;
}

/* The first column of a table that is not a view: the key itself, or "Link" for rowid and compound keys. */
static struct value link_column_dict(const struct cells_spec *spec)
{
    const struct schema_table *t = spec->table;
    struct value d = value_dict(spec->rq->arena);
    if (t->pk_count == 1) {
        const struct schema_column *col = schema_column(t, t->pks[0]);
        VALUE_SET(d, "name", value_str(t->pks[0]));
        VALUE_SET(d, "sortable", value_bool(true));
        VALUE_SET(d, "is_pk", value_bool(true));
        VALUE_SET(d, "type", value_str(col ? col->type : STR("")));
        VALUE_SET(d, "notnull", value_int(col && col->notnull));
        return d;
    }
    VALUE_SET(d, "name", value_str(STR("Link")));
    VALUE_SET(d, "sortable", value_bool(false));
    VALUE_SET(d, "is_pk", value_bool(false));
    VALUE_SET(d, "type", value_str(STR("")));
    VALUE_SET(d, "notnull", value_int(0));
    VALUE_SET(d, "is_special_link_column", value_bool(true));
    return d;
}

static bool is_link_column(const struct cells_spec *spec, str name)
{
    return spec->link_column && spec->table->pk_count == 1 && str_eq(name, spec->table->pks[0]);
}

void cells_build(const struct cells_spec *spec, struct value *ret_columns, struct value *ret_rows)
{
    struct arena *a = spec->rq->arena;
    const struct rowset *rows = spec->rows;
    const struct schema_table *t = spec->table;
    struct display_table *d = ARENA_NEW(a, struct display_table);
    *d = (struct display_table){.rows = *rows, .linked = spec->link_column};
    d->link.name = t->pk_count == 1 ? t->pks[0] : STR("Link");
    d->label_column = spec->label_column.n ? rowset_column(rows, spec->label_column) : (size_t)-1;
    d->columns = ARENA_ARRAY(a, struct cell_column, rows->column_count + 1);
    cell_show_init(&d->show, spec->rq, t, spec->truncate);
    struct value columns = value_list(a);
    if (spec->link_column)
        value_push(columns, link_column_dict(spec));
    for (size_t i = 0; i < rows->column_count; i++) {
        str name = rows->columns[i];
        if (is_link_column(spec, name))
            continue;
        struct cell_column *col = &d->columns[d->column_count++];
        cell_show_column(&d->show, name, value_get_text(value_get(spec->column_types, name), STR("type")), col);
        col->source = i;
        value_push(columns, column_dict(spec, name));
    }
    *ret_columns = columns;
    *ret_rows = display_rows(d, spec->row_count);
}

/* ---- results of queries ---- */

static struct value blob_link(struct request *rq, str column, str bytes)
{
    char hash[DIGEST_HEX_MAX];
    digest_sha256_hex(bytes, hash);
    const struct arg extra[] = {{STR("_blob_column"), column}, {STR("_blob_hash"), str_of(hash)}};
    return value_safe(cell_show_blob(rq->arena, link_this_format(rq, STR("blob"), extra, 2), bytes.n));
}

struct value cells_query_rows(struct request *rq, const struct rowset *rows)
{
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    struct cell_show show;
    struct shown s;
    cell_show_init(&show, rq, NULL, rq->site->config.settings.truncate_cells_html);
    struct cell_column *columns = ARENA_ARRAY(a, struct cell_column, rows->column_count + 1);
    for (size_t i = 0; i < rows->column_count; i++)
        cell_show_column(&show, rows->columns[i], (str){0}, &columns[i]);
    for (size_t r = 0; r < rows->row_count; r++) {
        struct value line = value_list(a);
        for (size_t i = 0; i < rows->column_count; i++) {
            const struct cell *c = rowset_cell(rows, r, i);
            if (c->kind == CELL_BLOB) {
                value_push(line, blob_link(rq, rows->columns[i], c->s));
                continue;
            }
            cell_show(&show, &columns[i], c, (str){0}, &s);
            value_push(line, shown_value(a, &s));
        }
        value_push(list, line);
        if (arena_over(a))
            break;
    }
    return list;
}

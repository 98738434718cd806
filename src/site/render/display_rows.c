/* SPDX-License-Identifier: Apache-2.0 */
/* display_rows — a page shows its rows as {{ row.html }}, and then nothing but that text is made: it goes cell by cell
 * from the rowset into the page. Cells become objects, and keys and labels texts, for the templates that ask for them.
 *
 * What is shown by a column type, as Markdown or as JSON is made once, into the objects: it is dear, and the Markdown
 * of a page has a budget. Tests: tests/site/test_templates.py, tests/site/test_cells.py. */
#include "site/render/display_rows.h"

#include "base/limits.h"
#include "codec/html_escape.h"
#include "site/links.h"
#include "template/eval.h"

struct display_cell {
    str column;
    struct value value; /* SAFE or STR */
    const struct cell *raw;
    str attrs; /* class and data attributes of the <td>, safe text */
    const char *value_type;
    str raw_text; /* of the link cell, which has no raw cell */
};

struct display_row {
    struct display_table *table;
    size_t index;
    struct display_cell *cells; /* NULL until asked for */
    str title, path;            /* likewise */
};

static struct arena *arena_of(const struct display_row *r)
{
    return r->table->show.rq->arena;
}

static size_t cell_count(const struct display_row *r)
{
    return r->table->column_count + (r->table->linked ? 1 : 0);
}

static const struct cell *source_cell(const struct display_row *r, size_t column)
{
    return rowset_cell(&r->table->rows, r->index, column);
}

/* ---- what is made when it is asked for ---- */

static void name_row(struct display_row *r)
{
    const struct schema_table *t = r->table->show.table;
    if (!r->path.p && t->kind != SCHEMA_VIEW)
        row_names(arena_of(r), &r->table->rows, r->index, t->pks, t->pk_count, &r->path, &r->title);
}

static str row_path_of(struct display_row *r)
{
    name_row(r);
    return r->path;
}

static struct value label_of(const struct display_row *r)
{
    size_t column = r->table->label_column;
    if (column == (size_t)-1 || source_cell(r, column)->kind == CELL_NULL)
        return VALUE_NULL;
    return value_str(cell_text(arena_of(r), source_cell(r, column)));
}

static void show_key(struct display_row *r, struct shown *ret)
{
    name_row(r);
    cell_show_key(&r->table->show, &r->table->link, r->path, r->title, ret);
}

/* Only the addresses of blobs have it. */
static str path_for(struct display_row *r, const struct cell *c)
{
    return c->kind == CELL_BLOB ? row_path_of(r) : (str){0};
}

static struct display_cell *cells_of(struct display_row *r)
{
    struct shown s;
    struct arena *a = arena_of(r);
    if (r->cells)
        return r->cells;
    struct display_cell *out = r->cells = arena_alloc_raw(a, (cell_count(r) + 1) * sizeof(*r->cells));
    if (r->table->linked) {
        show_key(r, &s);
        *out++ = (struct display_cell){.column = r->table->link.name,
                                       .value = shown_value(a, &s),
                                       .attrs = shown_attrs(&s),
                                       .value_type = "pk",
                                       .raw_text = r->title};
    }
    for (size_t i = 0; i < r->table->column_count; i++) {
        struct cell_column *col = &r->table->columns[i];
        const struct cell *c = source_cell(r, col->source);
        cell_show(&r->table->show, col, c, path_for(r, c), &s);
        *out++ = (struct display_cell){.column = col->name,
                                       .value = shown_value(a, &s),
                                       .raw = c,
                                       .attrs = shown_attrs(&s),
                                       .value_type = cell_type_names[c->kind]};
    }
    return r->cells;
}

/* All cells as table cells: what a loop over the row with attrs and value would print. */
static void put_row(struct display_row *r, struct buf *out)
{
    struct shown s;
    if (r->table->show.own_html) {
        const struct display_cell *c = cells_of(r);
        for (size_t i = 0; i < cell_count(r); i++, c++) {
            buf_puts(out, STR("<td "));
            buf_puts(out, c->attrs);
            buf_putc(out, '>');
            if (c->value.kind == VALUE_SAFE)
                buf_puts(out, c->value.s);
            else
                html_escape(out, c->value.s);
            buf_puts(out, STR("</td>"));
        }
        return;
    }
    if (r->table->linked) {
        show_key(r, &s);
        shown_put_cell(out, &s);
    }
    for (size_t i = 0; i < r->table->column_count; i++) {
        struct cell_column *col = &r->table->columns[i];
        const struct cell *c = source_cell(r, col->source);
        cell_show_put(&r->table->show, col, c, path_for(r, c), out);
    }
}

/* ---- cells ---- */

static bool cell_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    const struct display_cell *c = self;
    (void)ev;
    if (str_is(name, "value"))
        *ret = c->value;
    else if (str_is(name, "attrs"))
        *ret = value_safe(c->attrs);
    else if (str_is(name, "column"))
        *ret = value_str(c->column);
    else if (str_is(name, "raw"))
        *ret = c->raw ? cell_value(c->raw) : value_str(c->raw_text);
    else if (str_is(name, "value_type"))
        *ret = value_cstr(c->value_type);
    else
        return false;
    return true;
}

static bool cell_item(void *self, struct eval *ev, struct value key, struct value *ret)
{
    return value_is_text(key) && cell_attr(self, ev, key.s, ret);
}

static const struct value_class cell_class = {.name = "cell", .attr = cell_attr, .item = cell_item};

/* ---- rows ---- */

static bool row_next(void *self, struct eval *ev, size_t i, struct value *ret)
{
    struct display_row *r = self;
    (void)ev;
    if (i >= cell_count(r))
        return false;
    *ret = value_object(&cell_class, &cells_of(r)[i]);
    return true;
}

static int64_t row_length(void *self, struct eval *ev)
{
    (void)ev;
    return (int64_t)cell_count(self);
}

static bool row_item(void *self, struct eval *ev, struct value key, struct value *ret)
{
    struct display_row *r = self;
    if (key.kind == VALUE_INT && key.i >= 0)
        return row_next(self, ev, (size_t)key.i, ret);
    if (!value_is_text(key))
        return false;
    size_t column = rowset_column(&r->table->rows, key.s);
    if (column == (size_t)-1)
        return false;
    *ret = cell_value(source_cell(r, column));
    return true;
}

static enum status row_display(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    struct display_row *r = self;
    if (args->count != 1 || !value_is_text(args->positional[0]))
        return eval_fail(ev, STATUS_INVALID, "row.display() takes the name of a column");
    const struct display_cell *cells = cells_of(r);
    for (size_t i = 0; i < cell_count(r); i++) {
        if (str_eq(cells[i].column, args->positional[0].s)) {
            *ret = cells[i].value;
            return STATUS_OK;
        }
    }
    *ret = VALUE_NULL;
    return STATUS_OK;
}

static struct value row_cells(struct eval *ev, struct display_row *r)
{
    struct value list = value_list(eval_arena(ev));
    for (size_t i = 0; i < cell_count(r); i++)
        value_push(list, value_object(&cell_class, &cells_of(r)[i]));
    return list;
}

static struct value row_html(struct eval *ev, struct display_row *r)
{
    struct buf text;
    buf_init(&text, LIMIT_TEMPLATE_OUTPUT);
    put_row(r, &text);
    if (text.over)
        eval_fail(ev, STATUS_TOO_LARGE, "a row of more than %d bytes", LIMIT_TEMPLATE_OUTPUT);
    struct value v = value_safe(arena_str(eval_arena(ev), buf_str(&text)));
    buf_release(&text);
    return v;
}

static enum status row_keys(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct rowset *rows = &((struct display_row *)self)->table->rows;
    (void)args;
    *ret = value_list(eval_arena(ev));
    for (size_t i = 0; i < rows->column_count; i++)
        value_push(*ret, value_str(rows->columns[i]));
    return STATUS_OK;
}

static enum status row_items(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct display_row *r = self;
    (void)args;
    *ret = value_list(eval_arena(ev));
    for (size_t i = 0; i < r->table->rows.column_count; i++) {
        struct value pair = value_list(eval_arena(ev));
        pair.tuple = true;
        value_push(pair, value_str(r->table->rows.columns[i]));
        value_push(pair, cell_value(source_cell(r, i)));
        value_push(*ret, pair);
    }
    return STATUS_OK;
}

static const struct value_class row_display_class = {.name = "method", .call = row_display};
static const struct value_class row_keys_class = {.name = "method", .call = row_keys};
static const struct value_class row_items_class = {.name = "method", .call = row_items};

static bool row_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    struct display_row *r = self;
    bool linked = r->table->linked;
    if (str_is(name, "pk_path"))
        *ret = linked ? (name_row(r), value_str(r->title)) : VALUE_NULL;
    else if (str_is(name, "row_path"))
        *ret = linked ? value_str(row_path_of(r)) : VALUE_NULL;
    else if (str_is(name, "row_label"))
        *ret = label_of(r);
    else if (str_is(name, "html"))
        *ret = row_html(ev, r);
    else if (str_is(name, "cells"))
        *ret = row_cells(ev, r);
    else if (str_is(name, "display"))
        *ret = value_object(&row_display_class, self);
    else if (str_is(name, "keys"))
        *ret = value_object(&row_keys_class, self);
    else if (str_is(name, "items"))
        *ret = value_object(&row_items_class, self);
    else
        return false;
    return true;
}

static bool row_print(void *self, struct eval *ev, str name, struct buf *out)
{
    (void)ev;
    if (!str_is(name, "html"))
        return false;
    put_row(self, out);
    return true;
}

static const struct value_class row_class = {
    .name = "row", .attr = row_attr, .print = row_print, .item = row_item, .next = row_next, .length = row_length};

struct value display_rows(struct display_table *t, size_t count)
{
    struct arena *a = t->show.rq->arena;
    struct display_row *all = ARENA_ARRAY(a, struct display_row, count + 1);
    struct value list = value_list(a);
    for (size_t i = 0; i < count; i++) {
        all[i] = (struct display_row){.table = t, .index = i};
        value_push(list, value_object(&row_class, &all[i]));
    }
    return list;
}

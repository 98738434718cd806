/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/cells.h"

#include <stdio.h>

#include "codec/digest.h"
#include "codec/html_escape.h"
#include "codec/url.h"
#include "site/links.h"
#include "site/render/cell_html.h"
#include "template/eval.h"

/* ---- what templates see: row and cell objects ---------------------------------------------------------------------
 */

struct display_row;

struct display_cell {
    str column;
    struct value value; /* SAFE or STR */
    const struct cell *raw;
    str attrs; /* class and data attributes of the <td>, safe text */
    const char *value_type;
    str raw_text; /* of the link cell, which has no raw cell */
};

struct display_row {
    const struct rowset *rows;
    size_t index;
    struct display_cell *cells;
    size_t cell_count;
    str pk_path, path, label;
    bool linked;
};

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

static bool row_next(void *self, struct eval *ev, size_t i, struct value *ret)
{
    const struct display_row *r = self;
    (void)ev;
    if (i >= r->cell_count)
        return false;
    *ret = value_object(&cell_class, &r->cells[i]);
    return true;
}

static int64_t row_length(void *self, struct eval *ev)
{
    (void)ev;
    return (int64_t)((struct display_row *)self)->cell_count;
}

static bool row_item(void *self, struct eval *ev, struct value key, struct value *ret)
{
    const struct display_row *r = self;
    (void)ev;
    if (key.kind == VALUE_INT && key.i >= 0 && (size_t)key.i < r->cell_count) {
        *ret = value_object(&cell_class, &r->cells[key.i]);
        return true;
    }
    if (!value_is_text(key))
        return false;
    size_t column = rowset_column(r->rows, key.s);
    if (column == (size_t)-1)
        return false;
    *ret = cell_value(rowset_cell(r->rows, r->index, column));
    return true;
}

static enum status row_display(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct display_row *r = self;
    if (args->count != 1 || !value_is_text(args->positional[0]))
        return eval_fail(ev, STATUS_INVALID, "row.display() takes the name of a column");
    for (size_t i = 0; i < r->cell_count; i++) {
        if (str_eq(r->cells[i].column, args->positional[0].s)) {
            *ret = r->cells[i].value;
            return STATUS_OK;
        }
    }
    *ret = VALUE_NULL;
    return STATUS_OK;
}

static struct value row_cells(struct eval *ev, const struct display_row *r)
{
    struct value cells = value_list(eval_arena(ev));
    for (size_t i = 0; i < r->cell_count; i++)
        value_push(cells, value_object(&cell_class, &r->cells[i]));
    return cells;
}

/* All cells as table cells: what a loop over the row with attrs and value would print, at a tenth of its cost. */
static struct value row_html(struct eval *ev, const struct display_row *r)
{
    struct arena *a = eval_arena(ev);
    str *parts = ARENA_ARRAY(a, str, r->cell_count * 5 + 1), *p = parts;
    for (size_t i = 0; i < r->cell_count; i++) {
        const struct display_cell *c = &r->cells[i];
        *p++ = STR("<td ");
        *p++ = c->attrs;
        *p++ = STR(">");
        *p++ = c->value.kind == VALUE_SAFE ? c->value.s : html_escape_arena(a, c->value.s);
        *p++ = STR("</td>");
    }
    return value_safe(arena_concat(a, parts, r->cell_count * 5));
}

static struct value row_names(struct eval *ev, const struct display_row *r)
{
    struct value names = value_list(eval_arena(ev));
    for (size_t i = 0; i < r->rows->column_count; i++)
        value_push(names, value_str(r->rows->columns[i]));
    return names;
}

static enum status row_keys(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    (void)args;
    *ret = row_names(ev, self);
    return STATUS_OK;
}

static enum status row_items(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct display_row *r = self;
    (void)args;
    *ret = value_list(eval_arena(ev));
    for (size_t i = 0; i < r->rows->column_count; i++) {
        struct value pair = value_list(eval_arena(ev));
        pair.tuple = true;
        value_push(pair, value_str(r->rows->columns[i]));
        value_push(pair, cell_value(rowset_cell(r->rows, r->index, i)));
        value_push(*ret, pair);
    }
    return STATUS_OK;
}

static const struct value_class row_display_class = {.name = "method", .call = row_display};
static const struct value_class row_keys_class = {.name = "method", .call = row_keys};
static const struct value_class row_items_class = {.name = "method", .call = row_items};

static bool row_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    const struct display_row *r = self;
    (void)ev;
    if (str_is(name, "pk_path"))
        *ret = r->linked ? value_str(r->pk_path) : VALUE_NULL;
    else if (str_is(name, "row_path"))
        *ret = r->linked ? value_str(r->path) : VALUE_NULL;
    else if (str_is(name, "row_label"))
        *ret = r->label.p ? value_str(r->label) : VALUE_NULL;
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

static const struct value_class row_class = {
    .name = "row", .attr = row_attr, .item = row_item, .next = row_next, .length = row_length};

/* ---- HTML of one cell ---- */

static const char *const type_names[] = {
    [CELL_NULL] = "none", [CELL_INT] = "int", [CELL_FLOAT] = "float", [CELL_TEXT] = "str", [CELL_BLOB] = "bytes"};
#define TYPE_FOREIGN_KEY 5 /* an expanded foreign key: shows a label, not a number */
#define TYPE_PK          6
#define TYPE_COUNT       7

bool is_url(str s)
{
    s = str_trim(s);
    if (!str_starts(s, STR("http://")) && !str_starts(s, STR("https://")))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ' ' || s.p[i] == '\n' || s.p[i] == '\t' || s.p[i] == '\r')
            return false;
    return s.n > 8;
}

/* Bytes of the first `characters` code points; s is valid UTF-8. */
static size_t prefix_bytes(str s, int64_t characters)
{
    size_t i = 0;
    while (i < s.n && characters > 0) {
        i++;
        while (i < s.n && ((unsigned char)s.p[i] & 0xC0) == 0x80)
            i++;
        characters--;
    }
    return i;
}

static str truncate_text(struct arena *a, str s, int64_t max)
{
    if (max <= 0 || s.n <= (size_t)max)
        return s;
    size_t cut = prefix_bytes(s, max);
    return cut == s.n ? s : ARENA_CAT(a, str_sub(s, 0, cut), STR("…"));
}

/* Long URLs keep their extension: "https://example.com/a-very-lo….jpg". */
static str truncate_url(struct arena *a, str url, int64_t max)
{
    if (max <= 0 || url.n <= (size_t)max)
        return url;
    size_t dot = str_rfind_char(url, '.'), slash = str_rfind_char(url, '/');
    if (dot != STR_NPOS && (slash == STR_NPOS || dot > slash)) {
        str ext = str_from(url, dot + 1);
        if (ext.n >= 1 && ext.n <= 4 && str_find_char(ext, '/') == STR_NPOS && (int64_t)ext.n + 2 < max) {
            size_t cut = prefix_bytes(url, max - 1 - (int64_t)ext.n - 1);
            return ARENA_CAT(a, str_sub(url, 0, cut), STR("…."), ext);
        }
    }
    size_t cut = prefix_bytes(url, max - 1);
    return ARENA_CAT(a, str_sub(url, 0, cut), STR("…"));
}

str format_bytes(struct arena *a, int64_t bytes)
{
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
    double n = (double)bytes;
    size_t unit = 0;
    while (n >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        n /= 1024;
        unit++;
    }
    return unit == 0 ? arena_printf(a, "%lld bytes", (long long)bytes) : arena_printf(a, "%.1f %s", n, units[unit]);
}

static str thousands(struct arena *a, uint64_t n)
{
    char digits[32], out[48];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), w = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[w++] = ',';
        out[w++] = digits[i];
    }
    return arena_str(a, str_make(out, (size_t)w));
}

static str blob_html(struct arena *a, str href, size_t size)
{
    str title = size >= 1024 ? ARENA_CAT(a, STR(" title=\""), format_bytes(a, (int64_t)size), STR("\"")) : STR("");
    return ARENA_CAT(a, STR("<a class=\"blob-download\" href=\""), html_escape_arena(a, href), STR("\""), title,
                     STR(">&lt;Binary:&nbsp;"), thousands(a, size), STR("&nbsp;byte"), size == 1 ? STR("") : STR("s"),
                     STR("&gt;</a>"));
}

str cells_render_typed(struct arena *a, str type, const struct cell *c)
{
    if (c->kind != CELL_TEXT || !c->s.n)
        return (str){0};
    str trimmed = str_trim(c->s);
    if (str_is(type, "url") && is_url(trimmed)) {
        str e = html_escape_arena(a, trimmed);
        return ARENA_CAT(a, STR("<a href=\""), e, STR("\">"), e, STR("</a>"));
    }
    if (str_is(type, "email") && str_find_char(trimmed, '@') != STR_NPOS) {
        str e = html_escape_arena(a, trimmed);
        return ARENA_CAT(a, STR("<a href=\"mailto:"), e, STR("\">"), e, STR("</a>"));
    }
    if (str_is(type, "textarea"))
        return (str){0};
    struct value v;
    if (str_is(type, "json") && value_from_json(a, c->s, &v, NULL) == STATUS_OK) {
        struct buf b;
        buf_init(&b, c->s.n * 64 + 4096);
        value_to_json_indent(&b, v, 0, 2);
        str html = b.over ? (str){0}
                          : ARENA_CAT(a, STR("<pre>"), html_escape_arena(a, arena_str(a, buf_str(&b))), STR("</pre>"));
        buf_release(&b);
        return html;
    }
    return (str){0};
}

static struct value label_html(const struct request *rq, const struct cell *c, str other_table)
{
    struct arena *a = rq->arena;
    str id = cell_text(a, c),
        href = ARENA_CAT(a, link_table(rq, rq->db->name, other_table), STR("/"), tilde_encode(a, id));
    str safe_id = html_escape_arena(a, id), label = html_escape_arena(a, c->label);
    if (c->kind == CELL_TEXT && str_eq(c->label, c->s))
        return value_safe(ARENA_CAT(a, STR("<a href=\""), href, STR("\">"), safe_id, STR("</a>")));
    return value_safe(ARENA_CAT(a, STR("<a href=\""), href, STR("\">"), label.n ? label : STR("-"),
                                STR("</a>&nbsp;<em>"), safe_id, STR("</em>")));
}

static struct value plain_html(struct arena *a, const struct cell *c, int64_t truncate)
{
    if (c->kind == CELL_TEXT && c->s.n) {
        if (c->s.n > 8 && (c->s.p[0] == 'h' || c->s.p[0] == ' ') && is_url(c->s)) {
            str url = str_trim(c->s);
            return value_safe(ARENA_CAT(a, STR("<a href=\""), html_escape_arena(a, url), STR("\">"),
                                        html_escape_arena(a, truncate_url(a, url, truncate)), STR("</a>")));
        }
        return value_str(truncate_text(a, c->s, truncate));
    }
    if (c->kind == CELL_NULL || c->kind == CELL_TEXT)
        return value_safe(STR("&nbsp;"));
    return value_safe(cell_text(a, c));
}

/* ---- one column of the page ---------------------------------------------------------------------------------------
 */

struct column_plan {
    size_t source; /* column of the rowset */
    str name;
    str type;        /* column type: url, email, json; empty = none */
    str other_table; /* of an expanded foreign key */
    bool markdown;
    str attrs[TYPE_COUNT];
};

static str cell_attrs(struct arena *a, str column, const char *type)
{
    return ARENA_CAT(a, STR("class=\"col-"), css_class(a, column), STR(" type-"), str_of(type), STR("\" data-label=\""),
                     html_escape_arena(a, column), STR("\""));
}

static str plan_attrs(struct arena *a, struct column_plan *p, unsigned type)
{
    static const char *const extra[] = {[TYPE_FOREIGN_KEY] = "int fk", [TYPE_PK] = "pk"};
    if (!p->attrs[type].p)
        p->attrs[type] = cell_attrs(a, p->name, type < TYPE_FOREIGN_KEY ? type_names[type] : extra[type]);
    return p->attrs[type];
}

static void fill_cell(const struct cells_spec *spec, struct cell_html *h, struct column_plan *p, size_t row,
                      const str *path, struct display_cell *out)
{
    struct request *rq = spec->rq;
    struct arena *a = rq->arena;
    const struct cell *c = rowset_cell(spec->rows, row, p->source);
    *out = (struct display_cell){.column = p->name, .raw = c, .value_type = type_names[c->kind]};
    out->attrs = plan_attrs(a, p, c->kind);
    str typed = p->type.n ? cells_render_typed(a, p->type, c) : (str){0};
    if (!p->type.n && c->kind == CELL_TEXT && !c->label.p)
        typed = cell_html(h, p->markdown, c->s);
    if (typed.p) {
        out->value = value_safe(typed);
    } else if (c->kind == CELL_BLOB) {
        out->value = value_safe(blob_html(a, link_blob(rq, rq->db->name, spec->table->name, *path, p->name), c->s.n));
    } else if (c->label.p) {
        out->value = label_html(rq, c, p->other_table);
        out->attrs = plan_attrs(a, p, TYPE_FOREIGN_KEY);
    } else {
        out->value = plain_html(a, c, spec->truncate);
    }
}

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

static void fill_link(const struct cells_spec *spec, struct display_row *r, struct column_plan *link)
{
    struct arena *a = spec->rq->arena;
    const struct schema_table *t = spec->table;
    struct display_cell *c = &r->cells[0];
    c->column = link->name;
    c->value_type = "pk";
    c->raw_text = r->pk_path;
    c->attrs = plan_attrs(a, link, TYPE_PK);
    c->value = value_safe(ARENA_CAT(a, STR("<a href=\""), link_row(spec->rq, spec->rq->db->name, t->name, r->path),
                                    STR("\">"), html_escape_arena(a, r->pk_path), STR("</a>")));
}

void cells_build(const struct cells_spec *spec, struct value *ret_columns, struct value *ret_rows)
{
    struct request *rq = spec->rq;
    struct arena *a = rq->arena;
    const struct rowset *rows = spec->rows;
    const struct schema_table *t = spec->table;
    struct column_plan link = {.name = t->pk_count == 1 ? t->pks[0] : STR("Link")};
    struct column_plan *plans = ARENA_ARRAY(a, struct column_plan, rows->column_count + 1);
    size_t plan_count = 0;
    struct cell_html h;
    cell_html_init(&h, rq, t->name);
    struct value columns = value_list(a);
    if (spec->link_column)
        value_push(columns, link_column_dict(spec));
    for (size_t i = 0; i < rows->column_count; i++) {
        str name = rows->columns[i];
        if (spec->link_column && t->pk_count == 1 && str_eq(name, t->pks[0]))
            continue;
        struct column_plan *p = &plans[plan_count++];
        struct value type = VALUE_GET(value_get(spec->column_types, name), "type");
        const struct schema_fk *fk = schema_fk_on(t, name);
        *p = (struct column_plan){.source = i, .name = name};
        p->type = value_is_text(type) ? type.s : (str){0};
        p->other_table = fk ? fk->other_table : (str){0};
        p->markdown = cell_html_is_markdown(&h, name);
        value_push(columns, column_dict(spec, name));
    }
    size_t label = spec->label_column.n ? rowset_column(rows, spec->label_column) : (size_t)-1;
    struct display_row *display = ARENA_ARRAY(a, struct display_row, spec->row_count + 1);
    struct value list = value_list(a);
    for (size_t r = 0; r < spec->row_count; r++) {
        struct display_row *d = &display[r];
        *d = (struct display_row){.rows = rows, .index = r, .linked = spec->link_column};
        d->cell_count = plan_count + (spec->link_column ? 1 : 0);
        d->cells = arena_alloc_raw(a, (d->cell_count + 1) * sizeof(*d->cells));
        if (t->kind != SCHEMA_VIEW) {
            d->pk_path = row_title(a, rows, r, t->pks, t->pk_count);
            d->path = row_path(a, rows, r, t->pks, t->pk_count);
        }
        if (spec->link_column) {
            d->cells[0] = (struct display_cell){0};
            fill_link(spec, d, &link);
        }
        if (label != (size_t)-1 && rowset_cell(rows, r, label)->kind != CELL_NULL)
            d->label = cell_text(a, rowset_cell(rows, r, label));
        struct display_cell *out = d->cells + (spec->link_column ? 1 : 0);
        for (size_t i = 0; i < plan_count; i++)
            fill_cell(spec, &h, &plans[i], r, &d->path, &out[i]);
        value_push(list, value_object(&row_class, d));
        if (arena_over(a))
            break;
    }
    *ret_columns = columns;
    *ret_rows = list;
}

struct value cells_query_rows(struct request *rq, const struct rowset *rows)
{
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    int64_t truncate = rq->site->config.settings.truncate_cells_html;
    struct cell_html h;
    cell_html_init(&h, rq, (str){0});
    bool *markdown = ARENA_ARRAY(a, bool, rows->column_count + 1);
    for (size_t i = 0; i < rows->column_count; i++)
        markdown[i] = cell_html_is_markdown(&h, rows->columns[i]);
    for (size_t r = 0; r < rows->row_count; r++) {
        struct value line = value_list(a);
        for (size_t i = 0; i < rows->column_count; i++) {
            const struct cell *c = rowset_cell(rows, r, i);
            if (c->kind == CELL_BLOB) {
                char hash[DIGEST_HEX_MAX];
                digest_sha256_hex(c->s, hash);
                const struct arg extra[] = {{STR("_blob_column"), rows->columns[i]}, {STR("_blob_hash"), str_of(hash)}};
                value_push(line, value_safe(blob_html(a, link_this_format(rq, STR("blob"), extra, 2), c->s.n)));
            } else {
                str html = c->kind == CELL_TEXT ? cell_html(&h, markdown[i], c->s) : (str){0};
                value_push(line, html.p ? value_safe(html) : plain_html(a, c, truncate));
            }
        }
        value_push(list, line);
        if (arena_over(a))
            break;
    }
    return list;
}

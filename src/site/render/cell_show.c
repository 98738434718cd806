/* SPDX-License-Identifier: Apache-2.0 */
/* cell_show — what is the same for a column (its class and data attributes, the address of the table that a foreign key
 * points to) is worked out once and kept in the column; a cell is then a few pieces of text that are lent, not copied.
 * Tests: tests/site/test_cells.py, tests/site/test_pages.py. */
#include "site/render/cell_show.h"

#include <stdio.h>

#include "codec/html_escape.h"
#include "codec/url.h"
#include "site/links.h"

const char *const cell_type_names[] = {
    [CELL_NULL] = "none", [CELL_INT] = "int", [CELL_FLOAT] = "float", [CELL_TEXT] = "str", [CELL_BLOB] = "bytes"};

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

str cell_show_typed(struct arena *a, str type, const struct cell *c)
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

/* ---- pieces ---- */

static void show_text(struct shown *out, str s)
{
    out->parts[0] = s;
    out->count = 1;
}

static void show_number(struct shown *out, const struct cell *c)
{
    size_t n = c->kind == CELL_INT ? str_write_i64(out->number, c->i) : value_write_float(out->number, c->f);
    show_text(out, str_make(out->number, n));
}

#define SHOW(out, ...)                                                                                                 \
    do {                                                                                                               \
        const str parts_[] = {__VA_ARGS__};                                                                            \
        _Static_assert(ARRAY_LEN(parts_) <= SHOWN_PARTS, "room for all");                                              \
        memcpy((out)->parts, parts_, sizeof parts_);                                                                   \
        (out)->count = ARRAY_LEN(parts_);                                                                              \
    } while (0)

static void show_blob(const struct cell_show *s, const struct cell_column *col, size_t size, str path,
                      struct shown *out)
{
    struct arena *a = s->rq->arena;
    str href = link_blob(s->rq, s->rq->db->name, s->table->name, path, col->name);
    show_text(out, cell_show_blob(a, href, size));
}

str cell_show_blob(struct arena *a, str href, size_t size)
{
    str title = size >= 1024 ? ARENA_CAT(a, STR(" title=\""), format_bytes(a, (int64_t)size), STR("\"")) : STR("");
    return ARENA_CAT(a, STR("<a class=\"blob-download\" href=\""), html_escape_arena(a, href), STR("\""), title,
                     STR(">&lt;Binary:&nbsp;"), thousands(a, size), STR("&nbsp;byte"), size == 1 ? STR("") : STR("s"),
                     STR("&gt;</a>"));
}

static void show_label(const struct cell_show *s, const struct cell_column *col, const struct cell *c,
                       struct shown *out)
{
    struct arena *a = s->rq->arena;
    str id, path;
    if (c->kind == CELL_INT) {
        show_number(out, c);
        id = path = out->parts[0];
    } else {
        str text = cell_text(a, c);
        id = html_escape_arena(a, text);
        path = tilde_encode(a, text);
    }
    if (c->kind == CELL_TEXT && str_eq(c->label, c->s))
        SHOW(out, col->other_link, path, STR("\">"), id, STR("</a>"));
    else
        SHOW(out, col->other_link, path, STR("\">"), c->label.n ? html_escape_arena(a, c->label) : STR("-"),
             STR("</a>&nbsp;<em>"), id, STR("</em>"));
}

static void show_plain(const struct cell_show *s, const struct cell *c, struct shown *out)
{
    struct arena *a = s->rq->arena;
    if (c->kind == CELL_INT || c->kind == CELL_FLOAT) {
        show_number(out, c);
        out->parts[0] = truncate_text(a, out->parts[0], s->truncate);
    } else if (c->kind == CELL_NULL || !c->s.n) {
        show_text(out, STR("&nbsp;"));
    } else if (c->s.n > 8 && (c->s.p[0] == 'h' || c->s.p[0] == ' ') && is_url(c->s)) {
        str url = str_trim(c->s);
        SHOW(out, STR("<a href=\""), html_escape_arena(a, url), STR("\">"),
             html_escape_arena(a, truncate_url(a, url, s->truncate)), STR("</a>"));
    } else {
        show_text(out, truncate_text(a, c->s, s->truncate));
        out->raw = true;
    }
}

/* ---- columns ---- */

/* "<td class=... data-label=...>" of a cell of that type. */
static str open_tag(struct arena *a, struct cell_column *col, unsigned type)
{
    static const char *const extra[] = {[CELL_TYPE_FK] = "int fk", [CELL_TYPE_PK] = "pk"};
    const char *name = type < CELL_TYPE_FK ? cell_type_names[type] : extra[type];
    if (!col->open[type].p)
        col->open[type] = ARENA_CAT(a, STR("<td class=\"col-"), css_class(a, col->name), STR(" type-"), str_of(name),
                                    STR("\" data-label=\""), html_escape_arena(a, col->name), STR("\">"));
    return col->open[type];
}

void cell_show_init(struct cell_show *s, struct request *rq, const struct schema_table *t, int64_t truncate)
{
    *s = (struct cell_show){.rq = rq, .table = t, .truncate = truncate};
    cell_html_init(&s->html, rq, t ? t->name : (str){0});
}

void cell_show_column(struct cell_show *s, str name, str type, struct cell_column *ret)
{
    const struct schema_fk *fk = s->table ? schema_fk_on(s->table, name) : NULL;
    *ret = (struct cell_column){.name = name, .type = type, .markdown = cell_html_is_markdown(&s->html, name)};
    if (fk)
        ret->other_link =
            ARENA_CAT(s->rq->arena, STR("<a href=\""), link_table(s->rq, s->rq->db->name, fk->other_table), STR("/"));
    s->own_html |= type.n || ret->markdown || s->html.json_html || s->html.pretty_json;
}

void cell_show(struct cell_show *s, struct cell_column *col, const struct cell *c, str path, struct shown *ret)
{
    struct arena *a = s->rq->arena;
    str typed = {0};
    unsigned type = c->kind;
    ret->raw = false;
    if (s->own_html && c->kind == CELL_TEXT && (col->type.n || !c->label.p))
        typed = col->type.n ? cell_show_typed(a, col->type, c) : cell_html(&s->html, col->markdown, c->s);
    if (typed.p) {
        show_text(ret, typed);
    } else if (c->kind == CELL_BLOB) {
        show_blob(s, col, c->s.n, path, ret);
    } else if (c->label.p) {
        show_label(s, col, c, ret);
        type = CELL_TYPE_FK;
    } else {
        show_plain(s, c, ret);
    }
    ret->open = open_tag(a, col, type);
}

void cell_show_key(const struct cell_show *s, struct cell_column *col, str path, str title, struct shown *ret)
{
    struct arena *a = s->rq->arena;
    if (!col->other_link.p)
        col->other_link = ARENA_CAT(a, STR("<a href=\""), link_table(s->rq, s->rq->db->name, s->table->name), STR("/"));
    ret->raw = false;
    SHOW(ret, col->other_link, path, STR("\">"), html_escape_arena(a, title), STR("</a>"));
    ret->open = open_tag(a, col, CELL_TYPE_PK);
}

/* ---- results ---- */

struct value shown_value(struct arena *a, const struct shown *s)
{
    if (s->raw)
        return value_str(s->parts[0]);
    if (s->count == 1 && s->parts[0].p != s->number)
        return value_safe(s->parts[0]);
    return value_safe(arena_concat(a, s->parts, s->count));
}

str shown_attrs(const struct shown *s)
{
    return str_sub(s->open, strlen("<td "), s->open.n - 1);
}

static const str close_tag = {"</td>", 5};

/* Numbers and plain texts, which most cells are: the same without the pieces. False = another kind of cell. */
static bool put_simple(const struct cell_show *s, struct cell_column *col, const struct cell *c, struct buf *out)
{
    if (s->own_html || c->label.p || c->kind == CELL_BLOB || c->kind == CELL_NULL)
        return false;
    if (c->kind == CELL_TEXT && (!c->s.n || (s->truncate > 0 && c->s.n > (size_t)s->truncate) ||
                                 (c->s.n > 8 && (c->s.p[0] == 'h' || c->s.p[0] == ' '))))
        return false;
    if (c->kind != CELL_TEXT && s->truncate > 0 && s->truncate < VALUE_FLOAT_MAX)
        return false;
    buf_puts(out, open_tag(s->rq->arena, col, c->kind));
    if (c->kind == CELL_TEXT) {
        html_escape(out, c->s);
    } else {
        char *at = buf_reserve(out, VALUE_FLOAT_MAX);
        if (at)
            out->n += c->kind == CELL_INT ? str_write_i64(at, c->i) : value_write_float(at, c->f);
    }
    buf_puts(out, close_tag);
    return true;
}

void cell_show_put(struct cell_show *s, struct cell_column *col, const struct cell *c, str path, struct buf *out)
{
    struct shown shown;
    if (LIKELY(put_simple(s, col, c, out)))
        return;
    cell_show(s, col, c, path, &shown);
    shown_put_cell(out, &shown);
}

void shown_put_cell(struct buf *out, const struct shown *s)
{
    buf_puts(out, s->open);
    if (s->raw)
        html_escape(out, s->parts[0]);
    else
        for (size_t i = 0; i < s->count; i++)
            buf_puts(out, s->parts[i]);
    buf_puts(out, close_tag);
}

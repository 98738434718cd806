/* SPDX-License-Identifier: Apache-2.0 */
/* copyable — rows as a text table to paste elsewhere: into a spreadsheet, an issue, a paper. A table of styles as
 * Python's tabulate has them; each is lines around rows, what stands between cells, and how a cell is escaped. */
#include "base/limits.h"
#include "base/utf8.h"
#include "codec/csvwrite.h"
#include "codec/html_escape.h"
#include "site/links.h"
#include "site/render/exports.h"
#include "site/render/page.h"
#include "site/render/rows_json.h"

struct line {
    const char *begin, *fill, *between, *end; /* fill "" = no line; begin NULL = none */
};

typedef void put_cell_fn(struct buf *out, str cell);

struct style {
    const char *name, *label;
    struct line above, below_header, between_rows, below;
    struct line header, row; /* fill unused */
    bool padded;             /* cells of a column have one width */
    bool colons;             /* numbers of a Markdown column end with a colon */
    put_cell_fn *put;
    const char *before, *after; /* the whole table; "%s" of `before` is the alignment of LaTeX columns */
};

/* ---- cells ---- */

static void put_plain(struct buf *out, str cell)
{
    for (size_t i = 0; i < cell.n; i++)
        buf_putc(out, cell.p[i] == '\n' || cell.p[i] == '\r' || cell.p[i] == '\t' ? ' ' : cell.p[i]);
}

static void put_escaped(struct buf *out, str cell, const char *special, char escape)
{
    for (size_t i = 0; i < cell.n; i++) {
        char c = cell.p[i];
        if (c == '\n' || c == '\r' || c == '\t')
            c = ' ';
        if (strchr(special, c) && c)
            buf_putc(out, escape);
        buf_putc(out, c);
    }
}

static void put_markdown(struct buf *out, str cell)
{
    put_escaped(out, cell, "\\|", '\\');
}

static void put_html(struct buf *out, str cell)
{
    html_escape(out, cell);
}

static void put_csv(struct buf *out, str cell)
{
    csvwrite_field(out, cell);
}

static void put_latex(struct buf *out, str cell)
{
    static const struct {
        char c;
        const char *text;
    } special[] = {{'&', "\\&"},
                   {'%', "\\%"},
                   {'$', "\\$"},
                   {'#', "\\#"},
                   {'_', "\\_"},
                   {'{', "\\{"},
                   {'}', "\\}"},
                   {'^', "\\^{}"},
                   {'\\', "{\\textbackslash}"},
                   {'~', "\\textasciitilde{}"},
                   {'<', "\\ensuremath{<}"},
                   {'>', "\\ensuremath{>}"},
                   {'\n', " "},
                   {'\r', " "}};
    for (size_t i = 0; i < cell.n; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(special) && special[k].c != cell.p[i])
            k++;
        if (k < ARRAY_LEN(special))
            buf_puts(out, str_of(special[k].text));
        else
            buf_putc(out, cell.p[i]);
    }
}

/* ---- styles ---- */

#define NO_LINE                                                                                                        \
    {                                                                                                                  \
        NULL, "", "", ""                                                                                               \
    }
static const struct style styles[] = {
    {"tsv",
     "TSV",
     NO_LINE,
     NO_LINE,
     NO_LINE,
     NO_LINE,
     {"", "", "\t", "\n"},
     {"", "", "\t", "\n"},
     false,
     false,
     put_plain,
     "",
     ""},
    {"csv",
     "CSV",
     NO_LINE,
     NO_LINE,
     NO_LINE,
     NO_LINE,
     {"", "", ",", "\n"},
     {"", "", ",", "\n"},
     false,
     false,
     put_csv,
     "",
     ""},
    {"json",
     "JSON",
     NO_LINE,
     NO_LINE,
     NO_LINE,
     NO_LINE,
     {"", "", "", ""},
     {"", "", "", ""},
     false,
     false,
     NULL,
     "",
     ""},
    {"github",
     "Markdown",
     NO_LINE,
     {"|", "-", "|", "|\n"},
     NO_LINE,
     NO_LINE,
     {"| ", "", " | ", " |\n"},
     {"| ", "", " | ", " |\n"},
     true,
     true,
     put_markdown,
     "",
     ""},
    {"html",
     "HTML",
     NO_LINE,
     {"</thead>\n<tbody>", "", "", "\n"},
     NO_LINE,
     NO_LINE,
     {"<tr><th>", "", "</th><th>", "</th></tr>\n"},
     {"<tr><td>", "", "</td><td>", "</td></tr>\n"},
     false,
     false,
     put_html,
     "<table>\n<thead>\n",
     "</tbody>\n</table>\n"},
    {"latex",
     "LaTeX",
     {"\\hline", "", "", "\n"},
     {"\\hline", "", "", "\n"},
     NO_LINE,
     {"\\hline", "", "", "\n"},
     {"", "", " & ", " \\\\\n"},
     {"", "", " & ", " \\\\\n"},
     true,
     false,
     put_latex,
     "\\begin{tabular}{%s}\n",
     "\\end{tabular}\n"},
    {"latex_booktabs",
     "LaTeX booktabs",
     {"\\toprule", "", "", "\n"},
     {"\\midrule", "", "", "\n"},
     NO_LINE,
     {"\\bottomrule", "", "", "\n"},
     {"", "", " & ", " \\\\\n"},
     {"", "", " & ", " \\\\\n"},
     true,
     false,
     put_latex,
     "\\begin{tabular}{%s}\n",
     "\\end{tabular}\n"},
    {"rst",
     "reStructuredText",
     {"", "=", "  ", "\n"},
     {"", "=", "  ", "\n"},
     NO_LINE,
     {"", "=", "  ", "\n"},
     {"", "", "  ", "\n"},
     {"", "", "  ", "\n"},
     true,
     false,
     put_plain,
     "",
     ""},
    {"grid",
     "Grid",
     {"+", "-", "+", "+\n"},
     {"+", "=", "+", "+\n"},
     {"+", "-", "+", "+\n"},
     {"+", "-", "+", "+\n"},
     {"| ", "", " | ", " |\n"},
     {"| ", "", " | ", " |\n"},
     true,
     false,
     put_plain,
     "",
     ""},
    {"psql",
     "psql",
     {"+", "-", "+", "+\n"},
     {"|", "-", "+", "|\n"},
     NO_LINE,
     {"+", "-", "+", "+\n"},
     {"| ", "", " | ", " |\n"},
     {"| ", "", " | ", " |\n"},
     true,
     false,
     put_plain,
     "",
     ""},
    {"simple",
     "Simple",
     NO_LINE,
     {"", "-", "  ", "\n"},
     NO_LINE,
     NO_LINE,
     {"", "", "  ", "\n"},
     {"", "", "  ", "\n"},
     true,
     false,
     put_plain,
     "",
     ""},
    {"plain",
     "Plain",
     NO_LINE,
     NO_LINE,
     NO_LINE,
     NO_LINE,
     {"", "", "  ", "\n"},
     {"", "", "  ", "\n"},
     true,
     false,
     put_plain,
     "",
     ""},
    {"orgtbl",
     "Org mode",
     NO_LINE,
     {"|", "-", "+", "|\n"},
     NO_LINE,
     NO_LINE,
     {"| ", "", " | ", " |\n"},
     {"| ", "", " | ", " |\n"},
     true,
     false,
     put_plain,
     "",
     ""},
    {"jira",
     "Jira",
     NO_LINE,
     NO_LINE,
     NO_LINE,
     NO_LINE,
     {"|| ", "", " || ", " ||\n"},
     {"| ", "", " | ", " |\n"},
     true,
     false,
     put_markdown,
     "",
     ""},
    {"mediawiki",
     "MediaWiki",
     NO_LINE,
     NO_LINE,
     {"|-", "", "", "\n"},
     NO_LINE,
     {"! ", "", " !! ", "\n|-\n"},
     {"| ", "", " || ", "\n"},
     true,
     false,
     put_html,
     "{| class=\"wikitable\"\n",
     "|}\n"},
};

static const struct style *style_find(str name)
{
    if (str_is(name, "pipe") || str_is(name, "markdown"))
        name = STR("github");
    for (size_t i = 0; i < ARRAY_LEN(styles); i++)
        if (str_is(name, styles[i].name))
            return &styles[i];
    return &styles[0];
}

/* ---- the table ---- */

struct grid {
    const struct style *style;
    size_t columns, rows; /* rows: with the header */
    str *cells;           /* escaped */
    size_t *widths;
    bool *numbers; /* a column of numbers stands to the right */
    struct buf *out;
};

static str escape_cell(struct arena *a, const struct style *s, str text)
{
    struct buf b;
    buf_init(&b, LIMIT_CSV_PAGE);
    s->put(&b, text);
    str out = arena_str(a, buf_str(&b));
    buf_release(&b);
    return out;
}

static str cell_plain(const struct export *x, const struct cell *c)
{
    if (c->kind == CELL_NULL)
        return STR("");
    if (c->kind == CELL_BLOB)
        return ARENA_CAT(x->rq->arena, STR("<Binary: "), arena_printf(x->rq->arena, "%zu", c->s.n), STR(" bytes>"));
    return c->label.p ? c->label : cell_text(x->rq->arena, c);
}

static void fill(struct grid *g, const struct export *x)
{
    struct arena *a = x->rq->arena;
    g->columns = x->rows->column_count;
    g->rows = x->row_count + 1;
    g->cells = ARENA_ARRAY(a, str, g->columns * g->rows + 1);
    g->widths = ARENA_ARRAY(a, size_t, g->columns + 1);
    g->numbers = ARENA_ARRAY(a, bool, g->columns + 1);
    for (size_t c = 0; c < g->columns; c++) {
        size_t numbers = 0, texts = 0;
        for (size_t r = 0; r < g->rows && !arena_over(a); r++) {
            const struct cell *cell = r ? rowset_cell(x->rows, r - 1, c) : NULL;
            str text = escape_cell(a, g->style, cell ? cell_plain(x, cell) : x->rows->columns[c]);
            g->cells[r * g->columns + c] = text;
            if (g->style->padded)
                g->widths[c] = MAX(g->widths[c], utf8_count(text));
            numbers += cell && (cell->kind == CELL_INT || cell->kind == CELL_FLOAT) && !cell->label.p;
            texts += cell && (cell->kind == CELL_TEXT || cell->kind == CELL_BLOB || cell->label.p);
        }
        g->numbers[c] = numbers && !texts;
    }
}

static void put_times(struct buf *out, char c, size_t n)
{
    while (n-- && !out->over)
        buf_putc(out, c);
}

static void put_rule(struct grid *g, const struct line *l)
{
    /* Lines that touch their corners also go over the blanks beside a cell. */
    size_t beside = l->begin && *l->begin ? 2 : 0;
    if (!l->begin)
        return;
    buf_puts(g->out, str_of(l->begin));
    for (size_t c = 0; c < g->columns && *l->fill; c++) {
        bool colon = g->style->colons && g->numbers[c];
        if (c)
            buf_puts(g->out, str_of(l->between));
        put_times(g->out, *l->fill, MAX(g->widths[c], 1u) + beside - colon);
        if (colon)
            buf_putc(g->out, ':');
    }
    buf_puts(g->out, str_of(l->end));
}

static void put_record(struct grid *g, const struct line *l, size_t row)
{
    size_t start = g->out->n;
    buf_puts(g->out, str_of(l->begin));
    for (size_t c = 0; c < g->columns; c++) {
        str text = g->cells[row * g->columns + c];
        size_t width = utf8_count(text), pad = g->widths[c] > width ? g->widths[c] - width : 0;
        if (c)
            buf_puts(g->out, str_of(l->between));
        if (g->numbers[c])
            put_times(g->out, ' ', pad);
        buf_puts(g->out, text);
        if (!g->numbers[c])
            put_times(g->out, ' ', pad);
    }
    while (g->style->padded && *l->end == '\n' && g->out->n > start && g->out->p[g->out->n - 1] == ' ')
        g->out->n--;
    buf_puts(g->out, str_of(l->end));
}

static void put_before(struct grid *g)
{
    str before = str_of(g->style->before);
    size_t mark = str_find(before, STR("%s"));
    buf_puts(g->out, str_sub(before, 0, mark));
    if (mark == STR_NPOS)
        return;
    for (size_t c = 0; c < g->columns; c++)
        buf_putc(g->out, g->numbers[c] ? 'r' : 'l');
    buf_puts(g->out, str_from(before, mark + 2));
}

static void put_table(const struct export *x, const struct style *s, struct buf *out)
{
    struct grid g = {.style = s, .out = out};
    fill(&g, x);
    put_before(&g);
    put_rule(&g, &s->above);
    put_record(&g, &s->header, 0);
    put_rule(&g, &s->below_header);
    for (size_t r = 1; r < g.rows && !out->over; r++) {
        if (r > 1)
            put_rule(&g, &s->between_rows);
        put_record(&g, &s->row, r);
    }
    put_rule(&g, &s->below);
    buf_puts(out, str_of(s->after));
}

static void put_json(const struct export *x, struct buf *out)
{
    struct rows_json spec = {.rows = x->rows, .row_count = x->row_count};
    spec.shaping.shape = QUERY_SHAPE_ARRAY;
    rows_json_write(x->rq->arena, &spec, out);
    buf_putc(out, '\n');
}

/* ---- the page ---- */

static struct value style_links(const struct export *x, const struct style *chosen)
{
    struct arena *a = x->rq->arena;
    struct value list = value_list(a);
    for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
        struct value d = value_dict(a);
        VALUE_SET(d, "name", value_cstr(styles[i].name));
        VALUE_SET(d, "label", value_cstr(styles[i].label));
        VALUE_SET(d, "link", value_str(link_this_replaced(x->rq, "_table_format", styles[i].name)));
        VALUE_SET(d, "selected", value_bool(&styles[i] == chosen));
        value_push(list, d);
    }
    return list;
}

enum status copyable_respond(const struct export *x, struct err *err)
{
    struct request *rq = x->rq;
    struct arena *a = rq->arena;
    const struct style *s = style_find(request_arg(rq, "_table_format"));
    struct buf out;
    buf_init(&out, LIMIT_CSV_PAGE);
    if (s->put)
        put_table(x, s, &out);
    else
        put_json(x, &out);
    if (out.over || arena_over(a)) {
        buf_release(&out);
        err_set(err, STATUS_TOO_LARGE, "The table is too large to copy");
        return err_hint(err, "Ask for fewer rows with _size, or export as CSV.");
    }
    if (request_arg(rq, "_raw").n) {
        respond_buf(rq, 200, "text/plain; charset=utf-8", &out);
        return STATUS_OK;
    }
    struct value d = value_dict(a);
    const str names[] = {STR("copyable.html")};
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "table", value_str(x->name));
    VALUE_SET(d, "count", value_int((int64_t)x->row_count));
    VALUE_SET(d, "table_format", value_cstr(s->name));
    VALUE_SET(d, "table_formats", style_links(x, s));
    VALUE_SET(d, "raw_link", value_str(link_this_replaced(rq, "_raw", "1")));
    VALUE_SET(d, "back_url", value_str(link_other_format(rq, (str){0}, NULL, 0)));
    VALUE_SET(d, "copyable", value_str(arena_str(a, buf_str(&out))));
    buf_release(&out);
    return page_respond(rq, 200, names, 1, d, false, err);
}

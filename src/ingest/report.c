/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/utf8.h"
#include "codec/jwrite.h"
#include "ingest/ingest.h"

#include "base/banned.h"

#define NAME_WIDTH  28
#define VALUE_WIDTH 20

static str order_name(unsigned order)
{
    return order == DATE_YMD   ? STR("year/month/day")
           : order == DATE_MDY ? STR("month/day/year")
           : order == DATE_DMY ? STR("day/month/year")
                               : STR("with the name of the month");
}

static void put_number(struct buf *out, double f)
{
    if (f == floor(f) && fabs(f) < 1e15)
        buf_printf(out, "%.0f", f);
    else
        jwrite_put_double(out, f);
}

static void put_value(struct buf *out, const struct column_plan *c, bool max)
{
    const struct plan_text *t = max ? &c->max : &c->min;
    if (!c->any)
        return;
    if (c->type == COLUMN_INTEGER)
        buf_put_i64(out, max ? c->max_i : c->min_i);
    else if (c->type == COLUMN_REAL)
        put_number(out, max ? c->max_f : c->min_f);
    else
        buf_printf(out, "%.*s%s", (int)t->n, t->p, t->cut ? "..." : "");
}

/* Cut to a width, line ends as spaces; padded. Width counts code points. */
static void put_padded(struct buf *out, str s, size_t width)
{
    size_t shown = utf8_count(s), bytes = shown > width ? utf8_offset(s, width - 1) : s.n;
    for (size_t i = 0; i < bytes; i++)
        buf_putc(out, (unsigned char)s.p[i] < ' ' ? ' ' : s.p[i]);
    if (shown > width)
        buf_puts(out, STR("…"));
    for (size_t i = MIN(shown, width); i < width; i++)
        buf_putc(out, ' ');
}

static void put_padded_value(struct buf *out, const struct column_plan *c, bool max)
{
    struct buf text;
    buf_init(&text, 4096);
    put_value(&text, c, max);
    put_padded(out, buf_str(&text), VALUE_WIDTH);
    buf_release(&text);
}

static void put_remarks(struct buf *out, const struct column_plan *c)
{
    if (c->date)
        buf_printf(out, "  dates, %.*s", STR_ARG(order_name(c->date)));
    if (c->ambiguous)
        buf_puts(out, STR("  dates, but day and month cannot be told apart: left as they are"));
    if (c->odd_line && !c->forced)
        buf_printf(out, "  since line %llu: \"%.*s%s\"", (unsigned long long)c->odd_line, (int)c->odd.n, c->odd.p,
                   c->odd.cut ? "..." : "");
}

static void put_columns(struct buf *out, const struct plan *p)
{
    if (!p->count)
        return;
    buf_puts(out, STR("  "));
    put_padded(out, STR("column"), NAME_WIDTH);
    buf_printf(out, " %-8s %10s %10s  ", "type", "blank", "distinct");
    put_padded(out, STR("smallest"), VALUE_WIDTH);
    buf_puts(out, STR(" largest\n"));
    for (size_t i = 0; i < p->count; i++) {
        const struct column_plan *c = &p->columns[i];
        char distinct[24];
        snprintf(distinct, sizeof distinct, "%s%llu", c->distinct.estimated ? "~" : "",
                 (unsigned long long)distinct_count(&c->distinct));
        buf_puts(out, STR("  "));
        put_padded(out, c->name, NAME_WIDTH);
        buf_printf(out, " %-8s %10llu %10s  ", plan_type_name(c->type), (unsigned long long)c->blank, distinct);
        put_padded_value(out, c, false);
        buf_putc(out, ' ');
        put_padded_value(out, c, true);
        put_remarks(out, c);
        while (out->n && out->p[out->n - 1] == ' ')
            out->n--;
        buf_putc(out, '\n');
    }
}

void ingest_report_text(struct buf *out, const struct ingest_report *r)
{
    const char *delimiter = r->delimiter == '\t' ? "tab" : NULL;
    buf_printf(out, "%.*s: %s", STR_ARG(r->file), r->format);
    if (r->delimiter && r->delimiter != ',')
        buf_printf(out, ", delimiter %s%.*s", delimiter ? delimiter : "", delimiter ? 0 : 1, &r->delimiter);
    if (r->encoding)
        buf_printf(out, ", %s", r->encoding);
    if (r->part.n)
        buf_printf(out, ", %s \"%.*s\" of %zu", r->part_word, STR_ARG(r->part), r->part_count);
    if (r->header_line > 1)
        buf_printf(out, ", header on line %llu", (unsigned long long)r->header_line);
    buf_printf(out, "\n%s table \"%.*s\": %llu rows, %zu columns, %.1f s\n",
               r->dry_run   ? "Dry run for"
               : r->created ? "Made"
                            : "Added to",
               STR_ARG(r->table), (unsigned long long)(r->dry_run ? r->rows - r->rejected : r->imported),
               r->plan->count, (double)r->duration_us / 1e6);
    put_columns(out, r->plan);
    if (r->ignored)
        buf_printf(out, "  %llu rows were left out: their key was there already\n", (unsigned long long)r->ignored);
    if (r->too_short)
        buf_printf(out, "  %llu rows were shorter than the header: the rest of their cells is NULL\n",
                   (unsigned long long)r->too_short);
    if (r->replaced_characters)
        buf_printf(out, "  %llu characters could not be read as %s\n", (unsigned long long)r->replaced_characters,
                   r->encoding);
    if (r->cell_errors)
        buf_printf(out, "  %llu cells show an error, such as #N/A: they are NULL\n",
                   (unsigned long long)r->cell_errors);
    if (r->uncalculated)
        buf_printf(out, "  %llu formulas were saved without a value: they are NULL\n",
                   (unsigned long long)r->uncalculated);
    if (r->rejected)
        buf_printf(out, "  %llu lines did not fit: see table \"%.*s\" (line %llu: %.*s)\n",
                   (unsigned long long)r->rejected, STR_ARG(r->rejects_table), (unsigned long long)r->first_reject_line,
                   STR_ARG(r->first_reject_reason));
    for (size_t i = 0; i < r->child_count; i++)
        ingest_report_text(out, &r->children[i]);
}

static void json_value(struct jwrite *w, const struct column_plan *c, bool max)
{
    const struct plan_text *t = max ? &c->max : &c->min;
    jwrite_key(w, max ? STR("max") : STR("min"));
    if (!c->any)
        jwrite_null(w);
    else if (c->type == COLUMN_INTEGER)
        jwrite_i64(w, max ? c->max_i : c->min_i);
    else if (c->type == COLUMN_REAL)
        jwrite_f64(w, max ? c->max_f : c->min_f);
    else
        jwrite_string(w, str_make(t->p, t->n));
}

static void json_column(struct jwrite *w, const struct column_plan *c)
{
    jwrite_object_begin(w);
    jwrite_key(w, STR("name"));
    jwrite_string(w, c->name);
    jwrite_key(w, STR("type"));
    jwrite_string(w, str_of(plan_type_name(c->type)));
    jwrite_key(w, STR("blank"));
    jwrite_i64(w, (int64_t)c->blank);
    jwrite_key(w, STR("distinct"));
    jwrite_i64(w, (int64_t)distinct_count(&c->distinct));
    jwrite_key(w, STR("distinct_is_estimate"));
    jwrite_bool(w, c->distinct.estimated);
    json_value(w, c, false);
    json_value(w, c, true);
    if (c->date || c->ambiguous) {
        jwrite_key(w, c->date ? STR("date_order") : STR("ambiguous_dates"));
        jwrite_string(w, c->date ? order_name(c->date) : STR("day and month cannot be told apart"));
    }
    if (c->odd_line) {
        jwrite_key(w, STR("first_odd"));
        jwrite_object_begin(w);
        jwrite_key(w, STR("line"));
        jwrite_i64(w, (int64_t)c->odd_line);
        jwrite_key(w, STR("value"));
        jwrite_string(w, str_make(c->odd.p, c->odd.n));
        jwrite_object_end(w);
    }
    jwrite_object_end(w);
}

static void json_report(struct jwrite *w, const struct ingest_report *r)
{
    jwrite_object_begin(w);
    const struct {
        str key, value;
    } texts[] = {{STR("file"), r->file},
                 {STR("table"), r->table},
                 {STR("format"), str_of(r->format)},
                 {STR("encoding"), str_of(r->encoding)},
                 {STR("delimiter"), str_make(&r->delimiter, r->delimiter ? 1 : 0)}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        jwrite_key(w, texts[i].key);
        jwrite_string(w, texts[i].value);
    }
    const struct {
        str key;
        uint64_t value;
    } numbers[] = {{STR("header_line"), r->header_line},
                   {STR("passes"), r->passes},
                   {STR("rows"), r->rows},
                   {STR("imported"), r->imported},
                   {STR("ignored"), r->ignored},
                   {STR("rejected"), r->rejected},
                   {STR("shorter_than_header"), r->too_short},
                   {STR("replaced_characters"), r->replaced_characters},
                   {STR("cell_errors"), r->cell_errors},
                   {STR("uncalculated"), r->uncalculated},
                   {STR("duration_us"), (uint64_t)r->duration_us}};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        jwrite_key(w, numbers[i].key);
        jwrite_i64(w, (int64_t)numbers[i].value);
    }
    jwrite_key(w, STR("created"));
    jwrite_bool(w, r->created);
    jwrite_key(w, STR("dry_run"));
    jwrite_bool(w, r->dry_run);
    jwrite_key(w, STR("rejects_table"));
    if (r->rejected)
        jwrite_string(w, r->rejects_table);
    else
        jwrite_null(w);
    jwrite_key(w, STR("part"));
    if (r->part.n)
        jwrite_string(w, r->part);
    else
        jwrite_null(w);
    jwrite_key(w, STR("parts"));
    jwrite_array_begin(w);
    for (size_t i = 0; i < r->part_count; i++)
        jwrite_string(w, r->parts[i]);
    jwrite_array_end(w);
    jwrite_key(w, STR("columns"));
    jwrite_array_begin(w);
    for (size_t i = 0; i < r->plan->count; i++)
        json_column(w, &r->plan->columns[i]);
    jwrite_array_end(w);
    jwrite_key(w, STR("children"));
    jwrite_array_begin(w);
    for (size_t i = 0; i < r->child_count; i++)
        json_report(w, &r->children[i]); /* which have none themselves */
    jwrite_array_end(w);
    jwrite_object_end(w);
}

void ingest_report_json(struct buf *out, const struct ingest_report *r)
{
    struct jwrite w;
    jwrite_init(&w, out, 0);
    json_report(&w, r);
}

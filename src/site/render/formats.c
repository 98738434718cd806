/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/formats.h"

#include "site/links.h"
#include "site/render/csv.h"
#include "site/render/exports.h"

static enum format_fit fits_any(const str *columns, size_t count)
{
    (void)columns;
    (void)count;
    return FORMAT_FITS;
}

/* json stands first in the list of links whatever the columns; csv has a link of its own. */
const struct format formats[] = {
    {"html", "The page", NULL, NULL, NULL},
    {"json", "JSON in five shapes", NULL, NULL, NULL},
    {"csv", "CSV, also streamed", NULL, &csv_format, NULL},
    {"blob", "One binary value", NULL, NULL, NULL},
    {"atom", "Atom feed", atom_fits, NULL, atom_respond},
    {"ics", "iCalendar", ics_fits, NULL, ics_respond},
    {"geojson", "GeoJSON, also streamed", geojson_fits, &geojson_format, NULL},
    {"ndjson", "One JSON object a line, also streamed", fits_any, &ndjson_format, NULL},
    {"copyable", "Text tables to copy", fits_any, NULL, copyable_respond},
    {"Notebook", "How to load the rows in Jupyter or Observable", fits_any, NULL, notebook_respond},
    {"notebook", "The same", NULL, NULL, notebook_respond},
};
const size_t format_count = ARRAY_LEN(formats);

const struct format *format_find(str extension)
{
    for (size_t i = 0; i < format_count; i++)
        if (str_is(extension, formats[i].extension))
            return &formats[i];
    return NULL;
}

enum status format_require(str extension, const struct format **ret, struct err *err)
{
    const struct format *f = format_find(extension);
    if (!f) {
        err_set(err, STATUS_INVALID, "Invalid format: %.*s", STR_ARG(extension));
        return err_hint(err, "Use .json, .csv, .ndjson, .copyable or .Notebook; with the right columns .atom, .ics or "
                             ".geojson.");
    }
    *ret = f;
    return STATUS_OK;
}

struct value format_links(struct request *rq, const str *columns, size_t count, bool labels, bool all)
{
    const struct arg extra[] = {{STR("_labels"), STR("on")}};
    struct value d = value_dict(rq->arena);
    VALUE_SET(d, "json", value_str(link_this_format(rq, STR("json"), extra, labels ? 1 : 0)));
    for (size_t i = 0; i < format_count; i++) {
        const struct format *f = &formats[i];
        enum format_fit fit = f->fits ? f->fits(columns, count) : FORMAT_UNFIT;
        if (fit == FORMAT_MADE_FOR || (all && fit == FORMAT_FITS))
            value_set(d, str_of(f->extension),
                      value_str(link_this_format(rq, str_of(f->extension), extra, labels ? 1 : 0)));
    }
    return d;
}

bool columns_have(const str *columns, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(columns[i], name))
            return true;
    return false;
}

enum status columns_require(const struct rowset *rows, const char *const *wanted, size_t count, const char *format,
                            struct err *err)
{
    char missing[256];
    struct buf b;
    buf_init(&b, sizeof missing - 1);
    for (size_t i = 0; i < count; i++)
        if (!columns_have(rows->columns, rows->column_count, wanted[i]))
            buf_printf(&b, "%s%s", b.n ? ", " : "", wanted[i]);
    size_t n = b.n;
    memcpy(missing, n ? b.p : "", n);
    missing[n] = 0;
    buf_release(&b);
    if (!n)
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "%s needs the columns that are missing here: %s", format, missing);
    return err_hint(err, "Name them in the SQL: select created as %s, ...", wanted[0]);
}

str column_text(const struct export *x, size_t row, const char *column)
{
    size_t at = rowset_column(x->rows, str_of(column));
    if (at == (size_t)-1)
        return (str){0};
    const struct cell *c = rowset_cell(x->rows, row, at);
    return c->kind == CELL_NULL ? (str){0} : cell_text(x->rq->arena, c);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* geojson — rows as a FeatureCollection (RFC 7946), and rows as one JSON object a line. Both take _json and _labels as
 * .json does, and stream. A row whose geometry is no JSON object has none: "geometry": null. */
#include "base/limits.h"
#include "codec/jwrite.h"
#include "site/links.h"
#include "site/render/exports.h"
#include "site/render/rows_json.h"

static const char *const pairs[][2] = {{"latitude", "longitude"}, {"lat", "lng"}, {"lat", "lon"}, {"lat", "long"}};

enum format_fit geojson_fits(const str *columns, size_t count)
{
    if (columns_have(columns, count, "geometry"))
        return FORMAT_MADE_FOR;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        if (columns_have(columns, count, pairs[i][0]) && columns_have(columns, count, pairs[i][1]))
            return FORMAT_FITS;
    return FORMAT_UNFIT;
}

static bool lines(const struct request *rq)
{
    return request_flag(rq, "_nl", false);
}

/* Columns of the geometry (the second is then -1), or of both coordinates. */
static void find_columns(const struct rowset *rows, size_t ret[2])
{
    ret[0] = rowset_column(rows, STR("geometry"));
    ret[1] = (size_t)-1;
    for (size_t i = 0; i < ARRAY_LEN(pairs) && (ret[0] == (size_t)-1 || i == 0); i++) {
        if (ret[0] != (size_t)-1)
            return;
        ret[0] = rowset_column(rows, str_of(pairs[i][0]));
        ret[1] = rowset_column(rows, str_of(pairs[i][1]));
        if (ret[1] == (size_t)-1)
            ret[0] = (size_t)-1;
    }
}

static enum status check(struct row_text *t, struct err *err)
{
    size_t at[2];
    find_columns(t->rows, at);
    if (at[0] == (size_t)-1) {
        err_set(err, STATUS_INVALID, "GeoJSON needs a column geometry, or columns latitude and longitude");
        return err_hint(err, "Name them in the SQL: select AsGeoJSON(shape) as geometry, ...");
    }
    for (size_t r = 0; at[1] == (size_t)-1 && r < t->row_count; r++) {
        if (rowset_cell(t->rows, r, at[0])->kind == CELL_BLOB) {
            err_set(err, STATUS_INVALID, "The column geometry holds binary values, not GeoJSON");
            return err_hint(err, "With SpatiaLite: select AsGeoJSON(geometry) as geometry, ...");
        }
    }
    return STATUS_OK;
}

static bool is_number(const struct cell *c, double limit)
{
    double f = c->kind == CELL_INT ? (double)c->i : c->f;
    return (c->kind == CELL_INT || c->kind == CELL_FLOAT) && f >= -limit && f <= limit;
}

static bool is_json_object(str text)
{
    struct arena *a = arena_new(text.n * 64 + 65536);
    struct value v;
    bool good = value_from_json(a, text, &v, NULL) == STATUS_OK && v.kind == VALUE_DICT;
    arena_free(a);
    return good;
}

/* JSON texts pass as they are, white space that would break a line aside. */
static void put_json(struct buf *out, str text)
{
    for (size_t i = 0; i < text.n; i++)
        buf_putc(out, (unsigned char)text.p[i] < ' ' ? ' ' : text.p[i]);
}

static void put_number(struct buf *out, const struct cell *c)
{
    if (c->kind == CELL_INT)
        buf_put_i64(out, c->i);
    else
        jwrite_put_double(out, c->f);
}

static void before_row(const struct rows_json *spec, size_t row, struct buf *out)
{
    buf_puts(out, STR("{\"type\": \"Feature\", \"geometry\": "));
    const struct cell *c = rowset_cell(spec->rows, row, spec->geo[0]);
    if (spec->geo[1] == (size_t)-1) {
        if (c->kind == CELL_TEXT && is_json_object(c->s))
            put_json(out, c->s);
        else
            buf_puts(out, STR("null"));
    } else {
        const struct cell *lng = rowset_cell(spec->rows, row, spec->geo[1]);
        if (is_number(c, 90) && is_number(lng, 360)) {
            buf_puts(out, STR("{\"type\": \"Point\", \"coordinates\": ["));
            put_number(out, lng);
            buf_puts(out, STR(", "));
            put_number(out, c);
            buf_puts(out, STR("]}"));
        } else {
            buf_puts(out, STR("null"));
        }
    }
    buf_puts(out, STR(", \"properties\": "));
}

static void put_json_rows(struct row_text *t, bool features, bool by_line)
{
    struct rows_json spec = {.rows = t->rows, .row_count = t->row_count, .bare = true};
    struct arena *a = t->rq->arena;
    if (rows_json_options(t->rq, &spec, NULL) != STATUS_OK) /* of a wrong _shape, which is of no use here */
        spec.parsed_count = 0;
    spec.shaping = (struct query_shaping){QUERY_SHAPE_ARRAY, by_line};
    if (features) {
        find_columns(t->rows, spec.geo);
        spec.before_row = before_row;
        spec.skip = spec.geo[1] == (size_t)-1 ? STR("geometry") : (str){0};
    }
    if (!by_line && t->written && t->row_count)
        buf_puts(t->out, STR(", "));
    rows_json_write(a, &spec, t->out);
    if (by_line && t->row_count)
        buf_putc(t->out, '\n');
}

static void geojson_begin(struct row_text *t)
{
    if (!lines(t->rq))
        buf_puts(t->out, STR("{\"type\": \"FeatureCollection\", \"features\": ["));
}

static void geojson_rows(struct row_text *t)
{
    put_json_rows(t, true, lines(t->rq));
}

static void geojson_end(struct row_text *t)
{
    if (!lines(t->rq))
        buf_puts(t->out, STR("]}"));
}

static void download(struct request *rq, str name, const char *extension)
{
    if (request_arg(rq, "_dl").n)
        response_header(rq->response, STR("content-disposition"),
                        ARENA_CAT(rq->arena, STR("attachment; filename=\""), link_filename(rq->arena, name),
                                  str_of(extension), STR("\"")));
}

static void geojson_headers(struct request *rq, str name)
{
    response_header(rq->response, STR("content-type"),
                    lines(rq) ? STR("application/x-ndjson; charset=utf-8")
                              : STR("application/geo+json; charset=utf-8"));
    download(rq, name, ".geojson");
}

static void ndjson_rows(struct row_text *t)
{
    put_json_rows(t, false, true);
}

static void ndjson_headers(struct request *rq, str name)
{
    response_header(rq->response, STR("content-type"), STR("application/x-ndjson; charset=utf-8"));
    download(rq, name, ".ndjson");
}

const struct row_format geojson_format = {.name = "GeoJSON",
                                          .check = check,
                                          .begin = geojson_begin,
                                          .rows = geojson_rows,
                                          .end = geojson_end,
                                          .headers = geojson_headers};
const struct row_format ndjson_format = {.name = "NDJSON", .rows = ndjson_rows, .headers = ndjson_headers};

/* SPDX-License-Identifier: Apache-2.0 */
/* csv — rows as RFC 4180 text, the way Python's csv module writes it. Tests: tests/site/test_csv.py. */
#include "site/render/csv.h"

#include "codec/csvwrite.h"
#include "codec/digest.h"
#include "codec/url.h"
#include "site/links.h"

static str blob_url(struct row_text *w, size_t row, size_t column)
{
    struct request *rq = w->rq;
    struct arena *a = rq->arena;
    str name = w->rows->columns[column];
    if (w->table) {
        str path = row_path(a, w->rows, row, w->table->pks, w->table->pk_count);
        return request_absolute_url(rq, link_blob(rq, rq->db->name, w->table->name, path, name));
    }
    char hash[DIGEST_HEX_MAX];
    digest_sha256_hex(rowset_cell(w->rows, row, column)->s, hash);
    const struct arg extra[] = {{STR("_blob_column"), name}, {STR("_blob_hash"), str_of(hash)}};
    return request_absolute_url(rq, link_this_format(rq, STR("blob"), extra, 2));
}

static void put_cell(struct csvwrite *csv, struct row_text *w, size_t row, size_t column)
{
    const struct cell *c = rowset_cell(w->rows, row, column);
    switch (c->kind) {
    case CELL_NULL:
        csvwrite_null(csv);
        break;
    case CELL_INT:
        csvwrite_i64(csv, c->i);
        break;
    case CELL_FLOAT:
        csvwrite_f64(csv, c->f);
        break;
    case CELL_TEXT:
        csvwrite_text(csv, c->s);
        break;
    case CELL_BLOB:
        csvwrite_text(csv, blob_url(w, row, column));
        break;
    }
    if (w->expanded && w->expanded[column])
        csvwrite_text(csv, c->label.p ? c->label : STR(""));
}

static void put_header(struct row_text *w)
{
    struct csvwrite csv;
    if (str_is(request_arg(w->rq, "_header"), "off"))
        return;
    csvwrite_init(&csv, w->out);
    for (size_t i = 0; i < w->rows->column_count; i++) {
        csvwrite_text(&csv, w->rows->columns[i]);
        if (w->expanded && w->expanded[i])
            csvwrite_text(&csv, ARENA_CAT(w->rq->arena, w->rows->columns[i], STR("_label")));
    }
    csvwrite_end(&csv);
}

static void put_rows(struct row_text *w)
{
    struct csvwrite csv;
    csvwrite_init(&csv, w->out);
    for (size_t r = 0; r < w->row_count; r++) {
        for (size_t i = 0; i < w->rows->column_count; i++)
            put_cell(&csv, w, r, i);
        csvwrite_end(&csv);
    }
}

static size_t max_bytes(const struct request *rq)
{
    int64_t mb = rq->site->config.settings.max_csv_mb;
    return mb ? (size_t)mb << 20 : SIZE_MAX;
}

/* A line of its own: half a record could be taken for a whole one. */
static void overflow_line(size_t max, struct buf *out)
{
    size_t end = str_rfind_char(buf_str(out), '\n');
    out->n = end == STR_NPOS ? 0 : end + 1;
    buf_printf(out, "CSV contains more than %zu bytes", max);
}

/* As the address names it, for a table; a query of nobody is named after its database. */
static str file_name(const struct request *rq, str name)
{
    return rq->param_count > 1 ? tilde_encode(rq->arena, name) : link_filename(rq->arena, name);
}

static void headers(struct request *rq, str name)
{
    struct arena *a = rq->arena;
    bool download = request_arg(rq, "_dl").n > 0;
    response_header(rq->response, STR("content-type"),
                    download ? STR("text/csv; charset=utf-8") : STR("text/plain; charset=utf-8"));
    if (download)
        response_header(rq->response, STR("content-disposition"),
                        ARENA_CAT(a, STR("attachment; filename=\""), file_name(rq, name), STR(".csv\"")));
}

const struct row_format csv_format = {
    .name = "CSV",
    .by_row = true,
    .begin = put_header,
    .rows = put_rows,
    .headers = headers,
    .max_bytes = max_bytes,
    .overflow = overflow_line,
};

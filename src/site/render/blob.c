/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/blob.h"

#include "codec/digest.h"
#include "site/links.h"

static const struct cell *find_by_hash(const struct rowset *rows, size_t row_count, size_t column, str hash)
{
    for (size_t r = 0; r < row_count; r++) {
        const struct cell *c = rowset_cell(rows, r, column);
        char hex[DIGEST_HEX_MAX];
        if (c->kind != CELL_BLOB && c->kind != CELL_TEXT)
            continue;
        digest_sha256_hex(c->s, hex);
        if (str_is(hash, hex))
            return c;
    }
    return NULL;
}

enum status blob_respond(struct request *rq, const struct rowset *rows, size_t row_count, str table, str pks,
                         struct err *err)
{
    struct arena *a = rq->arena;
    str name = request_arg(rq, "_blob_column"), hash = request_arg(rq, "_blob_hash");
    if (!name.n)
        return err_set(err, STATUS_INVALID, "?_blob_column= is required");
    size_t column = rowset_column(rows, name);
    if (column == (size_t)-1)
        return err_set(err, STATUS_INVALID, "%.*s is not a valid column", STR_ARG(name));
    if (!row_count)
        return err_set(err, STATUS_NOT_FOUND, "There is no row");
    const struct cell *c = hash.n ? find_by_hash(rows, row_count, column, hash) : rowset_cell(rows, 0, column);
    if (!c)
        return err_set(err, STATUS_INVALID,
                       "Link has expired - the requested binary content has changed or could not be found.");
    str body = c->kind == CELL_NULL ? STR("") : c->kind == CELL_BLOB ? c->s : cell_text(a, c);
    str file = css_class(a, name);
    if (pks.n)
        file = ARENA_CAT(a, css_class(a, table), STR("-"), pks, STR("-"), file);
    if (hash.n)
        file = ARENA_CAT(a, file, STR("-"), str_sub(hash, 0, 6));
    response_header(rq->response, STR("x-content-type-options"), STR("nosniff"));
    response_header(rq->response, STR("content-disposition"),
                    ARENA_CAT(a, STR("attachment; filename=\""), file, STR(".blob\"")));
    respond_text(rq, 200, "application/binary", body);
    return STATUS_OK;
}

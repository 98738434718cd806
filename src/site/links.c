/* SPDX-License-Identifier: Apache-2.0 */
#include "site/links.h"

#include "codec/digest.h"
#include "codec/url.h"

str link_path(const struct request *rq, str path)
{
    if (path.n && path.p[0] == '/')
        path = str_from(path, 1);
    return ARENA_CAT(rq->arena, rq->site->config.settings.base_url, path);
}

str link_database(const struct request *rq, str db)
{
    return link_path(rq, tilde_encode(rq->arena, db));
}

str link_query(const struct request *rq, str db, str sql)
{
    return ARENA_CAT(rq->arena, link_database(rq, db), STR("/-/query?sql="), url_quote_plus(rq->arena, sql));
}

str link_table(const struct request *rq, str db, str table)
{
    return ARENA_CAT(rq->arena, link_database(rq, db), STR("/"), tilde_encode(rq->arena, table));
}

str link_row(const struct request *rq, str db, str table, str path)
{
    return ARENA_CAT(rq->arena, link_table(rq, db, table), STR("/"), path);
}

str link_blob(const struct request *rq, str db, str table, str path, str column)
{
    return ARENA_CAT(rq->arena, link_row(rq, db, table, path), STR(".blob?_blob_column="),
                     url_quote_plus(rq->arena, column));
}

/* path[.format]?query&extra, as Datasette's path_with_format: a path that holds a dot gets _format= instead; the extra
 * arguments come last, by key. */
static str add_format(struct arena *a, str path, str query, str format, const struct arg *extra, size_t extra_count)
{
    bool dotted = str_find_char(path, '.') != STR_NPOS, format_done = !dotted;
    str out = dotted ? path : ARENA_CAT(a, path, STR("."), format);
    str rest = query;
    for (size_t i = 0; i < extra_count; i++) {
        if (!format_done && str_cmp(STR("_format"), extra[i].key) < 0) {
            rest = ARENA_CAT(a, rest, rest.n ? STR("&") : STR(""), STR("_format="), format);
            format_done = true;
        }
        rest = ARENA_CAT(a, rest, rest.n ? STR("&") : STR(""), url_quote_plus(a, extra[i].key), STR("="),
                         url_quote_plus(a, extra[i].value));
    }
    if (!format_done)
        rest = ARENA_CAT(a, rest, rest.n ? STR("&") : STR(""), STR("_format="), format);
    return rest.n ? ARENA_CAT(a, out, STR("?"), rest) : out;
}

str link_with_format(const struct request *rq, str path, str format)
{
    str left, query;
    str_cut(path, '?', &left, &query);
    return add_format(rq->arena, left, query, format, NULL, 0);
}

str link_this_format(const struct request *rq, str format, const struct arg *extra, size_t extra_count)
{
    str path = rq->path;
    if (str_is(rq->format, "csv") && str_ends(path, STR(".csv")))
        path = str_sub(path, 0, path.n - 4);
    return link_path(rq, add_format(rq->arena, path, rq->query_string, format, extra, extra_count));
}

str link_other_format(const struct request *rq, str format, const struct arg *extra, size_t extra_count)
{
    str path = rq->path, suffix = ARENA_CAT(rq->arena, STR("."), rq->format);
    if (str_ends(path, suffix))
        path = str_sub(path, 0, path.n - suffix.n);
    if (format.n)
        return link_path(rq, add_format(rq->arena, path, rq->query_string, format, extra, extra_count));
    path = link_path(rq, path);
    return rq->query_string.n ? ARENA_CAT(rq->arena, path, STR("?"), rq->query_string) : path;
}

str link_this_replaced(const struct request *rq, const char *key, const char *value)
{
    const struct url_pair pair = {str_of(key), str_of(value)};
    return url_with_replaced(rq->arena, link_path(rq, rq->path), rq->query_string, &pair, 1);
}

void row_names(struct arena *a, const struct rowset *rows, size_t row, const str *pks, size_t pk_count, str *ret_path,
               str *ret_title)
{
    static const str rowid = {"rowid", 5};
    str path = {0}, title = {0};
    if (!pk_count) {
        pks = &rowid;
        pk_count = 1;
    }
    for (size_t i = 0; i < pk_count; i++) {
        size_t column = rowset_column(rows, pks[i]);
        const struct cell *c = column == (size_t)-1 ? NULL : rowset_cell(rows, row, column);
        str text = c ? cell_text(a, c) : STR("");
        str encoded = c && c->kind == CELL_INT ? text : tilde_encode(a, text);
        path = i ? ARENA_CAT(a, path, STR(","), encoded) : encoded;
        title = i ? ARENA_CAT(a, title, STR(","), text) : text;
    }
    *ret_path = path;
    *ret_title = title;
}

str row_path(struct arena *a, const struct rowset *rows, size_t row, const str *pks, size_t pk_count)
{
    str path, title;
    row_names(a, rows, row, pks, pk_count, &path, &title);
    return path;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_class_char(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Valid: one or more letters, then letters, digits, "_" and "-". Else: leading "_-" off, white space to "-", other
 * characters out, and a piece of the md5 of the whole name behind it. */
str css_class(struct arena *a, str name)
{
    bool valid = name.n > 0 && is_letter(name.p[0]);
    for (size_t i = 0; valid && i < name.n; i++)
        valid = is_class_char(name.p[i]);
    if (valid)
        return name;
    char md5[DIGEST_HEX_MAX];
    digest_md5_hex(name, md5);
    size_t from = 0;
    while (from < name.n && (name.p[from] == '_' || name.p[from] == '-'))
        from++;
    char *out = arena_alloc_raw(a, name.n + 1);
    size_t n = 0;
    bool space = false;
    str rest = str_trim(str_from(name, from));
    for (size_t i = 0; i < rest.n; i++) {
        char c = rest.p[i];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            space = true;
            continue;
        }
        if (space)
            out[n++] = '-';
        space = false;
        if (is_class_char(c))
            out[n++] = c;
    }
    if (space)
        out[n++] = '-';
    str clean = str_make(out, n);
    return n ? ARENA_CAT(a, clean, STR("-"), str_make(md5, 6)) : arena_str(a, str_make(md5, 6));
}

str link_filename(struct arena *a, str name)
{
    char *out = arena_cstr(a, name);
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)out[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            out[i] = '_';
    }
    return str_make(out, name.n);
}

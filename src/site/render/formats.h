/* SPDX-License-Identifier: Apache-2.0 */
/* formats: what tables, views, queries and rows can be had as, by the extension of the address. One table: the views
 * ask it what an extension means, the pages which links to show. */
#ifndef VITRINE_SITE_RENDER_FORMATS_H
#define VITRINE_SITE_RENDER_FORMATS_H

#include "site/render/row_stream.h"

/* What a format makes its answer of: rows that are there. */
struct export
{
    struct request *rq;
    const struct rowset *rows;
    size_t row_count;
    const struct schema_table *table; /* NULL for queries */
    struct table_page *page;          /* NULL for queries and rows */
    str name;                         /* of the table or query; of the database for custom SQL */
    str title;                        /* configured title of a stored query; empty = none */
    str sql;
    bool is_stored; /* a stored query, which is configuration and may be trusted more */
};

enum format_fit {
    FORMAT_UNFIT,   /* the columns do not serve: no link */
    FORMAT_FITS,    /* they do */
    FORMAT_MADE_FOR /* they were named for it: the link is on Datasette's own list too */
};

struct format {
    const char *extension;
    const char *help;                                                /* one line for the reference */
    enum format_fit (*fits)(const str *columns, size_t count);       /* NULL = never in the list of links */
    const struct row_format *rows;                                   /* written row by row, or ... */
    enum status (*respond)(const struct export *x, struct err *err); /* ... whole; both NULL: the view itself does */
};

extern const struct format formats[];
extern const size_t format_count;

const struct format *format_find(str extension); /* NULL = none */
/* INVALID with the list of formats. */
enum status format_require(str extension, const struct format **ret, struct err *err) MUST_USE;
/* DICT name -> address of this page in every format that fits; `all` false: only what was made for the columns. */
struct value format_links(struct request *rq, const str *columns, size_t count, bool labels, bool all);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* links: every URL the site makes, with base_url in front and names tilde-encoded. Pure; results live in the arena. */
#ifndef VITRINE_SITE_LINKS_H
#define VITRINE_SITE_LINKS_H

#include "site/fetch.h"
#include "site/request.h"

str link_path(const struct request *rq, str path); /* "/x" or "x" -> base_url + "x" */
str link_database(const struct request *rq, str db);
str link_query(const struct request *rq, str db, str sql); /* custom SQL page */
str link_table(const struct request *rq, str db, str table);
str link_row(const struct request *rq, str db, str table, str row_path);
str link_blob(const struct request *rq, str db, str table, str row_path, str column);
/* Adds ".format", or _format=... when the path already holds a dot, and keeps the query string. */
str link_with_format(const struct request *rq, str path, str format);
/* This page (raw path and query string) in another format with extra arguments behind its own, by key. */
str link_this_format(const struct request *rq, str format, const struct arg *extra, size_t extra_count);
/* The same without the extension this page has itself; format empty = the HTML page. */
str link_other_format(const struct request *rq, str format, const struct arg *extra, size_t extra_count);
/* This page, extension and all, with one argument in place of any other of that name. */
str link_this_replaced(const struct request *rq, const char *key, const char *value);

/* "a,b~2Fc": the tilde-encoded values of the primary key columns of one row, comma-joined; the rowid without pks. */
str row_path(struct arena *a, const struct rowset *rows, size_t row, const str *pks, size_t pk_count);
/* The path, and the title: the same values as text for people, not encoded. */
void row_names(struct arena *a, const struct rowset *rows, size_t row, const str *pks, size_t pk_count, str *ret_path,
               str *ret_title);
/* A name inside a quoted filename="..." parameter: quotes, backslashes, control and non-ASCII bytes become "_". */
str link_filename(struct arena *a, str name);
/* CSS class form of a name: unchanged when valid, else cleaned + "-" + 6 hex digits of its md5. */
str css_class(struct arena *a, str name);

#endif

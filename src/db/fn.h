/* SPDX-License-Identifier: Apache-2.0 */
/* fn: what the files that implement SQL functions share. Private to db. */
#ifndef VITRINE_DB_FN_H
#define VITRINE_DB_FN_H

#include <sqlite3.h>

#include "base/buf.h"

#define FN(name) void name(sqlite3_context *ctx, int argc, sqlite3_value **argv)

str fn_argument(sqlite3_value *v);                          /* its text; valid until the value changes */
void fn_result(sqlite3_context *ctx, struct buf *own_text); /* "string or blob too big" when it is over */

/* fn_regexp.c: sqlite3_user_data is the struct conn */
FN(fn_regexp);
FN(fn_regexp_match);
FN(fn_regexp_replace);
FN(fn_regexp_count);

/* fn_text.c: sqlite3_user_data is the row of the table named */
enum url_part { URL_SCHEME, URL_HOST, URL_PORT, URL_PATH, URL_QUERY, URL_FRAGMENT, URL_PARTS };
extern const enum url_part url_parts[URL_PARTS];
FN(fn_url_part);
FN(fn_url_query_value);
FN(fn_url_escape);
FN(fn_url_unescape);
FN(fn_urllib_quote_plus);
struct fn_hash {
    void (*hex)(str s, char *out);
};
extern const struct fn_hash hashes[3]; /* MD5, SHA-1, SHA-256 */
FN(fn_hash);
FN(fn_levenshtein);
FN(fn_render_markdown);

#endif

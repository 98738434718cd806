/* SPDX-License-Identifier: Apache-2.0 */
/* page: what the edge itself answers, as a page for browsers, as JSON for programs, as a line of text for the rest.
 *
 * It says what happened, since when, and what to do. What an app wrote, its command or its addresses never stand here:
 * `vitrine status` shows them to whoever runs the edge. Pure functions; nothing blocks. */
#ifndef VITRINE_EDGE_PAGE_H
#define VITRINE_EDGE_PAGE_H

#include "base/buf.h"

enum page_form { PAGE_TEXT, PAGE_HTML, PAGE_JSON };
struct edge_page {
    int status;
    const char *title;         /* a few words; NULL = the status' own */
    const char *text, *remedy; /* sentences; "" = none */
    str message;               /* of whoever stopped the site; empty = none */
    int64_t since_unix_s;      /* when it began; 0 = not said */
    int64_t retry_s;           /* when to ask again; 0 = not said */
};
enum page_form page_form_for(str accept); /* an Accept field; empty = none was sent */
str page_type(enum page_form form);       /* for Content-Type */
void page_put(struct buf *out, const struct edge_page *p, enum page_form form, int64_t now_unix_s);

#endif

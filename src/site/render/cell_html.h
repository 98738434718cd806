/* SPDX-License-Identifier: Apache-2.0 */
/* cell_html: texts of cells that are shown as more than text: Markdown, links and images written as JSON, JSON set out
 * in lines. What is on is decided once a page, by plugin configuration of the names that users of Datasette know. */
#ifndef VITRINE_SITE_RENDER_CELL_HTML_H
#define VITRINE_SITE_RENDER_CELL_HTML_H

#include "codec/markdown.h"
#include "site/fetch.h"

struct cell_html {
    struct arena *arena;
    bool json_html, pretty_json, markdown;
    struct value columns, patterns; /* LISTs of Markdown columns; UNDEFINED = none, "*_markdown" */
    struct html_extra extra;
    unsigned flags;
    size_t budget; /* bytes of Markdown that this page may still render */
};

/* `table` empty: query results. */
void cell_html_init(struct cell_html *h, const struct request *rq, str table);
bool cell_html_is_markdown(const struct cell_html *h, str column);
/* HTML of a text cell, p == NULL when it is plain. `markdown`: what cell_html_is_markdown() said of its column. */
str cell_html(struct cell_html *h, bool markdown, str text);
/* SAFE: the HTML in the <div> that the style sheet knows. */
struct value cell_html_markdown(struct arena *a, str text, const struct html_extra *extra, unsigned flags);
/* extensions, extra_tags (LISTs), extra_attrs (DICT tag -> LIST) as the plugin configuration and render_markdown() have
 * them. Unknown names are left out. */
unsigned cell_html_options(struct arena *a, struct value extensions, struct value tags, struct value attrs,
                           struct html_extra *ret);

#endif

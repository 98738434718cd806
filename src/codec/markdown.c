/* SPDX-License-Identifier: Apache-2.0 */
/* markdown — libcmark-gfm keeps the special characters of its extensions in global tables that each parse sets and
 * clears again, so parses take turns; rendering and cleaning do not. Its output with raw HTML goes through html_clean:
 * what is safe is decided there and nowhere else. Tests: tests/unit/codec/test_html_clean.c */
#include "codec/markdown.h"

#include <cmark-gfm-core-extensions.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"
#include "codec/html_escape.h"

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static const struct {
    const char *name;
    unsigned flag;
    int option;
} extensions[] = {
    {"nl2br", MARKDOWN_LINE_BREAKS, CMARK_OPT_HARDBREAKS},
    {"footnotes", MARKDOWN_FOOTNOTES, CMARK_OPT_FOOTNOTES},
    {"smarty", MARKDOWN_SMART, CMARK_OPT_SMART},
};

unsigned markdown_extension(str name)
{
    if (str_starts(name, STR("markdown.extensions.")))
        name = str_from(name, sizeof "markdown.extensions." - 1);
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
        if (str_is(name, extensions[i].name))
            return extensions[i].flag;
    return 0;
}

static char *render(str text, int options)
{
    static const char *const always[] = {"table", "strikethrough", "autolink"};
    pthread_mutex_lock(&turn);
    cmark_gfm_core_extensions_ensure_registered();
    cmark_parser *p = cmark_parser_new(options);
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        cmark_parser_attach_syntax_extension(p, cmark_find_syntax_extension(always[i]));
    cmark_parser_feed(p, text.p, text.n);
    cmark_node *root = cmark_parser_finish(p);
    char *html = cmark_render_html(root, options, cmark_parser_get_syntax_extensions(p));
    cmark_node_free(root);
    cmark_parser_free(p);
    pthread_mutex_unlock(&turn);
    return html;
}

void markdown_html(struct buf *out, str text, const struct html_extra *extra, unsigned flags)
{
    int options = CMARK_OPT_UNSAFE | CMARK_OPT_VALIDATE_UTF8;
    if (text.n > LIMIT_MARKDOWN) {
        buf_puts(out, STR("<pre>"));
        html_escape(out, text);
        buf_puts(out, STR("</pre>"));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
        options |= flags & extensions[i].flag ? extensions[i].option : 0;
    char *html = render(text, options);
    html_clean(out, str_of(html), extra);
    free(html);
}

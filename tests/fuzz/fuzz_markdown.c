/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as HTML and as Markdown: every "<" of what comes out begins or ends a tag that the list has, and cleaning
 * what is clean changes nothing. */
#include <stdlib.h>

#include "base/arena.h"
#include "codec/markdown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tags(str html)
{
    size_t at;
    while ((at = str_find_char(html, '<')) != STR_NPOS) {
        html = str_from(html, at + 1);
        if (html.n && html.p[0] == '/')
            html = str_from(html, 1);
        size_t n = 0;
        while (n < html.n && ((html.p[n] >= 'a' && html.p[n] <= 'z') || (html.p[n] >= '0' && html.p[n] <= '9')))
            n++;
        if (!html_tag_harmless(str_sub(html, 0, n)))
            abort();
        size_t end = str_find_char(html, '>');
        str inside = str_sub(html, n, end);
        if (end == STR_NPOS || str_find(inside, STR(" on")) == 0 || str_find(inside, STR("style=")) != STR_NPOS)
            if (end == STR_NPOS || str_find_char(inside, '"') == STR_NPOS)
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = str_make((const char *)data, size);
    struct buf once, twice;
    buf_init(&once, 1u << 24);
    buf_init(&twice, 1u << 24);
    html_clean(&once, text, NULL);
    check_tags(buf_str(&once));
    html_clean(&twice, buf_str(&once), NULL);
    check_tags(buf_str(&twice));
    buf_clear(&once);
    markdown_html(&once, text, NULL, (unsigned)(size % 8));
    check_tags(buf_str(&once));
    buf_release(&once);
    buf_release(&twice);
    return 0;
}

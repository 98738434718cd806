/* SPDX-License-Identifier: Apache-2.0 */
/* markdown: CommonMark with GitHub's tables, strikethrough and bare links, by libcmark-gfm, as safe HTML. */
#ifndef VITRINE_CODEC_MARKDOWN_H
#define VITRINE_CODEC_MARKDOWN_H

#include "codec/html_clean.h"

enum markdown_flags {
    MARKDOWN_LINE_BREAKS = 1, /* a line's end is a <br> */
    MARKDOWN_FOOTNOTES = 2,
    MARKDOWN_SMART = 4 /* curly quotes, dashes */
};

/* Appends the HTML of `text`; a text larger than LIMIT_MARKDOWN comes as it is, escaped, in a <pre>. HTML inside it
 * passes html_clean. `extra` may be NULL. What does not fit sets out->over. Any thread; one at a time parses. */
void markdown_html(struct buf *out, str text, const struct html_extra *extra, unsigned flags);
/* Flag of an extension's name as Python-Markdown has it ("nl2br", "footnotes", "smarty"); 0 for what is always on. */
unsigned markdown_extension(str name);

#endif

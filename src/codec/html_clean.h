/* SPDX-License-Identifier: Apache-2.0 */
/* html_clean: HTML from outside made safe to show, by an allow list.
 *
 * Tags of the list come out again in one canonical form, balanced; every other "<" becomes text. So the output holds no
 * markup that this file did not write. Attributes of the list are kept, links only to http, https, mailto or relative
 * addresses. No scripts, styles, forms, frames, event handlers. Comments go. Pure; linear time; any thread. */
#ifndef VITRINE_CODEC_HTML_CLEAN_H
#define VITRINE_CODEC_HTML_CLEAN_H

#include "base/buf.h"

/* What configuration allows besides the list, by name; only what is harmless counts (html_tag_harmless). */
struct html_extra {
    const str *tags;
    size_t tag_count;
    const str *attrs; /* pairs: tag, attribute */
    size_t attr_count;
};

/* `extra` may be NULL. What does not fit sets out->over. */
void html_clean(struct buf *out, str html, const struct html_extra *extra);
/* An address that a link or an image may have: http, https, mailto or relative, no control characters. */
bool html_url_ok(str url);
/* May configuration allow it at all? */
bool html_tag_harmless(str tag);
bool html_attr_harmless(str attr);

#endif

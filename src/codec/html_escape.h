/* SPDX-License-Identifier: Apache-2.0 */
/* html_escape: & < > " ' as &amp; &lt; &gt; &#34; &#39; (what markupsafe writes). Safe in element content and in quoted
 * attributes. Works on bytes, so UTF-8 passes as it is, ill-formed or not. Cost: 8 bytes a step where nothing needs
 * escaping. Any thread. */
#ifndef VITRINE_CODEC_HTML_ESCAPE_H
#define VITRINE_CODEC_HTML_ESCAPE_H

#include "base/arena.h"
#include "base/buf.h"

void html_escape(struct buf *out, str s);
str html_escape_arena(struct arena *a, str s); /* s itself (no copy) when nothing needs escaping */

#endif

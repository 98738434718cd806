/* SPDX-License-Identifier: Apache-2.0 */
/* names: identifiers in SQL text, as Datasette writes them. */
#ifndef VITRINE_CODEC_NAMES_H
#define VITRINE_CODEC_NAMES_H

#include "base/arena.h"
#include "base/buf.h"

bool name_is_bare(str name); /* ^[A-Za-z_][A-Za-z0-9_]*$ and no reserved word */
/* Bare when it may be, else [name]; a name that holds ']' (which brackets cannot say) becomes "name" with doubled
 * quotes. A NUL byte ends an SQL text: names that hold one cannot be used in SQL at all. */
void name_escape(struct buf *out, str name);
bool name_is_reserved(str word);            /* any case; Datasette's list */
void name_quote(struct buf *out, str name); /* always "name" */
str name_quoted(struct arena *a, str name);
void text_literal(struct buf *out, str text); /* 'text' */
str text_quoted(struct arena *a, str text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* csvwrite: one CSV field, quoted the way Python's csv module does by default (RFC 4180): only when it must be. */
#ifndef VITRINE_CODEC_CSVWRITE_H
#define VITRINE_CODEC_CSVWRITE_H

#include "base/buf.h"

void csvwrite_field(struct buf *out, str s);
/* A whole record of text fields with CRLF; a record of one empty field is written as "". */
void csvwrite_record(struct buf *out, const str *fields, size_t count);

#endif

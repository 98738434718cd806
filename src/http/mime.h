/* SPDX-License-Identifier: Apache-2.0 */
/* mime: media types by file extension. Pure; any thread. */
#ifndef VITRINE_HTTP_MIME_H
#define VITRINE_HTTP_MIME_H

#include "base/str.h"

/* Content-Type for a file name, with charset for text: "text/css; charset=utf-8"; "application/octet-stream" when
 * unknown. */
str mime_of_path(str path);
/* Worth compressing: text, JSON, JavaScript, XML, SVG, fonts that are not compressed, wasm. Parameters are ignored. */
bool mime_compressible(str content_type);

#endif

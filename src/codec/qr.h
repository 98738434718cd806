/* SPDX-License-Identifier: Apache-2.0 */
/* qr: a text as a QR code (ISO/IEC 18004), drawn as SVG by libqrencode's matrix. Any thread. */
#ifndef VITRINE_CODEC_QR_H
#define VITRINE_CODEC_QR_H

#include "base/arena.h"
#include "base/err.h"

/* An <svg> element of its own size with the quiet zone of four modules, black on white whatever the page's colours,
 * named `label` for those who cannot see it. Error correction M. TOO_LARGE: more than LIMIT_QR_TEXT bytes. */
enum status qr_svg(struct arena *a, str text, str label, str *ret, struct err *err) MUST_USE;

#endif

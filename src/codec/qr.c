/* SPDX-License-Identifier: Apache-2.0 */
#include <qrencode.h>

#include "codec/qr.h"

#include <errno.h>

#include "base/limits.h"
#include "codec/html_escape.h"

#define QUIET   4             /* modules of white around it (section 5.3.8) */
#define SVG_MAX (1024 * 1024) /* of the largest code that LIMIT_QR_TEXT allows; it needs 60 KiB */

/* One path of horizontal runs: "M x y h n v1 h-n z" each. Modules are the lowest bit of a byte. */
static void put_runs(struct buf *out, const QRcode *code)
{
    for (int y = 0; y < code->width; y++) {
        const unsigned char *row = code->data + (size_t)y * (size_t)code->width;
        for (int x = 0, n; x < code->width; x += n) {
            for (n = 1; x + n < code->width && (row[x + n] & 1) == (row[x] & 1);)
                n++;
            if (row[x] & 1)
                buf_printf(out, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, n, n);
        }
    }
}

enum status qr_svg(struct arena *a, str text, str label, str *ret, struct err *err)
{
    if (!text.n || text.n > LIMIT_QR_TEXT)
        return err_set(err, STATUS_TOO_LARGE, "a QR code holds 1 to %d bytes here, not %zu", LIMIT_QR_TEXT, text.n);
    QRcode *code = QRcode_encodeData((int)text.n, (const unsigned char *)text.p, 0, QR_ECLEVEL_M);
    if (!code)
        return err_sys(err, STATUS_IO, errno, "the QR code could not be made");
    struct buf out;
    buf_init(&out, SVG_MAX);
    int side = code->width + 2 * QUIET;
    buf_printf(&out,
               "<svg class=\"qr\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"",
               side, side);
    html_escape(&out, label);
    buf_printf(&out, "\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path fill=\"#000\" d=\"", side, side);
    put_runs(&out, code);
    buf_puts(&out, STR("\"/></svg>"));
    QRcode_free(code);
    ASSERT(!out.over);
    *ret = arena_str(a, buf_str(&out));
    buf_release(&out);
    return STATUS_OK;
}

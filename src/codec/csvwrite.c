/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/csvwrite.h"

#include <math.h>

#include "codec/jwrite.h"
#include "codec/scan.h"

static bool needs_quotes(str s)
{
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w = scan_load(s.p + i);
        if (scan_is(w, '"') | scan_is(w, ',') | scan_is(w, '\n') | scan_is(w, '\r'))
            return true;
    }
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (c == '"' || c == ',' || c == '\n' || c == '\r')
            return true;
    }
    return false;
}

void csvwrite_field(struct buf *out, str s)
{
    if (!needs_quotes(s)) {
        buf_puts(out, s);
        return;
    }
    buf_putc(out, '"');
    while (s.n) { /* up to and with the next quote, which is then written once more */
        const char *quote = memchr(s.p, '"', s.n);
        size_t n = quote ? (size_t)(quote - s.p) + 1 : s.n;
        buf_put(out, s.p, n);
        if (quote)
            buf_putc(out, '"');
        s = str_from(s, n);
    }
    buf_putc(out, '"');
}

/* ---- records of fields of all kinds ------------------------------------------------------------------------- */

void csvwrite_init(struct csvwrite *w, struct buf *out)
{
    *w = (struct csvwrite){.out = out};
}

static void before_field(struct csvwrite *w, bool empty)
{
    w->blank = empty && w->fields == 0;
    if (w->fields++)
        buf_putc(w->out, ',');
}

void csvwrite_text(struct csvwrite *w, str s)
{
    before_field(w, s.n == 0);
    csvwrite_field(w->out, s);
}

void csvwrite_null(struct csvwrite *w)
{
    before_field(w, true);
}

void csvwrite_i64(struct csvwrite *w, int64_t i)
{
    before_field(w, false);
    buf_put_i64(w->out, i);
}

static void put_double(struct buf *out, double f)
{
    if (isfinite(f))
        jwrite_put_double(out, f);
    else
        buf_puts(out, isnan(f) ? STR("nan") : f < 0 ? STR("-inf") : STR("inf"));
}

void csvwrite_f64(struct csvwrite *w, double f)
{
    before_field(w, false);
    put_double(w->out, f);
}

void csvwrite_end(struct csvwrite *w)
{
    buf_puts(w->out, w->blank ? STR("\"\"\r\n") : STR("\r\n"));
    w->fields = 0;
    w->blank = false;
}

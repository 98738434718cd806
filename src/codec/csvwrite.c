/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/csvwrite.h"

static bool needs_quotes(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (UNLIKELY(c == '"' || c == ',' || c == '\n' || c == '\r'))
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
    size_t from = 0;
    buf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') {
            buf_put(out, s.p + from, i - from + 1);
            from = i;
        }
    }
    buf_put(out, s.p + from, s.n - from);
    buf_putc(out, '"');
}

void csvwrite_record(struct buf *out, const str *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_putc(out, ',');
        csvwrite_field(out, fields[i]);
    }
    if (count == 1 && !fields[0].n)
        buf_puts(out, STR("\"\""));
    buf_puts(out, STR("\r\n"));
}

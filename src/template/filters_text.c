/* SPDX-License-Identifier: Apache-2.0 */
/* filters_text — filters that cut, pad and lay out texts. */
#include "base/utf8.h"
#include "codec/html_escape.h"
#include "template/filters.h"

F(truncate)
{
    struct value length = eval_arg(args, 0, "length"), kill = eval_arg(args, 1, "killwords");
    struct value end = eval_arg(args, 2, "end"), leeway = eval_arg(args, 3, "leeway");
    str s = value_text(ev, in), tail = value_is_text(end) ? end.s : STR("...");
    int64_t n = length.kind == VALUE_INT ? length.i : 255, slack = leeway.kind == VALUE_INT ? leeway.i : 5;
    *ret = in.kind == VALUE_SAFE ? in : value_str(s);
    if ((int64_t)utf8_count(s) <= n + slack)
        return STATUS_OK;
    int64_t keep = n - (int64_t)utf8_count(tail);
    str cut = str_sub(s, 0, utf8_offset(s, keep > 0 ? (size_t)keep : 0));
    size_t space = str_rfind_char(cut, ' ');
    if (!value_truth(kill) && space != STR_NPOS)
        cut = str_sub(cut, 0, space);
    struct value both[2] = {in.kind == VALUE_SAFE ? value_safe(cut) : value_str(cut), value_str(tail)};
    *ret = op_concat(ev, both, 2);
    return STATUS_OK;
}

F(wordcount)
{
    struct value words;
    bool found;
    struct value_args none = {0};
    (void)args;
    method_call(ev, value_str(value_text(ev, in)), STR("split"), &none, &words, &found);
    *ret = value_int((int64_t)value_count(words));
    return ev->status;
}

F(center)
{
    struct value width = eval_arg(args, 0, "width");
    struct value_args one = {.positional = &in, .count = 1};
    str fmt = arena_printf(ev->arena, "{:^%lld}", (long long)(width.kind == VALUE_INT ? MIN(width.i, 1000) : 80));
    in = value_str(value_text(ev, in));
    format_braces(ev, fmt, false, &one, ret);
    return ev->status;
}

F(indent)
{
    struct value width = eval_arg(args, 0, "width"), first = eval_arg(args, 1, "first"),
                 blank = eval_arg(args, 2, "blank");
    str s = value_text(ev, in), line;
    struct buf b;
    buf_init(&b, ev->out->max);
    bool start = true;
    while (s.n || start) {
        bool more = str_cut(s, '\n', &line, &s);
        if ((!start || value_truth(first)) && (line.n || value_truth(blank)))
            for (int64_t i = 0; i < (width.kind == VALUE_INT ? MIN(width.i, 200) : 4); i++)
                buf_putc(&b, ' ');
        buf_puts(&b, line);
        if (more)
            buf_putc(&b, '\n');
        start = false;
    }
    *ret = in.kind == VALUE_SAFE ? value_safe(arena_str(ev->arena, buf_str(&b)))
                                 : value_str(arena_str(ev->arena, buf_str(&b)));
    buf_release(&b);
    return STATUS_OK;
}

F(filesizeformat)
{
    bool binary = value_truth(eval_arg(args, 0, "binary"));
    static const char *const decimal[] = {"kB", "MB", "GB", "TB", "PB"}, *const bin[] = {"KiB", "MiB", "GiB", "TiB",
                                                                                         "PiB"};
    double n = in.kind == VALUE_INT ? (double)in.i : in.kind == VALUE_FLOAT ? in.f : 0, base = binary ? 1024 : 1000;
    if (n < base) {
        *ret = value_str(arena_printf(ev->arena, n == 1 ? "1 Byte" : "%.0f Bytes", n));
        return STATUS_OK;
    }
    size_t unit = 0;
    n /= base;
    while (n >= base && unit + 1 < ARRAY_LEN(decimal)) {
        n /= base;
        unit++;
    }
    *ret = value_str(arena_printf(ev->arena, "%.1f %s", n, binary ? bin[unit] : decimal[unit]));
    return STATUS_OK;
}

F(xmlattr)
{
    struct buf b;
    (void)args;
    buf_init(&b, ev->out->max);
    for (size_t i = 0; in.kind == VALUE_DICT && i < in.dict->count; i++) {
        if (value_is_null(in.dict->entries[i].value))
            continue;
        buf_putc(&b, ' ');
        html_escape(&b, in.dict->entries[i].key);
        buf_puts(&b, STR("=\""));
        buf_puts(&b, value_html(ev, in.dict->entries[i].value));
        buf_putc(&b, '"');
    }
    *ret = value_safe(arena_str(ev->arena, buf_str(&b)));
    buf_release(&b);
    return STATUS_OK;
}

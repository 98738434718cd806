/* SPDX-License-Identifier: Apache-2.0 */
/* format — str.format() and % of Python, as far as templates use them: fields by order, number and name; fill, align,
 * sign, zero padding, width, thousands separators, precision and the types d s f F e g x X o b %. */
#include "template/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

#define WIDTH_MAX 1000

struct spec {
    str fill;
    char align, sign, type, group;
    bool zero;
    int width, precision; /* precision -1 = none */
};

static void parse_spec(str s, struct spec *f)
{
    size_t i = 0, len;
    *f = (struct spec){.fill = STR(" "), .precision = -1};
    if (s.n) {
        utf8_decode(s, &len);
        if (s.n > len && strchr("<>^=", s.p[len])) {
            f->fill = str_sub(s, 0, len);
            f->align = s.p[len];
            i = len + 1;
        } else if (strchr("<>^=", s.p[0])) {
            f->align = s.p[0];
            i = 1;
        }
    }
    if (i < s.n && strchr("+- ", s.p[i]))
        f->sign = s.p[i++];
    if (i < s.n && s.p[i] == '0') {
        f->zero = true;
        i++;
    }
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && f->width < WIDTH_MAX)
        f->width = f->width * 10 + (s.p[i++] - '0');
    if (i < s.n && (s.p[i] == ',' || s.p[i] == '_'))
        f->group = s.p[i++];
    if (i < s.n && s.p[i] == '.') {
        f->precision = 0;
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && f->precision < WIDTH_MAX; i++)
            f->precision = f->precision * 10 + (s.p[i] - '0');
    }
    if (i < s.n)
        f->type = s.p[i];
}

static void pad(struct buf *out, const struct spec *f, str sign, str body, char default_align)
{
    int used = (int)(sign.n + utf8_count(body)), room = f->width > used ? f->width - used : 0;
    char align = f->align ? f->align : f->zero && default_align == '>' ? '=' : default_align;
    str fill = f->zero && !f->align ? STR("0") : f->fill;
    int before = align == '>' ? room : align == '^' ? room / 2 : 0;
    for (int i = 0; i < before; i++)
        buf_puts(out, fill);
    buf_puts(out, sign);
    for (int i = 0; align == '=' && i < room; i++)
        buf_puts(out, fill);
    buf_puts(out, body);
    for (int i = 0; align != '=' && i < room - before; i++)
        buf_puts(out, fill);
}

static str group_digits(struct arena *a, str digits, char group)
{
    size_t whole = 0, n = 0;
    while (whole < digits.n && digits.p[whole] >= '0' && digits.p[whole] <= '9')
        whole++;
    char *out = arena_alloc_raw(a, digits.n + whole / 3 + 2);
    for (size_t i = 0; i < digits.n; i++) {
        if (i && i < whole && (whole - i) % 3 == 0)
            out[n++] = group;
        out[n++] = digits.p[i];
    }
    return str_make(out, n);
}

static str number_text(struct arena *a, const struct spec *f, double x)
{
    int precision = f->precision < 0 ? 6 : f->precision;
    switch (f->type) {
    case 'e':
        return arena_printf(a, "%.*e", precision, x);
    case 'E':
        return arena_printf(a, "%.*E", precision, x);
    case 'g':
        return arena_printf(a, "%.*g", precision, x);
    case '%':
        return arena_printf(a, "%.*f%%", precision, x * 100);
    case 'f':
    case 'F':
        return arena_printf(a, "%.*f", precision, x);
    default:
        return f->precision < 0 ? value_to_str(a, value_float(x)) : arena_printf(a, "%.*g", precision, x);
    }
}

static str int_text(struct arena *a, char type, uint64_t v)
{
    if (type == 'x')
        return arena_printf(a, "%llx", (unsigned long long)v);
    if (type == 'X')
        return arena_printf(a, "%llX", (unsigned long long)v);
    if (type == 'o')
        return arena_printf(a, "%llo", (unsigned long long)v);
    if (type == 'b') {
        char bits[65];
        size_t at = 64;
        do
            bits[--at] = (char)('0' + (v & 1));
        while (v >>= 1);
        return arena_str(a, str_make(bits + at, 64 - at));
    }
    return arena_printf(a, "%llu", (unsigned long long)v);
}

static void format_value(struct eval *ev, struct buf *out, const struct spec *f, struct value v, bool safe)
{
    bool real = f->type && strchr("eEfFg%", f->type);
    if (v.kind == VALUE_BOOL && f->type)
        v = value_int(v.b);
    if (v.kind == VALUE_INT && !real && f->type != 's') {
        str digits = int_text(ev->arena, f->type, v.i < 0 ? 0 - (uint64_t)v.i : (uint64_t)v.i);
        str sign = v.i < 0 ? STR("-") : f->sign == '+' ? STR("+") : f->sign == ' ' ? STR(" ") : STR("");
        pad(out, f, sign, f->group ? group_digits(ev->arena, digits, f->group) : digits, '>');
    } else if (v.kind == VALUE_INT || v.kind == VALUE_FLOAT) {
        double x = v.kind == VALUE_INT ? (double)v.i : v.f;
        str digits = number_text(ev->arena, f, fabs(x));
        str sign = signbit(x) ? STR("-") : f->sign == '+' ? STR("+") : f->sign == ' ' ? STR(" ") : STR("");
        pad(out, f, sign, f->group ? group_digits(ev->arena, digits, f->group) : digits, '>');
    } else {
        str s = safe ? value_html(ev, v) : value_text(ev, v);
        if (f->precision >= 0)
            s = str_sub(s, 0, utf8_offset(s, (size_t)f->precision));
        pad(out, f, STR(""), s, '<');
    }
}

/* "0.name[key]" */
static struct value field(struct eval *ev, str name, const struct value_args *args, size_t *next)
{
    size_t end = 0;
    int64_t index;
    while (end < name.n && name.p[end] != '.' && name.p[end] != '[')
        end++;
    str head = str_sub(name, 0, end);
    struct value v = VALUE_UNDEF;
    if (!head.n)
        v = eval_arg(args, (*next)++, NULL);
    else if (str_to_i64(head, &index))
        v = index >= 0 ? eval_arg(args, (size_t)index, NULL) : VALUE_UNDEF;
    else
        for (size_t i = 0; i < args->keyword_count; i++)
            if (str_eq(args->keywords[i].key, head))
                v = args->keywords[i].value;
    str rest = str_from(name, end);
    while (rest.n) {
        bool item = rest.p[0] == '[';
        size_t stop = 1;
        while (stop < rest.n && rest.p[stop] != '.' && rest.p[stop] != '[' && rest.p[stop] != ']')
            stop++;
        str key = str_sub(rest, 1, stop);
        struct value of = v;
        v = VALUE_UNDEF;
        if (item && str_to_i64(key, &index))
            op_item(ev, of, value_int(index), &v);
        else
            op_attr(ev, of, key, &v);
        rest = str_from(rest, stop + item);
    }
    return v;
}

bool format_braces(struct eval *ev, str fmt, bool safe, const struct value_args *args, struct value *ret)
{
    struct buf out;
    size_t next = 0;
    buf_init(&out, ev->out->max);
    for (size_t i = 0; i < fmt.n; i++) {
        char c = fmt.p[i];
        if ((c == '{' || c == '}') && i + 1 < fmt.n && fmt.p[i + 1] == c) {
            buf_putc(&out, c);
            i++;
            continue;
        }
        if (c != '{') {
            buf_putc(&out, c);
            continue;
        }
        size_t end = str_find_char(str_from(fmt, i), '}');
        if (end == STR_NPOS) {
            buf_release(&out);
            return run_fail(ev, ev->node, STATUS_INVALID, "the format '%.*s' has an open brace", STR_ARG(fmt));
        }
        str inside = str_sub(fmt, i + 1, i + end), name, text;
        struct spec f;
        str_cut(inside, ':', &name, &text);
        size_t bang = str_find_char(name, '!');
        if (bang != STR_NPOS)
            name = str_sub(name, 0, bang);
        parse_spec(text, &f);
        format_value(ev, &out, &f, field(ev, name, args, &next), safe);
        i += end;
    }
    str s = arena_str(ev->arena, buf_str(&out));
    buf_release(&out);
    *ret = safe ? value_safe(s) : value_str(s);
    return true;
}

bool format_percent(struct eval *ev, str fmt, bool safe, struct value arg, struct value *ret)
{
    struct buf out;
    size_t next = 0;
    struct value list = arg;
    if (!(arg.kind == VALUE_LIST && arg.tuple)) {
        list = value_list(ev->arena);
        value_push(list, arg);
    }
    buf_init(&out, ev->out->max);
    for (size_t i = 0; i < fmt.n; i++) {
        if (fmt.p[i] != '%') {
            buf_putc(&out, fmt.p[i]);
            continue;
        }
        if (i + 1 < fmt.n && fmt.p[i + 1] == '%') {
            buf_putc(&out, '%');
            i++;
            continue;
        }
        struct value v = VALUE_UNDEF;
        bool named = i + 1 < fmt.n && fmt.p[i + 1] == '(';
        if (named) {
            size_t end = str_find_char(str_from(fmt, i), ')');
            if (end == STR_NPOS)
                break;
            v = value_get(arg, str_sub(fmt, i + 2, i + end));
            i += end;
        }
        size_t from = i + 1;
        while (i + 1 < fmt.n && strchr("-+ 0#123456789.", fmt.p[i + 1]))
            i++;
        struct spec f;
        str flags = str_sub(fmt, from, i + 1);
        bool left = flags.n && flags.p[0] == '-';
        parse_spec(left ? str_from(flags, 1) : flags, &f);
        if (left)
            f.align = '<';
        f.type = i + 1 < fmt.n ? fmt.p[++i] : 's';
        if (f.type == 'i')
            f.type = 'd';
        if (f.type == 's' && !f.align)
            f.align = '>';
        if (!named)
            v = value_at(list, next++);
        if (f.type == 'd' && v.kind == VALUE_FLOAT)
            v = value_int((int64_t)v.f);
        format_value(ev, &out, &f, v, safe);
    }
    str s = arena_str(ev->arena, buf_str(&out));
    buf_release(&out);
    *ret = safe ? value_safe(s) : value_str(s);
    return true;
}

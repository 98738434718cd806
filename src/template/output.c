/* SPDX-License-Identifier: Apache-2.0 */
/* output — values as text, into the page or aside. */
#include "template/run.h"

#include "codec/html_escape.h"

str value_text(struct eval *ev, struct value v)
{
    if (v.kind == VALUE_OBJECT && v.object.class->text)
        v = v.object.class->text(v.object.self, ev);
    return value_to_str(ev->arena, v);
}

str value_html(struct eval *ev, struct value v)
{
    if (v.kind == VALUE_SAFE)
        return v.s;
    if (v.kind == VALUE_OBJECT && v.object.class->text) {
        v = v.object.class->text(v.object.self, ev);
        if (v.kind == VALUE_SAFE)
            return v.s;
    }
    return html_escape_arena(ev->arena, value_to_str(ev->arena, v));
}

bool run_fits(struct eval *ev, const struct node *n)
{
    return LIKELY(!ev->out->over) ||
           run_fail(ev, n, STATUS_TOO_LARGE, "the page is larger than %zu bytes", ev->out->max);
}

bool run_print(struct eval *ev, const struct node *n, struct value v)
{
    if (v.kind == VALUE_OBJECT && v.object.class->text)
        v = v.object.class->text(v.object.self, ev);
    if (v.kind == VALUE_SAFE || (v.kind == VALUE_STR && !ev->autoescape))
        buf_puts(ev->out, v.s);
    else if (v.kind == VALUE_STR)
        html_escape(ev->out, v.s);
    else if (v.kind == VALUE_INT)
        buf_put_i64(ev->out, v.i);
    else if (ev->autoescape)
        html_escape(ev->out, value_to_str(ev->arena, v));
    else
        buf_puts(ev->out, value_to_str(ev->arena, v));
    return run_fits(ev, n);
}

bool run_capture(struct eval *ev, const struct node *body, struct value *ret)
{
    struct buf *outer = ev->out, text;
    buf_init(&text, outer->max);
    ev->out = &text;
    bool ok = run_body(ev, body);
    ev->out = outer;
    if (ok) {
        str s = arena_str(ev->arena, buf_str(&text));
        *ret = ev->autoescape ? value_safe(s) : value_str(s);
    }
    buf_release(&text);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cell_html — three ways to show a text, all from strangers' data: everything that comes out is either escaped here or
 * passed html_clean, and addresses are http, https or begin with "/".
 *
 *   datasette-render-markdown   columns named *_markdown, or as configured: columns, patterns, extensions, extra_tags,
 *                               extra_attrs
 *   datasette-json-html         {"href", "label", "title"}, a list of those, {"img_src", "alt", "href", "caption",
 *                               "width"}, {"pre"}
 *   datasette-pretty-json       any other JSON object or list
 * The two of JSON are off unless configured: they change what a page of Datasette without plugins shows. Tests:
 * tests/site/test_cells.py. */
#include "site/render/cell_html.h"

#include <fnmatch.h>

#include "base/limits.h"
#include "codec/html_escape.h"
#include "site/config.h"

/* ---- configuration ---- */

static str *text_items(struct arena *a, struct value list, size_t *ret_count)
{
    str *out = ARENA_ARRAY(a, str, value_count(list) + 1);
    *ret_count = 0;
    for (size_t i = 0; list.kind == VALUE_LIST && i < value_count(list); i++)
        if (value_is_text(value_at(list, i)))
            out[(*ret_count)++] = value_at(list, i).s;
    return out;
}

unsigned cell_html_options(struct arena *a, struct value extensions, struct value tags, struct value attrs,
                           struct html_extra *ret)
{
    size_t n, count = 0;
    unsigned flags = 0;
    const str *names = text_items(a, extensions, &n);
    for (size_t i = 0; i < n; i++)
        flags |= markdown_extension(names[i]);
    *ret = (struct html_extra){0};
    ret->tags = text_items(a, tags, &ret->tag_count);
    for (size_t i = 0; attrs.kind == VALUE_DICT && i < value_count(attrs); i++)
        count += value_count(attrs.dict->entries[i].value);
    str *pairs = ARENA_ARRAY(a, str, 2 * count + 1);
    for (size_t i = 0; attrs.kind == VALUE_DICT && i < value_count(attrs); i++) {
        const struct value_entry *e = &attrs.dict->entries[i];
        const str *of_tag = text_items(a, e->value, &n);
        for (size_t k = 0; k < n; k++) {
            pairs[2 * ret->attr_count] = e->key;
            pairs[2 * ret->attr_count++ + 1] = of_tag[k];
        }
    }
    ret->attrs = pairs;
    return flags;
}

static struct value plugin(const struct request *rq, const char *name, str table)
{
    return config_plugin(&rq->site->config, str_of(name), rq->db ? rq->db->name : (str){0}, table);
}

static bool is_off(struct value v)
{
    return v.kind == VALUE_BOOL && !v.b;
}

/* Named in the configuration, be it with an empty block. */
static bool is_on(struct value v)
{
    return v.kind != VALUE_UNDEFINED && !is_off(v);
}

void cell_html_init(struct cell_html *h, const struct request *rq, str table)
{
    struct value md = plugin(rq, "datasette-render-markdown", table);
    *h = (struct cell_html){.arena = rq->arena, .budget = LIMIT_PAGE_MARKDOWN};
    h->json_html = is_on(plugin(rq, "datasette-json-html", table));
    h->pretty_json = is_on(plugin(rq, "datasette-pretty-json", table));
    h->markdown = !is_off(md);
    h->columns = VALUE_GET(md, "columns");
    h->patterns = VALUE_GET(md, "patterns");
    h->flags = cell_html_options(rq->arena, VALUE_GET(md, "extensions"), VALUE_GET(md, "extra_tags"),
                                 VALUE_GET(md, "extra_attrs"), &h->extra);
}

bool cell_html_is_markdown(const struct cell_html *h, str column)
{
    if (!h->markdown)
        return false;
    for (size_t i = 0; h->columns.kind == VALUE_LIST && i < value_count(h->columns); i++)
        if (value_is_text(value_at(h->columns, i)) && str_eq(value_at(h->columns, i).s, column))
            return true;
    if (h->patterns.kind != VALUE_LIST)
        return str_ends(column, STR("_markdown"));
    for (size_t i = 0; i < value_count(h->patterns); i++)
        if (value_is_text(value_at(h->patterns, i)) &&
            fnmatch(arena_cstr(h->arena, value_at(h->patterns, i).s), arena_cstr(h->arena, column), 0) == 0)
            return true;
    return false;
}

/* ---- JSON ---- */

static bool href_ok(struct value v)
{
    return value_is_text(v) && html_url_ok(v.s) &&
           (str_starts(v.s, STR("/")) || str_starts(v.s, STR("http://")) || str_starts(v.s, STR("https://")));
}

/* Only keys of `allowed`, all of the first `needed`. */
static bool has_keys(struct value dict, const char *const *allowed, size_t count, size_t needed)
{
    if (dict.kind != VALUE_DICT)
        return false;
    for (size_t i = 0; i < value_count(dict); i++) {
        size_t k = 0;
        while (k < count && !str_is(dict.dict->entries[i].key, allowed[k]))
            k++;
        if (k == count)
            return false;
    }
    for (size_t k = 0; k < needed; k++)
        if (!value_has(dict, str_of(allowed[k])))
            return false;
    return true;
}

static void put_attr(struct buf *out, struct arena *a, const char *name, struct value v)
{
    if (!value_truth(v))
        return;
    buf_printf(out, " %s=\"", name);
    html_escape(out, value_to_str(a, v));
    buf_putc(out, '"');
}

static bool is_link(struct value v)
{
    static const char *const keys[] = {"href", "label", "title"};
    return has_keys(v, keys, ARRAY_LEN(keys), 2) && href_ok(VALUE_GET(v, "href"));
}

static void put_link(struct buf *out, struct arena *a, struct value v)
{
    struct value label = VALUE_GET(v, "label");
    buf_puts(out, STR("<a"));
    put_attr(out, a, "href", VALUE_GET(v, "href"));
    put_attr(out, a, "title", VALUE_GET(v, "title"));
    buf_putc(out, '>');
    if (value_truth(label))
        html_escape(out, value_to_str(a, label));
    else
        buf_puts(out, STR("&nbsp;"));
    buf_puts(out, STR("</a>"));
}

static void put_image(struct buf *out, struct arena *a, struct value v)
{
    struct value href = VALUE_GET(v, "href"), caption = VALUE_GET(v, "caption"), alt = VALUE_GET(v, "alt");
    bool linked = href_ok(href), captioned = value_truth(caption);
    if (captioned)
        buf_puts(out, STR("<figure>"));
    if (linked) {
        buf_puts(out, STR("<a"));
        put_attr(out, a, "href", href);
        buf_putc(out, '>');
    }
    buf_puts(out, STR("<img"));
    put_attr(out, a, "src", VALUE_GET(v, "img_src"));
    if (value_truth(alt))
        put_attr(out, a, "alt", alt);
    else
        buf_puts(out, STR(" alt=\"\""));
    put_attr(out, a, "width", VALUE_GET(v, "width"));
    buf_puts(out, STR(" loading=\"lazy\">"));
    if (linked)
        buf_puts(out, STR("</a>"));
    if (captioned) {
        buf_puts(out, STR("<figcaption>"));
        html_escape(out, value_to_str(a, caption));
        buf_puts(out, STR("</figcaption></figure>"));
    }
}

static void put_pre(struct buf *out, struct arena *a, struct value v, int indent)
{
    buf_puts(out, STR("<pre>"));
    if (value_is_text(v)) {
        html_escape(out, v.s);
    } else {
        struct buf json;
        buf_init(&json, LIMIT_VALUE_TEXT);
        value_to_json_indent(&json, v, VALUE_JSON_UTF8, indent);
        html_escape(out, arena_str(a, buf_str(&json)));
        buf_release(&json);
    }
    buf_puts(out, STR("</pre>"));
}

static bool put_json_html(struct buf *out, struct arena *a, struct value v)
{
    static const char *const pre[] = {"pre"}, *const image[] = {"img_src", "alt", "href", "caption", "width"};
    if (v.kind == VALUE_LIST) {
        for (size_t i = 0; i < value_count(v); i++)
            if (!is_link(value_at(v, i)))
                return false;
        for (size_t i = 0; i < value_count(v); i++) {
            if (i)
                buf_puts(out, STR(", "));
            put_link(out, a, value_at(v, i));
        }
        return value_count(v) > 0;
    }
    if (is_link(v))
        put_link(out, a, v);
    else if (has_keys(v, pre, 1, 1))
        put_pre(out, a, VALUE_GET(v, "pre"), 2);
    else if (has_keys(v, image, ARRAY_LEN(image), 1) && href_ok(VALUE_GET(v, "img_src")))
        put_image(out, a, v);
    else
        return false;
    return true;
}

static bool looks_like_json(str s)
{
    return s.n > 1 && ((s.p[0] == '{' && s.p[s.n - 1] == '}') || (s.p[0] == '[' && s.p[s.n - 1] == ']'));
}

/* Cheap before dear: most JSON is data. */
static bool may_be_json_html(str s)
{
    const str keys[] = {STR("\"href\""), STR("\"img_src\""), STR("\"pre\"")};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_find(s, keys[i]) != STR_NPOS)
            return true;
    return false;
}

static bool put_json(const struct cell_html *h, str text, struct buf *out)
{
    bool html = h->json_html && may_be_json_html(text), done = false;
    struct value v;
    if (!looks_like_json(text) || !(html || h->pretty_json))
        return false;
    struct arena *a = arena_new(LIMIT_CELL_JSON_ARENA);
    if (value_from_json(a, text, &v, NULL) == STATUS_OK) {
        done = html && put_json_html(out, a, v);
        if (!done && h->pretty_json) {
            put_pre(out, a, v, 4);
            done = true;
        }
    }
    arena_free(a);
    return done;
}

/* ---- the cell ---- */

static void put_markdown(struct buf *out, str text, const struct html_extra *extra, unsigned flags)
{
    buf_puts(out, STR("<div class=\"rendered-markdown\">"));
    markdown_html(out, text, extra, flags);
    buf_puts(out, STR("</div>"));
}

struct value cell_html_markdown(struct arena *a, str text, const struct html_extra *extra, unsigned flags)
{
    struct buf out;
    buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
    put_markdown(&out, text, extra, flags);
    struct value v = value_safe(arena_str(a, buf_str(&out)));
    buf_release(&out);
    return v;
}

str cell_html(struct cell_html *h, bool markdown, str text)
{
    struct buf out;
    bool done = false;
    str trimmed = str_trim(text);
    if (!trimmed.n || !(markdown || looks_like_json(trimmed)))
        return (str){0};
    buf_init(&out, LIMIT_VALUE_TEXT);
    if (markdown && text.n <= h->budget) {
        h->budget -= text.n;
        put_markdown(&out, text, &h->extra, h->flags);
        done = true;
    } else if (!markdown) {
        done = put_json(h, trimmed, &out);
    }
    str html = done && !out.over ? arena_str(h->arena, buf_str(&out)) : (str){0};
    buf_release(&out);
    return html;
}

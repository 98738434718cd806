/* SPDX-License-Identifier: Apache-2.0 */
/* html_clean — a strict reader of tags before an allow list.
 *
 * Safe by construction: text passes with < > " ' escaped and & escaped unless it begins a character reference; a tag is
 * read by one strict grammar and written anew from its parsed name and values. What a browser would read otherwise than
 * this file (a "<" in a tag, a missing quote, a NUL) is no tag here and so becomes text. Values are decoded before the
 * look at their scheme and escaped whole afterwards, so no reference is left for the browser to decode.
 *
 * Invariants: every "<" of the output begins a tag of the list; open tags are closed in their order, also at the end.
 * Not here: CSS, URLs of other schemes, documents (html, head, body). Tests: tests/unit/codec/test_html_clean.c, fuzz
 * target markdown. */
#include "codec/html_clean.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/html_escape.h"

#define TAG_BYTES_MAX  16384 /* a longer tag is text: bounds the work of unclosed quotes */
#define NAME_BYTES_MAX 32
#define ATTRS_MAX      32

static const struct tag {
    const char *name;
    const char *attrs[5]; /* up to NULL */
    bool is_void;
} tags[] = {
    {"a", {"href", "title"}, false},
    {"abbr", {"title"}, false},
    {"acronym", {"title"}, false},
    {"b", {NULL}, false},
    {"blockquote", {NULL}, false},
    {"br", {NULL}, true},
    {"code", {"class"}, false},
    {"dd", {NULL}, false},
    {"del", {NULL}, false},
    {"dl", {NULL}, false},
    {"dt", {NULL}, false},
    {"em", {NULL}, false},
    {"h1", {NULL}, false},
    {"h2", {NULL}, false},
    {"h3", {NULL}, false},
    {"h4", {NULL}, false},
    {"h5", {NULL}, false},
    {"h6", {NULL}, false},
    {"hr", {NULL}, true},
    {"i", {NULL}, false},
    {"img", {"src", "alt", "title", "width", "height"}, true},
    {"ins", {NULL}, false},
    {"kbd", {NULL}, false},
    {"li", {NULL}, false},
    {"ol", {"start"}, false},
    {"p", {NULL}, false},
    {"pre", {NULL}, false},
    {"s", {NULL}, false},
    {"strong", {NULL}, false},
    {"sub", {NULL}, false},
    {"sup", {NULL}, false},
    {"table", {NULL}, false},
    {"tbody", {NULL}, false},
    {"td", {"align"}, false},
    {"th", {"align"}, false},
    {"thead", {NULL}, false},
    {"tr", {NULL}, false},
    {"ul", {NULL}, false},
};

/* What extra_tags and extra_attrs may name. */
static const char *const harmless_tags[] = {
    "article", "aside",      "caption", "center", "cite",   "col",  "colgroup", "details", "dfn",
    "div",     "figcaption", "figure",  "footer", "header", "mark", "q",        "samp",    "section",
    "small",   "span",       "summary", "tfoot",  "time",   "tt",   "u",        "var",     "wbr",
};
static const char *const harmless_attrs[] = {
    "abbr", "align", "alt",    "cite",  "class", "colspan", "datetime", "dir",     "height",
    "href", "id",    "lang",   "name",  "open",  "rel",     "role",     "rowspan", "scope",
    "src",  "start", "target", "title", "type",  "valign",  "width",
};

bool html_tag_harmless(str tag)
{
    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        if (str_is(tag, tags[i].name))
            return true;
    return str_is_any(tag, harmless_tags, ARRAY_LEN(harmless_tags));
}

bool html_attr_harmless(str attr)
{
    return str_is_any(attr, harmless_attrs, ARRAY_LEN(harmless_attrs));
}

bool html_url_ok(str url)
{
    static const char *const schemes[] = {"http", "https", "mailto"};
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] < 0x20 || url.p[i] == 0x7f)
            return false;
    while (url.n && url.p[0] == ' ')
        url = str_from(url, 1);
    for (size_t i = 0; i < url.n; i++) {
        char c = url.p[i];
        if (c == '/' || c == '?' || c == '#')
            return true;
        if (c != ':')
            continue;
        for (size_t k = 0; k < ARRAY_LEN(schemes); k++)
            if (str_eq_nocase(str_sub(url, 0, i), str_of(schemes[k])))
                return true;
        return false;
    }
    return true;
}

/* ---- character references ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of "&name;" or "&#12;" or "&#x1f;" at the start of s; 0 when it is none. */
static size_t reference_bytes(str s)
{
    size_t i = 1;
    bool number = i < s.n && s.p[i] == '#', hex = number && i + 1 < s.n && (s.p[i + 1] | 32) == 'x';
    i += number ? 1u + hex : 0u;
    size_t start = i;
    while (
        i < s.n && i - start < NAME_BYTES_MAX &&
        (is_digit(s.p[i]) || (!number && is_letter(s.p[i])) || (hex && (s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'f')))
        i++;
    return i > start && i < s.n && s.p[i] == ';' && (number || is_letter(s.p[start])) ? i + 1 : 0;
}

static const struct {
    const char *name;
    char text[4];
} references[] = {{"amp", "&"},   {"lt", "<"},  {"gt", ">"},   {"quot", "\""},    {"apos", "'"},
                  {"colon", ":"}, {"sol", "/"}, {"Tab", "\t"}, {"NewLine", "\n"}, {"nbsp", "\xc2\xa0"}};

/* Numbers and the names above; others stay as they are, and are escaped later. */
static void put_decoded(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = s.p[i] == '&' ? reference_bytes(str_from(s, i)) : 0;
        if (!n) {
            buf_putc(out, s.p[i++]);
            continue;
        }
        str name = str_sub(s, i + 1, i + n - 1);
        if (name.p[0] == '#') {
            bool hex = name.n > 1 && (name.p[1] | 32) == 'x';
            uint32_t code = 0;
            for (size_t k = hex ? 2 : 1; k < name.n && code < 0x110000; k++)
                code = code * (hex ? 16 : 10) +
                       (uint32_t)(is_digit(name.p[k]) ? name.p[k] - '0' : (name.p[k] | 32) - 'a' + 10);
            char bytes[4];
            bool good = code < 0x110000 && (code < 0xD800 || code > 0xDFFF);
            buf_put(out, bytes, utf8_encode(good ? code : UTF8_REPLACEMENT, bytes));
        } else {
            size_t k = 0;
            while (k < ARRAY_LEN(references) && !str_is(name, references[k].name))
                k++;
            buf_puts(out, k < ARRAY_LEN(references) ? str_of(references[k].text) : str_sub(s, i, i + n));
        }
        i += n;
    }
}

static void put_text(struct buf *out, str s)
{
    size_t done = 0;
    for (size_t i = 0; i < s.n; i++) {
        size_t n = s.p[i] == '&' ? reference_bytes(str_from(s, i)) : 0;
        if (!n)
            continue;
        html_escape(out, str_sub(s, done, i));
        buf_puts(out, str_sub(s, i, i + n));
        done = i + n;
        i = done - 1;
    }
    html_escape(out, str_from(s, done));
}

/* ---- reading a tag ---- */

struct attr {
    str name, value; /* lower case in `names`; as written */
};

struct parsed {
    char names[TAG_BYTES_MAX]; /* lower-case copies */
    size_t used;
    str name;
    bool closing;
    struct attr attrs[ATTRS_MAX];
    size_t attr_count;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static str take_name(struct parsed *t, str s, size_t *at)
{
    size_t start = t->used;
    while (*at < s.n && t->used < sizeof t->names &&
           (is_letter(s.p[*at]) || is_digit(s.p[*at]) || s.p[*at] == '-' || s.p[*at] == '_')) {
        t->names[t->used++] = str_lower_char(s.p[(*at)++]);
    }
    return str_make(t->names + start, t->used - start);
}

static void skip_space(str s, size_t *at)
{
    while (*at < s.n && is_space(s.p[*at]))
        (*at)++;
}

static bool take_value(str s, size_t *at, str *ret)
{
    if (*at >= s.n)
        return false;
    char quote = s.p[*at];
    size_t start = *at + 1;
    if (quote == '"' || quote == '\'') {
        for (*at = start; *at < s.n && s.p[*at] != quote; (*at)++)
            if (s.p[*at] == '\0')
                return false;
        *ret = str_sub(s, start, *at);
        return (*at)++ < s.n;
    }
    start = *at;
    while (*at < s.n && !is_space(s.p[*at]) && s.p[*at] != '>') {
        if (memchr("\"'<=`", s.p[*at], 6)) /* the NUL too */
            return false;
        (*at)++;
    }
    *ret = str_sub(s, start, *at);
    return *at > start;
}

/* Bytes of the tag at the start of s, 0 when there is none. */
static size_t read_tag(struct parsed *t, str s)
{
    size_t at = 1;
    s = str_sub(s, 0, TAG_BYTES_MAX);
    t->used = t->attr_count = 0;
    t->closing = at < s.n && s.p[at] == '/';
    at += t->closing;
    if (at >= s.n || !is_letter(s.p[at]))
        return 0;
    t->name = take_name(t, s, &at);
    for (;;) {
        size_t before = at;
        skip_space(s, &at);
        if (at < s.n && s.p[at] == '/')
            at++;
        if (at >= s.n)
            return 0;
        if (s.p[at] == '>')
            return at + 1;
        struct attr a = {0};
        if (at == before || t->attr_count == ATTRS_MAX || !is_letter(s.p[at]))
            return 0;
        a.name = take_name(t, s, &at);
        skip_space(s, &at);
        if (at < s.n && s.p[at] == '=') {
            at++;
            skip_space(s, &at);
            if (!take_value(s, &at, &a.value))
                return 0;
        } else if (at < s.n && s.p[at] != '>' && s.p[at] != '/' && !is_space(s.p[at - 1])) {
            return 0;
        }
        t->attrs[t->attr_count++] = a;
    }
}

/* ---- cleaning ---- */

struct cleaner {
    struct buf *out, decoded;
    const struct html_extra *extra;
    str open[LIMIT_HTML_DEPTH]; /* literals, or names of `extra` */
    size_t depth;
    struct parsed tag;
};

/* The name as the list holds it; empty when it is not allowed. */
static str allowed_tag(const struct cleaner *c, str name, const struct tag **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (str_is(name, tags[i].name)) {
            *ret = &tags[i];
            return str_of(tags[i].name);
        }
    }
    for (size_t i = 0; c->extra && i < c->extra->tag_count; i++)
        if (str_eq(name, c->extra->tags[i]) && html_tag_harmless(name))
            return c->extra->tags[i];
    return (str){0};
}

static bool allowed_attr(const struct cleaner *c, const struct tag *t, str tag, str attr)
{
    for (size_t i = 0; t && i < ARRAY_LEN(t->attrs) && t->attrs[i]; i++)
        if (str_is(attr, t->attrs[i]))
            return true;
    for (size_t i = 0; c->extra && i < c->extra->attr_count; i++)
        if ((str_eq(c->extra->attrs[2 * i], tag) || str_is(c->extra->attrs[2 * i], "*")) &&
            str_eq(c->extra->attrs[2 * i + 1], attr) && html_attr_harmless(attr))
            return true;
    return false;
}

/* A class of the list only names the language of a code block. */
static bool value_ok(const struct cleaner *c, str tag, str attr, str value)
{
    if (str_is(attr, "href") || str_is(attr, "src") || str_is(attr, "cite"))
        return html_url_ok(value);
    if (str_is(attr, "class") && str_is(tag, "code") && !c->extra)
        return str_starts(value, STR("language-"));
    return true;
}

static void put_attrs(struct cleaner *c, const struct tag *t, str name)
{
    for (size_t i = 0; i < c->tag.attr_count; i++) {
        const struct attr *a = &c->tag.attrs[i];
        if (!allowed_attr(c, t, name, a->name))
            continue;
        bool seen = false; /* the first of a name counts */
        for (size_t k = 0; k < i; k++)
            seen |= str_eq(c->tag.attrs[k].name, a->name);
        buf_clear(&c->decoded);
        put_decoded(&c->decoded, a->value);
        if (seen || !value_ok(c, name, a->name, buf_str(&c->decoded)))
            continue;
        buf_putc(c->out, ' ');
        buf_puts(c->out, a->name);
        buf_puts(c->out, STR("=\""));
        html_escape(c->out, buf_str(&c->decoded));
        buf_putc(c->out, '"');
    }
    if (str_is(name, "a"))
        buf_puts(c->out, STR(" rel=\"nofollow\""));
    if (str_is(name, "img"))
        buf_puts(c->out, STR(" loading=\"lazy\""));
}

static void close_down_to(struct cleaner *c, size_t depth)
{
    while (c->depth > depth) {
        buf_puts(c->out, STR("</"));
        buf_puts(c->out, c->open[--c->depth]);
        buf_putc(c->out, '>');
    }
}

/* False when the tag is not allowed: it is text then. */
static bool put_tag(struct cleaner *c)
{
    const struct tag *t;
    str name = allowed_tag(c, c->tag.name, &t);
    bool is_void = t ? t->is_void : str_is(name, "col") || str_is(name, "wbr");
    if (!name.n || (!c->tag.closing && !is_void && c->depth == LIMIT_HTML_DEPTH))
        return false;
    if (c->tag.closing) {
        size_t i = c->depth;
        while (i && !str_eq(c->open[i - 1], name))
            i--;
        if (i)
            close_down_to(c, i - 1);
        return true;
    }
    buf_putc(c->out, '<');
    buf_puts(c->out, name);
    put_attrs(c, t, name);
    buf_putc(c->out, '>');
    if (!is_void)
        c->open[c->depth++] = name;
    return true;
}

static size_t comment_bytes(str s)
{
    if (!str_starts(s, STR("<!--")))
        return 0;
    size_t end = str_find(str_from(s, 4), STR("-->"));
    return end == STR_NPOS ? 0 : end + 7;
}

void html_clean(struct buf *out, str html, const struct html_extra *extra)
{
    struct cleaner c = {.out = out, .extra = extra};
    bool comments = true;
    buf_init(&c.decoded, TAG_BYTES_MAX * 2);
    while (html.n && !out->over) {
        size_t text = str_find_char(html, '<');
        put_text(out, str_sub(html, 0, text));
        if (text == STR_NPOS)
            break;
        html = str_from(html, text);
        size_t n = comments ? comment_bytes(html) : 0;
        comments &= n || !str_starts(html, STR("<!--")); /* one that never ends: none after it does */
        if (!n && (n = read_tag(&c.tag, html)) && !put_tag(&c)) {
            put_text(out, str_sub(html, 0, n));
        } else if (!n) {
            put_text(out, STR("<"));
            n = 1;
        }
        html = str_from(html, n);
    }
    close_down_to(&c, 0);
    buf_release(&c.decoded);
}

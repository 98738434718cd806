/* SPDX-License-Identifier: Apache-2.0 */
/* filters_more — filters that need more than a line or two. */
#include "template/filters.h"

#include <sys/random.h>

#include "base/utf8.h"
#include "codec/html_escape.h"

static struct value taken(struct eval *ev, struct buf *b)
{
    struct value v = value_str(arena_str(ev->arena, buf_str(b)));
    buf_release(b);
    return v;
}

/* ---- urlize ---- */

static bool is_mail(str word)
{
    size_t at = str_find_char(word, '@');
    return at != STR_NPOS && at > 0 && str_find_char(str_from(word, at), '.') != STR_NPOS &&
           str_find_char(str_from(word, at + 1), '@') == STR_NPOS && word.p[word.n - 1] != '.';
}

static void put_word(struct eval *ev, struct buf *b, str word)
{
    static const char closing[] = ".,:;!?)]>\"'";
    size_t end = word.n, begin = 0;
    while (begin < end && (word.p[begin] == '(' || word.p[begin] == '[' || word.p[begin] == '"'))
        begin++;
    while (end > begin && strchr(closing, word.p[end - 1]))
        end--;
    str url = str_sub(word, begin, end), safe = html_escape_arena(ev->arena, url), scheme = STR("");
    bool link = str_starts(url, STR("http://")) || str_starts(url, STR("https://"));
    if (!link && str_starts(url, STR("www.")))
        scheme = STR("https://");
    else if (!link && url.n && is_mail(url))
        scheme = STR("mailto:");
    html_escape(b, str_sub(word, 0, begin));
    if (link || scheme.n)
        buf_puts(b, ARENA_CAT(ev->arena, STR("<a href=\""), scheme, safe,
                              str_is(scheme, "mailto:") ? STR("\"") : STR("\" rel=\"noopener\""), STR(">"), safe,
                              STR("</a>")));
    else
        buf_puts(b, safe);
    html_escape(b, str_from(word, end));
}

F(urlize)
{
    struct buf b;
    str s = value_text(ev, in);
    (void)args;
    buf_init(&b, ev->out->max);
    for (size_t i = 0; i < s.n;) {
        size_t end = i;
        while (end < s.n && s.p[end] != ' ' && s.p[end] != '\n' && s.p[end] != '<')
            end++;
        if (end > i)
            put_word(ev, &b, str_sub(s, i, end));
        for (i = end; i < s.n && (s.p[i] == ' ' || s.p[i] == '\n' || s.p[i] == '<'); i++)
            html_escape(&b, str_sub(s, i, i + 1));
    }
    *ret = taken(ev, &b);
    ret->kind = VALUE_SAFE;
    return STATUS_OK;
}

/* ---- wordwrap(width=79, break_long_words=true, wrapstring) ---- */

static void wrap_line(struct buf *b, str line, size_t width, bool cut, str between)
{
    size_t used = 0;
    for (str rest = line, word; rest.n;) {
        str_cut(rest, ' ', &word, &rest);
        if (!word.n)
            continue;
        if (used && used + 1 + word.n > width) {
            buf_puts(b, between);
            used = 0;
        }
        if (used) {
            buf_putc(b, ' ');
            used++;
        }
        while (cut && word.n > width) {
            buf_puts(b, str_sub(word, 0, width));
            buf_puts(b, between);
            word = str_from(word, width);
        }
        buf_puts(b, word);
        used += word.n;
    }
}

F(wordwrap)
{
    struct buf b;
    int64_t width = 79;
    str between = STR("\n");
    bool cut = true, first = true;
    if (!eval_arg_int(ev, args, 0, "width", &width) || !eval_arg_bool(ev, args, 1, "break_long_words", &cut) ||
        !eval_arg_str(ev, args, 2, "wrapstring", &between))
        return ev->status;
    if (width < 1)
        return eval_fail(ev, STATUS_INVALID, "wordwrap() takes a width of 1 or more");
    buf_init(&b, ev->out->max);
    for (str rest = value_text(ev, in), line; rest.n || first; first = false) {
        if (!first)
            buf_puts(&b, between);
        str_cut(rest, '\n', &line, &rest);
        wrap_line(&b, line, (size_t)width, cut, between);
    }
    *ret = taken(ev, &b);
    ret->kind = in.kind == VALUE_SAFE ? VALUE_SAFE : VALUE_STR;
    return STATUS_OK;
}

/* ---- striptags ---- */

static const struct {
    const char *name, *text;
} entities[] = {
    {"amp", "&"},         {"lt", "<"},          {"gt", ">"},         {"quot", "\""},      {"apos", "'"},
    {"nbsp", "\u00A0"},   {"hellip", "\u2026"}, {"ndash", "\u2013"}, {"mdash", "\u2014"}, {"lsquo", "\u2018"},
    {"rsquo", "\u2019"},  {"ldquo", "\u201C"},  {"rdquo", "\u201D"}, {"laquo", "\u00AB"}, {"raquo", "\u00BB"},
    {"copy", "\u00A9"},   {"reg", "\u00AE"},    {"deg", "\u00B0"},   {"times", "\u00D7"}, {"euro", "\u20AC"},
    {"middot", "\u00B7"}, {"bull", "\u2022"},
};

/* name: between & and ;. False: no entity that we know, it stays as it is. */
static bool put_entity(struct buf *b, str name)
{
    char code[4];
    int64_t n = 0;
    if (name.n > 1 && name.p[0] == '#') {
        bool hex = (name.p[1] | 32) == 'x';
        for (size_t i = hex ? 2 : 1; i < name.n; i++) {
            char c = name.p[i];
            int digit = c >= '0' && c <= '9'                        ? c - '0'
                        : hex && (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                                    : -1;
            if (digit < 0 || n > 0x110000)
                return false;
            n = n * (hex ? 16 : 10) + digit;
        }
        if (n < 1 || n > 0x10FFFF || (n >= 0xD800 && n <= 0xDFFF))
            return false;
        buf_puts(b, str_make(code, utf8_encode((uint32_t)n, code)));
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
        if (str_is(name, entities[i].name)) {
            buf_puts(b, str_of(entities[i].text));
            return true;
        }
    }
    return false;
}

/* Tags and comments go, white space becomes single spaces, entities become their characters: text, not HTML. */
F(striptags)
{
    struct buf b;
    str s = value_text(ev, in);
    bool space = false;
    (void)args;
    buf_init(&b, s.n + 16);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        str rest = str_from(s, i);
        if (c == '<') {
            size_t end = str_starts(rest, STR("<!--")) ? str_find(rest, STR("-->")) : str_find_char(rest, '>');
            i = end == STR_NPOS ? s.n : i + end + (str_starts(rest, STR("<!--")) ? 2 : 0);
            continue;
        }
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            space = true;
            continue;
        }
        if (space && b.n)
            buf_putc(&b, ' ');
        space = false;
        size_t semicolon = c == '&' ? str_find_char(str_sub(rest, 0, MIN(rest.n, 12)), ';') : STR_NPOS;
        if (semicolon != STR_NPOS && put_entity(&b, str_sub(rest, 1, semicolon)))
            i += semicolon;
        else
            buf_putc(&b, c);
    }
    *ret = taken(ev, &b);
    return STATUS_OK;
}

/* ---- lists ---- */

/* slice(3): three lists, the first ones longer by one when it does not divide. */
F(slice)
{
    struct value list = iter_list(ev, in), fill = eval_arg(args, 1, "fill_with");
    int64_t slices = 0;
    if (!eval_arg_int(ev, args, 0, "slices", &slices))
        return ev->status;
    if (slices < 1 || slices > LIMIT_TEMPLATE_ITEMS)
        return eval_fail(ev, STATUS_INVALID, "slice() takes a number of 1 or more");
    size_t count = value_count(list), each = count / (size_t)slices, longer = count % (size_t)slices, at = 0;
    *ret = value_list(ev->arena);
    for (size_t i = 0; i < (size_t)slices; i++) {
        struct value part = value_list(ev->arena);
        for (size_t k = 0; k < each + (i < longer); k++)
            value_push(part, value_at(list, at++));
        if (longer && i >= longer && fill.kind != VALUE_UNDEFINED)
            value_push(part, fill);
        value_push(*ret, part);
    }
    return ev->status;
}

F(random)
{
    struct value list = iter_list(ev, in);
    uint64_t n = 0;
    (void)args;
    if (getrandom(&n, sizeof n, 0) != (ssize_t)sizeof n)
        return eval_fail(ev, STATUS_IO, "the system has no random numbers");
    *ret = value_count(list) ? value_at(list, n % value_count(list)) : VALUE_UNDEF;
    return ev->status;
}

/* As Python writes it in a list. */
F(pprint)
{
    struct value one = value_list(ev->arena);
    (void)args;
    value_push(one, value_plain(ev->arena, in));
    str text = value_to_str(ev->arena, one);
    *ret = value_str(text.n >= 2 ? str_sub(text, 1, text.n - 1) : text);
    return STATUS_OK;
}

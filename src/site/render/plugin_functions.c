/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/plugin_functions.h"

#include "base/limits.h"
#include "codec/html_escape.h"
#include "site/render/functions.h"
#include "template/eval.h"
#include "template/template.h"

#define HELPER(name)                                                                                                   \
    static enum status help_##name(void *self, struct eval *ev, const struct value_args *args, struct value *ret)

/* ---- json ---- */

HELPER(json_loads)
{
    struct err err = ERR_INIT;
    struct value text = eval_arg(args, 0, "s");
    (void)self;
    if (!value_is_text(text))
        return eval_fail(ev, STATUS_INVALID, "json.loads() takes a text");
    enum status st = value_from_json(eval_arena(ev), text.s, ret, &err);
    return st == STATUS_OK ? st : eval_fail(ev, STATUS_INVALID, "json.loads(): %s", err.text);
}

HELPER(json_dumps)
{
    struct buf b;
    int64_t indent = 0;
    (void)self;
    if (!eval_arg_int(ev, args, args->count, "indent", &indent))
        return STATUS_INVALID;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    value_to_json_indent(&b, value_plain(eval_arena(ev), eval_arg(args, 0, "obj")), 0, (int)MAX(0, MIN(indent, 16)));
    *ret = value_str(arena_str(eval_arena(ev), buf_str(&b)));
    buf_release(&b);
    return STATUS_OK;
}

static const struct function json_functions[] = {
    {"loads", {.name = "function", .call = help_json_loads}},
    {"dumps", {.name = "function", .call = help_json_dumps}},
};

static bool json_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    (void)ev;
    return function_find(json_functions, ARRAY_LEN(json_functions), self, name, ret);
}

/* ---- numbers and dates ---- */

/* pluralize(number, singular="", plural="s"): the ending of a word. */
HELPER(pluralize)
{
    struct value n = eval_arg(args, 0, "number"), one = eval_arg(args, 1, "singular"),
                 many = eval_arg(args, 2, "plural");
    (void)self;
    (void)ev;
    bool is_one = (n.kind == VALUE_INT && n.i == 1) || (n.kind == VALUE_FLOAT && n.f == 1);
    if (is_one)
        *ret = one.kind == VALUE_UNDEFINED ? value_str(STR("")) : one;
    else
        *ret = many.kind == VALUE_UNDEFINED ? value_str(STR("s")) : many;
    return STATUS_OK;
}

HELPER(intcomma)
{
    struct arena *a = eval_arena(ev);
    str text = function_text(ev, args, 0, "value");
    (void)self;
    size_t begin = text.n && text.p[0] == '-', end = begin;
    while (end < text.n && text.p[end] >= '0' && text.p[end] <= '9')
        end++;
    str out = str_sub(text, 0, begin);
    for (size_t i = begin; i < end; i++) {
        out = ARENA_CAT(a, out, str_sub(text, i, i + 1));
        if (i + 1 < end && (end - i - 1) % 3 == 0)
            out = ARENA_CAT(a, out, STR(","));
    }
    *ret = value_str(ARENA_CAT(a, out, str_from(text, end)));
    return STATUS_OK;
}

struct date {
    int64_t year, month, day;
};

static bool read_date(str text, struct date *ret)
{
    return text.n >= 10 && text.p[4] == '-' && text.p[7] == '-' && str_to_i64(str_sub(text, 0, 4), &ret->year) &&
           str_to_i64(str_sub(text, 5, 7), &ret->month) && str_to_i64(str_sub(text, 8, 10), &ret->day) &&
           ret->month >= 1 && ret->month <= 12 && ret->day >= 1 && ret->day <= 31;
}

static const char *month_name(int64_t month)
{
    static const char *const names[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};
    return names[month - 1];
}

/* A text that is no date comes back as it is. */
static enum status write_date(struct eval *ev, const struct value_args *args, bool ordinal, struct value *ret)
{
    struct date d;
    str text = function_text(ev, args, 0, "date");
    bool teen = false;
    const char *ending = "";
    *ret = value_str(text);
    if (!read_date(text, &d))
        return STATUS_OK;
    teen = d.day >= 11 && d.day <= 13;
    if (ordinal)
        ending = teen || d.day % 10 == 0 || d.day % 10 > 3 ? "th"
                 : d.day % 10 == 1                         ? "st"
                 : d.day % 10 == 2                         ? "nd"
                                                           : "rd";
    *ret = value_str(arena_printf(eval_arena(ev), "%d%s %s %d", (int)d.day, ending, month_name(d.month), (int)d.year));
    return STATUS_OK;
}

HELPER(nicer_date)
{
    (void)self;
    return write_date(ev, args, false, ret);
}

HELPER(prettydate)
{
    (void)self;
    return write_date(ev, args, true, ret);
}

/* ---- HTML ---- */

/* The first <p>...</p> of some HTML. */
HELPER(first_paragraph)
{
    str html = function_text(ev, args, 0, "html");
    size_t begin = str_find(html, STR("<p")), end = STR_NPOS;
    (void)self;
    while (begin != STR_NPOS && begin + 2 < html.n && html.p[begin + 2] != '>' && html.p[begin + 2] != ' ') {
        size_t next = str_find(str_from(html, begin + 2), STR("<p"));
        begin = next == STR_NPOS ? STR_NPOS : begin + 2 + next;
    }
    if (begin != STR_NPOS)
        end = str_find(str_from(html, begin), STR("</p>"));
    *ret = value_str(end == STR_NPOS ? STR("") : str_sub(html, begin, begin + end + 4));
    return STATUS_OK;
}

/* A text from snippet() as HTML: what stood between the two marks is <strong>. The marks are any that no text holds;
 * these are the ones that sites by the author of Datasette use. */
HELPER(highlight)
{
    static const str begin = {"b4de2a49c8", 10}, end = {"8c94a2ed4b", 10};
    str text = html_escape_arena(eval_arena(ev), function_text(ev, args, 0, "s"));
    struct buf out;
    (void)self;
    buf_init(&out, LIMIT_JSON_OUTPUT);
    while (text.n) {
        size_t at = str_find(text, begin), stop = str_find(text, end);
        bool opens = at < stop;
        at = MIN(at, stop);
        buf_puts(&out, str_sub(text, 0, MIN(at, text.n)));
        if (at >= text.n)
            break;
        buf_puts(&out, opens ? STR("<strong>") : STR("</strong>"));
        text = str_from(text, at + begin.n);
    }
    *ret = value_str(arena_str(eval_arena(ev), buf_str(&out)));
    buf_release(&out);
    return STATUS_OK;
}

static const struct value_class json_class = {.name = "json", .attr = json_attr};
static const struct function helpers[] = {
    {"pluralize", {.name = "function", .call = help_pluralize}},
    {"intcomma", {.name = "function", .call = help_intcomma}},
    {"nicer_date", {.name = "function", .call = help_nicer_date}},
    {"prettydate", {.name = "function", .call = help_prettydate}},
    {"first_paragraph", {.name = "function", .call = help_first_paragraph}},
    {"highlight", {.name = "function", .call = help_highlight}},
};

void plugin_functions_add(struct template_env *env)
{
    template_env_set_global(env, STR("json"), value_object(&json_class, NULL));
    for (size_t i = 0; i < ARRAY_LEN(helpers); i++)
        template_env_set_global(env, str_of(helpers[i].name), value_object(&helpers[i].class, NULL));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "db/regexp_tree.h"

#include <stdlib.h>

#include "base/utf8.h"

#include "base/banned.h"

struct parser {
    struct arena *arena;
    str in;
    size_t at;
    int depth;
    bool fold; /* (?i) */
    struct err *err;
    bool failed;
};

#define PARSE_DEPTH 200 /* nested groups */
#define REPEAT_MAX  1000

static struct regexp_node *fail(struct parser *p, const char *what)
{
    if (!p->failed)
        err_set(p->err, STATUS_INVALID, "wrong regular expression: %s at byte %zu", what, p->at);
    p->failed = true;
    return NULL;
}

static struct regexp_node *node_new(struct parser *p, enum regexp_node_kind kind)
{
    struct regexp_node *n = ARENA_NEW(p->arena, struct regexp_node);
    n->kind = kind;
    return n;
}

static bool more(const struct parser *p)
{
    return p->at < p->in.n;
}

static char peek(const struct parser *p)
{
    return p->at < p->in.n ? p->in.p[p->at] : '\0';
}

static uint32_t next_code(struct parser *p)
{
    size_t n;
    uint32_t code = utf8_decode(str_from(p->in, p->at), &n);
    p->at += n;
    return code == UTF8_BAD ? UTF8_REPLACEMENT : code;
}

uint32_t regexp_fold(bool on, uint32_t code)
{
    return on && code >= 'A' && code <= 'Z' ? code + 32 : code;
}

static void set_add(struct parser *p, struct regexp_set *s, uint32_t from, uint32_t to)
{
    VEC_PUSH(p->arena, &s->ranges, (struct regexp_range){from, to});
}

struct class_row {
    const char *name;
    struct regexp_range ranges[5]; /* ends with {0, 0} */
};
static const struct class_row class_rows[] = {
    {"d", {{'0', '9'}}},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'}}}, /* and letters past ASCII: set_add_class */
    {"s", {{'\t', '\r'}, {' ', ' '}, {0x85, 0x85}, {0xA0, 0xA0}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"digit", {{'0', '9'}}},
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"upper", {{'A', 'Z'}}},
    {"lower", {{'a', 'z'}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"blank", {{'\t', '\t'}, {' ', ' '}}},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
    {"cntrl", {{1, 31}, {127, 127}}},
    {"print", {{' ', '~'}}},
    {"graph", {{'!', '~'}}},
};

bool regexp_is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (c >= 0xC0 && c != 0xD7 && c != 0xF7 && (c < 0x2000 || c > 0x206F) && c != 0x3000 && c != UTF8_REPLACEMENT);
}

static int compare_ranges(const void *a, const void *b)
{
    const struct regexp_range *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

static bool set_add_class(struct parser *p, struct regexp_set *s, str name, bool negated)
{
    for (size_t i = 0; i < ARRAY_LEN(class_rows); i++) {
        if (!str_is(name, class_rows[i].name))
            continue;
        struct regexp_range all[16];
        size_t n = 0;
        for (const struct regexp_range *r = class_rows[i].ranges; n < 5 && r->to; r++)
            all[n++] = *r;
        if (str_is(name, "w")) {
            const struct regexp_range beyond[] = {{0xC0, 0xD6},     {0xD8, 0xF6},     {0xF8, 0x1FFF},
                                                  {0x2070, 0x2FFF}, {0x3001, 0xFFFC}, {0xFFFE, 0x10FFFF}};
            memcpy(all + n, beyond, sizeof beyond);
            n += ARRAY_LEN(beyond);
        }
        qsort(all, n, sizeof *all, compare_ranges);
        uint32_t from = 0;
        for (size_t k = 0; k < n; k++) {
            if (!negated)
                set_add(p, s, all[k].from, all[k].to);
            else if (all[k].from > from)
                set_add(p, s, from, all[k].from - 1);
            from = all[k].to + 1;
        }
        if (negated && from <= 0x10FFFF)
            set_add(p, s, from, 0x10FFFF);
        return true;
    }
    return false;
}

static bool parse_hex(struct parser *p, int digits, uint32_t *ret)
{
    uint32_t v = 0;
    for (int i = 0; i < digits; i++) {
        char c = peek(p);
        uint32_t d;
        if (c >= '0' && c <= '9')
            d = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            d = (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
        v = v << 4 | d;
        p->at++;
    }
    *ret = v;
    return true;
}

/* After a backslash: *ret_code, or a class added to `s` (then true in *ret_class). */
static bool parse_escape(struct parser *p, struct regexp_set *s, uint32_t *ret_code, bool *ret_class)
{
    static const char letters[] = "nrtfv0a", codes[] = "\n\r\t\f\v\0\a";
    *ret_class = false;
    if (!more(p)) {
        fail(p, "a backslash ends it");
        return false;
    }
    char c = peek(p);
    if (c == 'd' || c == 'w' || c == 's' || c == 'D' || c == 'W' || c == 'S') {
        char name = c | 0x20;
        p->at++;
        *ret_class = true;
        return set_add_class(p, s, str_make(&name, 1), c != name);
    }
    const char *known = memchr(letters, c, sizeof letters - 1);
    if (known) {
        p->at++;
        *ret_code = (unsigned char)codes[known - letters];
        return true;
    }
    if (c == 'x' || c == 'u') {
        p->at++;
        if (parse_hex(p, c == 'x' ? 2 : 4, ret_code))
            return true;
        fail(p, "hexadecimal digits are missing");
        return false;
    }
    if ((c >= '1' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        fail(p, c <= '9' ? "back-references are not supported" : "unknown escape");
        return false;
    }
    *ret_code = next_code(p);
    return true;
}

static bool parse_set_item(struct parser *p, struct regexp_set *s, uint32_t *ret_code, bool *ret_class)
{
    *ret_class = false;
    if (peek(p) == '[' && p->at + 1 < p->in.n && p->in.p[p->at + 1] == ':') {
        size_t close = str_find(str_from(p->in, p->at + 2), STR(":]"));
        if (close != STR_NPOS) {
            if (!set_add_class(p, s, str_sub(p->in, p->at + 2, p->at + 2 + close), false)) {
                fail(p, "unknown class name");
                return false;
            }
            p->at += close + 4;
            *ret_class = true;
            return true;
        }
    }
    if (peek(p) == '\\') {
        p->at++;
        if (peek(p) == 'b') {
            p->at++;
            *ret_code = '\b';
            return true;
        }
        return parse_escape(p, s, ret_code, ret_class);
    }
    *ret_code = next_code(p);
    return true;
}

static void set_add_folded(struct parser *p, struct regexp_set *s, uint32_t from, uint32_t to)
{
    set_add(p, s, from, to);
    if (!p->fold)
        return;
    if (MAX(from, 'A') <= MIN(to, 'Z'))
        set_add(p, s, MAX(from, 'A') + 32, MIN(to, 'Z') + 32);
}

static struct regexp_node *parse_set(struct parser *p)
{
    struct regexp_node *n = node_new(p, REGEXP_SET);
    n->set = ARENA_NEW(p->arena, struct regexp_set);
    if (peek(p) == '^') {
        n->set->negated = true;
        p->at++;
    }
    for (bool first = true; first || peek(p) != ']'; first = false) {
        uint32_t from, to;
        bool class, class_to;
        if (!more(p))
            return fail(p, "']' is missing");
        if (!parse_set_item(p, n->set, &from, &class))
            return NULL;
        if (class)
            continue;
        to = from;
        if (peek(p) == '-' && p->at + 1 < p->in.n && p->in.p[p->at + 1] != ']') {
            p->at++;
            if (!parse_set_item(p, n->set, &to, &class_to))
                return NULL;
            if (class_to || to < from)
                return fail(p, "the range is upside down");
        }
        set_add_folded(p, n->set, from, to);
    }
    p->at++;
    return n;
}

static struct regexp_node *parse_alternatives(struct parser *p);

static struct regexp_node *parse_group(struct parser *p)
{
    if (peek(p) == '?') {
        if (p->at + 1 >= p->in.n || p->in.p[p->at + 1] != ':')
            return fail(p, "only (?:...) is supported of the (?...) forms");
        p->at += 2;
    }
    if (++p->depth > PARSE_DEPTH)
        return fail(p, "too many nested groups");
    struct regexp_node *n = parse_alternatives(p);
    p->depth--;
    if (p->failed)
        return NULL;
    if (peek(p) != ')')
        return fail(p, "')' is missing");
    p->at++;
    return n;
}

static struct regexp_node *parse_backslash(struct parser *p)
{
    if (peek(p) == 'b' || peek(p) == 'B')
        return node_new(p, p->in.p[p->at++] == 'b' ? REGEXP_WORD : REGEXP_NOT_WORD);
    struct regexp_node *n = node_new(p, REGEXP_CHAR);
    bool class;
    n->set = ARENA_NEW(p->arena, struct regexp_set);
    if (!parse_escape(p, n->set, &n->code, &class))
        return NULL;
    if (class)
        n->kind = REGEXP_SET;
    else
        n->code = regexp_fold(p->fold, n->code);
    return n;
}

static struct regexp_node *parse_atom(struct parser *p)
{
    char c = peek(p);
    switch (c) {
    case '(':
        p->at++;
        return parse_group(p);
    case '[':
        p->at++;
        return parse_set(p);
    case '.':
        p->at++;
        return node_new(p, REGEXP_ANY);
    case '^':
        p->at++;
        return node_new(p, REGEXP_BOL);
    case '$':
        p->at++;
        return node_new(p, REGEXP_EOL);
    case '*':
    case '+':
    case '?':
        return fail(p, "nothing to repeat");
    case '\\':
        p->at++;
        return parse_backslash(p);
    default:
        break;
    }
    struct regexp_node *n = node_new(p, REGEXP_CHAR);
    n->code = regexp_fold(p->fold, next_code(p));
    return n;
}

/* {m}, {m,}, {,n}, {m,n}; anything else after '{' is a plain character, as in Perl. */
static bool parse_braces(struct parser *p, int *ret_min, int *ret_max)
{
    size_t at = p->at + 1;
    int v[2] = {-1, -1};
    int part = 0;
    for (; at < p->in.n && p->in.p[at] != '}'; at++) {
        char c = p->in.p[at];
        if (c == ',' && part == 0)
            part = 1;
        else if (c >= '0' && c <= '9' && v[part] < 100000)
            v[part] = (v[part] < 0 ? 0 : v[part]) * 10 + (c - '0');
        else
            return false;
    }
    if (at >= p->in.n || (v[0] < 0 && v[1] < 0))
        return false;
    p->at = at + 1;
    *ret_min = v[0] < 0 ? 0 : v[0];
    *ret_max = part == 0 ? v[0] : v[1];
    return true;
}

static struct regexp_node *parse_repeat(struct parser *p)
{
    struct regexp_node *a = parse_atom(p);
    while (!p->failed && more(p)) {
        int min, max;
        char c = peek(p);
        if (c == '*' || c == '+' || c == '?') {
            p->at++;
            min = c == '+';
            max = c == '?' ? 1 : -1;
        } else if (c != '{' || !parse_braces(p, &min, &max)) {
            break;
        }
        bool lazy = more(p) && peek(p) == '?';
        if (lazy)
            p->at++;
        if (min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && max < min))
            return fail(p, "wrong repeat count");
        struct regexp_node *n = node_new(p, REGEXP_REPEAT);
        n->a = a;
        n->min = min;
        n->max = max;
        n->lazy = lazy;
        a = n;
    }
    return a;
}

static struct regexp_node *parse_sequence(struct parser *p)
{
    struct regexp_node *all = NULL;
    while (!p->failed && more(p) && peek(p) != '|' && peek(p) != ')') {
        struct regexp_node *n = parse_repeat(p);
        if (!all) {
            all = n;
            continue;
        }
        struct regexp_node *cat = node_new(p, REGEXP_CAT);
        cat->a = all;
        cat->b = n;
        all = cat;
    }
    return all ? all : node_new(p, REGEXP_EMPTY);
}

static struct regexp_node *parse_alternatives(struct parser *p)
{
    struct regexp_node *all = parse_sequence(p);
    while (!p->failed && peek(p) == '|' && more(p)) {
        p->at++;
        struct regexp_node *alt = node_new(p, REGEXP_ALT);
        alt->a = all;
        alt->b = parse_sequence(p);
        all = alt;
    }
    return all;
}

enum status regexp_parse(struct arena *a, str pattern, struct regexp_node **ret, bool *ret_fold, struct err *err)
{
    struct parser p = {.arena = a, .in = pattern, .err = err, .fold = str_starts(pattern, STR("(?i)"))};
    p.at = p.fold ? 4 : 0;
    struct regexp_node *tree = parse_alternatives(&p);
    if (!p.failed && more(&p))
        fail(&p, "')' without '('");
    if (p.failed)
        return STATUS_INVALID;
    *ret = tree;
    *ret_fold = p.fold;
    return STATUS_OK;
}

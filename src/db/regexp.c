/* SPDX-License-Identifier: Apache-2.0 */
/* regexp — Thompson's simulation: the set of all states at once, one character at a time.
 *
 * Why not regcomp(3) or PCRE: visitors write these expressions. A back-tracking matcher takes exponential time for
 * (a*)*b, and glibc's regcomp takes gigabytes for (((a{1,99}){1,99}){1,99}). Here time is bounded by text times states,
 * states by LIMIT_DB_REGEXP_NODES, and the deadline is looked at on the way.
 *
 * Parsing makes a tree; emitting turns it into a program of CHAR, SET, ANY, SPLIT, JUMP and assertions. Counted
 * repetition emits its operand several times. Tests: tests/unit/db/test_regexp.c */
#include "db/regexp.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"

#include "base/banned.h"

enum node_kind {
    NODE_EMPTY,
    NODE_CHAR,
    NODE_ANY,
    NODE_SET,
    NODE_CAT,
    NODE_ALT,
    NODE_REPEAT,
    NODE_BOL,
    NODE_EOL,
    NODE_WORD,
    NODE_NOT_WORD
};

struct range {
    uint32_t from, to;
};

struct set {
    VEC(struct range) ranges;
    bool negated;
};

struct node {
    enum node_kind kind;
    uint32_t code;
    int min, max; /* REPEAT; max -1 = no end */
    bool lazy;    /* REPEAT: as few as possible first */
    struct node *a, *b;
    struct set *set;
};

enum op { OP_CHAR, OP_ANY, OP_SET, OP_SPLIT, OP_JUMP, OP_BOL, OP_EOL, OP_WORD, OP_NOT_WORD, OP_MATCH };

struct instruction {
    enum op op;
    uint32_t x, y; /* CHAR: code; SPLIT: both ways; JUMP: x */
    const struct set *set;
};

struct regexp {
    struct arena *arena;
    struct instruction *program;
    size_t count, cap;
    bool fold; /* (?i) */
    bool over;
    size_t emits; /* nodes visited while emitting: repeats of nothing add no instruction */
    /* scratch of a search: two sparse sets of states in the order of their priority, where the match of each would
     * begin, and a stack */
    uint32_t *dense[2], *sparse[2], *stack;
    size_t *start[2];
    size_t dense_count[2];
};

struct parser {
    struct regexp *r;
    str in;
    size_t at;
    int depth;
    struct err *err;
    bool failed;
};

#define PARSE_DEPTH 200 /* nested groups */
#define REPEAT_MAX  1000

/* ---- parsing ---- */

static struct node *fail(struct parser *p, const char *what)
{
    if (!p->failed)
        err_set(p->err, STATUS_INVALID, "wrong regular expression: %s at byte %zu", what, p->at);
    p->failed = true;
    return NULL;
}

static struct node *node_new(struct parser *p, enum node_kind kind)
{
    struct node *n = ARENA_NEW(p->r->arena, struct node);
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

static uint32_t fold(const struct regexp *r, uint32_t code)
{
    return r->fold && code >= 'A' && code <= 'Z' ? code + 32 : code;
}

static void set_add(struct parser *p, struct set *s, uint32_t from, uint32_t to)
{
    VEC_PUSH(p->r->arena, &s->ranges, (struct range){from, to});
}

struct class_row {
    const char *name;
    struct range ranges[5]; /* ends with {0, 0} */
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

static bool is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (c >= 0xC0 && c != 0xD7 && c != 0xF7 && (c < 0x2000 || c > 0x206F) && c != 0x3000 && c != UTF8_REPLACEMENT);
}

static int compare_ranges(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

static bool set_add_class(struct parser *p, struct set *s, str name, bool negated)
{
    for (size_t i = 0; i < ARRAY_LEN(class_rows); i++) {
        if (!str_is(name, class_rows[i].name))
            continue;
        struct range all[16];
        size_t n = 0;
        for (const struct range *r = class_rows[i].ranges; n < 5 && r->to; r++)
            all[n++] = *r;
        if (str_is(name, "w")) {
            const struct range beyond[] = {{0xC0, 0xD6},     {0xD8, 0xF6},     {0xF8, 0x1FFF},
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
static bool parse_escape(struct parser *p, struct set *s, uint32_t *ret_code, bool *ret_class)
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

static bool parse_set_item(struct parser *p, struct set *s, uint32_t *ret_code, bool *ret_class)
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

static void set_add_folded(struct parser *p, struct set *s, uint32_t from, uint32_t to)
{
    set_add(p, s, from, to);
    if (!p->r->fold)
        return;
    if (MAX(from, 'A') <= MIN(to, 'Z'))
        set_add(p, s, MAX(from, 'A') + 32, MIN(to, 'Z') + 32);
}

static struct node *parse_set(struct parser *p)
{
    struct node *n = node_new(p, NODE_SET);
    n->set = ARENA_NEW(p->r->arena, struct set);
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

static struct node *parse_alternatives(struct parser *p);

static struct node *parse_group(struct parser *p)
{
    if (peek(p) == '?') {
        if (p->at + 1 >= p->in.n || p->in.p[p->at + 1] != ':')
            return fail(p, "only (?:...) is supported of the (?...) forms");
        p->at += 2;
    }
    if (++p->depth > PARSE_DEPTH)
        return fail(p, "too many nested groups");
    struct node *n = parse_alternatives(p);
    p->depth--;
    if (p->failed)
        return NULL;
    if (peek(p) != ')')
        return fail(p, "')' is missing");
    p->at++;
    return n;
}

static struct node *parse_backslash(struct parser *p)
{
    if (peek(p) == 'b' || peek(p) == 'B')
        return node_new(p, p->in.p[p->at++] == 'b' ? NODE_WORD : NODE_NOT_WORD);
    struct node *n = node_new(p, NODE_CHAR);
    bool class;
    n->set = ARENA_NEW(p->r->arena, struct set);
    if (!parse_escape(p, n->set, &n->code, &class))
        return NULL;
    if (class)
        n->kind = NODE_SET;
    else
        n->code = fold(p->r, n->code);
    return n;
}

static struct node *parse_atom(struct parser *p)
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
        return node_new(p, NODE_ANY);
    case '^':
        p->at++;
        return node_new(p, NODE_BOL);
    case '$':
        p->at++;
        return node_new(p, NODE_EOL);
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
    struct node *n = node_new(p, NODE_CHAR);
    n->code = fold(p->r, next_code(p));
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

static struct node *parse_repeat(struct parser *p)
{
    struct node *a = parse_atom(p);
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
        struct node *n = node_new(p, NODE_REPEAT);
        n->a = a;
        n->min = min;
        n->max = max;
        n->lazy = lazy;
        a = n;
    }
    return a;
}

static struct node *parse_sequence(struct parser *p)
{
    struct node *all = NULL;
    while (!p->failed && more(p) && peek(p) != '|' && peek(p) != ')') {
        struct node *n = parse_repeat(p);
        if (!all) {
            all = n;
            continue;
        }
        struct node *cat = node_new(p, NODE_CAT);
        cat->a = all;
        cat->b = n;
        all = cat;
    }
    return all ? all : node_new(p, NODE_EMPTY);
}

static struct node *parse_alternatives(struct parser *p)
{
    struct node *all = parse_sequence(p);
    while (!p->failed && peek(p) == '|' && more(p)) {
        p->at++;
        struct node *alt = node_new(p, NODE_ALT);
        alt->a = all;
        alt->b = parse_sequence(p);
        all = alt;
    }
    return all;
}

/* ---- emitting ---- */

static size_t put(struct regexp *r, struct instruction i)
{
    if (r->count >= LIMIT_DB_REGEXP_NODES) {
        r->over = true;
        return 0;
    }
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 32;
        r->program = mem_resize(r->program, r->cap, sizeof *r->program);
    }
    r->program[r->count] = i;
    return r->count++;
}

static void emit(struct regexp *r, const struct node *n);

/* Once more, or on: what is tried first is x. */
static void set_split(struct regexp *r, size_t split, bool lazy)
{
    uint32_t again = (uint32_t)split + 1, on = (uint32_t)r->count;
    r->program[split].x = lazy ? on : again;
    r->program[split].y = lazy ? again : on;
}

static void emit_repeat(struct regexp *r, const struct node *n)
{
    for (int i = 0; i < n->min && !r->over; i++)
        emit(r, n->a);
    if (n->max < 0) {
        size_t split = put(r, (struct instruction){.op = OP_SPLIT});
        emit(r, n->a);
        put(r, (struct instruction){.op = OP_JUMP, .x = (uint32_t)split});
        set_split(r, split, n->lazy);
        return;
    }
    for (int i = n->min; i < n->max && !r->over;
         i++) { /* (a(a(a)?)?)? flat: each may leave to the end of its own part */
        size_t split = put(r, (struct instruction){.op = OP_SPLIT});
        emit(r, n->a);
        set_split(r, split, n->lazy);
    }
}

static void emit_alternative(struct regexp *r, const struct node *n)
{
    size_t split = put(r, (struct instruction){.op = OP_SPLIT});
    emit(r, n->a);
    size_t jump = put(r, (struct instruction){.op = OP_JUMP});
    r->program[split].x = (uint32_t)split + 1;
    r->program[split].y = (uint32_t)r->count;
    emit(r, n->b);
    r->program[jump].x = (uint32_t)r->count;
}

static void emit(struct regexp *r, const struct node *n)
{
    static const enum op simple[] = {
        [NODE_ANY] = OP_ANY,           [NODE_BOL] = OP_BOL, [NODE_EOL] = OP_EOL,  [NODE_WORD] = OP_WORD,
        [NODE_NOT_WORD] = OP_NOT_WORD, [NODE_SET] = OP_SET, [NODE_CHAR] = OP_CHAR};
    if (r->over || ++r->emits > 16 * LIMIT_DB_REGEXP_NODES) {
        r->over = true;
        return;
    }
    switch (n->kind) {
    case NODE_EMPTY:
        break;
    case NODE_CAT:
        emit(r, n->a);
        emit(r, n->b);
        break;
    case NODE_ALT:
        emit_alternative(r, n);
        break;
    case NODE_REPEAT:
        emit_repeat(r, n);
        break;
    case NODE_CHAR:
    case NODE_ANY:
    case NODE_SET:
    case NODE_BOL:
    case NODE_EOL:
    case NODE_WORD:
    case NODE_NOT_WORD:
        put(r, (struct instruction){.op = simple[n->kind], .x = n->code, .set = n->set});
        break;
    }
}

enum status regexp_compile(str pattern, struct regexp **ret, struct err *err)
{
    if (pattern.n > LIMIT_DB_REGEXP_BYTES)
        return err_set(err, STATUS_TOO_LARGE, "the regular expression has more than %d bytes", LIMIT_DB_REGEXP_BYTES);
    struct regexp *r = MEM_NEW(struct regexp);
    struct parser p = {.r = r, .in = pattern, .err = err};
    r->arena = arena_new(SIZE_MAX);
    put(r, (struct instruction){.op = OP_JUMP, .x = 1}); /* the program is never empty */
    if (str_starts(pattern, STR("(?i)"))) {
        r->fold = true;
        p.at = 4;
    }
    struct node *tree = parse_alternatives(&p);
    if (!p.failed && more(&p))
        fail(&p, "')' without '('");
    if (!p.failed) {
        emit(r, tree);
        put(r, (struct instruction){.op = OP_MATCH});
    }
    if (p.failed || r->over) {
        regexp_free(r);
        return p.failed ? STATUS_INVALID
                        : err_set(err, STATUS_TOO_LARGE,
                                  "the regular expression is too large when its repeats are written out");
    }
    for (int i = 0; i < 2; i++) {
        r->dense[i] = mem_array(r->count, sizeof(uint32_t));
        r->sparse[i] = mem_array(r->count, sizeof(uint32_t));
        r->start[i] = mem_array(r->count, sizeof(size_t));
    }
    r->stack = mem_array(2 * r->count, sizeof(uint32_t));
    *ret = r;
    return STATUS_OK;
}

void regexp_free(struct regexp *r)
{
    if (!r)
        return;
    for (int i = 0; i < 2; i++) {
        free(r->dense[i]);
        free(r->sparse[i]);
        free(r->start[i]);
    }
    free(r->stack);
    free(r->program);
    arena_free(r->arena);
    free(r);
}

/* ---- searching ---- */

static bool set_has(const struct set *s, uint32_t code)
{
    for (size_t i = 0; i < s->ranges.count; i++)
        if (code >= s->ranges.items[i].from && code <= s->ranges.items[i].to)
            return !s->negated;
    return s->negated;
}

struct place { /* between two characters */
    uint32_t before, after;
    bool at_start, at_end;
};

static bool holds(enum op op, const struct place *w)
{
    bool edge = (!w->at_start && is_word(w->before)) != (!w->at_end && is_word(w->after));
    switch (op) {
    case OP_BOL:
        return w->at_start;
    case OP_EOL:
        return w->at_end;
    case OP_WORD:
        return edge;
    default:
        return !edge;
    }
}

/* Adds `pc` and all that it leads to without taking a character, what is tried first before the rest. True when the
 * match is among them: what comes after it has less priority and is not added. */
static bool add(struct regexp *r, int side, uint32_t pc, size_t start, const struct place *w)
{
    size_t depth = 0;
    r->stack[depth++] = pc;
    while (depth) {
        pc = r->stack[--depth];
        uint32_t slot = r->sparse[side][pc];
        if (slot < r->dense_count[side] && r->dense[side][slot] == pc)
            continue;
        r->sparse[side][pc] = (uint32_t)r->dense_count[side];
        r->start[side][r->dense_count[side]] = start;
        r->dense[side][r->dense_count[side]++] = pc;
        const struct instruction *i = &r->program[pc];
        switch (i->op) {
        case OP_MATCH:
            return true;
        case OP_JUMP:
            r->stack[depth++] = i->x;
            break;
        case OP_SPLIT:
            r->stack[depth++] = i->y;
            r->stack[depth++] = i->x;
            break;
        case OP_BOL:
        case OP_EOL:
        case OP_WORD:
        case OP_NOT_WORD:
            if (holds(i->op, w))
                r->stack[depth++] = pc + 1;
            break;
        case OP_CHAR:
        case OP_ANY:
        case OP_SET:
            break;
        }
    }
    return false;
}

static bool takes(const struct regexp *r, const struct instruction *i, uint32_t code)
{
    switch (i->op) {
    case OP_CHAR:
        return i->x == fold(r, code);
    case OP_ANY:
        return code != '\n';
    case OP_SET:
        return set_has(i->set, r->fold && code >= 'A' && code <= 'Z' ? code + 32 : code) != false;
    default:
        return false;
    }
}

static uint32_t decode_at(str text, size_t at, size_t *ret_n)
{
    uint32_t code = utf8_decode(str_from(text, at), ret_n);
    return code == UTF8_BAD ? UTF8_REPLACEMENT : code;
}

/* One run over the text from `at`. With `span` the leftmost match is followed to its end, as a back-tracking matcher
 * would: the states are in the order of their priority, so that those behind a match are dropped and those before it
 * may still replace it. Without, the first sign of a match ends the run. */
static enum status run(struct regexp *r, str text, size_t at, struct regexp_span *span, bool (*stop)(void *arg),
                       void *arg, bool *ret)
{
    size_t work = 0, n = 0;
    int side = 0;
    bool found = false;
    struct place w = {.at_start = at == 0, .at_end = at >= text.n};
    if (at) {
        size_t before = at - 1;
        while (before && ((unsigned char)text.p[before] & 0xC0) == 0x80)
            before--;
        w.before = decode_at(text, before, &n);
    }
    if (!w.at_end)
        w.after = decode_at(text, at, &n);
    r->dense_count[0] = 0;
    for (;;) {
        if (!found && add(r, side, 0, at, &w)) { /* a match may begin at each place */
            found = true;
            if (span)
                *span = (struct regexp_span){at, at};
        }
        if (at >= text.n || (found && (!span || !r->dense_count[side])))
            break;
        uint32_t code = w.after;
        at += n;
        w = (struct place){.before = code, .at_end = at >= text.n};
        if (at < text.n)
            w.after = decode_at(text, at, &n);
        r->dense_count[!side] = 0;
        for (size_t k = 0; k < r->dense_count[side]; k++) {
            uint32_t pc = r->dense[side][k];
            size_t start = r->start[side][k];
            if (takes(r, &r->program[pc], code) && add(r, !side, pc + 1, start, &w)) {
                found = true;
                if (span)
                    *span = (struct regexp_span){start, at};
                break;
            }
        }
        work += r->dense_count[side] + 1;
        if (work > 65536) {
            work = 0;
            if (stop && stop(arg))
                return STATUS_CANCELLED;
        }
        side = !side;
    }
    *ret = found;
    return STATUS_OK;
}

enum status regexp_search(struct regexp *r, str text, bool (*stop)(void *arg), void *arg, bool *ret)
{
    return run(r, text, 0, NULL, stop, arg, ret);
}

enum status regexp_find(struct regexp *r, str text, size_t from, bool (*stop)(void *arg), void *arg,
                        struct regexp_span *ret_span, bool *ret)
{
    struct regexp_span span = {0, 0};
    bool found = false;
    enum status st = run(r, text, from, &span, stop, arg, &found);
    if (st != STATUS_OK)
        return st;
    if (found)
        *ret_span = span;
    *ret = found;
    return STATUS_OK;
}

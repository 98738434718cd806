/* SPDX-License-Identifier: Apache-2.0 */
/* regexp — Thompson's simulation: the set of all states at once, one character at a time.
 *
 * Why not regcomp(3) or PCRE: visitors write these expressions. A back-tracking matcher takes exponential time for
 * (a*)*b, and glibc's regcomp takes gigabytes for (((a{1,99}){1,99}){1,99}). Here time is bounded by text times states,
 * states by LIMIT_DB_REGEXP_NODES, and the deadline is looked at on the way.
 *
 * The tree that regexp_tree.c reads is turned into a program of CHAR, SET, ANY, SPLIT, JUMP and assertions. Counted
 * repetition emits its operand several times. Tests: tests/unit/db/test_text.c */
#include "db/regexp.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "db/regexp_tree.h"

#include "base/banned.h"

enum op { OP_CHAR, OP_ANY, OP_SET, OP_SPLIT, OP_JUMP, OP_BOL, OP_EOL, OP_WORD, OP_NOT_WORD, OP_MATCH };

struct instruction {
    enum op op;
    uint32_t x, y; /* CHAR: code; SPLIT: both ways; JUMP: x */
    const struct regexp_set *set;
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

static void emit(struct regexp *r, const struct regexp_node *n);

/* Once more, or on: what is tried first is x. */
static void set_split(struct regexp *r, size_t split, bool lazy)
{
    uint32_t again = (uint32_t)split + 1, on = (uint32_t)r->count;
    r->program[split].x = lazy ? on : again;
    r->program[split].y = lazy ? again : on;
}

static void emit_repeat(struct regexp *r, const struct regexp_node *n)
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

static void emit_alternative(struct regexp *r, const struct regexp_node *n)
{
    size_t split = put(r, (struct instruction){.op = OP_SPLIT});
    emit(r, n->a);
    size_t jump = put(r, (struct instruction){.op = OP_JUMP});
    r->program[split].x = (uint32_t)split + 1;
    r->program[split].y = (uint32_t)r->count;
    emit(r, n->b);
    r->program[jump].x = (uint32_t)r->count;
}

static void emit(struct regexp *r, const struct regexp_node *n)
{
    static const enum op simple[] = {
        [REGEXP_ANY] = OP_ANY,           [REGEXP_BOL] = OP_BOL, [REGEXP_EOL] = OP_EOL,  [REGEXP_WORD] = OP_WORD,
        [REGEXP_NOT_WORD] = OP_NOT_WORD, [REGEXP_SET] = OP_SET, [REGEXP_CHAR] = OP_CHAR};
    if (r->over || ++r->emits > 16 * LIMIT_DB_REGEXP_NODES) {
        r->over = true;
        return;
    }
    switch (n->kind) {
    case REGEXP_EMPTY:
        break;
    case REGEXP_CAT:
        emit(r, n->a);
        emit(r, n->b);
        break;
    case REGEXP_ALT:
        emit_alternative(r, n);
        break;
    case REGEXP_REPEAT:
        emit_repeat(r, n);
        break;
    case REGEXP_CHAR:
    case REGEXP_ANY:
    case REGEXP_SET:
    case REGEXP_BOL:
    case REGEXP_EOL:
    case REGEXP_WORD:
    case REGEXP_NOT_WORD:
        put(r, (struct instruction){.op = simple[n->kind], .x = n->code, .set = n->set});
        break;
    }
}

enum status regexp_compile(str pattern, struct regexp **ret, struct err *err)
{
    if (pattern.n > LIMIT_DB_REGEXP_BYTES)
        return err_set(err, STATUS_TOO_LARGE, "the regular expression has more than %d bytes", LIMIT_DB_REGEXP_BYTES);
    struct regexp *r = MEM_NEW(struct regexp);
    struct regexp_node *tree;
    r->arena = arena_new(SIZE_MAX);
    put(r, (struct instruction){.op = OP_JUMP, .x = 1}); /* the program is never empty */
    enum status st = regexp_parse(r->arena, pattern, &tree, &r->fold, err);
    if (st == STATUS_OK) {
        emit(r, tree);
        put(r, (struct instruction){.op = OP_MATCH});
    }
    if (st == STATUS_OK && r->over)
        st = err_set(err, STATUS_TOO_LARGE, "the regular expression is too large when its repeats are written out");
    if (st != STATUS_OK) {
        regexp_free(r);
        return st;
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

static bool set_has(const struct regexp_set *s, uint32_t code)
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
    bool edge = (!w->at_start && regexp_is_word(w->before)) != (!w->at_end && regexp_is_word(w->after));
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
        return i->x == regexp_fold(r->fold, code);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* scope — variables by name. A name of a template carries its hash from the time it was parsed, so that a look is a
 * comparison of numbers. A scope knows, in 64 bits, which names may be in it or around it: most names are variables of
 * the page, and the search for them goes past all scopes at once. */
#include "template/run.h"

static uint64_t bit_of(uint32_t hash)
{
    return UINT64_C(1) << (hash & 63);
}

struct scope *scope_new(struct eval *ev, struct scope *parent)
{
    struct scope *s = ARENA_NEW(ev->arena, struct scope);
    s->parent = parent;
    s->names = parent ? parent->names : 0;
    return s;
}

void scope_put(struct eval *ev, struct scope *s, str name, uint32_t hash, struct value v)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->vars[i].hash == hash && str_eq(s->vars[i].name, name)) {
            s->vars[i].value = v;
            return;
        }
    }
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 4;
        s->vars = arena_grow(ev->arena, s->vars, s->cap * sizeof *s->vars, cap * sizeof *s->vars);
        s->cap = cap;
    }
    s->vars[s->count++] = (struct var){name, hash, v};
    s->names |= bit_of(hash);
}

void scope_set(struct eval *ev, struct scope *s, str name, struct value v)
{
    scope_put(ev, s, name, value_hash(name), v);
}

/* What is no variable of the page: globals of the site, `self`, functions of the engine. */
static struct value look_in_globals(struct eval *ev, str name)
{
    struct value v;
    for (size_t i = 0; i < ev->env->global_count; i++)
        if (str_is(name, ev->env->globals[i].name))
            return ev->env->globals[i].value;
    if (str_is(name, "self"))
        return value_object(&self_class, ev);
    return global_lookup(name, &v) ? v : VALUE_UNDEF;
}

struct value scope_look(struct eval *ev, str name, uint32_t hash)
{
    uint64_t bit = bit_of(hash);
    for (const struct scope *s = ev->scope; s && s->names & bit; s = s->parent)
        for (size_t i = s->count; i-- > 0;)
            if (s->vars[i].hash == hash && str_eq(s->vars[i].name, name))
                return s->vars[i].value;
    struct value v = ev->no_vars ? VALUE_UNDEF : value_get_hashed(ev->vars, name, hash);
    return LIKELY(v.kind != VALUE_UNDEFINED) ? v : look_in_globals(ev, name);
}

struct value eval_lookup(struct eval *ev, str name)
{
    return scope_look(ev, name, value_hash(name));
}

bool assign(struct eval *ev, const struct node *target, struct value v)
{
    if (target->kind == N_NAME) {
        scope_put(ev, ev->scope, target->text, target->hash, v);
        return true;
    }
    if (target->kind == N_ATTR) {
        struct value ns;
        if (!run_expr(ev, target->a, &ns))
            return false;
        if (ns.kind != VALUE_OBJECT || strcmp(ns.object.class->name, "namespace") != 0)
            return run_fail(ev, target, STATUS_INVALID, "only attributes of a namespace() can be set");
        value_set((struct value){.kind = VALUE_DICT, .dict = ns.object.self}, target->text, v);
        return true;
    }
    struct iter it;
    if (!iter_begin(ev, target, v, &it))
        return false;
    for (size_t i = 0; i < target->count; i++) {
        struct value item;
        if (!iter_next(ev, &it, &item))
            return run_fail(ev, target, STATUS_INVALID, "not enough values to unpack (expected %zu, got %zu)",
                            target->count, i);
        if (!assign(ev, target->items[i], item))
            return false;
    }
    struct value extra;
    if (iter_next(ev, &it, &extra))
        return run_fail(ev, target, STATUS_INVALID, "too many values to unpack (expected %zu)", target->count);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* inherit — {% extends %}, {% block %}, super() and self. A chain holds the templates of one inheritance, the most
 * derived first; a block is looked for from the front of it. */
#include "template/run.h"

static const struct node *find_block(const struct chain *chain, str name, size_t *level)
{
    for (; *level < chain->count; (*level)++) {
        const struct compiled *t = chain->templates[*level];
        for (size_t i = 0; i < t->block_count; i++)
            if (str_eq(t->blocks[i].name, name))
                return t->blocks[i].node;
    }
    return NULL;
}

struct super_value {
    str name;
    size_t level; /* first level to look at */
};

static bool run_block_at(struct eval *ev, str name, size_t level, struct scope *parent, bool *ret_found);

static enum status super_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct super_value *s = self;
    struct buf *outer = ev->out, text;
    bool found = false;
    (void)args;
    buf_init(&text, outer->max);
    ev->out = &text;
    bool ok = run_block_at(ev, s->name, s->level, ev->module, &found);
    ev->out = outer;
    *ret = value_safe(arena_str(ev->arena, buf_str(&text)));
    buf_release(&text);
    if (ok && !found)
        return eval_fail(ev, STATUS_INVALID, "there is no parent block '%.*s'", STR_ARG(s->name));
    return ok ? STATUS_OK : ev->status;
}

static const struct value_class super_class = {.name = "super", .call = super_call};

static bool run_block_at(struct eval *ev, str name, size_t level, struct scope *parent, bool *ret_found)
{
    const struct node *block = find_block(ev->chain, name, &level);
    *ret_found = block != NULL;
    if (!block)
        return true;
    if (!run_enter(ev, block))
        return false;
    struct scope *scope = ev->scope;
    const struct compiled *template = ev->template;
    size_t outer_level = ev->level;
    struct super_value *super = ARENA_NEW(ev->arena, struct super_value);
    *super = (struct super_value){name, level + 1};
    ev->scope = scope_new(ev, parent);
    ev->template = ev->chain->templates[level];
    ev->level = level;
    scope_set(ev, ev->scope, STR("super"), value_object(&super_class, super));
    bool ok = run_body(ev, block->body);
    ev->scope = scope;
    ev->template = template;
    ev->level = outer_level;
    ev->depth--;
    return ok;
}

/* self.NAME(): a block once more, by name. */
static enum status self_block_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct super_value *s = self;
    return super_call(&(struct super_value){s->name, 0}, ev, args, ret);
}

static const struct value_class self_block_class = {.name = "block", .call = self_block_call};

static bool self_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    size_t level = 0;
    (void)self;
    if (!find_block(ev->chain, name, &level))
        return false;
    struct super_value *s = ARENA_NEW(ev->arena, struct super_value);
    *s = (struct super_value){name, 0};
    *ret = value_object(&self_block_class, s);
    return true;
}

const struct value_class self_class = {.name = "self", .attr = self_attr};

bool run_block(struct eval *ev, const struct node *n)
{
    bool found;
    if (ev->parent) /* a child template only defines its blocks */
        return true;
    return run_block_at(ev, n->text, 0, n->flag ? ev->scope : ev->module, &found);
}

bool run_extends(struct eval *ev, const struct node *n)
{
    struct value name;
    if (!run_expr(ev, n->a, &name))
        return false;
    if (!value_is_text(name))
        return run_fail(ev, n->a, STATUS_INVALID, "{%% extends %%} needs the name of a template");
    if (ev->chain->count == RUN_CHAIN_MAX)
        return run_fail(ev, n, STATUS_TOO_LARGE, "the chain of {%% extends %%} is longer than %d", RUN_CHAIN_MAX);
    return run_load(ev, n, name.s, &ev->parent);
}

bool run_template(struct eval *ev, struct compiled *t)
{
    struct buf *out = ev->out, discarded;
    bool ok = true;
    buf_init(&discarded, out->max);
    for (struct compiled *now = t; ok && now; now = ev->parent) {
        ev->chain->templates[ev->chain->count++] = now;
        ev->template = now;
        ev->parent = NULL;
        ok = true;
        for (size_t i = 0; ok && i < now->root->count; i++) {
            /* what follows {% extends %} runs for its names only */
            ev->out = ev->parent ? &discarded : out;
            const struct node single = {
                .kind = N_BODY, .items = &now->root->items[i], .count = 1, .line = now->root->items[i]->line};
            ok = run_body(ev, &single);
            buf_clear(&discarded);
        }
    }
    ev->out = out;
    buf_release(&discarded);
    return ok;
}

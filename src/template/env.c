/* SPDX-License-Identifier: Apache-2.0 */
/* env — loads, compiles and keeps templates. A kept one is used as long as the loader's stamp stays the same;
 * renderings that began with an old one keep it alive by reference. */
#include <pthread.h>

#include "template/run.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include <stdlib.h>

#define EXPECTED_MAX 262144 /* bytes that a page is given before it is written */

struct cache {
    pthread_mutex_t lock;
    struct map *by_name; /* name -> struct compiled, one reference */
};

struct template_env *template_env_new(const struct template_loader *loader)
{
    struct template_env *env = mem_alloc(sizeof *env);
    if (loader)
        env->loader = *loader;
    env->cache = mem_alloc(sizeof *env->cache);
    pthread_mutex_init(&env->cache->lock, NULL);
    env->cache->by_name = map_new();
    return env;
}

void template_unref(struct compiled *t)
{
    if (t && atomic_fetch_sub(&t->refs, 1) == 1)
        arena_free(t->arena);
}

void template_env_free(struct template_env *env)
{
    size_t pos = 0;
    void *t;
    if (!env)
        return;
    while (map_next(env->cache->by_name, &pos, NULL, &t))
        template_unref(t);
    map_free(env->cache->by_name);
    pthread_mutex_destroy(&env->cache->lock);
    free(env->cache);
    free(env);
}

void template_env_add_filter(struct template_env *env, const char *name, template_filter_fn *fn)
{
    ASSERT(env->filter_count < ENV_EXTRA_MAX);
    env->filters[env->filter_count++] = (struct named_filter){name, fn};
}

void template_env_add_block_tag(struct template_env *env, const char *name, template_filter_fn *fn)
{
    ASSERT(env->tag_count < ENV_EXTRA_MAX);
    env->tags[env->tag_count++] = (struct named_filter){name, fn};
}

void template_env_set_global(struct template_env *env, str name, struct value v)
{
    ASSERT(env->global_count < ENV_EXTRA_MAX);
    env->globals[env->global_count++] = (struct named_value){name.p, v};
}

void template_env_no_autoescape(struct template_env *env, const char *suffix)
{
    ASSERT(env->plain_suffix_count < ARRAY_LEN(env->plain_suffixes));
    env->plain_suffixes[env->plain_suffix_count++] = suffix;
}

void template_env_max_steps(struct template_env *env, uint64_t steps)
{
    env->max_steps = steps;
}

static bool escapes(const struct template_env *env, str name)
{
    for (size_t i = 0; i < env->plain_suffix_count; i++)
        if (str_ends(name, str_of(env->plain_suffixes[i])))
            return false;
    return true;
}

template_filter_fn *env_filter(const struct template_env *env, str name)
{
    for (size_t i = 0; i < env->filter_count; i++)
        if (str_is(name, env->filters[i].name))
            return env->filters[i].fn;
    for (size_t i = 0; i < builtin_filter_count; i++)
        if (str_is(name, builtin_filters[i].name))
            return builtin_filters[i].fn;
    return NULL;
}

template_test_fn *env_test(str name)
{
    for (size_t i = 0; i < builtin_test_count; i++)
        if (str_is(name, builtin_tests[i].name))
            return builtin_tests[i].fn;
    return NULL;
}

template_filter_fn *env_tag(const struct template_env *env, str name)
{
    for (size_t i = 0; i < env->tag_count; i++)
        if (str_is(name, env->tags[i].name))
            return env->tags[i].fn;
    return NULL;
}

static struct compiled *compiled_new(str name)
{
    struct arena *a = arena_new(LIMIT_TEMPLATE_OUTPUT);
    struct compiled *t = ARENA_NEW(a, struct compiled);
    t->arena = a;
    t->name = t->origin = arena_str(a, name);
    atomic_init(&t->refs, 1);
    return t;
}

static enum status compile(struct template_env *env, str name, uint64_t stamp, struct compiled **ret, struct err *err)
{
    struct compiled *t = compiled_new(name);
    str origin = {0}, source;
    enum status st = env->loader.load ? env->loader.load(env->loader.self, name, t->arena, &source, &origin, err)
                                      : err_set(err, STATUS_NOT_FOUND, "There is no template %.*s", STR_ARG(name));
    if (st == STATUS_OK) {
        t->source = source;
        if (origin.n)
            t->origin = arena_str(t->arena, origin);
        t->stamp = stamp;
        st = template_parse(env, t, err);
    }
    if (st == STATUS_OK)
        *ret = t;
    else
        template_unref(t);
    return st;
}

enum status template_get(struct template_env *env, str name, struct compiled **ret, struct err *err)
{
    uint64_t stamp = env->loader.stamp ? env->loader.stamp(env->loader.self, name) : 0;
    struct cache *c = env->cache;
    pthread_mutex_lock(&c->lock);
    struct compiled *t = map_get(c->by_name, name);
    if (t && t->stamp == stamp) {
        atomic_fetch_add(&t->refs, 1);
        pthread_mutex_unlock(&c->lock);
        *ret = t;
        return STATUS_OK;
    }
    pthread_mutex_unlock(&c->lock);
    enum status st = compile(env, name, stamp, &t, err);
    if (st != STATUS_OK)
        return st;
    atomic_fetch_add(&t->refs, 1);
    pthread_mutex_lock(&c->lock);
    struct compiled *old = map_put(c->by_name, name, t);
    pthread_mutex_unlock(&c->lock);
    template_unref(old);
    *ret = t;
    return STATUS_OK;
}

bool template_exists(struct template_env *env, str name)
{
    pthread_mutex_lock(&env->cache->lock);
    struct compiled *t = map_get(env->cache->by_name, name);
    uint64_t stamp = t ? t->stamp : 0;
    pthread_mutex_unlock(&env->cache->lock);
    if (t && (!env->loader.stamp || env->loader.stamp(env->loader.self, name) == stamp))
        return true;
    struct arena *a = arena_new(LIMIT_TEMPLATE_OUTPUT);
    str source, origin;
    bool found = env->loader.load && env->loader.load(env->loader.self, name, a, &source, &origin, NULL) == STATUS_OK;
    arena_free(a);
    return found;
}

bool template_select(struct template_env *env, const str *names, size_t n, str *ret)
{
    for (size_t i = 0; i < n; i++) {
        if (template_exists(env, names[i])) {
            *ret = names[i];
            return true;
        }
    }
    return false;
}

enum status template_check(struct template_env *env, str name, struct err *err)
{
    struct compiled *t;
    enum status st = template_get(env, name, &t, err);
    if (st == STATUS_OK)
        template_unref(t);
    return st;
}

/* Pages of one template are of about one size. A rare large one does not make all others take its memory. */
static void expect_bytes(struct compiled *t, size_t bytes)
{
    unsigned now = (unsigned)MIN(bytes, (size_t)EXPECTED_MAX);
    if (now > atomic_load_explicit(&t->bytes_expected, memory_order_relaxed))
        atomic_store_explicit(&t->bytes_expected, now, memory_order_relaxed);
}

static enum status render(struct template_env *env, struct compiled *t, struct value vars, struct arena *a,
                          struct buf *out, struct err *err)
{
    struct err local = ERR_INIT;
    struct chain *chain = ARENA_NEW(a, struct chain);
    struct eval ev = {.env = env,
                      .arena = a,
                      .out = out,
                      .vars = vars,
                      .err = err ? err : &local,
                      .autoescape = escapes(env, t->name)};
    ev.chain = chain;
    ev.max_steps = env->max_steps ? env->max_steps : LIMIT_TEMPLATE_STEPS;
    ev.deadline_us = clock_mono_us() + LIMIT_TEMPLATE_MS * 1000;
    ev.scope = ev.module = scope_new(&ev, NULL);
    arena_defer(a, (void (*)(void *))template_unref, t);
    size_t before = out->n, expected = atomic_load_explicit(&t->bytes_expected, memory_order_relaxed);
    bool fits = expected <= out->max - MIN(out->n, out->max);
    if (fits && expected && !buf_reserve(out, expected)) /* grown once, not by doubling */
        return err_set(ev.err, STATUS_TOO_LARGE, "there is no memory for the page");
    if (run_template(&ev, t) && ev.status == STATUS_OK) {
        expect_bytes(t, out->n - before);
        return STATUS_OK;
    }
    out->n = before;
    return ev.status;
}

enum status template_render(struct template_env *env, str name, struct value vars, struct arena *a, struct buf *out,
                            struct err *err)
{
    struct compiled *t;
    enum status st = template_get(env, name, &t, err);
    return st == STATUS_OK ? render(env, t, vars, a, out, err) : st;
}

enum status template_render_string(struct template_env *env, str name, str source, struct value vars, struct arena *a,
                                   struct buf *out, struct err *err)
{
    struct compiled *t = compiled_new(name);
    t->source = arena_str(t->arena, source);
    enum status st = template_parse(env, t, err);
    if (st == STATUS_OK)
        return render(env, t, vars, a, out, err);
    template_unref(t);
    return st;
}

/* ---- globals ---- */

#define RANGE_MAX (INT64_MAX / 8) /* so that no sum of such numbers overflows */

/* Lazy, as in Python: a loop over a million numbers takes no memory. */
struct range {
    int64_t start, stop, step, length;
};

static bool range_next(void *self, struct eval *ev, size_t i, struct value *ret)
{
    const struct range *r = self;
    (void)ev;
    if ((int64_t)i >= r->length)
        return false;
    *ret = value_int(r->start + (int64_t)i * r->step);
    return true;
}

static int64_t range_length(void *self, struct eval *ev)
{
    (void)ev;
    return ((const struct range *)self)->length;
}

static bool range_truth(void *self)
{
    return ((const struct range *)self)->length > 0;
}

static struct value range_text(void *self, struct eval *ev)
{
    const struct range *r = self;
    str start_stop = arena_printf(ev->arena, "range(%lld, %lld", (long long)r->start, (long long)r->stop);
    return value_str(r->step == 1 ? ARENA_CAT(ev->arena, start_stop, STR(")"))
                                  : arena_printf(ev->arena, "%.*s, %lld)", STR_ARG(start_stop), (long long)r->step));
}

static bool range_item(void *self, struct eval *ev, struct value key, struct value *ret)
{
    const struct range *r = self;
    int64_t i = key.kind != VALUE_INT ? r->length : key.i < 0 ? key.i + r->length : key.i;
    return i >= 0 && range_next(self, ev, (size_t)i, ret);
}

static const struct value_class range_class = {.name = "range",
                                               .item = range_item,
                                               .next = range_next,
                                               .length = range_length,
                                               .truth = range_truth,
                                               .text = range_text};

static enum status g_range(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    int64_t n[3] = {0, 0, 1};
    (void)self;
    if (!args->count || args->count > 3)
        return eval_fail(ev, STATUS_INVALID, "range() takes one to three integers");
    for (size_t i = 0; i < args->count; i++) {
        if (args->positional[i].kind != VALUE_INT)
            return eval_fail(ev, STATUS_INVALID, "range() takes integers");
        n[i] = args->positional[i].i;
        if (n[i] > RANGE_MAX || n[i] < -RANGE_MAX)
            return eval_fail(ev, STATUS_TOO_LARGE, "range() takes numbers of up to %lld", (long long)RANGE_MAX);
    }
    if (args->count == 1) {
        n[1] = n[0];
        n[0] = 0;
    }
    if (!n[2])
        return eval_fail(ev, STATUS_INVALID, "range() with step 0");
    struct range *r = ARENA_NEW(ev->arena, struct range);
    int64_t span = n[2] > 0 ? n[1] - n[0] : n[0] - n[1], step = n[2] > 0 ? n[2] : -n[2];
    *r = (struct range){n[0], n[1], n[2], span > 0 ? (span + step - 1) / step : 0};
    *ret = value_object(&range_class, r);
    return STATUS_OK;
}

static enum status g_dict(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    (void)self;
    struct value from = value_plain(ev->arena, eval_arg(args, 0, NULL));
    *ret = value_dict(ev->arena);
    for (size_t i = 0; from.kind == VALUE_DICT && i < from.dict->count; i++)
        value_set(*ret, from.dict->entries[i].key, from.dict->entries[i].value);
    for (size_t i = 0; i < args->keyword_count; i++)
        value_set(*ret, args->keywords[i].key, args->keywords[i].value);
    return STATUS_OK;
}

static bool namespace_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    struct value v = value_get((struct value){.kind = VALUE_DICT, .dict = self}, name);
    (void)ev;
    *ret = v;
    return v.kind != VALUE_UNDEFINED;
}
static const struct value_class namespace_class = {.name = "namespace", .attr = namespace_attr};

static enum status g_namespace(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    struct value d;
    enum status st = g_dict(self, ev, args, &d);
    *ret = value_object(&namespace_class, d.dict);
    return st;
}

struct cycler {
    const struct value *items;
    size_t count, at;
    struct value sep; /* joiner */
};

static enum status cycler_next(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    struct cycler *c = self;
    (void)ev, (void)args;
    *ret = c->items[c->at];
    c->at = (c->at + 1) % c->count;
    return STATUS_OK;
}
static const struct value_class cycler_next_class = {.name = "method", .call = cycler_next};

static bool cycler_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    struct cycler *c = self;
    (void)ev;
    if (str_is(name, "next"))
        *ret = value_object(&cycler_next_class, c);
    else if (str_is(name, "current"))
        *ret = c->items[c->at];
    else
        return false;
    return true;
}
static const struct value_class cycler_class = {.name = "cycler", .attr = cycler_attr};

static enum status g_cycler(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    struct cycler *c = ARENA_NEW(ev->arena, struct cycler);
    (void)self;
    if (!args->count)
        return eval_fail(ev, STATUS_INVALID, "cycler() needs values");
    c->items = args->positional;
    c->count = args->count;
    *ret = value_object(&cycler_class, c);
    return STATUS_OK;
}

static enum status joiner_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    struct cycler *c = self;
    (void)ev, (void)args;
    *ret = c->at++ ? c->sep : value_str(STR(""));
    return STATUS_OK;
}
static const struct value_class joiner_class = {.name = "joiner", .call = joiner_call};

static enum status g_joiner(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    struct cycler *c = ARENA_NEW(ev->arena, struct cycler);
    struct value sep = eval_arg(args, 0, "sep");
    (void)self;
    c->sep = value_is_null(sep) ? value_str(STR(", ")) : sep;
    *ret = value_object(&joiner_class, c);
    return STATUS_OK;
}

static const struct {
    const char *name;
    struct value_class class;
} globals[] = {
    {"range", {.name = "function", .call = g_range}},         {"dict", {.name = "function", .call = g_dict}},
    {"namespace", {.name = "function", .call = g_namespace}}, {"cycler", {.name = "function", .call = g_cycler}},
    {"joiner", {.name = "function", .call = g_joiner}},
};

bool global_lookup(str name, struct value *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(globals); i++) {
        if (str_is(name, globals[i].name)) {
            *ret = value_object(&globals[i].class, NULL);
            return true;
        }
    }
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Renders `name` of a table of sources with variables given as JSON. */
#ifndef VITRINE_TEST_TEMPLATE_RENDER_H
#define VITRINE_TEST_TEMPLATE_RENDER_H

#include "template/template.h"
#include "test.h"

struct source {
    const char *name, *text;
};

static const struct source *sources;

static inline enum status source_load(void *self, str name, struct arena *a, str *ret_source, str *ret_origin,
                                      struct err *err)
{
    (void)self;
    (void)a;
    for (const struct source *s = sources; s && s->name; s++) {
        if (str_is(name, s->name)) {
            *ret_source = str_of(s->text);
            *ret_origin = str_of(s->name);
            return STATUS_OK;
        }
    }
    return err_set(err, STATUS_NOT_FOUND, "no template %.*s", STR_ARG(name));
}

/* Text of the page, or "ERROR: message". */
static inline str render(struct arena *a, const char *text, const char *vars)
{
    struct template_loader loader = {.load = source_load};
    struct template_env *env = template_env_new(&loader);
    struct buf out;
    struct err err = ERR_INIT;
    struct value v = value_dict(a);
    buf_init(&out, 1u << 20);
    if (vars && value_from_json(a, str_of(vars), &v, &err) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "bad variables: %s", err.text);
    enum status st = template_render_string(env, STR("page.html"), str_of(text), v, a, &out, &err);
    str got = st == STATUS_OK ? arena_str(a, buf_str(&out)) : arena_printf(a, "ERROR: %s", err.text);
    buf_release(&out);
    template_env_free(env);
    return got;
}

#define RENDERS(text, vars, want)                                                                                      \
    do {                                                                                                               \
        struct arena *a_ = arena_new(1u << 26);                                                                        \
        CHECK_STR(render(a_, (text), (vars)), (want));                                                                 \
        arena_free(a_);                                                                                                \
    } while (0)

#endif

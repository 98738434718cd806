/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/given.h"

enum status given_read(struct arena *a, const struct option *options, size_t count, int argc, char **argv,
                       struct given *ret, struct err *err)
{
    struct option_reader r = {.options = options, .count = count, .argc = argc, .argv = argv};
    struct given_option g = {0};
    enum status st;
    *ret = (struct given){0};
    while ((st = option_next(&r, &g.id, &g.value[0], &g.value[1], err)) == STATUS_AGAIN) {
        if (g.id == -1) {
            VEC_PUSH(a, &ret->words, g.value[0]);
            continue;
        }
        g.value[2] = option_third(&r);
        VEC_PUSH(a, &ret->options, g);
    }
    return st;
}

bool given_has(const struct given *g, int id)
{
    for (size_t i = 0; i < g->options.count; i++)
        if (g->options.items[i].id == id)
            return true;
    return false;
}

str given_text(const struct given *g, int id)
{
    for (size_t i = g->options.count; i-- > 0;)
        if (g->options.items[i].id == id)
            return g->options.items[i].value[0];
    return (str){0};
}

str *given_list(struct arena *a, const struct given *g, int id, size_t *ret_count)
{
    str *list = ARENA_ARRAY(a, str, g->options.count + 1);
    size_t n = 0;
    for (size_t i = 0; i < g->options.count; i++)
        if (g->options.items[i].id == id)
            list[n++] = g->options.items[i].value[0];
    *ret_count = n;
    return list;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/str.h"

enum { LOWERED_MAX = 32 };

static struct lowered {
    str name;
    int64_t value;
} lowered[LOWERED_MAX];
static size_t lowered_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_environment(void)
{
    const char *text = getenv("VITRINE_LIMITS");
    /* A copy: the environment may be wiped (rt/sandbox_own.c). */
    str rest = str_of(text ? mem_cstr(str_of(text)) : ""), one, name, number;
    while (rest.n) {
        uint64_t value;
        str_cut(rest, ',', &one, &rest);
        if (!str_cut(one, '=', &name, &number) || !str_to_u64(number, &value) || value > INT64_MAX ||
            lowered_count == LOWERED_MAX) {
            fprintf(stderr, "VITRINE_LIMITS: cannot use '%.*s' (at most %d of NAME=NUMBER)\n", STR_ARG(one),
                    LOWERED_MAX);
            exit(2);
        }
        lowered[lowered_count++] = (struct lowered){name, (int64_t)value};
    }
}

int64_t limit_lowered(const char *name, int64_t value)
{
    pthread_once(&once, read_environment);
    for (size_t i = 0; i < lowered_count; i++)
        if (str_is(lowered[i].name, name) && lowered[i].value < value)
            return lowered[i].value;
    return value;
}

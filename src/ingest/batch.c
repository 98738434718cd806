/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/csvread.h"
#include "ingest/input.h"

#include "base/banned.h"

void batch_init(struct batch *b)
{
    *b = (struct batch){.arena = arena_new(0)};
}

void batch_release(struct batch *b)
{
    free(b->text);
    rows_release(&b->rows);
    arena_free(b->arena);
    *b = (struct batch){0};
}

void batch_clear(struct batch *b)
{
    rows_clear(&b->rows);
    arena_reset(b->arena);
    b->ill_formed = b->last = false;
}

void batch_reserve(struct batch *b, size_t size)
{
    if (size <= b->text_cap)
        return;
    b->text = mem_resize(b->text, size_add(size, CSVREAD_PAD), 1);
    b->text_cap = size;
    memset(b->text + size, 0, CSVREAD_PAD);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What an authority says when it refuses is shown to people: one line, no control characters, whatever it holds. */
#include <stddef.h>

#include "acme/acme_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(1 << 20);
    struct err err = ERR_INIT;
    struct value v = VALUE_UNDEF;
    if (value_from_json(a, str_make((const char *)data, size), &v, NULL) != STATUS_OK)
        v = VALUE_UNDEF;
    enum status st = acme_problem(a, v, size & 1 ? 429 : 0, "an order", &err);
    ASSERT(st != STATUS_OK && st == err.status && str_starts(str_of(err.text), STR("an order: the authority says: ")));
    for (const char *p = err.text; *p; p++)
        ASSERT((unsigned char)*p >= ' ' && *p != 0x7f);
    arena_free(a);
    return 0;
}

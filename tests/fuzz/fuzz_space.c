/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as space.json: what is read keeps its promises. */
#include <stdlib.h>

#include "site/space/space.h"
#include "site/space/theme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct space *sp = NULL;
    struct arena *a = arena_new(1u << 20);
    if (space_parse(str_make((const char *)data, size), &sp, NULL) == STATUS_OK) {
        if (!sp->id.n || str_find_char(sp->origin, '\n') != STR_NPOS || str_find_char(sp->logo, '/') != STR_NPOS ||
            sp->disk_bytes < 0 || str_find_char(theme_css(a, sp->accent), '<') != STR_NPOS)
            abort();
        (void)space_owners(sp, a);
        (void)space_is_revoked(sp, STR("x"));
        if (permit_role(&sp->people, VALUE_NULL) != ROLE_NONE)
            abort();
    }
    space_unref(sp);
    arena_free(a);
    return 0;
}

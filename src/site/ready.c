/* SPDX-License-Identifier: Apache-2.0 */
#include "site/ready.h"

bool site_is_ready(const struct site *s, struct arena *a, str *ret_why)
{
    struct db_signature signature;
    if (atomic_load_explicit(&s->shared->draining, memory_order_relaxed)) {
        if (ret_why)
            *ret_why = STR("The server is stopping");
        return false;
    }
    for (size_t i = 0; i < s->published_count; i++) {
        const struct published *p = s->published[i];
        struct err err = ERR_INIT;
        enum status st = database_signature(p->database, &signature, &err);
        if (st == STATUS_OK || (st == STATUS_NOT_FOUND && s->files_may_go)) /* its removal is about to be noticed */
            continue;
        if (ret_why)
            *ret_why = arena_printf(a, "The database %.*s cannot be read", STR_ARG(p->name));
        return false;
    }
    return true;
}

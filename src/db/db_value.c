/* SPDX-License-Identifier: Apache-2.0 */
#include "db/db_value.h"

#include <math.h>

#include "codec/jwrite.h"

void db_value_put_json(struct buf *out, const struct db_value *v)
{
    switch (v->kind) {
    case DB_NULL:
        buf_puts(out, STR("null"));
        break;
    case DB_INT:
        buf_put_i64(out, v->i);
        break;
    case DB_FLOAT:
        if (isfinite(v->f))
            jwrite_put_double(out, v->f);
        else
            buf_puts(out, STR("null"));
        break;
    case DB_TEXT:
        jwrite_put_string(out, v->s, JWRITE_UTF8);
        break;
    case DB_BLOB:
        jwrite_put_bytes(out, v->s, 0);
        break;
    }
}

struct value db_value_copy(struct arena *a, const struct db_value *v)
{
    switch (v->kind) {
    case DB_INT:
        return value_int(v->i);
    case DB_FLOAT:
        return value_float(v->f);
    case DB_TEXT:
        return value_str(arena_str(a, v->s));
    case DB_BLOB:
        return value_bytes(arena_str(a, v->s));
    case DB_NULL:
        break;
    }
    return VALUE_NULL;
}

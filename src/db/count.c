/* SPDX-License-Identifier: Apache-2.0 */
#include "db/count.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/names.h"
#include "db/conn_impl.h"
#include "db/stmt.h"

#include "base/banned.h"

static enum status run(struct conn *c, str sql, int64_t *ret, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare(c, sql, &s, err);
    if (st != STATUS_OK)
        return st;
    st = stmt_step(s, err);
    if (st == STATUS_AGAIN) {
        *ret = stmt_column_i64(s, 0);
        st = STATUS_OK;
    }
    stmt_done(s);
    return st;
}

enum status count_rows(struct conn *c, str table, int64_t limit, int64_t time_limit_ms, int64_t *ret, struct err *err)
{
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, limit ? STR("select count(*) from (select 1 from ") : STR("select count(*) from "));
    name_escape(&sql, table);
    if (limit)
        buf_printf(&sql, " limit %lld)", (long long)limit + 1);
    int64_t outer = c->deadline.at_mono_us;
    const atomic_bool *cancelled = c->deadline.cancelled;
    int64_t inner = time_limit_ms ? clock_mono_us() + time_limit_ms * 1000 : 0;
    if (inner && (!outer || inner < outer))
        conn_deadline(c, inner, cancelled);
    enum status st = run(c, buf_str(&sql), ret, err);
    conn_deadline(c, outer, cancelled);
    buf_release(&sql);
    return st;
}

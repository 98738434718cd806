/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/quota.h"

#include <stddef.h>
#include <stdlib.h>

#include "hub/audit.h"
#include "hub/edge_apps.h"
#include "hub/space.h"
#include "rt/fault.h"

/* People write MB and percent; what is kept and told are bytes. */
static const struct field {
    const char *name, *label, *unit;
    size_t at;     /* in struct hub_quota */
    int64_t scale; /* of what people write */
    int64_t low;   /* least that a space can live with, as people write it */
} fields[] = {
    {"disk_bytes", "Disk", "MB", offsetof(struct hub_quota, disk_bytes), 1000000, 1},
    {"memory_bytes", "Memory", "MB", offsetof(struct hub_quota, memory_bytes), 1000000, 64},
    {"cpu_percent", "Processor time", "% of one processor", offsetof(struct hub_quota, cpu_percent), 1, 5},
    {"sql_ms", "Time of one query", "ms", offsetof(struct hub_quota, sql_ms), 1, 10},
    {"requests_per_minute", "Requests a minute", "", offsetof(struct hub_quota, requests_per_minute), 1, 10},
};
#define MOST INT64_C(1000000000) /* as people write it: a thousand TB */

static int64_t *at(struct hub_quota *q, const struct field *f)
{
    return (int64_t *)(void *)((char *)q + f->at);
}

static bool own_of(struct arena *a, str own, const struct field *f, int64_t *ret)
{
    struct value v;
    if (value_from_json(a, own, &v, NULL) != STATUS_OK || v.kind != VALUE_DICT)
        return false;
    struct value one = value_get(v, str_of(f->name));
    if (one.kind != VALUE_INT || one.i < 0)
        return false;
    *ret = one.i;
    return true;
}

void quota_of(const struct hub_config *c, struct arena *a, str own, struct hub_quota *ret)
{
    *ret = c->quota;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        (void)own_of(a, own, &fields[i], at(ret, &fields[i]));
}

struct value quota_value(struct arena *a, const struct hub_quota *q)
{
    struct value v = value_dict(a);
    struct hub_quota all = *q;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        value_set(v, str_of(fields[i].name), value_int(*at(&all, &fields[i])));
    VALUE_SET(v, "sleep_seconds", value_int(q->sleep_seconds));
    return v;
}

/* "512 MB"; scaled values that are no whole number keep their digits. */
static str written(struct arena *a, int64_t n, const struct field *f)
{
    if (n % f->scale == 0)
        return arena_i64(a, n / f->scale);
    return arena_printf(a, "%.1f", (double)n / (double)f->scale);
}

static str with_unit(struct arena *a, int64_t n, const struct field *f)
{
    return n ? ARENA_CAT(a, written(a, n, f), f->unit[0] && f->unit[0] != '%' ? STR(" ") : STR(""), str_of(f->unit))
             : STR("no limit");
}

struct value quota_rows(const struct hub_config *c, struct arena *a, str own)
{
    struct value list = value_list(a);
    struct hub_quota now, usual = c->quota;
    quota_of(c, a, own, &now);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *f = &fields[i];
        struct value row = value_dict(a);
        int64_t set = 0;
        bool is_set = own_of(a, own, f, &set);
        VALUE_SET(row, "name", value_cstr(f->name));
        VALUE_SET(row, "label", value_cstr(f->label));
        VALUE_SET(row, "unit", value_cstr(f->unit));
        VALUE_SET(row, "set", value_bool(is_set));
        VALUE_SET(row, "value", value_str(is_set ? written(a, set, f) : STR("")));
        VALUE_SET(row, "most", value_int(*at(&now, f)));
        VALUE_SET(row, "text", value_str(with_unit(a, *at(&now, f), f)));
        VALUE_SET(row, "usual", value_str(with_unit(a, *at(&usual, f), f)));
        value_push(list, row);
    }
    return list;
}

enum status quota_read_form(const struct hub_request *rq, str *ret, struct err *err)
{
    struct value v = value_dict(rq->a);
    struct buf json;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *f = &fields[i];
        str text = hub_field(rq, f->name);
        int64_t n;
        if (!text.n)
            continue;
        if (!str_to_i64(text, &n) || n > MOST || (n != 0 && n < f->low)) {
            err_set(err, STATUS_INVALID, "%s: %.*s is not a whole number from %lld on.", f->label,
                    STR_ARG(str_sub(text, 0, 40)), (long long)f->low);
            return err_hint(err, "0 means no limit; leave the field empty for what hub.yaml says.");
        }
        value_set(v, str_of(f->name), value_int(n * f->scale));
    }
    buf_init(&json, 4096);
    value_to_json(&json, v, VALUE_JSON_UTF8);
    *ret = arena_str(rq->a, buf_str(&json));
    buf_release(&json);
    return STATUS_OK;
}

/* ---- of one space ---- */

struct change {
    struct hub_request *rq;
    str id, own;
};

static enum status write_quota(struct conn *c, void *arg, struct err *err)
{
    const struct change *q = arg;
    enum status st = SQL_RUN(c, err, "update spaces set quota = ?2 where id = ?1", SQL_T(q->id), SQL_T(q->own));
    if (st == STATUS_OK)
        st = space_changed(c, q->id, err);
    return st == STATUS_OK ? hub_audit(c, q->rq, "space.quota", q->id, q->own, err) : st;
}

enum status quota_set(struct hub_request *rq, str space_id, str own, struct err *err)
{
    struct change q = {rq, space_id, own};
    struct conn *c;
    hub_conn_release(rq);
    enum status st = store_write(rq->hub->store, write_quota, &q, err);
    (void)FAULT("hub.quota.changed");
    if (st != STATUS_OK)
        return st;
    space_tell(rq->hub); /* disk, time of SQL, requests: within a second */
    st = hub_conn(rq, &c, err);
    if (st == STATUS_OK) /* memory and processor time are those of another process; one that sleeps is not woken */
        st = edge_apps_put(rq->hub, c, space_id, true, err);
    hub_conn_release(rq);
    return st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sql_post — POST /DB.json {"sql": "select ...", "params": {...}}: the short form of a query, for statements that are
 * too long for an address. Same rules, same answer as GET /DB/-/query.json; every other key of the object is an option
 * or a parameter, as it would be in the query string. */
#include "codec/url.h"
#include "site/request.h"
#include "site/view/database.h"
#include "site/view/view.h"

/* Parameters are bound as text, so numbers may come as numbers; a list or an object is bound as its JSON. */
static enum status text_of(struct arena *a, str name, struct value v, str *ret, struct err *err)
{
    struct buf b;
    enum status st = STATUS_OK;
    if (v.kind == VALUE_BOOL) {
        *ret = v.b ? STR("1") : STR("0");
    } else if (v.kind != VALUE_LIST && v.kind != VALUE_DICT) {
        *ret = value_to_str(a, v);
    } else {
        buf_init(&b, LIMIT_QUERY_TEXT);
        value_to_json(&b, v, VALUE_JSON_UTF8);
        if (b.over) {
            err_set(err, STATUS_TOO_LARGE, "the parameter %.*s is longer than %d bytes", STR_ARG(name),
                    LIMIT_QUERY_TEXT);
            st = err_hint(err, "Ask several times, with a part of it each.");
        } else {
            *ret = arena_str(a, buf_str(&b));
        }
        buf_release(&b);
    }
    return st;
}

static enum status read_body(struct request *rq, struct value *ret, struct err *err)
{
    enum status st = value_from_json(rq->arena, rq->http->body, ret, err);
    if (st != STATUS_OK)
        return err_prefix(err, "Invalid JSON");
    struct value sql = VALUE_GET(*ret, "sql"), params = VALUE_GET(*ret, "params");
    if (ret->kind != VALUE_DICT || !value_is_text(sql))
        err_set(err, STATUS_INVALID, "The body must be a JSON object with a \"sql\" key that holds a statement");
    else if (!value_is_null(params) && params.kind != VALUE_DICT)
        err_set(err, STATUS_INVALID, "\"params\" must be an object: names and values");
    else
        return STATUS_OK;
    return err_hint(err, "For example {\"sql\": \"select :n\", \"params\": {\"n\": 1}}.");
}

enum status view_sql_post(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    VEC(struct url_pair) pairs = {0};
    struct value body = VALUE_UNDEF;
    if (!str_trim(rq->http->body).n) {
        err_set(err, STATUS_METHOD, "Method not allowed");
        return err_hint(err, "A POST runs a query when its body says so: {\"sql\": \"select 1\"}.");
    }
    enum status st = read_body(rq, &body, err);
    if (st != STATUS_OK)
        return st;
    struct value params = VALUE_GET(body, "params");
    for (int part = 0; part < 2; part++) {
        struct value from = part ? body : params;
        for (size_t i = 0; i < value_count(from); i++) {
            const struct value_entry *e = &from.dict->entries[i];
            struct url_pair p = {.key = e->key};
            if ((part && str_is(e->key, "params")) || value_is_null(e->value))
                continue;
            st = text_of(a, e->key, e->value, &p.value, err);
            if (st != STATUS_OK)
                return st;
            VEC_PUSH(a, &pairs, p);
        }
    }
    str query = url_encode(a, pairs.items, pairs.count);
    if (rq->query_string.n)
        query = ARENA_CAT(a, query, STR("&"), rq->query_string);
    st = args_parse(a, query, &rq->args, err);
    return st == STATUS_OK ? view_query(rq, err) : st;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* budget — one client must not make the others wait.
 *
 * Three things see to it:
 *  - lanes: pages that are quick by nature (a row, the first page of a table) have workers of their own; what may be
 * slow goes to the lane of visitors' SQL, whose threads yield to the others. May be slow: arguments that filter,
 * search, sort, or facet; what took more than SLOW_MS the last time (one number a table, forgotten after SLOW_US);
 * clients that have used more than half of their budget;
 *  - turns: within a lane the clients take turns (rt/pool.h), so a queue of one client is that client's wait;
 *  - budgets: a client whose budget is used up is told so (429) before anything is done for it.
 *
 * A client is its address, an IPv6 one its /64. Someone signed in is their actor wherever they come from. A connection
 * from this machine without a trusted proxy's word is a client of its own: one that asks one thing after the other can
 * never use more than a second of SQL a second, so programs beside the server, and a proxy that nobody told us of, are
 * not refused as one. The table has a fixed size (throttle.h).
 *
 * Tests: tests/site/test_fairness.py; bench/fair measures. */
#include "site/budget.h"

#include <arpa/inet.h>

#include "base/clock.h"
#include "base/metric.h"
#include "rt/throttle.h"
#include "site/route.h"
#include "site/view/view.h"

#define SLOW_MS 100
#define SLOW_US INT64_C(60000000)

static bool is_local(str client)
{
    return str_starts(client, STR("127.")) || str_is(client, "::1");
}

void budget_of_client(const struct site *s, const struct http_request *http, struct request_note *note)
{
    unsigned char address[16];
    str client = access_client(s, http, note);
    note->budget = client;
    if (!note->from.via_proxy && is_local(client))
        note->budget = http->peer;
    else if (str_find_char(client, ':') != STR_NPOS && inet_pton(AF_INET6, note->from.client, address) == 1)
        note->budget = arena_str(http->arena, str_make((const char *)address, 8));
    else if (!client.n || str_is(client, "unix"))
        note->budget = (str){0}; /* nobody can be told from anybody */
    note->flow = 1 + (uint32_t)(str_hash(note->budget) >> 8);
}

void budget_of_actor(struct request *rq)
{
    struct value id = VALUE_GET(rq->actor, "id");
    if (value_is_text(id))
        rq->note->budget = ARENA_CAT(rq->arena, STR("actor "), id.s);
}

static int64_t rate(const struct site *s, const struct request_note *note)
{
    const struct settings *c = &s->config.settings;
    return note->budget.n && c->client_sql_burst_ms ? MIN(c->client_sql_ms_per_second, 1000000) : 0;
}

/* Microseconds until an empty bucket ... */
static int64_t level_us(const struct site *s, const struct request_note *note)
{
    return throttle_level(s->shared->budgets, note->budget, clock_mono_us());
}

/* ... and those of a full one. */
static int64_t full_us(const struct site *s, int64_t per_second)
{
    return MIN(s->config.settings.client_sql_burst_ms, 1000000000) * 1000000 / per_second;
}

int64_t budget_wait_s(const struct site *s, const struct request_note *note)
{
    int64_t per_second = rate(s, note);
    if (!per_second)
        return 0;
    int64_t over_us = level_us(s, note) - full_us(s, per_second);
    return over_us < 0 ? 0 : over_us / 1000000 + 1;
}

bool budget_is_low(const struct site *s, const struct request_note *note)
{
    int64_t per_second = rate(s, note);
    return per_second && level_us(s, note) > full_us(s, per_second) / 2;
}

void budget_charge(const struct site *s, const struct request_note *note, int64_t sql_us)
{
    int64_t per_second = rate(s, note);
    if (per_second && sql_us > 0)
        throttle_charge(s->shared->budgets, note->budget, MIN(sql_us, INT64_C(1) << 40) * 1000 / per_second,
                        clock_mono_us());
}

bool budget_counts(const struct request *rq)
{
    return !rq->route || (rq->route->flags & ROUTE_SLOW) || !str_starts(str_of(rq->route->pattern), STR("/-/"));
}

/* ---- lanes ---- */

/* Arguments that choose among what is read anyway, or say how it looks. */
static bool is_harmless(str name)
{
    static const char *const names[] = {"_size",  "_next",   "_shape",   "_extra",   "_labels",
                                        "_label", "_col",    "_nocol",   "_json",    "_nl",
                                        "_ttl",   "_header", "_nofacet", "_nocount", "_nosuggest"};
    return str_is_any(name, names, ARRAY_LEN(names));
}

static bool has_costly_argument(str query)
{
    str pair, name, value;
    while (query.n) {
        str_cut(query, '&', &pair, &query);
        str_cut(pair, '=', &name, &value);
        if (name.n && !is_harmless(name))
            return true;
    }
    return false;
}

static atomic_llong *memory(const struct request *rq)
{
    uint64_t hash = str_hash(rq->params[0]) * 31 + (rq->param_count > 1 ? str_hash(rq->params[1]) : 0);
    hash += (uint64_t)(uintptr_t)rq->route;
    return &rq->site->shared->slow_until_us[(hash ^ hash >> 32) % LIMIT_SLOW_PLACES];
}

bool budget_may_be_slow(const struct request *rq)
{
    if (!rq->route || !rq->param_count)
        return false;
    if ((rq->route->view == view_table || rq->route->view == view_fragment) && has_costly_argument(rq->query_string))
        return true;
    return atomic_load_explicit(memory(rq), memory_order_relaxed) > clock_mono_us();
}

void budget_learn(const struct request *rq, int64_t sql_us)
{
    if (rq->route && rq->param_count && sql_us > SLOW_MS * 1000)
        atomic_store_explicit(memory(rq), clock_mono_us() + SLOW_US, memory_order_relaxed);
}

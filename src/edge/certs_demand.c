/* SPDX-License-Identifier: Apache-2.0 */
/* certs_demand — names that nobody configured. Anybody can send any name, as often as he likes; each costs us a process
 * and a question, and maybe an order at the authority, which counts them too. So there are three walls: new names come
 * one by one at a steady rate; each registered domain gets a few orders an hour; all together get some more. Names at a
 * wall are refused as if they could not be had, and may come again later. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "edge/certs.h"

#define HOUR_S   3600
#define BURST_US INT64_C(10000000) /* new names that may come at once: of ten seconds */

/* The list of public suffixes would say it exactly; two labels, or three where the second is as short as in co.uk or
 * com.au, is near enough for a wall. */
str certs_group(str host)
{
    size_t last = str_rfind_char(host, '.');
    if (last == STR_NPOS)
        return host;
    size_t second = str_rfind_char(str_sub(host, 0, last), '.');
    if (second == STR_NPOS)
        return host;
    if (last - second - 1 > 3)
        return str_from(host, second + 1);
    size_t third = str_rfind_char(str_sub(host, 0, second), '.');
    return third == STR_NPOS ? host : str_from(host, third + 1);
}

static void next_hour(struct certs *c)
{
    int64_t hour_s = clock_unix_s() / HOUR_S;
    size_t pos = 0;
    void *item;
    if (hour_s == c->hour_s)
        return;
    while (map_next(c->groups, &pos, NULL, &item))
        free(item);
    map_clear(c->groups);
    c->hour_s = hour_s;
    c->orders = 0;
}

bool certs_demand_ok(struct certs *c, str host)
{
    int64_t now_us = loop_now_us(c->edge->loop), each_us = 1000000 / LIMIT_CERT_NAMES_PER_S;
    str group = certs_group(host);
    next_hour(c); /* may forget all groups */
    struct cert_group *g = map_get(c->groups, group);
    if (map_count(c->all) >= (size_t)LIMIT_CERTS || c->orders >= (unsigned)LIMIT_CERT_ORDERS ||
        (g && g->orders >= (unsigned)LIMIT_CERT_GROUP_ORDERS))
        return false;
    c->ask_us = MAX(c->ask_us, now_us - BURST_US);
    if (c->ask_us + each_us > now_us)
        return false;
    c->ask_us += each_us;
    if (!g) {
        g = MEM_NEW(struct cert_group);
        (void)map_put(c->groups, group, g);
    }
    g->orders++;
    c->orders++;
    return true;
}

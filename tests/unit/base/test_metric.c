/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "base/metric.h"
#include "test.h"

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++)
        metric_add(METRIC_CACHE_HITS, 1);
    CHECK_INT(metric_mine(METRIC_CACHE_HITS), 10000);
    return NULL;
}

TEST(metric_threads_add_up_also_after_their_end)
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&t[i], NULL, count, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_join(t[i], NULL), 0);
    metric_add(METRIC_CACHE_HITS, 5);
    CHECK_INT(metric_sum(METRIC_CACHE_HITS), 40005);
    CHECK_INT(metric_mine(METRIC_CACHE_HITS), 5);
    CHECK_INT(metric_sum(METRIC_CACHE_MISSES), 0);
}

/* Prometheus' rules for names; one name is one family. */
TEST(metric_table_is_well_formed)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *r = &metric_rows[i];
        str name = str_of(r->name);
        bool counts = r->kind == METRIC_COUNTER || r->kind == METRIC_SECONDS || r->kind == METRIC_SERIES;
        CHECK(name.n > 0 && name.p[0] >= 'a' && name.p[0] <= 'z');
        for (size_t k = 0; k < name.n; k++)
            CHECK((name.p[k] >= 'a' && name.p[k] <= 'z') || name.p[k] == '_');
        CHECK(str_ends(name, STR("_total")) == counts);
        bool again = i && str_eq(name, str_of(metric_rows[i - 1].name));
        CHECK((r->help[0] == '\0') == again);
        for (size_t k = 0; k + 1 < i; k++)
            CHECK(again || !str_eq(name, str_of(metric_rows[k].name)));
        CHECK(!strchr(r->help, '\n') && !strchr(r->help, '\\'));
    }
}

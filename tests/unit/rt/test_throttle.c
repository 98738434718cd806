/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets as budgets: costs instead of attempts. */
#include "base/limits.h"
#include "rt/throttle.h"
#include "test.h"

TEST(throttle_costs_run_off_with_time)
{
    struct throttle *t = throttle_new();
    CHECK_INT(throttle_level(t, STR("a"), 1000), 0);
    throttle_charge(t, STR("a"), 500, 1000);
    CHECK_INT(throttle_level(t, STR("a"), 1000), 500);
    CHECK_INT(throttle_level(t, STR("a"), 1200), 300);
    CHECK_INT(throttle_level(t, STR("b"), 1200), 0);
    throttle_charge(t, STR("a"), 100, 1400);
    CHECK_INT(throttle_level(t, STR("a"), 1400), 200);
    CHECK_INT(throttle_level(t, STR("a"), 1600), 0);
    CHECK_INT(throttle_level(t, STR("a"), 9999), 0);
    throttle_charge(t, STR("a"), 10, 20000);
    CHECK_INT(throttle_level(t, STR("a"), 20000), 10);
    throttle_free(t);
}

/* Looking makes no bucket: who only reads pushes nobody out. Those who used most are remembered longest. */
TEST(throttle_remembers_the_greedy)
{
    struct throttle *t = throttle_new();
    throttle_charge(t, STR("greedy"), 1000000, 1);
    for (int i = 0; i < 20 * LIMIT_THROTTLE_BUCKETS; i++) {
        char name[32];
        snprintf(name, sizeof name, "client %d", i);
        CHECK_INT(throttle_level(t, str_of(name), 1), 0);
        if (i < LIMIT_THROTTLE_BUCKETS)
            throttle_charge(t, str_of(name), 1, 1);
    }
    CHECK_INT(throttle_level(t, STR("greedy"), 1), 1000000);
    throttle_free(t);
}

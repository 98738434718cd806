/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/histogram.h"
#include "prove/run.h"
#include "test.h"

TEST(percentiles_are_right_to_a_64th)
{
    static struct histogram h;
    for (int64_t us = 1; us <= 100000; us++)
        histogram_add(&h, us);
    static const double parts[] = {0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        double want = parts[i] * 100000, got = (double)histogram_percentile_us(&h, parts[i]);
        CHECK(got >= want * 0.999 && got <= want * (1 + 1.0 / 64) + 1);
    }
    CHECK_INT(h.max_us, 100000);
    CHECK_INT(h.count, 100000);
}

TEST(odd_times_have_a_place)
{
    static struct histogram h;
    CHECK_INT(histogram_percentile_us(&h, 0.5), 0);
    histogram_add(&h, -5);
    CHECK_INT(histogram_percentile_us(&h, 0.5), 0);
    histogram_add(&h, INT64_MAX);
    CHECK(histogram_percentile_us(&h, 1.0) > INT64_C(1) << 36);
}

TEST(the_states_of_a_client_fit_together)
{
    const char *why = "";
    unsigned state = 0;
    CHECK(sm_table_ok(client_states, CLIENT_STATES, &why, &state));
}

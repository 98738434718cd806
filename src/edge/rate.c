/* SPDX-License-Identifier: Apache-2.0 */
/* rate — how many requests a second an app gets: a bucket of tokens, kept as one number (GCRA, ITU-T I.371).
 *
 * app->rate_us is when the next request would come if all came evenly. One that comes at most rate_slack_us earlier
 * passes and moves it on by rate_step_us. So there is no timer, and all loops share it by one compare-and-swap. */
#include "edge/worker_impl.h"

bool rate_take(struct edge_app *app, const struct edge_target *target, int64_t now_us, int64_t *ret_after_ms)
{
    int64_t due_us;
    if (!target->rate_step_us)
        return true;
    due_us = atomic_load_explicit(&app->rate_us, memory_order_relaxed);
    do {
        if (due_us - (int64_t)target->rate_slack_us > now_us) {
            *ret_after_ms = (due_us - (int64_t)target->rate_slack_us - now_us + 999) / 1000;
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&app->rate_us, &due_us, MAX(due_us, now_us) + target->rate_step_us,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

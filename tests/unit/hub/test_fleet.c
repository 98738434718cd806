/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/backups.h"
#include "hub/fleet.h"
#include "test.h"

static void check(size_t canaries, size_t others, const size_t *want, size_t count)
{
    size_t got[4] = {0}, sum = 0;
    CHECK_INT(fleet_waves(canaries, others, got), count);
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(got[i], want[i]);
        sum += got[i];
    }
    CHECK_INT(sum, canaries + others);
}

TEST(waves_grow)
{
    check(0, 0, NULL, 0);
    check(0, 1, (const size_t[]){1}, 1);
    check(1, 0, (const size_t[]){1}, 1);
    check(0, 2, (const size_t[]){1, 1}, 2);
    check(2, 3, (const size_t[]){2, 1, 1, 1}, 4);
    check(1, 499, (const size_t[]){1, 5, 50, 444}, 4);
    check(0, 2000, (const size_t[]){20, 200, 1780}, 3);
}

TEST(one_space_that_is_not_well_is_seen)
{
    const struct fleet_options o = {.errors_percent = 1, .slower = 3};
    const struct fleet_health none = {0}, usual = {1000, 10, 5000000}; /* 1 % errors, 5 ms */
    struct err err = ERR_INIT;
    CHECK_INT(fleet_judge(&o, "few", &none, &none, &(struct fleet_health){19, 19, 0}, &err), STATUS_OK);
    CHECK_INT(fleet_judge(&o, "bad", &none, &none, &(struct fleet_health){20, 20, 0}, &err), STATUS_CONFLICT);
    CHECK_STR(str_of(err.text), "20 of 20 answers of bad were errors (5xx)");
    /* As many errors as before are none of the new version's; four may be one visitor's. */
    CHECK_INT(fleet_judge(&o, "as before", &usual, &usual, &(struct fleet_health){1500, 20, 7500000}, &err), STATUS_OK);
    CHECK_INT(fleet_judge(&o, "unlucky", &usual, &usual, &(struct fleet_health){1100, 14, 5500000}, &err), STATUS_OK);
    CHECK_INT(fleet_judge(&o, NULL, &usual, &usual, &(struct fleet_health){1100, 14, 5500000}, &err), STATUS_CONFLICT);
    CHECK_INT(fleet_judge(&o, "worse", &usual, &usual, &(struct fleet_health){1100, 20, 5500000}, &err),
              STATUS_CONFLICT);
    /* Slower: a wave at three times and 5 ms, a space at three times and 100 ms. */
    CHECK_INT(fleet_judge(&o, "slow", &usual, &usual, &(struct fleet_health){1100, 10, 5000000 + 100 * 114000}, &err),
              STATUS_OK);
    CHECK_INT(fleet_judge(&o, "slow", &usual, &usual, &(struct fleet_health){1100, 10, 5000000 + 100 * 116000}, &err),
              STATUS_CONFLICT);
    CHECK_INT(fleet_judge(&o, NULL, &usual, &usual, &(struct fleet_health){1100, 10, 5000000 + 100 * 21000}, &err),
              STATUS_CONFLICT);
}

TEST(the_next_night)
{
    const struct hub_config c = {.backup_minute = 180};
    CHECK_INT(backups_next(&c, 86400 * 10), 86400 * 10 + 10800);
    CHECK_INT(backups_next(&c, 86400 * 10 + 10799), 86400 * 10 + 10800);
    CHECK_INT(backups_next(&c, 86400 * 10 + 10800), 86400 * 11 + 10800);
}

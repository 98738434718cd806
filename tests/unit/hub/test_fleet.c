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

TEST(the_next_night)
{
    const struct hub_config c = {.backup_minute = 180};
    CHECK_INT(backups_next(&c, 86400 * 10), 86400 * 10 + 10800);
    CHECK_INT(backups_next(&c, 86400 * 10 + 10799), 86400 * 10 + 10800);
    CHECK_INT(backups_next(&c, 86400 * 10 + 10800), 86400 * 11 + 10800);
}

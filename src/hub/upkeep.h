/* SPDX-License-Identifier: Apache-2.0 */
/* upkeep: what has to be done by the clock: the nightly backup, the end of spaces and accounts that were deleted,
 * telling again what could not be told. */
#ifndef VITRINE_HUB_UPKEEP_H
#define VITRINE_HUB_UPKEEP_H

#include "hub/hub.h"

/* What a round saw of the wall clock, for the next one: how far it is from the machine's, and until when it is not
 * believed (clock_boot_s); kept in hub.db for the next process. Zero at first. */
struct upkeep_clock {
    int64_t now_s;                   /* Unix time at the begin of the round */
    int64_t offset_s, doubt_until_s; /* 0 = not known; none */
    int64_t kept_offset_s, kept_doubt_until_s;
    bool begun;
};
/* A round; looks what is due. Blocks, at night for long: HUB_BACKGROUND. */
void upkeep_round(struct hub *h, struct upkeep_clock *clock);

#endif

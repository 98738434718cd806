/* SPDX-License-Identifier: Apache-2.0 */
/* upkeep: what has to be done by the clock: the nightly backup, the end of spaces and accounts that were deleted,
 * telling again what could not be told. */
#ifndef VITRINE_HUB_UPKEEP_H
#define VITRINE_HUB_UPKEEP_H

#include "hub/hub.h"

/* A round; looks what is due. Blocks, at night for long: HUB_BACKGROUND. */
void upkeep_round(struct hub *h);

#endif

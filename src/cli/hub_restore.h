/* SPDX-License-Identifier: Apache-2.0 */
/* hub_restore: a whole hub of its backups, and what is said of it. */
#ifndef VITRINE_CLI_HUB_RESTORE_H
#define VITRINE_CLI_HUB_RESTORE_H

#include "hub/rebuilt.h"

/* o->say is set here. IO: spaces did not come back, though the hub did; USAGE. */
enum status hub_restore_whole(struct arena *a, str dir, struct rebuilt_options *o, struct err *err) MUST_USE;

#endif

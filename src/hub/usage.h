/* SPDX-License-Identifier: Apache-2.0 */
/* usage: what a space uses: disk, requests, its last backup. */
#ifndef VITRINE_HUB_USAGE_H
#define VITRINE_HUB_USAGE_H

#include "codec/value.h"
#include "hub/hub.h"

/* Adds to `row` (id, quota, backup_at, backup_good of a space): disk_bytes, disk_whole (false: there is more),
 * disk_most (0 = no limit), requests, errors, runs, problem, backup ("2026-11-21 03:00 UTC", empty: none), backup_well.
 * apps: of edge_apps_list. *io_files: so many files may be looked at, of all spaces of one page together; each that was
 * is taken off. Blocks: reads the disk. */
void usage_add(struct hub *h, struct arena *a, struct value apps, struct value row, int64_t *io_files);

#endif

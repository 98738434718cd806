/* SPDX-License-Identifier: Apache-2.0 */
/* backups: every night a copy of hub.db and of the databases of every space in a folder, each tried by restoring it.
 *
 *   FOLDER/hub/hub/...           hub.db
 *   FOLDER/ID/NAME/...           the databases of a space, as `vitrine backup` writes them (docs/backup.md)
 *
 * A space's databases are read inside of a sandbox by the space's own user: what somebody put there is opened by nobody
 * who could do more than the space can. */
#ifndef VITRINE_HUB_BACKUPS_H
#define VITRINE_HUB_BACKUPS_H

#include "hub/hub.h"

struct backups_result {
    int64_t done, failed;
};
/* All of them, now. Each result is written into hub.db (table backups) and the log. OK although some failed: look at
 * *ret. BUSY: one is under way. Blocks for long: HUB_BACKGROUND, or a command. */
enum status backups_all(struct hub *h, struct backups_result *ret, struct err *err) MUST_USE;
/* The same for one space. */
enum status backups_space(struct hub *h, str space_id, struct err *err) MUST_USE;
/* Unix second of the next night's run after now. */
int64_t backups_next(const struct hub_config *c, int64_t now_s);
bool backups_wanted(const struct hub_config *c);

#endif

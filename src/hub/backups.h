/* SPDX-License-Identifier: Apache-2.0 */
/* backups: every night a copy of hub.db and of the folder of every space, each tried by restoring it.
 *
 *   FOLDER/hub/hub/...           hub.db
 *   FOLDER/hub/hub.yaml.sealed   hub.yaml, which may name passwords, sealed with the keys: the newest only
 *   FOLDER/ID/NAME/...           the databases of a space, as `vitrine backup` writes them (docs/backup.md)
 *   FOLDER/ID/space/...          its whole folder: those, and every file beside them
 *
 * A space's folder is read inside of a sandbox by the space's own user: what somebody put there is opened by nobody
 * who could do more than the space can. */
#ifndef VITRINE_HUB_BACKUPS_H
#define VITRINE_HUB_BACKUPS_H

#include "hub/hub.h"

#define BACKUPS_SPACE    "space"           /* the name of the whole folder in FOLDER/ID */
#define BACKUPS_SETTINGS "hub.yaml.sealed" /* in FOLDER/hub; what it is sealed for, too */

struct backups_result {
    int64_t done, failed;
};
/* All of them, now. Each result is written into hub.db (table backups) and the log. OK although some failed: look at
 * *ret. BUSY: one is under way. Blocks for long: HUB_BACKGROUND, or a command. */
enum status backups_all(struct hub *h, struct backups_result *ret, struct err *err) MUST_USE;
/* The same for one space. */
enum status backups_space(struct hub *h, str space_id, struct err *err) MUST_USE;
/* The folder of the space of that name becomes what it was: the newest backup not after `at` (backup_find), after one
 * of what is there now. Databases and files that came since stay. *ret_taken: its id. NOT_FOUND. Blocks for long. */
enum status backups_restore(struct hub *h, struct arena *a, str name, str at, str *ret_taken, struct err *err) MUST_USE;
/* The folder of a space becomes what its newest backup in `folder` not after `at` says; *ret_taken: its id. No word to
 * the edge. NOT_FOUND. Of the hub it needs configuration and program only. Blocks for long. */
enum status backups_bring(struct hub *h, struct arena *a, str space_id, str folder, str at, str *ret_taken,
                          struct err *err) MUST_USE;
/* Unix second of the next night's run after now. */
int64_t backups_next(const struct hub_config *c, int64_t now_s);
bool backups_wanted(const struct hub_config *c);

#endif

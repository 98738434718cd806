/* SPDX-License-Identifier: Apache-2.0 */
/* shelf: FOLDER/NAME, where the backups of one name lie: their ids, the lock, which of them stay. What a backup is, is
 * said by backup.h (databases) and tree.h (folders). */
#ifndef VITRINE_REPLICATE_SHELF_H
#define VITRINE_REPLICATE_SHELF_H

#include "replicate/backup.h"

enum status shelf_name_check(str name, struct err *err) MUST_USE; /* INVALID */
bool shelf_is_id(str s);
str shelf_path(struct arena *a, str folder, str name, str file); /* FOLDER/NAME/FILE */

struct shelf_names {
    VEC(str) v;
};
/* Entries of a folder, sorted, without `.` and `..`. NOT_FOUND, IO. */
enum status shelf_entries(struct arena *a, str path, struct shelf_names *ret, struct err *err) MUST_USE;
/* Held by whoever takes, removes or checks: one at a time for a name, until the fd is closed. BUSY. */
enum status shelf_lock(struct arena *a, str folder, str name, int *ret_fd, struct err *err) MUST_USE;

/* A backup of that name begins now: its folder is there, the lock is held, its id is of this moment, "taken" says so in
 * ISO 8601. INVALID (the name), BUSY, IO. */
enum status shelf_begin(struct arena *a, str folder, str name, int *ret_lock, str *ret_id, str *ret_taken,
                        struct err *err) MUST_USE;

/* As backup_find, of ids that are sorted; count: none. */
size_t shelf_find(const str *ids, size_t count, str at);
/* kept[i]: a rule keeps ids[i] (sorted). */
void shelf_mark_kept(const str *ids, size_t count, const struct backup_keep *k, bool *kept);

#endif

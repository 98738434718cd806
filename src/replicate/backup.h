/* SPDX-License-Identifier: Apache-2.0 */
/* backup: whole copies of databases in a folder, checked before they count, and databases made of them again.
 *
 *   FOLDER/NAME/20261121T170300.123Z.db      the database at that moment (UTC)
 *   FOLDER/NAME/20261121T170300.123Z.json    what it holds; written last: a copy without it does not count
 *
 * All of it blocks. One process at a time takes backups of one name (a lock in its folder); others get BUSY. */
#ifndef VITRINE_REPLICATE_BACKUP_H
#define VITRINE_REPLICATE_BACKUP_H

#include "codec/value.h"
#include "db/copy.h"

#define BACKUP_ID_LEN 20 /* "20261121T170300.123Z" */

struct backup {
    str id;              /* sorts by time */
    str file;            /* path of the copy */
    str taken;           /* "2026-11-21T17:03:00.123Z" */
    str sha256;          /* of the copy */
    str source;          /* the file it was taken of, as it was named then */
    int64_t size_bytes;  /* of the copy */
    struct value tables; /* DICT: table -> rows */
};

struct backup_list {
    struct backup *items; /* oldest first */
    size_t count;
};

/* A copy of `file` in FOLDER/NAME, which is made when it does not exist: copied, checked (integrity, rows counted),
 * named. A copy equal to the newest one shares its bytes on disk. name: 1 to 200 bytes without '/', not beginning with
 * '.'; else INVALID. Statuses: those of copy_database; EXISTS never. */
enum status backup_take(struct arena *a, str file, str folder, str name, const struct copy_progress *p,
                        struct backup *ret, struct err *err) MUST_USE;
/* Those of one name that are whole. NOT_FOUND: there is no such folder. */
enum status backup_list(struct arena *a, str folder, str name, struct backup_list *ret, struct err *err) MUST_USE;
/* Names that have a folder, sorted. */
enum status backup_names(struct arena *a, str folder, str **ret, size_t *ret_count, struct err *err) MUST_USE;
/* The newest one not after `at`: an id or a time as people write it ("2026-11-21", "2026-11-21 17:03"), UTC; of a day
 * its end is meant. Empty: the newest of all. NULL = none. */
const struct backup *backup_find(struct arena *a, const struct backup_list *l, str at);
/* Bytes, integrity and rows are what they were. CORRUPT says what is not. */
enum status backup_check(struct arena *a, const struct backup *s, const struct copy_progress *p,
                         struct err *err) MUST_USE;
/* `to` becomes the backup. Not there: a new file, whole or not at all. There: its pages are replaced in one
 * transaction, by its own locks, so that whoever serves it goes on. The copy is checked first. */
enum status backup_restore(struct arena *a, const struct backup *s, str to, const struct copy_progress *p,
                           struct err *err) MUST_USE;

struct backup_keep { /* how many: the newest of all, and the newest of each day, week, month; all 0 = keep all */
    int64_t last, daily, weekly, monthly;
};
/* Removes those that no rule keeps, and what ended half-way. *ret_removed: ids. */
enum status backup_prune(struct arena *a, str folder, str name, const struct backup_keep *k,
                         struct backup_list *ret_removed, struct err *err) MUST_USE;

#endif

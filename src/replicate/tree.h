/* SPDX-License-Identifier: Apache-2.0 */
/* tree: backups of whole folders: the databases in them as SQLite copies them (backup.h), all other files byte for
 * byte, folders with their modes. Links are never followed and, as what is no plain file, left out.
 *
 *   FOLDER/NAME/20261121T170300.123Z.tree     what the folder held: JSON; written last: without it nothing counts
 *   FOLDER/NAME/objects/HASH                  each content once, by its SHA-256, however many nights it stays the same
 *   FOLDER/DATABASE/...                       backups of the databases found, one name each
 *
 * All of it blocks. One process at a time for a name; others get BUSY. */
#ifndef VITRINE_REPLICATE_TREE_H
#define VITRINE_REPLICATE_TREE_H

#include "replicate/shelf.h"

enum tree_kind { TREE_FOLDER, TREE_FILE, TREE_DATABASE };
struct tree_entry {
    enum tree_kind kind;
    str path;                   /* "static/logo.png", any bytes but NUL; a folder stands before what is in it */
    unsigned mode;              /* 07777 of the file */
    int64_t mtime_ns, ctime_ns; /* of the file then; ctime tells whether it must be read again */
    int64_t bytes;              /* of the content; 0 for folders */
    char sha256[65];            /* of the content; "" for folders */
    bool damaged;               /* begins as a database does, and SQLite could not copy it: its bytes are here */
};
struct tree {
    str id, taken, source;
    struct tree_entry *entries; /* sorted by path */
    size_t count;
    int64_t bytes, left_out; /* of all contents; how many links, sockets, pipes were not taken */
};

struct tree_take {
    str source;        /* the folder */
    const str *except; /* paths in it that are left out, with all below */
    size_t except_count;
    const str *used; /* names that its databases must not get in FOLDER */
    size_t used_count;
};
/* A backup of the folder in FOLDER/NAME, both made when they do not exist. What an earlier one, also one that was
 * killed, has stored is not written again. *ret_names: the databases' names in FOLDER. CORRUPT after all is done when a
 * database could not be copied; the backup exists then too. Else statuses of backup_take, TOO_LARGE (more than
 * LIMIT_BACKUP_FILES, or LIMIT_BACKUP_DEPTH folders in each other). */
enum status tree_take(struct arena *a, const struct tree_take *o, str folder, str name, const struct copy_progress *p,
                      struct tree *ret, struct shelf_names *ret_names, struct err *err) MUST_USE;

/* Ids of the backups of a name, sorted; none: OK and 0. */
enum status tree_ids(struct arena *a, str folder, str name, str **ret, size_t *ret_count, struct err *err) MUST_USE;
enum status tree_open(struct arena *a, str folder, str name, int *ret_shelf, struct err *err) MUST_USE; /* the folder */
/* What the text of a .tree says. CORRUPT: not what tree_take writes; no path leaves the folder. Pure. */
enum status tree_parse(struct arena *a, str text, struct tree *ret, struct err *err) MUST_USE;
/* shelf: FOLDER/NAME, open. Follows no link, for the folder may be somebody else's. */
enum status tree_read(struct arena *a, int shelf, str id, struct tree *ret, struct err *err) MUST_USE;
/* The content of an entry, open; CORRUPT: it is not there as long as it should be. */
enum status tree_content(int shelf, const struct tree_entry *e, int *ret_fd, struct err *err) MUST_USE;
/* Every content is what was written. CORRUPT names the first that is not, which is set aside (HASH.bad). */
enum status tree_check(int shelf, const struct tree *t, const struct copy_progress *p, struct err *err) MUST_USE;

/* `to` becomes what the folder was, after tree_check. Not there or empty: it appears whole or not at all. There: files
 * are replaced one by one, databases in one transaction each while others use them; what is not in the backup stays.
 * One that was killed goes on where it was. */
enum status tree_restore(struct arena *a, int shelf, const struct tree *t, str folder, str name, str to,
                         const struct copy_progress *p, struct err *err) MUST_USE;

/* Removes those that no rule keeps, and contents that none has any more. *ret_removed: ids. */
enum status tree_prune(struct arena *a, str folder, str name, const struct backup_keep *k, str **ret_removed,
                       size_t *ret_count, struct err *err) MUST_USE;

/* Opens `path` below a folder; no part of it is a link. -1 and errno. */
int tree_open_below(int root, str path, int flags);
bool tree_is_database(int fd); /* begins as one; from the start of the file */

#endif

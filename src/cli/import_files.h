/* SPDX-License-Identifier: Apache-2.0 */
/* import_files: data files given to `vitrine FILE...` become tables of one database that is then served. */
#ifndef VITRINE_CLI_IMPORT_FILES_H
#define VITRINE_CLI_IMPORT_FILES_H

#include "base/arena.h"
#include "base/err.h"

struct import_folder {
    str database;     /* the file to serve */
    char folder[256]; /* to be removed with it at the end; "" = the database is kept */
};

/* By the ending of the name, for a file that is no SQLite database. */
bool import_is_data(struct arena *a, str path);
/* Imports each file (each file of a zip) into a table named after it and says on standard output what came of it.
 * `keep`: the database file; empty = a temporary one, thrown away by import_folder_remove(). CONFLICT: `keep` has such
 * a table already. After a failure the temporary database is gone. */
enum status import_files(struct arena *a, const str *paths, size_t count, str keep, struct import_folder *ret,
                         struct err *err) MUST_USE;
void import_folder_remove(struct import_folder *f); /* any number of times; a zeroed one is fine */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* count_file: row counts of large tables in the internal database, so that a site that starts again knows them. With
 * each stands which data it was counted from; what does not fit any more is an estimate. Worker threads; blocks. */
#ifndef VITRINE_SITE_COUNT_FILE_H
#define VITRINE_SITE_COUNT_FILE_H

#include "site/app.h"

#define COUNT_FILE_LEAST 100000 /* smaller tables are counted again in some milliseconds */

/* Nothing is said when it fails: the count is made again. */
void count_file_put(struct internal *in, const struct published *db, const struct db_signature *made_under, str table,
                    int64_t count);
/* Calls fn for each count of this database. An `as_of` of zeros: of other data. */
void count_file_read(struct internal *in, const struct published *db,
                     void (*fn)(void *arg, str table, const struct db_signature *as_of, int64_t count), void *arg);

#endif

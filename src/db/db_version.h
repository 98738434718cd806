/* SPDX-License-Identifier: Apache-2.0 */
/* db_version: which SQLite this is, for /-/versions and for the check at start. */
#ifndef VITRINE_DB_DB_VERSION_H
#define VITRINE_DB_DB_VERSION_H

#include "base/arena.h"
#include "base/err.h"

/* CONFIG when the SQLite library is older than 3.51.3 (WAL-reset bug: a database may be damaged when two connections
 * write and checkpoint at the same time) or is not the one this program was compiled with. Call once at start. */
enum status db_version_check(struct err *err) MUST_USE;
/* The rule itself: version as 3051003. */
enum status db_version_judge(int library, int header, struct err *err) MUST_USE;

const char *db_version_text(void); /* "3.54.1" */

struct db_extension {
    str name;    /* "json1", "spatialite" */
    str version; /* .p NULL = it has none */
};
struct db_versions {
    str version;             /* "3.54.1" */
    const str *fts_versions; /* "FTS5", "FTS4", "FTS3": those that work */
    size_t fts_version_count;
    const str *compile_options;
    size_t compile_option_count;
    const struct db_extension *extensions;
    size_t extension_count;
};
/* Asks a fresh in-memory connection that loads `load_extensions`. Blocks. Everything lives in `a`. */
enum status db_versions(struct arena *a, const str *load_extensions, size_t load_extension_count,
                        struct db_versions *ret, struct err *err) MUST_USE;

#endif

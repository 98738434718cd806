/* SPDX-License-Identifier: Apache-2.0 */
/* config_check: everything that is wrong or doubtful in a configuration or metadata file, each with its place and what
 * to do. `vitrine config check` prints all; at start errors end the program and warnings are logged. Pure; any thread.
 */
#ifndef VITRINE_SITE_CONFIG_CHECK_H
#define VITRINE_SITE_CONFIG_CHECK_H

#include "codec/value.h"

enum config_file { CONFIG_FILE, METADATA_FILE };

struct config_finding {
    bool error;          /* false = it works, but perhaps not as meant */
    str file;            /* as named by the user */
    size_t line, column; /* from 1; 0 = not in the file (from --setting) */
    str key;             /* "databases.x.tables.y.sort"; empty for the whole file */
    bool misplaced;      /* configuration in a metadata file: used all the same */
    str text, remedy;    /* sentences; remedy may be empty */
};

struct config_findings {
    struct arena *arena;
    struct config_finding *items; /* in the order of the file, at most LIMIT_CONFIG_FINDINGS */
    size_t count, errors, warnings;
    size_t cap; /* ours */
};

/* Parses and checks one file's text. */
void config_check_text(struct config_findings *f, str file, str text, enum config_file kind);
/* Checks a tree that was read from `text` (empty: no places) and perhaps changed since. */
void config_check_value(struct config_findings *f, str file, str text, struct value root, enum config_file kind);

#endif

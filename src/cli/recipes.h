/* SPDX-License-Identifier: Apache-2.0 */
/* recipes: databases that are big or awkward, made from a seed: the same seed makes the same rows. */
#ifndef VITRINE_CLI_RECIPES_H
#define VITRINE_CLI_RECIPES_H

#include "db/stmt.h"

struct recipe_job {
    struct arena *a;
    struct conn *c; /* in a transaction; NULL for a recipe that makes files */
    str path;       /* of the database, or the folder */
    uint64_t seed;
    int64_t rows, tables, columns, bytes;
    bool terminal; /* show how far it is */
    uint64_t made; /* rows so far */
    int64_t shown_us;
};

struct recipe {
    const char *name, *about;
    int64_t rows, tables, columns, bytes; /* defaults; 0 = the recipe has no such thing */
    bool files;                           /* makes a folder of files */
    enum status (*make)(struct recipe_job *j, struct err *err);
};
extern const struct recipe recipes[]; /* ends with a row whose name is NULL */

/* What recipes are written with. */
uint64_t recipe_random(struct recipe_job *j, uint64_t below);                 /* 0 .. below - 1 */
str recipe_words(struct recipe_job *j, size_t count);                         /* "lorem ipsum ..." */
void recipe_step(struct recipe_job *j);                                       /* a row more */
enum status recipe_encodings(struct recipe_job *j, struct err *err) MUST_USE; /* recipe_files.c */

#endif

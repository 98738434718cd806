/* SPDX-License-Identifier: Apache-2.0 */
/* image: what a container image is built from: this program with the libraries it uses, data files, a Dockerfile. All
 * of it blocks. */
#ifndef VITRINE_CLI_IMAGE_H
#define VITRINE_CLI_IMAGE_H

#include "codec/value.h"

struct image {
    struct arena *a;
    str folder;           /* made by image_begin; holds Dockerfile, root/ and app/ */
    struct value command; /* LIST of words after the program's name */
    struct value env;     /* DICT: variables of the image besides ours; without DATASETTE_SECRET a random one is made */
    int64_t port;
};

/* Makes the folder (it must not exist, or be empty: else CONFLICT) with root/: the program, its libraries, CA
 * certificates. */
enum status image_begin(struct image *i, struct err *err) MUST_USE;
/* A database into app/NAME as it is at one moment. */
enum status image_add_database(struct image *i, str file, str name, struct err *err) MUST_USE;
/* A file, or a folder with all below it, into app/NAME. Links are followed. */
enum status image_add(struct image *i, str path, str name, struct err *err) MUST_USE;
enum status image_add_text(struct image *i, str text, str name, struct err *err) MUST_USE;
str image_path(struct image *i, str name); /* of app/NAME as it lies here */
/* Writes the Dockerfile. INVALID: a variable holds a control byte. */
enum status image_end(struct image *i, struct err *err) MUST_USE;
/* Runs a program (docker, flyctl) to its end, in `words`, the program first; its output goes where ours goes.
 * NOT_FOUND: it is not here. IO: it failed. */
enum status image_run(struct image *i, const char *const *words, size_t count, struct err *err) MUST_USE;

#endif

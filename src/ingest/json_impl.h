/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of json_input share. */
#ifndef VITRINE_INGEST_JSON_IMPL_H
#define VITRINE_INGEST_JSON_IMPL_H

#include "base/map.h"
#include "ingest/decode.h"
#include "ingest/input.h"

#define JSON_NUMBER_COLUMN "_id" /* what rows are called by that have no key */

enum cut { CUT_LINES, CUT_ARRAY, CUT_ONE };

struct json_input {
    struct input base;
    const struct ingest_options *options;
    struct decode *decode;
    enum encoding encoding;
    enum cut cut;
    bool geojson;
    size_t offset;     /* of the first item in the text */
    struct map *keys;  /* key -> index of its column + 1 */
    struct map *taken; /* column names in lower case */

    /* Of a pass. */
    char *carry;
    size_t carry_n, carry_cap;
    size_t to_skip; /* bytes before the first item that are still to come */
    uint64_t line;
    bool ended, done;
    uint64_t item;     /* number of the one that is read */
    struct map *lists; /* names in base.children */
};

/* json_item.c. A column that no key of the objects leads to; its name, for as long as the input lives. */
const str *json_add_first_column(struct json_input *j, str name);
/* Adds the row (or rows, of a list inside) that `text` is to the batch. INVALID: it is damaged, and the file with it.
 */
enum status json_read_item(struct json_input *j, struct batch *b, str text, struct err *err) MUST_USE;

/* json_find.c. The document is an object: sets j->cut and j->offset to the list in it that is meant. USAGE: none, or
 * several. */
enum status json_find_list(struct json_input *j, struct err *err) MUST_USE;

#endif

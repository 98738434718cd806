/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_places: where in a YAML or JSON text a key stands, for messages. Reads the text a second time and keeps marks
 * instead of values, so that the value trees of everyday use stay small. Any thread. */
#ifndef VITRINE_CODEC_YAML_PLACES_H
#define VITRINE_CODEC_YAML_PLACES_H

#include "base/str.h"

struct yaml_places;

/* NULL when the text is no YAML (JSON with tabs for indentation, for one): then nothing has a place. Memory is in
 * proportion to the text; aliases are not copied. */
struct yaml_places *yaml_places_new(str text) MUST_USE;
void yaml_places_free(struct yaml_places *p); /* NULL is fine */

/* Line and column (from 1) of the key that ends the path: keys of mappings, decimal indexes of sequences. When the path
 * leads out of the text (a merged or missing key), the place of its longest part that is there; false when not even the
 * first. p may be NULL. */
bool yaml_places_find(const struct yaml_places *p, const str *path, size_t depth, size_t *ret_line, size_t *ret_column);

/* Calls fn for each key that one mapping gives twice, with the place of the second. */
void yaml_places_duplicates(const struct yaml_places *p, void (*fn)(void *arg, str key, size_t line, size_t column),
                            void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* yaml: YAML 1.1 as PyYAML's safe loader reads it, into a value tree. libyaml does the parsing. */
#ifndef VITRINE_CODEC_YAML_H
#define VITRINE_CODEC_YAML_H

#include "codec/value.h"

#define YAML_DEPTH_MAX 100    /* nesting; deeper is INVALID */
#define YAML_NODES_MAX 200000 /* nodes with aliases expanded; more is TOO_LARGE */

/* One document. Plain scalars follow YAML 1.1 (yes/no/on/off, 0x10, 1_000, .5, ~); dates stay text; keys become text.
 * Merge keys (<<) are applied. An empty document gives NONE. Errors name line and column. */
enum status value_from_yaml(struct arena *a, str text, struct value *ret, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* yaml: YAML 1.1 as PyYAML's safe loader reads it, into a value tree. libyaml does the parsing. */
#ifndef VITRINE_CODEC_YAML_H
#define VITRINE_CODEC_YAML_H

#include "base/limits.h"
#include "codec/value.h"

/* Reads one document; an empty text gives NONE. The tree owns its memory in `a`; aliased parts are shared, not copied.
 *
 * Plain scalars: null ~ and empty; yes/no/on/off/true/false in three spellings each; 10 0x1F 0b101 017 1_000 1:30 (base
 * 60); 1.5 .5 1.0e+3 .inf .nan. Integers past 64 bits become doubles. Quoted and block scalars are text.
 * Tags: !!str !!int !!float !!bool !!null !!binary !!timestamp !!map !!seq are obeyed, "!" is as none, others are
 * refused. Otherwise than PyYAML: dates stay text, and keys keep the text they are written with (no: and 1: are "no"
 * and "1"). Merge keys (<<) come before the mapping's own keys, which win.
 *
 * Returns OK, INVALID ("line L column C: what", 1-based) or TOO_LARGE (more than LIMIT_YAML_NODES values). Any thread.
 */
enum status value_from_yaml(struct arena *a, str text, struct value *ret, struct err *err) MUST_USE;

#endif

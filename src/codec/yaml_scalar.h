/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_scalar: what a plain YAML scalar means, by the rules of PyYAML's resolver (YAML 1.1). Private to this folder.
 * Pure; any thread. Each is false, *ret untouched, when `s` is not of that kind. */
#ifndef VITRINE_CODEC_YAML_SCALAR_H
#define VITRINE_CODEC_YAML_SCALAR_H

#include "codec/value.h"

bool yaml_scalar_null(str s);
bool yaml_scalar_bool(str s, bool *ret);
/* INT, or FLOAT when it does not fit 64 bits. */
bool yaml_scalar_int(str s, struct value *ret);
bool yaml_scalar_float(str s, struct value *ret);
/* One of the above, else STR in the arena. */
struct value yaml_scalar_resolve(struct arena *a, str s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* sign: signed JSON texts compatible with itsdangerous' URLSafeSerializer(secret, salt=namespace), as Datasette uses
 * them for cookies and tokens, and its base62 numbers. */
#ifndef VITRINE_CODEC_SIGN_H
#define VITRINE_CODEC_SIGN_H

#include "codec/value.h"

str sign_dumps(struct arena *a, str secret, str name_space, struct value v);
/* INVALID: not signed with this secret and namespace, or not JSON inside. */
enum status sign_loads(struct arena *a, str secret, str name_space, str text, struct value *ret,
                       struct err *err) MUST_USE;

str base62_encode(struct arena *a, int64_t n); /* n >= 0; alphabet A-Z 0-9 a-z, as Datasette has it */
bool base62_decode(str s, int64_t *ret) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* sign: signed JSON texts compatible with itsdangerous' URLSafeSerializer(secret, salt=namespace), as Datasette uses
 * them for cookies and tokens, and its base62 numbers. Signed, not encrypted: anybody can read what is inside. Any
 * thread. */
#ifndef VITRINE_CODEC_SIGN_H
#define VITRINE_CODEC_SIGN_H

#include "codec/value.h"

/* payload "." signature, only of A-Za-z0-9_- and "."; byte for byte what itsdangerous writes. Empty (NULL, 0) when the
 * JSON is larger than LIMIT_SIGN_PAYLOAD: nothing is signed. */
str sign_dumps(struct arena *a, str secret, str name_space, struct value v);
/* Returns OK, INVALID (not signed with this secret and namespace, or damaged inside) or TOO_LARGE (more than
 * LIMIT_SIGN_PAYLOAD when unpacked). The signature is checked first, in constant time. */
enum status sign_loads(struct arena *a, str secret, str name_space, str text, struct value *ret,
                       struct err *err) MUST_USE;

str base62_encode(struct arena *a, int64_t n);    /* alphabet A-Z 0-9 a-z, as Datasette has it; "A" for 0 and below */
bool base62_decode(str s, int64_t *ret) MUST_USE; /* false on empty, other characters, overflow */

#endif

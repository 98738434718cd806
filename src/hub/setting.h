/* SPDX-License-Identifier: Apache-2.0 */
/* setting: one text of hub.yaml, for the parts that read sections of their own. */
#ifndef VITRINE_HUB_SETTING_H
#define VITRINE_HUB_SETTING_H

#include "codec/value.h"

/* A text of one line, or what {$env: NAME} and {$file: PATH} stand for: the value of a variable, the text of a file
 * (secrets need not stand in hub.yaml). CONFIG says what is wrong ("is no text"); the caller puts the place before it.
 * Blocks. */
enum status setting_text(struct arena *a, struct value v, str *ret, struct err *err) MUST_USE;

#endif

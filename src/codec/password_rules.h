/* SPDX-License-Identifier: Apache-2.0 */
/* password_rules: which new passwords are taken (NIST SP 800-63B section 5.1.1.2): long enough, not one of those that
 * are tried first, not the person's own address; nothing is asked of what it is made of. Pure; any thread. */
#ifndef VITRINE_CODEC_PASSWORD_RULES_H
#define VITRINE_CODEC_PASSWORD_RULES_H

#include "base/err.h"

#define PASSWORD_CHARACTERS_MIN 10

/* `email`: of the account, or empty. INVALID: a sentence for the person, the hint what to do instead. */
enum status password_rules_check(str password, str email, struct err *err) MUST_USE;

#endif

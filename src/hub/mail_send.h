/* SPDX-License-Identifier: Apache-2.0 */
/* mail_send: one finished e-mail out of the house, by the way that `url` of the configuration names: a mail server, a
 * program that takes it from its standard input, or a folder. Blocks; any thread but the loop's. */
#ifndef VITRINE_HUB_MAIL_SEND_H
#define VITRINE_HUB_MAIL_SEND_H

#include "hub/mail.h"

enum status mail_send_check(const struct mail_config *c, struct err *err) MUST_USE; /* CONFIG says what is wrong */
/* OK: taken. INVALID: refused for good. BUSY: this one is put off. Others: the way is closed for all of them now. */
enum status mail_send(const struct mail_config *c, struct arena *a, int64_t id, str to, str message,
                      struct err *err) MUST_USE;

#endif

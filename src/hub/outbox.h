/* SPDX-License-Identifier: Apache-2.0 */
/* outbox: what spaces ask of the hub: mails that go with a share. A space puts files into DIR/spaces/ID/outbox:
 *
 *   NAME.json    {"kind": "share", "to": "ana@example.org", "what": "Prices 2024", "url": "https://SPACE/...",
 *                 "by": "u..."}     written beside (a name with another end) and renamed
 *
 * A space may be in the hands of anybody, so nothing of it is believed: the text is ours, the link leads to the space
 * itself, what it is called is short and no link, who shares is looked up, files are plain ones. */
#ifndef VITRINE_HUB_OUTBOX_H
#define VITRINE_HUB_OUTBOX_H

#include "base/arena.h"
#include "base/err.h"

struct outbox_mail {
    str to, what, url, by; /* `what` and `by` are one line of LIMIT_MAIL_WORD bytes at most; `by` is to be looked up */
};

/* INVALID says what is wrong. `origin` of the space, without a "/" at its end. Pure; any thread. */
enum status outbox_read(struct arena *a, str json, str origin, struct outbox_mail *ret, struct err *err) MUST_USE;

/* Reads what lies in the outbox of space `id` under the folder `spaces`, LIMIT_OUTBOX_ROUND files at most, and removes
 * each that `put` took (OK) or that nobody will ever take (not a plain file, too large, invalid: a line in the log).
 * Anything else that put returns leaves the file for later and ends the round. No symbolic link is followed. Blocks.
 * NOT_FOUND: no such folder. FORBIDDEN: it is a link. *ret_count: mails taken. */
enum status outbox_collect(int spaces_fd, str id, str origin,
                           enum status (*put)(void *arg, str id, const struct outbox_mail *mail, struct err *err),
                           void *arg, size_t *ret_count, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* mail: the hub's e-mails. What is to be said is put into a table of hub.db, in the transaction of what caused it; a
 * thread makes the text and hands it to a mail server, again and again with growing pauses, until it is taken or
 * LIMIT_MAIL_AGE_S old. The essay is in mail.c. Texts: web/templates/hub/mail_KIND.txt (first line "Subject: ...") and
 * .html. */
#ifndef VITRINE_HUB_MAIL_H
#define VITRINE_HUB_MAIL_H

#include "codec/value.h"
#include "db/conn.h"

struct store;

/* "mail" of hub.yaml. All texts live in the arena it was read into. */
struct mail_config {
    /* smtp://host[:port], smtps://host[:port], a program as "/usr/sbin/sendmail -i -t", "file:DIR" (one file a mail: to
     * develop), or empty: nothing is sent, and mails are dropped with a line in the log. */
    str url;
    str user, password, ca_file;
    str from, from_name;
    str host, origin; /* of the hub: "data.example.org", "https://data.example.org" */
    str key;          /* what mails say is sealed with, until they are sent; set by whoever runs the mailer */
};

/* CONFIG names the key and the remedy. The url may hold user and password as "smtp://user:password@host". Any text may
 * be {$env: NAME} or {$file: PATH}. `section` UNDEFINED or NONE: no way to send. Blocks (files). */
enum status mail_config_read(struct arena *a, struct value section, str domain, str origin, struct mail_config *ret,
                             struct err *err) MUST_USE;

/* Inside of a write. key: that of the mailer's configuration. kind: of the text; vars: what it says (DICT of texts; all
 * but "url" are cut and made one line):
 *
 *   verify already reset             name, url
 *   invitation                       url, by, space, role
 *   share                            url, by, what
 *   new_address                      name, url               to the new address
 *   link_identity                    url, provider
 *
 * Notices (notice.h); all have device, address, when, url:
 *
 *   new_device password_changed app_on app_off codes_made
 *   address_changed                  new_address             to the old address
 *   account_deleted                  until
 *   code_used codes_low              left
 *   passkey_added passkey_removed identity_linked identity_unlinked      what
 *
 * INVALID: the address. BUSY: LIMIT_MAIL_WAITING wait already. A notice that is one too many (LIMIT_MAIL_NOTICES of its
 * kind in an hour), or finds too many waiting, is a line in the log and OK: what it tells of has happened. To an
 * address that got LIMIT_MAIL_PER_HOUR in the last hour nothing is sent, with a line in the log: an answer must not
 * tell who has an account. */
enum status mail_add(struct conn *c, struct arena *a, str key, str to, const char *kind, struct value vars,
                     struct err *err) MUST_USE;

/* What somebody calls themself, or something of theirs, and a mail program would make a link of: mails to people who do
 * not know them say something else. Pure. */
bool mail_is_like_a_link(str s);

struct mailer;

/* CONFIG: a template that does not compile. The configuration lives longer. */
enum status mailer_new(const struct mail_config *c, struct store *store, struct mailer **ret, struct err *err) MUST_USE;
enum status mailer_start(struct mailer *m, struct err *err) MUST_USE; /* the thread that sends */
void mailer_free(struct mailer *m); /* waits for the mail on its way, LIMIT_MAIL_MS at most; NULL is fine */
void mailer_wake(struct mailer *m); /* there may be a new one; any thread */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* seals: what hub.db must hold readable to the hub alone is sealed (codec/seal) with DIR/keys/secret, which lies beside
 * hub.db and in no backup: secrets of apps with codes, and what mails say that are not sent yet (their links are worth
 * a password). Which key it is stands in hub.db, so that another one, or none, is noticed at the start and not by
 * people who cannot sign in. */
#ifndef VITRINE_HUB_SEALS_H
#define VITRINE_HUB_SEALS_H

#include "hub/store.h"

/* Where a sealed value belongs; it opens nowhere else. */
str seals_of_app(struct arena *a, str user_id);
str seals_of_mail(struct arena *a, str recipient);

/* The name of the key that hub.db is sealed with; empty: it is not yet. */
enum status seals_key(struct store *s, struct arena *a, str *ret, struct err *err) MUST_USE;
/* At the start: notes the key, and seals what an earlier version wrote readable, in one transaction; what it was is
 * overwritten. CONFIG: hub.db is sealed with another key. Blocks. */
enum status seals_begin(struct store *s, str secret, struct err *err) MUST_USE;
/* hub.db without anything that is sealed, and without apps and recovery codes, which are worth nothing without it. */
enum status seals_drop(struct store *s, struct err *err) MUST_USE;
#define SEALS_FILE  "keys/secret" /* below the hub's folder */
#define SEALS_BYTES 32

#endif

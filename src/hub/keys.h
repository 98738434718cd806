/* SPDX-License-Identifier: Apache-2.0 */
/* keys: what DIR/keys holds, in one file and back: `vitrine hub keys`. No backup of the night has it, so that whoever
 * gets hold of one cannot read what is sealed in hub.db, nor sign for the hub. All block. */
#ifndef VITRINE_HUB_KEYS_H
#define VITRINE_HUB_KEYS_H

#include "hub/config.h"

/* Writes the file anew, mode 0600. NOT_FOUND: there are no keys. CONFLICT: the file is there already. */
enum status keys_save(const struct hub_config *c, const char *file, struct err *err) MUST_USE;
/* What such a file holds: 32 bytes, and a private key as PEM; in `a`. INVALID: this is no such file. */
enum status keys_read(struct arena *a, const char *file, str *ret_secret, str *ret_pem, struct err *err) MUST_USE;
/* Puts them into DIR/keys. INVALID: this is no such file. CONFLICT: hub.db is sealed with others. */
enum status keys_load(const struct hub_config *c, const char *file, struct err *err) MUST_USE;
/* New ones, where the old are lost: what was sealed goes, and with it apps with codes and recovery codes. CONFLICT:
 * they are there. */
enum status keys_renew(const struct hub_config *c, struct err *err) MUST_USE;

#endif

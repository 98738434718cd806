/* SPDX-License-Identifier: Apache-2.0 */
/* state: where our own state lies (internal database, secret) and the secret itself.
 *
 * One folder a site, because sites must not share sign-ins or stored queries: of --state (or $VITRINE_STATE, or
 * systemd's $STATE_DIRECTORY), else $XDG_STATE_HOME/vitrine/NAME-HASH, else ~/.local/state/vitrine/NAME-HASH, where
 * NAME-HASH stands for the folder that is served. */
#ifndef VITRINE_SITE_STATE_H
#define VITRINE_SITE_STATE_H

#include "base/arena.h"
#include "base/err.h"

struct state_options {
    str internal; /* --internal PATH; empty = in the folder */
    str folder;   /* --state DIR; empty = by environment */
    str served;   /* first file, pattern or folder on the command line; empty = the current folder */
};

struct state_paths {
    str folder;   /* empty = there is no place: no HOME */
    str internal; /* file of the internal database; empty = memory */
    str secret;   /* file of the secret; empty = none */
};

/* Reads the environment and resolves `served`; makes nothing. Everything from `a`. */
void state_find(struct arena *a, const struct state_options *o, struct state_paths *ret);

/* The secret in that file; a new random one of 64 hex digits is put there first when there is none. Two processes that
 * start together get the same. An unreadable, too short or too long file is an error: a new secret would end every
 * sign-in without a word. Statuses: IO, FORBIDDEN, DISK_FULL, CONFIG (too short or too long), NOT_FOUND. Blocks. */
enum status state_secret(struct arena *a, str path, str *ret, struct err *err) MUST_USE;

/* 32 random bytes as hex. */
enum status state_random(struct arena *a, str *ret, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* factor: the second factors of an account in hub.db: an authenticator app (codec/totp) and recovery codes
 * (codec/recovery). Passkeys have a file of their own. All functions run on a worker with a connection of the store;
 * those that change something inside its transaction. `key`: the secret of the hub: what it seals and signs with. */
#ifndef VITRINE_HUB_FACTOR_H
#define VITRINE_HUB_FACTOR_H

#include "codec/recovery.h"
#include "db/conn.h"

struct factor_state {
    bool totp;             /* an app was confirmed: signing in asks for a code */
    int64_t recovery_left; /* codes not used yet */
    int64_t passkeys;
};

enum status factor_state(struct conn *c, str user, struct factor_state *ret, struct err *err) MUST_USE;

/* A fresh secret that waits for its first code; one that waited before is forgotten, one that is confirmed stays in
 * force until the new one is. *ret: TOTP_SECRET_BYTES in `a`. */
enum status factor_begin(struct conn *c, struct arena *a, str key, str user, int64_t now_s, str *ret_secret,
                         struct err *err) MUST_USE;
/* The secret that waits; NOT_FOUND when there is none, or it waited longer than an hour. */
enum status factor_waiting(struct conn *c, struct arena *a, str key, str user, int64_t now_s, str *ret_secret,
                           struct err *err) MUST_USE;
/* The first code of the secret that waits, which is then in force. FORBIDDEN: wrong code. NOT_FOUND: none waits. */
enum status factor_confirm(struct conn *c, struct arena *a, str key, str user, str typed, int64_t now_s,
                           struct err *err) MUST_USE;
/* What somebody typed at the second step: a code of the app, or a recovery code; used up by this call. FORBIDDEN:
 * neither, or used before. *ret_recovery: it was a recovery code. */
enum status factor_use(struct conn *c, struct arena *a, str key, str user, str typed, int64_t now_s, bool *ret_recovery,
                       struct err *err) MUST_USE;
/* Ten new codes in the place of all older ones: the only time that they are known. */
enum status factor_renew_recovery(struct conn *c, struct arena *a, str key, str user, int64_t now_s,
                                  str ret[RECOVERY_CODES], struct err *err) MUST_USE;
/* No app and no recovery codes any more. */
enum status factor_off(struct conn *c, str user, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* passkey: the passkeys of accounts in hub.db, and what pages ask browsers for. What browsers answer is checked by
 * codec/webauthn.
 *
 * A challenge is 16 random bytes, the second until which it holds, and a MAC over both, what it is for and the cookie
 * of the browser that asked: so a page that is only looked at stores nothing. An answer is taken once: the challenge is
 * noted in the transaction that acts on it. All on a worker. */
#ifndef VITRINE_HUB_PASSKEY_H
#define VITRINE_HUB_PASSKEY_H

#include "codec/value.h"
#include "codec/webauthn.h"
#include "db/conn.h"

struct passkey_ask {
    struct webauthn_site site;
    str key;     /* of the installation, for the MAC */
    str purpose; /* "sign-in", "add", "confirm" */
    str browser; /* secret of the cookie that the answer has to come with */
    int64_t now_s;
};

/* For data-options of a form (web/static/hub-passkey.js), as JSON. `user`: id; known: its passkeys, which are not made
 * twice. IO: no random numbers. */
enum status passkey_options_create(struct conn *c, struct arena *a, const struct passkey_ask *ask, str user, str email,
                                   str name, str site_name, str *ret_json, struct err *err) MUST_USE;
/* user empty: whoever has a passkey of this site. */
enum status passkey_options_get(struct conn *c, struct arena *a, const struct passkey_ask *ask, str user, str *ret_json,
                                struct err *err) MUST_USE;

/* A new passkey, from the fields of the form (base64url). INVALID says what is wrong; CONFLICT: it belongs to an
 * account already; TOO_LARGE: LIMIT_HUB_PASSKEYS. */
enum status passkey_add(struct conn *c, struct arena *a, const struct passkey_ask *ask, str user, str name,
                        str client_data, str attestation, struct err *err) MUST_USE;
/* Who signed. FORBIDDEN: not known here, not this user's (where `user` is not empty), or not signed by it. */
struct passkey_answer {
    str id, client_data, authenticator_data, signature; /* base64url */
};
enum status passkey_use(struct conn *c, struct arena *a, const struct passkey_ask *ask, str user,
                        const struct passkey_answer *given, str *ret_user, struct err *err) MUST_USE;

/* id (base64url), name, made_at, used_at, backed_up, suspect_at; the newest first. */
enum status passkey_list(struct conn *c, struct arena *a, str user, struct value *ret, struct err *err) MUST_USE;
/* NOT_FOUND: it is not the user's. */
enum status passkey_name(struct conn *c, struct arena *a, str user, str id, str *ret, struct err *err) MUST_USE;
enum status passkey_remove(struct conn *c, struct arena *a, str user, str id, struct err *err) MUST_USE; /* NOT_FOUND */
enum status passkey_rename(struct conn *c, struct arena *a, str user, str id, str name, struct err *err) MUST_USE;

#endif

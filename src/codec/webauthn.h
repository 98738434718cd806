/* SPDX-License-Identifier: Apache-2.0 */
/* webauthn: what a browser answers to navigator.credentials.create() and .get(), checked (Web Authentication Level 2,
 * sections 7.1 and 7.2). No attestation is asked for, so who made the authenticator is neither known nor asked: a
 * statement that comes all the same is passed over, as section 7.1 step 21 allows. Pure: challenges, and who owns which
 * credential, are the caller's. Any thread. */
#ifndef VITRINE_CODEC_WEBAUTHN_H
#define VITRINE_CODEC_WEBAUTHN_H

#include "base/arena.h"
#include "base/err.h"

#define WEBAUTHN_AAGUID 16

struct webauthn_site {
    str rp_id;  /* "data.example.org" */
    str origin; /* "https://data.example.org", exactly as browsers write it */
};

struct webauthn_credential {
    str id;                                /* 1 to 1023 bytes; borrowed from attestation_object */
    str key;                               /* for cose_verify; likewise */
    unsigned char aaguid[WEBAUTHN_AAGUID]; /* kind of authenticator; zeros where it does not say */
    uint32_t counter;
    bool user_verified; /* by PIN, finger or face */
    bool backed_up;     /* it lives in a synchronised account: losing the device does not lose it */
};

struct webauthn_assertion { /* as the browser gave them, decoded */
    str client_data;        /* clientDataJSON */
    str authenticator_data;
    str signature;
};

struct webauthn_seen {
    uint32_t counter;
    bool user_verified, backed_up;
    bool cloned; /* the counter did not grow though authenticator or record counts: two devices may hold the key */
};

/* `challenge`: raw bytes that were sent. INVALID says what is wrong. A user must have been present; whether verified is
 * in *ret for the caller to ask for. */
enum status webauthn_register(struct arena *a, const struct webauthn_site *site, str challenge, str client_data,
                              str attestation_object, struct webauthn_credential *ret, struct err *err) MUST_USE;
/* key, counter: as stored of this credential. FORBIDDEN: the signature is not by this key. */
enum status webauthn_assert(struct arena *a, const struct webauthn_site *site, str challenge, str key, uint32_t counter,
                            const struct webauthn_assertion *given, struct webauthn_seen *ret,
                            struct err *err) MUST_USE;
/* The challenge that the browser says it signed, to look up what was sent; nothing of it is checked yet. */
enum status webauthn_challenge_of(struct arena *a, str client_data, str *ret, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* oidc_token: what an issuer says of itself (OpenID Connect Discovery 1.0 section 3) and of a person (Core 1.0 sections
 * 2, 3.1.3.7 and 5.1). Pure: no network, no clock; any thread. What asks for them is oidc.h. */
#ifndef VITRINE_HUB_OIDC_TOKEN_H
#define VITRINE_HUB_OIDC_TOKEN_H

#include "codec/value.h"

/* One of `oidc` of hub.yaml (providers.h). All texts live as long as the configuration. */
struct oidc_config {
    str name;  /* in addresses: /-/oidc/NAME/... */
    str label; /* of the button */
    str issuer, client_id, client_secret;
    str scopes;                 /* "openid profile email" and more */
    str groups_claim;           /* where the groups stand; "groups" */
    str ca_file;                /* empty = the system's */
    bool trust_email;           /* its addresses are verified although it does not say so */
    bool internal;              /* its endpoints may be on other hosts of this network */
    const str *groups, *admins; /* who may sign in (empty = everybody), who is an administrator */
    size_t group_count, admin_count;
    bool maps_groups; /* groups give more than that: they must be known */
};

/* Endpoints; empty = it has none. */
struct oidc_discovery {
    str authorization, token, keys, userinfo, end_session;
    bool secret_in_body; /* client_secret_post: it takes no Basic authentication */
    bool says_issuer;    /* its answers name the issuer (RFC 9207) */
};

/* Whom an issuer names, or GitHub. */
struct identity_person {
    str issuer, subject; /* together: who it is, for ever */
    str email, name;     /* may be empty */
    bool email_verified; /* by the issuer */
    str login;           /* what people call it: a user name; may be empty */
    str *groups;
    size_t group_count;
    bool says_groups; /* false: nothing was said of groups, which is not the same as none */
};

/* INVALID: not the document of this issuer, an endpoint that is missing or not encrypted. Texts live in `a`. */
enum status oidc_read_discovery(struct arena *a, const struct oidc_config *c, str json, struct oidc_discovery *ret,
                                struct err *err) MUST_USE;
/* The claims of a token whose signature is good: for us, from this issuer, for this try (nonce), and of now. INVALID
 * says what is wrong. */
enum status oidc_check_claims(const struct oidc_config *c, struct value claims, str nonce, int64_t now_s,
                              struct err *err) MUST_USE;
/* Claims that the token lacks, from the userinfo endpoint. INVALID: they are of somebody else. */
enum status oidc_add_userinfo(struct value claims, struct value userinfo, struct err *err) MUST_USE;
bool oidc_wants_userinfo(const struct oidc_config *c, struct value claims);
/* FORBIDDEN: not in one of the groups that may sign in. Texts live in `a`. */
enum status oidc_person(struct arena *a, const struct oidc_config *c, struct value claims, struct identity_person *ret,
                        struct err *err) MUST_USE;

/* https://, or http:// on this machine. */
bool oidc_is_safe_url(str url);
/* Whether two URLs have the same scheme, host and port. */
bool oidc_same_origin(str a, str b);

#endif

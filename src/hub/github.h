/* SPDX-License-Identifier: Apache-2.0 */
/* github: signing in with GitHub, which speaks OAuth 2.0 (RFC 6749) with PKCE and no OpenID Connect: who somebody is,
 * is asked of its API. Organizations and teams that hub.yaml names are looked up and stand as groups: "org",
 * "org/team". As oidc.h: waits for GitHub, never on the loop's thread; any other thread, many at once. */
#ifndef VITRINE_HUB_GITHUB_H
#define VITRINE_HUB_GITHUB_H

#include "hub/oidc.h"

struct github_config {
    str name, label, client_id, client_secret, ca_file;
    str url, api;               /* https://github.com and https://api.github.com, or those of a GitHub Enterprise */
    const str *groups, *admins; /* "org", "org/team" or "@login"; groups: who may sign in, empty = everybody */
    const str *mapped;          /* ... which give more than that */
    size_t group_count, admin_count, mapped_count;
};

/* The nonce of the try is not used: there is no token to carry it. */
str github_start(const struct github_config *c, struct arena *a, const struct oidc_try *t);
/* Statuses as of oidc_finish. The person's issuer is the url, the subject the number of the account, which outlives its
 * name; the e-mail is the primary one, if GitHub has verified it. */
enum status github_finish(const struct github_config *c, struct arena *a, const struct oidc_try *t, str code,
                          struct identity_person *ret, struct err *err) MUST_USE;

#endif

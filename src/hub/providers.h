/* SPDX-License-Identifier: Apache-2.0 */
/* providers: who signs people in for us: the issuers of OpenID Connect and the GitHub of hub.yaml, under one name.
 *
 *   oidc:
 *   - issuer: https://accounts.google.com
 *     client_id: ...
 *     client_secret: ...          these three; what follows is optional
 *     label: Google               on the button; default: the issuer's host
 *     name: google                in addresses; default: made from the label
 *     scopes: openid profile email
 *     groups_claim: groups        what says in which groups somebody is
 *     groups: [staff]             who may sign in; default: everybody
 *     admins: [boss]              whose groups make administrators
 *     map:                        what else groups give (groups.h)
 *     - {group: botany, team: tabcdefghijkl}
 *     - {group: botany, space: museum, role: editor}
 *     trust_email: false          true: its e-mail addresses are verified although it does not say so
 *     internal: false             true: its endpoints may lie on other hosts of this network
 *     ca_file: PATH
 *   github:
 *     client_id: ...
 *     client_secret: ...
 *     groups: [org, org/team, "@login"]      and admins, map, label, ca_file; url of a GitHub Enterprise
 *
 * Anywhere a text stands, {$env: NAME} and {$file: PATH} stand for the value of a variable and the text of a file. */
#ifndef VITRINE_HUB_PROVIDERS_H
#define VITRINE_HUB_PROVIDERS_H

#include "hub/github.h"
#include "hub/oidc.h"
#include "hub/space.h"

/* One line of `map`: what a group gives to those who are in it. Empty = not that. */
struct group_rule {
    str group;
    bool admin;
    str team;  /* its id: names of teams are not unique, and whoever likes makes one */
    str space; /* its name */
    enum space_role role;
};

struct provider {
    str name, label;
    struct oidc *oidc; /* NULL: GitHub */
    struct oidc_config oidc_config;
    struct github_config github;
    const struct group_rule *rules; /* map, and one for each of `admins` */
    size_t rule_count;
};

struct providers; /* immutable; any thread */

/* `root`: the whole of hub.yaml, or UNDEFINED. CONFIG names the place and the remedy. Blocks (files). */
enum status providers_new(struct value root, struct providers **ret, struct err *err) MUST_USE;
void providers_free(struct providers *p); /* NULL is fine */
size_t providers_count(const struct providers *p);
const struct provider *providers_at(const struct providers *p, size_t i);
const struct provider *providers_find(const struct providers *p, str name); /* NULL = none */

/* As oidc_start and oidc_finish, whatever the kind. *ret_id_token is empty for GitHub. */
enum status provider_start(const struct provider *p, struct arena *a, const struct oidc_try *t, str *ret_url,
                           struct err *err) MUST_USE;
enum status provider_finish(const struct provider *p, struct arena *a, const struct oidc_try *t, str code, str issuer,
                            struct identity_person *ret, str *ret_id_token, struct err *err) MUST_USE;
str provider_issuer(const struct provider *p); /* as identities have it */

#endif

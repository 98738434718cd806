/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "codec/yaml.h"
#include "hub/providers.h"
#include "test.h"

static enum status read(struct arena *a, const char *yaml, struct providers **ret, struct err *err)
{
    struct value v;
    CHECK_INT(value_from_yaml(a, str_of(yaml), &v, err), STATUS_OK);
    return providers_new(v, ret, err);
}

TEST(three_fields)
{
    struct arena *a = arena_new(0);
    struct providers *p;
    struct err err = ERR_INIT;
    setenv("THE_SECRET", "from outside", 1);
    CHECK_INT(read(a,
                   "oidc:\n"
                   "- {issuer: 'https://accounts.example.org/x', client_id: a, client_secret: {$env: THE_SECRET}}\n"
                   "- {issuer: 'https://b.org', client_id: b, client_secret: c, label: 'Uni K\xc3\xb6ln (Staff)', "
                   "admins: [x]}\n"
                   "github: {client_id: g, client_secret: h, url: 'https://git.example.org/', groups: [org/team]}\n",
                   &p, &err),
              STATUS_OK);
    CHECK_INT(providers_count(p), 3);
    CHECK_STR(providers_at(p, 0)->label, "accounts.example.org");
    CHECK_STR(providers_at(p, 0)->name, "accounts-example-org");
    CHECK_STR(providers_at(p, 0)->oidc_config.client_secret, "from outside");
    CHECK_STR(providers_at(p, 0)->oidc_config.scopes, "openid profile email");
    CHECK_STR(providers_at(p, 1)->name, "uni-k-ln-staff");
    const struct provider *github = providers_find(p, STR("github"));
    CHECK(github && str_is(github->github.api, "https://git.example.org/api/v3"));
    CHECK(!providers_find(p, STR("other")));
    str group[] = {STR("x")};
    const struct identity_person boss = {.groups = group, .group_count = 1};
    CHECK(provider_is_admin(providers_at(p, 1), &boss) && !provider_is_admin(providers_at(p, 0), &boss));
    providers_free(p);
    CHECK_INT(providers_new(VALUE_UNDEF, &p, &err), STATUS_OK);
    CHECK_INT(providers_count(p), 0);
    providers_free(p);
    arena_free(a);
}

TEST(what_is_wrong_is_named)
{
    static const struct {
        const char *yaml, *why;
    } known[] = {
        {"oidc: [{issuer: 'https://a.org', client_secret: c}]", "issuer 1: client_id is missing"},
        {"oidc: [{issuer: 'http://a.org', client_id: a, client_secret: c}]", "issuer 1: issuer is no https:// address"},
        {"oidc: [{issuer: 'https://a.org', client_id: a, client_secret: {$env: NOT_THERE}}]",
         "variable that is not set"},
        {"oidc: [{issuer: 'https://a.org', client_id: a, client_secret: {$file: /nowhere}}]",
         "file that cannot be read"},
        {"oidc: [{issuer: 'https://a.org', client_id: [a], client_secret: c}]", "client_id is no text"},
        {"oidc: [{issuer: 'https://a.org', client_id: a, name: A/B}]", "name has only small letters"},
        {"oidc: [{issuer: 'https://a.org', client_id: a, name: github}]", "cannot be github"},
        {"oidc: [{issuer: 'https://a.org', client_id: a}, {issuer: 'https://a.org/b', client_id: b}]",
         "issuer 2: name is that of another"},
        {"oidc: [{issuer: 'https://a.org', client_id: a, scopes: email}]", "lacks openid"},
        {"oidc: [{issuer: 'https://a.org', client_id: a, clientsecret: c}]", "clientsecret is nothing that can be set"},
        {"oidc: [{issuer: 'https://a.org', client_id: a, groups: [1]}]", "groups is a list of names"},
        {"oidc: [{issuer: 'https://a.org', client_id: a, internal: maybe}]", "internal is true or false"},
        {"oidc: 7", "list of issuers"},
        {"github: {client_id: a}", "github: client_secret is missing"},
        {"github: {client_id: a, client_secret: b, url: 'ftp://x'}", "url is no https://"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct arena *a = arena_new(0);
        struct providers *p;
        struct err err = ERR_INIT;
        if (read(a, known[i].yaml, &p, &err) != STATUS_CONFIG || !strstr(err.text, known[i].why))
            test_fail(__FILE__, __LINE__, "%s: %s", known[i].yaml, err.text);
        arena_free(a);
    }
}

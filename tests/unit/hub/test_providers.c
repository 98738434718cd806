/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/limits.h"
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
    const struct provider *second = providers_at(p, 1);
    CHECK(second->rule_count == 1 && second->rules[0].admin && str_is(second->rules[0].group, "x"));
    CHECK(providers_at(p, 0)->rule_count == 0);
    CHECK_STR(provider_issuer(second), "https://b.org");
    CHECK_STR(provider_issuer(github), "https://git.example.org");
    providers_free(p);
    CHECK_INT(providers_new(VALUE_UNDEF, &p, &err), STATUS_OK);
    CHECK_INT(providers_count(p), 0);
    providers_free(p);
    arena_free(a);
}

#define ISSUER "oidc:\n- issuer: https://a.org\n  client_id: a\n  client_secret: c\n"

TEST(what_groups_give)
{
    struct arena *a = arena_new(0);
    struct providers *p;
    struct err err = ERR_INIT;
    CHECK_INT(read(a,
                   ISSUER
                   "  admins: boss\n"
                   "  map:\n"
                   "  - {group: botany, team: tabcdefghij27, space: museum, role: editor}\n"
                   "  - {group: '/org/unit: two', admin: true}\n"
                   "github: {client_id: g, client_secret: h, map: [{group: org/team, space: museum, role: owner}]}",
                   &p, &err),
              STATUS_OK);
    const struct provider *one = providers_at(p, 0), *github = providers_at(p, 1);
    CHECK_INT(one->rule_count, 3);
    CHECK_STR(one->rules[0].team, "tabcdefghij27");
    CHECK_STR(one->rules[0].space, "museum");
    CHECK(one->rules[0].role == ROLE_EDITOR && !one->rules[0].admin);
    CHECK(one->rules[1].admin && str_is(one->rules[1].group, "/org/unit: two") && one->rules[1].role == ROLE_NONE);
    CHECK(one->rules[2].admin && str_is(one->rules[2].group, "boss"));
    CHECK(one->oidc_config.maps_groups);
    CHECK(github->github.mapped_count == 1 && str_is(github->github.mapped[0], "org/team"));
    /* Without being asked for, GitHub tells nothing of organizations: those of the map alone count too. */
    const str mapped[] = {STR("@octocat"), STR("org")};
    const struct oidc_try t = {.state = STR("s"), .verifier = STR("v")};
    for (size_t n = 0; n <= 2; n++) {
        const struct github_config only = {.url = STR("https://github.com"), .mapped = mapped, .mapped_count = n};
        CHECK((str_find(github_start(&only, a, &t), STR("read%3Aorg")) != STR_NPOS) == (n == 2));
    }
    providers_free(p);
    arena_free(a);
}

TEST(rules_that_are_wrong)
{
    static const struct {
        const char *map, *why, *remedy;
    } known[] = {
        {"{group: x}", "oidc: issuer 1: map is no list", "one line for each"},
        {"[x]", "issuer 1: map: rule 1: it is no rule", "{group:"},
        {"[{team: tabcdefghij27}]", "map: rule 1: group is missing", ""},
        {"[{group: 7, admin: true}]", "map: rule 1: group is no text", ""},
        {"[{group: x, admin: true}, {group: x}]", "map: rule 2: group gets nothing", "admin: true, team: ID"},
        {"[{group: x, admin: 1}]", "map: rule 1: admin is true or false", ""},
        {"[{group: x, team: Botanists}]", "map: rule 1: team is no team (Botanists)", "address of the team's page"},
        {"[{group: x, team: tabcdefghij2}]", "map: rule 1: team is no team", "tabcdefghijkl"},
        {"[{group: x, space: 'Museum!', role: owner}]", "rule 1: space is no name of a space (Museum!)", "first part"},
        {"[{group: x, space: museum}]", "map: rule 1: role is missing", "owner, editor or viewer"},
        {"[{group: x, role: viewer}]", "map: rule 1: space is missing", "in which space"},
        {"[{group: x, space: museum, role: boss}]", "rule 1: role is no role (boss)", "owner, editor and viewer"},
        {"[{group: x, space: museum, rolle: owner}]", "rule 1: rolle is nothing that can be set here", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct arena *a = arena_new(0);
        struct providers *p;
        struct err err = ERR_INIT;
        CHECK_INT(read(a, arena_printf(a, ISSUER "  map: %s\n", known[i].map).p, &p, &err), STATUS_CONFIG);
        CHECK(str_find(str_of(err.text), str_of(known[i].why)) != STR_NPOS);
        CHECK(str_find(str_of(err.hint), str_of(known[i].remedy)) != STR_NPOS);
        arena_free(a);
    }
}

/* LIMIT_GROUP_RULES */
TEST(as_many_rules_as_there_may_be)
{
    for (int more = 0; more < 2; more++) {
        struct arena *a = arena_new(0);
        struct providers *p;
        struct err err = ERR_INIT;
        struct buf b;
        buf_init(&b, 1 << 20);
        buf_puts(&b, STR(ISSUER "  map:\n"));
        for (int i = 0; i < LIMIT_GROUP_RULES + more; i++)
            buf_puts(&b, STR("  - {group: x, admin: true}\n"));
        str text = arena_str(a, buf_str(&b));
        buf_release(&b);
        enum status st = read(a, arena_cstr(a, text), &p, &err);
        CHECK_INT(st, more ? STATUS_CONFIG : STATUS_OK);
        if (more)
            CHECK(str_find(str_of(err.text), STR("map has more than 500 rules")) != STR_NPOS);
        else
            providers_free(p);
        arena_free(a);
    }
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

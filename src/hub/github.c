/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/github.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/letter.h"
#include "codec/url.h"
#include "net/ask.h"

struct asked { /* one sign-in */
    const struct github_config *config;
    struct arena *arena;
    str token;
    struct identity_person person;
};

static str group_at(const struct github_config *c, size_t i)
{
    size_t gates = c->group_count + c->admin_count;
    return i < c->group_count ? c->groups[i] : i < gates ? c->admins[i - c->group_count] : c->mapped[i - gates];
}

static size_t group_count(const struct github_config *c)
{
    return c->group_count + c->admin_count + c->mapped_count;
}

static bool wants_teams(const struct github_config *c)
{
    for (size_t i = 0; i < group_count(c); i++)
        if (group_at(c, i).p[0] != '@')
            return true;
    return false;
}

str github_start(const struct github_config *c, struct arena *a, const struct oidc_try *t)
{
    str scope = wants_teams(c) ? STR("read:user user:email read:org") : STR("read:user user:email");
    const struct url_pair pairs[] = {{STR("client_id"), c->client_id},
                                     {STR("redirect_uri"), t->redirect_uri},
                                     {STR("scope"), scope},
                                     {STR("state"), t->state},
                                     {STR("code_challenge"), oidc_challenge(a, t->verifier)},
                                     {STR("code_challenge_method"), STR("S256")}};
    return ARENA_CAT(a, c->url, STR("/login/oauth/authorize?"), url_encode(a, pairs, ARRAY_LEN(pairs)));
}

static struct ask question(const struct github_config *c, str url)
{
    return (struct ask){.method = STR("GET"),
                        .url = url,
                        .timeout_ms = LIMIT_OIDC_MS,
                        .max_answer = LIMIT_OIDC_DOCUMENT,
                        .ca_file = c->ca_file};
}

static bool is_token(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 127)
            return false;
    return s.n > 0;
}

/* GitHub answers 200 with {"error": ...} when it gives no token. */
static enum status redeem(struct asked *k, const struct oidc_try *t, str code, struct err *err)
{
    const struct github_config *c = k->config;
    struct ask q = question(c, ARENA_CAT(k->arena, c->url, STR("/login/oauth/access_token")));
    struct ask_answer answer;
    struct value json;
    const str lines[] = {STR("Content-Type: application/x-www-form-urlencoded"), STR("Accept: application/json")};
    const struct url_pair pairs[] = {{STR("client_id"), c->client_id},
                                     {STR("client_secret"), c->client_secret},
                                     {STR("code"), code},
                                     {STR("redirect_uri"), t->redirect_uri},
                                     {STR("code_verifier"), t->verifier}};
    q.method = STR("POST");
    q.headers = lines;
    q.header_count = ARRAY_LEN(lines);
    q.body = url_encode(k->arena, pairs, ARRAY_LEN(pairs));
    enum status st = ask_json(k->arena, &q, &answer, &json, err);
    if (st != STATUS_OK)
        return st;
    str error = value_get_text(json, STR("error"));
    k->token = value_get_text(json, STR("access_token"));
    if (answer.status == 200 && is_token(k->token))
        return STATUS_OK;
    if (str_is(error, "incorrect_client_credentials")) {
        err_set(err, STATUS_CONFIG, "it does not know our client id and secret");
        err_hint(err, "Look at client_id and client_secret in hub.yaml.");
        return STATUS_CONFIG;
    }
    err_set(err, STATUS_INVALID, "it gives no token (status %d, %.*s)", answer.status, (int)MIN(error.n, (size_t)60),
            error.n ? error.p : "no reason");
    err_hint(err, "Sign in again.");
    return STATUS_INVALID;
}

/* *ret_status is 200, 302, 403 or 404; anything else is an error. */
static enum status api(struct asked *k, str path, struct value *ret, int *ret_status, struct err *err)
{
    static const int known[] = {200, 302, 403, 404};
    struct ask q = question(k->config, ARENA_CAT(k->arena, k->config->api, path));
    struct ask_answer answer;
    const str lines[] = {ARENA_CAT(k->arena, STR("Authorization: Bearer "), k->token),
                         STR("Accept: application/vnd.github+json"), STR("X-GitHub-Api-Version: 2022-11-28")};
    q.headers = lines;
    q.header_count = ARRAY_LEN(lines);
    enum status st = ask_url(k->arena, &q, &answer, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (answer.status == known[i]) {
            *ret_status = answer.status;
            *ret = VALUE_UNDEF;
            return answer.status == 200 ? value_from_json(k->arena, answer.body, ret, err) : STATUS_OK;
        }
    return err_set(err, STATUS_INVALID, "%.*s answers with status %d", STR_ARG(path), answer.status);
}

static enum status ask_user(struct asked *k, struct err *err)
{
    struct value user;
    int status;
    enum status st = api(k, STR("/user"), &user, &status, err);
    if (st != STATUS_OK)
        return st;
    struct value id = VALUE_GET(user, "id");
    str name = value_get_text(user, STR("name"));
    k->person.login = arena_str(k->arena, value_get_text(user, STR("login")));
    if (status != 200 || id.kind != VALUE_INT || id.i <= 0 || !k->person.login.n)
        return err_set(err, STATUS_INVALID, "it does not say who you are (status %d)", status);
    k->person.subject = arena_i64(k->arena, id.i);
    k->person.name = utf8_repair(k->arena, name.n ? name : k->person.login);
    return STATUS_OK;
}

static enum status ask_email(struct asked *k, struct err *err)
{
    struct value list;
    struct err bad = ERR_INIT;
    int status;
    enum status st = api(k, STR("/user/emails"), &list, &status, err);
    for (size_t i = 0; st == STATUS_OK && list.kind == VALUE_LIST && i < value_count(list); i++) {
        struct value v = value_at(list, i);
        str email = value_get_text(v, STR("email"));
        if (!value_truth(VALUE_GET(v, "primary")) || letter_address(email, &bad) != STATUS_OK)
            continue;
        k->person.email = arena_str(k->arena, email);
        k->person.email_verified = value_truth(VALUE_GET(v, "verified"));
    }
    return st;
}

/* What GitHub has no say in: names of organizations and teams are letters, digits, "-", "_" and ".". */
static bool is_slug(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') &&
            !strchr("-_.", s.p[i] ? s.p[i] : '/'))
            return false;
    return s.n > 0 && s.p[0] != '.';
}

/* Membership, of one organization or team; one that cannot be seen is none. */
static enum status ask_group(struct asked *k, str group, bool *ret, struct err *err)
{
    struct arena *a = k->arena;
    str org, team;
    struct value v;
    int status;
    *ret = false;
    if (group.n && group.p[0] == '@') {
        *ret = str_eq_nocase(str_from(group, 1), k->person.login);
        return STATUS_OK;
    }
    bool has_team = str_cut(group, '/', &org, &team);
    if (!is_slug(org) || (has_team && !is_slug(team)))
        return err_set(err, STATUS_CONFIG, "\"%.*s\" in hub.yaml is no organization and no team", STR_ARG(group));
    str path = has_team ? ARENA_CAT(a, STR("/orgs/"), org, STR("/teams/"), team, STR("/memberships/"),
                                    url_quote(a, k->person.login, ""))
                        : ARENA_CAT(a, STR("/user/memberships/orgs/"), org);
    enum status st = api(k, path, &v, &status, err);
    if (st == STATUS_OK)
        *ret = status == 200 && str_is(value_get_text(v, STR("state")), "active"); /* not "pending" */
    return st;
}

static bool was_asked(const struct github_config *c, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (str_eq(group_at(c, j), group_at(c, i)))
            return true;
    return false;
}

static enum status ask_groups(struct asked *k, struct err *err)
{
    const struct github_config *c = k->config;
    size_t gates = c->group_count + c->admin_count, n = group_count(c);
    bool allowed = !c->group_count;
    k->person.says_groups = true;
    k->person.groups = ARENA_ARRAY(k->arena, str, n + 1);
    for (size_t i = 0; i < n; i++) {
        str group = group_at(c, i);
        bool member;
        if (was_asked(c, i))
            continue;
        enum status st = ask_group(k, group, &member, err);
        if (st != STATUS_OK)
            return st;
        allowed |= member && i < gates;
        if (member)
            k->person.groups[k->person.group_count++] = group;
    }
    if (allowed)
        return STATUS_OK;
    err_set(err, STATUS_FORBIDDEN, "you are in none of the organizations and teams that may sign in here");
    err_hint(err, "An organization may have to allow this application first, in its settings on GitHub.");
    return STATUS_FORBIDDEN;
}

enum status github_finish(const struct github_config *c, struct arena *a, const struct oidc_try *t, str code,
                          struct identity_person *ret, struct err *err)
{
    struct asked k = {.config = c, .arena = a, .person = {.issuer = c->url}};
    enum status st = redeem(&k, t, code, err);
    if (st == STATUS_OK)
        st = ask_user(&k, err);
    if (st == STATUS_OK)
        st = ask_email(&k, err);
    if (st == STATUS_OK)
        st = ask_groups(&k, err);
    if (st != STATUS_OK)
        err_prefix(err, "%.*s", STR_ARG(c->label));
    else
        *ret = k.person;
    return st;
}

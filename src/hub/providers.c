/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/providers.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "hub/setting.h"

#include "base/banned.h"

struct providers {
    struct arena *arena; /* of the configuration */
    struct provider *items;
    size_t count;
};

/* ---- one section ---- */

struct reading {
    struct arena *a;
    struct value section;
    const char *where; /* for messages */
    struct err *err;
    enum status status; /* of the first fault */
};

static enum status fault(struct reading *r, const char *key, const char *what)
{
    if (r->status == STATUS_OK)
        r->status = err_set(r->err, STATUS_CONFIG, "hub.yaml: %s: %s %s", r->where, key, what);
    return r->status;
}

static str read_text(struct reading *r, const char *key, const char *otherwise)
{
    struct value v = value_get(r->section, str_of(key));
    str text = str_of(otherwise ? otherwise : "");
    struct err why = ERR_INIT;
    if (!value_is_null(v) && setting_text(r->a, v, &text, &why) != STATUS_OK)
        fault(r, key, why.text);
    else if (!text.n && !otherwise)
        fault(r, key, "is missing");
    return text;
}

static bool read_bool(struct reading *r, const char *key)
{
    struct value v = value_get(r->section, str_of(key));
    if (v.kind != VALUE_UNDEFINED && v.kind != VALUE_BOOL)
        fault(r, key, "is true or false");
    return v.kind == VALUE_BOOL && v.b;
}

static void read_list(struct reading *r, const char *key, const str **ret, size_t *ret_count)
{
    struct value v = value_get(r->section, str_of(key));
    if (v.kind == VALUE_UNDEFINED || v.kind == VALUE_NONE)
        return;
    size_t n = v.kind == VALUE_LIST ? value_count(v) : 1;
    str *list = ARENA_ARRAY(r->a, str, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct value item = v.kind == VALUE_LIST ? value_at(v, i) : v;
        list[i] = value_is_text(item) ? arena_str(r->a, item.s) : (str){0};
        if (!list[i].n)
            fault(r, key, "is a list of names");
    }
    *ret = list;
    *ret_count = n;
}

static void refuse_unknown(struct reading *r, const char *const *known)
{
    for (size_t i = 0; i < value_count(r->section); i++) {
        bool found = false;
        for (const char *const *k = known; *k; k++)
            found |= str_is(r->section.dict->entries[i].key, *k);
        if (!found)
            fault(r, arena_cstr(r->a, r->section.dict->entries[i].key), "is nothing that can be set here");
    }
}

/* "Uni Köln (staff)" -> "uni-k-ln-staff" */
static str name_from(struct arena *a, str label)
{
    struct buf b;
    buf_init(&b, LIMIT_EDGE_NAME);
    for (size_t i = 0; i < label.n && b.n < 30; i++) {
        char c = label.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (plain)
            buf_putc(&b, str_lower_char(c));
        else if (b.n && b.p[b.n - 1] != '-')
            buf_putc(&b, '-');
    }
    if (b.n && b.p[b.n - 1] == '-')
        b.n--;
    str name = arena_str(a, buf_str(&b));
    buf_release(&b);
    return name;
}

static void check_name(struct reading *r, str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && !(name.p[i] >= '0' && name.p[i] <= '9') && name.p[i] != '-')
            fault(r, "name", "has only small letters, digits and \"-\"");
    if (!name.n || name.n > LIMIT_EDGE_NAME)
        fault(r, "name", "is empty or long");
}

static str host_of(str url)
{
    size_t at = str_find(url, STR("://"));
    str rest = at == STR_NPOS ? url : str_from(url, at + 3), host;
    (void)str_cut(rest, '/', &host, &rest);
    return host;
}

static str without_slash(str url)
{
    return str_ends(url, STR("/")) ? str_sub(url, 0, url.n - 1) : url;
}

/* ---- map ---- */

static void fault_hint(struct reading *r, const char *key, const char *what, const char *hint)
{
    bool first = r->status == STATUS_OK;
    fault(r, key, what);
    if (first)
        err_hint(r->err, "%s", hint);
}

/* "t" and 12 letters of a-z2-7, as hub_id makes them. */
static bool is_team_id(str s)
{
    for (size_t i = 1; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '2' && s.p[i] <= '7'))
            return false;
    return s.n == 13 && s.p[0] == 't';
}

static void read_rule(struct reading *r, struct group_rule *g)
{
    static const char *const known[] = {"group", "admin", "team", "space", "role", NULL};
    struct err why = ERR_INIT;
    g->group = read_text(r, "group", NULL);
    g->admin = read_bool(r, "admin");
    g->team = read_text(r, "team", "");
    g->space = read_text(r, "space", "");
    str role = read_text(r, "role", "");
    g->role = space_role_parse(role);
    refuse_unknown(r, known);
    if (g->team.n && !is_team_id(g->team))
        fault_hint(r, "team", arena_printf(r->a, "is no team (%.*s)", STR_ARG(str_sub(g->team, 0, 60))).p,
                   "Write the last part of the address of the team's page, as tabcdefghijkl: names are not unique.");
    if (g->space.n && space_name_check(g->space, &why) != STATUS_OK)
        fault_hint(
            r, "space",
            arena_printf(r->a, "is no name of a space (%.*s): %s", STR_ARG(str_sub(g->space, 0, 60)), why.text).p,
            "Write the first part of the address of the space: museum of museum.data.example.org.");
    if (role.n && g->role == ROLE_NONE)
        fault_hint(r, "role", arena_printf(r->a, "is no role (%.*s)", STR_ARG(str_sub(role, 0, 60))).p,
                   "There are owner, editor and viewer.");
    if (g->space.n && !role.n)
        fault_hint(r, "role", "is missing", "Say what the group is in the space: owner, editor or viewer.");
    if (role.n && !g->space.n)
        fault_hint(r, "space", "is missing", "Say in which space the group has the role.");
    if (!g->admin && !g->team.n && !g->space.n)
        fault_hint(r, "group", "gets nothing", "Add admin: true, team: ID, or space: NAME and role: ROLE.");
}

/* `admins` are rules like the others, from here on. */
static void read_map(struct reading *r, struct provider *p, const str *admins, size_t admin_count)
{
    struct value map = VALUE_GET(r->section, "map");
    const struct reading outer = *r;
    bool absent = map.kind == VALUE_UNDEFINED || map.kind == VALUE_NONE;
    size_t n = map.kind == VALUE_LIST ? value_count(map) : 0;
    if (!absent && map.kind != VALUE_LIST)
        fault_hint(r, "map", "is no list", "Write one line for each: - {group: staff, space: museum, role: viewer}");
    if (n > LIMIT_GROUP_RULES) {
        fault(r, "map", arena_printf(r->a, "has more than %d rules", LIMIT_GROUP_RULES).p);
        n = 0;
    }
    struct group_rule *rules = ARENA_ARRAY(r->a, struct group_rule, n + admin_count + 1);
    for (size_t i = 0; i < n; i++) {
        r->section = value_at(map, i);
        r->where = arena_printf(r->a, "%s: map: rule %zu", outer.where, i + 1).p;
        if (r->section.kind == VALUE_DICT)
            read_rule(r, &rules[i]);
        else
            fault_hint(r, "it", "is no rule", "Write {group: staff, space: museum, role: viewer}");
    }
    for (size_t i = 0; i < admin_count; i++)
        rules[n + i] = (struct group_rule){.group = admins[i], .admin = true};
    r->section = outer.section;
    r->where = outer.where;
    p->rules = rules;
    p->rule_count = n + admin_count;
}

/* The groups that GitHub must be asked for. */
static void take_mapped(struct arena *a, struct provider *p)
{
    str *mapped = ARENA_ARRAY(a, str, p->rule_count + 1);
    for (size_t i = 0; i < p->rule_count; i++)
        mapped[i] = p->rules[i].group;
    p->github.mapped = mapped;
    p->github.mapped_count = p->rule_count;
}

/* ---- the two kinds ---- */

static void read_oidc(struct reading *r, struct provider *p)
{
    static const char *const known[] = {"issuer", "client_id", "client_secret", "label",       "name",     "scopes",
                                        "admins", "groups",    "groups_claim",  "trust_email", "internal", "ca_file",
                                        "map",    NULL};
    struct oidc_config *c = &p->oidc_config;
    c->issuer = read_text(r, "issuer", NULL);
    c->client_id = read_text(r, "client_id", NULL);
    c->client_secret = read_text(r, "client_secret", "");
    c->label = read_text(r, "label", arena_cstr(r->a, host_of(c->issuer)));
    c->name = read_text(r, "name", name_from(r->a, c->label).p);
    c->scopes = read_text(r, "scopes", "openid profile email");
    c->groups_claim = read_text(r, "groups_claim", "groups");
    c->ca_file = read_text(r, "ca_file", "");
    c->trust_email = read_bool(r, "trust_email");
    c->internal = read_bool(r, "internal");
    read_list(r, "groups", &c->groups, &c->group_count);
    read_list(r, "admins", &c->admins, &c->admin_count);
    read_map(r, p, c->admins, c->admin_count);
    c->maps_groups = p->rule_count > 0;
    if (c->issuer.n && !oidc_is_safe_url(c->issuer))
        fault(r, "issuer", "is no https:// address");
    if (str_find(c->scopes, STR("openid")) == STR_NPOS)
        fault(r, "scopes", "lacks openid");
    refuse_unknown(r, known);
    p->name = c->name;
    p->label = c->label;
    p->oidc = oidc_new(c);
}

static void read_github(struct reading *r, struct provider *p)
{
    static const char *const known[] = {"client_id", "client_secret", "label",   "groups", "admins",
                                        "url",       "api",           "ca_file", "map",    NULL};
    struct github_config *c = &p->github;
    c->client_id = read_text(r, "client_id", NULL);
    c->client_secret = read_text(r, "client_secret", NULL);
    c->label = read_text(r, "label", "GitHub");
    c->name = STR("github");
    c->ca_file = read_text(r, "ca_file", "");
    c->url = without_slash(read_text(r, "url", "https://github.com"));
    bool public = str_is(c->url, "https://github.com");
    str api = public ? STR("https://api.github.com") : ARENA_CAT(r->a, c->url, STR("/api/v3"));
    c->api = without_slash(read_text(r, "api", arena_cstr(r->a, api)));
    read_list(r, "groups", &c->groups, &c->group_count);
    read_list(r, "admins", &c->admins, &c->admin_count);
    read_map(r, p, c->admins, c->admin_count);
    take_mapped(r->a, p);
    if (!oidc_is_safe_url(c->url) || !oidc_is_safe_url(c->api))
        fault(r, "url", "is no https:// address");
    refuse_unknown(r, known);
    p->name = c->name;
    p->label = c->label;
}

/* ---- all of them ---- */

static enum status read_all(struct providers *p, struct value root, struct err *err)
{
    struct value oidc = VALUE_GET(root, "oidc"), github = VALUE_GET(root, "github");
    size_t issuers = oidc.kind == VALUE_LIST ? value_count(oidc) : oidc.kind == VALUE_DICT;
    p->items = mem_array(issuers + 1, sizeof(*p->items));
    if (!value_is_null(oidc) && oidc.kind != VALUE_LIST && oidc.kind != VALUE_DICT)
        return err_set(err, STATUS_CONFIG, "hub.yaml: oidc is a list of issuers");
    struct reading r = {.a = p->arena, .err = err};
    for (size_t i = 0; i < issuers && r.status == STATUS_OK; i++) {
        r.section = oidc.kind == VALUE_LIST ? value_at(oidc, i) : oidc;
        r.where = arena_printf(p->arena, "oidc: issuer %zu", i + 1).p;
        read_oidc(&r, &p->items[p->count++]);
        str name = p->items[i].name;
        check_name(&r, name);
        for (size_t j = 0; j < i; j++)
            if (str_eq(p->items[j].name, name))
                fault(&r, "name", "is that of another issuer");
        if (str_is(name, "github"))
            fault(&r, "name", "cannot be github");
    }
    if (!value_is_null(github) && r.status == STATUS_OK) {
        r.section = github;
        r.where = "github";
        read_github(&r, &p->items[p->count++]);
    }
    return r.status;
}

enum status providers_new(struct value root, struct providers **ret, struct err *err)
{
    struct providers *p = MEM_NEW(struct providers);
    struct err local = ERR_INIT;
    p->arena = arena_new(0);
    enum status st = read_all(p, value_copy(p->arena, root), err ? err : &local);
    if (st == STATUS_OK)
        *ret = p;
    else
        providers_free(p);
    return st;
}

void providers_free(struct providers *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        oidc_free(p->items[i].oidc);
    free(p->items);
    arena_free(p->arena);
    free(p);
}

size_t providers_count(const struct providers *p)
{
    return p->count;
}

const struct provider *providers_at(const struct providers *p, size_t i)
{
    return &p->items[i];
}

const struct provider *providers_find(const struct providers *p, str name)
{
    for (size_t i = 0; i < p->count; i++)
        if (str_eq(p->items[i].name, name))
            return &p->items[i];
    return NULL;
}

enum status provider_start(const struct provider *p, struct arena *a, const struct oidc_try *t, str *ret_url,
                           struct err *err)
{
    if (p->oidc)
        return oidc_start(p->oidc, a, t, ret_url, err);
    *ret_url = github_start(&p->github, a, t);
    return STATUS_OK;
}

enum status provider_finish(const struct provider *p, struct arena *a, const struct oidc_try *t, str code, str issuer,
                            struct identity_person *ret, str *ret_id_token, struct err *err)
{
    if (p->oidc)
        return oidc_finish(p->oidc, a, t, code, issuer, ret, ret_id_token, err);
    *ret_id_token = (str){0};
    return github_finish(&p->github, a, t, code, ret, err);
}

str provider_issuer(const struct provider *p)
{
    return p->oidc ? p->oidc_config.issuer : p->github.url;
}

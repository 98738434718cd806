/* SPDX-License-Identifier: Apache-2.0 */
/* permit — rules, levels and restrictions.
 *
 * A verdict walks only the rules that can touch the resource asked for (three configuration dicts), so it costs a few
 * look-ups; permit_rules() lists all of them for the debug pages and uses the same collector.
 *
 * In a space, the hub's verdict comes first and is final where it is no; where it is yes, it is one more rule for
 * everything, which narrower rules of the configuration, and denials of the same level, still beat.
 *
 * Restriction gate: when an allow block of a wider level refuses a restricted actor, that refusal is repeated at the
 * exact resources the restrictions name; otherwise a narrower allow could hand a token more than its owner meant. */
#include "site/permit.h"

const struct action_row action_rows[ACTION_COUNT] = {
#define X(id, name, abbr, level, requires, allowed, role, description)                                                 \
    [ACTION_##id] = {name, abbr, ACTION_LEVEL_##level, ACTION_##requires, allowed, ROLE_##role, description},
#include "site/tbl/actions.h"
#undef X
};

enum action action_find(str name)
{
    for (int i = 0; i < ACTION_COUNT; i++)
        if (str_is(name, action_rows[i].name) || str_is(name, action_rows[i].abbr))
            return (enum action)i;
    return ACTION_NONE;
}

/* ---- members of a space ---- */

const char *const role_names[] = {"none", "viewer", "editor", "owner"};

enum role role_find(str name)
{
    for (int r = ROLE_VIEWER; r <= ROLE_OWNER; r++)
        if (str_is(name, role_names[r]))
            return (enum role)r;
    return ROLE_NONE;
}

enum role permit_role(const struct permit_hub *hub, struct value actor)
{
    struct value id = VALUE_GET(actor, "id");
    return hub && value_is_text(id) ? role_find(value_get_text(value_get(hub->members, id.s), STR("role"))) : ROLE_NONE;
}

/* Does the hub let this actor do it anywhere at all? */
static bool below_ceiling(const struct permit_hub *hub, struct value actor, enum action a)
{
    if (!hub)
        return true;
    enum role role = permit_role(hub, actor);
    if (role == ROLE_NONE && hub->is_public)
        role = ROLE_VIEWER;
    return role >= action_rows[a].least_role;
}

static bool list_has(struct value list, struct value item)
{
    if (list.kind != VALUE_LIST)
        return value_equal(list, item);
    for (size_t i = 0; i < list.list->count; i++)
        if (value_equal(list.list->items[i], item))
            return true;
    return false;
}

static bool lists_meet(struct value a, struct value b)
{
    if (a.kind != VALUE_LIST)
        return list_has(b, a);
    for (size_t i = 0; i < a.list->count; i++)
        if (list_has(b, a.list->items[i]))
            return true;
    return false;
}

bool permit_matches_allow(struct value actor, struct value allow)
{
    if (allow.kind == VALUE_BOOL)
        return allow.b;
    if (allow.kind == VALUE_INT)
        return allow.i == 1;
    if (value_is_null(allow))
        return true;
    if (allow.kind != VALUE_DICT)
        return false;
    if (value_is_null(actor)) {
        struct value u = VALUE_GET(allow, "unauthenticated");
        return u.kind == VALUE_BOOL && u.b;
    }
    for (size_t i = 0; i < allow.dict->count; i++) {
        const struct value_entry *e = &allow.dict->entries[i];
        struct value have = value_get(actor, e->key);
        if (value_is_text(e->value) && str_is(e->value.s, "*") && have.kind != VALUE_UNDEFINED)
            return true;
        if (!value_is_null(have) && lists_meet(have, e->value))
            return true;
    }
    return false;
}

static bool names_action(struct value list, enum action a)
{
    if (list.kind != VALUE_LIST)
        return false;
    return list_has(list, value_cstr(action_rows[a].name)) || list_has(list, value_cstr(action_rows[a].abbr));
}

static struct value restrictions_of(struct value actor)
{
    struct value r = VALUE_GET(actor, "_r");
    return r.kind == VALUE_NONE ? VALUE_UNDEF : r;
}

bool permit_within_restrictions(struct value actor, enum action a, str parent, str child)
{
    struct value r = restrictions_of(actor);
    if (r.kind == VALUE_UNDEFINED)
        return true;
    if (names_action(VALUE_GET(r, "a"), a))
        return true;
    if (parent.n && names_action(value_get(VALUE_GET(r, "d"), parent), a))
        return true;
    return parent.n && child.n && names_action(value_get(value_get(VALUE_GET(r, "r"), parent), child), a);
}

/* ---- collecting rules ------------------------------------------------------------------------------------------ */

struct collector {
    const struct permit_policy *policy;
    struct value actor;
    enum action action;
    struct arena *arena;
    struct permit_rule *rules;
    size_t count, cap;
    struct permit_rule fixed[24]; /* a verdict needs no arena */
};

static void add(struct collector *c, str parent, str child, bool allow, const char *reason)
{
    if (c->count == c->cap) {
        if (!c->arena)
            return; /* cannot happen for a verdict: its rules are counted in `fixed` */
        c->rules = arena_grow(c->arena, c->rules, c->cap * sizeof(*c->rules), c->cap * 2 * sizeof(*c->rules));
        c->cap *= 2;
    }
    c->rules[c->count++] = (struct permit_rule){parent, child, allow, reason};
}

static void add_permissions(struct collector *c, str parent, str child, struct value level)
{
    struct value block = value_get(VALUE_GET(level, "permissions"), str_of(action_rows[c->action].name));
    if (!value_is_null(block)) {
        bool ok = permit_matches_allow(c->actor, block);
        add(c, parent, child, ok, ok ? "config allow permissions" : "config deny permissions");
    }
}

/* Is the level in reach of the restrictions at all? Datasette skips allow blocks that are not. */
static bool restrictions_reach(struct value actor, enum action a, str parent, str child)
{
    struct value r = restrictions_of(actor);
    if (r.kind == VALUE_UNDEFINED || permit_within_restrictions(actor, a, parent, child))
        return true;
    if (child.n)
        return false;
    struct value by_db = VALUE_GET(r, "r"), dbs = VALUE_GET(r, "d");
    for (size_t i = 0; by_db.kind == VALUE_DICT && i < by_db.dict->count; i++) {
        if (parent.n && !str_eq(by_db.dict->entries[i].key, parent))
            continue;
        struct value tables = by_db.dict->entries[i].value;
        for (size_t j = 0; tables.kind == VALUE_DICT && j < tables.dict->count; j++)
            if (names_action(tables.dict->entries[j].value, a))
                return true;
    }
    for (size_t i = 0; !parent.n && dbs.kind == VALUE_DICT && i < dbs.dict->count; i++)
        if (names_action(dbs.dict->entries[i].value, a))
            return true;
    return false;
}

static void add_gate(struct collector *c, str parent)
{
    struct value r = restrictions_of(c->actor);
    if (r.kind != VALUE_DICT)
        return;
    const char *reason = "config deny (restriction gate)";
    struct value dbs = VALUE_GET(r, "d"), by_db = VALUE_GET(r, "r");
    for (size_t i = 0; !parent.n && dbs.kind == VALUE_DICT && i < dbs.dict->count; i++)
        if (names_action(dbs.dict->entries[i].value, c->action))
            add(c, dbs.dict->entries[i].key, (str){0}, false, reason);
    for (size_t i = 0; by_db.kind == VALUE_DICT && i < by_db.dict->count; i++) {
        str db = by_db.dict->entries[i].key;
        struct value tables = by_db.dict->entries[i].value;
        if (parent.n && !str_eq(db, parent))
            continue;
        for (size_t j = 0; tables.kind == VALUE_DICT && j < tables.dict->count; j++) {
            if (!names_action(tables.dict->entries[j].value, c->action))
                continue;
            if (!parent.n)
                add(c, db, (str){0}, false, reason);
            if (action_rows[c->action].level >= ACTION_LEVEL_TABLE)
                add(c, db, tables.dict->entries[j].key, false, reason);
        }
    }
}

static void add_allow(struct collector *c, str parent, str child, struct value block)
{
    if (value_is_null(block) || !restrictions_reach(c->actor, c->action, parent, child))
        return;
    bool ok = permit_matches_allow(c->actor, block);
    add(c, parent, child, ok, ok ? "config allow block" : "config deny block");
    if (!ok && !child.n)
        add_gate(c, parent);
}

static struct value allow_key(struct value level, enum action a)
{
    return a == ACTION_EXECUTE_SQL ? VALUE_GET(level, "allow_sql") : VALUE_GET(level, "allow");
}

/* tables.T.allow_write: who may insert, change and delete rows. true means whoever is signed in: anonymous visitors
 * write only where an allow block says {"unauthenticated": true}. */
static void add_allow_write(struct collector *c, str db, str child, struct value block)
{
    bool rows = c->action == ACTION_INSERT_ROW || c->action == ACTION_UPDATE_ROW || c->action == ACTION_DELETE_ROW;
    if (!rows || value_is_null(block))
        return;
    bool ok = block.kind == VALUE_BOOL ? block.b && !value_is_null(c->actor) : permit_matches_allow(c->actor, block);
    add(c, db, child, ok, ok ? "config allow_write" : "config deny allow_write");
}

static void collect_child(struct collector *c, str db, str child, struct value level, enum action own)
{
    add_permissions(c, db, child, level);
    add_allow_write(c, db, child, VALUE_GET(level, "allow_write"));
    if (c->action == own)
        add_allow(c, db, child, VALUE_GET(level, "allow"));
}

static bool has_allow_block(enum action a, bool database)
{
    return a == ACTION_VIEW_DATABASE || a == ACTION_VIEW_TABLE || a == ACTION_VIEW_QUERY || a == ACTION_EXECUTE_SQL ||
           (!database && a == ACTION_VIEW_INSTANCE);
}

static void collect_database(struct collector *c, str db, struct value level)
{
    add_permissions(c, db, (str){0}, level);
    if (has_allow_block(c->action, true))
        add_allow(c, db, (str){0}, allow_key(level, c->action));
}

static void collect_global(struct collector *c)
{
    const struct permit_policy *p = c->policy;
    struct value root = p->config->root;
    add_permissions(c, (str){0}, (str){0}, root);
    if (has_allow_block(c->action, false))
        add_allow(c, (str){0}, (str){0}, allow_key(root, c->action));
    if (!p->default_deny && action_rows[c->action].allowed_by_default)
        add(c, (str){0}, (str){0}, true, "default allow");
    if (c->action == ACTION_EXECUTE_SQL && !p->config->settings.default_allow_sql)
        add(c, (str){0}, (str){0}, false, "default_allow_sql is false");
    struct value id = VALUE_GET(c->actor, "id");
    if (p->root_enabled && value_is_text(id) && str_is(id.s, "root"))
        add(c, (str){0}, (str){0}, true, "root user");
    if (p->hub && permit_role(p->hub, c->actor) >= action_rows[c->action].least_role)
        add(c, (str){0}, (str){0}, true, "role in this space");
    if (!below_ceiling(p->hub, c->actor, c->action))
        add(c, (str){0}, (str){0}, false, "not by the role in this space");
}

size_t permit_rules(const struct permit_policy *p, struct value actor, enum action a, struct arena *arena,
                    struct permit_rule **ret_rules)
{
    struct collector c = {.policy = p, .actor = actor, .action = a, .arena = arena, .cap = 32};
    c.rules = ARENA_ARRAY(arena, struct permit_rule, c.cap);
    struct value dbs = VALUE_GET(p->config->root, "databases");
    for (size_t i = 0; dbs.kind == VALUE_DICT && i < dbs.dict->count; i++) {
        str db = dbs.dict->entries[i].key;
        struct value level = dbs.dict->entries[i].value;
        struct value tables = VALUE_GET(level, "tables"), queries = VALUE_GET(level, "queries");
        for (size_t j = 0; tables.kind == VALUE_DICT && j < tables.dict->count; j++)
            collect_child(&c, db, tables.dict->entries[j].key, tables.dict->entries[j].value, ACTION_VIEW_TABLE);
        for (size_t j = 0; queries.kind == VALUE_DICT && j < queries.dict->count; j++)
            collect_child(&c, db, queries.dict->entries[j].key, queries.dict->entries[j].value, ACTION_VIEW_QUERY);
        collect_database(&c, db, level);
    }
    collect_global(&c);
    *ret_rules = c.rules;
    return c.count;
}

/* ---- verdicts ------------------------------------------------------------------------------------------------- */

int permit_rule_level(const struct permit_rule *r, str parent, str child)
{
    if (!r->parent.n)
        return 0;
    if (!str_eq(r->parent, parent))
        return -1;
    if (!r->child.n)
        return 1;
    return str_eq(r->child, child) ? 2 : -1;
}

bool permit_resolve(const struct permit_rule *rules, size_t count, str parent, str child)
{
    int best = -1;
    bool verdict = false;
    for (size_t i = 0; i < count; i++) {
        int level = permit_rule_level(&rules[i], parent, child);
        if (level < 0 || level < best)
            continue;
        if (level > best)
            verdict = rules[i].allow;
        else if (!rules[i].allow)
            verdict = false;
        best = level;
    }
    return verdict;
}

static void collect_resource(struct collector *c, struct value db, str parent, str child)
{
    enum action_level level = action_rows[c->action].level;
    if (child.n && level == ACTION_LEVEL_TABLE)
        collect_child(c, parent, child, value_get(VALUE_GET(db, "tables"), child), ACTION_VIEW_TABLE);
    if (child.n && level == ACTION_LEVEL_QUERY)
        collect_child(c, parent, child, value_get(VALUE_GET(db, "queries"), child), ACTION_VIEW_QUERY);
}

bool permit_has_narrower(const struct permit_policy *p, struct value actor, enum action a, str parent, str child,
                         int level)
{
    struct collector c = {.policy = p, .actor = actor, .action = a, .cap = ARRAY_LEN(c.fixed)};
    c.rules = c.fixed;
    if (level >= 2 || !child.n || !parent.n)
        return false;
    collect_resource(&c, config_database(p->config, parent), parent, child);
    return c.count > 0;
}

bool permit_allowed(const struct permit_policy *p, struct value actor, enum action a, str parent, str child)
{
    if (a == ACTION_NONE)
        return true;
    if (!permit_within_restrictions(actor, a, parent, child) || !below_ceiling(p->hub, actor, a))
        return false;
    struct collector c = {.policy = p, .actor = actor, .action = a, .cap = ARRAY_LEN(c.fixed)};
    c.rules = c.fixed;
    bool restricted = restrictions_of(actor).kind == VALUE_DICT;
    struct arena *scratch = NULL;
    if (restricted) { /* the gate may add many rules */
        scratch = arena_new(1u << 20);
        c.arena = scratch;
        c.cap = 64;
        c.rules = ARENA_ARRAY(scratch, struct permit_rule, c.cap);
    }
    struct value db = parent.n ? config_database(p->config, parent) : VALUE_UNDEF;
    collect_resource(&c, db, parent, child);
    if (parent.n)
        collect_database(&c, parent, db);
    collect_global(&c);
    bool verdict = permit_resolve(c.rules, c.count, parent, child);
    arena_free(scratch);
    return verdict && permit_allowed(p, actor, action_rows[a].also_requires, parent, (str){0});
}

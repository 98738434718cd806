/* SPDX-License-Identifier: Apache-2.0 */
/* explain — which rules matched, which of them decided, and what restrictions and required actions made of it.
 *
 * The verdict itself is permit_allowed()'s; this file only tells how it came about, with the same collector of rules.
 */
#include "site/view/explain.h"

#include <stdlib.h>

#include "site/queries.h"
#include "site/share/shares.h"
#include "site/view/resources.h"

/* ---- rules ---- */

static str scope_suffix(struct arena *a, const struct permit_rule *r)
{
    if (!r->parent.n)
        return STR("");
    return r->child.n ? ARENA_CAT(a, STR(" on "), r->parent, STR("/"), r->child) : ARENA_CAT(a, STR(" on "), r->parent);
}

static str allow_block_reason(struct arena *a, enum action action, const struct permit_rule *r)
{
    str verdict = r->allow ? STR("config allow ") : STR("config deny ");
    if (action == ACTION_EXECUTE_SQL)
        return r->parent.n ? ARENA_CAT(a, verdict, STR("allow_sql for "), r->parent)
                           : ARENA_CAT(a, verdict, STR("allow_sql"));
    return ARENA_CAT(a, verdict, STR("allow for "), str_of(action_rows[action].name), scope_suffix(a, r));
}

static void describe(struct arena *a, enum action action, struct explained_rule *e)
{
    const struct permit_rule *r = &e->rule;
    str why = str_of(r->reason), name = str_of(action_rows[action].name);
    e->reason = why;
    e->rank = 3;
    if (str_is(why, "root user")) {
        e->rank = 0;
    } else if (str_is(why, "default_allow_sql is false")) {
        e->rank = 1;
    } else if (str_is(why, "default allow")) {
        e->rank = 2;
        e->reason = ARENA_CAT(a, STR("default allow for "), name);
    } else if (str_ends(why, STR(" block"))) {
        e->reason = allow_block_reason(a, action, r);
    } else if (str_ends(why, STR(" permissions"))) {
        e->reason = ARENA_CAT(a, why, STR(" for "), name, scope_suffix(a, r));
    } else if (str_ends(why, STR("(restriction gate)"))) {
        e->reason = ARENA_CAT(a, STR("config deny allow for "), name, STR(" (restriction gate)"));
    }
}

static int by_rank(const void *x, const void *y)
{
    const struct explained_rule *a = x, *b = y;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

size_t explain_rules(struct request *rq, struct value actor, enum action a, struct explained_rule **ret)
{
    struct permit_rule *rules;
    size_t n = permit_rules(&rq->policy, actor, a, rq->arena, &rules);
    struct explained_rule *out = ARENA_ARRAY(rq->arena, struct explained_rule, n + 1);
    for (size_t i = 0; i < n; i++) {
        out[i].rule = rules[i];
        out[i].at = i;
        describe(rq->arena, a, &out[i]);
    }
    qsort(out, n, sizeof *out, by_rank);
    *ret = out;
    return n;
}

static int deciding_level(const struct explained_rule *rules, size_t count, str parent, str child)
{
    int best = -1;
    for (size_t i = 0; i < count; i++)
        best = MAX(best, permit_rule_level(&rules[i].rule, parent, child));
    return best;
}

struct value explain_allow_reasons(struct arena *a, const struct explained_rule *rules, size_t count, str parent,
                                   str child)
{
    struct value list = value_list(a);
    int level = deciding_level(rules, count, parent, child);
    for (size_t i = 0; i < count; i++)
        if (rules[i].rule.allow && permit_rule_level(&rules[i].rule, parent, child) == level)
            value_push(list, value_str(ARENA_CAT(a, STR(EXPLAIN_SOURCE ": "), rules[i].reason)));
    return list;
}

/* ---- one action ---- */

static const char *const scopes[] = {"global", "parent", "resource"};

struct matched {
    const struct explained_rule *rule;
    int level;
};

static int as_shown(const void *x, const void *y)
{
    const struct matched *a = x, *b = y;
    if (a->level != b->level)
        return a->level > b->level ? -1 : 1;
    if (a->rule->rule.allow != b->rule->rule.allow)
        return a->rule->rule.allow ? 1 : -1;
    return str_cmp(a->rule->reason, b->rule->reason);
}

static struct value rule_dict(struct arena *a, const struct matched *m, int winning, bool allowed)
{
    struct value d = value_dict(a);
    bool allow = m->rule->rule.allow;
    const char *ignored = NULL;
    if (m->level != winning)
        ignored = "A more specific rule matched";
    else if (!allowed && allow)
        ignored = "A deny rule matched at the same scope";
    VALUE_SET(d, "scope", value_cstr(scopes[m->level]));
    VALUE_SET(d, "effect", value_cstr(allow ? "allow" : "deny"));
    VALUE_SET(d, "source", value_cstr(EXPLAIN_SOURCE));
    VALUE_SET(d, "reason", value_str(m->rule->reason));
    VALUE_SET(d, "decisive", value_bool(!ignored));
    VALUE_SET(d, "ignored_because", value_cstr(ignored));
    return d;
}

static void add_restriction(struct value list, struct arena *a, bool allowed, str reason)
{
    struct value d = value_dict(a);
    if (!reason.n)
        reason = allowed ? STR("Resource is included in this restriction allowlist")
                         : STR("Resource is not included in this restriction allowlist");
    VALUE_SET(d, "source", value_cstr(EXPLAIN_SOURCE));
    VALUE_SET(d, "allowed", value_bool(allowed));
    VALUE_SET(d, "reason", value_str(reason));
    value_push(list, d);
}

static bool names_action(struct value list, enum action a)
{
    for (size_t i = 0; list.kind == VALUE_LIST && i < value_count(list); i++) {
        struct value v = value_at(list, i);
        if (value_is_text(v) && (str_is(v.s, action_rows[a].name) || str_is(v.s, action_rows[a].abbr)))
            return true;
    }
    return false;
}

/* Do the restrictions include the action on anything at all? */
static bool named_anywhere(struct value restrictions, enum action a)
{
    struct value dbs = VALUE_GET(restrictions, "d"), resources = VALUE_GET(restrictions, "r");
    for (size_t i = 0; dbs.kind == VALUE_DICT && i < dbs.dict->count; i++)
        if (names_action(dbs.dict->entries[i].value, a))
            return true;
    for (size_t i = 0; resources.kind == VALUE_DICT && i < resources.dict->count; i++) {
        struct value children = resources.dict->entries[i].value;
        for (size_t k = 0; children.kind == VALUE_DICT && k < children.dict->count; k++)
            if (names_action(children.dict->entries[k].value, a))
                return true;
    }
    return false;
}

static bool is_query_action(enum action a)
{
    return action_rows[a].level == ACTION_LEVEL_QUERY;
}

/* Stored queries must exist; the actor's own restrictions must include the resource. */
static struct value restrictions_of(struct request *rq, struct value actor, enum action a, str parent, str child,
                                    bool *ret_allowed)
{
    struct arena *arena = rq->arena;
    struct value list = value_list(arena), own = VALUE_GET(actor, "_r");
    bool exists = !is_query_action(a) || (parent.n && child.n && queries_exists(rq, parent, child));
    bool within = permit_within_restrictions(actor, a, parent, child);
    if (is_query_action(a))
        add_restriction(list, arena, exists, (str){0});
    if (!value_is_null(own) && !names_action(VALUE_GET(own, "a"), a)) {
        str reason = {0};
        if (!named_anywhere(own, a))
            reason =
                ARENA_CAT(arena, STR("actor restrictions: "), str_of(action_rows[a].name), STR(" not in allowlist"));
        add_restriction(list, arena, within, reason);
    }
    *ret_allowed = exists && within;
    return list;
}

static str summary_of(struct arena *a, enum action action, const char *denied_requirement, int winning, bool rules,
                      bool restrictions)
{
    if (denied_requirement)
        return arena_printf(a, "Denied because %s also requires %s, which was denied.", action_rows[action].name,
                            denied_requirement);
    if (winning < 0)
        return STR("Denied because no permission rule matched this actor and resource.");
    if (!rules)
        return arena_printf(a,
                            "Denied by a %s-level rule. Deny rules take precedence over allow rules at the same scope.",
                            scopes[winning]);
    if (!restrictions)
        return STR("Denied because the resource is not included in the actor's restrictions.");
    return arena_printf(a, "Allowed by the matching %s-level rule.", scopes[winning]);
}

static struct value explain_action(struct request *rq, struct value actor, enum action a, str parent, str child)
{
    struct arena *arena = rq->arena;
    struct explained_rule *rules;
    size_t n = explain_rules(rq, actor, a, &rules), count = 0;
    int winning = deciding_level(rules, n, parent, child);
    struct matched *matched = ARENA_ARRAY(arena, struct matched, n + 1);
    bool rule_allowed = winning >= 0, restriction_allowed;
    for (size_t i = 0; i < n; i++) {
        int level = permit_rule_level(&rules[i].rule, parent, child);
        if (level < 0)
            continue;
        matched[count++] = (struct matched){&rules[i], level};
        if (level == winning && !rules[i].rule.allow)
            rule_allowed = false;
    }
    qsort(matched, count, sizeof *matched, as_shown);
    struct value d = value_dict(arena), shown = value_list(arena), required = value_list(arena);
    for (size_t i = 0; i < count; i++)
        value_push(shown, rule_dict(arena, &matched[i], winning, rule_allowed));
    struct value restrictions = restrictions_of(rq, actor, a, parent, child, &restriction_allowed);
    enum action also = action_rows[a].also_requires;
    const char *denied = NULL;
    if (also != ACTION_NONE) {
        struct value r = explain_action(rq, actor, also, parent, child);
        value_push(required, r);
        if (!value_truth(VALUE_GET(r, "allowed")))
            denied = action_rows[also].name;
    }
    VALUE_SET(d, "action", value_cstr(action_rows[a].name));
    VALUE_SET(d, "rule_allowed", value_bool(rule_allowed));
    VALUE_SET(d, "restriction_allowed", value_bool(restriction_allowed));
    VALUE_SET(d, "winning_scope", winning >= 0 ? value_cstr(scopes[winning]) : VALUE_NULL);
    VALUE_SET(d, "matched_rules", shown);
    VALUE_SET(d, "restrictions", restrictions);
    VALUE_SET(d, "required_actions", required);
    VALUE_SET(d, "allowed", value_bool(rule_allowed && restriction_allowed && !denied));
    VALUE_SET(d, "summary", value_str(summary_of(arena, a, denied, winning, rule_allowed, restriction_allowed)));
    return d;
}

/* What the rules refuse may have been shared. */
static void explain_share(struct request *rq, struct value actor, enum action a, str parent, str child,
                          struct value explanation)
{
    struct share_hit hit;
    if (value_truth(VALUE_GET(explanation, "allowed")) ||
        shares_level(rq->site->shares, actor, NULL, 0, a, parent, child, &hit) < 0)
        return;
    VALUE_SET(explanation, "allowed", value_bool(true));
    VALUE_SET(explanation, "share", value_str(arena_str(rq->arena, str_of(hit.id))));
    VALUE_SET(
        explanation, "summary",
        value_str(arena_printf(rq->arena, "Allowed because it is shared with %s (share %s); the rules alone refuse it.",
                               hit.audience == SHARE_PUBLIC ? "everybody" : "this actor", hit.id)));
}

struct value explain_check(struct request *rq, struct value actor, enum action a, str parent, str child)
{
    struct arena *arena = rq->arena;
    enum action_level level = action_rows[a].level;
    str p = level >= ACTION_LEVEL_DATABASE ? parent : (str){0}, c = level >= ACTION_LEVEL_TABLE ? child : (str){0};
    bool allowed = request_allows(rq, actor, a, p, c) && (!is_query_action(a) || queries_exists(rq, p, c));
    struct value d = value_dict(arena), resource = value_dict(arena), id = VALUE_GET(actor, "id");
    VALUE_SET(resource, "parent", text_or_none(parent));
    VALUE_SET(resource, "child", text_or_none(child));
    VALUE_SET(resource, "path", value_str(resource_path(arena, parent, child)));
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "unstable", value_cstr(UNSTABLE_API));
    VALUE_SET(d, "action", value_cstr(action_rows[a].name));
    VALUE_SET(d, "allowed", value_bool(allowed));
    VALUE_SET(d, "actor", actor);
    VALUE_SET(d, "resource", resource);
    VALUE_SET(d, "explanation", explain_action(rq, actor, a, parent, child));
    if (allowed)
        explain_share(rq, actor, a, p, c, VALUE_GET(d, "explanation"));
    if (id.kind != VALUE_UNDEFINED)
        VALUE_SET(d, "actor_id", id);
    return d;
}

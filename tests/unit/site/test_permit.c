/* SPDX-License-Identifier: Apache-2.0 */
/* Allow blocks, levels of rules, restrictions of tokens. */
#include "base/arena.h"
#include "site/permit.h"
#include "test.h"

static struct value json(struct arena *a, const char *text)
{
    struct err err = {0};
    struct value v = VALUE_UNDEF;
    CHECK(value_from_json(a, str_of(text), &v, &err) == STATUS_OK);
    return v;
}

static bool allows(struct arena *a, const char *allow, const char *actor)
{
    return permit_matches_allow(json(a, actor), json(a, allow));
}

TEST(allow_blocks) /* the examples of Datasette's documentation */
{
    struct arena *a = arena_new(0);
    CHECK(allows(a, "{\"id\": \"root\"}", "{\"id\": \"root\"}"));
    CHECK(!allows(a, "{\"id\": \"root\"}", "{\"id\": \"trevor\"}"));
    CHECK(!allows(a, "{\"id\": \"root\"}", "null"));
    CHECK(allows(a, "{\"roles\": [\"staff\", \"ops\"]}", "{\"roles\": [\"x\", \"ops\"]}"));
    CHECK(!allows(a, "{\"roles\": [\"staff\"]}", "{\"roles\": [\"dog\"]}"));
    CHECK(allows(a, "{\"id\": \"*\"}", "{\"id\": \"anyone\"}"));
    CHECK(!allows(a, "{\"id\": \"*\"}", "{\"name\": \"anyone\"}"));
    CHECK(allows(a, "{\"id\": \"x\", \"role\": \"staff\"}", "{\"role\": \"staff\"}"));
    CHECK(allows(a, "{\"unauthenticated\": true}", "null"));
    CHECK(!allows(a, "{\"unauthenticated\": true}", "{\"id\": \"x\"}"));
    CHECK(!allows(a, "{}", "{\"id\": \"root\"}"));
    CHECK(allows(a, "true", "null"));
    CHECK(!allows(a, "false", "{\"id\": \"root\"}"));
    arena_free(a);
}

TEST(names_and_abbreviations)
{
    for (int i = 0; i < ACTION_COUNT; i++) {
        CHECK_INT(action_find(str_of(action_rows[i].name)), i);
        if (action_rows[i].abbr && *action_rows[i].abbr)
            CHECK_INT(action_find(str_of(action_rows[i].abbr)), i);
    }
    CHECK_INT(action_find(STR("no-such-action")), ACTION_NONE);
}

TEST(narrower_rules_win_and_deny_beats_allow)
{
    const struct permit_rule rules[] = {{STR(""), STR(""), false, "all"},
                                        {STR("db"), STR(""), true, "database"},
                                        {STR("db"), STR("secret"), false, "table"}};
    CHECK(!permit_resolve(rules, 3, STR("other"), STR("t")));
    CHECK(permit_resolve(rules, 3, STR("db"), STR("t")));
    CHECK(!permit_resolve(rules, 3, STR("db"), STR("secret")));
    const struct permit_rule both[] = {{STR("db"), STR(""), true, "a"}, {STR("db"), STR(""), false, "b"}};
    CHECK(!permit_resolve(both, 2, STR("db"), STR("t")));
    CHECK(!permit_resolve(rules, 0, STR("db"), STR("t")));
}

TEST(defaults_root_and_default_deny)
{
    struct arena *a = arena_new(0);
    struct config c = {.root = value_dict(a), .metadata = value_dict(a)};
    struct permit_policy open = {.config = &c}, closed = {.config = &c, .default_deny = true};
    struct permit_policy rooted = {.config = &c, .root_enabled = true};
    struct value root = json(a, "{\"id\": \"root\"}");
    enum action view = action_find(STR("view-table")), insert = action_find(STR("insert-row"));
    CHECK(permit_allowed(&open, VALUE_NULL, view, STR("db"), STR("t")));
    CHECK(!permit_allowed(&closed, VALUE_NULL, view, STR("db"), STR("t")));
    CHECK(!permit_allowed(&open, root, insert, STR("db"), STR("t")));
    CHECK(permit_allowed(&rooted, root, insert, STR("db"), STR("t")));
    CHECK(!permit_allowed(&rooted, VALUE_NULL, insert, STR("db"), STR("t")));
    arena_free(a);
}

TEST(a_table_that_is_not_for_all)
{
    struct arena *a = arena_new(0);
    struct config c = {.metadata = value_dict(a)};
    c.root = json(a, "{\"databases\": {\"db\": {\"tables\": {\"t\": {\"allow\": {\"id\": \"ann\"}}}}}}");
    struct permit_policy p = {.config = &c};
    enum action view = action_find(STR("view-table"));
    CHECK(permit_allowed(&p, json(a, "{\"id\": \"ann\"}"), view, STR("db"), STR("t")));
    CHECK(!permit_allowed(&p, json(a, "{\"id\": \"bob\"}"), view, STR("db"), STR("t")));
    CHECK(!permit_allowed(&p, VALUE_NULL, view, STR("db"), STR("t")));
    CHECK(permit_allowed(&p, VALUE_NULL, view, STR("db"), STR("other")));
    arena_free(a);
}

TEST(restrictions_only_narrow)
{
    struct arena *a = arena_new(0);
    enum action view = action_find(STR("view-table")), insert = action_find(STR("insert-row"));
    struct value all = json(a, "{\"id\": \"x\", \"_r\": {\"a\": [\"vt\"]}}");
    struct value one = json(a, "{\"id\": \"x\", \"_r\": {\"r\": {\"db\": {\"t\": [\"vt\"]}}}}");
    CHECK(permit_within_restrictions(all, view, STR("db"), STR("t")));
    CHECK(!permit_within_restrictions(all, insert, STR("db"), STR("t")));
    CHECK(permit_within_restrictions(one, view, STR("db"), STR("t")));
    CHECK(!permit_within_restrictions(one, view, STR("db"), STR("u")));
    CHECK(permit_within_restrictions(json(a, "{\"id\": \"x\"}"), insert, STR("db"), STR("t")));
    arena_free(a);
}

/* What the hub says is the ceiling; what the configuration says narrows it. */
TEST(roles_of_a_space)
{
    struct arena *a = arena_new(0);
    struct config c = {.root = value_dict(a), .metadata = value_dict(a)}, open = {.metadata = value_dict(a)};
    struct permit_hub hub = {.members = json(a, "{\"u1\": {\"role\": \"owner\"}, \"u2\": {\"role\": \"editor\"},"
                                                " \"u3\": {\"role\": \"viewer\"}, \"u4\": {\"role\": \"emperor\"}}")};
    struct permit_policy p = {.config = &c, .hub = &hub}, q = {.config = &open, .hub = &hub, .root_enabled = true};
    static const char *const ids[] = {"u1", "u2", "u3", "u4", "root", NULL};
    static const enum role roles[] = {ROLE_OWNER, ROLE_EDITOR, ROLE_VIEWER, ROLE_NONE, ROLE_NONE, ROLE_NONE};
    settings_default(&c.settings);
    settings_default(&open.settings);
    open.root = json(a, "{\"permissions\": {\"view-instance\": {\"id\": [\"u1\", \"u4\"]}, \"drop-table\": true},"
                        " \"databases\": {\"db\": {\"tables\": {\"t\": {\"allow\": {\"id\": [\"u2\", \"u4\"]},"
                        " \"allow_write\": true, \"permissions\": {\"insert-row\": {\"unauthenticated\": true}}}}}}}");
    for (int public = 0; public < 2; public ++) {
        hub.is_public = public;
        for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
            struct value actor = ids[i] ? value_dict(a) : VALUE_NULL;
            if (ids[i])
                VALUE_SET(actor, "id", value_cstr(ids[i]));
            CHECK_INT(permit_role(&hub, actor), roles[i]);
            for (int act = 0; act < ACTION_COUNT; act++) {
                const struct action_row *row = &action_rows[act];
                bool reads = public && row->least_role == ROLE_VIEWER;
                bool wanted = roles[i] >= row->least_role || reads;
                CHECK_INT(permit_allowed(&p, actor, (enum action)act, STR("db"), STR("t")), wanted);
                if (permit_allowed(&q, actor, (enum action)act, STR("db"), STR("t")))
                    CHECK(wanted); /* whatever the configuration says */
            }
            bool sees = permit_allowed(&q, actor, ACTION_VIEW_TABLE, STR("db"), STR("t"));
            CHECK_INT(sees, roles[i] == ROLE_EDITOR || (public && ids[i] && strcmp(ids[i], "u4") == 0));
        }
    }
    CHECK_INT(permit_role(NULL, json(a, "{\"id\": \"u1\"}")), ROLE_NONE);
    CHECK_INT(permit_role(&hub, json(a, "{\"id\": [\"u1\"]}")), ROLE_NONE);
    CHECK_INT(role_find(STR("Owner")), ROLE_NONE);
    struct value bound = json(a, "{\"id\": \"u1\", \"_r\": {\"a\": [\"vt\"]}}");
    CHECK(permit_allowed(&p, bound, ACTION_VIEW_TABLE, STR("db"), STR("t")));
    CHECK(!permit_allowed(&p, bound, ACTION_INSERT_ROW, STR("db"), STR("t")));
    arena_free(a);
}

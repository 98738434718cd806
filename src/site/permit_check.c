/* SPDX-License-Identifier: Apache-2.0 */
/* permit_check — permissions of the configuration before anybody is judged by them: what is of a wrong type would deny
 * everybody without a word, so it stops the start; what names an action that nobody knows is told. */
#include "base/log.h"
#include "site/permit.h"

static enum status check_block(str where, const char *key, struct value block, struct err *err)
{
    bool ok = block.kind == VALUE_BOOL || block.kind == VALUE_NONE || block.kind == VALUE_DICT ||
              block.kind == VALUE_UNDEFINED || (block.kind == VALUE_INT && (block.i == 0 || block.i == 1));
    if (ok)
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "%.*s%s is no allow block", STR_ARG(where), key);
    return err_hint(err, "Write true, false, or an object such as {\"id\": \"ann\"} or {\"id\": [\"ann\", \"bob\"]}.");
}

/* The known action with the longest common beginning, to be named as a suggestion. */
static const char *nearest_action(str name)
{
    const char *best = action_rows[0].name;
    size_t best_n = 0;
    for (int i = 0; i < ACTION_COUNT; i++) {
        size_t n = 0;
        while (n < name.n && action_rows[i].name[n] && name.p[n] == action_rows[i].name[n])
            n++;
        if (n > best_n) {
            best_n = n;
            best = action_rows[i].name;
        }
    }
    return best;
}

static enum status check_permissions(struct arena *a, str where, struct value level, struct err *err)
{
    struct value permissions = VALUE_GET(level, "permissions");
    if (permissions.kind == VALUE_UNDEFINED || permissions.kind == VALUE_NONE)
        return STATUS_OK;
    if (permissions.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "%.*spermissions must hold an object: action -> allow block",
                       STR_ARG(where));
    str prefix = ARENA_CAT(a, where, STR("permissions."));
    for (size_t i = 0; i < permissions.dict->count; i++) {
        const struct value_entry *e = &permissions.dict->entries[i];
        enum action action = action_find(e->key);
        if (action == ACTION_NONE || !str_is(e->key, action_rows[action].name))
            log_line(LOG_WARN, "config", "%.*s%.*s is no action and has no effect; did you mean %s?", STR_ARG(prefix),
                     STR_ARG(e->key), nearest_action(e->key));
        enum status st = check_block(prefix, arena_cstr(a, e->key), e->value, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

static enum status check_level(struct arena *a, str where, struct value level, bool has_allow_sql, struct err *err)
{
    if (level.kind != VALUE_DICT)
        return STATUS_OK;
    enum status st = check_block(where, "allow", VALUE_GET(level, "allow"), err);
    if (st == STATUS_OK && has_allow_sql)
        st = check_block(where, "allow_sql", VALUE_GET(level, "allow_sql"), err);
    return st == STATUS_OK ? check_permissions(a, where, level, err) : st;
}

static enum status check_children(struct arena *a, str where, struct value children, struct err *err)
{
    for (size_t i = 0; children.kind == VALUE_DICT && i < children.dict->count; i++) {
        const struct value_entry *e = &children.dict->entries[i];
        enum status st = check_level(a, ARENA_CAT(a, where, e->key, STR(".")), e->value, false, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

enum status permit_check(struct arena *a, const struct config *c, struct err *err)
{
    struct value dbs = VALUE_GET(c->root, "databases");
    enum status st = check_level(a, STR(""), c->root, true, err);
    for (size_t i = 0; st == STATUS_OK && dbs.kind == VALUE_DICT && i < dbs.dict->count; i++) {
        struct value db = dbs.dict->entries[i].value;
        str where = ARENA_CAT(a, STR("databases."), dbs.dict->entries[i].key, STR("."));
        st = check_level(a, where, db, true, err);
        if (st == STATUS_OK)
            st = check_children(a, ARENA_CAT(a, where, STR("tables.")), VALUE_GET(db, "tables"), err);
        if (st == STATUS_OK)
            st = check_children(a, ARENA_CAT(a, where, STR("queries.")), VALUE_GET(db, "queries"), err);
    }
    return st;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "site/kept.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/stmt.h"
#include "site/internal.h"

static const char *const option_keys[] = {
    "hide_sql",         "fragment",         "on_success_message", "on_success_message_sql", "on_success_redirect",
    "on_error_message", "on_error_redirect"};

struct picture {
    struct arena *arena;
    struct value types;   /* DICT db -> DICT table -> DICT column -> {type, config} */
    struct value queries; /* DICT db -> DICT name -> query */
};

struct kept {
    struct internal *in;
    atomic_bool read;         /* `picture` was made */
    pthread_mutex_t changing; /* one change and its new picture at a time: an older picture never replaces a newer */
    pthread_rwlock_t lock;    /* of `picture` */
    struct picture picture;
    atomic_ullong generation;
};

/* ---- the picture ---- */

static struct value within(struct arena *a, struct value dict, str key)
{
    struct value v = value_get(dict, key);
    if (v.kind == VALUE_DICT)
        return v;
    v = value_dict(a);
    value_set(dict, key, v);
    return v;
}

static struct value text_of(struct arena *a, struct stmt *s, int column)
{
    str text = stmt_column_text(s, column);
    return text.p ? value_str(arena_str(a, text)) : VALUE_NULL;
}

static struct value json_of(struct arena *a, struct stmt *s, int column, struct value otherwise)
{
    struct value v;
    str text = stmt_column_text(s, column);
    return text.p && value_from_json(a, text, &v, NULL) == STATUS_OK ? v : otherwise;
}

static enum status read_types(struct picture *p, struct conn *c, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(
        c,
        STR("SELECT database_name, resource_name, column_name, column_type, config FROM column_types ORDER BY rowid"),
        &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
        struct arena *a = p->arena;
        struct value d = value_dict(a);
        struct value table = within(a, within(a, p->types, text_of(a, s, 0).s), text_of(a, s, 1).s);
        VALUE_SET(d, "type", text_of(a, s, 3));
        VALUE_SET(d, "config", json_of(a, s, 4, VALUE_NULL));
        value_set(table, text_of(a, s, 2).s, d);
    }
    stmt_done(s);
    return st;
}

static enum status read_queries(struct picture *p, struct conn *c, struct err *err)
{
    static const char *const texts[] = {"sql", "title", "description", "description_html", "source", "owner_id"};
    static const char *const flags[] = {"is_write", "is_private", "is_trusted"};
    struct stmt *s;
    enum status st = conn_prepare_trusted(
        c,
        STR("SELECT database_name, name, sql, title, description, description_html, source, owner_id, is_write,"
            " is_private, is_trusted, options, parameters FROM queries WHERE source <> 'config' ORDER BY rowid"),
        &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
        struct arena *a = p->arena;
        struct value q = value_dict(a), options = json_of(a, s, 11, value_dict(a));
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
            value_set(q, str_of(texts[i]), text_of(a, s, (int)i + 2));
        for (size_t i = 0; i < ARRAY_LEN(flags); i++)
            value_set(q, str_of(flags[i]), value_bool(stmt_column_i64(s, (int)i + 8) != 0));
        for (size_t i = 0; i < ARRAY_LEN(option_keys); i++) {
            struct value v = value_get(options, str_of(option_keys[i]));
            value_set(q, str_of(option_keys[i]), v.kind == VALUE_UNDEFINED ? VALUE_NULL : v);
        }
        VALUE_SET(q, "hide_sql", value_bool(value_truth(VALUE_GET(q, "hide_sql"))));
        VALUE_SET(q, "parameters", json_of(a, s, 12, value_list(a)));
        value_set(within(a, p->queries, text_of(a, s, 0).s), text_of(a, s, 1).s, q);
    }
    stmt_done(s);
    return st;
}

/* Reads everything anew; queries and types are few. */
static enum status refresh(struct kept *s, struct err *err)
{
    struct picture p = {.arena = arena_new(0)};
    struct conn *c;
    p.types = value_dict(p.arena);
    p.queries = value_dict(p.arena);
    enum status st = internal_read(s->in, &c, err);
    if (st == STATUS_OK) {
        st = read_types(&p, c, err);
        if (st == STATUS_OK)
            st = read_queries(&p, c, err);
        conn_release(c);
    }
    if (st != STATUS_OK) {
        arena_free(p.arena);
        return st;
    }
    pthread_rwlock_wrlock(&s->lock);
    struct arena *old = s->picture.arena;
    s->picture = p;
    atomic_store(&s->read, true);
    atomic_fetch_add(&s->generation, 1);
    pthread_rwlock_unlock(&s->lock);
    arena_free(old);
    return STATUS_OK;
}

/* ---- changing ---- */

struct change {
    const char *sql;
    struct db_value values[13];
    size_t count;
};

static enum status change_run(struct conn *c, void *arg, struct err *err)
{
    struct change *ch = arg;
    struct stmt *s;
    enum status st = conn_prepare_trusted(c, str_of(ch->sql), &s, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; st == STATUS_OK && i < ch->count; i++)
        st = stmt_bind(s, (int)i + 1, ch->values[i], err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    return st;
}

static enum status change(struct kept *s, struct change *ch, struct err *err)
{
    pthread_mutex_lock(&s->changing);
    enum status st = internal_write(s->in, change_run, ch, err);
    if (st == STATUS_OK)
        st = refresh(s, err);
    pthread_mutex_unlock(&s->changing);
    return st;
}

static struct db_value text_value(str s)
{
    return s.p ? (struct db_value){.kind = DB_TEXT, .s = s} : (struct db_value){.kind = DB_NULL};
}

static struct db_value dict_text(struct value d, const char *key)
{
    struct value v = value_get(d, str_of(key));
    return value_is_text(v) ? text_value(v.s) : (struct db_value){.kind = DB_NULL};
}

static struct db_value dict_flag(struct value d, const char *key)
{
    return (struct db_value){.kind = DB_INT, .i = value_truth(value_get(d, str_of(key)))};
}

static struct db_value json_text(struct arena *a, struct value v)
{
    struct buf b;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    value_to_json(&b, v, VALUE_JSON_SORTED);
    str text = arena_str(a, buf_str(&b));
    buf_release(&b);
    return text_value(text);
}

enum status kept_set_column_type(struct kept *s, str db, str table, str column, str type, struct value config,
                                 struct err *err)
{
    struct arena *a = arena_new(0);
    struct change ch = {.values = {text_value(db), text_value(table), text_value(column)}, .count = 3};
    ch.sql = "DELETE FROM column_types WHERE database_name = ? AND resource_name = ? AND column_name = ?";
    if (type.n) {
        ch.sql = "INSERT OR REPLACE INTO column_types (database_name, resource_name, column_name, column_type, config)"
                 " VALUES (?, ?, ?, ?, ?)";
        ch.values[ch.count++] = text_value(type);
        ch.values[ch.count++] = value_count(config) ? json_text(a, config) : (struct db_value){.kind = DB_NULL};
    }
    enum status st = change(s, &ch, err);
    arena_free(a);
    return st;
}

static struct value options_of(struct arena *a, struct value query)
{
    struct value d = value_dict(a);
    for (size_t i = 0; i < ARRAY_LEN(option_keys); i++) {
        struct value v = value_get(query, str_of(option_keys[i]));
        if (v.kind == VALUE_BOOL ? v.b : !value_is_null(v))
            value_set(d, str_of(option_keys[i]), v);
    }
    return d;
}

enum status kept_save_query(struct kept *s, str db, str name, struct value query, bool replace, struct err *err)
{
    struct arena *a = arena_new(0);
    struct change ch = {.count = 13};
    ch.sql = replace ? "INSERT INTO queries (database_name, name, sql, title, description, description_html, options,"
                       " parameters, is_write, is_private, is_trusted, source, owner_id)"
                       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                       " ON CONFLICT(database_name, name) DO UPDATE SET sql = excluded.sql, title = excluded.title,"
                       " description = excluded.description, description_html = excluded.description_html,"
                       " options = excluded.options, parameters = excluded.parameters, is_write = excluded.is_write,"
                       " is_private = excluded.is_private, is_trusted = excluded.is_trusted, source = excluded.source,"
                       " owner_id = excluded.owner_id, updated_at = CURRENT_TIMESTAMP"
                     : "INSERT INTO queries (database_name, name, sql, title, description, description_html, options,"
                       " parameters, is_write, is_private, is_trusted, source, owner_id)"
                       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    struct db_value values[] = {text_value(db),
                                text_value(name),
                                dict_text(query, "sql"),
                                dict_text(query, "title"),
                                dict_text(query, "description"),
                                dict_text(query, "description_html"),
                                json_text(a, options_of(a, query)),
                                json_text(a, VALUE_GET(query, "parameters")),
                                dict_flag(query, "is_write"),
                                dict_flag(query, "is_private"),
                                dict_flag(query, "is_trusted"),
                                dict_text(query, "source"),
                                dict_text(query, "owner_id")};
    memcpy(ch.values, values, sizeof values);
    enum status st = change(s, &ch, err);
    arena_free(a);
    return st;
}

enum status kept_delete_query(struct kept *s, str db, str name, struct err *err)
{
    struct change ch = {.sql = "DELETE FROM queries WHERE database_name = ? AND name = ?",
                        .values = {text_value(db), text_value(name)},
                        .count = 2};
    return change(s, &ch, err);
}

/* ---- reading ---- */

uint64_t kept_generation(struct kept *s)
{
    return atomic_load(&s->generation);
}

/* Nothing was ever kept: the database is not made only to be found empty. */
static bool is_untouched(struct kept *s)
{
    str path = internal_path(s->in);
    return path.n && access(path.p, F_OK) != 0;
}

/* Before the first look. A database that cannot be read is none: the pages go on without. */
static void read_once(struct kept *s)
{
    struct err err = ERR_INIT;
    if (atomic_load(&s->read))
        return;
    pthread_mutex_lock(&s->changing);
    if (!atomic_load(&s->read) && is_untouched(s)) {
        atomic_store(&s->read, true);
    } else if (!atomic_load(&s->read) && refresh(s, &err) != STATUS_OK) {
        log_line(LOG_ERROR, "site", "stored queries and column types cannot be read: %s", err.text);
        atomic_store(&s->read, true);
    }
    pthread_mutex_unlock(&s->changing);
}

static struct value copy_of(struct kept *s, struct arena *a, struct value *const top, str first, str second)
{
    read_once(s);
    pthread_rwlock_rdlock(&s->lock);
    struct value v = value_get(*top, first);
    if (second.n)
        v = value_get(v, second);
    v = v.kind == VALUE_UNDEFINED ? v : value_copy(a, v);
    pthread_rwlock_unlock(&s->lock);
    return v;
}

struct value kept_column_types(struct kept *s, struct arena *a, str db, str table)
{
    struct value v = copy_of(s, a, &s->picture.types, db, table);
    return v.kind == VALUE_DICT ? v : value_dict(a);
}

struct value kept_query(struct kept *s, struct arena *a, str db, str name)
{
    return name.n ? copy_of(s, a, &s->picture.queries, db, name) : VALUE_UNDEF;
}

struct value kept_queries(struct kept *s, struct arena *a, str db)
{
    struct value v = copy_of(s, a, &s->picture.queries, db, (str){0});
    return v.kind == VALUE_DICT ? v : value_dict(a);
}

bool kept_query_owner(struct kept *s, struct arena *a, str db, str name, str *ret_owner, bool *ret_private)
{
    read_once(s);
    pthread_rwlock_rdlock(&s->lock);
    struct value q = value_get(value_get(s->picture.queries, db), name), owner = VALUE_GET(q, "owner_id");
    if (q.kind == VALUE_DICT) {
        *ret_owner = value_is_text(owner) ? arena_str(a, owner.s) : (str){0};
        *ret_private = value_truth(VALUE_GET(q, "is_private"));
    }
    pthread_rwlock_unlock(&s->lock);
    return q.kind == VALUE_DICT;
}

/* ---- life ---- */

struct kept *kept_new(struct internal *in)
{
    struct kept *s = MEM_NEW(struct kept);
    pthread_mutex_init(&s->changing, NULL);
    pthread_rwlock_init(&s->lock, NULL);
    s->in = in;
    s->picture.arena = arena_new(0);
    s->picture.types = value_dict(s->picture.arena);
    s->picture.queries = value_dict(s->picture.arena);
    return s;
}

void kept_free(struct kept *s)
{
    if (!s)
        return;
    arena_free(s->picture.arena);
    pthread_rwlock_destroy(&s->lock);
    pthread_mutex_destroy(&s->changing);
    free(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "site/tokens.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/b64.h"
#include "db/stmt.h"
#include "rt/pool.h"
#include "site/internal.h"
#include "site/request.h"

#define LOOK_US     1000000 /* between two looks at what other processes did */
#define FLUSH_TICKS 30
#define ID_BYTES    12

struct seen {
    bool fresh; /* `revoked` is what the table says */
    bool revoked, dirty;
    int64_t used;
};

struct tokens {
    struct internal *in;
    pthread_mutex_t lock; /* of all that follows but `ticks` */
    struct map *known;    /* id -> struct seen */
    struct db_signature signature;
    int64_t looked_us; /* 0 = never */
    atomic_bool dirty;
    unsigned ticks;
};

struct tokens *tokens_new(struct internal *in)
{
    struct tokens *t = MEM_NEW(struct tokens);
    t->in = in;
    t->known = map_new();
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

static void forget_all(struct tokens *t)
{
    size_t pos = 0;
    void *value;
    while (map_next(t->known, &pos, NULL, &value))
        free(value);
    map_clear(t->known);
}

/* ---- when it was last used ---- */

struct use {
    str id;
    int64_t at;
};

/* What is new since the last time, copied out, so that nothing is written under the lock. */
static size_t take_uses(struct tokens *t, struct arena *a, struct use **ret)
{
    size_t pos = 0, n = 0;
    str id;
    void *value;
    pthread_mutex_lock(&t->lock);
    struct use *uses = ARENA_ARRAY(a, struct use, map_count(t->known) + 1);
    while (map_next(t->known, &pos, &id, &value)) {
        struct seen *s = value;
        if (s->dirty)
            uses[n++] = (struct use){arena_str(a, id), s->used};
        s->dirty = false;
    }
    atomic_store(&t->dirty, false);
    pthread_mutex_unlock(&t->lock);
    *ret = uses;
    return n;
}

static void flush(struct tokens *t)
{
    struct arena *a = arena_new(0);
    struct use *uses;
    struct err err = ERR_INIT;
    enum status st = STATUS_OK;
    size_t n = atomic_load(&t->dirty) ? take_uses(t, a, &uses) : 0;
    for (size_t i = 0; i < n && st == STATUS_OK; i++) {
        const struct db_value row[] = {{.kind = DB_INT, .i = uses[i].at}, {.kind = DB_TEXT, .s = uses[i].id}};
        st = internal_run(t->in, "UPDATE api_tokens SET last_used = max(coalesce(last_used, 0), ?) WHERE id = ?", row,
                          ARRAY_LEN(row), NULL, &err);
    }
    if (st != STATUS_OK)
        log_line(LOG_WARN, "tokens", "when tokens were used is not written: %s", err.text);
    arena_free(a);
}

static void flush_on_worker(void *arg, struct worker *w)
{
    (void)w;
    flush(arg);
}

void tokens_tick(struct tokens *t, struct pool *pool, unsigned lane)
{
    if (++t->ticks % FLUSH_TICKS == 0 && atomic_load(&t->dirty) && !pool_submit(pool, lane, flush_on_worker, t))
        t->ticks--;
}

void tokens_free(struct tokens *t)
{
    if (!t)
        return;
    flush(t);
    forget_all(t);
    map_free(t->known);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* ---- asking ---- */

/* Under the lock. Somebody else's commit: what is known is read again when it is asked for. Our own writes of uses look
 * the same, and cost one more look-up a token. */
static void look(struct tokens *t)
{
    struct db_signature now;
    int64_t now_us = clock_mono_us();
    if (t->looked_us && now_us - t->looked_us < LOOK_US)
        return;
    t->looked_us = now_us;
    if (internal_signature(t->in, &now, NULL) == STATUS_OK && db_signature_equal(&now, &t->signature))
        return;
    t->signature = now;
    size_t pos = 0;
    void *value;
    while (map_next(t->known, &pos, NULL, &value))
        ((struct seen *)value)->fresh = false;
}

static enum status read_one(struct tokens *t, str id, bool *ret_there, bool *ret_revoked, struct err *err)
{
    struct conn *c;
    struct stmt *s;
    enum status st = internal_read(t->in, &c, err);
    if (st != STATUS_OK)
        return st;
    st = conn_prepare_trusted(c, STR("SELECT revoked IS NOT NULL FROM api_tokens WHERE id = ?"), &s, err);
    if (st == STATUS_OK) {
        st = stmt_bind_text(s, 1, id, err);
        if (st == STATUS_OK)
            st = stmt_step(s, err);
        *ret_there = st == STATUS_AGAIN;
        *ret_revoked = *ret_there && stmt_column_i64(s, 0) != 0;
        stmt_done(s);
    }
    conn_release(c);
    return st == STATUS_AGAIN ? STATUS_OK : st;
}

/* Under the lock: the record, read when it is not known, or NULL with *ret saying why. */
static struct seen *find(struct tokens *t, str id, struct seen *spare, enum status *ret, struct err *err)
{
    struct seen *s = map_get(t->known, id);
    bool there = false, revoked = false;
    *ret = STATUS_OK;
    if (s && s->fresh)
        return s;
    *ret = read_one(t, id, &there, &revoked, err);
    if (*ret == STATUS_OK && !there)
        *ret = err_set(err, STATUS_UNAUTHENTICATED, "Token is not known here any more");
    if (*ret != STATUS_OK)
        return NULL;
    if (!s && map_count(t->known) < LIMIT_TOKENS_KNOWN) {
        s = MEM_NEW(struct seen);
        map_put(t->known, id, s);
    }
    s = s ? s : spare;
    s->fresh = true;
    s->revoked = revoked;
    return s;
}

enum status tokens_use(struct tokens *t, str id, struct err *err)
{
    struct seen spare = {0};
    enum status st;
    int64_t now = clock_unix_s();
    pthread_mutex_lock(&t->lock);
    look(t);
    struct seen *s = find(t, id, &spare, &st, err);
    if (s && s->revoked)
        st = err_set(err, STATUS_UNAUTHENTICATED, "Token has been revoked");
    if (s && st == STATUS_OK && now != s->used) {
        s->dirty = true;
        s->used = now;
        atomic_store(&t->dirty, true);
    }
    pthread_mutex_unlock(&t->lock);
    return st;
}

static struct value time_of(struct stmt *s, int column)
{
    return stmt_column_kind(s, column) == DB_NULL ? VALUE_NULL : value_int(stmt_column_i64(s, column));
}

static struct value record_of(struct arena *a, struct stmt *s)
{
    static const char *const texts[] = {"id", "actor", "name"};
    static const char *const times[] = {"created", "expires", "last_used", "revoked"};
    struct value d = value_dict(a), restrictions;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        value_set(d, str_of(texts[i]), value_str(arena_str(a, stmt_column_text(s, (int)i))));
    if (value_from_json(a, stmt_column_text(s, 3), &restrictions, NULL) != STATUS_OK)
        restrictions = value_dict(a);
    VALUE_SET(d, "restrictions", restrictions);
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        value_set(d, str_of(times[i]), time_of(s, 4 + (int)i));
    return d;
}

enum status tokens_list(struct tokens *t, struct arena *a, str actor, struct value *ret, struct err *err)
{
    struct conn *c;
    struct stmt *s;
    struct value list = value_list(a);
    flush(t);
    enum status st = internal_read(t->in, &c, err);
    if (st != STATUS_OK)
        return st;
    st = conn_prepare_trusted(c,
                              STR("SELECT id, actor_id, name, restrictions, created, expires, last_used, revoked"
                                  " FROM api_tokens WHERE ?1 IS NULL OR actor_id = ?1 ORDER BY created DESC, rowid DESC"
                                  " LIMIT ?2"),
                              &s, err);
    if (st == STATUS_OK) {
        st = actor.p ? stmt_bind_text(s, 1, actor, err) : stmt_bind_null(s, 1, err);
        if (st == STATUS_OK)
            st = stmt_bind_i64(s, 2, LIMIT_TOKENS_LIST, err);
        while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
            value_push(list, record_of(a, s));
            st = STATUS_OK;
        }
        stmt_done(s);
    }
    conn_release(c);
    if (st == STATUS_OK)
        *ret = list;
    return st;
}

/* ---- changing ---- */

static enum status check_count(struct tokens *t, str actor, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value list;
    size_t good = 0;
    enum status st = tokens_list(t, a, actor, &list, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(list); i++) {
        struct value expires = VALUE_GET(value_at(list, i), "expires");
        good += value_is_null(VALUE_GET(value_at(list, i), "revoked")) &&
                (value_is_null(expires) || expires.i > clock_unix_s());
    }
    arena_free(a);
    if (st == STATUS_OK && good >= (size_t)LIMIT_TOKENS_ACTOR) {
        err_set(err, STATUS_CONFLICT, "You have %zu API tokens, which is as many as one may have", good);
        return err_hint(err, "Revoke those at /-/tokens that nobody uses.");
    }
    return st;
}

enum status tokens_add(struct tokens *t, struct arena *a, const struct token_record *r, str *ret_id, struct err *err)
{
    char bytes[ID_BYTES];
    struct buf json;
    if (internal_is_memory(t->in)) {
        *ret_id = (str){0};
        return STATUS_OK;
    }
    enum status st = check_count(t, r->actor, err);
    if (st == STATUS_OK && getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        st = err_set(err, STATUS_IO, "The system has no random numbers");
    if (st != STATUS_OK)
        return st;
    str id = b64url_encode(a, str_make(bytes, sizeof bytes));
    buf_init(&json, LIMIT_SIGN_PAYLOAD);
    value_to_json(&json, r->restrictions.kind == VALUE_DICT ? r->restrictions : value_dict(a), 0);
    const struct db_value row[] = {{.kind = DB_TEXT, .s = id},
                                   {.kind = DB_TEXT, .s = r->actor},
                                   {.kind = DB_TEXT, .s = r->name.p ? r->name : STR("")},
                                   {.kind = DB_TEXT, .s = buf_str(&json)},
                                   {.kind = DB_INT, .i = clock_unix_s()},
                                   r->expires ? (struct db_value){.kind = DB_INT, .i = r->expires}
                                              : (struct db_value){.kind = DB_NULL}};
    st = internal_run(t->in,
                      "INSERT INTO api_tokens (id, actor_id, name, restrictions, created, expires)"
                      " VALUES (?, ?, ?, ?, ?, ?)",
                      row, ARRAY_LEN(row), NULL, err);
    buf_release(&json);
    if (st == STATUS_OK)
        *ret_id = id;
    return st;
}

enum status tokens_revoke(struct tokens *t, str id, str actor, str by, struct err *err)
{
    const struct db_value row[] = {{.kind = DB_INT, .i = clock_unix_s()},
                                   {.kind = DB_TEXT, .s = by},
                                   {.kind = DB_TEXT, .s = id},
                                   actor.p ? (struct db_value){.kind = DB_TEXT, .s = actor}
                                           : (struct db_value){.kind = DB_NULL}};
    int64_t changed = 0;
    enum status st =
        internal_run(t->in,
                     "UPDATE api_tokens SET revoked = ?1, revoked_by = ?2 WHERE id = ?3 AND revoked IS NULL"
                     " AND (?4 IS NULL OR actor_id = ?4)",
                     row, ARRAY_LEN(row), &changed, err);
    if (st == STATUS_OK && !changed)
        st = err_set(err, STATUS_NOT_FOUND, "There is no such token, or it was revoked before");
    if (st != STATUS_OK)
        return st;
    pthread_mutex_lock(&t->lock);
    struct seen *s = map_get(t->known, id);
    if (s)
        s->revoked = true;
    pthread_mutex_unlock(&t->lock);
    return STATUS_OK;
}

enum status tokens_check_maker(const struct request *rq, struct err *err)
{
    if (!rq->site->config.settings.allow_signed_tokens)
        return err_set(err, STATUS_FORBIDDEN, "Signed tokens are not enabled for this site");
    if (value_is_null(rq->actor))
        return err_set(err, STATUS_FORBIDDEN, "You must be logged in to create a token");
    if (!value_truth(VALUE_GET(rq->actor, "id")))
        return err_set(err, STATUS_FORBIDDEN, "You must be logged in as an actor with an ID to create a token");
    if (value_truth(VALUE_GET(rq->actor, "token")))
        return err_set(err, STATUS_FORBIDDEN, "Token authentication cannot be used to create additional tokens");
    return STATUS_OK;
}

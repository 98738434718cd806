/* SPDX-License-Identifier: Apache-2.0 */
/* shares — the picture and who gets what; changes are written by shares_write.c.
 *
 * The picture is sorted by database and name, so that a verdict looks only at the shares of the resource it is about: a
 * page of a database with a thousand tables asks a thousand times.
 *
 * A link's token is HMAC-SHA256(secret, nonce) cut to 128 bits. The file keeps the nonce and the token's hash: who
 * steals the file has no link, and who may share sees the link again as long as the site keeps its secret.
 *
 * Invariants:
 * 1. Every change and its new picture happen under `changing`: an older picture never replaces a newer one.
 * 2. The generation grows whenever a verdict about nobody in particular (anonymous, no pass) can have changed: with
 * each picture that differs, and when a share with everybody ends. Otherwise answers in the cache would outlive it.
 * 3. Uses are counted aside of the picture, so that counting never makes a new one.
 *
 * Tests: tests/unit/site/test_shares.c, tests/site/test_sharing.py. */
#include "site/share/shares.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/b64.h"
#include "db/history.h"
#include "db/stmt.h"
#include "site/internal.h"
#include "site/share/shares_impl.h"

#define TOKEN_BYTES 16
#define LOOK_MS     1000 /* what another process changed is seen after this long at the latest */

const char *const share_kind_names[SHARE_KINDS] = {"database", "table", "query"};
const char *const share_audience_names[SHARE_AUDIENCES] = {"link", "person", "public"};

/* A guess at a password costs the guesser first: one bucket is of one client and one share. The other one is of all
 * clients together, so that a thousand addresses are no thousand times faster: whoever opened the link before is not
 * asked again, and does not wait for them. */
static const struct throttle_rule attempts = {.burst = 5, .refill_ms = 20000},
                                  all_attempts = {.burst = 100, .refill_ms = 5000};

/* ---- the picture ---- */

static int entry_cmp(const struct entry *e, str database, str name)
{
    int c = str_cmp(e->share.database, database);
    return c ? c : str_cmp(e->share.name, name);
}

static int by_place(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    int c = entry_cmp(a, b->share.database, b->share.name);
    return c ? c : str_cmp(a->share.id, b->share.id);
}

static int find_name(const char *const *names, int count, str name)
{
    for (int i = 0; i < count; i++)
        if (str_is(name, names[i]))
            return i;
    return -1;
}

#define COLUMNS                                                                                                        \
    "id, kind, database_name, name, page, audience, who, maker, maker_name, made_at, until, withdrawn_at, password,"   \
    " nonce, token_hash, version, sql_digest, used_at, uses"

static bool entry_read(struct arena *a, struct stmt *s, struct entry *ret)
{
    str texts[19];
    for (int i = 0; i < 19; i++)
        texts[i] = arena_str(a, stmt_column_text(s, i));
    int kind = find_name(share_kind_names, SHARE_KINDS, texts[1]);
    int audience = find_name(share_audience_names, SHARE_AUDIENCES, texts[5]);
    if (kind < 0 || audience < 0)
        return false; /* of a later version: it gives nothing here */
    *ret = (struct entry){.share = {.id = texts[0],
                                    .kind = (enum share_kind)kind,
                                    .database = texts[2],
                                    .name = texts[3],
                                    .page = texts[4],
                                    .audience = (enum share_audience)audience,
                                    .who = texts[6],
                                    .maker = texts[7],
                                    .maker_name = texts[8],
                                    .made_at = stmt_column_i64(s, 9),
                                    .until = stmt_column_i64(s, 10),
                                    .withdrawn_at = stmt_column_i64(s, 11),
                                    .password = texts[12],
                                    .nonce = texts[13],
                                    .version = stmt_column_i64(s, 15),
                                    .sql_digest = texts[16],
                                    .used_at = stmt_column_i64(s, 17),
                                    .uses = stmt_column_i64(s, 18)},
                          .token_hash = texts[14]};
    return true;
}

static uint64_t entry_hash(uint64_t hash, const struct entry *e)
{
    const struct share *s = &e->share;
    const str texts[] = {s->id, s->database, s->name, s->page, s->who, s->password, e->token_hash, s->sql_digest};
    const int64_t numbers[] = {s->kind, s->audience, s->until, s->withdrawn_at, s->version};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        hash = hash * UINT64_C(0x100000001b3) ^ str_hash(texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        hash = hash * UINT64_C(0x100000001b3) ^ (uint64_t)numbers[i];
    return hash;
}

static enum status read_entries(struct conn *c, struct picture *p, struct err *err)
{
    VEC(struct entry) entries = {0};
    struct entry e;
    struct stmt *s;
    enum status st = conn_prepare_trusted(c, STR("SELECT " COLUMNS " FROM shares"), &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN)
        if (entry_read(p->arena, s, &e))
            VEC_PUSH(p->arena, &entries, e);
    stmt_done(s);
    p->entries = entries.items;
    p->count = entries.count;
    if (p->count)
        qsort(p->entries, p->count, sizeof *p->entries, by_place);
    for (size_t i = 0; i < p->count; i++)
        p->hash = entry_hash(p->hash, &p->entries[i]);
    return st;
}

static int64_t first_end(const struct picture *p, int64_t now_s)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < p->count; i++) {
        const struct share *s = &p->entries[i].share;
        if (s->audience == SHARE_PUBLIC && s->until > now_s && !s->withdrawn_at)
            first = MIN(first, s->until);
    }
    return first;
}

static void uses_are_in_picture(struct shares *s)
{
    size_t kept = 0;
    pthread_mutex_lock(&s->using);
    for (size_t i = 0; i < s->use_count; i++) {
        s->uses[i].since_picture = s->uses[i].unwritten;
        if (s->uses[i].unwritten)
            s->uses[kept++] = s->uses[i];
    }
    s->use_count = kept;
    pthread_mutex_unlock(&s->using);
}

enum status shares_refresh(struct shares *s, struct err *err)
{
    struct picture p = {.arena = arena_new(0)};
    struct conn *c;
    struct db_signature seen;
    enum status st = internal_signature(s->in, &seen, err);
    if (st == STATUS_OK)
        st = internal_read(s->in, &c, err);
    if (st == STATUS_OK) {
        st = read_entries(c, &p, err);
        conn_release(c);
    }
    if (st != STATUS_OK) {
        arena_free(p.arena);
        return st;
    }
    s->seen = seen;
    pthread_rwlock_wrlock(&s->lock);
    struct picture old = s->picture;
    s->picture = p;
    atomic_store(&s->next_end, first_end(&p, clock_unix_s()));
    atomic_store(&s->read, true);
    if (old.hash != p.hash)
        atomic_fetch_add(&s->generation, 1);
    pthread_rwlock_unlock(&s->lock);
    arena_free(old.arena);
    uses_are_in_picture(s);
    return STATUS_OK;
}

struct shares *shares_new(struct internal *in, str secret)
{
    struct shares *s = calloc(1, sizeof *s);
    ASSERT(s);
    s->in = in;
    s->secret = secret;
    s->throttle = throttle_new();
    atomic_init(&s->next_end, INT64_MAX);
    pthread_mutex_init(&s->changing, NULL);
    pthread_mutex_init(&s->using, NULL);
    pthread_rwlock_init(&s->lock, NULL);
    return s;
}

void shares_look(struct shares *s)
{
    struct err err = ERR_INIT;
    struct db_signature now;
    int64_t now_ms = clock_mono_ms();
    if (atomic_load(&s->read) && now_ms - atomic_load(&s->looked_ms) < LOOK_MS)
        return;
    pthread_mutex_lock(&s->changing);
    atomic_store(&s->looked_ms, now_ms);
    enum status st = internal_signature(s->in, &now, &err);
    if (st == STATUS_OK && !(atomic_load(&s->read) && db_signature_equal(&now, &s->seen)))
        st = shares_refresh(s, &err);
    pthread_mutex_unlock(&s->changing);
    if (st != STATUS_OK)
        log_line(LOG_ERROR, "shares", "what is shared cannot be read: %s", err.text);
}

uint64_t shares_generation(struct shares *s, int64_t now_s)
{
    if (now_s >= atomic_load(&s->next_end)) {
        pthread_rwlock_wrlock(&s->lock);
        if (now_s >= atomic_load(&s->next_end)) {
            atomic_store(&s->next_end, first_end(&s->picture, now_s));
            atomic_fetch_add(&s->generation, 1);
        }
        pthread_rwlock_unlock(&s->lock);
    }
    return atomic_load(&s->generation);
}

/* ---- verdicts ---- */

bool share_holds(const struct share *share, int64_t now_s)
{
    return !share->withdrawn_at && (!share->until || now_s < share->until);
}

static bool is_text_nocase(struct value v, str text)
{
    return value_is_text(v) && v.s.n && str_eq_nocase(v.s, text);
}

/* An address counts unless whoever signed the actor in says that it was not verified. */
static bool is_person(struct value actor, str who)
{
    struct value id = VALUE_GET(actor, "id"), verified = VALUE_GET(actor, "email_verified");
    if (actor.kind != VALUE_DICT || !who.n)
        return false;
    if (value_is_text(id) ? str_eq(id.s, who) : false)
        return true;
    return (verified.kind == VALUE_UNDEFINED || value_truth(verified)) &&
           is_text_nocase(VALUE_GET(actor, "email"), who);
}

static bool has_pass(const struct share *s, const struct share_pass *passes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(passes[i].id, s->id) && passes[i].version == s->version)
            return true;
    return false;
}

static bool reaches(const struct share *s, struct value actor, const struct share_pass *passes, size_t count)
{
    switch (s->audience) {
    case SHARE_PUBLIC:
        return true;
    case SHARE_PERSON:
        return is_person(actor, s->who);
    case SHARE_LINK:
        return has_pass(s, passes, count);
    case SHARE_AUDIENCES:
        break;
    }
    return false;
}

/* What a share of `kind` gives at the place where it is looked for. */
static bool gives(enum share_kind kind, enum action a, bool own)
{
    if (kind == SHARE_DATABASE)
        return a == ACTION_VIEW_DATABASE || a == ACTION_VIEW_TABLE || a == ACTION_VIEW_QUERY;
    return own && a == (kind == SHARE_TABLE ? ACTION_VIEW_TABLE : ACTION_VIEW_QUERY);
}

static size_t first_of(const struct picture *p, str database, str name)
{
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (entry_cmp(&p->entries[mid], database, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct asked {
    struct value actor;
    const struct share_pass *passes;
    size_t pass_count;
    enum action action;
    int64_t now_s;
};

static bool found_at(const struct picture *p, const struct asked *q, str database, str name, struct share_hit *ret)
{
    bool found = false;
    for (size_t i = first_of(p, database, name); i < p->count; i++) {
        const struct share *s = &p->entries[i].share;
        if (entry_cmp(&p->entries[i], database, name) != 0)
            break;
        if ((found && s->audience != SHARE_PUBLIC) || !gives(s->kind, q->action, name.n > 0) ||
            !share_holds(s, q->now_s) || !reaches(s, q->actor, q->passes, q->pass_count))
            continue;
        found = true;
        ret->audience = s->audience;
        (void)snprintf(ret->id, sizeof ret->id, "%.*s", STR_ARG(s->id));
        if (s->audience == SHARE_PUBLIC)
            break;
    }
    return found;
}

int shares_level(struct shares *s, struct value actor, const struct share_pass *passes, size_t pass_count,
                 enum action a, str parent, str child, struct share_hit *ret)
{
    struct asked q = {actor, passes, pass_count, a, 0};
    int level = -1;
    if ((a != ACTION_VIEW_TABLE && a != ACTION_VIEW_QUERY && a != ACTION_VIEW_DATABASE) || !parent.n)
        return -1;
    if (history_owner(NULL, child).n) /* what was deleted is not shared with what is there */
        return -1;
    pthread_rwlock_rdlock(&s->lock);
    if (s->picture.count) {
        q.now_s = clock_unix_s();
        if (child.n && found_at(&s->picture, &q, parent, child, ret))
            level = 2;
        else if (found_at(&s->picture, &q, parent, (str){0}, ret))
            level = 1;
    }
    pthread_rwlock_unlock(&s->lock);
    return level;
}

/* ---- looking ---- */

static void add_uses(struct shares *s, struct share *share)
{
    pthread_mutex_lock(&s->using);
    for (size_t i = 0; i < s->use_count; i++) {
        if (!str_is(share->id, s->uses[i].id))
            continue;
        share->uses += s->uses[i].since_picture;
        share->used_at = MAX(share->used_at, s->uses[i].used_at);
    }
    pthread_mutex_unlock(&s->using);
}

static void copy_out(struct shares *s, struct arena *a, const struct share *from, struct share *ret)
{
    *ret = *from;
    str *const texts[] = {&ret->id,    &ret->database,   &ret->name,     &ret->page,  &ret->who,
                          &ret->maker, &ret->maker_name, &ret->password, &ret->nonce, &ret->sql_digest};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = arena_str(a, *texts[i]);
    add_uses(s, ret);
}

void shares_token_hash(str token, char out[DIGEST_HEX_MAX])
{
    digest_sha256_hex(token, out);
}

static bool look_for(struct shares *s, struct arena *a, str id, str token_hash, struct share *ret)
{
    bool found = false;
    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < s->picture.count && !found; i++) {
        const struct entry *e = &s->picture.entries[i];
        found = id.n ? str_eq(e->share.id, id) : e->token_hash.n && digest_equal(e->token_hash, token_hash);
        if (found)
            copy_out(s, a, &e->share, ret);
    }
    pthread_rwlock_unlock(&s->lock);
    return found;
}

bool shares_get(struct shares *s, struct arena *a, str id, struct share *ret)
{
    return id.n && look_for(s, a, id, (str){0}, ret);
}

bool shares_find(struct shares *s, struct arena *a, str token, struct share *ret)
{
    char hash[DIGEST_HEX_MAX];
    shares_token_hash(token, hash);
    return look_for(s, a, (str){0}, str_of(hash), ret);
}

static int newest_first(const void *x, const void *y)
{
    const struct share *a = x, *b = y;
    if (a->made_at != b->made_at)
        return a->made_at < b->made_at ? 1 : -1;
    return str_cmp(a->id, b->id);
}

void shares_list(struct shares *s, struct arena *a, str database, str child, bool ended, struct share **ret,
                 size_t *ret_count)
{
    VEC(struct share) list = {0};
    int64_t now = clock_unix_s();
    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = first_of(&s->picture, database, (str){0}); i < s->picture.count; i++) {
        const struct share *e = &s->picture.entries[i].share;
        struct share copy;
        if (!str_eq(e->database, database))
            break;
        if ((child.p && !str_eq(e->name, child)) || (!ended && !share_holds(e, now)))
            continue;
        copy_out(s, a, e, &copy);
        VEC_PUSH(a, &list, copy);
    }
    pthread_rwlock_unlock(&s->lock);
    if (list.count)
        qsort(list.items, list.count, sizeof *list.items, newest_first);
    *ret = list.items;
    *ret_count = list.count;
}

str shares_token_of(struct shares *s, struct arena *a, str nonce)
{
    unsigned char raw[DIGEST_RAW_MAX];
    digest_hmac_sha256(s->secret, ARENA_CAT(a, STR("share link "), nonce), raw);
    return b64url_encode(a, str_make((const char *)raw, TOKEN_BYTES));
}

str shares_token(struct shares *s, struct arena *a, const struct share *share)
{
    struct share found;
    if (share->audience != SHARE_LINK)
        return (str){0};
    str token = shares_token_of(s, a, share->nonce);
    return shares_find(s, a, token, &found) && str_eq(found.id, share->id) ? token : (str){0};
}

/* ---- passwords ---- */

static str bucket_of(struct arena *a, str id, str client)
{
    return ARENA_CAT(a, id, STR(" "), client);
}

int64_t shares_take_attempt(struct shares *s, str id, str client)
{
    struct arena *a = arena_new(0);
    int64_t now = clock_mono_ms(), wait_s = throttle_take(s->throttle, bucket_of(a, id, client), attempts, now);
    if (!wait_s)
        wait_s = throttle_take(s->throttle, id, all_attempts, now);
    arena_free(a);
    return wait_s;
}

void shares_attempt_was_right(struct shares *s, str id, str client)
{
    struct arena *a = arena_new(0);
    int64_t now = clock_mono_ms();
    throttle_give_back(s->throttle, bucket_of(a, id, client), attempts, now);
    throttle_give_back(s->throttle, id, all_attempts, now);
    arena_free(a);
}

void shares_free(struct shares *s)
{
    if (!s)
        return;
    if (s->use_count)
        shares_write_uses(s);
    arena_free(s->picture.arena);
    throttle_free(s->throttle);
    pthread_mutex_destroy(&s->changing);
    pthread_mutex_destroy(&s->using);
    pthread_rwlock_destroy(&s->lock);
    free(s);
}

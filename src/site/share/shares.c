/* SPDX-License-Identifier: Apache-2.0 */
/* shares — the picture, who gets what, and changes.
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

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/b64.h"
#include "codec/digest.h"
#include "db/history.h"
#include "db/stmt.h"
#include "rt/throttle.h"
#include "site/internal.h"

#define ID_BYTES    8
#define NONCE_BYTES 16
#define TOKEN_BYTES 16
#define LOOK_MS     1000  /* what another process changed is seen after this long at the latest */
#define WRITE_MS    30000 /* uses are written down this often */
#define KEPT_S      (90 * 86400)

const char *const share_kind_names[SHARE_KINDS] = {"database", "table", "query"};
const char *const share_audience_names[SHARE_AUDIENCES] = {"link", "person", "public"};

/* A guess at a password costs the guesser, not the others: the bucket is of one client and one share. */
static const struct throttle_rule attempts = {.burst = 5, .refill_ms = 20000};

struct entry {
    struct share share;
    str token_hash;
};

struct picture {
    struct arena *arena;
    struct entry *entries; /* by database, then name */
    size_t count;
    uint64_t hash; /* of all of it but the uses */
};

struct use {
    char id[2 * ID_BYTES + 1];
    int64_t used_at, unwritten, since_picture;
};

struct shares {
    struct internal *in;
    str secret;
    struct throttle *throttle;
    atomic_bool read;
    atomic_llong looked_ms;
    pthread_mutex_t changing;
    struct db_signature seen; /* under `changing` */
    pthread_rwlock_t lock;    /* of `picture` */
    struct picture picture;
    atomic_ullong generation;
    atomic_llong next_end; /* Unix seconds: the first share with everybody to end; INT64_MAX = none */
    pthread_mutex_t using;
    struct use uses[LIMIT_SHARE_USES];
    size_t use_count;
    int64_t written_ms;
};

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

/* Under `changing`. */
static enum status refresh(struct shares *s, struct err *err)
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
        st = refresh(s, &err);
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

static void hash_of_token(str token, char out[DIGEST_HEX_MAX])
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
    hash_of_token(token, hash);
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

static str token_of(struct shares *s, struct arena *a, str nonce)
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
    str token = token_of(s, a, share->nonce);
    return shares_find(s, a, token, &found) && str_eq(found.id, share->id) ? token : (str){0};
}

/* ---- changing ---- */

static enum status random_hex(struct arena *a, size_t bytes, str *ret, struct err *err)
{
    unsigned char raw[NONCE_BYTES];
    char hex[DIGEST_HEX_MAX];
    ASSERT(bytes <= sizeof raw);
    if (getrandom(raw, bytes, 0) != (ssize_t)bytes)
        return err_set(err, STATUS_IO, "The system has no random numbers");
    digest_to_hex(raw, bytes, hex);
    *ret = arena_str(a, str_of(hex));
    return STATUS_OK;
}

static struct db_value text(str s)
{
    return (struct db_value){.kind = DB_TEXT, .s = s.p ? s : STR("")};
}

static struct db_value number(int64_t i)
{
    return (struct db_value){.kind = DB_INT, .i = i};
}

/* *ret_rows (NULL is fine): rows of RETURNING. */
static enum status run(struct conn *c, const char *sql, const struct db_value *values, size_t count, size_t *ret_rows,
                       struct err *err)
{
    struct stmt *s;
    size_t rows = 0;
    enum status st = conn_prepare_trusted(c, str_of(sql), &s, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; st == STATUS_OK && i < count; i++)
        st = stmt_bind(s, (int)i + 1, values[i], err);
    while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        rows++;
        st = STATUS_OK;
    }
    stmt_done(s);
    if (ret_rows)
        *ret_rows = rows;
    return st;
}

/* In the same transaction as what it tells of. detail: "ID DATABASE". */
static enum status log_add(struct conn *c, str actor, const char *what, str share, struct err *err)
{
    const struct db_value v[] = {number(clock_unix_s()), text(actor), text(str_of(what)), text(share)};
    const struct db_value most[] = {number(LIMIT_AUDIT_ROWS)};
    enum status st = run(c,
                         "INSERT INTO audit (at, actor, what, detail)"
                         " SELECT ?1, ?2, ?3, id || ' ' || database_name FROM shares WHERE id = ?4",
                         v, ARRAY_LEN(v), NULL, err);
    return st == STATUS_OK ? run(c, "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", most, 1, NULL, err)
                           : st;
}

struct adding {
    struct share *share;
    str token_hash;
};

static enum status add_run(struct conn *c, void *arg, struct err *err)
{
    const struct adding *d = arg;
    const struct share *s = d->share;
    const struct db_value old[] = {number(s->made_at - KEPT_S)};
    const struct db_value v[] = {text(s->id),         text(str_of(share_kind_names[s->kind])),
                                 text(s->database),   text(s->name),
                                 text(s->page),       text(str_of(share_audience_names[s->audience])),
                                 text(s->who),        text(s->maker),
                                 text(s->maker_name), number(s->made_at),
                                 number(s->until),    number(0),
                                 text(s->password),   text(s->nonce),
                                 text(d->token_hash), number(s->version),
                                 text(s->sql_digest)};
    int64_t count = 0;
    enum status st =
        run(c, "DELETE FROM shares WHERE (withdrawn_at > 0 AND withdrawn_at < ?1) OR (until > 0 AND until < ?1)", old,
            1, NULL, err);
    if (st == STATUS_OK)
        st = conn_query_i64(c, STR("SELECT count(*) FROM shares"), &count, err);
    if (st == STATUS_OK && count >= LIMIT_SHARES) {
        err_set(err, STATUS_CONFLICT, "There are %lld shares already", (long long)count);
        return err_hint(err, "Withdraw those that nobody needs; what ended or was withdrawn goes after 90 days.");
    }
    if (st == STATUS_OK)
        st = run(c,
                 "INSERT INTO shares (id, kind, database_name, name, page, audience, who, maker, maker_name, made_at,"
                 " until, withdrawn_at, password, nonce, token_hash, version, sql_digest)"
                 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                 v, ARRAY_LEN(v), NULL, err);
    return st == STATUS_OK ? log_add(c, s->maker, "share.make", s->id, err) : st;
}

static enum status change(struct shares *s, internal_fn *fn, void *arg, struct err *err)
{
    pthread_mutex_lock(&s->changing);
    enum status st = internal_write(s->in, fn, arg, err);
    if (st == STATUS_OK)
        st = refresh(s, err);
    pthread_mutex_unlock(&s->changing);
    return st;
}

enum status shares_add(struct shares *s, struct arena *a, struct share *share, struct err *err)
{
    struct adding d = {.share = share};
    char hash[DIGEST_HEX_MAX];
    enum status st = random_hex(a, ID_BYTES, &share->id, err);
    share->made_at = clock_unix_s();
    share->version = 1;
    if (st == STATUS_OK && share->audience == SHARE_LINK) {
        st = random_hex(a, NONCE_BYTES, &share->nonce, err);
        if (st == STATUS_OK) {
            hash_of_token(token_of(s, a, share->nonce), hash);
            d.token_hash = str_of(hash);
        }
    }
    return st == STATUS_OK ? change(s, add_run, &d, err) : st;
}

struct changing {
    str id, nonce, token_hash;
    const struct share_change *c;
};

static enum status change_run(struct conn *c, void *arg, struct err *err)
{
    const struct changing *d = arg;
    const struct share_change *ch = d->c;
    const struct db_value v[] = {text(d->id),
                                 number(ch->set_until),
                                 number(ch->until),
                                 number(ch->set_password),
                                 text(ch->password),
                                 number(ch->new_link),
                                 text(d->nonce),
                                 text(d->token_hash),
                                 number(ch->withdraw ? clock_unix_s() : 0),
                                 number(ch->restore)};
    const char *what = ch->withdraw       ? "share.withdraw"
                       : ch->restore      ? "share.restore"
                       : ch->new_link     ? "share.new-link"
                       : ch->set_password ? "share.password"
                                          : "share.until";
    size_t rows = 0;
    enum status st = run(
        c,
        "UPDATE shares SET until = iif(?2, ?3, until), password = iif(?4, ?5, password), nonce = iif(?6, ?7, nonce),"
        " token_hash = iif(?6, ?8, token_hash), version = version + (?4 OR ?6), withdrawn_at = ?9"
        " WHERE id = ?1 AND (withdrawn_at = 0 OR ?10) RETURNING database_name",
        v, ARRAY_LEN(v), &rows, err);
    if (st == STATUS_OK && !rows)
        return err_set(err, STATUS_NOT_FOUND, "There is no such share any more");
    return st == STATUS_OK ? log_add(c, ch->who, what, d->id, err) : st;
}

enum status shares_change(struct shares *s, str id, const struct share_change *c, struct err *err)
{
    struct arena *a = arena_new(0);
    struct changing d = {.id = id, .c = c};
    char hash[DIGEST_HEX_MAX];
    enum status st = STATUS_OK;
    if (c->new_link) {
        st = random_hex(a, NONCE_BYTES, &d.nonce, err);
        if (st == STATUS_OK) {
            hash_of_token(token_of(s, a, d.nonce), hash);
            d.token_hash = str_of(hash);
        }
    }
    if (st == STATUS_OK)
        st = change(s, change_run, &d, err);
    arena_free(a);
    return st;
}

/* ---- uses ---- */

static enum status uses_write(struct conn *c, void *arg, struct err *err)
{
    struct shares *s = arg;
    enum status st = STATUS_OK;
    for (size_t i = 0; i < s->use_count && st == STATUS_OK; i++) {
        const struct use *u = &s->uses[i];
        const struct db_value v[] = {text(str_of(u->id)), number(u->unwritten), number(u->used_at)};
        if (u->unwritten)
            st =
                run(c, "UPDATE shares SET uses = uses + ?2, used_at = max(used_at, ?3) WHERE id = ?1", v, 3, NULL, err);
    }
    return st;
}

/* Under `using`. What cannot be written is lost: it is a figure, not a right. */
static void flush(struct shares *s)
{
    struct err err = ERR_INIT;
    s->written_ms = clock_mono_ms();
    if (s->use_count && internal_write(s->in, uses_write, s, &err) != STATUS_OK)
        log_line(LOG_WARN, "shares", "what was used could not be written: %s", err.text);
    for (size_t i = 0; i < s->use_count; i++)
        s->uses[i].unwritten = 0;
}

void shares_used(struct shares *s, str id)
{
    size_t i = 0;
    pthread_mutex_lock(&s->using);
    while (i < s->use_count && !str_is(id, s->uses[i].id))
        i++;
    if (i == LIMIT_SHARE_USES || clock_mono_ms() - s->written_ms >= WRITE_MS)
        flush(s);
    if (i == LIMIT_SHARE_USES)
        i = s->use_count = 0; /* lists are behind by these until the next picture */
    if (i == s->use_count && id.n < sizeof s->uses[i].id) {
        s->uses[i] = (struct use){0};
        memcpy(s->uses[i].id, id.p, id.n);
        s->use_count++;
    }
    s->uses[i].used_at = clock_unix_s();
    s->uses[i].unwritten++;
    s->uses[i].since_picture++;
    pthread_mutex_unlock(&s->using);
}

enum status shares_log(struct shares *s, struct arena *a, str database, size_t max, struct value *ret, struct err *err)
{
    struct conn *c;
    struct stmt *q;
    struct value list = value_list(a);
    enum status st = internal_read(s->in, &c, err);
    if (st != STATUS_OK)
        return st;
    st = conn_prepare_trusted(c,
                              STR("SELECT at, actor, what, substr(detail, 1, 16) FROM audit"
                                  " WHERE what LIKE 'share.%' AND substr(detail, 18) = ?1 ORDER BY id DESC LIMIT ?2"),
                              &q, err);
    if (st == STATUS_OK) {
        st = stmt_bind(q, 1, text(database), err);
        if (st == STATUS_OK)
            st = stmt_bind(q, 2, number((int64_t)max), err);
        while (st == STATUS_OK && (st = stmt_step(q, err)) == STATUS_AGAIN) {
            struct value d = value_dict(a);
            VALUE_SET(d, "at", value_int(stmt_column_i64(q, 0)));
            VALUE_SET(d, "actor", value_str(arena_str(a, stmt_column_text(q, 1))));
            VALUE_SET(d, "what", value_str(arena_str(a, stmt_column_text(q, 2))));
            VALUE_SET(d, "share", value_str(arena_str(a, stmt_column_text(q, 3))));
            value_push(list, d);
            st = STATUS_OK;
        }
        stmt_done(q);
    }
    conn_release(c);
    if (st == STATUS_OK)
        *ret = list;
    return st;
}

/* ---- passwords ---- */

static str bucket_of(struct arena *a, str id, str client)
{
    return ARENA_CAT(a, id, STR(" "), client);
}

int64_t shares_take_attempt(struct shares *s, str id, str client)
{
    struct arena *a = arena_new(0);
    int64_t wait_s = throttle_take(s->throttle, bucket_of(a, id, client), attempts, clock_mono_ms());
    arena_free(a);
    return wait_s;
}

void shares_attempt_was_right(struct shares *s, str id, str client)
{
    struct arena *a = arena_new(0);
    throttle_give_back(s->throttle, bucket_of(a, id, client), attempts, clock_mono_ms());
    arena_free(a);
}

void shares_free(struct shares *s)
{
    if (!s)
        return;
    if (s->use_count)
        flush(s);
    arena_free(s->picture.arena);
    throttle_free(s->throttle);
    pthread_mutex_destroy(&s->changing);
    pthread_mutex_destroy(&s->using);
    pthread_rwlock_destroy(&s->lock);
    free(s);
}

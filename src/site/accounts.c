/* SPDX-License-Identifier: Apache-2.0 */
/* accounts — see accounts.h.
 *
 * Attempts are counted twice: by client, and (more generously, for anybody can name anybody) by user. An attempt is
 * taken before the hashing and given back after a right password, so that a hundred at once are no way around it.
 *
 * Known passwords: HMAC-SHA256 of name and password under a key of this process. Digests are kept in a ring; the
 * password itself is not. A new configuration is a new process or a new struct: nothing has to be forgotten. */
#include "site/accounts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/b64.h"
#include "codec/digest.h"
#include "codec/password.h"
#include "rt/throttle.h"

#define PASSWORDS "datasette-auth-passwords"
#define TOKENS    "datasette-auth-tokens"
#define SUFFIX    "_password_hash"

static const struct throttle_rule per_client = {.burst = 10, .refill_ms = 6000};
static const struct throttle_rule per_user = {.burst = 30, .refill_ms = 6000};

struct account {
    str name, hash;
    struct value actor;
};

struct token {
    unsigned char digest[DIGEST_RAW_MAX]; /* SHA-256 of the token: comparing it tells nothing of the token's length */
    struct value actor;
};

struct known {
    unsigned char digest[DIGEST_RAW_MAX];
    const struct account *account; /* NULL = free */
};

struct accounts {
    struct account *list;
    size_t count;
    bool configured, basic_required;
    struct token *tokens;
    size_t token_count;
    str token_param, token_sql, token_database;
    struct throttle *throttle;
    unsigned char key[DIGEST_RAW_MAX];
    pthread_mutex_t lock; /* of what follows */
    struct known known[LIMIT_KNOWN_PASSWORDS];
    size_t next_known;
};

/* ---- configuration ------------------------------------------------------------------------------------------------
 */

static enum status wrong(struct err *err, const char *plugin, str key, const char *what)
{
    return err_set(err, STATUS_INVALID, "plugins.%s.%.*s %s", plugin, STR_ARG(key), what);
}

static enum status add_account(struct arena *a, struct accounts *p, str key, struct value hash, struct value actors,
                               struct err *err)
{
    str name = str_sub(key, 0, key.n - (sizeof SUFFIX - 1));
    struct value actor = value_get(actors, name);
    if (value_is_null(hash)) {
        log_line(LOG_WARN, "accounts",
                 "plugins." PASSWORDS ".%.*s is empty (is its environment variable set?): %.*s "
                 "cannot sign in",
                 STR_ARG(key), STR_ARG(name));
        return STATUS_OK;
    }
    if (!value_is_text(hash))
        return wrong(err, PASSWORDS, key, "must be a text");
    str text = str_trim(hash.s);
    if (password_check(text, err) != STATUS_OK) {
        err_prefix(err, "plugins." PASSWORDS ".%.*s is no hash of a password", STR_ARG(key));
        return err_hint(err, "Make one with: vitrine hash-password");
    }
    if (!value_truth(actor)) {
        actor = value_dict(a);
        VALUE_SET(actor, "id", value_str(name));
    }
    if (actor.kind != VALUE_DICT)
        return wrong(err, PASSWORDS ".actors", name, "must be an object");
    p->list[p->count++] = (struct account){name, text, actor};
    return STATUS_OK;
}

static enum status read_accounts(struct arena *a, struct accounts *p, struct value settings, struct err *err)
{
    struct value actors = VALUE_GET(settings, "actors");
    if (settings.kind == VALUE_UNDEFINED || settings.kind == VALUE_NONE)
        return STATUS_OK;
    if (settings.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "plugins." PASSWORDS " must be an object");
    if (!value_is_null(actors) && actors.kind != VALUE_DICT)
        return wrong(err, PASSWORDS, STR("actors"), "must be an object");
    p->configured = true;
    p->basic_required = value_truth(VALUE_GET(settings, "http_basic_auth"));
    p->list = ARENA_ARRAY(a, struct account, value_count(settings) + 1);
    for (size_t i = 0; i < settings.dict->count; i++) {
        const struct value_entry *e = &settings.dict->entries[i];
        if (!str_ends(e->key, STR(SUFFIX)) || e->key.n == sizeof SUFFIX - 1)
            continue;
        enum status st = add_account(a, p, e->key, e->value, actors, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

static enum status read_token_query(struct accounts *p, struct value query, struct err *err)
{
    struct value sql = VALUE_GET(query, "sql"), database = VALUE_GET(query, "database");
    if (value_is_null(query))
        return STATUS_OK;
    if (!value_is_text(sql) || !sql.s.n)
        return wrong(err, TOKENS, STR("query.sql"), "must be a statement that takes :token_id");
    if (!value_is_null(database) && !value_is_text(database))
        return wrong(err, TOKENS, STR("query.database"), "must be the name of a database");
    p->token_sql = sql.s;
    p->token_database = value_is_text(database) ? database.s : (str){0};
    return STATUS_OK;
}

static enum status read_tokens(struct arena *a, struct accounts *p, struct value settings, struct err *err)
{
    struct value list = VALUE_GET(settings, "tokens"), param = VALUE_GET(settings, "param");
    if (!value_is_null(list) && list.kind != VALUE_LIST)
        return wrong(err, TOKENS, STR("tokens"), "must be a list");
    p->tokens = ARENA_ARRAY(a, struct token, value_count(list) + 1);
    for (size_t i = 0; i < value_count(list); i++) {
        struct value t = VALUE_GET(value_at(list, i), "token"), actor = VALUE_GET(value_at(list, i), "actor");
        if (value_at(list, i).kind == VALUE_DICT && value_is_null(t)) {
            log_line(LOG_WARN, "accounts",
                     "plugins." TOKENS ".tokens[%zu].token is empty (is its environment variable "
                     "set?): nobody can use it",
                     i);
            continue;
        }
        if (!value_is_text(t) || !t.s.n || actor.kind != VALUE_DICT)
            return err_set(err, STATUS_INVALID,
                           "plugins." TOKENS ".tokens[%zu] must be an object with a text \"token\" and an object "
                           "\"actor\"",
                           i);
        digest_sha256(t.s, p->tokens[p->token_count].digest);
        p->tokens[p->token_count++].actor = actor;
    }
    if (!value_is_null(param) && !value_is_text(param))
        return wrong(err, TOKENS, STR("param"), "must be the name of a query argument");
    p->token_param = value_is_text(param) ? param.s : (str){0};
    return read_token_query(p, VALUE_GET(settings, "query"), err);
}

enum status accounts_new(struct arena *a, const struct config *c, struct accounts **ret, struct err *err)
{
    struct accounts *p = ARENA_NEW(a, struct accounts);
    enum status st = read_accounts(a, p, config_plugin(c, STR(PASSWORDS), (str){0}, (str){0}), err);
    if (st == STATUS_OK)
        st = read_tokens(a, p, config_plugin(c, STR(TOKENS), (str){0}, (str){0}), err);
    if (st == STATUS_OK && getrandom(p->key, sizeof p->key, 0) != (ssize_t)sizeof p->key)
        st = err_set(err, STATUS_IO, "The system has no random numbers");
    if (st != STATUS_OK)
        return st;
    pthread_mutex_init(&p->lock, NULL);
    p->throttle = throttle_new();
    *ret = p;
    return STATUS_OK;
}

void accounts_free(struct accounts *p)
{
    if (!p)
        return;
    throttle_free(p->throttle);
    pthread_mutex_destroy(&p->lock);
    explicit_bzero(p->known, sizeof p->known);
    explicit_bzero(p->key, sizeof p->key);
}

bool accounts_configured(const struct accounts *p)
{
    return p->configured;
}

size_t accounts_count(const struct accounts *p)
{
    return p->count;
}

bool accounts_basic_required(const struct accounts *p)
{
    return p->basic_required;
}

/* ---- passwords ----------------------------------------------------------------------------------------------------
 */

static const struct account *find(const struct accounts *p, str name)
{
    for (size_t i = 0; i < p->count; i++)
        if (str_eq(p->list[i].name, name))
            return &p->list[i];
    return NULL;
}

/* The length of the name goes in front, so that ("ab", "c") and ("a", "bc") differ. */
static void digest_of(const struct accounts *p, str name, str password, unsigned char out[DIGEST_RAW_MAX])
{
    struct arena *a = arena_new(0);
    uint64_t n = name.n;
    str text = ARENA_CAT(a, str_make((const char *)&n, sizeof n), name, password);
    digest_hmac_sha256(str_make((const char *)p->key, sizeof p->key), text, out);
    arena_free(a);
}

static bool same_digest(const unsigned char *a, const unsigned char *b)
{
    return digest_equal(str_make((const char *)a, DIGEST_RAW_MAX), str_make((const char *)b, DIGEST_RAW_MAX));
}

static const struct account *recall(struct accounts *p, const unsigned char digest[DIGEST_RAW_MAX])
{
    const struct account *found = NULL;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < LIMIT_KNOWN_PASSWORDS && p->known[i].account; i++)
        if (same_digest(p->known[i].digest, digest))
            found = p->known[i].account;
    pthread_mutex_unlock(&p->lock);
    return found;
}

static void remember(struct accounts *p, const unsigned char digest[DIGEST_RAW_MAX], const struct account *account)
{
    pthread_mutex_lock(&p->lock);
    struct known *k = &p->known[p->next_known];
    p->next_known = (p->next_known + 1) % LIMIT_KNOWN_PASSWORDS;
    memcpy(k->digest, digest, sizeof k->digest);
    k->account = account;
    pthread_mutex_unlock(&p->lock);
}

static enum status too_many(int64_t wait_s, int64_t *ret_wait_s, struct err *err)
{
    *ret_wait_s = wait_s;
    err_set(err, STATUS_RATE, "Too many attempts to sign in");
    return err_hint(err, "Wait %lld second%s and try again.", (long long)wait_s, wait_s == 1 ? "" : "s");
}

int64_t accounts_take_attempt(struct accounts *p, str client)
{
    return throttle_take(p->throttle, client, per_client, clock_mono_ms());
}

enum status accounts_sign_in(struct accounts *p, str name, str password, str client, struct value *ret_actor,
                             int64_t *ret_wait_s, struct err *err)
{
    const struct account *account = find(p, name);
    unsigned char digest[DIGEST_RAW_MAX];
    char user_text[LIMIT_PASSWORD + 8];
    int64_t now_ms = clock_mono_ms(), wait_s = throttle_take(p->throttle, client, per_client, now_ms);
    if (wait_s)
        return too_many(wait_s, ret_wait_s, err);
    int n = snprintf(user_text, sizeof user_text, "user %.*s", STR_ARG(str_sub(name, 0, MIN(name.n, 256))));
    str user = str_make(user_text, (size_t)n);
    wait_s = throttle_take(p->throttle, user, per_user, now_ms);
    if (wait_s)
        return too_many(wait_s, ret_wait_s, err);
    /* A name that nobody has is hashed as long as one that somebody has. */
    bool right = p->count && password_matches(account ? account->hash : p->list[0].hash, password) && account;
    if (!right)
        return err_set(err, STATUS_FORBIDDEN, "Invalid username or password");
    throttle_give_back(p->throttle, client, per_client, now_ms);
    throttle_give_back(p->throttle, user, per_user, now_ms);
    digest_of(p, name, password, digest);
    if (!recall(p, digest))
        remember(p, digest, account);
    *ret_actor = account->actor;
    return STATUS_OK;
}

bool accounts_is_basic(str authorization)
{
    return authorization.n >= 6 && str_eq_nocase(str_sub(authorization, 0, 6), STR("Basic "));
}

/* "Basic BASE64(name:password)" */
static bool basic_parse(struct arena *a, str authorization, str *ret_name, str *ret_password)
{
    str text;
    if (!accounts_is_basic(authorization))
        return false;
    return b64_decode(a, str_trim(str_from(authorization, 6)), &text) && str_cut(text, ':', ret_name, ret_password);
}

bool accounts_basic_is_known(struct accounts *p, struct arena *a, str authorization, struct value *ret_actor)
{
    str name, password;
    unsigned char digest[DIGEST_RAW_MAX];
    if (!p->count || !basic_parse(a, authorization, &name, &password))
        return false;
    digest_of(p, name, password, digest);
    const struct account *account = recall(p, digest);
    if (account)
        *ret_actor = account->actor;
    return account != NULL;
}

enum status accounts_basic(struct accounts *p, struct arena *a, str authorization, str client, struct value *ret_actor,
                           int64_t *ret_wait_s, struct err *err)
{
    str name, password;
    if (accounts_basic_is_known(p, a, authorization, ret_actor))
        return STATUS_OK;
    if (!p->count || !basic_parse(a, authorization, &name, &password))
        return err_set(err, STATUS_NOT_FOUND, "no name and password");
    return accounts_sign_in(p, name, password, client, ret_actor, ret_wait_s, err);
}

/* ---- tokens -------------------------------------------------------------------------------------------------------
 */

struct value accounts_token_actor(const struct accounts *p, str token)
{
    unsigned char digest[DIGEST_RAW_MAX];
    struct value actor = VALUE_NULL;
    if (!p->token_count || !token.n)
        return actor;
    digest_sha256(token, digest);
    for (size_t i = 0; i < p->token_count; i++)
        if (same_digest(p->tokens[i].digest, digest) && value_is_null(actor))
            actor = p->tokens[i].actor;
    return actor;
}

str accounts_token_param(const struct accounts *p)
{
    return p->token_param;
}

bool accounts_token_query(const struct accounts *p, str *ret_sql, str *ret_database)
{
    *ret_sql = p->token_sql;
    *ret_database = p->token_database;
    return p->token_sql.n > 0;
}

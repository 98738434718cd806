/* SPDX-License-Identifier: Apache-2.0 */
/* shares_write — what is written to the internal database: new shares, changes of them with a line of the log in the
 * same transaction, and what was used. The picture follows each change (shares.c, invariant 1). */
#include <sys/random.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/stmt.h"
#include "site/internal.h"
#include "site/share/shares_impl.h"

#define NONCE_BYTES 16
#define WRITE_MS    30000 /* uses are written down this often */
#define KEPT_S      (90 * 86400)

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
        st = shares_refresh(s, err);
    pthread_mutex_unlock(&s->changing);
    return st;
}

enum status shares_add(struct shares *s, struct arena *a, struct share *share, struct err *err)
{
    struct adding d = {.share = share};
    char hash[DIGEST_HEX_MAX];
    enum status st = random_hex(a, SHARE_ID_BYTES, &share->id, err);
    share->made_at = clock_unix_s();
    share->version = 1;
    if (st == STATUS_OK && share->audience == SHARE_LINK) {
        st = random_hex(a, NONCE_BYTES, &share->nonce, err);
        if (st == STATUS_OK) {
            shares_token_hash(shares_token_of(s, a, share->nonce), hash);
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
            shares_token_hash(shares_token_of(s, a, d.nonce), hash);
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

void shares_write_uses(struct shares *s)
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
        shares_write_uses(s);
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

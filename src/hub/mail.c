/* SPDX-License-Identifier: Apache-2.0 */
/* mail — a queue in hub.db, and a thread that empties it.
 *
 * Why a queue: an account, an invitation or a reset link exists if and only if its mail is on its way, whatever dies in
 * between; and no page waits for a mail server. A mail may go out twice when the machine loses power between the
 * server's answer and our commit; never not at all.
 *
 *   mail_add     row (kind, vars, next_at = 0)                                             with what caused it
 *   send_round   due rows, oldest first: the text is made, and handed over
 *                  -> taken: vars are emptied, sent_at set
 *                  -> refused for good, or too old: deleted, with a line in the log
 *                  -> not now: next_at = now + pause, tries + 1
 *
 * Pauses are 2 s, 8 s, 32 s, ... an hour. When it is the server that cannot be reached (not one mail that it puts off),
 * the round ends and the whole queue waits, so that a dead server is asked once a pause and not once a mail.
 * Rows that were sent stay for a day without what they said: how many mails an address got is counted in them.
 *
 * Vars hold links that are worth a password until they are used: they are in hub.db, sealed (seals.h), until they are
 * sent, and in no log. Not here: headers and encodings (codec/letter), the ways out (mail_send).
 * Tests: tests/unit/hub/test_mail.c, tests/hub/test_mail.py. */
#include "hub/mail.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "assets/assets.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/letter.h"
#include "codec/seal.h"
#include "hub/mail_send.h"
#include "hub/seals.h"
#include "hub/sql.h"
#include "hub/store.h"
#include "rt/fault.h"
#include "rt/thread.h"
#include "template/template.h"

#define ROUND     20    /* mails of one round */
#define PAUSE_S   2     /* before the second try; four times that before each further one */
#define PAUSE_MAX 3600  /* s */
#define KEEP_S    86400 /* rows of mails that were sent */
#define LOOK_S    60    /* the queue is looked at this often without being woken */

static const struct kind {
    const char *name, *file; /* mail_FILE.txt and .html */
    bool notice;             /* says what happened to an account: LIMIT_MAIL_NOTICES, and never in the way of it */
} kinds[] = {
#define X(name, file, notice) {#name, #file, notice},
#include "hub/tbl/mail_kinds.h"
#undef X
};

static const struct kind *find_kind(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_is(name, kinds[i].name))
            return &kinds[i];
    return NULL;
}

struct mailer {
    const struct mail_config *config;
    struct store *store;
    struct template_env *env;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, woken;       /* under the lock */
    unsigned failures;      /* of the server, in a row; the thread's own */
    int64_t server_hold_us; /* nothing is tried before this (mono); the thread's own */
};

/* ---- texts ---- */

static enum status load(void *self, str name, struct arena *a, str *ret_source, str *ret_origin, struct err *err)
{
    (void)self;
    const struct asset *asset = asset_find(ARENA_CAT(a, STR("templates/"), name));
    if (!asset)
        return err_set(err, STATUS_NOT_FOUND, "there is no template \"%.*s\"", STR_ARG(name));
    *ret_source = asset->data;
    *ret_origin = asset->path;
    return STATUS_OK;
}

/* One line, not long: what people call themselves and their things must not make a letter of its own. */
static struct value one_line(struct arena *a, struct value v)
{
    if (!value_is_text(v))
        return v;
    str s = str_sub(v.s, 0, LIMIT_MAIL_WORD);
    while (s.n && s.n < v.s.n && ((unsigned char)v.s.p[s.n] & 0xC0) == 0x80)
        s.n--;
    char *p = arena_cstr(a, s);
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)p[i] < ' ' || p[i] == 127)
            p[i] = ' ';
    return value_str(str_make(p, s.n));
}

struct waiting {
    int64_t id, created_at, tries;
    str kind, to, vars; /* vars: JSON */
    bool sealed;        /* not where a version of before wrote it and is still there */
};

static enum status variables(struct arena *a, const struct mailer *m, const struct waiting *w, struct value *ret,
                             struct err *err)
{
    struct value v = value_dict(a), given;
    str json = w->vars;
    enum status st = w->sealed ? seal_open(a, m->config->key, seals_of_mail(a, w->to), w->vars, &json, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = value_from_json(a, json, &given, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < value_count(given); i++) {
        const struct value_entry *e = &given.dict->entries[i];
        value_set(v, e->key, str_is(e->key, "url") ? e->value : one_line(a, e->value));
    }
    VALUE_SET(v, "kind", value_str(w->kind));
    VALUE_SET(v, "origin", value_str(m->config->origin));
    VALUE_SET(v, "host", value_str(m->config->host));
    VALUE_SET(v, "to", value_str(w->to));
    VALUE_SET(v, "link_hours", value_int(LIMIT_HUB_LINK_S / 3600));
    VALUE_SET(v, "invitation_days", value_int(LIMIT_HUB_INVITATION_S / 86400));
    *ret = v;
    return STATUS_OK;
}

static enum status render(struct mailer *m, struct arena *a, const struct waiting *w, struct value vars,
                          const char *suffix, str *ret, struct err *err)
{
    struct buf b;
    const struct kind *kind = find_kind(w->kind);
    if (!kind)
        return err_set(err, STATUS_INVALID, "no mail is called \"%.*s\"", STR_ARG(w->kind));
    buf_init(&b, LIMIT_LETTER);
    str name = arena_printf(a, "hub/mail_%s.%s", kind->file, suffix);
    enum status st = template_render(m->env, name, vars, a, &b, err);
    if (st == STATUS_OK)
        *ret = arena_str(a, buf_str(&b));
    buf_release(&b);
    return st;
}

static enum status compose(struct mailer *m, struct arena *a, const struct waiting *w, str *ret, struct err *err)
{
    unsigned char raw[16];
    char hex[DIGEST_HEX_MAX];
    str text, html, head;
    struct value vars;
    enum status st = variables(a, m, w, &vars, err);
    if (st == STATUS_OK)
        st = render(m, a, w, vars, "txt", &text, err);
    if (st == STATUS_OK)
        st = render(m, a, w, vars, "html", &html, err);
    if (st != STATUS_OK)
        return st;
    ASSERT(getrandom(raw, sizeof raw, 0) == (ssize_t)sizeof raw);
    digest_to_hex(raw, sizeof raw, hex);
    (void)str_cut(text, '\n', &head, &text);
    ASSERT(str_starts(head, STR("Subject: ")));
    const struct letter l = {.from = m->config->from,
                             .from_name = m->config->from_name,
                             .to = w->to,
                             .subject = str_trim(str_from(head, strlen("Subject: "))),
                             .text = str_trim(text),
                             .html = str_trim(html),
                             .id = str_of(hex),
                             .domain = m->config->host,
                             .date_unix_s = clock_unix_s()};
    return letter_write(a, &l, ret, err);
}

/* ---- into the queue ---- */

bool mail_is_like_a_link(str s)
{
    const str links[] = {STR("://"), STR("www."), STR("@")};
    for (size_t at = 0; at < s.n; at++)
        for (size_t i = 0; i < ARRAY_LEN(links); i++)
            if (str_eq_nocase(str_sub(s, at, MIN(s.n, at + links[i].n)), links[i]))
                return true;
    return false;
}

struct counts {
    int64_t recent, alike, waiting; /* to the address in the last hour, of this kind; to anybody, not sent yet */
};

static enum status count(struct conn *c, struct arena *a, str to, const char *kind, struct counts *ret, struct err *err)
{
    struct value row = VALUE_UNDEF;
    enum status st = SQL_ROW(c, a, &row, err,
                             "select count(*) as recent, coalesce(sum(kind = ?3), 0) as alike, (select count(*) from"
                             " mails where sent_at = 0) as waiting from mails where recipient = ?1 collate nocase and"
                             " created_at between ?2 + 1 and ?2 + 3660",
                             SQL_T(to), SQL_I(clock_unix_s() - 3600), SQL_T(str_of(kind)));
    *ret = (struct counts){VALUE_GET(row, "recent").i, VALUE_GET(row, "alike").i, VALUE_GET(row, "waiting").i};
    return st;
}

enum status mail_add(struct conn *c, struct arena *a, str key, str to, const char *kind, struct value vars,
                     struct err *err)
{
    struct buf json;
    struct counts n = {0};
    const struct kind *known = find_kind(str_of(kind));
    ASSERT(known);
    enum status st = letter_address(to, err);
    if (st == STATUS_OK)
        st = count(c, a, to, kind, &n, err);
    if (st != STATUS_OK)
        return st;
    bool stranger = strcmp(kind, "verify") == 0 || strcmp(kind, "already") == 0; /* half of the queue is for people */
    bool full = n.waiting >= (stranger ? (LIMIT_MAIL_WAITING + 1) / 2 : LIMIT_MAIL_WAITING);
    if (n.recent >= LIMIT_MAIL_PER_HOUR || (known->notice && (full || n.alike >= LIMIT_MAIL_NOTICES))) {
        log_line(LOG_WARN, "mail", "%s to %.*s is not sent: it got %lld in the last hour%s", kind, STR_ARG(to),
                 (long long)n.recent, full ? ", and too many wait" : "");
        return STATUS_OK;
    }
    if (full)
        return err_set(err, STATUS_BUSY, "Too many e-mails wait to be sent. Try again later.");
    buf_init(&json, LIMIT_HUB_FORM);
    value_to_json(&json, vars, VALUE_JSON_UTF8);
    str sealed = seal_close(a, key, seals_of_mail(a, to), buf_str(&json));
    buf_release(&json);
    return SQL_RUN(c, err, "insert into mails (recipient, kind, vars, created_at) values (?1, ?2, ?3, ?4)", SQL_T(to),
                   SQL_T(str_of(kind)), SQL_B(sealed), SQL_I(clock_unix_s()));
}

/* ---- out of it ---- */

static enum status fetch_due(struct mailer *m, struct arena *a, struct waiting *out, size_t *ret_n, struct err *err)
{
    struct conn *c = NULL;
    struct value rows = VALUE_UNDEF;
    enum status st = store_read(m->store, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROWS(
            c, a, &rows, err,
            "select id, created_at, tries, kind, recipient, vars from mails where sent_at = 0 and"
            " next_at not between ?1 + 1 and ?1 + ?3 order by next_at, id limit ?2", /* further: a clock was set back */
            SQL_I(clock_unix_s()), SQL_I(ROUND), SQL_I(PAUSE_MAX));
    conn_release(c);
    *ret_n = value_count(rows);
    for (size_t i = 0; i < *ret_n; i++) {
        struct value r = value_at(rows, i);
        out[i] = (struct waiting){.id = VALUE_GET(r, "id").i,
                                  .created_at = VALUE_GET(r, "created_at").i,
                                  .tries = VALUE_GET(r, "tries").i,
                                  .kind = value_get_text(r, STR("kind")),
                                  .to = value_get_text(r, STR("recipient")),
                                  .vars = VALUE_GET(r, "vars").s,
                                  .sealed = VALUE_GET(r, "vars").kind == VALUE_BYTES};
    }
    return st;
}

struct outcome {
    const char *sql; /* ?1 key, ?2 a time, ?3 what was wrong: the first `count` of them */
    size_t count;
    int64_t key, at;
    str failed;
};

static enum status write_outcome(struct conn *c, void *arg, struct err *err)
{
    const struct outcome *o = arg;
    const struct db_value args[] = {SQL_I(o->key), SQL_I(o->at), SQL_T(o->failed)};
    return sql_change(c, o->sql, args, o->count, NULL, err);
}

static void record(struct mailer *m, struct outcome o)
{
    struct err err = ERR_INIT;
    if (store_write(m->store, write_outcome, &o, &err) != STATUS_OK)
        log_line(LOG_ERROR, "mail", "what became of e-mail %lld cannot be noted: %s", (long long)o.key, err.text);
}

static int64_t pause_s(int64_t tries)
{
    int64_t s = PAUSE_S;
    for (int64_t i = 0; i < tries && s < PAUSE_MAX; i++)
        s *= 4;
    return MIN(s, (int64_t)PAUSE_MAX);
}

/* False: the server is not there, and the others need not be tried now. */
static bool send_one(struct mailer *m, const struct waiting *w)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    int64_t now_s = clock_unix_s();
    str message = {0};
    enum status st = compose(m, a, w, &message, &err);
    if (st != STATUS_OK)
        st = STATUS_INVALID; /* it will not get better */
    else
        st = mail_send(m->config, a, w->id, w->to, message, &err);
    (void)FAULT("hub.mail.sent");
    bool old = now_s - w->created_at >= LIMIT_MAIL_AGE_S;
    if (st == STATUS_OK) {
        log_line(LOG_INFO, "mail", "%.*s to %.*s is sent", STR_ARG(w->kind), STR_ARG(w->to));
        record(m, (struct outcome){.key = w->id,
                                   .count = 2,
                                   .at = now_s,
                                   .sql = "update mails set sent_at = ?2, vars = '{}', failed = '', tries = tries + 1"
                                          " where id = ?1"});
    } else if (st == STATUS_INVALID || old) {
        log_line(LOG_WARN, "mail", "%.*s to %.*s is given up after %lld tries: %s", STR_ARG(w->kind), STR_ARG(w->to),
                 (long long)w->tries + 1, err.text);
        record(m, (struct outcome){.key = w->id, .count = 1, .sql = "delete from mails where id = ?1"});
    } else {
        log_line(LOG_WARN, "mail", "%.*s to %.*s is tried again in %lld s: %s", STR_ARG(w->kind), STR_ARG(w->to),
                 (long long)pause_s(w->tries), err.text);
        record(m, (struct outcome){.key = w->id,
                                   .count = 3,
                                   .at = now_s + pause_s(w->tries),
                                   .failed = str_of(err.text),
                                   .sql = "update mails set next_at = ?2, tries = tries + 1, failed = ?3"
                                          " where id = ?1"});
    }
    bool there = st == STATUS_OK || st == STATUS_INVALID || st == STATUS_BUSY;
    m->failures = there ? 0 : m->failures + 1;
    m->server_hold_us = there ? 0 : clock_mono_us() + pause_s(m->failures - 1) * 1000000;
    arena_free(a);
    return there;
}

static bool stopping(struct mailer *m)
{
    pthread_mutex_lock(&m->lock);
    bool stop = m->stop;
    pthread_mutex_unlock(&m->lock);
    return stop;
}

/* True: there may be more at once. */
static bool send_round(struct mailer *m)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct waiting due[ROUND];
    size_t n = 0, done = 0;
    if (fetch_due(m, a, due, &n, &err) != STATUS_OK)
        log_line(LOG_ERROR, "mail", "the queue cannot be read: %s", err.text);
    while (done < n && !stopping(m) && send_one(m, &due[done]))
        done++;
    arena_free(a);
    return n == ROUND && done == n;
}

static int64_t ask(struct mailer *m, const char *sql)
{
    struct conn *c = NULL;
    struct err err = ERR_INIT;
    int64_t n = 0;
    if (store_read(m->store, &c, &err) == STATUS_OK && conn_query_i64(c, str_of(sql), &n, &err) != STATUS_OK)
        n = 0;
    conn_release(c);
    return n;
}

static void forget_old(struct mailer *m)
{
    int64_t oldest = ask(m, "select coalesce(min(sent_at), 0) from mails where sent_at > 0");
    int64_t before = clock_unix_s() - KEEP_S;
    if (oldest && oldest < before)
        record(m, (struct outcome){
                      .key = before, .count = 1, .sql = "delete from mails where sent_at > 0 and sent_at < ?1"});
}

/* Microseconds until something is due; LOOK_S at most. */
static int64_t until_next(struct mailer *m)
{
    int64_t wait = LOOK_S * INT64_C(1000000);
    int64_t next = ask(m, "select coalesce(min(next_at), -1) from mails where sent_at = 0");
    if (next >= 0)
        wait = MIN(wait, MAX((next - clock_unix_s()) * 1000000, INT64_C(100000)));
    return m->server_hold_us ? MAX(wait, m->server_hold_us - clock_mono_us()) : wait;
}

static void wait_us(struct mailer *m, int64_t us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    us += until.tv_nsec / 1000;
    until.tv_sec += us / 1000000;
    until.tv_nsec = us % 1000000 * 1000;
    pthread_mutex_lock(&m->lock);
    while (!m->stop && !m->woken && pthread_cond_timedwait(&m->wake, &m->lock, &until) == 0)
        ;
    m->woken = false;
    pthread_mutex_unlock(&m->lock);
}

static void run(void *arg)
{
    struct mailer *m = arg;
    while (!stopping(m)) {
        int64_t hold_us = m->server_hold_us - clock_mono_us();
        if (m->server_hold_us && hold_us > 0) { /* a mail more does not make the server come back */
            wait_us(m, hold_us);
            continue;
        }
        if (send_round(m))
            continue;
        forget_old(m);
        wait_us(m, until_next(m));
    }
}

/* ---- life ---- */

static enum status check_templates(struct mailer *m, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(kinds) * 2 && st == STATUS_OK; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "hub/mail_%s.%s", kinds[i / 2].file, i % 2 ? "html" : "txt");
        st = template_check(m->env, str_of(name), err);
    }
    return st;
}

enum status mailer_new(const struct mail_config *c, struct store *store, struct mailer **ret, struct err *err)
{
    const struct template_loader loader = {.load = load};
    pthread_condattr_t attr;
    struct mailer *m = MEM_NEW(struct mailer);
    m->config = c;
    m->store = store;
    m->env = template_env_new(&loader);
    template_env_no_autoescape(m->env, ".txt");
    ASSERT(pthread_mutex_init(&m->lock, NULL) == 0 && pthread_condattr_init(&attr) == 0 &&
           pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(&m->wake, &attr) == 0);
    pthread_condattr_destroy(&attr);
    enum status st = check_templates(m, err);
    if (st == STATUS_OK)
        *ret = m;
    else
        mailer_free(m);
    return st;
}

static void wake(void *arg)
{
    mailer_wake(arg);
}

enum status mailer_start(struct mailer *m, struct err *err)
{
    enum status st = thread_start("mail", 5, run, m, &m->thread, err);
    m->started = st == STATUS_OK;
    if (m->started)
        store_when_written(m->store, wake, m);
    return st;
}

void mailer_free(struct mailer *m)
{
    if (!m)
        return;
    if (m->started) {
        store_when_written(m->store, NULL, NULL);
        pthread_mutex_lock(&m->lock);
        m->stop = true;
        pthread_cond_signal(&m->wake);
        pthread_mutex_unlock(&m->lock);
        thread_join(m->thread);
    }
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    template_env_free(m->env);
    free(m);
}

void mailer_wake(struct mailer *m)
{
    pthread_mutex_lock(&m->lock);
    m->woken = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_replay — `vitrine replay`: sends recorded requests again, in order, and says where the answers differ.
 *
 * The log is an internal database or what /-/api-log.ndjson gives. Of the recorded headers only Content-Type and Accept
 * are sent: who signs in is said with --token. Answers are compared as documents: order of keys, the server's own
 * address and times of queries do not count. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "cli/command.h"
#include "codec/value.h"
#include "db/db_value.h"
#include "db/stmt.h"
#include "net/ask.h"

#define PAUSE_MAX_MS 60000 /* longest pause with --speed */

enum {
    OPT_FROM,
    OPT_TO,
    OPT_TOKEN,
    OPT_SINCE,
    OPT_ONLY,
    OPT_SPEED,
    OPT_TIMEOUT,
    OPT_IGNORE,
    OPT_DRY_RUN,
    OPT_JSON,
    OPT_HELP
};
static const struct option options[] = {
    {"--from", 0, OPTION_VALUE, "LOG", "An internal database, or a file from /-/api-log.ndjson", OPT_FROM},
    {"--to", 0, OPTION_VALUE, "URL", "The site to send the requests to", OPT_TO},
    {"--token", 0, OPTION_VALUE, "TOKEN", "Sign in with this API token", OPT_TOKEN},
    {"--since", 0, OPTION_VALUE, "TIME", "Only requests from this time on (2026-01-31T12:00)", OPT_SINCE},
    {"--only", 0, OPTION_VALUE, "PATH", "Only requests to addresses that begin so; may be given again", OPT_ONLY},
    {"--speed", 0, OPTION_VALUE, "FACTOR", "Keep the pauses between them, this much faster (1: as it was)", OPT_SPEED},
    {"--timeout", 0, OPTION_VALUE, "SECONDS", "How long to wait for an answer (default 30)", OPT_TIMEOUT},
    {"--ignore", 0, OPTION_VALUE, "KEY", "Leave this key out when answers are compared; may be given again",
     OPT_IGNORE},
    {"--dry-run", 0, OPTION_FLAG, NULL, "Say what would be sent, send nothing", OPT_DRY_RUN},
    {"--json", 0, OPTION_FLAG, NULL, "A JSON object a request", OPT_JSON},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct replay {
    struct arena *arena;
    str from, to, token, since;
    VEC(str) only, ignore;
    int64_t timeout_s, speed;
    bool dry_run, json, help;
    int64_t last_ms; /* when the request before was recorded */
    uint64_t sent, same, differ, failed, skipped;
};

static enum status read_options(struct replay *r, int argc, char **argv, struct err *err)
{
    struct option_reader in = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    str value, second;
    int id;
    enum status st;
    while ((st = option_next(&in, &id, &value, &second, err)) == STATUS_AGAIN) {
        int64_t whole = 0;
        if (id == -1)
            return err_set(err, STATUS_USAGE, "\"%.*s\" is one argument too many", STR_ARG(value));
        if ((id == OPT_TIMEOUT || id == OPT_SPEED) && (!str_to_i64(value, &whole) || whole < 1 || whole > 100000))
            return err_set(err, STATUS_USAGE, "\"%.*s\" is no number from 1 to 100000", STR_ARG(value));
        r->timeout_s = id == OPT_TIMEOUT ? whole : r->timeout_s;
        r->speed = id == OPT_SPEED ? whole : r->speed;
        r->from = id == OPT_FROM ? value : r->from;
        r->to = id == OPT_TO ? value : r->to;
        r->token = id == OPT_TOKEN ? value : r->token;
        r->since = id == OPT_SINCE ? value : r->since;
        if (id == OPT_ONLY)
            VEC_PUSH(r->arena, &r->only, value);
        if (id == OPT_IGNORE)
            VEC_PUSH(r->arena, &r->ignore, value);
        r->dry_run |= id == OPT_DRY_RUN;
        r->json |= id == OPT_JSON;
        r->help |= id == OPT_HELP;
    }
    if (st != STATUS_OK || r->help)
        return st;
    if (!r->from.n || (!r->to.n && !r->dry_run))
        return err_set(err, STATUS_USAGE, "%s is missing", r->from.n ? "--to URL" : "--from LOG");
    while (r->to.n && r->to.p[r->to.n - 1] == '/')
        r->to.n--;
    return STATUS_OK;
}

/* ---- comparing ---- */

/* "http://host/path" -> "/path" */
static str without_host(str s)
{
    size_t at = str_starts(s, STR("http://")) ? 7 : str_starts(s, STR("https://")) ? 8 : 0;
    size_t slash = at ? str_find_char(str_from(s, at), '/') : STR_NPOS;
    return !at ? s : slash == STR_NPOS ? STR("") : str_from(s, at + slash);
}

static bool is_ignored(const struct replay *r, str key)
{
    return str_is(key, "query_ms") || str_in(key, r->ignore.items, r->ignore.count);
}

/* Where the documents differ first; empty = nowhere. */
static str compare(struct replay *r, struct value x, struct value y, str path)
{
    struct arena *a = r->arena;
    if (x.kind == VALUE_DICT && y.kind == VALUE_DICT) {
        for (int turn = 0; turn < 2; turn++) {
            struct value here = turn ? y : x, there = turn ? x : y;
            for (size_t i = 0; i < value_count(here); i++) {
                const struct value_entry *e = &here.dict->entries[i];
                str at = ARENA_CAT(a, path, STR("."), e->key), found;
                if (is_ignored(r, e->key))
                    continue;
                if (!value_has(there, e->key))
                    return at;
                found = turn ? (str){0} : compare(r, e->value, value_get(there, e->key), at);
                if (found.n)
                    return found;
            }
        }
        return (str){0};
    }
    if (x.kind == VALUE_LIST && y.kind == VALUE_LIST && value_count(x) == value_count(y)) {
        for (size_t i = 0; i < value_count(x); i++) {
            str found = compare(r, value_at(x, i), value_at(y, i), arena_printf(a, "%.*s[%zu]", STR_ARG(path), i));
            if (found.n)
                return found;
        }
        return (str){0};
    }
    bool same = value_is_text(x) && value_is_text(y) ? str_eq(without_host(x.s), without_host(y.s)) : value_equal(x, y);
    return same ? (str){0} : path.n ? path : STR("the answer");
}

static str compare_bodies(struct replay *r, str was, str is)
{
    struct value x, y;
    if (str_eq(was, is))
        return (str){0};
    if (value_from_json(r->arena, was, &x, NULL) == STATUS_OK && value_from_json(r->arena, is, &y, NULL) == STATUS_OK)
        return compare(r, x, y, (str){0});
    return STR("the answer");
}

/* ---- sending ---- */

static void tell(struct replay *r, struct value q, const char *result, int status, str where, const char *why)
{
    struct arena *a = r->arena;
    str method = value_get_text(q, STR("method")), path = value_get_text(q, STR("path"));
    if (!r->json) {
        printf("%-7s %.*s %.*s", result, STR_ARG(method), STR_ARG(path));
        if (status)
            printf("  %lld", (long long)VALUE_GET(q, "status").i);
        if (status && status != VALUE_GET(q, "status").i)
            printf(" -> %d", status);
        printf("%s%.*s%s%s\n", where.n ? "  at " : "", STR_ARG(where), why ? "  " : "", why ? why : "");
        return;
    }
    struct value d = value_dict(a);
    VALUE_SET(d, "id", VALUE_GET(q, "id"));
    VALUE_SET(d, "method", value_str(method));
    VALUE_SET(d, "path", value_str(path));
    VALUE_SET(d, "result", value_cstr(result));
    VALUE_SET(d, "was", VALUE_GET(q, "status"));
    VALUE_SET(d, "status", status ? value_int(status) : VALUE_NULL);
    VALUE_SET(d, "difference", value_str_if(where.n > 0, where));
    VALUE_SET(d, "error", value_cstr(why));
    command_print_json(d, VALUE_JSON_UTF8, 0);
}

static int64_t number_at(str s, size_t at, size_t n)
{
    int64_t v = 0;
    return str_to_i64(str_sub(s, at, at + n), &v) ? v : 0;
}

/* "2026-01-31T12:30:00.123Z" as milliseconds; 0 = it is none. */
static int64_t time_ms(str at)
{
    if (at.n < 23)
        return 0;
    struct tm tm = {.tm_year = (int)number_at(at, 0, 4) - 1900,
                    .tm_mon = (int)number_at(at, 5, 2) - 1,
                    .tm_mday = (int)number_at(at, 8, 2),
                    .tm_hour = (int)number_at(at, 11, 2),
                    .tm_min = (int)number_at(at, 14, 2),
                    .tm_sec = (int)number_at(at, 17, 2)};
    return (int64_t)timegm(&tm) * 1000 + number_at(at, 20, 3);
}

static void keep_pace(struct replay *r, str at)
{
    int64_t now_ms = time_ms(at), pause = r->speed && r->last_ms ? (now_ms - r->last_ms) / r->speed : 0;
    r->last_ms = now_ms;
    pause = CLAMP(pause, 0, PAUSE_MAX_MS);
    struct timespec t = {.tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000};
    if (pause)
        nanosleep(&t, NULL);
}

static size_t pick_headers(struct replay *r, struct value recorded, str *out)
{
    size_t n = 0;
    for (size_t i = 0; recorded.kind == VALUE_DICT && i < value_count(recorded) && n < 2; i++) {
        const struct value_entry *e = &recorded.dict->entries[i];
        bool wanted = str_eq_nocase(e->key, STR("content-type")) || str_eq_nocase(e->key, STR("accept"));
        if (wanted && value_is_text(e->value))
            out[n++] = ARENA_CAT(r->arena, e->key, STR(": "), e->value.s);
    }
    if (r->token.n)
        out[n++] = ARENA_CAT(r->arena, STR("Authorization: Bearer "), r->token);
    return n;
}

static bool is_wanted(const struct replay *r, struct value q)
{
    str path = value_get_text(q, STR("path"));
    if (r->since.n && str_cmp(value_get_text(q, STR("at")), r->since) < 0)
        return false;
    bool any = !r->only.count;
    for (size_t i = 0; i < r->only.count; i++)
        any |= str_starts(path, r->only.items[i]);
    return any;
}

static void send_again(struct replay *r, struct value q)
{
    struct value body = VALUE_GET(q, "body"), answer = VALUE_GET(q, "answer");
    str headers[3], path = value_get_text(q, STR("path")), where = {0};
    struct err err = ERR_INIT;
    struct ask_answer got = {0};
    if (value_truth(VALUE_GET(q, "body_cut"))) {
        r->skipped++;
        tell(r, q, "skipped", 0, (str){0}, "its body was not recorded whole");
        return;
    }
    if (r->dry_run) {
        tell(r, q, "would", 0, (str){0}, NULL);
        return;
    }
    keep_pace(r, value_get_text(q, STR("at")));
    struct ask s = {.method = value_get_text(q, STR("method")),
                    .url = ARENA_CAT(r->arena, r->to, path),
                    .headers = headers,
                    .header_count = pick_headers(r, VALUE_GET(q, "headers"), headers),
                    .body = value_is_text(body) || body.kind == VALUE_BYTES ? body.s : (str){0},
                    .timeout_ms = r->timeout_s * 1000,
                    .max_answer = LIMIT_JSON_OUTPUT};
    r->sent++;
    if (ask_url(r->arena, &s, &got, &err) != STATUS_OK) {
        r->failed++;
        tell(r, q, "failed", 0, (str){0}, err.text);
        return;
    }
    bool comparable = !value_truth(VALUE_GET(q, "answer_cut")) && value_is_text(answer);
    if (comparable)
        where = compare_bodies(r, answer.s, got.body);
    bool same = got.status == VALUE_GET(q, "status").i && !where.n;
    r->same += same;
    r->differ += !same;
    tell(r, q, same ? "same" : "DIFFERS", got.status, where, NULL);
}

/* ---- the log ---- */

static void take(struct replay *r, struct value q)
{
    if (is_wanted(r, q))
        send_again(r, q);
}

static enum status read_database(struct replay *r, struct err *err)
{
    struct database *db;
    struct conn *c = NULL;
    struct stmt *s = NULL;
    const struct database_options o = {.name = r->from, .path = r->from, .busy_timeout_ms = LIMIT_DB_BUSY_TIMEOUT_MS};
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = database_check(db, err);
    if (st == STATUS_OK)
        st = conn_open_private(db, CONN_READ, &c, err);
    if (st == STATUS_OK)
        st = conn_prepare_trusted(c, STR("select * from api_log order by id"), &s, err);
    if (st == STATUS_SQL) {
        err_set(err, STATUS_INVALID, "%.*s holds no API log", STR_ARG(r->from));
        err_hint(err, "It is in the internal database of a site (--internal FILE) with the setting api_log on.");
        st = STATUS_INVALID;
    }
    while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        struct arena_mark mark = arena_mark(r->arena);
        struct value q = value_dict(r->arena), headers;
        for (int i = 0; i < stmt_column_count(s); i++) {
            struct db_value v = stmt_column_value(s, i);
            value_set(q, arena_str(r->arena, stmt_column_name(s, i)), db_value_copy(r->arena, &v));
        }
        if (value_from_json(r->arena, value_get_text(q, STR("headers")), &headers, NULL) == STATUS_OK)
            VALUE_SET(q, "headers", headers);
        take(r, q);
        arena_rewind(r->arena, mark);
        st = STATUS_OK;
    }
    stmt_done(s);
    conn_close(c);
    database_unref(db);
    return st;
}

static enum status read_lines(struct replay *r, str text, struct err *err)
{
    str line, rest = text;
    for (size_t n = 1; rest.n; n++) {
        struct value q;
        struct arena_mark mark = arena_mark(r->arena);
        str_cut(rest, '\n', &line, &rest);
        if (!str_trim(line).n)
            continue;
        enum status st = value_from_json(r->arena, line, &q, err);
        if (st == STATUS_OK && (!value_get_text(q, STR("method")).n || !value_get_text(q, STR("path")).n))
            st = err_set(err, STATUS_INVALID, "no recorded request: method or path is missing");
        if (st != STATUS_OK)
            return err_prefix(err, "%.*s, line %zu", STR_ARG(r->from), n);
        take(r, q);
        arena_rewind(r->arena, mark);
    }
    return STATUS_OK;
}

static enum status is_database(const struct replay *r, bool *ret, struct err *err)
{
    char head[16] = {0};
    int fd;
    enum status st = fs_open(arena_cstr(r->arena, r->from), O_RDONLY, 0, &fd, err);
    if (st != STATUS_OK)
        return st;
    *ret = pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head && memcmp(head, "SQLite format 3", sizeof head) == 0;
    close(fd);
    return STATUS_OK;
}

static enum status read_file(struct replay *r, struct err *err)
{
    str text;
    struct arena *a = arena_new(0);
    enum status st = fs_read_file(arena_cstr(r->arena, r->from), LIMIT_REPLAY_FILE, a, &text, err);
    if (st == STATUS_TOO_LARGE)
        err_hint(err, "Take a part of it (/-/api-log.ndjson?since=...), or the internal database itself.");
    if (st == STATUS_OK)
        st = read_lines(r, text, err);
    arena_free(a);
    return st;
}

static enum status run(struct replay *r, struct err *err)
{
    bool database = false;
    enum status st = is_database(r, &database, err);
    if (st == STATUS_OK)
        st = database ? read_database(r, err) : read_file(r, err);
    if (st == STATUS_OK && !r->json && !r->dry_run)
        printf("%llu sent: %llu the same, %llu differ, %llu without an answer; %llu skipped\n",
               (unsigned long long)r->sent, (unsigned long long)r->same, (unsigned long long)r->differ,
               (unsigned long long)r->failed, (unsigned long long)r->skipped);
    return st;
}

int cmd_replay(int argc, char **argv)
{
    struct replay r = {.arena = arena_new(0), .timeout_s = 30};
    struct err err = ERR_INIT;
    int code = 0;
    enum status st = read_options(&r, argc, argv, &err);
    if (st == STATUS_OK && r.help) {
        printf("Usage: vitrine replay [OPTIONS] --from LOG --to URL\n\n"
               "Sends recorded requests again, in order. Exit status 1 when an answer differs.\n\nOptions:\n");
        option_print_help(options, ARRAY_LEN(options));
    } else if (st == STATUS_OK) {
        st = run(&r, &err);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    else if (r.differ || r.failed)
        code = 1;
    arena_free(r.arena);
    return code;
}

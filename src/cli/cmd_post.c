/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_post — `vitrine post FILE URL`: the objects of a JSON file to a URL, in batches.
 *
 *   items -> filter -> batch -> POST, again after a pause while the server is busy or away -> log
 *
 * The log is NDJSON: one line that says what is sent where, then for each batch a line per refused item and one for
 * the batch, whose `next` counts the items that are dealt with. A second run with the same log begins there. A run
 * that died between an answer and its line sends that batch again: receivers that go by key do not mind.
 *
 * Statuses: 2xx and 400 are answers to a batch (400: some or all of its items are refused); 408, 425, 429, 5xx and a
 * broken connection are tried again; 413 halves the batch; everything else is about all batches and ends it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "cli/command.h"
#include "cli/post_filter.h"
#include "cli/post_items.h"
#include "codec/value.h"
#include "ingest/progress.h"
#include "net/ask.h"

#include "base/banned.h"

enum {
    OPT_BATCH_SIZE,
    OPT_HEADER,
    OPT_TOKEN,
    OPT_FILTER,
    OPT_REVERSE,
    OPT_LOG,
    OPT_RETRIES,
    OPT_TIMEOUT,
    OPT_JSON,
    OPT_SILENT,
    OPT_HELP
};
static const struct option options[] = {
    {"--batch-size", 0, OPTION_VALUE, "N", "Items of one request (default 500; 100 to /-/insert and /-/upsert)",
     OPT_BATCH_SIZE},
    {"--header", 'H', OPTION_VALUE, "'NAME: VALUE'", "A header of each request; may be given again", OPT_HEADER},
    {"--token", 0, OPTION_VALUE, "TOKEN", "Authorization: Bearer TOKEN (or the variable VITRINE_TOKEN)", OPT_TOKEN},
    {"--filter", 0, OPTION_VALUE, "SQL", "Only items where this holds; keys are columns, `item` is all of it as JSON",
     OPT_FILTER},
    {"--reverse", 0, OPTION_FLAG, NULL, "Last item first", OPT_REVERSE},
    {"--log", 0, OPTION_VALUE, "FILE.ndjson", "Write down what was answered, and go on from there when it exists",
     OPT_LOG},
    {"--retries", 0, OPTION_VALUE, "N", "Tries of one batch after the first, with growing pauses (default 8)",
     OPT_RETRIES},
    {"--timeout", 0, OPTION_VALUE, "SECONDS", "For one batch and its answer (default 60)", OPT_TIMEOUT},
    {"--json", 0, OPTION_FLAG, NULL, "Print the summary as JSON", OPT_JSON},
    {"--silent", 0, OPTION_FLAG, NULL, "No progress, no summary", OPT_SILENT},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

#define PAUSE_FIRST_MS    500
#define PAUSE_MAX_MS      30000
#define RETRY_AFTER_MAX_S 300

struct post {
    struct arena *arena, *work;
    VEC(str) headers;
    str words[2], token, filter_text, log_path;
    size_t word_count;
    int64_t batch_size, retries, timeout_s;
    bool reverse, json, silent, help, rows; /* rows: the body is {"rows": [...]} */

    struct ask request;
    struct post_items *items;
    struct post_filter *filter;
    FILE *log;
    struct progress progress;

    VEC(str) batch;        /* texts in `work` */
    VEC(uint64_t) numbers; /* their places in the file */
    size_t batch_bytes;
    uint64_t resume, next; /* items dealt with: before, and now */
    uint64_t sent, batches, created, updated, failed, left_out, skipped;
    bool counts_rows; /* the receiver says created and updated */
    struct err first_fault;
};

/* ---- options ---------------------------------------------------------------------------------------------------- */

static int print_help(void)
{
    printf("Usage: vitrine post [OPTIONS] FILE URL\n\n"
           "Sends the objects of a JSON list or of newline-delimited JSON to a URL, in batches of a JSON list each\n"
           "({\"rows\": [...]} to /-/insert and /-/upsert). FILE is - for standard input and may be packed. Made for\n"
           "https://SITE/DB/TABLE/-/import, which answers for each item.\n\nOptions:\n");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

static enum status count(str value, const char *option, int64_t least, int64_t *ret, struct err *err)
{
    if (!str_to_i64(value, ret) || *ret < least)
        return err_set(err, STATUS_USAGE, "%s must be a number from %lld, not \"%.*s\"", option, (long long)least,
                       STR_ARG(value));
    return STATUS_OK;
}

static enum status apply(struct post *p, int id, str value, struct err *err)
{
    switch (id) {
    case -1:
        if (p->word_count == ARRAY_LEN(p->words))
            return err_set(err, STATUS_USAGE, "\"%.*s\" is one argument too many", STR_ARG(value));
        p->words[p->word_count++] = value;
        break;
    case OPT_BATCH_SIZE:
        return count(value, "--batch-size", 1, &p->batch_size, err);
    case OPT_RETRIES:
        return count(value, "--retries", 0, &p->retries, err);
    case OPT_TIMEOUT:
        return count(value, "--timeout", 1, &p->timeout_s, err);
    case OPT_HEADER:
        VEC_PUSH(p->arena, &p->headers, value);
        break;
    case OPT_TOKEN:
        p->token = value;
        break;
    case OPT_FILTER:
        p->filter_text = value;
        break;
    case OPT_LOG:
        p->log_path = value;
        break;
    default:
        p->reverse |= id == OPT_REVERSE;
        p->json |= id == OPT_JSON;
        p->silent |= id == OPT_SILENT;
        p->help |= id == OPT_HELP;
        break;
    }
    return STATUS_OK;
}

static enum status read_options(struct post *p, int argc, char **argv, struct err *err)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    static const char *const missing[] = {"a file (or - for standard input)", "a URL"};
    const char *token = getenv("VITRINE_TOKEN");
    str value, second;
    int id;
    enum status st;
    p->token = str_of(token ? token : "");
    while ((st = option_next(&r, &id, &value, &second, err)) == STATUS_AGAIN) {
        st = apply(p, id, value, err);
        if (st != STATUS_OK)
            return st;
    }
    if (st != STATUS_OK || p->help)
        return st;
    if (p->word_count < ARRAY_LEN(p->words)) {
        err_set(err, STATUS_USAGE, "%s is missing", missing[p->word_count]);
        return err_hint(err, "Usage: vitrine post FILE URL");
    }
    str path, query;
    str_cut(p->words[1], '?', &path, &query);
    p->rows = str_ends(path, STR("/-/insert")) || str_ends(path, STR("/-/upsert"));
    if (!p->batch_size)
        p->batch_size = p->rows ? 100 : 500;
    if (str_ends(path, STR("/-/import")) &&
        str_find(query, STR("results=")) == STR_NPOS) /* the rest is not looked at */
        p->words[1] = ARENA_CAT(p->arena, p->words[1], query.n ? STR("&") : STR("?"), STR("results=errors"));
    if (p->token.n)
        VEC_PUSH(p->arena, &p->headers, ARENA_CAT(p->arena, STR("Authorization: Bearer "), p->token));
    return STATUS_OK;
}

/* ---- log -------------------------------------------------------------------------------------------------------- */

static void log_line(struct post *p, struct value v)
{
    struct buf b;
    if (!p->log)
        return;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    value_to_json(&b, v, VALUE_JSON_COMPACT | VALUE_JSON_UTF8);
    buf_putc(&b, '\n');
    fwrite(b.p, 1, b.n, p->log);
    buf_release(&b);
}

/* What must be the same for a log to be gone on with. */
static struct value log_head(struct post *p)
{
    struct value d = value_dict(p->arena);
    VALUE_SET(d, "file", value_str(p->words[0]));
    VALUE_SET(d, "url", value_str(p->words[1]));
    VALUE_SET(d, "filter", value_str_if(p->filter_text.n, p->filter_text));
    VALUE_SET(d, "reverse", value_bool(p->reverse));
    return d;
}

static enum status read_log(struct post *p, str text, struct err *err)
{
    struct value head = log_head(p), line;
    bool first = true;
    str one;
    while (text.n) {
        str_cut(text, '\n', &one, &text);
        if (value_from_json(p->work, one, &line, NULL) != STATUS_OK)
            continue; /* a line that was cut when the run died */
        if (first && !value_equal(line, head)) {
            err_set(err, STATUS_USAGE, "%.*s is the log of something else that was sent", STR_ARG(p->log_path));
            return err_hint(err, "Go on with the same FILE, URL, --filter and --reverse, or name another log.");
        }
        first = false;
        struct value next = VALUE_GET(line, "next");
        if (next.kind == VALUE_INT && next.i > 0)
            p->resume = MAX(p->resume, (uint64_t)next.i);
    }
    arena_reset(p->work);
    return STATUS_OK;
}

static enum status open_log(struct post *p, struct err *err)
{
    str text = {0};
    if (!p->log_path.n)
        return STATUS_OK;
    char *path = arena_cstr(p->arena, p->log_path);
    enum status st = access(path, F_OK) == 0 ? fs_read_file(path, LIMIT_POST_LOG, p->arena, &text, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = read_log(p, text, err);
    if (st != STATUS_OK)
        return st;
    p->log = fopen(path, "ae");
    if (!p->log)
        return err_sys(err, STATUS_IO, errno, "cannot write the log %s", path);
    if (text.n && text.p[text.n - 1] != '\n')
        fputc('\n', p->log);
    if (!text.n)
        log_line(p, log_head(p));
    return STATUS_OK;
}

/* ---- one request ------------------------------------------------------------------------------------------------ */

static bool is_transient(int status)
{
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

static void pause_before(const struct post *p, int64_t tried, int64_t retry_after_s, const char *why)
{
    int64_t ms = PAUSE_FIRST_MS << MIN(tried, 10);
    ms = MIN(ms, PAUSE_MAX_MS);
    if (retry_after_s >= 0)
        ms = MIN(retry_after_s, RETRY_AFTER_MAX_S) * 1000;
    if (!p->silent)
        fprintf(stderr, "\r%s; again in %.1f s\033[K\n", why, (double)ms / 1000);
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        continue;
}

static enum status check_header(str h, bool *ret_typed, struct err *err)
{
    size_t colon = str_find_char(h, ':');
    bool good = colon != STR_NPOS && colon > 0;
    for (size_t i = 0; good && i < h.n; i++)
        good = (unsigned char)h.p[i] >= ' ' || h.p[i] == '\t';
    *ret_typed = *ret_typed || (good && str_eq_nocase(str_sub(h, 0, colon), STR("content-type")));
    if (good)
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "\"%.*s\" is no header", STR_ARG(h));
    return err_hint(err, "Write it as 'Name: value'.");
}

static enum status make_request(struct post *p, struct err *err)
{
    bool typed = false;
    enum status st = STATUS_OK;
    if (!str_starts(p->words[1], STR("http://")) && !str_starts(p->words[1], STR("https://")))
        return err_set(err, STATUS_INVALID, "\"%.*s\" is no http or https URL", STR_ARG(p->words[1]));
    for (size_t i = 0; st == STATUS_OK && i < p->headers.count; i++)
        st = check_header(p->headers.items[i], &typed, err);
    if (!typed)
        VEC_PUSH(p->arena, &p->headers, STR("Content-Type: application/json"));
    p->request = (struct ask){.method = STR("POST"),
                              .url = p->words[1],
                              .headers = p->headers.items,
                              .header_count = p->headers.count,
                              .timeout_ms = p->timeout_s * 1000,
                              .max_answer = LIMIT_SEND_ANSWER};
    return st;
}

static str body_of(struct post *p, size_t from, size_t to)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_puts(&b, p->rows ? STR("{\"rows\": [") : STR("["));
    for (size_t i = from; i < to; i++) {
        buf_puts(&b, i > from ? STR(",\n") : STR(""));
        buf_puts(&b, p->batch.items[i]);
    }
    buf_puts(&b, p->rows ? STR("]}") : STR("]"));
    str body = arena_str(p->work, buf_str(&b));
    buf_release(&b);
    return body;
}

/* An answer that is one, after as many tries as it takes. */
static enum status ask(struct post *p, str body, struct ask_answer *ret, struct err *err)
{
    for (int64_t tried = 0;; tried++) {
        p->request.body = body;
        enum status st = ask_url(p->work, &p->request, ret, err);
        if (st == STATUS_OK && !is_transient(ret->status))
            return STATUS_OK;
        if (st == STATUS_TOO_LARGE)
            return err_hint(err, "Send less in one request (--batch), or ask for a shorter answer.");
        if (st == STATUS_OK)
            st = err_set(err, STATUS_BUSY, "the server answers %d", ret->status);
        if (tried >= p->retries) {
            err_hint(err, "%s",
                     p->log ? "Run it again with the same --log to go on from here."
                            : "With --log FILE a second run goes on where the first ended.");
            return st;
        }
        pause_before(p, tried, st == STATUS_BUSY ? ret->retry_after_s : -1, err->text);
        err_clear(err);
    }
}

static void take_fault(struct post *p, uint64_t item, str text)
{
    struct value d = value_dict(p->work);
    VALUE_SET(d, "item", value_int((int64_t)item));
    VALUE_SET(d, "error", value_str(text));
    log_line(p, d);
    if (p->first_fault.status == STATUS_OK)
        err_set(&p->first_fault, STATUS_INVALID, "item %llu: %.*s", (unsigned long long)item, STR_ARG(text));
}

static uint64_t number_of(struct value v)
{
    return v.kind == VALUE_INT && v.i > 0 ? (uint64_t)v.i : 0;
}

/* What the receiver says of items [from, to). */
static void take_answer(struct post *p, size_t from, size_t to, const struct ask_answer *answer)
{
    struct value v = VALUE_UNDEF, line = value_dict(p->work);
    uint64_t n = to - from, failed = 0, created = 0, updated = 0;
    bool good = value_from_json(p->work, answer->body, &v, NULL) == STATUS_OK && v.kind == VALUE_DICT;
    struct value results = VALUE_GET(v, "results"), error = VALUE_GET(v, "error");
    bool counted = good && VALUE_GET(v, "failed").kind == VALUE_INT;
    for (size_t i = 0; counted && i < value_count(results); i++) {
        struct value r = value_at(results, i);
        uint64_t index = number_of(VALUE_GET(r, "index"));
        str why = value_get_text(r, STR("error"));
        if (why.p && index < n)
            take_fault(p, p->numbers.items[from + index], why);
    }
    if (counted) {
        created = number_of(VALUE_GET(v, "created"));
        updated = number_of(VALUE_GET(v, "updated"));
        failed = n - MIN(n, created + updated);
        p->counts_rows = true;
    } else if (answer->status == 400) {
        failed = n;
    }
    if (failed && value_is_text(error))
        take_fault(p, p->numbers.items[from], error.s);
    p->created += created;
    p->updated += updated;
    p->failed += failed;
    p->sent += n;
    p->batches++;
    p->next += n;
    VALUE_SET(line, "next", value_int((int64_t)p->next));
    VALUE_SET(line, "sent", value_int((int64_t)n));
    VALUE_SET(line, "status", value_int(answer->status));
    VALUE_SET(line, "created", value_int((int64_t)created));
    VALUE_SET(line, "updated", value_int((int64_t)updated));
    VALUE_SET(line, "failed", value_int((int64_t)failed));
    log_line(p, line);
    if (p->log)
        fflush(p->log);
}

static enum status send_range(struct post *p, size_t from, size_t to, struct err *err)
{
    struct ask_answer answer;
    enum status st = ask(p, body_of(p, from, to), &answer, err);
    if (st != STATUS_OK)
        return st;
    if (answer.status == 413 && to - from > 1) {
        size_t middle = from + (to - from) / 2;
        st = send_range(p, from, middle, err);
        return st == STATUS_OK ? send_range(p, middle, to, err) : st;
    }
    if (answer.status / 100 == 2 || answer.status == 400 || answer.status == 413) {
        answer.status = answer.status == 413 ? 400 : answer.status; /* one item that is too large */
        take_answer(p, from, to, &answer);
        return STATUS_OK;
    }
    str text = str_trim(str_sub(answer.body, 0, 300));
    st = answer.status == 401 || answer.status == 403 ? STATUS_FORBIDDEN
         : answer.status == 404                       ? STATUS_NOT_FOUND
                                                      : STATUS_INVALID;
    err_set(err, st, "the server answers %d: %.*s", answer.status, STR_ARG(text));
    return st == STATUS_FORBIDDEN ? err_hint(err, "Send a token with --token or VITRINE_TOKEN.") : st;
}

static enum status flush(struct post *p, struct err *err)
{
    enum status st = p->batch.count ? send_range(p, 0, p->batch.count, err) : STATUS_OK;
    uint64_t position, size;
    post_items_progress(p->items, &position, &size);
    p->progress.size = size;
    progress_step(&p->progress, p->next, position);
    p->batch.items = NULL;
    p->batch.count = p->batch.cap = 0;
    p->numbers.items = NULL;
    p->numbers.count = p->numbers.cap = 0;
    p->batch_bytes = 0;
    arena_reset(p->work);
    return st;
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

static enum status take_item(struct post *p, const struct post_item *item, struct err *err)
{
    struct value v;
    bool wanted = true;
    str text = arena_str(p->work, item->text);
    enum status st = value_from_json(p->work, text, &v, err);
    if (st != STATUS_OK || v.kind != VALUE_DICT) {
        err_set(err, STATUS_INVALID, "line %llu is no JSON object", (unsigned long long)item->line);
        return err_hint(err, "A JSON list of objects, or one object a line, can be sent.");
    }
    if (p->filter)
        st = post_filter_test(p->filter, p->work, v, text, &wanted, err);
    if (st != STATUS_OK)
        return st;
    p->left_out += !wanted;
    if (!wanted || p->next + p->batch.count < p->resume) {
        p->skipped += wanted;
        p->next += wanted;
        if (!p->batch.count)
            arena_reset(p->work);
        return STATUS_OK;
    }
    VEC_PUSH(p->work, &p->batch, text);
    VEC_PUSH(p->work, &p->numbers, item->at);
    p->batch_bytes += text.n;
    return (int64_t)p->batch.count >= p->batch_size || p->batch_bytes > LIMIT_POST_BODY ? flush(p, err) : STATUS_OK;
}

static enum status send_all(struct post *p, struct err *err)
{
    struct post_item item;
    enum status st = STATUS_AGAIN, one = STATUS_OK;
    progress_begin(&p->progress, "sending", 0);
    while (one == STATUS_OK && (st = post_items_next(p->items, &item, err)) == STATUS_AGAIN)
        one = take_item(p, &item, err);
    if (one == STATUS_OK && st == STATUS_OK)
        one = flush(p, err);
    progress_end(&p->progress);
    return one != STATUS_OK ? one : st;
}

static void print_json(const struct post *p, double seconds)
{
    struct value d = value_dict(p->arena);
    const struct {
        str key;
        uint64_t n;
    } numbers[] = {{STR("sent"), p->sent},          {STR("batches"), p->batches}, {STR("created"), p->created},
                   {STR("updated"), p->updated},    {STR("failed"), p->failed},   {STR("left_out"), p->left_out},
                   {STR("sent_before"), p->skipped}};
    VALUE_SET(d, "ok", value_bool(!p->failed));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        value_set(d, numbers[i].key, value_int((int64_t)numbers[i].n));
    VALUE_SET(d, "seconds", value_float(seconds));
    command_print_json(d, 0, 0);
}

static void print_summary(const struct post *p, double seconds)
{
    fprintf(stderr, "Sent %llu items in %llu batches, %.1f s", (unsigned long long)p->sent,
            (unsigned long long)p->batches, seconds);
    if (p->counts_rows)
        fprintf(stderr, ": %llu created, %llu updated", (unsigned long long)p->created, (unsigned long long)p->updated);
    if (p->skipped)
        fprintf(stderr, "; %llu were sent before", (unsigned long long)p->skipped);
    if (p->left_out)
        fprintf(stderr, "; %llu left out by the filter", (unsigned long long)p->left_out);
    fprintf(stderr, "\n");
    if (p->failed)
        fprintf(stderr, "%llu were refused, the first one: %s\n", (unsigned long long)p->failed, p->first_fault.text);
    str unknown = p->filter ? post_filter_unknown(p->filter) : (str){0};
    if (unknown.n && p->left_out + p->sent + p->skipped)
        fprintf(stderr, "No item has the key \"%.*s\" that the filter names\n", STR_ARG(unknown));
}

static enum status post(struct post *p, struct err *err)
{
    int64_t began_us = clock_mono_us();
    enum status st = make_request(p, err);
    if (st == STATUS_OK && p->filter_text.n)
        st = post_filter_new(p->arena, p->filter_text, &p->filter, err);
    if (st == STATUS_OK)
        st = open_log(p, err);
    if (st == STATUS_OK)
        st = post_items_open(p->arena, p->words[0], p->reverse, &p->items, err);
    if (st != STATUS_OK)
        return st;
    if (!p->silent && !p->json)
        p->progress = progress_terminal();
    st = send_all(p, err);
    double seconds = (double)(clock_mono_us() - began_us) / 1e6;
    if (p->json && st == STATUS_OK)
        print_json(p, seconds);
    else if (!p->silent && (st == STATUS_OK || p->sent))
        print_summary(p, seconds);
    return st;
}

int cmd_post(int argc, char **argv)
{
    struct arena *a = arena_new(0);
    struct post p = {.arena = a, .work = arena_new(0), .retries = 8, .timeout_s = 60};
    struct err err = ERR_INIT;
    enum status st = read_options(&p, argc, argv, &err);
    if (st == STATUS_OK && !p.help)
        st = post(&p, &err);
    int code = st != STATUS_OK ? command_fail(&err) : p.help ? print_help() : p.failed > 0;
    if (p.log)
        fclose(p.log);
    post_items_close(p.items);
    post_filter_free(p.filter);
    arena_free(p.work);
    arena_free(a);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* http_server_cli — a server made of src/http alone, for black-box tests and measurements.
 *
 *   http_server_cli [listen=127.0.0.1:0]... [tls_cert=F tls_key=F] [static=DIR] [nofile=N] [grace_ms=N] [threads=N]
 *                   [queue=N] [echo=1] [LIMIT=N]... (fields of struct http_limits)
 *
 * Prints one line "listening ADDRESS" per socket, then "ready". SIGTERM stops it gracefully; exit status 0. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/url.h"
#include "http/server.h"
#include "http/static_files.h"
#include "rt/signal.h"

struct app {
    struct loop *loop;
    struct pool *pool;
    struct http_server *server;
    struct http_blob *blob_20k, *blob_2k;
    struct static_dir *files;
    uint32_t grace_ms;
    bool echo; /* every path is /echo */
    int on_gone_calls, late_answers, stream_closes, access_lines, access_incomplete;
};

struct job { /* one request on a worker */
    struct app *app;
    struct http_exchange *x;
    int64_t ms, bytes;
    bool saw_gone;
};

static str query_arg(const struct http_request *rq, const char *name, const char *fallback)
{
    struct url_pair *pairs;
    size_t count;
    if (url_parse_query(rq->arena, rq->query, 100, &pairs, &count))
        for (size_t i = 0; i < count; i++)
            if (str_is(pairs[i].key, name))
                return pairs[i].value;
    return str_of(fallback);
}

static int64_t query_int(const struct http_request *rq, const char *name, int64_t fallback)
{
    int64_t v;
    return str_to_i64(query_arg(rq, name, ""), &v) ? v : fallback;
}

static void fill_text(struct buf *b, int64_t bytes)
{
    static const char line[] = "The quick brown fox jumps over the lazy dog; 0123456789 times or so.\n";
    while (bytes > 0) {
        size_t n = (size_t)MIN(bytes, (int64_t)sizeof(line) - 1);
        buf_put(b, line, n);
        bytes -= (int64_t)n;
    }
}

static void respond_buf(struct http_exchange *x, int status, struct buf *b)
{
    struct http_response r;
    response_init(&r, http_exchange_arena(x));
    r.status = status;
    (void)response_header(&r, STR("content-type"), STR("text/plain; charset=utf-8"));
    response_body_take(&r, b);
    http_exchange_respond(x, &r);
}

/* ---- handlers on the loop ---- */

static void serve_hello(struct app *app, struct http_exchange *x)
{
    (void)app;
    struct http_response r;
    response_init(&r, http_exchange_arena(x));
    (void)response_header(&r, STR("content-type"), STR("text/plain"));
    (void)response_header(&r, STR("etag"), STR("\"hello-1\""));
    response_body_text(&r, STR("hello\n"));
    http_exchange_respond(x, &r);
}

static void serve_echo(struct app *app, struct http_exchange *x)
{
    const struct http_request *rq = http_exchange_request(x);
    struct buf b;
    (void)app;
    buf_init(&b, SIZE_MAX);
    buf_printf(&b, "method " STR_FMT "\ntarget " STR_FMT "\npath " STR_FMT "\nquery %s" STR_FMT "\nhost " STR_FMT "\n",
               STR_ARG(rq->method_text), STR_ARG(rq->target), STR_ARG(rq->path), rq->has_query ? "?" : "",
               STR_ARG(rq->query), STR_ARG(rq->host));
    buf_printf(&b, "minor %d\nsecure %d\npeer " STR_FMT "\nbody %zu\n", rq->minor, rq->secure, STR_ARG(rq->peer),
               rq->body.n);
    for (size_t i = 0; i < rq->headers.count; i++)
        buf_printf(&b, "> " STR_FMT ": " STR_FMT "\n", STR_ARG(rq->headers.items[i].name),
                   STR_ARG(rq->headers.items[i].value));
    buf_puts(&b, STR("\n"));
    buf_puts(&b, rq->body);
    respond_buf(x, 200, &b);
}

static void serve_body(struct app *app, struct http_exchange *x)
{
    struct buf b;
    (void)app;
    buf_init(&b, SIZE_MAX);
    buf_puts(&b, http_exchange_request(x)->body);
    respond_buf(x, 200, &b);
}

static enum status sink_write(struct http_sink *s, str bytes, struct err *err)
{
    (void)s;
    (void)bytes;
    (void)err;
    return STATUS_OK;
}

static void sink_close(struct http_sink *s)
{
    free(s);
}

/* "/sink" counts the bytes of its body, however many. */
static struct http_sink *body_sink(void *arg, struct http_exchange *x)
{
    (void)arg;
    if (!str_is(http_exchange_request(x)->path, "/sink"))
        return NULL;
    struct http_sink *s = calloc(1, sizeof *s);
    s->write = sink_write;
    s->close = sink_close;
    return s;
}

static void serve_sink(struct app *app, struct http_exchange *x)
{
    struct http_sink *s = http_exchange_take_sink(x);
    struct buf b;
    (void)app;
    buf_init(&b, 1000);
    if (s)
        buf_printf(&b, "%lld %s", (long long)s->bytes, s->failed.text);
    respond_buf(x, s && s->failed.status == STATUS_OK ? 200 : 408, &b);
    if (s)
        s->close(s);
}

static void serve_blob(struct http_exchange *x, struct http_blob *blob)
{
    struct http_response r;
    response_init(&r, http_exchange_arena(x));
    response_body_blob(&r, http_blob_ref(blob));
    http_exchange_respond(x, &r);
}

static void serve_blob_20k(struct app *app, struct http_exchange *x)
{
    serve_blob(x, app->blob_20k);
}

static void serve_blob_2k(struct app *app, struct http_exchange *x)
{
    serve_blob(x, app->blob_2k);
}

static void serve_header(struct app *app, struct http_exchange *x)
{
    struct http_response r;
    (void)app;
    response_init(&r, http_exchange_arena(x));
    (void)response_header(&r, STR("x-test"), query_arg(http_exchange_request(x), "v", ""));
    response_body_text(&r, STR("ok\n"));
    http_exchange_respond(x, &r);
}

static void serve_status(struct app *app, struct http_exchange *x)
{
    (void)app;
    http_exchange_fail(x, (int)query_int(http_exchange_request(x), "code", 200), STR("as asked"));
}

static void serve_big(struct app *app, struct http_exchange *x)
{
    struct buf b;
    (void)app;
    buf_init(&b, SIZE_MAX);
    fill_text(&b, query_int(http_exchange_request(x), "n", 1000));
    respond_buf(x, 200, &b);
}

static void serve_stats(struct app *app, struct http_exchange *x)
{
    struct http_stats s;
    struct buf b;
    http_server_stats(app->server, &s);
    buf_init(&b, 65536);
    buf_printf(&b,
               "{\"accepted\": %llu, \"requests\": %llu, \"refused\": %llu, \"timeouts\": %llu, \"gone\": %llu, "
               "\"connections\": %u, \"idle\": %u, \"handling\": %u, \"streaming\": %u, \"bodies_bytes\": %lld, "
               "\"on_gone_calls\": %d, \"late_answers\": %d, \"stream_closes\": %d, \"access_lines\": %d, "
               "\"access_incomplete\": %d}\n",
               (unsigned long long)s.accepted, (unsigned long long)s.requests, (unsigned long long)s.refused,
               (unsigned long long)s.timeouts, (unsigned long long)s.gone, s.connections, s.idle, s.handling,
               s.streaming, (long long)s.bodies_bytes, app->on_gone_calls,
               __atomic_load_n(&app->late_answers, __ATOMIC_RELAXED),
               __atomic_load_n(&app->stream_closes, __ATOMIC_RELAXED), app->access_lines, app->access_incomplete);
    respond_buf(x, 200, &b);
}

/* ---- on workers ---- */

static void count_gone(void *arg)
{
    struct job *j = arg;
    j->app->on_gone_calls++;
}

/* ?ms=: waits that long unless the client goes; &bytes=: size of a text answer that is compressed when wanted. */
static void work_job(void *arg, struct worker *w)
{
    struct job *j = arg;
    const struct http_request *rq = http_exchange_request(j->x);
    struct http_response r;
    struct buf b;
    (void)w;
    int64_t until = clock_mono_ms() + j->ms;
    while (clock_mono_ms() < until && !atomic_load(http_exchange_gone(j->x)))
        (void)poll(NULL, 0, 5);
    if (atomic_load(http_exchange_gone(j->x)))
        (void)__atomic_add_fetch(&j->app->late_answers, 1, __ATOMIC_RELAXED);
    response_init(&r, http_exchange_arena(j->x));
    (void)response_header(&r, STR("content-type"), STR("text/plain"));
    (void)response_header(&r, STR("etag"), STR("\"work\""));
    buf_init(&b, SIZE_MAX);
    fill_text(&b, j->bytes);
    response_body_take(&r, &b);
    response_prepare(&r, rq);
    http_exchange_respond(j->x, &r);
}

static struct job *job_new(struct app *app, struct http_exchange *x)
{
    const struct http_request *rq = http_exchange_request(x);
    struct job *j = ARENA_NEW(http_exchange_arena(x), struct job);
    *j = (struct job){.app = app, .x = x, .ms = query_int(rq, "ms", 0), .bytes = query_int(rq, "bytes", 5)};
    return j;
}

static void submit(struct app *app, struct http_exchange *x, void (*fn)(void *arg, struct worker *w), void *arg)
{
    if (!pool_submit(app->pool, 0, fn, arg))
        http_exchange_fail(x, 503, STR("busy"));
}

static void serve_work(struct app *app, struct http_exchange *x)
{
    struct job *j = job_new(app, x);
    http_exchange_on_gone(x, count_gone, j);
    submit(app, x, work_job, j);
}

/* ---- streams ---- */

struct pieces {
    struct http_stream stream;
    struct app *app;
    int64_t left, size, fail_at, ms;
};

static enum status pieces_pull(struct http_stream *s, struct buf *out, struct err *err)
{
    struct pieces *p = (struct pieces *)s;
    if (p->ms)
        (void)poll(NULL, 0, (int)p->ms);
    if (p->fail_at-- == 0)
        return err_set(err, STATUS_IO, "the stream broke as asked");
    if (p->left-- > 0)
        fill_text(out, p->size);
    return p->left > 0 ? STATUS_AGAIN : STATUS_OK;
}

static void pieces_close(struct http_stream *s)
{
    struct pieces *p = (struct pieces *)s;
    (void)__atomic_add_fetch(&p->app->stream_closes, 1, __ATOMIC_RELAXED);
    free(p);
}

/* ?pieces=&size=&fail_at=&ms=&gzip=1 */
static void serve_stream(struct app *app, struct http_exchange *x)
{
    const struct http_request *rq = http_exchange_request(x);
    struct http_response r;
    struct pieces *p = MEM_NEW(struct pieces);
    p->stream = (struct http_stream){.pull = pieces_pull, .close = pieces_close};
    p->app = app;
    p->left = query_int(rq, "pieces", 3);
    p->size = query_int(rq, "size", 70);
    p->fail_at = query_int(rq, "fail_at", -1);
    p->ms = query_int(rq, "ms", 0);
    response_init(&r, http_exchange_arena(x));
    (void)response_header(&r, STR("content-type"), STR("text/csv"));
    response_body_stream(&r, &p->stream);
    if (query_int(rq, "gzip", 0))
        response_prepare(&r, rq);
    http_exchange_respond(x, &r);
}

/* ---- files ---- */

static void answer_file(struct job *j, bool may_block)
{
    const struct http_request *rq = http_exchange_request(j->x);
    struct http_response r;
    struct err err = ERR_INIT;
    str path = str_from(rq->path, strlen("/static/"));
    response_init(&r, http_exchange_arena(j->x));
    enum status st = may_block ? static_dir_serve_blocking(j->app->files, rq, path, &r, &err)
                               : static_dir_serve(j->app->files, rq, path, &r, &err);
    if (st != STATUS_OK)
        http_exchange_fail(j->x, status_http(st), str_of(err.text));
    else
        http_exchange_respond(j->x, &r);
}

static void file_job(void *arg, struct worker *w)
{
    (void)w;
    answer_file(arg, true);
}

static void serve_static(struct app *app, struct http_exchange *x)
{
    const struct http_request *rq = http_exchange_request(x);
    struct http_response r;
    struct err err = ERR_INIT;
    if (!app->files) {
        http_exchange_fail(x, 404, STR("no static= given"));
        return;
    }
    response_init(&r, http_exchange_arena(x));
    enum status st = static_dir_serve(app->files, rq, str_from(rq->path, strlen("/static/")), &r, &err);
    if (st == STATUS_AGAIN)
        submit(app, x, file_job, job_new(app, x));
    else if (st != STATUS_OK)
        http_exchange_fail(x, status_http(st), str_of(err.text));
    else
        http_exchange_respond(x, &r);
}

static const struct {
    const char *path; /* ending with "/": a prefix */
    void (*serve)(struct app *app, struct http_exchange *x);
} routes[] = {
    {"/hello", serve_hello},    {"/echo", serve_echo},     {"/body", serve_body},     {"/blob", serve_blob_20k},
    {"/blob2k", serve_blob_2k}, {"/header", serve_header}, {"/status", serve_status}, {"/big", serve_big},
    {"/stats", serve_stats},    {"/work", serve_work},     {"/stream", serve_stream}, {"/static/", serve_static},
    {"/sink", serve_sink},
};

static void handle(void *arg, struct http_exchange *x)
{
    const struct http_request *rq = http_exchange_request(x);
    if (((struct app *)arg)->echo) {
        serve_echo(arg, x);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        str path = str_of(routes[i].path);
        if (str_eq(rq->path, path) || (path.p[path.n - 1] == '/' && str_starts(rq->path, path))) {
            routes[i].serve(arg, x);
            return;
        }
    }
    http_exchange_fail(x, 404, STR("no such page"));
}

/* "/body?limit=N" sets its own limit. */
static int64_t body_limit(void *arg, const struct http_request *rq)
{
    struct http_limits l;
    (void)arg;
    http_limits_default(&l);
    return query_int(rq, "limit", l.body_bytes);
}

static void on_access(void *arg, const struct http_access *a)
{
    struct app *app = arg;
    app->access_lines++;
    app->access_incomplete += !a->complete;
}

/* ---- program ---- */

static void die(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "http_server_cli: %s: %s\n", what, err ? err->text : "");
    exit(2);
}

static const struct {
    const char *name;
    size_t offset;
    bool wide;
} limit_names[] = {
#define L(field, is_wide)                                                                                              \
    {                                                                                                                  \
#field, offsetof(struct http_limits, field), is_wide                                                           \
    }
    L(line_bytes, false), L(head_bytes, false), L(header_count, false),  L(connections_max, false),
    L(head_ms, false),    L(body_ms, false),    L(body_total_ms, false), L(idle_ms, false),
    L(write_ms, false),   L(linger_ms, false),  L(body_bytes, true),     L(bodies_bytes, true),
#undef L
};

static bool set_limit(struct http_limits *limits, str name, int64_t value)
{
    for (size_t i = 0; i < ARRAY_LEN(limit_names); i++) {
        char *at = (char *)limits + limit_names[i].offset;
        if (!str_is(name, limit_names[i].name))
            continue;
        if (limit_names[i].wide)
            memcpy(at, &value, sizeof(value));
        else
            memcpy(at, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
        return true;
    }
    return false;
}

struct options {
    str listens[LIMIT_HTTP_LISTENERS], cert, key, files;
    size_t listen_count;
    int64_t nofile, threads, queue;
    bool limit_body;
};

static void read_options(int argc, char **argv, struct options *o, struct app *app, struct http_limits *limits)
{
    for (int i = 1; i < argc; i++) {
        str name, value;
        int64_t number = 0;
        if (!str_cut(str_of(argv[i]), '=', &name, &value))
            die(argv[i], NULL);
        bool is_number = str_to_i64(value, &number);
        if (str_is(name, "listen") && o->listen_count < LIMIT_HTTP_LISTENERS)
            o->listens[o->listen_count++] = value;
        else if (str_is(name, "tls_cert"))
            o->cert = value;
        else if (str_is(name, "tls_key"))
            o->key = value;
        else if (str_is(name, "static"))
            o->files = value;
        else if (str_is(name, "nofile"))
            o->nofile = number;
        else if (str_is(name, "threads"))
            o->threads = number;
        else if (str_is(name, "queue"))
            o->queue = number;
        else if (str_is(name, "echo"))
            app->echo = number != 0;
        else if (str_is(name, "grace_ms"))
            app->grace_ms = (uint32_t)number;
        else if (!is_number || !set_limit(limits, name, number))
            die(argv[i], NULL);
        o->limit_body = o->limit_body || str_is(name, "body_bytes");
    }
    if (!o->listen_count)
        o->listens[o->listen_count++] = STR("127.0.0.1:0");
}

static struct http_blob *make_blob(int64_t bytes)
{
    struct http_headers h = {NULL, 0, 0};
    struct arena *a = arena_new(65536);
    struct buf b;
    buf_init(&b, SIZE_MAX);
    fill_text(&b, bytes);
    (void)http_headers_add(&h, a, STR("content-type"), STR("text/plain; charset=utf-8"));
    struct http_blob *blob = http_blob_new(200, &h, buf_str(&b), (str){NULL, 0}, HTTP_BLOB_GZIP | HTTP_BLOB_ETAG);
    buf_release(&b);
    arena_free(a);
    return blob;
}

static void stopped(void *arg)
{
    loop_stop(((struct app *)arg)->loop);
}

static void on_signal(void *arg, int signo, int sender_pid)
{
    struct app *app = arg;
    (void)sender_pid;
    if (signo == SIGTERM || signo == SIGINT)
        http_server_stop(app->server, app->grace_ms, stopped, app);
}

static void start_server(struct app *app, const struct options *o, const struct http_limits *limits)
{
    struct err err = ERR_INIT;
    struct http_listen listens[LIMIT_HTTP_LISTENERS] = {0};
    struct tls_server *tls = NULL;
    char text[ADDR_TEXT_MAX];
    if (o->cert.n &&
        tls_server_new(&(struct tls_config){.cert_path = o->cert, .key_path = o->key}, &tls, &err) != STATUS_OK)
        die("tls", &err);
    for (size_t i = 0; i < o->listen_count; i++) {
        struct listener_config lc = {0};
        if (addr_parse(o->listens[i], &lc.addr, &err) != STATUS_OK ||
            listener_open(&lc, &listens[i].listener, &err) != STATUS_OK)
            die("listen", &err);
        listens[i].tls = tls;
    }
    struct http_server_config config = {
        .loop = app->loop,
        .pool = app->pool,
        .listens = listens,
        .listen_count = o->listen_count,
        .limits = *limits,
        .server_name = "http_server_cli",
        .app = app,
        .handler = handle,
        .body_sink = body_sink,
        .body_limit = o->limit_body ? NULL : body_limit,
        .access = on_access,
    };
    if (http_server_new(&config, &app->server, &err) != STATUS_OK)
        die("server", &err);
    tls_server_unref(tls);
    for (size_t i = 0; i < o->listen_count; i++) {
        (void)addr_format(http_server_addr(app->server, i), text);
        (void)printf("listening %s\n", text);
    }
    (void)printf("ready\n");
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    struct app app = {.grace_ms = 2000};
    struct options o = {.threads = 4, .queue = 64};
    struct http_limits limits;
    struct err err = ERR_INIT;
    struct signal_source *signals = NULL;
    http_limits_default(&limits);
    read_options(argc, argv, &o, &app, &limits);
    if (o.nofile && setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)o.nofile, (rlim_t)o.nofile}) != 0)
        die("nofile", NULL);
    if (loop_new(&app.loop, &err) != STATUS_OK ||
        signal_source_new(app.loop, on_signal, &app, &signals, &err) != STATUS_OK)
        die("loop", &err);
    struct pool_lane lane = {"work", (unsigned)o.threads, (unsigned)o.queue, 0, 0, 0};
    if (pool_new(&(struct pool_config){.lanes = &lane, .lane_count = 1}, &app.pool, &err) != STATUS_OK)
        die("pool", &err);
    if (o.files.n && static_dir_new(&(struct static_options){.path = o.files}, &app.files, &err) != STATUS_OK)
        die("static", &err);
    app.blob_20k = make_blob(20000);
    app.blob_2k = make_blob(2000);
    start_server(&app, &o, &limits);
    if (loop_run(app.loop, &err) != STATUS_OK)
        die("run", &err);
    http_server_free(app.server);
    pool_stop(app.pool, POOL_DRAIN, NULL, NULL);
    pool_free(app.pool);
    signal_source_free(signals);
    loop_free(app.loop);
    static_dir_free(app.files);
    http_blob_unref(app.blob_20k);
    http_blob_unref(app.blob_2k);
    return 0;
}

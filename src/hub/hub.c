/* SPDX-License-Identifier: Apache-2.0 */
/* hub — the process: what it opens, its loop, its lanes, the way of a request.
 *
 *   loop:    static file? -> 421 for a foreign host -> lane of the route -> 503 when its queue is full
 *   worker:  route -> method -> same origin? -> session -> may they? -> form -> view -> answer
 *
 * Invariants: (1) the loop's thread runs no SQL and hashes nothing; (2) a POST that a page of another origin made the
 * browser send changes nothing; (3) what a space must know is told after the write and before the answer. */
#include "hub/hub.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock_jump.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "codec/b64.h"
#include "codec/digest.h"
#include "codec/token.h"
#include "codec/url.h"
#include "hub/account.h"
#include "hub/brought.h"
#include "hub/copies.h"
#include "hub/device.h"
#include "hub/groups.h"
#include "hub/outbox_mail.h"
#include "hub/page.h"
#include "hub/route.h"
#include "hub/seals.h"
#include "hub/session.h"
#include "hub/space.h"
#include "hub/upkeep.h"
#include "hub/view/start.h"
#include "net/gate.h"
#include "net/listener.h"
#include "rt/notify.h"
#include "rt/sandbox.h"
#include "rt/signal.h"
#include "rt/thread.h"

#define OUTBOX_MS 2000 /* between two looks at what spaces want to be mailed */
/* ---- small things that everybody needs ---- */

str hub_id(struct arena *a, char kind)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[12];
    char *out = arena_alloc(a, sizeof bytes + 2);
    ASSERT(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
    out[0] = kind;
    for (size_t i = 0; i < sizeof bytes; i++)
        out[i + 1] = letters[bytes[i] & 31];
    return str_make(out, sizeof bytes + 1);
}

str hub_hash(struct arena *a, str secret)
{
    char hex[DIGEST_HEX_MAX];
    digest_sha256_hex(secret, hex);
    return arena_str(a, str_of(hex));
}

str hub_secret(struct arena *a, str *ret_hash)
{
    unsigned char bytes[32];
    ASSERT(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
    str secret = b64url_encode(a, str_make((const char *)bytes, sizeof bytes));
    *ret_hash = hub_hash(a, secret);
    return secret;
}

/* ---- opening ---- */

/* Made once: a new key would end every sign-on. */
static enum status open_key(struct hub *h, struct err *err)
{
    str path = hub_path(h->arena, &h->config, "keys/sign-on.pem");
    enum status st = token_key_load(path.p, &h->key, err);
    if (st != STATUS_NOT_FOUND)
        return st;
    err_clear(err);
    st = fs_make_folders(path, 0700, err);
    if (st == STATUS_OK)
        st = token_key_new(&h->key, err);
    return st == STATUS_OK ? token_key_save(h->key, path.p, err) : st;
}

/* Made once, and never while hub.db is sealed with another: what is sealed would be lost, and recovery codes and known
 * browsers with it. */
static enum status open_secret(struct hub *h, struct err *err)
{
    char fresh[SEALS_BYTES];
    str path = hub_path(h->arena, &h->config, SEALS_FILE), key;
    enum status st = fs_read_file(path.p, SEALS_BYTES, h->arena, &h->secret, err);
    if (st == STATUS_OK && h->secret.n != SEALS_BYTES)
        return err_set(err, STATUS_CONFIG, "%s must have %d bytes: restore it from a backup", path.p, SEALS_BYTES);
    if (st == STATUS_OK)
        return seals_begin(h->store, h->secret, err);
    if (st != STATUS_NOT_FOUND)
        return st;
    err_clear(err);
    st = seals_key(h->store, h->arena, &key, err);
    if (st != STATUS_OK)
        return st;
    if (key.n) {
        err_set(err, STATUS_CONFIG, "%s is missing, and hub.db is sealed with it", path.p);
        return err_hint(err,
                        "Put it back: vitrine hub keys --load FILE, from where vitrine hub keys --save put it. If it "
                        "is lost, vitrine hub keys --new: apps with codes are set up anew then.");
    }
    ASSERT(getrandom(fresh, sizeof fresh, 0) == (ssize_t)sizeof fresh);
    h->secret = arena_str(h->arena, str_make(fresh, sizeof fresh));
    st = fs_write_atomic(path.p, h->secret, 0600, err);
    return st == STATUS_OK ? seals_begin(h->store, h->secret, err) : st;
}

enum status hub_open(struct hub *h, str dir, struct err *err)
{
    char program[PATH_MAX];
    *h = (struct hub){.arena = arena_new(0)};
    pthread_mutex_init(&h->tell, NULL);
    pthread_mutex_init(&h->incoming, NULL);
    ssize_t n = readlink("/proc/self/exe", program, sizeof program);
    if (n <= 0 || (size_t)n >= sizeof program)
        return err_set(err, STATUS_IO, "where this program lies is not to be found out: is /proc mounted?");
    h->program = arena_str(h->arena, str_make(program, (size_t)n));
    enum status st = hub_config_read(h->arena, dir, &h->config, err);
    if (st == STATUS_OK)
        st = store_open(hub_path(h->arena, &h->config, "hub.db"), &h->store, err);
    if (st == STATUS_OK)
        st = open_key(h, err);
    if (st == STATUS_OK)
        st = open_secret(h, err);
    h->templates = hub_templates_new();
    h->statics = hub_static_new(h->arena);
    h->throttle = throttle_new();
    return st;
}

void hub_close(struct hub *h)
{
    mailer_free(h->mailer);
    providers_free(h->providers);
    template_env_free(h->templates);
    hub_static_release(h->statics);
    throttle_free(h->throttle);
    token_key_free(h->key);
    store_free(h->store);
    pthread_mutex_destroy(&h->tell);
    pthread_mutex_destroy(&h->incoming);
    arena_free(h->arena);
}

/* ---- one request, on a worker ---- */

/* Everything that a view gets is text: what is none would come back in pages, mails and hub.db. */
static bool is_text(str s)
{
    return utf8_valid(s) && str_find_char(s, '\0') == STR_NPOS;
}

static enum status check_text(struct value dict, struct err *err)
{
    for (size_t i = 0; i < value_count(dict); i++) {
        const struct value_entry *e = &dict.dict->entries[i];
        if (!is_text(e->key) || (value_is_text(e->value) && !is_text(e->value.s))) {
            err_set(err, STATUS_INVALID, "The form holds bytes that are no text.");
            return err_hint(err, "Text must be UTF-8, without NUL.");
        }
    }
    return STATUS_OK;
}

static enum status read_pairs(struct arena *a, str text, struct value *ret, struct err *err)
{
    struct url_pair *pairs;
    size_t count;
    *ret = value_dict(a);
    if (!url_parse_query(a, text, LIMIT_HUB_FIELDS, &pairs, &count))
        return err_set(err, STATUS_TOO_LARGE, "The form has more than %d fields.", LIMIT_HUB_FIELDS);
    for (size_t i = 0; i < count; i++)
        value_set(*ret, pairs[i].key, value_str(pairs[i].value));
    return check_text(*ret, err);
}

static enum status read_form(struct hub_request *rq, struct err *err)
{
    str type, rest;
    rq->form = value_dict(rq->a);
    if (!hub_is_post(rq) || !rq->http->body.n)
        return STATUS_OK;
    str_cut(http_header(rq->http, STR("content-type")), ';', &type, &rest);
    if (str_eq_nocase(str_trim(type), STR("application/json"))) {
        struct value v;
        enum status st = value_from_json(rq->a, rq->http->body, &v, err);
        if (st == STATUS_OK && v.kind != VALUE_DICT)
            st = err_set(err, STATUS_INVALID, "The body must be a JSON object.");
        if (st == STATUS_OK)
            rq->form = v;
        return st == STATUS_OK ? check_text(v, err) : st;
    }
    if ((rq->route->flags & HUB_FILE) && str_eq_nocase(str_trim(type), STR("multipart/form-data")))
        return STATUS_OK; /* the view reads it */
    if (!str_eq_nocase(str_trim(type), STR("application/x-www-form-urlencoded")))
        return err_set(err, STATUS_INVALID, "The body must be a form or JSON.");
    return read_pairs(rq->a, rq->http->body, &rq->form, err);
}

static enum status to_sign_in(struct hub_request *rq, struct err *err)
{
    if (rq->route->flags & HUB_API || hub_is_post(rq)) {
        err_set(err, STATUS_UNAUTHENTICATED, "You are signed out.");
        return err_hint(err, "Sign in, then try again.");
    }
    str here = rq->http->query.n ? ARENA_CAT(rq->a, rq->http->path, STR("?"), rq->http->query) : rq->http->path;
    return hub_go(rq, ARENA_CAT(rq->a, STR("/-/sign-in?to="), url_quote(rq->a, here, "/")), NULL);
}

/* A stolen session must not be enough for what cannot be undone: back to here after a password or a factor. */
static enum status to_confirm(struct hub_request *rq, struct err *err)
{
    if (rq->route->flags & HUB_API) {
        err_set(err, STATUS_FORBIDDEN, "Confirm first that it is you.");
        return err_hint(err, "Open /-/confirm in this browser.");
    }
    str back = rq->route->access == HUB_ADMIN ? STR("/-/admin") : STR("/-/account"); /* a form without a page */
    if (rq->route->flags & HUB_GET)
        back = rq->http->path;
    return hub_go(rq, ARENA_CAT(rq->a, STR("/-/confirm?to="), url_quote(rq->a, back, "/")), NULL);
}

static enum status no_page(const struct hub_request *rq, struct err *err)
{
    err_set(err, STATUS_NOT_FOUND, "There is no page %.*s.", STR_ARG(str_sub(rq->http->path, 0, 100)));
    return err_hint(err, "It may be mistyped, or what was here has moved.");
}

/* No route: who is signed in is known on that page too. */
static enum status nowhere(struct hub_request *rq, struct err *err)
{
    enum status st = hub_session_find(rq, err);
    return st == STATUS_OK ? no_page(rq, err) : st;
}

static enum status not_so(struct hub_request *rq, struct err *err)
{
    enum status st = hub_session_find(rq, err);
    if (st != STATUS_OK)
        return st;
    err_set(err, STATUS_METHOD, "This page does not take %.*s.", STR_ARG(str_sub(rq->http->method_text, 0, 20)));
    return err_hint(err, "Go back, and use the form or the button of the page that led here.");
}

/* Each form may leave a row behind, in the log if nowhere else. Far more than anybody sends. */
static enum status may_send(struct hub_request *rq, struct err *err)
{
    const struct throttle_rule rule = {(uint32_t)LIMIT_HUB_POSTS, 500};
    if (!hub_is_post(rq) || value_is_null(rq->user))
        return STATUS_OK;
    int64_t wait =
        throttle_take(rq->hub->throttle, ARENA_CAT(rq->a, STR("forms "), hub_user_id(rq)), rule, clock_mono_ms());
    return wait ? err_set(err, STATUS_RATE, "Too many forms in a short time. Wait %lld seconds.", (long long)wait)
                : STATUS_OK;
}

static enum status dispatch(struct hub_request *rq, struct err *err)
{
    bool get = rq->http->method == HTTP_GET || rq->http->method == HTTP_HEAD;
    if (!rq->route || !is_text(rq->params[0]) || !is_text(rq->params[1]))
        return nowhere(rq, err);
    if (!(get && (rq->route->flags & HUB_GET)) && !(hub_is_post(rq) && (rq->route->flags & HUB_POST)))
        return not_so(rq, err);
    if (hub_is_post(rq) && !hub_same_origin(rq)) {
        err_set(err, STATUS_FORBIDDEN, "This form was sent by a page of another site.");
        return err_hint(err, "Open the page here and send the form from there.");
    }
    enum status st = hub_session_find(rq, err);
    if (st == STATUS_OK)
        st = may_send(rq, err);
    if (st == STATUS_OK)
        st = read_pairs(rq->a, rq->http->query, &rq->args, err);
    if (st == STATUS_OK)
        st = read_form(rq, err);
    if (st != STATUS_OK)
        return st;
    if (rq->route->access != HUB_ANYBODY && value_is_null(rq->user))
        return to_sign_in(rq, err);
    if (rq->route->access == HUB_ADMIN && !value_truth(VALUE_GET(rq->user, "is_admin")))
        return no_page(rq, err);
    if (rq->route->flags & HUB_STRONG && clock_age_s(rq->strong_at, clock_unix_s()) > LIMIT_HUB_STRONG_S)
        return to_confirm(rq, err);
    return rq->route->view(rq, err);
}

static void run(void *arg, struct worker *w)
{
    struct hub_request *rq = arg;
    struct err err = ERR_INIT;
    (void)w;
    if (dispatch(rq, &err) != STATUS_OK)
        hub_answer_error(rq, &err);
    hub_conn_release(rq);
    response_prepare(&rq->response, rq->http);
    http_exchange_respond(rq->exchange, &rq->response);
}

/* ---- loop ---- */

static bool host_is_ours(const struct hub *h, str host)
{
    str name, port;
    str_cut(host, ':', &name, &port);
    return str_eq_nocase(name, h->config.domain);
}

static void handle(void *app, struct http_exchange *x)
{
    struct hub *h = app;
    const struct http_request *http = http_exchange_request(x);
    if (hub_static(h->statics, x))
        return;
    if (!host_is_ours(h, http->host) && !str_is(http->path, "/-/health")) {
        http_exchange_fail(x, 421, STR("This host is not served here.\n"));
        return;
    }
    struct hub_request *rq = hub_request_new(h, x);
    rq->route = hub_route_find(rq->a, http->path, rq->params);
    bool own = rq->route && (hub_is_post(rq) || (rq->route->flags & HUB_SLOW));
    enum hub_lane lane = own ? rq->route->lane : HUB_PAGE;
    if (lane == HUB_PASSWORD && device_is_known(h, http, rq->a))
        lane = HUB_KNOWN;
    if (!pool_submit_flow(h->pool, lane, (uint32_t)str_hash(rq->crowd), run, rq)) {
        struct err busy = ERR_INIT;
        err_set(&busy, STATUS_BUSY, "Too many people ask at once.");
        err_hint(&busy, "Try again in a moment.");
        hub_answer_error(rq, &busy);
        response_header(&rq->response, STR("retry-after"), STR("2"));
        http_exchange_respond(x, &rq->response);
    }
}

static int64_t body_limit(void *app, const struct http_request *http)
{
    (void)app;
    if (start_is_upload(http))
        return INT64_MAX / 2; /* its sink says it when it is too large */
    str params[2];
    const struct hub_route *route = hub_route_find(http->arena, http->path, params);
    return LIMIT_HUB_FORM + (route && (route->flags & HUB_FILE) ? LIMIT_HUB_FILE_FORM : 0);
}

static struct http_sink *body_sink(void *app, struct http_exchange *x)
{
    return start_is_upload(http_exchange_request(x)) ? start_sink_new(app, x) : NULL;
}

static enum status start_pool(struct hub *h, struct err *err)
{
    unsigned cpus = thread_cpus();
    const struct pool_lane lanes[HUB_LANES] = {
        [HUB_PAGE] = {.name = "hub-page", .threads = cpus + 1, .queue_max = LIMIT_HUB_QUEUE},
        [HUB_PASSWORD] = {.name = "hub-password",
                          .threads = 1,
                          .queue_max = LIMIT_HUB_SIGN_IN_QUEUE,
                          .flow_max = LIMIT_HUB_SIGN_IN_FLOW,
                          .nice = 2},
        [HUB_SIGN_UP] = {.name = "hub-sign-up",
                         .threads = 1,
                         .queue_max = LIMIT_HUB_SIGN_IN_QUEUE,
                         .flow_max = LIMIT_HUB_SIGN_IN_FLOW,
                         .nice = 2},
        [HUB_KNOWN] = {.name = "hub-known",
                       .threads = 1,
                       .queue_max = LIMIT_HUB_SIGN_IN_QUEUE,
                       .flow_max = LIMIT_HUB_SIGN_IN_FLOW,
                       .nice = 2},
        [HUB_CHANGE] = {.name = "hub-change", .threads = 4, .queue_max = LIMIT_HUB_QUEUE},
        [HUB_COPY] = {.name = "hub-copy", .threads = 2, .queue_max = LIMIT_HUB_QUEUE, .nice = 5},
        [HUB_OUTSIDE] = {.name = "hub-outside", .threads = 4, .queue_max = LIMIT_HUB_QUEUE},
        [HUB_NAMES] = {.name = "hub-names", .threads = 2, .queue_max = LIMIT_HUB_QUEUE},
        [HUB_BODY] = {.name = "hub-body", .threads = 2, .queue_max = LIMIT_HUB_QUEUE, .nice = 2},
        [HUB_BACKGROUND] = {.name = "hub-background", .threads = 2, .queue_max = LIMIT_HUB_QUEUE, .nice = 5},
    };
    return pool_new(&(struct pool_config){.lanes = lanes, .lane_count = HUB_LANES}, &h->pool, err);
}

struct process {
    struct hub hub;
    const struct hub_run_config *config;
    struct http_server *server;
    struct signal_source *signals;
    struct gate *gate;
    struct loop_timer gate_timer, upkeep_timer, outbox;
    struct upkeep_clock clock; /* of the round of upkeep: one at a time */
    atomic_bool outbox_busy;
    bool swept; /* upkeep's own */
    bool stopping;
};

/* ---- the way of spaces to their folders ---- */

/* Without mounts of their own they take the machine's, each as its user; what they pass by is closed by itself. */
static void open_way(struct hub *h)
{
    const str folders[] = {h->config.dir, hub_path(h->arena, &h->config, "spaces")};
    if (geteuid() != 0 || h->config.isolation != ISOLATION_AVAILABLE || sandbox_has_namespaces())
        return;
    struct err err = ERR_INIT;
    enum status st = fs_make_folders(hub_path(h->arena, &h->config, "spaces/"), 0711, &err);
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(folders); i++) {
        struct stat s;
        const char *path = arena_cstr(h->arena, folders[i]);
        if (stat(path, &s) != 0 || ((s.st_mode & 0011) != 0011 && chmod(path, (s.st_mode & 07777) | 0011) != 0))
            st = err_sys(&err, STATUS_IO, errno, "cannot let spaces through %s", path);
    }
    if (st != STATUS_OK)
        log_line(LOG_ERROR, "hub", "%s", err.text);
}

/* ---- the gate of spaces ---- */

#define GATE_AGAIN_MS      1000
#define GATE_CONNECTIONS   16                    /* at once, of a space */
#define GATE_BYTES_AN_HOUR UINT64_C(20000000000) /* of a space */

/* A predecessor that still serves has the socket until it ends. */
static void open_gate(void *arg)
{
    struct process *p = arg;
    struct err err = ERR_INIT;
    struct gate_config c = {.path = hub_path(p->hub.arena, &p->hub.config, HUB_GATE),
                            .connections = GATE_CONNECTIONS,
                            .bytes = GATE_BYTES_AN_HOUR};
    enum status st = fs_make_folders(c.path, 0711, &err); /* spaces go through it, each as its own user */
    if (st == STATUS_OK)
        st = gate_new(&c, &p->gate, &err);
    if (st == STATUS_CONFLICT)
        loop_timer_after_ms(p->hub.loop, &p->gate_timer, GATE_AGAIN_MS);
    else if (st != STATUS_OK)
        log_line(LOG_ERROR, "hub", "spaces cannot reach the web: %s", err.text);
}

static void on_stopped(void *arg)
{
    struct process *p = arg;
    loop_stop(p->hub.loop);
}

static void on_signal(void *arg, int signo, int sender)
{
    struct process *p = arg;
    (void)sender;
    if (signo == SIGHUP || signo == SIGUSR1 || signo == SIGUSR2 || signo == SIGCHLD)
        return;
    atomic_store(&p->hub.stopping, true);
    http_server_stop(p->server, p->stopping ? 0 : p->config->grace_ms, on_stopped, p);
    p->stopping = true;
}

/* A round at a time: the next one begins some time after this one has ended, on the loop. */
static void round_ended(void *arg)
{
    struct process *p = arg;
    if (!p->stopping)
        loop_timer_after_ms(p->hub.loop, &p->upkeep_timer, LIMIT_HUB_UPKEEP_MS);
}

static void round_of_upkeep(void *arg, struct worker *w)
{
    struct process *p = arg;
    (void)w;
    struct err err = ERR_INIT;
    if (!p->swept) {
        copies_sweep(&p->hub);
        if (groups_prune(&p->hub, &err) != STATUS_OK)
            log_line(LOG_ERROR, "hub", "groups: %s", err.text);
    }
    p->swept = true;
    upkeep_round(&p->hub, &p->clock);
    loop_post(p->hub.loop, round_ended, p);
}

static void begin_round(void *arg)
{
    struct process *p = arg;
    if (!pool_submit(p->hub.pool, HUB_BACKGROUND, round_of_upkeep, p))
        round_ended(p);
}

static void look_at_outboxes(void *arg, struct worker *w)
{
    struct process *p = arg;
    (void)w;
    outbox_mail_all(&p->hub);
    atomic_store(&p->outbox_busy, false);
}

static void on_outbox(void *arg)
{
    struct process *p = arg;
    bool idle = !atomic_load(&p->hub.stopping) && !atomic_exchange(&p->outbox_busy, true);
    if (idle && !pool_submit(p->hub.pool, HUB_BACKGROUND, look_at_outboxes, p))
        atomic_store(&p->outbox_busy, false);
    loop_timer_after_ms(p->hub.loop, &p->outbox, OUTBOX_MS);
}

/* What reaches the outside world. */
static enum status open_outside(struct hub *h, struct err *err)
{
    const struct hub_config *c = &h->config;
    enum status st = mail_config_read(h->arena, VALUE_GET(c->root, "mail"), c->domain, c->origin, &h->mail_config, err);
    h->mail_config.key = h->secret;
    if (st == STATUS_OK)
        st = providers_new(c->root, &h->providers, err);
    if (st == STATUS_OK)
        st = mailer_new(&h->mail_config, h->store, &h->mailer, err);
    return st == STATUS_OK ? mailer_start(h->mailer, err) : st;
}

enum status hub_check(const struct hub_config *c, struct err *err)
{
    struct arena *a = arena_new(0);
    struct mail_config mail;
    struct providers *providers = NULL;
    enum status st = mail_config_read(a, VALUE_GET(c->root, "mail"), c->domain, c->origin, &mail, err);
    if (st == STATUS_OK)
        st = providers_new(c->root, &providers, err);
    providers_free(providers);
    arena_free(a);
    return st;
}

static enum status start(struct process *p, struct err *err)
{
    struct hub *h = &p->hub;
    struct listener *listener = NULL;
    enum status st = loop_new(&h->loop, err);
    if (st == STATUS_OK)
        st = signal_source_new(h->loop, on_signal, p, &p->signals, err);
    if (st == STATUS_OK)
        st = start_pool(h, err);
    if (st == STATUS_OK)
        st = listener_open(&(struct listener_config){.addr = p->config->addr, .unix_mode = 0600}, &listener, err);
    if (st != STATUS_OK)
        return st;
    const struct http_listen listens[] = {{listener, NULL}};
    struct http_server_config c = {.loop = h->loop,
                                   .pool = h->pool,
                                   .stream_lane = HUB_BACKGROUND,
                                   .sink_lane = HUB_BODY,
                                   .listens = listens,
                                   .listen_count = 1,
                                   .app = h,
                                   .handler = handle,
                                   .body_limit = body_limit,
                                   .body_sink = body_sink};
    http_limits_default(&c.limits);
    return http_server_new(&c, &p->server, err);
}

enum status hub_run(const struct hub_run_config *config, struct err *err)
{
    struct process p = {.config = config};
    enum status st = hub_open(&p.hub, config->dir, err);
    if (st == STATUS_OK)
        st = open_outside(&p.hub, err);
    if (st == STATUS_OK)
        st = brought_look(&p.hub, err);
    if (st == STATUS_OK)
        open_way(&p.hub);
    if (st == STATUS_OK)
        st = start(&p, err);
    if (st == STATUS_OK) {
        log_line(LOG_INFO, "hub", "serves %.*s", STR_ARG(p.hub.config.origin));
        atomic_store(&p.hub.unsettled, true); /* what a process before this one left */
        loop_timer_init(&p.gate_timer, open_gate, &p);
        loop_timer_init(&p.upkeep_timer, begin_round, &p);
        loop_timer_after_ms(p.hub.loop, &p.upkeep_timer, 0);
        open_gate(&p);
        loop_timer_init(&p.outbox, on_outbox, &p);
        loop_timer_after_ms(p.hub.loop, &p.outbox, OUTBOX_MS);
        notify_send("READY=1");
        st = loop_run(p.hub.loop, err);
        loop_timer_cancel(p.hub.loop, &p.gate_timer);
        loop_timer_cancel(p.hub.loop, &p.outbox);
        loop_timer_cancel(p.hub.loop, &p.upkeep_timer);
        gate_free(p.gate);
    }
    atomic_store(&p.hub.stopping, true);
    if (p.hub.pool)
        pool_stop(p.hub.pool, POOL_DRAIN, NULL, NULL);
    http_server_free(p.server);
    signal_source_free(p.signals);
    pool_free(p.hub.pool);
    loop_free(p.hub.loop);
    hub_close(&p.hub);
    return st;
}

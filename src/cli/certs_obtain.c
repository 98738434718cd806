/* SPDX-License-Identifier: Apache-2.0 */
/* certs_obtain — what a running edge starts for each certificate (src/edge/certs.c): speaks to the authority, has the
 * edge or the DNS answer its challenges, writes the file, says how it went. Also `look`: when are they to be renewed?
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "cli/certs_obtain.h"
#include "codec/b64.h"
#include "codec/digest.h"
#include "codec/url.h"
#include "edge/cert_store.h"
#include "http/edge_call.h"
#include "net/ask.h"
#include "net/x509.h"
#include "rt/fault.h"
#include "rt/loop.h"
#include "rt/proc.h"

#define TELL_TRIES    100
#define TELL_PAUSE_US 100000

/* ---- to the edge ---- */

/* An edge that is being replaced is waited for: what we say to it must arrive. */
static enum status tell(const struct certs_job *j, const char *what, struct value body, struct err *err)
{
    struct value answer;
    str path = arena_printf(j->a, "/certs-tell/%s", what);
    for (int try = 1;; try++) {
        err_clear(err);
        enum status st = edge_call(j->a, j->state, "POST", path, body, &answer, err);
        if ((st != STATUS_NOT_FOUND && st != STATUS_IO && st != STATUS_BUSY) || try == TELL_TRIES)
            return st;
        (void)usleep(TELL_PAUSE_US);
    }
}

static struct value about(const struct certs_job *j)
{
    struct value v = value_dict(j->a);
    VALUE_SET(v, "name", value_str(j->name));
    return v;
}

static void say(void *arg, const char *text)
{
    const struct certs_job *j = arg;
    struct value v = about(j), answer;
    VALUE_SET(v, "text", value_cstr(text));
    if (edge_call(j->a, j->state, "POST", STR("/certs-tell/progress"), v, &answer, NULL) != STATUS_OK)
        return; /* nobody listens */
}

/* ---- the DNS ---- */

struct hook {
    struct loop *loop;
    int wait_status;
    bool late;
};

static void on_hook_end(void *arg, int wait_status)
{
    struct hook *h = arg;
    h->wait_status = wait_status;
    loop_stop(h->loop);
}

static void on_late(void *arg)
{
    struct hook *h = arg;
    h->late = true;
    loop_stop(h->loop);
}

static enum status run_hook(const struct certs_job *j, const char *verb, str name, str text, struct err *err)
{
    struct hook h = {0};
    struct proc *p = NULL;
    struct loop_timer timer;
    char how[64];
    const char *path = arena_cstr(j->a, j->options->hook);
    char *argv[] = {(char *)(uintptr_t)path, (char *)(uintptr_t)verb, (char *)(uintptr_t)arena_cstr(j->a, name),
                    (char *)(uintptr_t)arena_cstr(j->a, text), NULL};
    static const struct proc_fd out_to_err[] = {{STDERR_FILENO, STDOUT_FILENO}};
    const struct proc_config config = {.path = path, .argv = argv, .fds = out_to_err, .fd_count = 1};
    enum status st = loop_new(&h.loop, err);
    if (st != STATUS_OK)
        return st;
    loop_timer_init(&timer, on_late, &h);
    loop_timer_after_ms(h.loop, &timer, LIMIT_CERT_HOOK_MS);
    st = proc_spawn(h.loop, &config, on_hook_end, &h, &p, err);
    if (st == STATUS_OK)
        st = loop_run(h.loop, err);
    loop_timer_cancel(h.loop, &timer);
    proc_free(p);
    loop_free(h.loop);
    if (st != STATUS_OK)
        return st;
    if (h.late)
        return err_set(err, STATUS_TIMEOUT, "%s %s did not end within %d s", path, verb, LIMIT_CERT_HOOK_MS / 1000);
    if (h.wait_status == 0)
        return STATUS_OK;
    proc_describe(h.wait_status, how, sizeof(how));
    err_set(err, STATUS_CONFIG, "%s %s failed: it %s", path, verb, how);
    return err_hint(err, "It is called as PROGRAM present|remove NAME TEXT; what it wrote is in the edge's log.");
}

static enum status dns(const struct certs_job *j, const struct acme_challenge *c, bool add, struct err *err)
{
    str name = ARENA_CAT(j->a, STR("_acme-challenge."), c->host);
    str text = digest_sha256_b64url(j->a, c->key_authorization); /* RFC 8555 section 8.4 */
    if (j->options->hook.n)
        return run_hook(j, add ? "present" : "remove", name, text, err);
    enum status st = dns_update_txt(j->a, &j->options->dns, name, text, add, err);
    if (st == STATUS_OK && add)
        (void)sleep((unsigned)j->options->dns.wait_s);
    return st;
}

/* ---- the solver ---- */

static enum status present(void *arg, const struct acme_challenge *c, struct err *err)
{
    const struct certs_job *j = arg;
    struct value v = about(j);
    if (c->kind == ACME_DNS_01)
        return dns(j, c, true, err);
    VALUE_SET(v, "host", value_str(c->host));
    VALUE_SET(v, "token", value_str(c->token));
    if (c->kind == ACME_HTTP_01)
        VALUE_SET(v, "text", value_str(c->key_authorization));
    else
        VALUE_SET(v, "pem", value_str(x509_challenge(j->a, c->host, c->key_authorization)));
    return tell(j, "challenge", v, err);
}

static void withdraw(void *arg, const struct acme_challenge *c)
{
    const struct certs_job *j = arg;
    struct err err = ERR_INIT;
    enum status st = c->kind == ACME_DNS_01 ? dns(j, c, false, &err) : tell(j, "withdraw", about(j), &err);
    if (st != STATUS_OK)
        log_line(LOG_WARN, "certs", "%.*s: the challenge was not taken away: %s", STR_ARG(j->name), err.text);
}

/* ---- on demand ---- */

/* FORBIDDEN: whoever is asked does not know the name. */
static enum status ask_first(const struct certs_job *j, struct err *err)
{
    struct ask_answer answer;
    str url = j->options->ask;
    struct ask q = {.method = STR("GET"), .timeout_ms = LIMIT_CERT_ASK_MS, .max_answer = 65536};
    q.url = arena_printf(j->a, "%.*s%sdomain=%.*s", STR_ARG(url), str_find_char(url, '?') == STR_NPOS ? "?" : "&",
                         STR_ARG(j->name));
    enum status st = ask_url(j->a, &q, &answer, err);
    if (st != STATUS_OK) {
        err_prefix(err, "whether %.*s may have a certificate is not known", STR_ARG(j->name));
        return err ? err->status : st;
    }
    return answer.status == 200 ? STATUS_OK
                                : err_set(err, STATUS_FORBIDDEN, "%.*s is no name of ours (the answer was %d)",
                                          STR_ARG(j->name), answer.status);
}

/* ---- all of it ---- */

static struct acme_config config_of(const struct certs_job *j)
{
    char hex[DIGEST_HEX_MAX];
    digest_sha256_hex(j->options->directory, hex);
    return (struct acme_config){
        .directory = j->options->directory,
        .contact = j->options->contact,
        .ca_file = j->options->ca_file,
        .account = arena_printf(j->a, "%.*s/" CERT_FOLDER "/account-%.16s.json", STR_ARG(j->state), hex),
        .eab_kid = j->options->eab_kid,
        .eab_key = j->options->eab_key,
        .agree = j->options->agree,
        .timeout_ms = LIMIT_CERT_OBTAIN_MS,
    };
}

static enum status obtain(const struct certs_job *j, struct acme_result *ret, struct err *err)
{
    const struct acme_solver solver = {(void *)(uintptr_t)j, present, withdraw, say};
    struct acme_config config = config_of(j);
    str there = STR("");
    if (cert_pem_read(j->a, j->state, j->name, &there, NULL) != STATUS_OK)
        there = STR(""); /* it replaces none */
    enum status st = j->ask_first ? ask_first(j, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = acme_obtain(j->a, &config, &solver, j->name, j->kind, there, ret, err);
    if (st == STATUS_OK)
        st = cert_pem_write(j->a, j->state, j->name, ret->pem, err);
    return st;
}

enum status certs_obtain(const struct certs_job *j, struct err *err)
{
    struct acme_result result = {0};
    struct err told = ERR_INIT;
    struct value v = about(j);
    enum status st = obtain(j, &result, err);
    if (st != STATUS_OK) {
        VALUE_SET(v, "error", value_cstr(err->text));
        VALUE_SET(v, "hint", value_cstr(err->hint));
        VALUE_SET(v, "refused", value_bool(j->ask_first && st == STATUS_FORBIDDEN));
    }
    VALUE_SET(v, "retry_after", value_int(result.retry_after_s));
    VALUE_SET(v, "renew_at", value_int(result.renew_at_s));
    VALUE_SET(v, "look_again", value_int(result.look_again_s));
    if (tell(j, "result", v, &told) != STATUS_OK)
        log_line(LOG_ERROR, "certs", "%.*s: the edge was not told: %s", STR_ARG(j->name), told.text);
    (void)FAULT("certs.told");
    return st;
}

enum status certs_look(struct certs_job *j, const str *names, size_t count, struct err *err)
{
    struct acme_config config = config_of(j);
    enum status st = STATUS_OK;
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        struct acme_result result;
        struct err told = ERR_INIT;
        str pem;
        j->name = names[i];
        if (!cert_name_ok(j->name) || cert_pem_read(j->a, j->state, j->name, &pem, NULL) != STATUS_OK)
            continue;
        st = acme_renewal_info(j->a, &config, pem, &result, err);
        if (st == STATUS_NOT_FOUND) { /* nor will it for the others */
            err_clear(err);
            return STATUS_OK;
        }
        struct value v = about(j);
        VALUE_SET(v, "renew_at", value_int(result.renew_at_s));
        VALUE_SET(v, "look_again", value_int(result.look_again_s));
        if (st == STATUS_OK && tell(j, "look", v, &told) != STATUS_OK)
            log_line(LOG_WARN, "certs", "%s", told.text);
    }
    return st;
}

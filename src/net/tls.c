/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's headers come before ours: they use names that base/banned.h takes away. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "net/client_hello.h"
#include "net/identity.h"
#include "net/tls.h"

#define ALPN_MAX 64 /* bytes of the protocol list on the wire */

struct tls_server {
    atomic_uint refs;
    SSL_CTX *ctx;
    unsigned char alpn[ALPN_MAX]; /* length-prefixed names (RFC 7301 section 3.1) */
    unsigned alpn_n;
    struct identity **given; /* from files; the first is for clients that name no host */
    size_t given_count;
    struct map *names;      /* name -> identity: given, and obtained */
    struct map *challenges; /* name -> identity */
    struct identity **held; /* references for what the maps have besides `given` */
    size_t held_count;
    bool hold;
};

/* What a connection adds: SSL_get_app_data. */
struct tls_session {
    struct tls_server *server; /* the newest that it was told of; its SSL_CTX may be an older one's */
    char *awaits;              /* a name without certificate; NULL: none */
    bool challenge;            /* it speaks acme-tls/1 */
    bool gave_up;
};

void tls_error_text(char *out, size_t out_size)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(out, out_size, "%s", reason ? reason : "unknown error");
    ERR_clear_error();
}

/* ---- context ---- */

/* Which protocol is looked up in the session: its SSL_CTX may be older than the server it asks now. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                       unsigned in_n, void *arg)
{
    static const unsigned char challenge[] = "\012acme-tls/1";
    const struct tls_session *s = SSL_get_app_data(ssl);
    const unsigned char *ours = s->challenge ? challenge : s->server->alpn;
    unsigned ours_n = s->challenge ? sizeof(challenge) - 1 : s->server->alpn_n;
    unsigned char *chosen;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_n, ours, ours_n, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2: no_application_protocol */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static struct identity *find(const struct map *m, str host)
{
    struct identity *id = map_get(m, host);
    size_t dot = str_find_char(host, '.');
    if (id || dot == STR_NPOS || dot == 0)
        return id;
    char wild[CLIENT_HELLO_HOST_MAX + 1];
    int n = snprintf(wild, sizeof(wild), "*%.*s", STR_ARG(str_from(host, dot)));
    return map_get(m, str_make(wild, (size_t)n));
}

static str extension(SSL *ssl, unsigned type)
{
    const unsigned char *p = NULL;
    size_t n = 0;
    return SSL_client_hello_get0_ext(ssl, type, &p, &n) == 1 ? str_make((const char *)p, n) : STR("");
}

/* Before anything else of the handshake, and again each time it goes on: the certificate for the name that the client
 * asks for. There is none: it waits if somebody may get one, else our first certificate, and the client decides (RFC
 * 6066 section 3); there is no first one either: unrecognized_name. */
static int on_hello(SSL *ssl, int *alert, void *arg)
{
    struct tls_session *s = SSL_get_app_data(ssl);
    char name[CLIENT_HELLO_HOST_MAX];
    str host = str_make(name, client_hello_host(extension(ssl, TLSEXT_TYPE_server_name), name));
    bool challenge =
        client_hello_only(extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation), STR("acme-tls/1"));
    struct identity *id = challenge ? map_get(s->server->challenges, host) : find(s->server->names, host);
    (void)arg;
    free(s->awaits);
    s->awaits = NULL;
    s->challenge = challenge && id;
    if (id) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return identity_use(id, ssl) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
    }
    if (host.n && !challenge && s->server->hold && !s->gave_up) {
        s->awaits = mem_cstr(host);
        return SSL_CLIENT_HELLO_RETRY;
    }
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_get_certificate(ssl) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

static void set_alpn(struct tls_server *t, const char *const *names)
{
    static const char *const default_names[] = {"http/1.1", NULL};
    for (const char *const *name = names ? names : default_names; *name; name++) {
        size_t n = strlen(*name);
        ASSERT(n > 0 && n < 256 && t->alpn_n + 1 + n <= sizeof(t->alpn));
        t->alpn[t->alpn_n] = (unsigned char)n;
        memcpy(t->alpn + t->alpn_n + 1, *name, n);
        t->alpn_n += (unsigned)n + 1;
    }
}

/* Forward-secret, authenticated ciphers only; TLS 1.3 brings its own. Sessions live in tickets, not in our memory. An
 * end of file without close_notify is an end of file: HTTP frames its messages itself. */
static bool set_options(SSL_CTX *ctx)
{
    static const unsigned char session_context[] = "vitrine";
    char groups[] = "X25519:P-256:P-384"; /* OpenSSL's macro casts const away */
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx, 1);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1;
}

static enum status make_ctx(struct tls_server *t, struct err *err)
{
    char text[256];
    ERR_clear_error();
    t->ctx = SSL_CTX_new(TLS_server_method());
    if (t->ctx && set_options(t->ctx)) {
        SSL_CTX_set_client_hello_cb(t->ctx, on_hello, NULL);
        SSL_CTX_set_alpn_select_cb(t->ctx, choose_alpn, NULL);
        return STATUS_OK;
    }
    tls_error_text(text, sizeof(text));
    return err_set(err, STATUS_IO, "cannot set up TLS: %s", text);
}

static void add_names(struct map *m, struct identity *id)
{
    for (size_t i = 0; i < identity_name_count(id); i++)
        if (!map_has(m, identity_name(id, i)))
            (void)map_put(m, identity_name(id, i), id);
}

/* Every certificate is shown to a context once, so that one which cannot be used is found now and not in a handshake;
 * the first one is shown last and stays. */
static enum status load_given(struct tls_server *t, const struct tls_config *c, struct err *err)
{
    enum status st = STATUS_OK;
    if (!c->cert_path.n)
        return STATUS_OK;
    t->given = mem_array(c->more_count + 1, sizeof(struct identity *));
    for (size_t i = 0; i <= c->more_count && st == STATUS_OK; i++) {
        const struct tls_config *one = i ? &c->more[i - 1] : c;
        st = identity_from_files(one->cert_path, one->key_path, &t->given[i], err);
        if (st != STATUS_OK)
            break;
        t->given_count++;
        add_names(t->names, t->given[i]);
    }
    for (size_t i = t->given_count; i > 0 && st == STATUS_OK; i--) {
        struct tls_server scratch = {0};
        if (i > 1)
            st = make_ctx(&scratch, err);
        if (st == STATUS_OK)
            st = identity_use_for_all(t->given[i - 1], i > 1 ? scratch.ctx : t->ctx, err);
        SSL_CTX_free(scratch.ctx);
    }
    return st;
}

static struct tls_server *server_new(void)
{
    struct tls_server *t = MEM_NEW(struct tls_server);
    atomic_init(&t->refs, 1);
    t->names = map_new();
    t->challenges = map_new();
    return t;
}

enum status tls_server_new(const struct tls_config *config, struct tls_server **ret, struct err *err)
{
    struct tls_server *t = server_new();
    enum status st = make_ctx(t, err);
    if (st == STATUS_OK)
        st = load_given(t, config, err);
    ERR_clear_error(); /* the errors told are told; what is left would confuse the next call */
    if (st != STATUS_OK) {
        tls_server_unref(t);
        return st;
    }
    set_alpn(t, config->alpn);
    if (config->ticket_keys.n == TLS_TICKET_KEYS)
        (void)SSL_CTX_set_tlsext_ticket_keys(t->ctx, (void *)(uintptr_t)config->ticket_keys.p, TLS_TICKET_KEYS);
    *ret = t;
    return STATUS_OK;
}

static void hold_named(struct tls_server *t, struct map *m, const struct tls_named *named, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (m == t->names && tls_server_is_given(t, named[i].name))
            continue;
        (void)map_put(m, named[i].name, named[i].identity);
        t->held[t->held_count++] = identity_ref(named[i].identity);
    }
}

struct tls_server *tls_server_with(const struct tls_server *base, const struct tls_more *more)
{
    struct tls_server *t = server_new();
    t->ctx = base->ctx; /* the same: options, ticket keys, the certificate for those who name no host */
    SSL_CTX_up_ref(t->ctx);
    memcpy(t->alpn, base->alpn, sizeof(t->alpn));
    t->alpn_n = base->alpn_n;
    t->hold = more->hold;
    t->given = mem_array(base->given_count + 1, sizeof(struct identity *));
    for (; t->given_count < base->given_count; t->given_count++) {
        t->given[t->given_count] = identity_ref(base->given[t->given_count]);
        add_names(t->names, t->given[t->given_count]);
    }
    t->held = mem_array(more->named_count + more->challenge_count + 1, sizeof(struct identity *));
    hold_named(t, t->names, more->named, more->named_count);
    hold_named(t, t->challenges, more->challenges, more->challenge_count);
    return t;
}

size_t tls_server_given_count(const struct tls_server *t)
{
    return t ? t->given_count : 0;
}

const struct identity *tls_server_given(const struct tls_server *t, size_t i)
{
    ASSERT(i < t->given_count);
    return t->given[i];
}

bool tls_server_is_given(const struct tls_server *t, str host)
{
    for (size_t i = 0; i < t->given_count; i++)
        if (identity_covers(t->given[i], host))
            return true;
    return false;
}

struct tls_server *tls_server_ref(struct tls_server *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void tls_server_unref(struct tls_server *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(t->ctx);
    map_free(t->names);
    map_free(t->challenges);
    for (size_t i = 0; i < t->given_count; i++)
        identity_unref(t->given[i]);
    for (size_t i = 0; i < t->held_count; i++)
        identity_unref(t->held[i]);
    free(t->given);
    free(t->held);
    free(t);
}

void tls_server_ticket_keys(const struct tls_server *t, char out[TLS_TICKET_KEYS])
{
    ASSERT(SSL_CTX_get_tlsext_ticket_keys(t->ctx, out, TLS_TICKET_KEYS) == 1);
}

int64_t tls_server_expires_unix_s(const struct tls_server *t)
{
    return t->given_count ? identity_expires_unix_s(t->given[0]) : 0;
}

/* ---- sessions ---- */

void *tls_session_new(struct tls_server *t, int fd)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(t->ctx);
    if (!ssl)
        return NULL;
    if (SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_accept_state(ssl);
    struct tls_session *s = MEM_NEW(struct tls_session);
    s->server = tls_server_ref(t);
    SSL_set_app_data(ssl, s);
    return ssl;
}

void tls_session_free(void *session)
{
    if (!session)
        return;
    struct tls_session *s = SSL_get_app_data((SSL *)session);
    SSL_set_shutdown(session, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else its ticket is good for nothing */
    SSL_free(session);
    if (!s) /* of tls_client.c */
        return;
    tls_server_unref(s->server);
    free(s->awaits);
    free(s);
}

str tls_session_awaits(void *session)
{
    const struct tls_session *s = SSL_get_app_data((SSL *)session);
    return str_of(s->awaits);
}

bool tls_session_use(void *session, struct tls_server *t)
{
    struct tls_session *s = SSL_get_app_data((SSL *)session);
    if (s->server == t)
        return false;
    tls_server_unref(s->server);
    s->server = tls_server_ref(t);
    return true;
}

void tls_session_give_up(void *session)
{
    struct tls_session *s = SSL_get_app_data((SSL *)session);
    s->gave_up = true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's headers come before ours: they use names that base/banned.h takes away. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/tls.h"

#define ALPN_MAX 64 /* bytes of the protocol list on the wire */

struct tls_server {
    atomic_uint refs;
    SSL_CTX *ctx;
    int64_t expires_unix_s;
    unsigned char alpn[ALPN_MAX]; /* length-prefixed names (RFC 7301 section 3.1) */
    unsigned alpn_n;
    struct tls_server **more; /* chosen by name */
    size_t more_count;
};

void tls_error_text(char *out, size_t out_size)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(out, out_size, "%s", reason ? reason : "unknown error");
    ERR_clear_error();
}

/* ---- files ---- */

/* The whole file in memory, wiped when *ret_arena is freed. */
static void wipe(void *arg)
{
    str *bytes = arg;
    OPENSSL_cleanse((void *)(uintptr_t)bytes->p, bytes->n);
}

static enum status read_pem(str path, BIO **ret, struct arena **ret_arena, struct err *err)
{
    struct arena *a = arena_new((size_t)LIMIT_TLS_FILE * 4);
    str *bytes = ARENA_NEW(a, str);
    enum status st = fs_read_file(arena_cstr(a, path), LIMIT_TLS_FILE, a, bytes, err);
    if (st != STATUS_OK) {
        arena_free(a);
        return st;
    }
    arena_defer(a, wipe, bytes);
    *ret = BIO_new_mem_buf(bytes->p, (int)bytes->n);
    ASSERT(*ret != NULL);
    *ret_arena = a;
    return STATUS_OK;
}

/* ---- certificate and key ---- */

static int64_t to_unix_s(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : INT64_MAX;
}

static void check_dates(const X509 *cert, str path, int64_t *ret_expires_unix_s)
{
    *ret_expires_unix_s = to_unix_s(X509_get0_notAfter(cert));
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
        log_line(LOG_WARN, "tls", "the certificate in '" STR_FMT "' has expired", STR_ARG(path));
    else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
        log_line(LOG_WARN, "tls", "the certificate in '" STR_FMT "' is not valid yet", STR_ARG(path));
}

static enum status use_chain(struct tls_server *t, BIO *bio, str path, struct err *err)
{
    X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    if (!cert) {
        err_set(err, STATUS_CONFIG, "'" STR_FMT "' does not begin with a certificate in PEM form", STR_ARG(path));
        err_hint(err, "it needs a block -----BEGIN CERTIFICATE-----");
        return STATUS_CONFIG;
    }
    char text[256];
    bool ok = SSL_CTX_use_certificate(t->ctx, cert) == 1;
    check_dates(cert, path, &t->expires_unix_s);
    X509_free(cert);
    if (!ok) {
        tls_error_text(text, sizeof(text));
        return err_set(err, STATUS_CONFIG, "the certificate in '" STR_FMT "' cannot be used: %s", STR_ARG(path), text);
    }
    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(t->ctx, cert) != 1) {
            X509_free(cert);
            tls_error_text(text, sizeof(text));
            return err_set(err, STATUS_CONFIG, "the chain in '" STR_FMT "' cannot be used: %s", STR_ARG(path), text);
        }
    }
    unsigned long code = ERR_peek_last_error(); /* "no start line" is how the end of the file looks */
    bool at_end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    tls_error_text(text, sizeof(text));
    if (!at_end)
        return err_set(err, STATUS_CONFIG, "the chain in '" STR_FMT "' is damaged: %s", STR_ARG(path), text);
    return STATUS_OK;
}

static enum status load_cert(struct tls_server *t, str path, struct err *err)
{
    struct arena *a;
    BIO *bio;
    enum status st = read_pem(path, &bio, &a, err);
    if (st != STATUS_OK)
        return st;
    st = use_chain(t, bio, path, err);
    BIO_free(bio);
    arena_free(a);
    return st;
}

static int refuse_pass_phrase(char *p, int size, int writing, void *arg)
{
    (void)p;
    (void)size;
    (void)writing;
    *(bool *)arg = true;
    return -1;
}

static enum status use_key(struct tls_server *t, EVP_PKEY *key, const struct tls_config *c, struct err *err)
{
    if (SSL_CTX_use_PrivateKey(t->ctx, key) == 1 && SSL_CTX_check_private_key(t->ctx) == 1)
        return STATUS_OK;
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_REASON(code);
    char text[256];
    tls_error_text(text, sizeof(text));
    if (ERR_GET_LIB(code) == ERR_LIB_X509 &&
        (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH))
        return err_set(err, STATUS_CONFIG,
                       "the key in '" STR_FMT "' does not belong to the certificate in '" STR_FMT "'",
                       STR_ARG(c->key_path), STR_ARG(c->cert_path));
    return err_set(err, STATUS_CONFIG, "the key in '" STR_FMT "' cannot be used: %s", STR_ARG(c->key_path), text);
}

static enum status load_key(struct tls_server *t, const struct tls_config *c, struct err *err)
{
    struct arena *a;
    BIO *bio;
    enum status st = read_pem(c->key_path, &bio, &a, err);
    if (st != STATUS_OK)
        return st;
    bool encrypted = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, refuse_pass_phrase, &encrypted);
    if (key) {
        st = use_key(t, key, c, err);
        EVP_PKEY_free(key);
    } else if (encrypted) {
        st = err_set(err, STATUS_CONFIG, "the key in '" STR_FMT "' needs a pass phrase", STR_ARG(c->key_path));
        err_hint(err, "remove it with: openssl pkey -in old.pem -out new.pem");
    } else {
        st = err_set(err, STATUS_CONFIG, "'" STR_FMT "' holds no private key in PEM form", STR_ARG(c->key_path));
    }
    ERR_clear_error();
    BIO_free(bio);
    arena_free(a);
    return st;
}

/* ---- context ---- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                       unsigned in_n, void *arg)
{
    const struct tls_server *t = arg;
    unsigned char *chosen;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_n, t->alpn, t->alpn_n, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2: no_application_protocol */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 6066 section 3: the first certificate that covers the name; none does: our first one, and the client decides. */
static int choose_cert(SSL *ssl, int *alert, void *arg)
{
    struct tls_server *t = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    if (!name || X509_check_host(SSL_CTX_get0_certificate(t->ctx), name, 0, 0, NULL) == 1)
        return SSL_TLSEXT_ERR_OK;
    for (size_t i = 0; i < t->more_count; i++)
        if (X509_check_host(SSL_CTX_get0_certificate(t->more[i]->ctx), name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, t->more[i]->ctx);
            break;
        }
    return SSL_TLSEXT_ERR_OK;
}

static enum status load_more(struct tls_server *t, const struct tls_config *c, struct err *err)
{
    if (!c->more_count)
        return STATUS_OK;
    t->more = mem_array(c->more_count, sizeof(struct tls_server *));
    for (size_t i = 0; i < c->more_count; i++) {
        struct tls_config one = {.cert_path = c->more[i].cert_path, .key_path = c->more[i].key_path};
        enum status st = tls_server_new(&one, &t->more[i], err);
        if (st != STATUS_OK)
            return st;
        t->more_count++;
    }
    SSL_CTX_set_tlsext_servername_callback(t->ctx, choose_cert);
    SSL_CTX_set_tlsext_servername_arg(t->ctx, t);
    return STATUS_OK;
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
    SSL_CTX_set_alpn_select_cb(t->ctx, choose_alpn, t);
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

enum status tls_server_new(const struct tls_config *config, struct tls_server **ret, struct err *err)
{
    struct tls_server *t = mem_alloc(sizeof(*t));
    atomic_init(&t->refs, 1);
    ERR_clear_error();
    t->ctx = SSL_CTX_new(TLS_server_method());
    enum status st = STATUS_OK;
    if (!t->ctx || !set_options(t->ctx)) {
        char text[256];
        tls_error_text(text, sizeof(text));
        st = err_set(err, STATUS_IO, "cannot set up TLS: %s", text);
    }
    if (st == STATUS_OK)
        st = load_cert(t, config->cert_path, err);
    if (st == STATUS_OK)
        st = load_key(t, config, err);
    if (st == STATUS_OK)
        st = load_more(t, config, err);
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
    for (size_t i = 0; i < t->more_count; i++)
        tls_server_unref(t->more[i]);
    free(t->more);
    free(t);
}

void tls_server_ticket_keys(const struct tls_server *t, char out[TLS_TICKET_KEYS])
{
    ASSERT(SSL_CTX_get_tlsext_ticket_keys(t->ctx, out, TLS_TICKET_KEYS) == 1);
}

int64_t tls_server_expires_unix_s(const struct tls_server *t)
{
    return t->expires_unix_s;
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
    SSL_set_app_data(ssl, tls_server_ref(t)); /* the ALPN callback looks into t */
    return ssl;
}

void tls_session_free(void *session)
{
    if (!session)
        return;
    struct tls_server *t = SSL_get_app_data((SSL *)session);
    SSL_set_shutdown(session, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else its ticket is good for nothing */
    SSL_free(session);
    tls_server_unref(t);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's headers come before ours: they use names that base/banned.h takes away. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/stream_impl.h"
#include "net/tls_client.h"

struct tls_client {
    SSL_CTX *ctx;
};

static int resume_index = -1; /* where an SSL keeps its struct tls_resume; of the process, as OpenSSL's indexes are */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_index(void)
{
    resume_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* A ticket came; with TLS 1.3 that is after the handshake. 1: the reference is ours. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_resume *r = SSL_get_ex_data(ssl, resume_index);
    if (!r)
        return 0;
    SSL_SESSION_free(r->session);
    r->session = session;
    return 1;
}

void tls_resume_release(struct tls_resume *r)
{
    SSL_SESSION_free(r->session);
    r->session = NULL;
}

static enum status fail(enum status st, const char *what, struct err *err)
{
    char text[256];
    tls_error_text(text, sizeof text);
    return err_set(err, st, "%s: %s", what, text);
}

enum status tls_client_new(str ca_path, bool insecure, struct tls_client **ret, struct err *err)
{
    struct tls_client *c = MEM_NEW(struct tls_client);
    char *ca = ca_path.n ? mem_cstr(ca_path) : NULL;
    enum status st = STATUS_OK;
    (void)pthread_once(&once, make_index);
    ERR_clear_error();
    c->ctx = SSL_CTX_new(TLS_client_method());
    if (!c->ctx || SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1)
        st = fail(STATUS_IO, "cannot set up TLS", err);
    else if (!insecure && (ca ? SSL_CTX_load_verify_file(c->ctx, ca) : SSL_CTX_set_default_verify_paths(c->ctx)) != 1)
        st = fail(STATUS_CONFIG, ca ? ca : "the system's certificates", err);
    free(ca);
    if (st != STATUS_OK) {
        tls_client_free(c);
        return st;
    }
    SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ctx, on_session);
    SSL_CTX_set_verify(c->ctx, insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    *ret = c;
    return STATUS_OK;
}

void tls_client_free(struct tls_client *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ctx);
    free(c);
}

/* Names go into SNI and are proved; addresses are proved only (RFC 6066 section 3). */
static bool set_host(SSL *ssl, const char *host)
{
    struct in6_addr ip;
    if (inet_pton(AF_INET, host, &ip) == 1 || inet_pton(AF_INET6, host, &ip) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1 &&
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host) == 1;
}

enum status stream_init_tls_client(struct stream *s, int fd, struct tls_client *c, const char *host,
                                   struct tls_resume *resume, struct err *err)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    *s = (struct stream){.vtable = &stream_tls, .fd = fd, .read_wants = LOOP_READ, .write_wants = LOOP_WRITE};
    ERR_clear_error();
    SSL *ssl = SSL_new(c->ctx);
    if (!ssl || SSL_set_fd(ssl, fd) != 1 || !set_host(ssl, host) ||
        SSL_set_alpn_protos(ssl, alpn, sizeof alpn - 1) != 0 || SSL_set_ex_data(ssl, resume_index, resume) != 1 ||
        (resume && resume->session && SSL_set_session(ssl, resume->session) != 1)) {
        SSL_free(ssl);
        close(fd);
        s->fd = -1;
        return fail(STATUS_IO, "cannot begin TLS", err);
    }
    SSL_set_connect_state(ssl);
    s->tls = ssl; /* no tls_server behind it: tls_session_free minds that */
    return STATUS_OK;
}

void stream_tls_client_offer_h2(struct stream *s)
{
    static const unsigned char alpn[] = "\x02h2";
    int rc = s->tls ? SSL_set_alpn_protos(s->tls, alpn, sizeof alpn - 1) : 0;
    ASSERT(rc == 0);
}

bool stream_tls_resumed(const struct stream *s)
{
    return s->tls && SSL_session_reused(s->tls) == 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* tls: what a server needs to speak TLS: certificate, key, options. Immutable once made, shared by reference count.
 *
 * New certificate: make a new tls_server, swap the pointer, unref the old one; connections that began with the old one
 * keep it until they end. Ticket keys are made anew with it unless they are given; then tickets given out before are
 * good for a short handshake still.
 * TLS 1.2 and 1.3. The process must ignore SIGPIPE (rt/signal does). */
#ifndef VITRINE_NET_TLS_H
#define VITRINE_NET_TLS_H

#include "base/err.h"

struct tls_server;
struct identity;

struct tls_config {
    str cert_path; /* PEM, the server's certificate first, then the chain; empty: none, see tls_server_with */
    str key_path;  /* PEM, without pass phrase */
    const struct tls_config *more; /* further certificates, chosen by the name the client asks for (SNI) */
    size_t more_count;             /* their own `more` and `alpn` are not looked at */
    str ticket_keys;               /* TLS_TICKET_KEYS bytes of another tls_server; empty = new ones */
    const char *const *alpn;       /* protocols in our order of preference, NULL-terminated; NULL = "http/1.1" only */
};
/* Reads both files now (blocks). Returns OK, NOT_FOUND, FORBIDDEN, CONFIG (not PEM, encrypted key, key does not belong
 * to the certificate, expired is only logged), IO; text names the file. Threads: any. */
enum status tls_server_new(const struct tls_config *config, struct tls_server **ret, struct err *err) MUST_USE;
/* Certificates that come and go while a server runs. */
struct tls_named {
    str name; /* in lower case: "www.example.org", "*.example.org" for all names one label longer */
    struct identity *identity;
};
struct tls_more {
    const struct tls_named *named; /* a name that a given file covers stays with the file */
    size_t named_count;
    const struct tls_named *challenges; /* shown to who offers "acme-tls/1" and nothing else (RFC 8737) */
    size_t challenge_count;
    bool hold; /* a client that asks for a name without certificate waits: tls_session_awaits */
};
/* A server like `base`, with its files as they were read and its ticket keys, and with `more` in place of what it had.
 * Reads nothing. Any thread. */
struct tls_server *tls_server_with(const struct tls_server *base, const struct tls_more *more) MUST_USE;
size_t tls_server_given_count(const struct tls_server *t); /* NULL is fine */
const struct identity *tls_server_given(const struct tls_server *t, size_t i);
/* One of the given files has a certificate for this name. */
bool tls_server_is_given(const struct tls_server *t, str host);
struct tls_server *tls_server_ref(struct tls_server *t); /* any thread; returns t */
void tls_server_unref(struct tls_server *t);             /* any thread; NULL is fine */
#define TLS_TICKET_KEYS 80                               /* bytes */
/* A secret: who has them can read what was said in resumed sessions of TLS 1.2. */
void tls_server_ticket_keys(const struct tls_server *t, char out[TLS_TICKET_KEYS]);
int64_t tls_server_expires_unix_s(const struct tls_server *t); /* notAfter of the first given certificate; 0 = none */
/* For stream.c (void: no OpenSSL in this header): a new SSL* in accept state on fd, NULL when out of memory. It holds a
 * reference to `t` until tls_session_free. */
void *tls_session_new(struct tls_server *t, int fd);
void tls_session_free(void *session); /* NULL is fine */
/* The name whose certificate the handshake waits for; empty: it waits for nothing. While it waits, it does nothing. */
str tls_session_awaits(void *session);
/* From now on it asks `t` for certificates: call the handshake again. False: it did so before. */
bool tls_session_use(void *session, struct tls_server *t);
/* It waits no more: the next handshake ends as if nobody could wait. */
void tls_session_give_up(void *session);
/* Text of the first error in OpenSSL's queue of this thread, into out; empties the queue. */
void tls_error_text(char *out, size_t out_size);

#endif

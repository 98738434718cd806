/* SPDX-License-Identifier: Apache-2.0 */
/* tls_client: TLS towards a server. Immutable once made; must outlive the streams made with it. The process must ignore
 * SIGPIPE. */
#ifndef VITRINE_NET_TLS_CLIENT_H
#define VITRINE_NET_TLS_CLIENT_H

#include "net/stream.h"

struct tls_client;

/* ca_path: certificates to trust (PEM); empty = those of the system. insecure: any certificate will do. Speaks HTTP/1.1
 * by ALPN. Blocks (reads files). Returns OK, CONFIG, IO. Threads: any. */
enum status tls_client_new(str ca_path, bool insecure, struct tls_client **ret, struct err *err) MUST_USE;
void tls_client_free(struct tls_client *c); /* NULL is fine */
struct tls_resume { /* what a server gave to make the next handshake short; zeroed before first use */
    void *session;
};
void tls_resume_release(struct tls_resume *r);
/* Takes fd also on failure; `host` is the name to be proved, or an address. `resume`: used if there is something in it,
 * and filled; must outlive the stream; NULL = always the whole handshake. The handshake is done by stream_handshake.
 * Returns OK, IO. */
enum status stream_init_tls_client(struct stream *s, int fd, struct tls_client *c, const char *host,
                                   struct tls_resume *resume, struct err *err) MUST_USE;
void stream_tls_client_offer_h2(struct stream *s); /* before the handshake: HTTP/2 and nothing else; fine when plain */
bool stream_tls_resumed(const struct stream *s);   /* after the handshake: it was a short one */

#endif

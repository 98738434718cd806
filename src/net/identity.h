/* SPDX-License-Identifier: Apache-2.0 */
/* identity: a certificate, the chain above it, its private key, and the names it is for. Immutable once made, shared by
 * reference count between all servers and connections that show it. Any thread. */
#ifndef VITRINE_NET_IDENTITY_H
#define VITRINE_NET_IDENTITY_H

#include "base/err.h"

struct identity;

/* PEM files; both may be the same one. Reads now (blocks). Returns OK, NOT_FOUND, FORBIDDEN, CONFIG (not PEM, encrypted
 * key, key does not belong to the certificate, too weak to be used), IO; text names the file. Expired is only logged.
 */
enum status identity_from_files(str cert_path, str key_path, struct identity **ret, struct err *err) MUST_USE;
/* The same of one text: certificate, chain and key in any order but that the certificate is the first of its kind.
 * `what`: how messages call it. */
enum status identity_from_pem(str pem, const char *what, struct identity **ret, struct err *err) MUST_USE;
struct identity *identity_ref(struct identity *id); /* returns id */
void identity_unref(struct identity *id);           /* NULL is fine */

int64_t identity_begins_unix_s(const struct identity *id);  /* notBefore */
int64_t identity_expires_unix_s(const struct identity *id); /* notAfter */
/* DNS names of the certificate, in lower case: "www.example.org", "*.example.org"; of one without, its common name. */
size_t identity_name_count(const struct identity *id);
str identity_name(const struct identity *id, size_t i);
/* One of the names is `host`, or is a wildcard for its first label (RFC 6125 section 6.4.3). host: lower case; may be a
 * wildcard itself. */
bool identity_covers(const struct identity *id, str host);

/* For tls.c (no OpenSSL in this header): the only certificate of an SSL* from now on. False: out of memory. */
bool identity_use(const struct identity *id, void *ssl);
/* Of the SSL_CTX*, beside those it has. CONFIG: it cannot be used with it. */
enum status identity_use_for_all(const struct identity *id, void *ctx, struct err *err) MUST_USE;

#endif

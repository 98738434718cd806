/* SPDX-License-Identifier: Apache-2.0 */
/* x509: what is made for an authority, and what it gives back. Keys are ECDSA on P-256. Any thread. Failures of OpenSSL
 * itself are not something a caller can mend: ASSERT. */
#ifndef VITRINE_NET_X509_H
#define VITRINE_NET_X509_H

#include "base/arena.h"
#include "base/err.h"

/* A new key (PEM, PKCS #8: a secret) and a signing request for the name (DER, PKCS #10). */
void x509_request(struct arena *a, str host, str *ret_key_pem, str *ret_csr_der);
/* Key and certificate (PEM) that answer a challenge tls-alpn-01 (RFC 8737 section 3). */
str x509_challenge(struct arena *a, str host, str key_authorization);

struct x509_facts {
    int64_t begins_unix_s, expires_unix_s;
    str renewal_id; /* RFC 9773 section 4.1; empty: it names no issuing key */
    str issuer;     /* for people: "Let's Encrypt R3" */
};
/* Of the first certificate in the text. CONFIG: there is none. */
enum status x509_read(struct arena *a, str pem, struct x509_facts *ret, struct err *err) MUST_USE;

#endif

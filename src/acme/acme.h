/* SPDX-License-Identifier: Apache-2.0 */
/* acme: obtains a certificate from an authority (RFC 8555). One name, one certificate, one call, from the first request
 * to the last; it blocks for as long as that takes, so it belongs into a process of its own. */
#ifndef VITRINE_ACME_ACME_H
#define VITRINE_ACME_ACME_H

#include "base/arena.h"
#include "base/err.h"

#define ACME_LETS_ENCRYPT "https://acme-v02.api.letsencrypt.org/directory"
#define ACME_STAGING      "https://acme-staging-v02.api.letsencrypt.org/directory"

enum acme_kind { ACME_HTTP_01, ACME_TLS_ALPN_01, ACME_DNS_01, ACME_KINDS };
extern const char *const acme_kind_names[ACME_KINDS]; /* "http-01" */
bool acme_kind_parse(str text, enum acme_kind *ret);

struct acme_challenge {
    enum acme_kind kind;
    str host; /* without "*." */
    str token;
    str key_authorization;
};
/* Whoever answers challenges. */
struct acme_solver {
    void *arg;
    /* After OK the authority may look. */
    enum status (*present)(void *arg, const struct acme_challenge *c, struct err *err);
    void (*withdraw)(void *arg, const struct acme_challenge *c);
    void (*say)(void *arg, const char *text); /* what is being done, for people */
};

struct acme_config {
    str directory; /* URL */
    str contact;   /* mail address; empty = none */
    str ca_file;   /* certificates to trust instead of the system's; empty = the system's */
    str account;   /* path of the file that keeps our account: made when it is not there */
    str eab_kid;   /* external account binding; empty = none */
    str eab_key;   /* base64url, as authorities give it */
    bool agree;    /* to the authority's terms */
    int64_t timeout_ms;
};
struct acme_result {
    str pem;               /* key, certificate, chain */
    int64_t renew_at_s;    /* Unix seconds that the authority suggests (RFC 9773); 0 = says nothing */
    int64_t look_again_s;  /* seconds after which it may say something else */
    int64_t retry_after_s; /* after a failure: do not ask before; 0 = it did not say */
};
/* host: lower case, "*.example.org" with ACME_DNS_01 only. replaces: the certificate there is (PEM), or empty. ret is
 * set after a failure too. The text says which step failed, with the authority's own words; the hint what to do. */
enum status acme_obtain(struct arena *a, const struct acme_config *c, const struct acme_solver *solver, str host,
                        enum acme_kind kind, str replaces, struct acme_result *ret, struct err *err) MUST_USE;
/* When the authority would have this certificate renewed. NOT_FOUND: it does not say such things. */
enum status acme_renewal_info(struct arena *a, const struct acme_config *c, str pem, struct acme_result *ret,
                              struct err *err) MUST_USE;

#endif

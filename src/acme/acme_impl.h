/* SPDX-License-Identifier: Apache-2.0 */
/* acme_impl: what the files of this folder share. */
#ifndef VITRINE_ACME_ACME_IMPL_H
#define VITRINE_ACME_ACME_IMPL_H

#include "acme/acme.h"
#include "codec/jose.h"
#include "codec/value.h"
#include "net/ask.h"

struct acme {
    struct arena *a;
    const struct acme_config *config;
    struct jose_key *key;
    str kid;   /* URL of our account; empty: not known */
    str nonce; /* for the next request; empty: it must be fetched */
    str new_nonce, new_account, new_order, renewal_info, terms;
    bool eab_required;
    int64_t until_ms; /* monotonic */
    int64_t retry_after_s;
};
struct acme_answer {
    int status;
    str location;
    int64_t retry_after_s; /* -1 = not said */
    struct value json;     /* UNDEFINED: it is none */
    str body;
};

/* talk.c */
enum status acme_open(struct acme *c, struct err *err) MUST_USE; /* reads the directory */
/* One signed request; payload empty = "POST as GET". A refusal is an error, but for those that go away by asking again
 * with another nonce. with_key: signed by the key itself, for who has no account yet. */
enum status acme_post(struct acme *c, str url, str payload, bool with_key, struct acme_answer *ret,
                      struct err *err) MUST_USE;
enum status acme_get(struct acme *c, str url, struct acme_answer *ret, struct err *err) MUST_USE;
enum status acme_pause(struct acme *c, int64_t ms, struct err *err) MUST_USE; /* TIMEOUT: there is no time left */

/* account.c */
enum status acme_account(struct acme *c, struct err *err) MUST_USE;       /* from the file, or new */
enum status acme_account_again(struct acme *c, struct err *err) MUST_USE; /* the authority does not know it */

/* problem.c: RFC 8555 section 6.7. Sets err; *ret_retry_after_s is left alone when there is nothing to say. */
enum status acme_problem(struct arena *a, struct value problem, int http_status, const char *what, struct err *err);
str acme_problem_type(struct value problem); /* without "urn:ietf:params:acme:error:" */

#endif

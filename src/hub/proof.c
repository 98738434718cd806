/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/proof.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

#include "base/limits.h"
#include "codec/b64.h"
#include "codec/digest.h"
#include "net/addr.h"

#define PREFIX     "_vitrine."
#define PROOF_SIZE 24 /* bytes of the MAC that are shown: 32 letters */
#define SECONDS    3  /* for one answer; asked twice */

str proof_name(struct arena *a, str host)
{
    return ARENA_CAT(a, STR(PREFIX), host);
}

str proof_text(struct hub *h, struct arena *a, str space_id, str host)
{
    unsigned char mac[DIGEST_RAW_MAX];
    (void)digest_hmac_sha256(h->secret, ARENA_CAT(a, STR("host:"), space_id, STR(":"), host), mac);
    return ARENA_CAT(a, STR("vitrine="), b64url_encode(a, str_make((const char *)mac, PROOF_SIZE)));
}

/* Texts of a TXT record stand in pieces of 255 bytes at most, each after its length (RFC 1035 section 3.3.14). */
static bool says(const ns_rr *rr, str wanted)
{
    const unsigned char *p = ns_rr_rdata(*rr), *end = p + ns_rr_rdlen(*rr);
    size_t n = 0;
    while (p < end) {
        size_t length = *p++;
        if (length > (size_t)(end - p) || n + length > wanted.n || memcmp(p, wanted.p + n, length) != 0)
            return false;
        n += length;
        p += length;
    }
    return n == wanted.n;
}

static bool answer_says(const unsigned char *answer, int length, str wanted)
{
    ns_msg message;
    if (ns_initparse(answer, length, &message) != 0)
        return false;
    for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(&message, ns_s_an, i, &rr) != 0)
            return false;
        if (ns_rr_type(rr) == ns_t_txt && ns_rr_class(rr) == ns_c_in && says(&rr, wanted))
            return true;
    }
    return false;
}

/* The name server of hub.yaml, or those of the machine. */
static bool prepare(struct hub *h, struct __res_state *state)
{
    struct addr server;
    memset(state, 0, sizeof *state);
    if (res_ninit(state) != 0)
        return false;
    state->retrans = SECONDS;
    state->retry = 2;
    if (h->config.name_server.n && addr_parse(h->config.name_server, &server, NULL) == STATUS_OK &&
        server.ss.ss_family == AF_INET) {
        memcpy(&state->nsaddr_list[0], &server.ss, sizeof state->nsaddr_list[0]);
        state->nscount = 1;
    }
    return true;
}

enum status proof_check(struct hub *h, struct arena *a, str space_id, str host, struct err *err)
{
    struct __res_state state;
    str name = proof_name(a, host);
    bool asked = prepare(h, &state);
    unsigned char *answer = arena_alloc(a, LIMIT_HUB_DNS_ANSWER);
    int n = asked ? res_nquery(&state, arena_cstr(a, name), ns_c_in, ns_t_txt, answer, LIMIT_HUB_DNS_ANSWER) : -1;
    bool good = n > 0 && answer_says(answer, MIN(n, LIMIT_HUB_DNS_ANSWER), proof_text(h, a, space_id, host));
    if (asked)
        res_nclose(&state);
    if (good)
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "There is no TXT record %.*s yet that says what it must.", STR_ARG(name));
    return err_hint(err, "Name servers may need some minutes: add the record shown below, wait, and try again.");
}

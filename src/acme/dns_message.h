/* SPDX-License-Identifier: Apache-2.0 */
/* dns_message: the few messages of the DNS that an update needs (RFC 1035, 2136), signed (TSIG, RFC 8945,
 * HMAC-SHA-256). Pure; any thread. */
#ifndef VITRINE_ACME_DNS_MESSAGE_H
#define VITRINE_ACME_DNS_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"

#define DNS_NAME_MAX    256 /* bytes of a name as text with its NUL */
#define DNS_MESSAGE_MAX 65535
#define DNS_MAC_BYTES   32

struct dns_key {
    str name;   /* "update-key" */
    str secret; /* raw */
};
/* Reads what tsig-keygen and keymgr write: key "name" { algorithm hmac-sha256; secret "BASE64"; };  The texts live in
 * the arena. CONFIG says what is wrong. */
struct arena;
enum status dns_key_read(struct arena *a, str text, struct dns_key *ret, struct err *err) MUST_USE;

/* Text is "a.example", with or without a dot at its end. False: a label or the name is too long, or empty. */
bool dns_put_name(struct buf *out, str name);
/* Which zone is it in? */
bool dns_put_soa_question(struct buf *out, uint16_t id, str name);
/* Adds the text to those of `name`, or takes it away. ttl_s: of the one added. */
bool dns_put_txt_update(struct buf *out, uint16_t id, str zone, str name, str text, bool add, uint32_t ttl_s);
/* Signs the message that is in `out` from its first byte; ret_mac is needed to check the answer. */
bool dns_sign(struct buf *out, const struct dns_key *key, int64_t now_unix_s, unsigned char ret_mac[DNS_MAC_BYTES]);

struct dns_answer {
    uint16_t id;
    unsigned rcode;
    char soa_owner[DNS_NAME_MAX]; /* of the first SOA record, lower case, no dot at its end; "" = none. "." = root */
    bool has_tsig;
    unsigned tsig_error;
    size_t tsig_at; /* where that record begins */
    str tsig_mac;
    uint64_t tsig_time;
    unsigned tsig_fudge;
    str tsig_other;
};
/* INVALID: it is no message. The texts point into it. */
enum status dns_answer_read(str message, struct dns_answer *ret, struct err *err) MUST_USE;
/* Signed with the key, as the answer to what had `request_mac`. */
bool dns_answer_signed(str message, const struct dns_answer *answer, const struct dns_key *key,
                       const unsigned char request_mac[DNS_MAC_BYTES]);
const char *dns_rcode_text(unsigned rcode); /* "REFUSED"; TSIG's errors too */

#endif

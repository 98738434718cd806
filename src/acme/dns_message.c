/* SPDX-License-Identifier: Apache-2.0 */
#include "acme/dns_message.h"

#include <stdio.h>

#include "base/arena.h"
#include "codec/b64.h"
#include "codec/digest.h"

enum { TYPE_SOA = 6, TYPE_TXT = 16, TYPE_TSIG = 250 };
enum { CLASS_IN = 1, CLASS_NONE = 254, CLASS_ANY = 255 };
enum { HEADER = 12, OPCODE_UPDATE = 5, FUDGE_S = 300, JUMPS_MAX = 32 };

#define ALGORITHM "hmac-sha256"

/* ---- writing ---- */

static void put16(struct buf *out, unsigned v)
{
    buf_putc(out, (char)(v >> 8));
    buf_putc(out, (char)v);
}

static void put32(struct buf *out, uint32_t v)
{
    put16(out, v >> 16);
    put16(out, v & 0xffff);
}

static void put48(struct buf *out, uint64_t v)
{
    put16(out, (unsigned)(v >> 32) & 0xffff);
    put32(out, (uint32_t)v);
}

bool dns_put_name(struct buf *out, str name)
{
    str label;
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    if (!name.n || name.n > 253)
        return false;
    while (name.n) {
        str_cut(name, '.', &label, &name);
        if (!label.n || label.n > 63)
            return false;
        buf_putc(out, (char)label.n);
        for (size_t i = 0; i < label.n; i++) /* canonical: lower case */
            buf_putc(out, str_lower_char(label.p[i]));
    }
    buf_putc(out, 0);
    return !out->over;
}

static void put_header(struct buf *out, uint16_t id, unsigned flags, unsigned first, unsigned third)
{
    put16(out, id);
    put16(out, flags);
    put16(out, first); /* questions, or zones */
    put16(out, 0);     /* answers, or prerequisites */
    put16(out, third); /* authority, or updates */
    put16(out, 0);
}

bool dns_put_soa_question(struct buf *out, uint16_t id, str name)
{
    put_header(out, id, 0, 1, 0);
    bool ok = dns_put_name(out, name);
    put16(out, TYPE_SOA);
    put16(out, CLASS_IN);
    return ok && !out->over;
}

bool dns_put_txt_update(struct buf *out, uint16_t id, str zone, str name, str text, bool add, uint32_t ttl_s)
{
    put_header(out, id, OPCODE_UPDATE << 11, 1, 1);
    bool ok = text.n < 256 && dns_put_name(out, zone);
    put16(out, TYPE_SOA);
    put16(out, CLASS_IN);
    ok = ok && dns_put_name(out, name);
    put16(out, TYPE_TXT);
    put16(out, add ? CLASS_IN : CLASS_NONE); /* RFC 2136 section 2.5: NONE takes this one away */
    put32(out, add ? ttl_s : 0);
    put16(out, (unsigned)text.n + 1);
    buf_putc(out, (char)text.n);
    buf_puts(out, text);
    return ok && !out->over;
}

/* RFC 8945 section 4.3.3: what is signed besides the message. */
static bool put_variables(struct buf *out, const struct dns_key *key, uint64_t time, unsigned fudge, unsigned error,
                          str other)
{
    bool ok = dns_put_name(out, key->name);
    put16(out, CLASS_ANY);
    put32(out, 0);
    ok = ok && dns_put_name(out, STR(ALGORITHM));
    put48(out, time);
    put16(out, fudge);
    put16(out, error);
    put16(out, (unsigned)other.n);
    buf_puts(out, other);
    return ok && !out->over;
}

bool dns_sign(struct buf *out, const struct dns_key *key, int64_t now_unix_s, unsigned char ret_mac[DNS_MAC_BYTES])
{
    struct buf input;
    unsigned id = (unsigned)(unsigned char)out->p[0] << 8 | (unsigned char)out->p[1];
    buf_init(&input, DNS_MESSAGE_MAX + 1024);
    buf_puts(&input, buf_str(out));
    bool ok = put_variables(&input, key, (uint64_t)now_unix_s, FUDGE_S, 0, STR(""));
    (void)digest_hmac_sha256(key->secret, buf_str(&input), ret_mac);
    buf_release(&input);
    ok = ok && dns_put_name(out, key->name);
    put16(out, TYPE_TSIG);
    put16(out, CLASS_ANY);
    put32(out, 0);
    put16(out, sizeof(ALGORITHM) + 1 + 6 + 2 + 2 + DNS_MAC_BYTES + 2 + 2 + 2);
    ok = ok && dns_put_name(out, STR(ALGORITHM));
    put48(out, (uint64_t)now_unix_s);
    put16(out, FUDGE_S);
    put16(out, DNS_MAC_BYTES);
    buf_put(out, ret_mac, DNS_MAC_BYTES);
    put16(out, id);
    put16(out, 0);
    put16(out, 0);
    if (out->over)
        return false;
    out->p[11]++; /* one more additional record */
    return ok;
}

/* ---- reading ---- */

struct reader {
    str m;
    size_t at;
    bool bad;
};

static unsigned get(struct reader *r, size_t bytes)
{
    unsigned v = 0;
    if (r->bad || r->m.n - r->at < bytes) {
        r->bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | (unsigned char)r->m.p[r->at++];
    return v;
}

static str get_bytes(struct reader *r, size_t n)
{
    if (r->bad || r->m.n - r->at < n) {
        r->bad = true;
        return STR("");
    }
    r->at += n;
    return str_make(r->m.p + r->at - n, n);
}

/* A name, maybe with parts that stand further in front (RFC 1035 section 4.1.4); in lower case, "." for the root. */
static void get_name(struct reader *r, char out[DNS_NAME_MAX])
{
    size_t n = 0, at = r->at, after = 0;
    unsigned jumps = 0;
    out[0] = 0;
    while (!r->bad) {
        if (at >= r->m.n)
            break;
        unsigned len = (unsigned char)r->m.p[at];
        if ((len & 0xc0) == 0xc0 && at + 1 < r->m.n && jumps < JUMPS_MAX) {
            after = jumps++ ? after : at + 2;
            at = (len & 0x3f) << 8 | (unsigned char)r->m.p[at + 1];
            continue;
        }
        if (len > 63 || r->m.n - at - 1 < len || n + len + 1 >= DNS_NAME_MAX)
            break;
        if (len == 0) {
            r->at = jumps ? after : at + 1;
            if (n)
                out[n - 1] = 0;
            else
                memcpy(out, ".", 2);
            return;
        }
        for (unsigned i = 1; i <= len; i++)
            out[n++] = str_lower_char(r->m.p[at + i]);
        out[n++] = '.';
        at += len + 1;
    }
    out[0] = 0;
    r->bad = true;
}

static void get_tsig(struct reader *r, struct dns_answer *ret)
{
    char algorithm[DNS_NAME_MAX];
    get_name(r, algorithm);
    uint64_t high = get(r, 2);
    ret->tsig_time = high << 32 | get(r, 4);
    ret->tsig_fudge = get(r, 2);
    ret->tsig_mac = get_bytes(r, get(r, 2));
    (void)get(r, 2); /* original id */
    ret->tsig_error = get(r, 2);
    ret->tsig_other = get_bytes(r, get(r, 2));
    ret->has_tsig = !r->bad && strcmp(algorithm, ALGORITHM) == 0;
}

enum status dns_answer_read(str message, struct dns_answer *ret, struct err *err)
{
    struct reader r = {.m = message};
    struct dns_answer answer = {0};
    char name[DNS_NAME_MAX];
    answer.id = (uint16_t)get(&r, 2);
    unsigned flags = get(&r, 2), questions = get(&r, 2), records = get(&r, 2);
    records += get(&r, 2);
    records += get(&r, 2);
    answer.rcode = flags & 15;
    if (!(flags & 0x8000))
        r.bad = true; /* a question */
    for (unsigned i = 0; i < questions && !r.bad; i++) {
        get_name(&r, name);
        (void)get(&r, 4);
    }
    for (unsigned i = 0; i < records && !r.bad; i++) {
        size_t begins = r.at;
        get_name(&r, name);
        unsigned type = get(&r, 2);
        (void)get(&r, 2);
        (void)get(&r, 4);
        size_t size = get(&r, 2), from = r.at;
        if (type == TYPE_SOA && !answer.soa_owner[0])
            memcpy(answer.soa_owner, name, sizeof(name));
        if (type == TYPE_TSIG && i + 1 == records) { /* RFC 8945 section 5.1: the last one */
            get_tsig(&r, &answer);
            answer.tsig_at = begins;
        }
        r.at = MIN(from, message.n);
        (void)get_bytes(&r, size);
    }
    if (r.bad)
        return err_set(err, STATUS_INVALID, "the name server's answer is damaged");
    *ret = answer;
    return STATUS_OK;
}

bool dns_answer_signed(str message, const struct dns_answer *answer, const struct dns_key *key,
                       const unsigned char request_mac[DNS_MAC_BYTES])
{
    struct buf input;
    unsigned char mac[DIGEST_RAW_MAX];
    if (!answer->has_tsig || answer->tsig_mac.n != DNS_MAC_BYTES)
        return false;
    buf_init(&input, (size_t)DNS_MESSAGE_MAX * 2);
    put16(&input, DNS_MAC_BYTES);
    buf_put(&input, request_mac, DNS_MAC_BYTES);
    size_t head = input.n;
    buf_puts(&input, str_sub(message, 0, answer->tsig_at));
    unsigned more = (unsigned)(unsigned char)message.p[10] << 8 | (unsigned char)message.p[11];
    input.p[head + 10] = (char)((more - 1) >> 8); /* as it was before it was signed */
    input.p[head + 11] = (char)(more - 1);
    bool ok = put_variables(&input, key, answer->tsig_time, answer->tsig_fudge, answer->tsig_error, answer->tsig_other);
    (void)digest_hmac_sha256(key->secret, buf_str(&input), mac);
    buf_release(&input);
    return ok && digest_equal(str_make((const char *)mac, DNS_MAC_BYTES), answer->tsig_mac);
}

const char *dns_rcode_text(unsigned rcode)
{
    static const char *const texts[] = {
        [0] = "no error", [1] = "FORMERR",  [2] = "SERVFAIL", [3] = "NXDOMAIN", [4] = "NOTIMP",
        [5] = "REFUSED",  [6] = "YXDOMAIN", [7] = "YXRRSET",  [8] = "NXRRSET",  [9] = "NOTAUTH",
        [10] = "NOTZONE", [16] = "BADSIG",  [17] = "BADKEY",  [18] = "BADTIME", [22] = "BADTRUNC"};
    return rcode < ARRAY_LEN(texts) && texts[rcode] ? texts[rcode] : "an error without a name";
}

/* ---- key files ---- */

/* The word or quoted text after `word`. */
static str value_after(str text, const char *word)
{
    size_t at = str_find(text, str_of(word));
    if (at == STR_NPOS)
        return STR("");
    str s = str_trim(str_from(text, at + strlen(word)));
    char end = ';';
    if (s.n && s.p[0] == '"') {
        s = str_from(s, 1);
        end = '"';
    }
    size_t n = str_find_char(s, end);
    size_t brace = str_find_char(s, '{');
    return str_trim(str_sub(s, 0, MIN(n, brace)));
}

enum status dns_key_read(struct arena *a, str text, struct dns_key *ret, struct err *err)
{
    str name = value_after(text, "key"), algorithm = value_after(text, "algorithm"), secret;
    struct buf b;
    buf_init(&b, DNS_NAME_MAX + 2);
    bool ok = dns_put_name(&b, name);
    buf_release(&b);
    if (!ok || !b64_decode(a, value_after(text, "secret"), &secret) || !secret.n) {
        err_set(err, STATUS_CONFIG, "it holds no key of the form: key \"name\" { algorithm %s; secret \"...\"; };",
                ALGORITHM);
        return err_hint(err, "Make one with: tsig-keygen vitrine");
    }
    if (!str_is(algorithm, ALGORITHM))
        return err_set(err, STATUS_CONFIG, "its algorithm is %.*s; only %s is known", STR_ARG(algorithm), ALGORITHM);
    *ret = (struct dns_key){arena_str(a, name), secret};
    return STATUS_OK;
}

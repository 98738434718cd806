/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the DNS as RFC 1035, 2136 and 8945 write them. A real server takes them in tests/certs/test_dns.py. */
#include "acme/dns_message.h"
#include "base/arena.h"
#include "codec/digest.h"
#include "test.h"

TEST(names)
{
    struct buf b;
    char label[80];
    buf_init(&b, 1024);
    CHECK(dns_put_name(&b, STR("_Acme-challenge.Example.org.")));
    CHECK(str_eq(buf_str(&b), STR("\017_acme-challenge\007example\003org\000")));
    memset(label, 'a', sizeof(label));
    const str bad[] = {STR(""), STR("."), STR("a..b"), STR(".a"), str_make(label, 64)};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!dns_put_name(&b, bad[i]));
    buf_release(&b);
}

TEST(an_update)
{
    struct buf b;
    buf_init(&b, 1024);
    CHECK(dns_put_txt_update(&b, 0x1234, STR("example.org"), STR("x.example.org"), STR("text"), true, 60));
    CHECK(str_eq(buf_str(&b), STR("\x12\x34\x28\x00\000\001\000\000\000\001\000\000"
                                  "\007example\003org\000\000\006\000\001"
                                  "\001x\007example\003org\000\000\020\000\001\000\000\000\074\000\005\004text")));
    buf_clear(&b);
    CHECK(dns_put_txt_update(&b, 1, STR("example.org"), STR("x.example.org"), STR("text"), false, 60));
    CHECK(str_ends(buf_str(&b), STR("\000\020\000\376\000\000\000\000\000\005\004text"))); /* class NONE, no TTL */
    buf_release(&b);
}

/* As a server would: the answer signed with the same key over the request's MAC. */
static void sign_answer(struct buf *b, const struct dns_key *key, const unsigned char request_mac[DNS_MAC_BYTES])
{
    struct buf input;
    unsigned char mac[DIGEST_RAW_MAX];
    static const char times[] = "\000\000\000\000\000\007\001\054"; /* signed at 7, fudge 300 */
    buf_init(&input, 4096);
    buf_puts(&input, STR("\000\040"));
    buf_put(&input, request_mac, DNS_MAC_BYTES);
    buf_puts(&input, buf_str(b));
    buf_puts(&input, STR("\003key\000\000\377\000\000\000\000\013hmac-sha256\000"));
    buf_put(&input, times, 8);
    buf_puts(&input, STR("\000\000\000\000"));
    (void)digest_hmac_sha256(key->secret, buf_str(&input), mac);
    buf_puts(b, STR("\003key\000\000\372\000\377\000\000\000\000\000\075\013hmac-sha256\000"));
    buf_put(b, times, 8);
    buf_puts(b, STR("\000\040"));
    buf_put(b, mac, DNS_MAC_BYTES);
    buf_puts(b, STR("\000\001\000\000\000\000"));
    b->p[11]++;
    buf_release(&input);
}

TEST(an_answer_that_is_signed)
{
    const struct dns_key key = {STR("key"), STR("secret")}, other = {STR("key"), STR("Secret")};
    unsigned char mac[DNS_MAC_BYTES], wrong[DNS_MAC_BYTES] = {0};
    struct dns_answer answer;
    struct err err = ERR_INIT;
    struct buf b;
    buf_init(&b, 4096);
    CHECK(dns_put_txt_update(&b, 1, STR("example.org"), STR("x.example.org"), STR("t"), true, 60));
    CHECK(dns_sign(&b, &key, 7, mac) && b.p[11] == 1);
    buf_clear(&b);
    buf_puts(&b, STR("\000\001\250\005\000\001\000\000\000\000\000\000\007example\003org\000\000\006\000\001"));
    sign_answer(&b, &key, mac);
    CHECK_INT(dns_answer_read(buf_str(&b), &answer, &err), STATUS_OK);
    CHECK(answer.id == 1 && answer.rcode == 5 && answer.has_tsig && answer.tsig_time == 7);
    CHECK(dns_answer_signed(buf_str(&b), &answer, &key, mac));
    CHECK(!dns_answer_signed(buf_str(&b), &answer, &other, mac));
    CHECK(!dns_answer_signed(buf_str(&b), &answer, &key, wrong));
    b.p[3] = 0; /* REFUSED made into success on the way */
    CHECK_INT(dns_answer_read(buf_str(&b), &answer, &err), STATUS_OK);
    CHECK(answer.rcode == 0 && !dns_answer_signed(buf_str(&b), &answer, &key, mac));
    for (size_t n = 0; n < b.n; n++) /* cut anywhere it is damaged, and nothing else happens */
        CHECK_INT(dns_answer_read(str_make(b.p, n), &answer, &err), STATUS_INVALID);
    buf_release(&b);
}

TEST(which_zone)
{
    struct dns_answer answer;
    struct err err = ERR_INIT;
    str soa = STR("\000\001\200\003\000\001\000\000\000\001\000\000"
                  "\001x\007Example\003org\000\000\006\000\001"
                  "\300\016\000\006\000\001\000\000\000\074\000\004abcd");
    CHECK_INT(dns_answer_read(soa, &answer, &err), STATUS_OK);
    CHECK_STR(str_of(answer.soa_owner), "example.org");
    str loop = STR("\000\001\200\000\000\001\000\000\000\000\000\000\300\014\000\006\000\001");
    CHECK_INT(dns_answer_read(loop, &answer, &err), STATUS_INVALID);
    str question = STR("\000\001\000\000\000\000\000\000\000\000\000\000");
    CHECK_INT(dns_answer_read(question, &answer, &err), STATUS_INVALID);
}

TEST(key_files)
{
    struct arena *a = arena_new(0);
    struct dns_key key;
    struct err err = ERR_INIT;
    CHECK_INT(
        dns_key_read(a, STR("key \"up.date\" {\n\talgorithm hmac-sha256;\n\tsecret \"aGFsbG8=\";\n};\n"), &key, &err),
        STATUS_OK);
    CHECK(str_is(key.name, "up.date") && str_is(key.secret, "hallo"));
    CHECK_INT(dns_key_read(a, STR("key k { secret \"aGFsbG8=\"; algorithm hmac-sha256; };"), &key, &err), STATUS_OK);
    CHECK(str_is(key.name, "k"));
    const char *const bad[] = {"",
                               "key",
                               "key {",
                               "key \"a\" { algorithm hmac-sha256; secret \"?\"; };",
                               "key \"a\" { algorithm hmac-sha256; };",
                               "key \"a\" { algorithm hmac-sha512; secret \"aGFsbG8=\"; };"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_INT(dns_key_read(a, str_of(bad[i]), &key, &err), STATUS_CONFIG);
    arena_free(a);
}

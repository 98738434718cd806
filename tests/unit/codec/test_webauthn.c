/* SPDX-License-Identifier: Apache-2.0 */
/* Passkeys: the test vectors of the specification, and each of them with something wrong. */
#include "base/arena.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/cbor.h"
#include "codec/cose.h"
#include "codec/webauthn.h"
#include "test.h"

static const struct vector {
    const char *name, *reg_challenge, *reg_client, *attestation, *id, *challenge, *client, *auth_data, *signature;
} vectors[] = {
#include "webauthn_vectors.inc"
};

static const struct webauthn_site site = {{"example.org", 11}, {"https://example.org", 19}};

static str unhex(struct arena *a, const char *hex)
{
    size_t n = strlen(hex) / 2;
    char *out = arena_alloc(a, n + 1);
    for (size_t i = 0; i < 2 * n; i++)
        out[i / 2] = (char)((unsigned char)out[i / 2] << 4 | (hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10));
    return str_make(out, n);
}

static const struct vector *named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        if (str_is(str_of(name), vectors[i].name))
            return &vectors[i];
    test_fail(__FILE__, __LINE__, "no vector %s", name);
}

static enum status reg(struct arena *a, const struct vector *v, struct webauthn_credential *ret, struct err *err)
{
    return webauthn_register(a, &site, unhex(a, v->reg_challenge), unhex(a, v->reg_client), unhex(a, v->attestation),
                             ret, err);
}

/* As the browser gave it, but for what the caller changes. */
static struct webauthn_assertion given(struct arena *a, const struct vector *v)
{
    return (struct webauthn_assertion){unhex(a, v->client), unhex(a, v->auth_data), unhex(a, v->signature)};
}

TEST(vectors_that_are_accepted)
{
    static const char *const names[] = {"none-es256",   "packed-self-es256", "none-es256-long-credential-id",
                                        "packed-es256", "packed-rs256",      "packed-eddsa",
                                        "tpm-es256",    "fido-u2f-es256"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct arena *a = arena_new(0);
        struct err err = ERR_INIT;
        const struct vector *v = named(names[i]);
        struct webauthn_credential c;
        struct webauthn_seen seen;
        struct webauthn_assertion g = given(a, v);
        if (reg(a, v, &c, &err) != STATUS_OK)
            test_fail(__FILE__, __LINE__, "%s: %s", v->name, err.text);
        CHECK_STRS(c.id, unhex(a, v->id));
        CHECK_INT(c.counter, 0);
        if (webauthn_assert(a, &site, unhex(a, v->challenge), c.key, c.counter, &g, &seen, &err) != STATUS_OK)
            test_fail(__FILE__, __LINE__, "%s: %s", v->name, err.text);
        CHECK(!seen.cloned && seen.counter == 0);
        arena_free(a);
    }
}

TEST(vectors_that_are_refused)
{
    static const struct {
        const char *name, *why;
    } bad[] = {
        {"none-es256-crossOrigin", "inside a page of another site"},
        {"none-es256-topOrigin", "inside a page of another site"},
        {"packed-es384", "algorithm -35"},
        {"packed-es512", "algorithm -36"},
        {"packed-ed448", "algorithm -53"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena *a = arena_new(0);
        struct err err = ERR_INIT;
        struct webauthn_credential c;
        CHECK(reg(a, named(bad[i].name), &c, &err) == STATUS_INVALID);
        if (str_find(str_of(err.text), str_of(bad[i].why)) == STR_NPOS)
            test_fail(__FILE__, __LINE__, "%s: %s", bad[i].name, err.text);
        arena_free(a);
    }
}

TEST(another_challenge_site_or_type)
{
    struct arena *a = arena_new(0);
    const struct vector *v = named("none-es256");
    struct webauthn_credential c, unused;
    struct webauthn_seen seen;
    struct webauthn_assertion g = given(a, v), swapped = {.client_data = unhex(a, v->reg_client),
                                                          .authenticator_data = unhex(a, v->auth_data),
                                                          .signature = unhex(a, v->signature)};
    const struct webauthn_site others[] = {{STR("example.com"), site.origin},
                                           {site.rp_id, STR("https://www.example.org")},
                                           {site.rp_id, STR("http://example.org")},
                                           {site.rp_id, STR("https://example.org:8443")}};
    str reg_challenge = unhex(a, v->reg_challenge), challenge = unhex(a, v->challenge), said;
    CHECK(reg(a, v, &c, NULL) == STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        CHECK(webauthn_register(a, &others[i], reg_challenge, unhex(a, v->reg_client), unhex(a, v->attestation),
                                &unused, NULL) == STATUS_INVALID);
        CHECK(webauthn_assert(a, &others[i], challenge, c.key, 0, &g, &seen, NULL) == STATUS_INVALID);
    }
    CHECK(webauthn_assert(a, &site, reg_challenge, c.key, 0, &g, &seen, NULL) == STATUS_INVALID);
    CHECK(webauthn_assert(a, &site, STR(""), c.key, 0, &g, &seen, NULL) == STATUS_INVALID);
    CHECK(webauthn_assert(a, &site, reg_challenge, c.key, 0, &swapped, &seen, NULL) == STATUS_INVALID); /* create */
    CHECK(webauthn_register(a, &site, challenge, g.client_data, unhex(a, v->attestation), &unused, NULL) ==
          STATUS_INVALID);
    CHECK(webauthn_challenge_of(a, g.client_data, &said, NULL) == STATUS_OK);
    CHECK_STRS(said, challenge);
    arena_free(a);
}

TEST(every_byte_of_an_assertion_counts)
{
    struct arena *a = arena_new(0);
    const struct vector *v = named("packed-eddsa");
    struct webauthn_credential c, other;
    struct webauthn_seen seen;
    str challenge = unhex(a, v->challenge);
    CHECK(reg(a, v, &c, NULL) == STATUS_OK && reg(a, named("none-es256"), &other, NULL) == STATUS_OK);
    for (int part = 0; part < 3; part++) {
        str whole = part == 0   ? given(a, v).client_data
                    : part == 1 ? given(a, v).authenticator_data
                                : given(a, v).signature;
        for (size_t i = 0; i < whole.n; i++) {
            char *changed = arena_cstr(a, whole);
            struct webauthn_assertion g = given(a, v);
            changed[i] ^= 1;
            *(part == 0   ? &g.client_data
              : part == 1 ? &g.authenticator_data
                          : &g.signature) = str_make(changed, whole.n);
            CHECK(webauthn_assert(a, &site, challenge, c.key, 0, &g, &seen, NULL) != STATUS_OK);
        }
    }
    struct webauthn_assertion g = given(a, v);
    CHECK(webauthn_assert(a, &site, challenge, other.key, 0, &g, &seen, NULL) == STATUS_FORBIDDEN);
    CHECK(webauthn_assert(a, &site, challenge, STR(""), 0, &g, &seen, NULL) == STATUS_FORBIDDEN);
    g.signature = STR("");
    CHECK(webauthn_assert(a, &site, challenge, c.key, 0, &g, &seen, NULL) == STATUS_FORBIDDEN);
    arena_free(a);
}

TEST(a_counter_that_stands_still_is_told)
{
    struct arena *a = arena_new(0);
    const struct vector *v = named("packed-self-es256");
    struct webauthn_credential c;
    struct webauthn_seen seen;
    struct webauthn_assertion g = given(a, v);
    CHECK(reg(a, v, &c, NULL) == STATUS_OK);
    CHECK(webauthn_assert(a, &site, unhex(a, v->challenge), c.key, 5, &g, &seen, NULL) == STATUS_OK);
    CHECK(seen.cloned && seen.counter == 0);
    arena_free(a);
}

TEST(registrations_cut_short_or_too_long)
{
    struct arena *a = arena_new(0);
    const struct vector *v = named("none-es256");
    struct webauthn_credential c = {.counter = 77};
    str challenge = unhex(a, v->reg_challenge), client = unhex(a, v->reg_client), whole = unhex(a, v->attestation);
    for (size_t n = 0; n < whole.n; n++)
        CHECK(webauthn_register(a, &site, challenge, client, str_sub(whole, 0, n), &c, NULL) == STATUS_INVALID);
    for (size_t n = 0; n < client.n; n++)
        CHECK(webauthn_register(a, &site, challenge, str_sub(client, 0, n), whole, &c, NULL) == STATUS_INVALID);
    CHECK(webauthn_register(a, &site, challenge, client, ARENA_CAT(a, whole, STR("\0")), &c, NULL) == STATUS_INVALID);
    CHECK_INT(c.counter, 77); /* untouched */
    char *spaces = arena_alloc(a, LIMIT_WEBAUTHN_ATTESTATION + 1);
    memset(spaces, ' ', LIMIT_WEBAUTHN_ATTESTATION + 1);
    str padded = ARENA_CAT(a, client, str_make(spaces, LIMIT_WEBAUTHN_CLIENT_DATA - client.n));
    CHECK(webauthn_register(a, &site, challenge, padded, whole, &c, NULL) == STATUS_OK);
    CHECK(webauthn_register(a, &site, challenge, ARENA_CAT(a, padded, STR(" ")), whole, &c, NULL) == STATUS_INVALID);
    struct err err = ERR_INIT;
    CHECK(webauthn_register(a, &site, challenge, client, str_make(spaces, LIMIT_WEBAUTHN_ATTESTATION + 1), &c, &err) ==
          STATUS_INVALID);
    CHECK(str_find(str_of(err.text), STR("longer than 16384")) != STR_NPOS);
    arena_free(a);
}

/* The flags of a registration, which nothing signs: byte 32 of authData, which is the last value of the map. */
TEST(flags_of_the_authenticator)
{
    struct arena *a = arena_new(0);
    const struct vector *v = named("none-es256");
    struct webauthn_credential c;
    str whole = unhex(a, v->attestation);
    char *bytes = arena_cstr(a, whole);
    char *flags = bytes + whole.n - 164 + 32;
    static const struct {
        unsigned char flags;
        bool ok, verified, backed_up;
    } rows[] = {{0x41, true, false, false}, {0x45, true, true, false}, {0x59, true, false, true}, {0x40, false, 0, 0},
                {0x51, false, 0, 0},        {0x01, false, 0, 0},       {0xc1, false, 0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        *flags = (char)rows[i].flags;
        bool ok = webauthn_register(a, &site, unhex(a, v->reg_challenge), unhex(a, v->reg_client),
                                    str_make(bytes, whole.n), &c, NULL) == STATUS_OK;
        CHECK_INT(ok, rows[i].ok);
        if (ok)
            CHECK(c.user_verified == rows[i].verified && c.backed_up == rows[i].backed_up);
    }
    arena_free(a);
}

static bool skips(const char *bytes, size_t n)
{
    str text = str_make(bytes, n);
    return cbor_skip(&text) && !text.n;
}
#define SKIPS(literal) skips(literal, sizeof(literal) - 1)

TEST(cbor_heads)
{
    const struct {
        str text;
        enum cbor_type type;
        uint64_t n;
    } rows[] = {
        {STR("\x00"), CBOR_UINT, 0},
        {STR("\x17"), CBOR_UINT, 23},
        {STR("\x18\x64"), CBOR_UINT, 100},
        {STR("\x19\x03\xe8"), CBOR_UINT, 1000},
        {STR("\x1a\x00\x0f\x42\x40"), CBOR_UINT, 1000000},
        {STR("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), CBOR_UINT, UINT64_MAX},
        {STR("\x20"), CBOR_NEGATIVE, 0},
        {STR("\x39\x03\xe7"), CBOR_NEGATIVE, 999},
        {STR("\xf5"), CBOR_SIMPLE, 21},
        {STR("\xf9\x3c\x00"), CBOR_SIMPLE, 0x3c00},
        {STR("\xc1"), CBOR_TAG, 1},
        {STR("\x43"
             "abc"),
         CBOR_BYTES, 3},
        {STR("\x62"
             "IE"),
         CBOR_TEXT, 2},
    };
    struct cbor_item item;
    int64_t n;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str text = rows[i].text;
        CHECK(cbor_next(&text, &item) && !text.n && item.type == rows[i].type && item.n == rows[i].n);
        CHECK(cbor_is_int(&item, &n) == (item.type <= CBOR_NEGATIVE && item.n <= INT64_MAX));
        for (size_t cut = 0; cut < rows[i].text.n; cut++) {
            text = str_sub(rows[i].text, 0, cut);
            CHECK(!cbor_next(&text, &item));
        }
    }
    CHECK(SKIPS("\x83\x01\x82\x02\x03\xa1\x61"
                "a\xc1\x00"));
    CHECK(SKIPS("\xa0") && SKIPS("\x80") && SKIPS("\x40"));
    CHECK(!SKIPS("\x9f\x01\xff")); /* indefinite */
    CHECK(!SKIPS("\x1c") && !SKIPS("\xff"));
    CHECK(!SKIPS("\xbb\xff\xff\xff\xff\xff\xff\xff\xff") && !SKIPS("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"));
    CHECK(!SKIPS("\xbb\x80\x00\x00\x00\x00\x00\x00\x00"));
}

TEST(cbor_depth_has_a_wall)
{
    char deep[LIMIT_CBOR_DEPTH + 1];
    memset(deep, 0x81, sizeof deep); /* lists of one */
    deep[LIMIT_CBOR_DEPTH - 1] = 0;
    CHECK(skips(deep, LIMIT_CBOR_DEPTH));
    deep[LIMIT_CBOR_DEPTH - 1] = (char)0x81;
    deep[LIMIT_CBOR_DEPTH] = 0;
    CHECK(!skips(deep, LIMIT_CBOR_DEPTH + 1));
}

static enum status take(str text)
{
    str key;
    enum cose_alg alg;
    return cose_take_key(&text, &key, &alg, NULL);
}

TEST(keys_that_are_none)
{
    struct arena *a = arena_new(0);
    struct webauthn_credential es, rs;
    CHECK(reg(a, named("none-es256"), &es, NULL) == STATUS_OK && reg(a, named("packed-rs256"), &rs, NULL) == STATUS_OK);
    CHECK(take(es.key) == STATUS_OK && take(rs.key) == STATUS_OK);
    char *off_curve = arena_cstr(a, es.key), *even = arena_cstr(a, rs.key);
    off_curve[es.key.n - 1] ^= 1; /* another y */
    CHECK(take(str_make(off_curve, es.key.n)) == STATUS_INVALID);
    CHECK(!cose_verify(str_make(off_curve, es.key.n), STR("m"), STR("s")));
    even[rs.key.n - 1] &= ~1; /* e = 65536 */
    CHECK(take(str_make(even, rs.key.n)) == STATUS_INVALID);
    CHECK(take(STR("\xa1\x01\x02")) == STATUS_INVALID);
    CHECK(take(STR("\xa3\x01\x02\x01\x02\x03\x26")) == STATUS_INVALID); /* a label twice */
    CHECK(take(STR("\xa0")) == STATUS_INVALID && take(STR("\x80")) == STATUS_INVALID &&
          take(STR("")) == STATUS_INVALID);
    arena_free(a);
}

TEST(keys_have_a_size)
{
    struct arena *a = arena_new(0);
    struct webauthn_credential es;
    CHECK(reg(a, named("none-es256"), &es, NULL) == STATUS_OK);
    char *more = arena_alloc(a, LIMIT_COSE_KEY + 1);
    char *many = arena_cstr(a, ARENA_CAT(a, es.key, str_make(more, 2 * (LIMIT_COSE_FIELDS - 4))));
    /* five fields, then pairs of an integer label 9 and a byte string that is passed over */
    size_t pad = LIMIT_COSE_KEY - es.key.n - 4; /* label, head of three bytes */
    str head = arena_printf(a, "%c%c%c%c", 9, 0x59, (int)(pad >> 8), (int)(pad & 255));
    char *six = arena_cstr(a, ARENA_CAT(a, es.key, head, str_make(more, pad + 1)));
    six[0] = (char)0xa6;
    CHECK(take(str_make(six, LIMIT_COSE_KEY)) == STATUS_OK);
    six[es.key.n + 3] = (char)((pad + 1) & 255);
    CHECK(take(str_make(six, LIMIT_COSE_KEY + 1)) == STATUS_INVALID);
    for (size_t i = 0; i < LIMIT_COSE_FIELDS - 4; i++) {
        many[es.key.n + 2 * i] = (char)(10 + i);
        many[es.key.n + 2 * i + 1] = 1;
    }
    many[0] = (char)(0xa0 + LIMIT_COSE_FIELDS);
    CHECK(take(str_make(many, es.key.n + 2 * (LIMIT_COSE_FIELDS - 5))) == STATUS_OK);
    many[0]++;
    CHECK(take(str_make(many, es.key.n + 2 * (LIMIT_COSE_FIELDS - 4))) == STATUS_INVALID);
    arena_free(a);
}

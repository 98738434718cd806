/* SPDX-License-Identifier: Apache-2.0 */
/* Codes of authenticator apps, their QR code, recovery codes, and which passwords are taken. */
#include "base/arena.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/password_rules.h"
#include "codec/qr.h"
#include "codec/recovery.h"
#include "codec/totp.h"
#include "test.h"

#define SECRET STR("12345678901234567890") /* of both RFCs */

TEST(codes_of_rfc_4226_and_6238)
{
    static const char *const hotp[] = {"755224", "287082", "359152", "969429", "338314",
                                       "254676", "287922", "162583", "399871", "520489"};
    static const struct {
        int64_t unix_s;
        const char *last_six; /* the RFC prints eight digits: the same number modulo 10^8 */
    } totp[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    char code[TOTP_DIGITS + 1];
    for (size_t i = 0; i < ARRAY_LEN(hotp); i++) {
        totp_code(SECRET, i, code);
        CHECK_STR(str_of(code), hotp[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(totp); i++) {
        int64_t step = -1;
        CHECK(totp_check(SECRET, str_of(totp[i].last_six), totp[i].unix_s, -1, &step) == TOTP_RIGHT);
        CHECK_INT(step, totp[i].unix_s / TOTP_STEP_S);
    }
}

static enum totp_result try_step(int64_t code_step, int64_t now_s, int64_t used, int64_t *ret)
{
    char code[TOTP_DIGITS + 1];
    totp_code(SECRET, (uint64_t)code_step, code);
    return totp_check(SECRET, str_of(code), now_s, used, ret);
}

TEST(a_clock_may_be_one_step_off)
{
    const int64_t now = 1000 * TOTP_STEP_S + 7;
    int64_t step = -1;
    for (int64_t off = -4; off <= 4; off++) {
        bool near = off >= -1 && off <= 1;
        step = -1;
        CHECK(try_step(1000 + off, now, -1, &step) == (near ? TOTP_RIGHT : TOTP_WRONG));
        CHECK_INT(step, near ? 1000 + off : -1);
    }
    CHECK(try_step(0, 0, -1, &step) == TOTP_RIGHT); /* no step before the first */
    CHECK(try_step(1000, -1, -1, &step) == TOTP_WRONG);
}

TEST(a_step_that_was_used_by_a_clock_that_ran_ahead_does_not_count)
{
    const int64_t now = 1000 * TOTP_STEP_S, month = 30 * 86400 / TOTP_STEP_S;
    int64_t step = -1;
    CHECK(try_step(1000, now, 1000 + month, &step) == TOTP_RIGHT);
    CHECK_INT(step, 1000);
    CHECK(try_step(1000, now, 1001, &step) == TOTP_USED); /* that may be a phone one step ahead */
    CHECK(try_step(1000, now, 1002, &step) == TOTP_RIGHT);
}

TEST(a_code_is_accepted_once)
{
    const int64_t now = 1000 * TOTP_STEP_S;
    int64_t step = -1;
    CHECK(try_step(1000, now, -1, &step) == TOTP_RIGHT);
    CHECK(try_step(1000, now, step, &step) == TOTP_USED);
    CHECK(try_step(1000, now + TOTP_STEP_S, step, &step) == TOTP_USED);
    CHECK(try_step(999, now, step, &step) == TOTP_USED); /* nor one from before it */
    CHECK_INT(step, 1000);
    CHECK(try_step(1001, now, step, &step) == TOTP_RIGHT);
    CHECK_INT(step, 1001);
}

TEST(what_people_type)
{
    static const char *const bad[] = {"",       " ",        "28708",   "2870821", "28708a",
                                      "-87082", "287082\n", "+287082", "287082 1"};
    int64_t step = -1;
    CHECK(totp_check(SECRET, STR("287 082"), 59, -1, &step) == TOTP_RIGHT);
    CHECK(totp_check(SECRET, STR(" 287082 "), 59, -1, &step) == TOTP_RIGHT);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(totp_check(SECRET, str_of(bad[i]), 59, -1, &step) == TOTP_WRONG);
    CHECK(totp_check(SECRET, (str){0}, 59, -1, &step) == TOTP_WRONG);
}

TEST(base32_of_rfc_4648)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "MY"},
                                           {"fo", "MZXQ"},
                                           {"foo", "MZXW6"},
                                           {"foob", "MZXW6YQ"},
                                           {"fooba", "MZXW6YTB"},
                                           {"foobar", "MZXW6YTBOI"}};
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        CHECK_STR(b32_encode(a, str_of(pairs[i][0])), pairs[i][1]);
    CHECK_STR(b32_encode(a, STR("\xff\xff\xff\xff\xff\x00")), "77777777AA");
    arena_free(a);
}

TEST(what_an_app_is_given)
{
    struct arena *a = arena_new(0);
    CHECK_STR(totp_uri(a, STR("data.example.org: hub"), STR("ana+x@example.org"), SECRET),
              "otpauth://totp/data.example.org%3A%20hub:ana%2Bx@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
              "&issuer=data.example.org%3A%20hub&algorithm=SHA1&digits=6&period=30");
    CHECK_STR(totp_typed_secret(a, SECRET), "gezd gnbv gy3t qojq gezd gnbv gy3t qojq");
    arena_free(a);
}

TEST(a_qr_code_is_drawn)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    str svg = {0}, again;
    char *text = arena_alloc(a, LIMIT_QR_TEXT + 1);
    CHECK(qr_svg(a, STR("otpauth://totp/x?secret=AAAA"), STR("a \"label\""), &svg, &err) == STATUS_OK);
    CHECK(str_starts(svg, STR("<svg class=\"qr\" viewBox=\"0 0 37 37\" ")) && str_ends(svg, STR("</svg>")));
    CHECK(str_find(svg, STR("aria-label=\"a &#34;label&#34;\"")) != STR_NPOS);
    /* the finder pattern at the top left: seven dark, then one dark, five light, one dark */
    CHECK(str_find(svg, STR("d=\"M4 4h7v1h-7z")) != STR_NPOS);
    CHECK(str_find(svg, STR("M4 5h1v1h-1zM10 5h1v1h-1z")) != STR_NPOS);
    CHECK(qr_svg(a, STR("otpauth://totp/x?secret=AAAB"), STR("a \"label\""), &again, &err) == STATUS_OK);
    CHECK(!str_eq(svg, again));
    memset(text, 0xff, LIMIT_QR_TEXT + 1);
    CHECK(qr_svg(a, str_make(text, LIMIT_QR_TEXT), STR("x"), &svg, &err) == STATUS_OK);
    CHECK(qr_svg(a, str_make(text, LIMIT_QR_TEXT + 1), STR("x"), &svg, &err) == STATUS_TOO_LARGE);
    CHECK(qr_svg(a, STR(""), STR("x"), &svg, &err) == STATUS_TOO_LARGE);
    arena_free(a);
}

TEST(recovery_codes_are_ten_and_different)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    str codes[RECOVERY_CODES];
    char one[DIGEST_HEX_MAX], two[DIGEST_HEX_MAX];
    CHECK(recovery_make(a, codes, &err) == STATUS_OK);
    for (int i = 0; i < RECOVERY_CODES; i++) {
        CHECK_INT(codes[i].n, 19);
        CHECK(codes[i].p[4] == '-' && codes[i].p[9] == '-' && codes[i].p[14] == '-');
        CHECK(recovery_digest(STR("key"), STR("u1"), codes[i], one));
        CHECK_INT(strlen(one), 64);
        for (int k = 0; k < i; k++) {
            CHECK(recovery_digest(STR("key"), STR("u1"), codes[k], two));
            CHECK(strcmp(one, two) != 0);
        }
        CHECK(recovery_digest(STR("other"), STR("u1"), codes[i], two) && strcmp(one, two) != 0);
        CHECK(recovery_digest(STR("key"), STR("u2"), codes[i], two) && strcmp(one, two) != 0);
    }
    arena_free(a);
}

TEST(recovery_codes_survive_handwriting)
{
    static const char *const same[] = {"01ab-cdef-ghjk-mnpq", "01abcdefghjkmnpq", "OIAB CDEF GHJK MNPQ",
                                       " oLab-cdef-ghjk-mnpq"};
    static const char *const bad[] = {"",       "01ab-cdef-ghjk-mnp",  "01ab-cdef-ghjk-mnpqr",  "u1ab-cdef-ghjk-mnpq",
                                      "287082", "01ab_cdef_ghjk_mnpq", "01ab-cdef-ghjk-mnp\xff"};
    char want[DIGEST_HEX_MAX], got[DIGEST_HEX_MAX];
    CHECK(recovery_digest(STR("k"), STR("u"), str_of(same[0]), want));
    for (size_t i = 1; i < ARRAY_LEN(same); i++) {
        CHECK(recovery_digest(STR("k"), STR("u"), str_of(same[i]), got));
        CHECK_STR(str_of(got), want);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!recovery_digest(STR("k"), STR("u"), str_of(bad[i]), got));
    CHECK(!recovery_digest(STR("k"), STR("u"), str_make("01ab\0cdef-ghjk-mnpq", 19), got));
}

#define JAPANESE                                                                                                       \
    "\346\227\245\346\234\254\350\252\236\343\201\256\345\220\210\350\250\200\350\221\211\343\201\247\343\201\231"     \
    "\343\201\213"

TEST(passwords_that_are_taken)
{
    static const char *const good[] = {"correct horse battery",
                                       "tricky fish",
                                       "summer in the old city",
                                       "4f7a91c2e8",
                                       "dragonflies over Lyon",
                                       "p\303\244ssw\303\266rter b\303\244ume",
                                       JAPANESE};
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CHECK(password_rules_check(str_of(good[i]), STR("ana.maria@example.org"), &err) == STATUS_OK);
}

TEST(passwords_that_are_not)
{
    static const struct {
        const char *password, *why;
    } bad[] = {
        {"", "at least 10"},
        {"short", "at least 10 characters; this one has 5"},
        {"\303\244\303\244\303\244\303\244\303\244\303\244", "this one has 6"},
        {"password123", "tried first"},
        {"PassWord2024!", "tried first"},
        {"12qwertyuiop!!", "tried first"},
        {"P@ssw0rd12", "tried first"},
        {"aaaaaaaaaaaa", "tried first"},
        {"abcabcabcabc", "tried first"},
        {"0123456789", "tried first"},
        {"1234567890", "tried first"},
        {"9876543210", "tried first"},
        {"abcdefghijkl", "tried first"},
        {"Ana.Maria@Example.org", "e-mail address"},
        {"ana.maria2026", "e-mail address"},
        {"example.org", "e-mail address"},
    };
    char longest[LIMIT_PASSWORD + 1];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        CHECK(password_rules_check(str_of(bad[i].password), STR("ana.maria@example.org"), &err) == STATUS_INVALID);
        CHECK(str_find(str_of(err.text), str_of(bad[i].why)) != STR_NPOS);
        CHECK(err.hint[0]);
    }
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = (char)('a' + i * i % 23);
    CHECK(password_rules_check(str_make(longest, LIMIT_PASSWORD), STR(""), NULL) == STATUS_OK);
    CHECK(password_rules_check(str_make(longest, LIMIT_PASSWORD + 1), STR(""), NULL) == STATUS_INVALID);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of passwords: those of the plugin and of Django are read, what is written can be read, costs have a wall. */
#include "base/arena.h"
#include "base/limits.h"
#include "codec/password.h"
#include "test.h"

/* "password!", from the tests of datasette-auth-passwords */
#define PLUGIN    "pbkdf2_sha256$260000$a9bb87a3e9d968847a36c50cf1a4ac3d$UO1DUqulWhRLj8UZrnViiu6KaKn0C5M9IZKWB4R9JX4="
#define ONE_ROUND "pbkdf2_sha256$1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=" /* "password" */

TEST(hashes_of_the_plugin)
{
    CHECK(password_check(STR(PLUGIN), NULL) == STATUS_OK);
    CHECK(password_matches(STR(PLUGIN), STR("password!")));
    CHECK(!password_matches(STR(PLUGIN), STR("password")));
    CHECK(!password_matches(STR(PLUGIN), STR("")));
    CHECK(!password_matches(STR(PLUGIN), (str){0}));
    CHECK(password_matches(STR(ONE_ROUND), STR("password")));
}

TEST(what_is_written_can_be_read)
{
    struct arena *a = arena_new(0);
    for (int kind = PASSWORD_ARGON2ID; kind <= PASSWORD_PBKDF2; kind++) {
        str one, two;
        struct err err = ERR_INIT;
        CHECK(password_hash(a, STR("p\303\244ss wort"), kind, &one, &err) == STATUS_OK);
        CHECK(password_hash(a, STR("p\303\244ss wort"), kind, &two, &err) == STATUS_OK);
        CHECK(!str_eq(one, two)); /* fresh salt */
        CHECK(password_check(one, &err) == STATUS_OK);
        CHECK(password_matches(one, STR("p\303\244ss wort")));
        CHECK(!password_matches(one, STR("p\303\244ss wort ")));
        CHECK(str_starts(one, kind == PASSWORD_ARGON2ID ? STR("$argon2id$v=19$m=19456,t=2,p=1$")
                                                        : STR("pbkdf2_sha256$600000$")));
    }
    arena_free(a);
}

TEST(a_password_has_a_length)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    char *longest = arena_alloc_raw(a, LIMIT_PASSWORD + 1);
    str hash = {0};
    memset(longest, 'x', LIMIT_PASSWORD + 1);
    CHECK(password_hash(a, STR(""), PASSWORD_ARGON2ID, &hash, &err) == STATUS_INVALID);
    CHECK(password_hash(a, str_make(longest, LIMIT_PASSWORD + 1), PASSWORD_ARGON2ID, &hash, &err) == STATUS_INVALID);
    CHECK(!hash.p);
    CHECK(password_hash(a, str_make(longest, LIMIT_PASSWORD), PASSWORD_ARGON2ID, &hash, &err) == STATUS_OK);
    CHECK(password_matches(hash, str_make(longest, LIMIT_PASSWORD)));
    CHECK(!password_matches(hash, str_make(longest, LIMIT_PASSWORD + 1)));
    arena_free(a);
}

TEST(what_is_no_hash)
{
    static const char *const bad[] = {
        "",
        "password",
        "$",
        "$$$",
        "pbkdf2_sha256",
        "pbkdf2_sha256$",
        "pbkdf2_sha256$1$salt",
        "pbkdf2_sha256$1$$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=",
        "pbkdf2_sha256$0$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=",
        "pbkdf2_sha256$-1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=",
        "pbkdf2_sha256$10000001$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=",
        "pbkdf2_sha256$99999999999999999999$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=",
        "pbkdf2_sha256$1$salt$Eg+2",
        "pbkdf2_sha256$1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=$",
        "pbkdf2_sha1$1$salt$Eg+2z/z4syxD5yJSVsT4N6hlSMkszDVICAWYfLcL4Xs=",
        "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=64,t=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=1048577,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=64,t=65,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=64,t=1,p=65$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=64,t=1,p=1$c29$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$****",
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ$",
        "$2b$12$abcdefghijklmnopqrstuuWbCM9Q7z9Tn3h0nO6qFEBvlBTwmAhxK",
    };
    char text[600];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = ERR_INIT;
        CHECK(password_check(str_of(bad[i]), &err) == STATUS_INVALID);
        CHECK(err.text[0]);
        CHECK(!password_matches(str_of(bad[i]), STR("password")));
    }
    memset(text, 'x', sizeof text);
    CHECK(password_check(str_make(text, sizeof text), NULL) == STATUS_INVALID);
    CHECK(password_check(str_make("pbkdf2_sha256$1$s\0lt$Eg+2", 25), NULL) == STATUS_INVALID);
}

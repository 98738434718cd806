/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "codec/seal.h"
#include "test.h"

#define SECRET STR("0123456789abcdef0123456789abcdef")
#define OTHER  STR("0123456789abcdef0123456789abcdeg")

TEST(what_is_sealed_opens_again)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    char *large = arena_alloc(a, 100000);
    memset(large, 'x', 100000);
    const str plain[] = {STR(""), STR("a"), STR("twenty bytes of text"), str_make("\0\xff\0", 3),
                         str_make(large, 100000)};
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        str one = seal_close(a, SECRET, STR("here"), plain[i]), two = seal_close(a, SECRET, STR("here"), plain[i]), got;
        CHECK_INT(one.n, plain[i].n + SEAL_OVERHEAD);
        CHECK(!str_eq(one, two)); /* a nonce of its own each */
        CHECK(plain[i].n < 8 || str_find(one, plain[i]) == STR_NPOS);
        CHECK_INT(seal_open(a, SECRET, STR("here"), one, &got, &err), STATUS_OK);
        CHECK_STRS(got, plain[i]);
        CHECK_INT(seal_open(a, SECRET, STR("here"), two, &got, &err), STATUS_OK);
        CHECK_STRS(got, plain[i]);
    }
    arena_free(a);
}

TEST(what_is_not_ours_does_not_open)
{
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    str sealed = seal_close(a, SECRET, STR("here"), STR("a secret")), got = STR("untouched");
    CHECK_INT(seal_open(a, OTHER, STR("here"), sealed, &got, &err), STATUS_INVALID);
    CHECK_INT(seal_open(a, SECRET, STR("there"), sealed, &got, &err), STATUS_INVALID);
    CHECK_INT(seal_open(a, SECRET, STR(""), sealed, &got, &err), STATUS_INVALID);
    for (size_t i = 0; i < sealed.n; i++) {
        char *changed = arena_cstr(a, sealed);
        changed[i] ^= 1;
        CHECK_INT(seal_open(a, SECRET, STR("here"), str_make(changed, sealed.n), &got, &err), STATUS_INVALID);
        CHECK_INT(seal_open(a, SECRET, STR("here"), str_sub(sealed, 0, i), &got, &err), STATUS_INVALID);
    }
    CHECK_STR(got, "untouched");
    CHECK(str_eq(seal_name(a, SECRET), seal_name(a, SECRET)) && !str_eq(seal_name(a, SECRET), seal_name(a, OTHER)));
    CHECK_INT(seal_name(a, SECRET).n, SEAL_NAME);
    arena_free(a);
}

/* Made by another implementation (AESGCM of Python's cryptography): what is in databases stays readable. */
TEST(seals_of_before_open)
{
    static const char sealed[] =
        "\001\000\001\002\003\004\005\006\007\010\011\012\013\237\015\344\315\350\074\114\260\304\223\156\203"
        "\046\354\053\210\276\274\202\035\104\063\024\305";
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    str got;
    CHECK_INT(seal_open(a, SECRET, STR("here"), str_make(sealed, sizeof sealed - 1), &got, &err), STATUS_OK);
    CHECK_STR(got, "a secret");
    arena_free(a);
}

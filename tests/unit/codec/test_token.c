/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: what is signed can be read with the public key, and with no other; PEM files of ours and of openssl's. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "codec/b64.h"
#include "codec/token.h"
#include "test.h"

/* RFC 8032, 7.1, test 2, as PKCS #8 */
#define RFC_PEM                                                                                                        \
    "-----BEGIN PRIVATE KEY-----\n"                                                                                    \
    "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"                                               \
    "-----END PRIVATE KEY-----\n"
#define RFC_PUBLIC "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"

static char folder[64], path[96];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/vitrine-token-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/key.pem", folder);
}

static void drop_folder(void)
{
    (void)unlink(path);
    CHECK_INT(rmdir(folder), 0);
}

static struct token_public public_of(const struct token_key *key, const char *id, struct arena *a)
{
    struct token_public p = {.id = str_of(id)};
    CHECK(token_public_read(token_key_public(key, a), p.bytes));
    return p;
}

static struct value ticket(struct arena *a, int64_t iat, int64_t exp)
{
    struct value v = value_dict(a);
    VALUE_SET(v, "use", value_cstr("sign-on"));
    VALUE_SET(v, "aud", value_cstr("sabc"));
    VALUE_SET(v, "name", value_cstr("\303\204nne"));
    VALUE_SET(v, "iat", value_int(iat));
    VALUE_SET(v, "exp", value_int(exp));
    return v;
}

TEST(what_is_signed_can_be_read)
{
    struct arena *a = arena_new(0);
    struct token_key *one = NULL, *two = NULL;
    struct err err = ERR_INIT;
    struct value back;
    str text;
    CHECK_INT(token_key_new(&one, &err), STATUS_OK);
    CHECK_INT(token_key_new(&two, &err), STATUS_OK);
    const struct token_public keys[] = {public_of(one, "1", a), public_of(two, "2", a)};
    const struct token_public renamed[] = {public_of(one, "other", a)};
    CHECK_INT(token_sign(a, two, STR("2"), ticket(a, 10, 20), &text, &err), STATUS_OK);
    CHECK(str_starts(text, STR("v1.")));
    CHECK_INT(token_verify(a, keys, 2, text, &back, &err), STATUS_OK);
    CHECK_STR(value_get_text(back, STR("name")), "\303\204nne");
    CHECK_STR(value_get_text(back, STR("kid")), "2");
    CHECK_INT(token_verify(a, keys, 1, text, &back, &err), STATUS_INVALID);
    CHECK_INT(token_verify(a, keys, 0, text, &back, &err), STATUS_INVALID);
    CHECK_INT(token_sign(a, one, STR("1"), ticket(a, 10, 20), &text, &err), STATUS_OK);
    CHECK_INT(token_verify(a, renamed, 1, text, &back, &err), STATUS_INVALID); /* good signature, other name */
    token_key_free(one);
    token_key_free(two);
    token_key_free(NULL);
    arena_free(a);
}

TEST(changed_anywhere_it_is_refused)
{
    struct arena *a = arena_new(0);
    struct token_key *key = NULL;
    struct value back;
    str text;
    CHECK_INT(token_key_new(&key, NULL), STATUS_OK);
    const struct token_public p = public_of(key, "1", a);
    CHECK_INT(token_sign(a, key, STR("1"), ticket(a, 10, 20), &text, NULL), STATUS_OK);
    for (size_t i = 0; i < text.n; i++) {
        char *changed = arena_cstr(a, text);
        changed[i] ^= 1;
        CHECK_INT(token_verify(a, &p, 1, str_make(changed, text.n), &back, NULL), STATUS_INVALID);
        CHECK_INT(token_verify(a, &p, 1, str_sub(text, 0, i), &back, NULL), STATUS_INVALID);
    }
    /* the last digit holds 2 bits of the signature: the 15 other texts that mean the same bytes are no tokens */
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < 64; i++) {
        char *changed = arena_cstr(a, text);
        changed[text.n - 1] = digits[i];
        CHECK((token_verify(a, &p, 1, str_make(changed, text.n), &back, NULL) == STATUS_OK) ==
              (digits[i] == text.p[text.n - 1]));
    }
    CHECK_INT(token_verify(a, &p, 1, ARENA_CAT(a, text, STR("=")), &back, NULL), STATUS_INVALID);
    CHECK_INT(token_verify(a, &p, 1, ARENA_CAT(a, STR("v2."), str_from(text, 3)), &back, NULL), STATUS_INVALID);
    token_key_free(key);
    arena_free(a);
}

TEST(what_a_token_is_for)
{
    struct arena *a = arena_new(0);
    struct value v = ticket(a, 1000, 1060);
    str use = STR("sign-on"), aud = STR("sabc");
    CHECK_INT(token_is_for(v, use, aud, 1000, 0, NULL), STATUS_OK);
    CHECK_INT(token_is_for(v, use, aud, 1059, 0, NULL), STATUS_OK);
    CHECK_INT(token_is_for(v, use, aud, 1060, 0, NULL), STATUS_INVALID);
    CHECK_INT(token_is_for(v, use, aud, 999, 0, NULL), STATUS_INVALID);
    CHECK_INT(token_is_for(v, use, aud, 995, 5, NULL), STATUS_OK);
    CHECK_INT(token_is_for(v, use, aud, 1064, 5, NULL), STATUS_OK);
    CHECK_INT(token_is_for(v, use, aud, 1065, 5, NULL), STATUS_INVALID);
    CHECK_INT(token_is_for(v, STR("invite"), aud, 1000, 0, NULL), STATUS_INVALID);
    CHECK_INT(token_is_for(v, use, STR("sabd"), 1000, 0, NULL), STATUS_INVALID);
    CHECK_INT(token_is_for(v, use, (str){0}, 1000, 0, NULL), STATUS_INVALID);
    VALUE_SET(v, "exp", value_cstr("1060"));
    CHECK_INT(token_is_for(v, use, aud, 1000, 0, NULL), STATUS_INVALID);
    CHECK_INT(token_is_for(ticket(a, 1000, INT64_MAX), use, aud, 1000, 5, NULL), STATUS_INVALID);
    CHECK_INT(token_is_for(ticket(a, INT64_MIN, 2000), use, aud, 1000, 5, NULL), STATUS_INVALID);
    arena_free(a);
}

TEST(keys_lie_in_pem_files)
{
    struct arena *a = arena_new(0);
    struct token_key *key = NULL, *again = NULL;
    struct err err = ERR_INIT;
    struct stat sb;
    make_folder();
    CHECK_INT(token_key_load(path, &key, &err), STATUS_NOT_FOUND);
    CHECK_INT(token_key_new(&key, &err), STATUS_OK);
    CHECK_INT(token_key_save(key, path, &err), STATUS_OK);
    CHECK_INT(stat(path, &sb), 0);
    CHECK_INT(sb.st_mode & 07777, 0600);
    CHECK_INT(token_key_load(path, &again, &err), STATUS_OK);
    CHECK_STRS(token_key_public(again, a), token_key_public(key, a));
    token_key_free(key);
    token_key_free(again);
    again = NULL;

    CHECK_INT(fs_write_atomic(path, STR(RFC_PEM), 0600, &err), STATUS_OK);
    CHECK_INT(token_key_load(path, &again, &err), STATUS_OK);
    CHECK_STR(token_key_public(again, a), RFC_PUBLIC);
    token_key_free(again);
    again = NULL;

    static const char *const wrong[] = {"", "no key", "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n",
                                        /* X25519 */
                                        "-----BEGIN PRIVATE KEY-----\n"
                                        "MC4CAQAwBQYDK2VuBCIEIEzNCJsoz5bab2rMneDDupHQbypiSEpsj/WmphTblKb7\n"
                                        "-----END PRIVATE KEY-----\n"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        CHECK_INT(fs_write_atomic(path, str_of(wrong[i]), 0600, &err), STATUS_OK);
        CHECK_INT(token_key_load(path, &again, &err), STATUS_INVALID);
        CHECK(again == NULL && strstr(err.text, path) != NULL);
    }
    char *large = arena_alloc(a, LIMIT_TOKEN_KEY_FILE + 1);
    memset(large, '\n', LIMIT_TOKEN_KEY_FILE + 1);
    CHECK_INT(fs_write_atomic(path, str_make(large, LIMIT_TOKEN_KEY_FILE + 1), 0600, &err), STATUS_OK);
    CHECK_INT(token_key_load(path, &again, &err), STATUS_TOO_LARGE);
    drop_folder();
    arena_free(a);
}

TEST(public_keys_are_32_bytes)
{
    unsigned char bytes[TOKEN_PUBLIC];
    CHECK(token_public_read(STR(RFC_PUBLIC), bytes));
    CHECK_INT(bytes[0], 0x3d);
    CHECK(!token_public_read((str){0}, bytes));
    CHECK(!token_public_read(STR("PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zg"), bytes));
    CHECK(!token_public_read(STR("PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw"), bytes));
    CHECK(!token_public_read(STR("PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgx"), bytes)); /* unused bits */
    CHECK(!token_public_read(STR(RFC_PUBLIC "="), bytes));
}

TEST(a_token_has_a_size)
{
    struct arena *a = arena_new(0);
    struct token_key *key = NULL;
    struct value v = value_dict(a), back;
    str text = {0};
    CHECK_INT(token_key_new(&key, NULL), STATUS_OK);
    const struct token_public p = public_of(key, "1", a);
    const size_t around = sizeof "{\"kid\":\"1\",\"x\":\"\"}" - 1;
    char *filler = arena_alloc_raw(a, LIMIT_TOKEN);
    memset(filler, 'x', LIMIT_TOKEN);
    VALUE_SET(v, "x", value_str(str_make(filler, LIMIT_TOKEN - around + 1)));
    CHECK_INT(token_sign(a, key, STR("1"), v, &text, NULL), STATUS_TOO_LARGE);
    CHECK(!text.p);
    VALUE_SET(v, "x", value_str(str_make(filler, LIMIT_TOKEN - around)));
    CHECK_INT(token_sign(a, key, STR("1"), v, &text, NULL), STATUS_OK);
    CHECK_INT(token_verify(a, &p, 1, text, &back, NULL), STATUS_OK);
    CHECK_INT(token_sign(a, key, STR("1"), value_list(a), &text, NULL), STATUS_INVALID);
    VALUE_SET(v, "kid", value_cstr("2"));
    CHECK_INT(token_sign(a, key, STR("1"), v, &text, NULL), STATUS_INVALID);
    token_key_free(key);
    arena_free(a);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What goes out is read back by another library in tests/hub; here: what must never be in it. */
#include "base/limits.h"
#include "codec/letter.h"
#include "test.h"

static struct letter plain(void)
{
    return (struct letter){.from = STR("data@example.org"),
                           .from_name = STR("Data"),
                           .to = STR("ana@example.org"),
                           .subject = STR("Hello"),
                           .text = STR("One\nTwo\r\n"),
                           .id = STR("a1"),
                           .domain = STR("example.org"),
                           .date_unix_s = 784111777};
}

static str written(struct arena *a, const struct letter *l)
{
    str s = {0};
    struct err err = ERR_INIT;
    CHECK_INT(letter_write(a, l, &s, &err), STATUS_OK);
    for (size_t i = 0; i < s.n; i++) { /* lines end with CR LF, and nothing else is in them */
        unsigned char c = (unsigned char)s.p[i];
        CHECK(c < 127 && (c >= ' ' || c == '\t' || c == '\r' || c == '\n'));
        CHECK((c == '\n') == (i > 0 && s.p[i - 1] == '\r'));
    }
    return s;
}

TEST(a_letter)
{
    struct arena *a = arena_new(0);
    struct letter l = plain();
    CHECK_STR(written(a, &l), "From: \"Data\"\r\n <data@example.org>\r\nTo: <ana@example.org>\r\nSubject: Hello\r\n"
                              "Date: Sun, 06 Nov 1994 08:49:37 +0000\r\nMessage-ID: <a1@example.org>\r\n"
                              "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                              "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
                              "One\r\nTwo\r\n");
    l.html = STR("<p>One</p>");
    str both = written(a, &l);
    CHECK(str_find(both, STR("\r\n--=_a1\r\nContent-Type: text/html; charset=utf-8\r\n")) != STR_NPOS);
    CHECK(str_ends(both, STR("<p>One</p>\r\n\r\n--=_a1--\r\n")));
    arena_free(a);
}

TEST(no_header_from_outside)
{
    static const char *const names[] = {"Ana\r\nBcc: eve@example.org",
                                        "Ana\nBcc: eve@example.org",
                                        "Ana\rBcc: eve@example.org",
                                        ("\xe2\x80\xa8"
                                         "Bcc: eve@example.org"),
                                        "\xc3\xa4\r\n\r\nBcc: x",
                                        "\" <eve@example.org>, \"",
                                        "=?UTF-8?B?DQpCY2M6IHg=?="};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct arena *a = arena_new(0);
        struct letter l = plain();
        l.subject = l.from_name = str_of(names[i]);
        str s = written(a, &l);
        CHECK(str_find(s, STR("\nBcc")) == STR_NPOS && str_find(s, STR("\n Bcc")) == STR_NPOS);
        CHECK(str_find(s, STR("\r\n\r\n")) == str_find(s, STR("7bit\r\n\r\nOne")) + 4);
        arena_free(a);
    }
}

TEST(words_are_encoded)
{
    struct arena *a = arena_new(0);
    struct letter l = plain();
    l.subject = STR("M\xc3\xbcller");
    CHECK(str_find(written(a, &l), STR("Subject: =?UTF-8?B?TcO8bGxlcg==?=\r\n")) != STR_NPOS);
    l.subject = STR("=?x?=");
    CHECK(str_find(written(a, &l), STR("Subject: =?UTF-8?B?PT94Pz0=?=\r\n")) != STR_NPOS);
    l.subject = STR("\xf0\x9f\x90\x9f\xf0\x9f\x90\x9f\xf0\x9f\x90\x9f\xf0\x9f\x90\x9f\xf0\x9f\x90\x9f\xf0\x9f\x90\x9f"
                    "\xf0\x9f\x90\x9f\xf0\x9f\x90\x9f\xf0\x9f\x90\x9f\xf0\x9f\x90\x9f\xf0\x9f\x90\x9f\xf0\x9f\x90\x9f");
    str s = written(a, &l); /* 12 characters of 4 bytes: 11 and 1, none cut */
    CHECK(str_find(s, STR("=?UTF-8?B?8J+Qn/CfkJ/wn5Cf8J+Qn/CfkJ/wn5Cf8J+Qn/CfkJ/wn5Cf8J+Qn/CfkJ8=?=\r\n "
                          "=?UTF-8?B?8J+Qnw==?=\r\n")) != STR_NPOS);
    arena_free(a);
}

TEST(texts_of_any_kind)
{
    struct arena *a = arena_new(0);
    struct letter l = plain();
    l.text = STR("caf\xc3\xa9 = \n \x01\xff.\n");
    CHECK(str_ends(written(a, &l), STR("quoted-printable\r\n\r\ncaf=C3=A9 =3D=20\r\n =01=EF=BF=BD.\r\n")));
    char *p = ARENA_ARRAY(a, char, 2000);
    memset(p, 'x', 2000);
    l.text = str_make(p, 2000);
    str s = written(a, &l);
    CHECK(str_find(s, STR("quoted-printable")) != STR_NPOS && str_find(s, STR("xxx=\r\nxxx")) != STR_NPOS);
    arena_free(a);
}

TEST(addresses)
{
    static const char *const good[] = {"a@b.c", "ana.b+c@example.org", "o'hara@x-y.example.org", "me@localhost",
                                       "a@xn--mnchen-3ya.de"};
    static const char *const bad[] = {
        "",        "a",
        "@b.c",    "a@",
        "a@b",     "a@b..c",
        "a@.b.c",  "a@b.c.",
        ".a@b.c",  "a..b@c.d",
        "a b@c.d", "a@b.c\r\nBcc: x@y.z",
        "a@b.c\n", "a@b.c,d@e.f",
        "a@b@c.d", "\"a\"@b.c",
        "<a@b.c>", "a@[127.0.0.1]",
        "a@b.c>",  "\xc3\xa4@b.c",
        "a@b_c.d", "12345678901234567890123456789012345678901234567890123456789012345@b.c"};
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (letter_address(str_of(good[i]), &err) != STATUS_OK)
            test_fail(__FILE__, __LINE__, "%s: %s", good[i], err.text);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (letter_address(str_of(bad[i]), &err) != STATUS_INVALID)
            test_fail(__FILE__, __LINE__, "%s", bad[i]);
    char *p = ARENA_ARRAY(a, char, LIMIT_LETTER_ADDRESS + 1);
    for (size_t i = 0; i <= LIMIT_LETTER_ADDRESS; i++)
        p[i] = i == 1 ? '@' : i % 50 == 49 ? '.' : 'x';
    CHECK_INT(letter_address(str_make(p, LIMIT_LETTER_ADDRESS), &err), STATUS_OK);
    CHECK_INT(letter_address(str_make(p, LIMIT_LETTER_ADDRESS + 1), &err), STATUS_INVALID);
    struct letter l = plain();
    str s;
    l.to = STR("a@b.c\r\nBcc: x@y.z");
    CHECK_INT(letter_write(a, &l, &s, &err), STATUS_INVALID);
    arena_free(a);
}

TEST(letters_have_a_size)
{
    struct arena *a = arena_new(0);
    struct letter l = plain();
    struct err err = ERR_INIT;
    char *p = ARENA_ARRAY(a, char, LIMIT_LETTER);
    memset(p, '\n', LIMIT_LETTER);
    l.text = str_make(p, LIMIT_LETTER);
    str s;
    CHECK_INT(letter_write(a, &l, &s, &err), STATUS_TOO_LARGE);
    arena_free(a);
}

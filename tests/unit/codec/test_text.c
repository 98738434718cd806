/* SPDX-License-Identifier: Apache-2.0 */
/* HTML, tilde names, links with changed arguments, base64, base62, gzip. */
#include <zlib.h>

#include "base/arena.h"
#include "codec/b64.h"
#include "codec/compress.h"
#include "codec/digest.h"
#include "codec/html_escape.h"
#include "codec/sign.h"
#include "codec/url.h"
#include "test.h"

TEST(html)
{
    struct arena *a = arena_new(0);
    str plain = STR("nothing to do in these 30 bytes");
    CHECK_STR(html_escape_arena(a, STR("<a href=\"x\">'&'</a>")),
              "&lt;a href=&#34;x&#34;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    CHECK(html_escape_arena(a, plain).p == plain.p);
    for (size_t at = 0; at < 20; at++) { /* one byte at every place of a word */
        char text[20], want[32];
        memset(text, 'x', sizeof(text));
        text[at] = '<';
        memset(want, 'x', sizeof(want));
        memcpy(want + at, "&lt;", 4);
        CHECK_STRS(html_escape_arena(a, str_make(text, sizeof(text))), str_make(want, sizeof(text) + 3));
    }
    arena_free(a);
}

TEST(tilde)
{
    static const char *const cases[][2] = {
        {"simple-name_1", "simple-name_1"},
        {"a b", "a+b"},
        {"/foo/bar", "~2Ffoo~2Fbar"},
        {"x.csv", "x~2Ecsv"},
        {"~", "~7E"},
        {"+", "~2B"},
        {"100%", "100~25"},
        {"\303\251", "~C3~A9"},
        {"", ""},
    };
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_STR(tilde_encode(a, str_of(cases[i][0])), cases[i][1]);
        CHECK_STR(tilde_decode(a, str_of(cases[i][1])), cases[i][0]);
    }
    CHECK_STR(tilde_decode(a, STR("100%25")), "100%25");
    arena_free(a);
}

TEST(query_has_a_maximum)
{
    struct arena *a = arena_new(0);
    struct url_pair *pairs = NULL;
    size_t count = 77;
    CHECK(!url_parse_query(a, STR("a=1&b=2&c=3"), 2, &pairs, &count));
    CHECK_INT(count, 77);
    CHECK(url_parse_query(a, STR("a=1&b=2&c=3"), 3, &pairs, &count));
    CHECK_INT(count, 3);
    arena_free(a);
}

TEST(base64) /* RFC 4648 section 10 */
{
    static const char *const cases[][3] = {{"", "", ""},
                                           {"f", "Zg==", "Zg"},
                                           {"fo", "Zm8=", "Zm8"},
                                           {"foo", "Zm9v", "Zm9v"},
                                           {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                                           {"\377\376\375", "//79", "__79"}};
    struct arena *a = arena_new(0);
    str back;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_STR(b64_encode_arena(a, str_of(cases[i][0])), cases[i][1]);
        CHECK_STR(b64url_encode(a, str_of(cases[i][0])), cases[i][2]);
        CHECK(b64_decode(a, str_of(cases[i][1]), &back));
        CHECK_STR(back, cases[i][0]);
        CHECK(b64url_decode(a, str_of(cases[i][2]), &back));
        CHECK_STR(back, cases[i][0]);
    }
    CHECK(!b64_decode(a, STR("Zg="), &back));
    CHECK(!b64_decode(a, STR("Zg"), &back));
    CHECK(!b64_decode(a, STR("Z g=="), &back));
    CHECK(!b64url_decode(a, STR("A"), &back));
    CHECK(!b64url_decode(a, STR("//79"), &back));
    arena_free(a);
}

TEST(base62)
{
    struct arena *a = arena_new(0);
    static const int64_t numbers[] = {0, 1, 61, 62, 1700000000, INT64_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        int64_t back = -1;
        CHECK(base62_decode(base62_encode(a, numbers[i]), &back));
        CHECK(back == numbers[i]);
    }
    int64_t back = 5;
    CHECK(!base62_decode(STR(""), &back));
    CHECK(!base62_decode(STR("a-b"), &back));
    CHECK(!base62_decode(STR("zzzzzzzzzzzzzz"), &back));
    CHECK_INT(back, 5);
    arena_free(a);
}

TEST(digests)
{
    char hex[DIGEST_HEX_MAX];
    digest_md5_hex(STR("abc"), hex);
    CHECK_STR(str_of(hex), "900150983cd24fb0d6963f7d28e17f72");
    digest_sha1_hex(STR("abc"), hex);
    CHECK_STR(str_of(hex), "a9993e364706816aba3e25717850c26c9cd0d89d");
    digest_sha256_hex(STR("abc"), hex);
    CHECK_STR(str_of(hex), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(digest_equal(STR("same"), STR("same")));
    CHECK(!digest_equal(STR("same"), STR("sane")));
    CHECK(!digest_equal(STR("same"), STR("sam")));
}

static str repeated(struct arena *a, size_t n)
{
    char *text = arena_alloc_raw(a, n);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + (i * i >> 7) % 17);
    return str_make(text, n);
}

/* The library itself is the judge: a gzip member or a zlib stream, whole. */
static str unpacked(struct arena *a, str packed, size_t max)
{
    char *text = arena_alloc_raw(a, max);
    z_stream z = {0};
    CHECK(inflateInit2(&z, 15 + 32) == Z_OK);
    z.next_in = (Bytef *)arena_cstr(a, packed);
    z.avail_in = (uInt)packed.n;
    z.next_out = (Bytef *)text;
    z.avail_out = (uInt)max;
    CHECK(inflate(&z, Z_FINISH) == Z_STREAM_END);
    CHECK_INT(z.avail_in, 0);
    size_t n = z.total_out;
    CHECK(inflateEnd(&z) == Z_OK);
    return str_make(text, n);
}

TEST(gzip_there_and_back)
{
    struct arena *a = arena_new(0);
    str text = repeated(a, 300000);
    struct buf out;
    buf_init(&out, text.n);
    CHECK(compress_gzip(&out, text, 6) == STATUS_OK);
    CHECK(out.n < text.n / 2);
    CHECK(str_eq(unpacked(a, buf_str(&out), text.n + 1), text));
    buf_release(&out);
    buf_init(&out, 5); /* it would grow */
    CHECK(compress_gzip(&out, STR("abcde"), 9) == STATUS_TOO_LARGE);
    buf_release(&out);
    arena_free(a);
}

TEST(zlib_there_and_back)
{
    struct arena *a = arena_new(0);
    struct err err = {0};
    str back, text = repeated(a, 300000), packed = compress_zlib(a, text);
    CHECK(str_eq(unpacked(a, packed, text.n + 1), text));
    CHECK(compress_unzlib(a, packed, text.n, &back, &err) == STATUS_OK);
    CHECK(str_eq(back, text));
    CHECK(compress_unzlib(a, packed, text.n / 2, &back, &err) == STATUS_TOO_LARGE);
    CHECK(compress_unzlib(a, str_sub(packed, 0, packed.n / 2), text.n, &back, &err) == STATUS_INVALID);
    CHECK(compress_unzlib(a, STR("no zlib"), text.n, &back, &err) == STATUS_INVALID);
    arena_free(a);
}

TEST(gzip_in_pieces)
{
    struct arena *a = arena_new(0);
    str text = repeated(a, 100000);
    struct buf out;
    buf_init(&out, 2 * text.n);
    struct gzip_stream *g = gzip_stream_new(6);
    for (size_t at = 0; at < text.n; at += 7000)
        CHECK(gzip_stream_put(g, str_sub(text, at, at + 7000), false, &out) == STATUS_OK);
    CHECK(gzip_stream_put(g, STR(""), true, &out) == STATUS_OK);
    gzip_stream_free(g);
    CHECK(str_eq(unpacked(a, buf_str(&out), text.n + 1), text));
    buf_release(&out);
    arena_free(a);
}

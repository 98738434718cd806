/* SPDX-License-Identifier: Apache-2.0 */
/* Places where a codec is easily almost right: rare doubles, bytes at every offset of a word, the last byte of a
 * buffer, integers past 2^53, links with changed arguments, the corners of YAML 1.1. Expected texts are recorded
 * answers of Python 3.11, PyYAML 6.0, itsdangerous 2.2 and Datasette 1.0a37. */
#include <math.h>

#include "base/arena.h"
#include "codec/compress.h"
#include "codec/csvwrite.h"
#include "codec/html_escape.h"
#include "codec/jread.h"
#include "codec/jwrite.h"
#include "codec/sign.h"
#include "codec/url.h"
#include "codec/yaml.h"
#include "test.h"

#define TEXT_MAX 65536

static str json_of(struct arena *a, struct value v, unsigned flags)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    value_to_json(&out, v, flags);
    CHECK(!out.over);
    str text = arena_str(a, buf_str(&out));
    buf_release(&out);
    return text;
}

TEST(doubles_that_are_rare)
{
    static const struct {
        double f;
        const char *text;
    } cases[] = {{0x1p-1074, "5e-324"},
                 {0x1p-1073, "1e-323"},
                 {0x1.8p-1073, "1.5e-323"},
                 {0x1p-1022, "2.2250738585072014e-308"},
                 {0x1p-44, "5.684341886080802e-14"},
                 {0x1.fffffffffffffp1023, "1.7976931348623157e+308"},
                 {0x1p-24, "5.960464477539063e-08"},
                 {0x1p89, "6.189700196426902e+26"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {2.0 / 3, "0.6666666666666666"},
                 {9999999999999998.0, "9999999999999998.0"},
                 {1e16, "1e+16"},
                 {1e22, "1e+22"},
                 {1e23, "1e+23"},
                 {2251799813685249.5, "2251799813685249.5"},
                 {123456.7890625, "123456.7890625"},
                 {0.0001, "0.0001"},
                 {0.00001, "1e-05"},
                 {-0.0, "-0.0"},
                 {-122.4194155, "-122.4194155"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[JWRITE_DOUBLE_MAX];
        CHECK_STR(str_make(text, jwrite_double(text, cases[i].f)), cases[i].text);
    }
}

/* What the bulk scans must agree with: byte by byte, from the definition. */
static void plain_json(struct buf *out, str s, unsigned flags)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool html = (flags & JWRITE_HTML) && strchr("<>&'", c);
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f')
            buf_printf(out, "\\%c", "btn?fr"[c - 8]);
        else if (c < 0x20 || html || (c == 0x7F && !(flags & JWRITE_UTF8)))
            buf_printf(out, "\\u%04x", c);
        else if (c > 0x7F)
            buf_puts(out, flags & JWRITE_UTF8 ? STR("\xEF\xBF\xBD") : STR("\\ufffd"));
        else
            buf_putc(out, (char)c);
    }
    buf_putc(out, '"');
}

static void plain_html(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        buf_puts(out, c == '&'    ? STR("&amp;")
                      : c == '<'  ? STR("&lt;")
                      : c == '>'  ? STR("&gt;")
                      : c == '"'  ? STR("&#34;")
                      : c == '\'' ? STR("&#39;")
                                  : str_make(&s.p[i], 1));
    }
}

TEST(every_byte_at_every_place)
{
    static const unsigned styles[] = {0, JWRITE_UTF8, JWRITE_HTML, JWRITE_HTML | JWRITE_UTF8};
    struct arena *a = arena_new(0);
    struct buf want, got;
    buf_init(&want, TEXT_MAX);
    buf_init(&got, TEXT_MAX);
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 19; at++) {
            char bytes[19]; /* exactly two words and a rest: a scan that reads on is seen by the sanitizer */
            memset(bytes, at % 2 ? '!' : 'x', sizeof(bytes));
            bytes[at] = (char)c;
            bytes[(at * 7 + 3) % sizeof(bytes)] = (char)(c ^ 1); /* a neighbour that borrows may mislead */
            str s = str_make(bytes, sizeof(bytes));
            for (size_t k = 0; k < ARRAY_LEN(styles); k++) {
                buf_clear(&want);
                buf_clear(&got);
                plain_json(&want, s, styles[k]);
                jwrite_put_string(&got, s, styles[k]);
                CHECK_STRS(buf_str(&got), buf_str(&want));
            }
            buf_clear(&want);
            buf_clear(&got);
            plain_html(&want, s);
            html_escape(&got, s);
            CHECK_STRS(buf_str(&got), buf_str(&want));
            str escaped = html_escape_arena(a, s);
            CHECK_STRS(escaped, buf_str(&want));
            CHECK((escaped.p == s.p) == (want.n == s.n));
            buf_clear(&got);
            csvwrite_field(&got, s);
            bool quoted =
                memchr(s.p, '"', s.n) || memchr(s.p, ',', s.n) || memchr(s.p, '\n', s.n) || memchr(s.p, '\r', s.n);
            CHECK((got.p[0] == '"') == quoted);
            arena_reset(a);
        }
    }
    buf_release(&want);
    buf_release(&got);
    arena_free(a);
}

/* A buf whose maximum is just enough takes it; one byte less says over. */
TEST(strings_fit_to_the_byte)
{
    static const char *const texts[] = {"",         "plain text of some length", "\"",  "a\nb",
                                        "\xC3\xA9", "\xF0\x9F\x98\x80x",         "\xFF"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct buf b;
        buf_init(&b, TEXT_MAX);
        jwrite_put_string(&b, str_of(texts[i]), 0);
        size_t exact = b.n;
        buf_release(&b);
        buf_init(&b, exact);
        jwrite_put_string(&b, str_of(texts[i]), 0);
        CHECK(!b.over && b.n == exact);
        buf_release(&b);
        buf_init(&b, exact - 1);
        jwrite_put_string(&b, str_of(texts[i]), 0);
        CHECK(b.over);
        buf_release(&b);
    }
}

TEST(gzip_fits_to_the_byte)
{
    struct arena *a = arena_new(0);
    struct buf b;
    str text = STR("the same again, the same again, the same again, the same again"), back;
    buf_init(&b, TEXT_MAX);
    CHECK_INT(compress_gzip(&b, text, 6), STATUS_OK);
    size_t exact = b.n;
    CHECK_INT(compress_unzlib(a, buf_str(&b), text.n, &back, NULL), STATUS_OK); /* gzip is told from zlib */
    CHECK_STRS(back, text);
    CHECK_INT(compress_unzlib(a, buf_str(&b), text.n - 1, &back, NULL), STATUS_TOO_LARGE);
    CHECK_INT(compress_unzlib(a, str_make(b.p, b.n - 9), text.n, &back, NULL), STATUS_INVALID);
    CHECK_INT(compress_unzlib(a, STR(""), text.n, &back, NULL), STATUS_INVALID);
    buf_release(&b);
    buf_init(&b, exact);
    CHECK_INT(compress_gzip(&b, text, 6), STATUS_OK);
    buf_release(&b);
    buf_init(&b, exact - 1);
    CHECK_INT(compress_gzip(&b, text, 6), STATUS_TOO_LARGE);
    buf_release(&b);
    arena_free(a);
}

TEST(equality_is_exact)
{
    int64_t big = INT64_C(1) << 53;
    CHECK(value_equal(value_int(big), value_float((double)big)));
    CHECK(!value_equal(value_int(big + 1), value_float((double)big)));
    CHECK(!value_equal(value_float((double)big), value_int(big + 1)));
    CHECK(!value_equal(value_int(INT64_MAX), value_float(0x1p63)));
    CHECK(value_equal(value_int(INT64_MIN), value_float(-0x1p63)));
    CHECK(value_equal(value_bool(true), value_float(1)) && !value_equal(value_bool(true), value_float(1.5)));
}

TEST(repr_of_what_does_not_print)
{
    struct arena *a = arena_new(0);
    struct value list = value_list(a);
    value_push(list, value_str(STR("a\xC2\xA0"
                                   "b\xE2\x80\x8B\xEE\x80\x80\xF3\xA0\x80\x81\xC3\xA9")));
    value_push(list, value_str(STR("it's")));
    value_push(list, value_str(STR("it's \"x\"")));
    value_push(list, value_bytes(STR("it's\x80\"")));
    value_push(list, value_bytes(STR("it's")));
    CHECK_STR(value_to_str(a, list), "['a\\xa0b\\u200b\\ue000\\U000e0001\xC3\xA9', \"it's\", 'it\\'s \"x\"', "
                                     "b'it\\'s\\x80\"', b\"it's\"]");
    CHECK_STR(value_to_str(a, value_float(1e16)), "1e+16");
    CHECK_STR(value_to_str(a, value_int(INT64_MIN)), "-9223372036854775808");
    arena_free(a);
}

/* Writing sorted keys takes nothing from the tree's arena: another thread may be reading the same tree. */
TEST(writing_leaves_the_tree_alone)
{
    struct arena *a = arena_new(0);
    struct buf out;
    struct value dict = value_dict(a);
    VALUE_SET(dict, "b", value_bytes(STR("\x01")));
    VALUE_SET(dict, "a", value_int(1));
    size_t before = arena_used(a);
    buf_init(&out, TEXT_MAX);
    value_to_json(&out, dict, VALUE_JSON_SORTED | VALUE_JSON_COMPACT);
    CHECK_STR(buf_str(&out), "{\"a\":1,\"b\":{\"$base64\":true,\"encoded\":\"AQ==\"}}");
    CHECK_INT(arena_used(a), before);
    buf_release(&out);
    arena_free(a);
}

TEST(removing_does_not_grow_the_arena)
{
    struct arena *a = arena_new(0);
    struct value dict = value_dict(a);
    for (int i = 0; i < 1000; i++)
        value_set(dict, arena_printf(a, "key %d", i), value_int(i));
    size_t before = arena_used(a);
    for (int i = 0; i < 900; i++) {
        char key[16];
        int n = snprintf(key, sizeof(key), "key %d", i);
        CHECK(value_remove(dict, str_make(key, (size_t)n)));
    }
    CHECK_INT(arena_used(a), before);
    CHECK_INT(VALUE_GET(dict, "key 950").i, 950);
    CHECK(!VALUE_GET(dict, "key 899").kind && value_count(dict) == 100);
    arena_free(a);
}

TEST(json_reading_stops_at_the_arenas_maximum)
{
    struct arena *a = arena_new(100000);
    struct buf text;
    struct value v;
    buf_init(&text, 100000);
    buf_putc(&text, '[');
    for (int i = 0; i < 20000; i++)
        buf_puts(&text, STR("[],"));
    buf_puts(&text, STR("1]"));
    CHECK_INT(value_from_json(a, buf_str(&text), &v, NULL), STATUS_TOO_LARGE);
    buf_release(&text);
    arena_free(a);
}

TEST(skipping_members)
{
    struct arena *a = arena_new(0);
    struct jread r;
    enum jread_token t;
    jread_init(&r, a, STR("{\"skip\": [1, {\"a\": [\"]\"]}], \"keep\": 2}"));
    CHECK(jread_next(&r, &t, NULL) == STATUS_OK && t == JREAD_OBJECT_BEGIN);
    CHECK(jread_next(&r, &t, NULL) == STATUS_OK && t == JREAD_KEY);
    CHECK(jread_next(&r, &t, NULL) == STATUS_OK && t == JREAD_ARRAY_BEGIN);
    CHECK(jread_skip(&r, t, NULL) == STATUS_OK);
    CHECK(jread_next(&r, &t, NULL) == STATUS_OK && t == JREAD_KEY);
    CHECK_STR(r.s, "keep");
    CHECK(jread_next(&r, &t, NULL) == STATUS_OK && t == JREAD_INT && r.i == 2);
    CHECK(jread_skip(&r, t, NULL) == STATUS_OK);
    CHECK(jread_next(&r, &t, NULL) == STATUS_OK && t == JREAD_OBJECT_END);
    CHECK(jread_next(&r, &t, NULL) == STATUS_OK && t == JREAD_END);
    jread_init(&r, a, STR("[[1, 2"));
    CHECK(jread_next(&r, &t, NULL) == STATUS_OK);
    CHECK(jread_skip(&r, t, NULL) == STATUS_INVALID);
    arena_free(a);
}

TEST(csv_of_all_kinds)
{
    struct buf out;
    struct csvwrite w;
    buf_init(&out, TEXT_MAX);
    csvwrite_init(&w, &out);
    csvwrite_text(&w, STR("a \"b\", c"));
    csvwrite_null(&w);
    csvwrite_i64(&w, INT64_MIN);
    csvwrite_f64(&w, 1e100);
    csvwrite_f64(&w, -(double)INFINITY);
    csvwrite_end(&w);
    csvwrite_null(&w);
    csvwrite_end(&w);
    csvwrite_null(&w);
    csvwrite_text(&w, STR(""));
    csvwrite_end(&w);
    csvwrite_end(&w);
    CHECK_STR(buf_str(&out), "\"a \"\"b\"\", c\",,-9223372036854775808,1e+100,-inf\r\n\"\"\r\n,\r\n\r\n");
    buf_release(&out);
}

TEST(links_with_changed_arguments_as_datasette)
{
    static const struct {
        const char *query, *added, *added_gone, *replaced, *replaced_gone, *removed, *removed_value;
    } cases[] = {
        {"", "/t?a=9", "/t?b=x+y", "/t?a=7", "/t", "/t", "/t"},
        {"a=1", "/t?a=1&a=9", "/t?b=x+y", "/t?a=7", "/t", "/t", "/t"},
        {"a=1&b=2&a=3", "/t?a=1&b=2&a=3&a=9", "/t?b=2&b=x+y", "/t?b=2&a=7", "/t?b=2", "/t?b=2", "/t?b=2&a=3"},
        {"b=&a=1", "/t?a=1&a=9", "/t?b=x+y", "/t?a=7", "/t", "/t", "/t"},
        {"x=%C3%A9+y&a=2", "/t?x=%C3%A9+y&a=2&a=9", "/t?x=%C3%A9+y&b=x+y", "/t?x=%C3%A9+y&a=7", "/t?x=%C3%A9+y",
         "/t?x=%C3%A9+y", "/t?x=%C3%A9+y&a=2"},
        {"a=1&&=3&c", "/t?a=1&=3&a=9", "/t?=3&b=x+y", "/t?=3&a=7", "/t?=3", "/t?=3", "/t?=3"},
    };
    const struct url_pair nine = {STR("a"), STR("9")}, seven = {STR("a"), STR("7")}, gone = {STR("a"), {0}};
    const struct url_pair one = {STR("a"), STR("1")}, both[] = {gone, {STR("b"), STR("x y")}};
    struct arena *a = arena_new(0);
    str path = STR("/t");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        str query = str_of(cases[i].query);
        CHECK_STR(url_with_added(a, path, query, &nine, 1), cases[i].added);
        CHECK_STR(url_with_added(a, path, query, both, 2), cases[i].added_gone);
        CHECK_STR(url_with_replaced(a, path, query, &seven, 1), cases[i].replaced);
        CHECK_STR(url_with_replaced(a, path, query, &gone, 1), cases[i].replaced_gone);
        CHECK_STR(url_with_removed(a, path, query, &gone, 1), cases[i].removed);
        CHECK_STR(url_with_removed(a, path, query, &one, 1), cases[i].removed_value);
    }
    arena_free(a);
}

TEST(signed_text_that_is_not_ascii)
{
    struct arena *a = arena_new(0);
    struct value v;
    CHECK_INT(value_from_json(a, STR("{\"a\": {\"id\": \"J\\u00fcrgen \\u2603\"}}"), &v, NULL), STATUS_OK);
    CHECK_STR(sign_dumps(a, STR("s3cret"), STR("actor"), v),
              "eyJhIjp7ImlkIjoiSsO8cmdlbiDimIMifX0.5GDijCL8IMtbymNV-uT1lWZ-61I");
    char *huge = arena_alloc_raw(a, LIMIT_SIGN_PAYLOAD);
    memset(huge, 'x', LIMIT_SIGN_PAYLOAD);
    CHECK_INT(sign_dumps(a, STR("s3cret"), STR("actor"), value_str(str_make(huge, LIMIT_SIGN_PAYLOAD))).n, 0);
    arena_free(a);
}

TEST(yaml_corners_as_pyyaml)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"base: &b {x: 1, y: 2}\nd:\n  z: 3\n  x: 9\n  <<: *b\n",
         "{\"base\": {\"x\": 1, \"y\": 2}, \"d\": {\"x\": 9, \"y\": 2, \"z\": 3}}"},
        {"a: &a {k: 1, l: 1}\nb: &b {k: 2, m: 2}\nc: {<<: [*a, *b], l: 5}\n",
         "{\"a\": {\"k\": 1, \"l\": 1}, \"b\": {\"k\": 2, \"m\": 2}, \"c\": {\"k\": 1, \"m\": 2, \"l\": 5}}"},
        {"[1:30, -1:30, 190:20:30, 0:30, 1:60, \"1:30.5\", 1:30.5]",
         "[90, -90, 685230, \"0:30\", \"1:60\", \"1:30.5\", 90.5]"},
        {"[0_, 0b101, -0x1F, 017, 08, 0o17, 1_000, 1__0, _1, 1_]",
         "[0, 5, -31, 15, \"08\", \"0o17\", 1000, 10, \"_1\", 1]"},
        {"[1e3, 1.5e3, 1.5e+3, 1.e+3, .5, -.5, +.5, ._1, 1_000.5, 1., -1.]",
         "[\"1e3\", \"1.5e3\", 1500.0, 1000.0, 0.5, \"-.5\", \"+.5\", \"._1\", 1000.5, 1.0, -1.0]"},
        {"[9223372036854775807, -9223372036854775808]", "[9223372036854775807, -9223372036854775808]"},
        {"[!!str 1, !!int \"7\", !!float 3, !!bool \"on\", !!null \"\", ! 5, !!float \"1.5\"]",
         "[\"1\", 7, 3.0, true, null, 5, 1.5]"},
        {"[y, n, yes, On, OFF, ~, Null, \"null\", 'yes']",
         "[\"y\", \"n\", true, true, false, null, null, \"null\", \"yes\"]"},
        {"a: |\n  x\n  y\nb: >\n  x\n  y\n", "{\"a\": \"x\\ny\\n\", \"b\": \"x y\\n\"}"},
        {"? a\n: b\n", "{\"a\": \"b\"}"},
        {"- &n name\n- {*n : 1}\n", "[\"name\", {\"name\": 1}]"},
        /* on purpose otherwise than PyYAML: keys and dates keep their text, large integers are doubles */
        {"{no: 1, 1: 2, 0x10: 3}", "{\"no\": 1, \"1\": 2, \"0x10\": 3}"},
        {"[2001-01-01, 9223372036854775808, -98_765_432_109_876_543_210, 123456789012345678901234567890]",
         "[\"2001-01-01\", 9.223372036854776e+18, -9.876543210987654e+19, 1.2345678901234568e+29]"},
        {"!!binary \"AQ\\n  I=\"", "{\"$base64\": true, \"encoded\": \"AQI=\"}"},
    };
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        struct value v = VALUE_UNDEF;
        if (value_from_yaml(a, str_of(cases[i].text), &v, &err) != STATUS_OK)
            test_fail(__FILE__, __LINE__, "%s: %s", cases[i].text, err.text);
        CHECK_STR(json_of(a, v, 0), cases[i].json);
    }
    arena_free(a);
}

TEST(yaml_faults_have_their_place)
{
    static const struct {
        const char *text, *place;
    } cases[] = {{"a: 1\nb: \xFF\n", "line 2 column "},      {"a: !foo 1\n", "line 1 column 4:"},
                 {"a: !!int x\n", "line 1 column 4:"},       {"a: 1\n<<: 5\n", "line 2 column 1:"},
                 {"a: 1\n--- \nb: 2\n", "line 2 column 1:"}, {"a: &x [*x]\n", "line 1 column 8:"},
                 {"a: 1\n? [b]\n: c\n", "line 2 column 3:"}};
    struct arena *a = arena_new(0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        struct value v = value_int(7);
        CHECK_INT(value_from_yaml(a, str_of(cases[i].text), &v, &err), STATUS_INVALID);
        if (!str_starts(str_of(err.text), str_of(cases[i].place)))
            test_fail(__FILE__, __LINE__, "%s: got \"%s\", want %s", cases[i].text, err.text, cases[i].place);
        CHECK(v.kind == VALUE_INT && v.i == 7);
    }
    arena_free(a);
}

/* Each anchor holds the one before at its bottom: the text is shallow, the tree would be 50 levels deeper each time. */
TEST(yaml_aliases_cannot_nest_without_end)
{
    struct arena *a = arena_new(0);
    struct err err = {0};
    struct value v;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    buf_puts(&text, STR("a0: &a0 x\n"));
    for (int i = 1; i <= 60; i++) {
        buf_printf(&text, "a%d: &a%d ", i, i);
        for (int k = 0; k < 50; k++)
            buf_putc(&text, '[');
        buf_printf(&text, "*a%d", i - 1);
        for (int k = 0; k < 50; k++)
            buf_putc(&text, ']');
        buf_putc(&text, '\n');
    }
    CHECK_INT(value_from_yaml(a, buf_str(&text), &v, &err), STATUS_INVALID);
    CHECK(strstr(err.text, "nested too deeply") != NULL);
    buf_release(&text);
    arena_free(a);
}

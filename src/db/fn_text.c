/* SPDX-License-Identifier: Apache-2.0 */
/* fn_text — parts of URLs (RFC 3986 section 3, as browsers read them), hashes, the distance of words, Markdown. */
#include "base/arena.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/digest.h"
#include "codec/markdown.h"
#include "codec/url.h"
#include "db/fn.h"

#include "base/banned.h"

static bool is_null(sqlite3_value *v)
{
    return sqlite3_value_type(v) == SQLITE_NULL;
}

static void result_str(sqlite3_context *ctx, str s)
{
    sqlite3_result_text64(ctx, s.n ? s.p : "", s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

/* ---- URLs ---- */

const enum url_part url_parts[URL_PARTS] = {URL_SCHEME, URL_HOST, URL_PORT, URL_PATH, URL_QUERY, URL_FRAGMENT};

struct url {
    str part[URL_PARTS]; /* p == NULL: not there */
};

static bool is_scheme(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], low = (char)(c | 32);
        bool letter = low >= 'a' && low <= 'z';
        if (!letter && (!i || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return s.n > 0;
}

static void split_authority(struct url *u, str authority)
{
    size_t user = str_rfind_char(authority, '@');
    if (user != STR_NPOS)
        authority = str_from(authority, user + 1);
    size_t bracket = str_rfind_char(authority, ']'), colon = str_rfind_char(authority, ':');
    if (colon != STR_NPOS && (bracket == STR_NPOS || colon > bracket)) {
        u->part[URL_PORT] = str_from(authority, colon + 1);
        authority = str_sub(authority, 0, colon);
    }
    u->part[URL_HOST] = authority;
}

static struct url url_split(str s)
{
    struct url u = {0};
    str scheme, rest, left;
    s = str_trim(s);
    if (str_cut(s, '#', &left, &rest))
        u.part[URL_FRAGMENT] = str_make(rest.p, rest.n);
    s = left;
    if (str_cut(s, '?', &left, &rest))
        u.part[URL_QUERY] = rest;
    s = left;
    if (str_cut(s, ':', &scheme, &rest) && is_scheme(scheme)) {
        u.part[URL_SCHEME] = scheme;
        s = rest;
    }
    if (str_starts(s, STR("//"))) {
        str after = str_from(s, 2);
        size_t slash = str_find_char(after, '/');
        split_authority(&u, str_sub(after, 0, slash));
        s = slash == STR_NPOS ? str_make("", 0) : str_from(after, slash);
    }
    u.part[URL_PATH] = s.p ? s : str_make("", 0);
    return u;
}

static void result_lower(sqlite3_context *ctx, str s)
{
    struct buf out;
    buf_init(&out, LIMIT_DB_VALUE_BYTES);
    for (size_t i = 0; i < s.n; i++)
        buf_putc(&out, str_lower_char(s.p[i]));
    fn_result(ctx, &out);
}

FN(fn_url_part)
{
    enum url_part part = *(const enum url_part *)sqlite3_user_data(ctx);
    int64_t port;
    (void)argc;
    if (is_null(argv[0]))
        return;
    str s = url_split(fn_argument(argv[0])).part[part];
    if (!s.p || (part == URL_PORT && !str_to_i64(s, &port)))
        return;
    if (part == URL_PORT)
        sqlite3_result_int64(ctx, port);
    else if (part == URL_SCHEME || part == URL_HOST)
        result_lower(ctx, s);
    else
        result_str(ctx, s);
}

FN(fn_url_query_value)
{
    (void)argc;
    if (is_null(argv[0]) || is_null(argv[1]))
        return;
    struct arena *a = arena_new(LIMIT_DB_VALUE_BYTES);
    struct url_pair *pairs;
    size_t n = 0;
    str name = fn_argument(argv[1]);
    if (!url_parse_query(a, url_split(fn_argument(argv[0])).part[URL_QUERY], LIMIT_QUERY_ARGS, &pairs, &n))
        sqlite3_result_error(ctx, "url_query_value: the query has too many arguments", -1);
    for (size_t i = 0; i < n; i++) {
        if (str_eq(pairs[i].key, name)) {
            result_str(ctx, pairs[i].value);
            break;
        }
    }
    arena_free(a);
}

static void convert(sqlite3_context *ctx, sqlite3_value *v, str (*fn)(struct arena *a, str s))
{
    if (is_null(v))
        return;
    struct arena *a = arena_new(0);
    str s = fn(a, fn_argument(v));
    if (s.n > LIMIT_DB_VALUE_BYTES)
        sqlite3_result_error_toobig(ctx);
    else
        result_str(ctx, utf8_repair(a, s));
    arena_free(a);
}

static str quote_all(struct arena *a, str s)
{
    return url_quote(a, s, "");
}

FN(fn_url_escape)
{
    (void)argc;
    convert(ctx, argv[0], quote_all);
}

FN(fn_url_unescape)
{
    (void)argc;
    convert(ctx, argv[0], url_unquote);
}

FN(fn_urllib_quote_plus)
{
    (void)argc;
    convert(ctx, argv[0], url_quote_plus);
}

/* ---- hashes ---- */

static void hex_md5(str s, char *out)
{
    digest_md5_hex(s, out);
}

static void hex_sha1(str s, char *out)
{
    digest_sha1_hex(s, out);
}

static void hex_sha256(str s, char *out)
{
    digest_sha256_hex(s, out);
}

const struct fn_hash hashes[3] = {{hex_md5}, {hex_sha1}, {hex_sha256}};

FN(fn_hash)
{
    const struct fn_hash *h = sqlite3_user_data(ctx);
    char hex[DIGEST_HEX_MAX];
    (void)argc;
    if (is_null(argv[0]))
        return;
    const char *p = sqlite3_value_blob(argv[0]); /* of a number: its text */
    h->hex(str_make(p, p ? (size_t)sqlite3_value_bytes(argv[0]) : 0), hex);
    result_str(ctx, str_of(hex));
}

/* ---- levenshtein ---- */

static size_t code_points(str s, uint32_t out[LIMIT_DB_LEVENSHTEIN])
{
    size_t count = 0, n;
    for (; s.n; s = str_from(s, n)) {
        if (count == LIMIT_DB_LEVENSHTEIN)
            return LIMIT_DB_LEVENSHTEIN + 1;
        out[count++] = utf8_decode(s, &n);
    }
    return count;
}

/* One row of the table at a time; at most a million steps. */
static uint32_t distance(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    uint32_t row[LIMIT_DB_LEVENSHTEIN + 1];
    for (size_t k = 0; k <= b_count; k++)
        row[k] = (uint32_t)k;
    for (size_t i = 1; i <= a_count; i++) {
        uint32_t diagonal = row[0];
        row[0] = (uint32_t)i;
        for (size_t k = 1; k <= b_count; k++) {
            uint32_t change = diagonal + (a[i - 1] != b[k - 1]);
            diagonal = row[k];
            row[k] = MIN(change, MIN(row[k], row[k - 1]) + 1);
        }
    }
    return row[b_count];
}

FN(fn_levenshtein)
{
    uint32_t a[LIMIT_DB_LEVENSHTEIN], b[LIMIT_DB_LEVENSHTEIN];
    (void)argc;
    if (is_null(argv[0]) || is_null(argv[1]))
        return;
    size_t a_count = code_points(fn_argument(argv[0]), a), b_count = code_points(fn_argument(argv[1]), b);
    if (a_count > LIMIT_DB_LEVENSHTEIN || b_count > LIMIT_DB_LEVENSHTEIN)
        sqlite3_result_error(ctx, "levenshtein: a text has more than 1024 characters; compare substr(text, 1, 1024)",
                             -1);
    else
        sqlite3_result_int64(ctx, distance(a, a_count, b, b_count));
}

/* ---- Markdown ---- */

FN(fn_render_markdown)
{
    struct buf out;
    (void)argc;
    if (is_null(argv[0]))
        return;
    buf_init(&out, LIMIT_DB_VALUE_BYTES);
    markdown_html(&out, fn_argument(argv[0]), NULL, 0);
    fn_result(ctx, &out);
}

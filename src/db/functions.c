/* SPDX-License-Identifier: Apache-2.0 */
/* functions — one row a SQL function. All are harmless, hence INNOCUOUS: views of untrusted files may use them.
 * Tests: tests/unit/db/test_functions.c */
#include "db/functions.h"

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "db/conn_impl.h"
#include "db/regexp.h"
#include "db/sqlite_status.h"

#include "base/banned.h"

/* ---- escape_fts ---- */

/* What Python's \s matches. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static void put_bit(struct buf *out, str bit, bool *first)
{
    if (!bit.n || str_is(bit, "\"\""))
        return;
    if (!*first)
        buf_putc(out, ' ');
    *first = false;
    if (bit.p[0] == '"') {
        buf_puts(out, bit);
    } else {
        buf_putc(out, '"');
        buf_puts(out, bit);
        buf_putc(out, '"');
    }
}

/* Datasette's re.split(r'\s+|(".*?")') by hand; '.' does not match a newline. */
void fts_escape(struct buf *out, str query)
{
    struct buf closed;
    size_t quotes = 0;
    for (size_t i = 0; i < query.n; i++)
        quotes += query.p[i] == '"';
    buf_init(&closed, LIMIT_DB_VALUE_BYTES);
    buf_puts(&closed, query);
    if (quotes % 2)
        buf_putc(&closed, '"');
    str s = buf_str(&closed);
    bool first = true;
    size_t word = 0, at = 0;
    while (at < s.n) {
        size_t n, end = at + 1;
        if (s.p[at] == '"') {
            while (end < s.n && s.p[end] != '"' && s.p[end] != '\n')
                end++;
            if (end < s.n && s.p[end] == '"') {
                put_bit(out, str_sub(s, word, at), &first);
                put_bit(out, str_sub(s, at, end + 1), &first);
                at = word = end + 1;
                continue;
            }
        }
        uint32_t code = utf8_decode(str_from(s, at), &n);
        if (is_space(code)) {
            put_bit(out, str_sub(s, word, at), &first);
            word = at + n;
        }
        at += n;
    }
    put_bit(out, str_from(s, word), &first);
    buf_release(&closed);
}

static str argument(sqlite3_value *v)
{
    const char *p = (const char *)sqlite3_value_text(v);
    return str_make(p, p ? (size_t)sqlite3_value_bytes(v) : 0);
}

static void fn_escape_fts(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    struct buf out;
    buf_init(&out, LIMIT_DB_VALUE_BYTES);
    fts_escape(&out, argument(argv[0]));
    if (out.over)
        sqlite3_result_error_toobig(ctx);
    else
        sqlite3_result_text64(ctx, out.n ? out.p : "", out.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    buf_release(&out);
}

/* ---- regexp ---- */

static bool stop_now(void *arg)
{
    return deadline_passed(arg);
}

static void free_regexp(void *r)
{
    regexp_free(r);
}

/* X REGEXP Y calls regexp(Y, X). The compiled expression stays with the statement while Y is constant. */
static void fn_regexp(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct conn *c = sqlite3_user_data(ctx);
    struct err err = ERR_INIT;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
        return;
    struct regexp *r = sqlite3_get_auxdata(ctx, 0), *fresh = NULL;
    if (!r) {
        if (regexp_compile(argument(argv[0]), &fresh, &err) != STATUS_OK) {
            sqlite3_result_error(ctx, err.text, -1);
            return;
        }
        r = fresh;
    }
    bool found = false;
    if (regexp_search(r, argument(argv[1]), stop_now, &c->deadline, &found) == STATUS_OK)
        sqlite3_result_int(ctx, found);
    else
        sqlite3_result_error_code(ctx, SQLITE_INTERRUPT);
    if (fresh)
        sqlite3_set_auxdata(ctx, 0, fresh, free_regexp); /* may free it at once */
}

/* ---- uuid ---- */

static void fn_uuid(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    static const char hex[] = "0123456789abcdef";
    unsigned char b[16];
    char text[36];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        sqlite3_result_error(ctx, "no random bytes", -1);
        return;
    }
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* RFC 9562 section 5.4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (size_t i = 0, at = 0; i < sizeof b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = hex[b[i] >> 4];
        text[at++] = hex[b[i] & 15];
    }
    sqlite3_result_text(ctx, text, sizeof text, SQLITE_TRANSIENT);
}

/* ---- haversine ---- */

#define EARTH_RADIUS_KM    6371.0088
#define RADIANS_PER_DEGREE (3.14159265358979323846 / 180.0)

static const struct {
    const char *name;
    double per_km;
} units[] = {{"km", 1.0},          {"m", 1000.0},          {"mi", 0.621371192},
             {"nmi", 0.539956803}, {"ft", 3280.839895013}, {"in", 39370.078740158}};

static void haversine(sqlite3_context *ctx, sqlite3_value **argv, double per_km)
{
    double v[4];
    for (int i = 0; i < 4; i++) {
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
            return;
        v[i] = sqlite3_value_double(argv[i]) * RADIANS_PER_DEGREE;
    }
    double lat = sin((v[2] - v[0]) / 2), lng = sin((v[3] - v[1]) / 2);
    double h = lat * lat + cos(v[0]) * cos(v[2]) * lng * lng;
    sqlite3_result_double(ctx, 2 * EARTH_RADIUS_KM * asin(sqrt(h < 1 ? h : 1)) * per_km);
}

static void fn_haversine(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    str unit = argc == 5 ? argument(argv[4]) : STR("km");
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (str_is(unit, units[i].name)) {
            haversine(ctx, argv, units[i].per_km);
            return;
        }
    }
    sqlite3_result_error(ctx, "haversine: the unit is one of km, m, mi, nmi, ft, in", -1);
}

static void fn_haversine_unit(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    const double *per_km = sqlite3_user_data(ctx);
    haversine(ctx, argv, *per_km);
}

/* ---- table ---- */

struct implementation {
    void (*call)(sqlite3_context *, int, sqlite3_value **);
    bool deterministic;
    const void *data; /* NULL = the connection */
};

const struct function_row function_rows[] = {
    {"escape_fts", 1, "Turns words a person typed into an FTS query: each word quoted, \"quoted parts\" kept"},
    {"regexp", 2,
     "regexp(pattern, text), also: text REGEXP pattern. 1 when the pattern is found; linear time, no back-references"},
    {"uuid", 0, "A random UUID (version 4)"},
    {"haversine", 4, "Kilometres between two points: haversine(lat1, lng1, lat2, lng2)"},
    {"haversine", 5, "As above in km, m, mi, nmi, ft or in: haversine(lat1, lng1, lat2, lng2, 'mi')"},
    {"haversine_m", 4, "Metres between two points"},
    {"haversine_mi", 4, "Miles between two points"},
    {"haversine_nmi", 4, "Nautical miles between two points"},
    {"haversine_ft", 4, "Feet between two points"},
};
const size_t function_row_count = ARRAY_LEN(function_rows);

static const struct implementation implementations[ARRAY_LEN(function_rows)] = {
    {fn_escape_fts, true, NULL},
    {fn_regexp, true, NULL},
    {fn_uuid, false, NULL},
    {fn_haversine, true, NULL},
    {fn_haversine, true, NULL},
    {fn_haversine_unit, true, &units[1].per_km},
    {fn_haversine_unit, true, &units[2].per_km},
    {fn_haversine_unit, true, &units[3].per_km},
    {fn_haversine_unit, true, &units[4].per_km},
};

enum status functions_register(struct conn *c, struct err *err)
{
    for (size_t i = 0; i < function_row_count; i++) {
        const struct implementation *f = &implementations[i];
        int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS | (f->deterministic ? SQLITE_DETERMINISTIC : 0);
        void *data = f->data ? (void *)(uintptr_t)f->data : c;
        int rc = sqlite3_create_function_v2(c->sqlite, function_rows[i].name, function_rows[i].args, flags, data,
                                            f->call, NULL, NULL, NULL);
        if (rc != SQLITE_OK)
            return sqlite_err(err, rc, sqlite3_errmsg(c->sqlite));
    }
    return STATUS_OK;
}

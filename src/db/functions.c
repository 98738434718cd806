/* SPDX-License-Identifier: Apache-2.0 */
/* functions — the functions of tbl/functions.h: those of search, chance and distance here, the others in fn_*.c. All
 * are harmless, hence INNOCUOUS: views of untrusted files may use them. Tests: tests/unit/db/test_text.c, and
 * tests/site/test_functions.py runs every example of the table. */
#include "db/functions.h"

#include <math.h>
#include <sqlite3.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "db/conn_impl.h"
#include "db/fn.h"
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

str fn_argument(sqlite3_value *v)
{
    const char *p = (const char *)sqlite3_value_text(v);
    return str_make(p, p ? (size_t)sqlite3_value_bytes(v) : 0);
}

void fn_result(sqlite3_context *ctx, struct buf *own_text)
{
    if (own_text->over)
        sqlite3_result_error_toobig(ctx);
    else
        sqlite3_result_text64(ctx, own_text->n ? own_text->p : "", own_text->n, SQLITE_TRANSIENT, SQLITE_UTF8);
    buf_release(own_text);
}

static void fn_escape_fts(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
        return;
    struct buf out;
    buf_init(&out, LIMIT_DB_VALUE_BYTES);
    fts_escape(&out, fn_argument(argv[0]));
    fn_result(ctx, &out);
}

/* ---- uuid ---- */

static void put_uuid(sqlite3_context *ctx, unsigned char b[16], int version)
{
    static const char hex[] = "0123456789abcdef";
    char text[36];
    b[6] = (unsigned char)((b[6] & 0x0f) | version << 4); /* RFC 9562 section 4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (size_t i = 0, at = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = hex[b[i] >> 4];
        text[at++] = hex[b[i] & 15];
    }
    sqlite3_result_text(ctx, text, sizeof text, SQLITE_TRANSIENT);
}

static bool random_bytes(sqlite3_context *ctx, unsigned char b[16])
{
    if (getrandom(b, 16, 0) == 16)
        return true;
    sqlite3_result_error(ctx, "no random bytes", -1);
    return false;
}

static void fn_uuid(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    unsigned char b[16];
    (void)argc;
    (void)argv;
    if (random_bytes(ctx, b))
        put_uuid(ctx, b, 4);
}

/* 48 bits of milliseconds, then chance: RFC 9562 section 5.7. */
static void fn_uuid7(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    unsigned char b[16];
    uint64_t ms = (uint64_t)clock_unix_us() / 1000;
    (void)argc;
    (void)argv;
    if (!random_bytes(ctx, b))
        return;
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(ms >> (40 - 8 * i));
    put_uuid(ctx, b, 7);
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
    str unit = argc == 5 ? fn_argument(argv[4]) : STR("km");
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

#define PURE   true
#define VARIES false

static const struct implementation {
    void (*call)(sqlite3_context *, int, sqlite3_value **);
    bool deterministic;
    const void *data; /* NULL = the connection */
} implementations[] = {
#define X(name, args, fn, pure, data, signature, help, example, answer) {fn, pure, data},
#include "db/tbl/functions.h"
#undef X
};

const struct function_row function_rows[] = {
#define X(name, args, fn, pure, data, signature, help, example, answer) {name, args, signature, help},
#include "db/tbl/functions.h"
#undef X
};
const size_t function_row_count = ARRAY_LEN(function_rows);

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

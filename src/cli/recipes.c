/* SPDX-License-Identifier: Apache-2.0 */
/* recipes — each makes tables and fills them row by row; random numbers are splitmix64 from the seed, so that they are
 * the same everywhere. */
#include "cli/recipes.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/names.h"
#include "migrate/fts.h"

#define SHOW_EVERY_US 100000

uint64_t recipe_random(struct recipe_job *j, uint64_t below)
{
    uint64_t z = (j->seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static const char *const vocabulary[] = {"river",   "stone",   "harbor", "lantern", "orchard", "winter",
                                         "signal",  "copper",  "meadow", "bridge",  "garden",  "candle",
                                         "summit",  "valley",  "ribbon", "thunder", "saddle",  "marble",
                                         "feather", "compass", "island", "mirror",  "basket",  "whistle"};

str recipe_words(struct recipe_job *j, size_t count)
{
    str all = STR("");
    for (size_t i = 0; i < count; i++)
        all = ARENA_CAT(j->a, all, i ? STR(" ") : STR(""), str_of(vocabulary[recipe_random(j, ARRAY_LEN(vocabulary))]));
    return all;
}

void recipe_step(struct recipe_job *j)
{
    j->made++;
    int64_t now = j->terminal && j->made % 256 == 0 ? clock_mono_us() : 0;
    if (now - j->shown_us < SHOW_EVERY_US)
        return;
    j->shown_us = now;
    fprintf(stderr, "\r%llu rows ", (unsigned long long)j->made);
}

/* ---- rows ---- */

#define TEXT(x) ((struct db_value){.kind = DB_TEXT, .s = (x)})
#define INT(x)  ((struct db_value){.kind = DB_INT, .i = (int64_t)(x)})
#define REAL(x) ((struct db_value){.kind = DB_FLOAT, .f = (x)})
#define BLOB(x) ((struct db_value){.kind = DB_BLOB, .s = (x)})
#define NONE    ((struct db_value){.kind = DB_NULL})

static enum status open_insert(struct recipe_job *j, str table, size_t columns, struct stmt **ret, struct err *err)
{
    str places = STR("?1");
    for (size_t i = 1; i < columns; i++)
        places = arena_printf(j->a, "%.*s, ?%zu", STR_ARG(places), i + 1);
    return conn_prepare_trusted(
        j->c, ARENA_CAT(j->a, STR("INSERT INTO "), name_quoted(j->a, table), STR(" VALUES ("), places, STR(")")), ret,
        err);
}

static enum status put(struct recipe_job *j, struct stmt *s, const struct db_value *values, size_t count,
                       struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        st = stmt_bind(s, (int)i + 1, values[i], err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_reset(s);
    recipe_step(j);
    return st;
}

/* make(j, i, values) fills the values of row i. */
static enum status fill(struct recipe_job *j, str table, size_t columns, int64_t rows,
                        void (*make)(struct recipe_job *j, int64_t i, struct db_value *values), struct err *err)
{
    struct stmt *s;
    struct db_value *values = ARENA_ARRAY(j->a, struct db_value, columns);
    enum status st = open_insert(j, table, columns, &s, err);
    if (st != STATUS_OK)
        return st;
    for (int64_t i = 1; i <= rows && st == STATUS_OK; i++) {
        struct arena_mark mark = arena_mark(j->a);
        make(j, i, values);
        st = put(j, s, values, columns, err);
        arena_rewind(j->a, mark);
    }
    stmt_done(s);
    return st;
}

/* ---- recipes ---- */

static void reading(struct recipe_job *j, int64_t i, struct db_value *v)
{
    char text[32];
    clock_format_iso_ms(INT64_C(1577836800000000) + i * 60 * 1000000, text);
    v[0] = INT(i);
    v[1] = TEXT(arena_str(j->a, str_make(text, 19)));
    v[2] = INT(recipe_random(j, 12) + 1);
    v[3] = REAL((double)recipe_random(j, 40000) / 1000.0 - 10);
    v[4] = recipe_random(j, 50) ? TEXT(STR("ok")) : NONE;
}

static void sensor(struct recipe_job *j, int64_t i, struct db_value *v)
{
    v[0] = INT(i);
    v[1] = TEXT(recipe_words(j, 2));
    v[2] = REAL((double)recipe_random(j, 180000) / 1000 - 90);
    v[3] = REAL((double)recipe_random(j, 360000) / 1000 - 180);
}

static enum status make_series(struct recipe_job *j, struct err *err)
{
    enum status st = conn_execute(
        j->c,
        STR("CREATE TABLE sensors (id INTEGER PRIMARY KEY, name TEXT, latitude REAL, longitude REAL); CREATE TABLE "
            "readings "
            "(id INTEGER PRIMARY KEY, at TEXT, sensor_id INTEGER REFERENCES sensors(id), value REAL, state TEXT)"),
        err);
    if (st == STATUS_OK)
        st = fill(j, STR("sensors"), 4, 12, sensor, err);
    if (st == STATUS_OK)
        st = fill(j, STR("readings"), 5, j->rows, reading, err);
    return st == STATUS_OK ? conn_execute(j->c,
                                          STR("CREATE INDEX readings_at ON readings(at); CREATE INDEX readings_sensor "
                                              "ON readings(sensor_id)"),
                                          err)
                           : st;
}

static void document(struct recipe_job *j, int64_t i, struct db_value *v)
{
    v[0] = INT(i);
    v[1] = TEXT(recipe_words(j, 3));
    v[2] = TEXT(recipe_words(j, 20 + recipe_random(j, 60)));
    v[3] = TEXT(str_of(vocabulary[recipe_random(j, 5)]));
}

static enum status make_search(struct recipe_job *j, struct err *err)
{
    const str columns[] = {STR("title"), STR("body")};
    const struct fts_options o = {.columns = columns, .column_count = 2, .triggers = true, .tokenize = STR("porter")};
    enum status st = conn_execute(
        j->c, STR("CREATE TABLE documents (id INTEGER PRIMARY KEY, title TEXT, body TEXT, topic TEXT)"), err);
    if (st == STATUS_OK)
        st = fill(j, STR("documents"), 4, j->rows, document, err);
    return st == STATUS_OK ? fts_enable(j->a, j->c, STR("documents"), &o, NULL, err) : st;
}

static void pair(struct recipe_job *j, int64_t i, struct db_value *v)
{
    v[0] = INT(i);
    v[1] = TEXT(recipe_words(j, 2));
    v[2] = INT(recipe_random(j, 1000));
}

static enum status make_tables(struct recipe_job *j, struct err *err)
{
    enum status st = STATUS_OK;
    for (int64_t i = 1; i <= j->tables && st == STATUS_OK; i++) {
        str name = arena_printf(j->a, "table_%05lld", (long long)i);
        st = conn_execute(
            j->c, ARENA_CAT(j->a, STR("CREATE TABLE "), name, STR(" (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)")),
            err);
        if (st == STATUS_OK)
            st = fill(j, name, 3, j->rows, pair, err);
    }
    return st;
}

/* Row i of each table refers to row i of the one before. */
static void link_row(struct recipe_job *j, int64_t i, struct db_value *v)
{
    v[0] = v[2] = INT(i);
    v[1] = TEXT(recipe_words(j, 2));
}

static enum status make_deep(struct recipe_job *j, struct err *err)
{
    enum status st = STATUS_OK;
    for (int64_t i = 1; i <= j->tables && st == STATUS_OK; i++) {
        str name = arena_printf(j->a, "level_%03lld", (long long)i);
        str parent = i > 1 ? arena_printf(j->a, " REFERENCES level_%03lld(id)", (long long)i - 1) : STR("");
        st = conn_execute(j->c,
                          ARENA_CAT(j->a, STR("CREATE TABLE "), name,
                                    STR(" (id INTEGER PRIMARY KEY, name TEXT, parent_id INTEGER"), parent, STR(")")),
                          err);
        if (st == STATUS_OK)
            st = fill(j, name, 3, j->rows, link_row, err);
    }
    return st;
}

static void wide_row(struct recipe_job *j, int64_t i, struct db_value *v)
{
    v[0] = INT(i);
    for (int64_t c = 1; c < j->columns; c++)
        v[c] = c % 3 == 0   ? TEXT(recipe_words(j, 1))
               : c % 3 == 1 ? INT(recipe_random(j, 100000))
                            : (recipe_random(j, 4) ? REAL((double)recipe_random(j, 1000) / 7) : NONE);
}

static enum status make_wide(struct recipe_job *j, struct err *err)
{
    static const char *const types[] = {"TEXT", "INTEGER", "REAL"};
    struct buf sql;
    buf_init(&sql, LIMIT_DB_SQL_BYTES);
    buf_puts(&sql, STR("CREATE TABLE wide (id INTEGER PRIMARY KEY"));
    for (int64_t c = 1; c < j->columns; c++)
        buf_printf(&sql, ", column_%04lld %s", (long long)c, types[c % 3]);
    buf_putc(&sql, ')');
    enum status st = conn_execute(j->c, buf_str(&sql), err);
    buf_release(&sql);
    return st == STATUS_OK ? fill(j, STR("wide"), (size_t)j->columns, j->rows, wide_row, err) : st;
}

static void blob_row(struct recipe_job *j, int64_t i, struct db_value *v)
{
    size_t n = (size_t)j->bytes;
    char *p = arena_alloc_raw(j->a, n + 8);
    for (size_t at = 0; at < n; at += 8) {
        uint64_t bits = recipe_random(j, UINT64_MAX);
        memcpy(p + at, &bits, 8);
    }
    v[0] = INT(i);
    v[1] = TEXT(recipe_words(j, 1));
    v[2] = BLOB(str_make(p, n));
}

static enum status make_blobs(struct recipe_job *j, struct err *err)
{
    enum status st =
        conn_execute(j->c, STR("CREATE TABLE files (id INTEGER PRIMARY KEY, name TEXT, content BLOB)"), err);
    return st == STATUS_OK ? fill(j, STR("files"), 3, j->rows, blob_row, err) : st;
}

static const char *const odd_names[] = {
    "two words",      "quote\"d",    "it's",
    "[bracket]",      "back`tick",   "semi;colon",
    "a.b.c",          "slash/es",    "back\\slash",
    "per%cent",       "under_score", "-dash",
    "select",         "table",       "rowid",
    "_underscore",    "ALLCAPS",     "123",
    "naïve",          "日本語",      "emoji 🙂",
    "עברית",          "tab\there",   "new\nline",
    "<b>bold</b>",    "&amp;",       "?query=1",
    "#hash",          "tilde~41",    "+plus",
    ":colon",         "@at",         "$dollar",
    "{curly}",        "(round)",     "*star",
    " space around ", "null",        "very long name that goes on and on and on and on and on and on and on"};

static void odd_row(struct recipe_job *j, int64_t i, struct db_value *v)
{
    v[0] = INT(i);
    v[1] = TEXT(recipe_words(j, 1));
    v[2] = i > 1 ? INT(i - 1) : NONE;
}

/* Each name is that of a table and of a column of it. */
static enum status make_names(struct recipe_job *j, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(odd_names) && st == STATUS_OK; i++) {
        str name = str_of(odd_names[i]), quoted = name_quoted(j->a, name);
        st = conn_execute(j->c,
                          ARENA_CAT(j->a, STR("CREATE TABLE "), quoted, STR(" (id INTEGER PRIMARY KEY, "), quoted,
                                    STR(" TEXT, \"refers to\" INTEGER REFERENCES "), quoted, STR("(id))")),
                          err);
        if (st == STATUS_OK)
            st = fill(j, name, 3, j->rows, odd_row, err);
    }
    return st;
}

static enum status make_values(struct recipe_job *j, struct err *err)
{
    const struct db_value odd[] = {
        NONE, TEXT(STR("")), TEXT(STR(" ")), TEXT(STR("NULL")), TEXT(STR("007")), TEXT(STR("1e5")),
        TEXT(STR("nul \0 inside")), TEXT(STR("not \xff utf-8 \xc3")), TEXT(STR("<script>alert(1)</script>")),
        TEXT(STR("=1+1")), TEXT(STR("line\nbreak\r\nand\ttab")),
        /* NOLINTNEXTLINE(misc-misleading-bidirectional): what it is here for */
        TEXT(STR("e\xcc\x81 \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80 \xe2\x80\xae rtl")),
        TEXT(STR("{\"a\": [1, 2, {\"b\": null}]}")), TEXT(STR("https://example.org/?a=1&b=2")),
        TEXT(recipe_words(j, 20000)), INT(0), INT(-1), INT(INT64_MAX), INT(INT64_MIN), INT((INT64_C(1) << 53) + 1),
        REAL(0.1), REAL(-0.0), REAL(1e308), REAL(5e-324), REAL((double)INFINITY), REAL((double)-INFINITY),
        BLOB(STR("")), BLOB(STR("\x00\x01\xfe\xff")), BLOB(STR("\x89PNG\r\n\x1a\n"))};
    struct stmt *s;
    enum status st = conn_execute(j->c,
                                  STR("CREATE TABLE \"values\" (id INTEGER PRIMARY KEY, \"any\", \"text\" TEXT, "
                                      "\"integer\" INTEGER, \"real\" REAL, "
                                      "\"blob\" BLOB, \"numeric\" NUMERIC)"),
                                  err);
    if (st == STATUS_OK)
        st = open_insert(j, STR("values"), 7, &s, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < ARRAY_LEN(odd) && st == STATUS_OK; i++) {
        const struct db_value row[] = {INT(i + 1), odd[i], odd[i], odd[i], odd[i], odd[i], odd[i]};
        st = put(j, s, row, ARRAY_LEN(row), err);
    }
    stmt_done(s);
    return st;
}

const struct recipe recipes[] = {
    {"series", "Readings of twelve sensors, one a minute, with indexes and a foreign key", 100000, 0, 0, 0, false,
     make_series},
    {"search", "Documents of words, with a search index", 10000, 0, 0, 0, false, make_search},
    {"tables", "Many small tables", 3, 1000, 0, 0, false, make_tables},
    {"deep", "A chain of tables, each referring to the one before", 10, 30, 0, 0, false, make_deep},
    {"wide", "A table of many columns", 100, 0, 500, 0, false, make_wide},
    {"blobs", "Rows with big binary values", 10, 0, 0, 1048576, false, make_blobs},
    {"names", "Tables and columns with awkward names", 3, 0, 0, 0, false, make_names},
    {"values", "Awkward values of every type in columns of every type", 0, 0, 0, 0, false, make_values},
    {"encodings", "A folder of CSV files in many encodings", 20, 0, 0, 0, true, recipe_encodings},
    {NULL, NULL, 0, 0, 0, 0, false, NULL},
};

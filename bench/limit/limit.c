/* SPDX-License-Identifier: Apache-2.0 */
/* limit: what the database and the JSON alone cost. One thread runs the SQL of a case and writes the body of the answer
 * into memory, again and again, with the program's own SQLite and JSON writer, no HTTP, no plan, no permission, no
 * cache. The server cannot be faster than this on one core.
 *
 *   limit DATABASE row|table|aggregate [SECONDS]    prints {"rps": ..., "length": ...}
 *   limit DATABASE CASE print                       prints the body, to be compared with the server's
 *   limit DATABASE csv TABLE                        formats a table as CSV once; prints {"seconds": ..., "bytes": ...}
 *   limit DATABASE insert TABLE NEW                 stores its rows in a new database; prints {"seconds": ..., "rows":
 * ...}
 *
 * The statement is prepared once, as by a server that keeps its statements. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "codec/csvwrite.h"
#include "codec/jwrite.h"
#include "insert.h"

struct limit_case {
    const char *name, *sql, *before, *after;
    int shown; /* rows; one more is asked for where the server must know whether there is a next page */
};

static const struct limit_case cases[] = {
    {"row", "select * from Track where \"TrackId\" = :p0",
     "{\"ok\": true, \"database\": \"chinook\", \"table\": \"Track\", ",
     "\"primary_keys\": [\"TrackId\"], \"primary_key_values\": [\"1\"], \"query_ms\": 0.05, \"truncated\": false}", 1},
    {"table",
     "select TrackId, Name, AlbumId, MediaTypeId, GenreId, Composer, Milliseconds, Bytes, UnitPrice from Track "
     "order by TrackId limit 101",
     "{\"ok\": true, \"next\": \"100\", \"next_url\": \"http://127.0.0.1:8001/chinook/Track.json?_next=100\", ",
     "\"truncated\": false}", 100},
    {"aggregate",
     "select g.Name, count(*) as n, sum(t.Milliseconds) as ms from Track t join Genre g using (GenreId) "
     "group by g.GenreId order by n desc",
     "{\"ok\": true, ", "\"truncated\": false}", 1000},
};

static void value_put(struct jwrite *w, sqlite3_stmt *stmt, int column)
{
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        jwrite_i64(w, sqlite3_column_int64(stmt, column));
        break;
    case SQLITE_FLOAT:
        jwrite_f64(w, sqlite3_column_double(stmt, column));
        break;
    case SQLITE_NULL:
        jwrite_null(w);
        break;
    default: {
        const char *text = (const char *)sqlite3_column_text(stmt, column);
        jwrite_string(w, str_make(text, (size_t)sqlite3_column_bytes(stmt, column)));
    }
    }
}

static int run_once(sqlite3_stmt *stmt, const struct limit_case *what, struct buf *out)
{
    struct jwrite w;
    int columns = sqlite3_column_count(stmt), rc, shown = 0;
    buf_clear(out);
    buf_puts(out, str_of(what->before));
    buf_puts(out, STR("\"rows\": "));
    jwrite_init(&w, out, 0);
    jwrite_array_begin(&w);
    if (sqlite3_bind_parameter_count(stmt))
        sqlite3_bind_text(stmt, 1, "1", 1, SQLITE_STATIC);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (shown++ == what->shown)
            continue;
        jwrite_object_begin(&w);
        for (int i = 0; i < columns; i++) {
            jwrite_key(&w, str_of(sqlite3_column_name(stmt, i)));
            value_put(&w, stmt, i);
        }
        jwrite_object_end(&w);
    }
    jwrite_array_end(&w);
    buf_puts(out, STR(", "));
    buf_puts(out, str_of(what->after));
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE && !out->over ? 0 : 1;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void csv_put(struct csvwrite *w, sqlite3_stmt *stmt, int column)
{
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        csvwrite_i64(w, sqlite3_column_int64(stmt, column));
        break;
    case SQLITE_FLOAT:
        csvwrite_f64(w, sqlite3_column_double(stmt, column));
        break;
    case SQLITE_NULL:
        csvwrite_null(w);
        break;
    default: {
        const char *text = (const char *)sqlite3_column_text(stmt, column);
        csvwrite_text(w, str_make(text, (size_t)sqlite3_column_bytes(stmt, column)));
    }
    }
}

/* The CSV goes to /dev/null in pieces of 64 KiB. */
static int csv_once(const char *path, const char *table)
{
    char sql[256];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    struct buf out;
    struct csvwrite w;
    size_t bytes = 0;
    int rc;
    FILE *null = fopen("/dev/null", "w");
    snprintf(sql, sizeof sql, "select * from \"%s\"", table);
    if (!null || sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) ||
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL)) {
        fprintf(stderr, "limit: cannot read %s of %s\n", table, path);
        return 1;
    }
    double began = seconds_now();
    buf_init(&out, 16 << 20);
    csvwrite_init(&w, &out);
    for (int i = 0; i < sqlite3_column_count(stmt); i++)
        csvwrite_text(&w, str_of(sqlite3_column_name(stmt, i)));
    csvwrite_end(&w);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++)
            csv_put(&w, stmt, i);
        csvwrite_end(&w);
        if (out.n < 65536)
            continue;
        bytes += fwrite(out.p, 1, out.n, null);
        buf_clear(&out);
    }
    bytes += fwrite(out.p, 1, out.n, null);
    printf("{\"seconds\": %.3f, \"bytes\": %zu}\n", seconds_now() - began, bytes);
    buf_release(&out);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    fclose(null);
    return rc != SQLITE_DONE;
}

int main(int argc, char **argv)
{
    const struct limit_case *what = NULL;
    for (size_t i = 0; argc > 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!strcmp(argv[2], cases[i].name))
            what = &cases[i];
    }
    if (argc == 4 && !strcmp(argv[2], "csv"))
        return csv_once(argv[1], argv[3]);
    if (argc == 5 && !strcmp(argv[2], "insert"))
        return insert_once(argv[1], argv[3], argv[4]);
    if (!what) {
        fputs("usage: limit DATABASE row|table|aggregate [SECONDS|print]\n       limit DATABASE csv TABLE\n"
              "       limit DATABASE insert TABLE NEW\n",
              stderr);
        return 64;
    }
    sqlite3 *db;
    sqlite3_stmt *stmt;
    if (sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) ||
        sqlite3_prepare_v3(db, what->sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL)) {
        fprintf(stderr, "limit: %s: %s\n", argv[1], sqlite3_errmsg(db));
        return 1;
    }
    struct buf out;
    buf_init(&out, 16 << 20);
    int bad = run_once(stmt, what, &out);
    if (argc > 3 && !strcmp(argv[3], "print")) {
        printf("%.*s\n", (int)out.n, out.p);
    } else {
        double seconds = argc > 3 ? strtod(argv[3], NULL) : 1, began = seconds_now(), now = began;
        unsigned long long done = 0;
        for (; now - began < seconds; now = seconds_now()) {
            for (int i = 0; i < 16 && !bad; i++, done++)
                bad = run_once(stmt, what, &out);
        }
        printf("{\"rps\": %.1f, \"us\": %.2f, \"length\": %zu}\n", (double)done / (now - began),
               (now - began) * 1e6 / (double)done, out.n);
    }
    buf_release(&out);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return bad;
}

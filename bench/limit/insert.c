/* SPDX-License-Identifier: Apache-2.0 */
/* What storing rows costs by itself: all cells of a table are read into memory first, then one prepared INSERT in one
 * transaction puts them into a new database, bind by bind. Reading text and finding out types cost nothing here. */
#include "insert.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct cell {
    int type, length;
    union {
        sqlite3_int64 integer;
        double real;
        char *text; /* or blob */
    };
};

struct rows {
    struct cell *cells;
    size_t count, room;
    int columns;
};

static struct cell cell_of(sqlite3_stmt *stmt, int column)
{
    struct cell c = {.type = sqlite3_column_type(stmt, column)};
    if (c.type == SQLITE_INTEGER) {
        c.integer = sqlite3_column_int64(stmt, column);
    } else if (c.type == SQLITE_FLOAT) {
        c.real = sqlite3_column_double(stmt, column);
    } else if (c.type != SQLITE_NULL) {
        const void *from = sqlite3_column_blob(stmt, column);
        c.length = sqlite3_column_bytes(stmt, column);
        c.text = malloc((size_t)c.length + 1);
        if (c.text && c.length)
            memcpy(c.text, from, (size_t)c.length);
    }
    return c;
}

static int rows_read(sqlite3 *db, const char *table, struct rows *r)
{
    char sql[256];
    sqlite3_stmt *stmt;
    int rc;
    snprintf(sql, sizeof sql, "select * from \"%s\"", table);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL))
        return 1;
    r->columns = sqlite3_column_count(stmt);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (int i = 0; i < r->columns; i++) {
            if (r->count == r->room) {
                r->room = r->room ? r->room * 2 : 1 << 16;
                r->cells = realloc(r->cells, r->room * sizeof *r->cells);
                if (!r->cells)
                    return 1;
            }
            r->cells[r->count++] = cell_of(stmt, i);
        }
    }
    sqlite3_finalize(stmt);
    return rc != SQLITE_DONE;
}

static void bind(sqlite3_stmt *stmt, int at, const struct cell *c)
{
    switch (c->type) {
    case SQLITE_INTEGER:
        sqlite3_bind_int64(stmt, at, c->integer);
        break;
    case SQLITE_FLOAT:
        sqlite3_bind_double(stmt, at, c->real);
        break;
    case SQLITE_TEXT:
        sqlite3_bind_text(stmt, at, c->text, c->length, SQLITE_STATIC);
        break;
    case SQLITE_BLOB:
        sqlite3_bind_blob(stmt, at, c->text, c->length, SQLITE_STATIC);
        break;
    default:
        sqlite3_bind_null(stmt, at);
    }
}

static int rows_write(const char *path, const char *create, const char *table, const struct rows *r)
{
    char sql[4096];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int rc = sqlite3_open(path, &db), n = snprintf(sql, sizeof sql, "insert into \"%s\" values (?", table);
    for (int i = 1; i < r->columns && n < (int)sizeof sql - 4; i++)
        n += snprintf(sql + n, sizeof sql - (size_t)n, ",?");
    snprintf(sql + n, sizeof sql - (size_t)n, ")");
    if (rc || sqlite3_exec(db, create, NULL, NULL, NULL) || sqlite3_exec(db, "begin", NULL, NULL, NULL) ||
        sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL))
        return 1;
    for (size_t at = 0; at < r->count; at += (size_t)r->columns) {
        for (int i = 0; i < r->columns; i++)
            bind(stmt, i + 1, &r->cells[at + (size_t)i]);
        if (sqlite3_step(stmt) != SQLITE_DONE)
            return 1;
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    rc = sqlite3_exec(db, "commit", NULL, NULL, NULL);
    return rc || sqlite3_close(db);
}

int insert_once(const char *path, const char *table, const char *out)
{
    struct rows rows = {0};
    struct timespec began, ended;
    sqlite3 *db;
    sqlite3_stmt *stmt;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) || rows_read(db, table, &rows) || !rows.columns ||
        sqlite3_prepare_v2(db, "select sql from sqlite_schema where name = ?", -1, &stmt, NULL) ||
        sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC) || sqlite3_step(stmt) != SQLITE_ROW) {
        fprintf(stderr, "limit: cannot read %s of %s\n", table, path);
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &began);
    int bad = rows_write(out, (const char *)sqlite3_column_text(stmt, 0), table, &rows);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (bad)
        fprintf(stderr, "limit: cannot write %s\n", out);
    printf("{\"seconds\": %.4f, \"rows\": %zu}\n",
           (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9,
           rows.count / (size_t)rows.columns);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return bad; /* the cells go with the process */
}

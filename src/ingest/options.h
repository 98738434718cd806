/* SPDX-License-Identifier: Apache-2.0 */
/* options: what the user asks of an import. Filled by the command line, the page or the API; nothing here is changed.
 */
#ifndef VITRINE_INGEST_OPTIONS_H
#define VITRINE_INGEST_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"

enum column_type { COLUMN_TEXT, COLUMN_INTEGER, COLUMN_REAL, COLUMN_BLOB, COLUMN_ANY };

enum ingest_format { FORMAT_AUTO, FORMAT_CSV, FORMAT_TSV, FORMAT_JSON, FORMAT_NDJSON, FORMAT_GEOJSON };

enum ingest_mode {
    INGEST_INSERT,  /* new table, or more rows for one that is there; a key that exists is a rejected row */
    INGEST_REPLACE, /* rows whose key exists are replaced */
    INGEST_IGNORE,  /* ... are left out */
    INGEST_UPSERT,  /* ... get the values of the file in the columns that it has */
};

struct ingest_pair {
    str column, value;
};

/* Set by ingest_run for the tables that --children makes: rows are the items of a list inside of the parent's rows. */
struct ingest_parent {
    str list;            /* the key of the list */
    str key;             /* of the parent's rows */
    bool numbered;       /* ... which is their number in the file */
    str column;          /* where the key stands in the child's rows */
    str table, key_name; /* what that column refers to */
};

struct ingest_options {
    enum ingest_format format;
    enum ingest_mode mode;
    str delimiter, quote; /* one byte each; empty = found out, '"' */
    bool no_quotes;       /* quotes are text */
    bool no_headers;      /* the first row is data: columns are column_1, ... */
    int64_t skip_lines;   /* lines before the header; -1 = found out */
    str encoding;         /* empty = found out */
    bool no_types;        /* every column is text */
    bool no_dates;        /* dates stay as they are */
    bool empty_null;      /* empty text is NULL */
    const str *nulls;     /* texts that mean NULL */
    size_t null_count;
    const struct ingest_pair *types; /* column -> type name */
    size_t type_count;
    const struct ingest_pair *renames; /* column of the file -> what it is called in the table and in all else here */
    size_t rename_count;
    const str *pk, *not_null;
    size_t pk_count, not_null_count;
    const struct ingest_pair *defaults;
    size_t default_count;
    bool alter;         /* add missing columns */
    bool truncate;      /* empty the table first */
    bool replace_table; /* drop the table first */
    bool strict;        /* the first row that does not fit ends it, and nothing is imported */
    bool analyze;
    const str *indexes, *fts, *extracts; /* columns: an index each; one search index; a lookup table each */
    size_t index_count, fts_count, extract_count;
    bool undo; /* keep what is needed to take it back (undo.h) */
    bool dry_run;
    str who, via;  /* for histories (db/history.h): who imports, by which way; empty `via` = not said */
    str entry;     /* file inside of a zip */
    str part;      /* sheet of a workbook (by name or number; empty = the first), table of a database */
    str path;      /* JSON: keys to the list that is meant, "a.b"; empty = found out */
    bool flatten;  /* JSON: objects inside of rows become columns "a_b" */
    bool children; /* JSON: lists of objects inside of rows become tables of their own */
    const struct ingest_parent *parent; /* NULL but inside of ingest_run */
    int64_t stop_after;                 /* rows; 0 = all */
    int64_t sample_rows; /* types are guessed from so many first rows, and set right when they are wrong; 0 = from as
                            much as is worth it, -1 = not guessed: the whole file is read first */
};

#endif

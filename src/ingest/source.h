/* SPDX-License-Identifier: Apache-2.0 */
/* source: where the bytes of an import come from. Whatever it was (a file, standard input, a file inside of a zip), the
 * rest of the folder sees one regular file that can be read as often as needed, and how it is packed. */
#ifndef VITRINE_INGEST_SOURCE_H
#define VITRINE_INGEST_SOURCE_H

#include "base/arena.h"
#include "base/err.h"
#include "ingest/fetch_url.h"

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD, PACKING_ZIP };

enum source_kind {
    SOURCE_STREAM,   /* text, packed or not */
    SOURCE_WORKBOOK, /* a zip that is one file of sheets (.xlsx), and not packed files */
    SOURCE_DATABASE, /* an SQLite file; `path` opens it */
    SOURCE_DUMP,     /* SQL text that has been run: `path` is what it made */
};

struct source {
    str name;   /* for messages: the path or URL as given, "standard input" */
    str stem;   /* what a table made of it is called: no folder, no endings */
    str ending; /* of the data inside, lower case without the dot: "csv" for "a.csv.gz"; may be empty */
    str path;   /* a file with this name; empty = it has none */
    int fd;     /* regular file; closed by the arena */
    uint64_t size_bytes;
    enum packing packing;
    enum source_kind kind;
    str charset;          /* what the server says of its text; may be empty, and is often wrong */
    str entry;            /* ZIP: the file inside */
    uint64_t entry_index; /* ZIP: which one in the directory */
};

/* `spec`: a path, a URL (fetched into a temporary file without a name), or "-" for standard input (likewise, when it is
 * a pipe). `entry`: the file inside of a zip; empty = the only one. `o`: how a URL is fetched; NULL = as it goes.
 * Blocks. Returns OK, NOT_FOUND, FORBIDDEN, INVALID (a directory, a zip of several files), IO, DISK_FULL, those of
 * fetch_url. */
enum status source_open(struct arena *a, str spec, str entry, const struct fetch_url_options *o, struct source *ret,
                        struct err *err) MUST_USE;
/* The same in two steps, for zips of several files: source_load, source_entries, source_enter for each. */
enum status source_load(struct arena *a, str spec, const struct fetch_url_options *o, struct source *ret,
                        struct err *err) MUST_USE;
/* The same of the file `path`, named as its owner calls it: endings, table and messages come from `name`. */
enum status source_open_as(struct arena *a, str path, str name, str entry, struct source *ret,
                           struct err *err) MUST_USE;
/* The data files inside of a zip (no folders, no hidden files); none when it is no zip. */
enum status source_entries(struct arena *a, const struct source *s, str **ret, size_t *ret_count,
                           struct err *err) MUST_USE;
enum status source_enter(struct arena *a, const struct source *whole, str entry, struct source *ret,
                         struct err *err) MUST_USE;

/* The unpacked bytes from the start; several may read one source at once. */
struct unpack;
enum status unpack_new(const struct source *s, struct unpack **ret, struct err *err) MUST_USE;
void unpack_free(struct unpack *u); /* NULL is fine */
/* Goes on from there. False: it is packed, and can be read from the start only. */
bool unpack_seek(struct unpack *u, uint64_t offset);
/* Fills p as far as it can; fewer bytes than `size` only at the end, 0 = end. INVALID: damaged, cut short or a bomb;
 * TOO_LARGE. */
enum status unpack_read(struct unpack *u, char *p, size_t size, size_t *ret_n, struct err *err) MUST_USE;
uint64_t unpack_unpacked(const struct unpack *u); /* bytes given so far */
uint64_t unpack_position(const struct unpack *u); /* packed bytes taken so far */

#endif

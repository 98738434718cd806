/* SPDX-License-Identifier: Apache-2.0 */
/* xlsx_book: what a workbook (.xlsx, .xlsm: ECMA-376 part 1) holds besides its cells: the sheets, the texts that cells
 * share, and which formats are dates. Macros, links to other files and everything else in it are never looked at. */
#ifndef VITRINE_INGEST_XLSX_BOOK_H
#define VITRINE_INGEST_XLSX_BOOK_H

#include "ingest/source.h"

struct xlsx_sheet {
    str name;
    uint64_t entry; /* in the zip's directory */
    bool hidden;
};

struct xlsx_book {
    struct xlsx_sheet *sheets;
    size_t sheet_count;
    bool date1904;
    const uint8_t *formats; /* of each style: bits of enum xlsx_show */
    size_t format_count;
    const char *texts; /* shared texts, one after the other; text i is [ends[i-1], ends[i]) */
    const uint32_t *ends;
    size_t text_count;
};

/* Everything lives in `a`. INVALID (no workbook, a binary one, damaged), TOO_LARGE. `whole` = false: only the sheets.
 */
enum status xlsx_book_open(struct arena *a, const struct source *s, bool whole, struct xlsx_book *ret,
                           struct err *err) MUST_USE;
/* By name, by number from 1, or empty for the first that is not hidden. NOT_FOUND lists them. */
enum status xlsx_book_find(const struct xlsx_book *b, str file, str wanted, size_t *ret, struct err *err) MUST_USE;

#endif

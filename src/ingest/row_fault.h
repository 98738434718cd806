/* SPDX-License-Identifier: Apache-2.0 */
/* row_fault: why a row cannot be used; struct row's `fault`. */
#ifndef VITRINE_INGEST_ROW_FAULT_H
#define VITRINE_INGEST_ROW_FAULT_H

enum row_fault {
    ROW_FINE,
    ROW_OPEN_QUOTE, /* a quote is opened in it and never closed */
    ROW_TOO_WIDE,   /* more cells than columns, and they are not blank */
    ROW_ILL_FORMED, /* bytes that are not UTF-8 */
    ROW_NOTE,       /* a note after the data */
    ROW_NO_FIT,     /* a value is not of the column's type */
    ROW_BAD_JSON,   /* a line of NDJSON that is not JSON */
    ROW_NO_OBJECT,  /* an item that is no object */
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_status: SQLite's result codes as statuses with sentences. */
#ifndef VITRINE_DB_SQLITE_STATUS_H
#define VITRINE_DB_SQLITE_STATUS_H

#include "base/err.h"

/* By table; extended codes fall back to their primary one. */
enum status status_of_sqlite(int code);
const char *sqlite_code_name(int code); /* "SQLITE_BUSY_SNAPSHOT"; "SQLITE_ERROR" for unknown ones */
/* Writes message and hint. SQL errors keep SQLite's message alone; others get the code's name and a remedy. */
enum status sqlite_err(struct err *err, int code, const char *message);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* job: importing an uploaded file into a table, on a worker, while pages ask how far it is. */
#ifndef VITRINE_SITE_UPLOAD_JOB_H
#define VITRINE_SITE_UPLOAD_JOB_H

#include "site/upload/store.h"

struct import_jobs; /* those of this process */

struct import_jobs *import_jobs_new(void) MUST_USE;
void import_jobs_free(struct import_jobs *j); /* none runs any more; NULL is fine */
void import_jobs_stop(struct import_jobs *j); /* all are cancelled: the process ends */

struct import_progress {
    const char *phase; /* "waiting", "reading", "writing" */
    uint64_t rows, position, size;
};

/* How to import: DICT of u->options.
 *   mode       "create", "append", "replace" (the table is made anew), "upsert"
 *   columns    LIST of {name, as, type}: of the file, of the table ("" = the same), "" = found out
 *   pk         LIST of names in the table
 *   delimiter, encoding, entry   texts, "" = found out;  no_headers, alter   booleans */

/* Puts u->state to RUNNING and begins; own_fd is the file with its lock. BUSY: too many wait. */
enum status import_start(struct request *rq, struct upload *u, int own_fd, struct err *err) MUST_USE;
bool import_progress(struct site *s, str id, struct import_progress *ret); /* false: not in this process */
/* DICT: phase, rows, position, size, percent (of both passes together). */
struct value import_progress_json(struct arena *a, const struct import_progress *p);
bool import_cancel(struct site *s, str id); /* likewise; it ends soon after */
/* Takes a DONE import back, when it is the last one of its database and nothing touched its rows since: *ret_text says
 * what was done, and u->state becomes UNDONE. CONFLICT: why not. Waits for the writer. */
enum status import_undo(struct request *rq, struct upload *u, str *ret_text, struct err *err) MUST_USE;
/* DICT: format, encoding, delimiter, header_line, rows_read, whole, stem; columns: LIST of {name, type, unique}, rows:
 * LIST of LIST of text or null. */
enum status import_preview(struct request *rq, const struct upload *u, struct value *ret, struct err *err) MUST_USE;

#endif

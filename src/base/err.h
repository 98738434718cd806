/* SPDX-License-Identifier: Apache-2.0 */
/* err: what went wrong, as a complete sentence written where it is known, plus what to do next.
 *
 * Functions that can meet the world return enum status and take `struct err *err` last (NULL is fine). */
#ifndef VITRINE_BASE_ERR_H
#define VITRINE_BASE_ERR_H

#include <stdarg.h>

#include "base/str.h"

enum status {
#define X(name, text, http, exit_code, retryable) STATUS_##name,
#include "base/tbl/status.h"
#undef X
    STATUS_COUNT
};

#define ERR_TEXT_MAX 1024 /* bytes with the NUL; longer messages are cut at a UTF-8 boundary with "..." */
#define ERR_HINT_MAX 384

struct err {
    enum status status;
    char text[ERR_TEXT_MAX]; /* a complete sentence or phrase for the user */
    char hint[ERR_HINT_MAX]; /* what to do next; may be empty */
};

#define ERR_INIT                                                                                                       \
    {                                                                                                                  \
        .status = STATUS_OK                                                                                            \
    }

/* Writes the message; returns `status` so that `return err_set(err, ...)` works. */
enum status err_set(struct err *err, enum status status, const char *fmt, ...) PRINTF_LIKE(3, 4);
enum status err_vset(struct err *err, enum status status, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
/* As err_set with ": strerror(errno_value)" added; ENOSPC/EMFILE/ENOENT/EACCES pick a fitting status when status is
 * STATUS_IO. */
enum status err_sys(struct err *err, enum status status, int errno_value, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Sets the "what to do next" line; returns err->status. */
enum status err_hint(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Puts "context: " before the text; returns err->status. */
enum status err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void err_clear(struct err *err);

const char *status_name(enum status s); /* "NOT_FOUND" */
const char *status_text(enum status s); /* "not found" */
int status_http(enum status s);
int status_exit(enum status s);
bool status_retryable(enum status s);

#endif

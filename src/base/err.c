/* SPDX-License-Identifier: Apache-2.0 */
/* err — messages are formatted beside the target first, so that err->text may itself be an argument. */
#include "base/err.h"

#include <errno.h>

#include "base/utf8.h"

static const struct {
    const char *name, *text;
    int http, exit_code;
    bool retryable;
} statuses[STATUS_COUNT] = {
#define X(name, text, http, exit_code, retryable) [STATUS_##name] = {#name, text, http, exit_code, retryable},
#include "base/tbl/status.h"
#undef X
};

/* Copies `n` bytes of text (the whole of it was `whole` bytes long) and marks a cut with "...". */
static void err_copy(char *to, size_t size, const char *text, size_t whole)
{
    if (whole < size) {
        memcpy(to, text, whole + 1);
        return;
    }
    str kept = utf8_cut(str_make(text, size - 1), size - 4);
    memcpy(to, kept.p, kept.n);
    memcpy(to + kept.n, "...", 4);
}

enum status err_vset(struct err *err, enum status status, const char *fmt, va_list ap)
{
    if (!err)
        return status;
    char text[ERR_TEXT_MAX];
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    err_copy(err->text, sizeof(err->text), text, n < 0 ? 0 : (size_t)n);
    err->status = status;
    err->hint[0] = '\0';
    return status;
}

enum status err_set(struct err *err, enum status status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, status, fmt, ap);
    va_end(ap);
    return status;
}

static enum status status_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
        return STATUS_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return STATUS_FORBIDDEN;
    case ENOSPC:
    case EDQUOT:
        return STATUS_DISK_FULL;
    case EMFILE:
    case ENFILE:
    case EAGAIN:
        return STATUS_BUSY;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    case EFBIG:
    case ENAMETOOLONG:
        return STATUS_TOO_LARGE;
    default:
        return STATUS_IO;
    }
}

enum status err_sys(struct err *err, enum status status, int errno_value, const char *fmt, ...)
{
    if (status == STATUS_IO)
        status = status_of_errno(errno_value);
    if (!err)
        return status;
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    const char *reason = strerrordesc_np(errno_value); /* untranslated and thread-safe, unlike strerror */
    if (reason)
        return err_set(err, status, "%s: %s", text, reason);
    return err_set(err, status, "%s: error %d", text, errno_value);
}

enum status err_hint(struct err *err, const char *fmt, ...)
{
    if (!err)
        return STATUS_INTERNAL;
    char hint[ERR_HINT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(hint, sizeof(hint), fmt, ap);
    va_end(ap);
    err_copy(err->hint, sizeof(err->hint), hint, n < 0 ? 0 : (size_t)n);
    return err->status;
}

enum status err_prefix(struct err *err, const char *fmt, ...)
{
    if (!err)
        return STATUS_INTERNAL;
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    size_t at = n < 0 ? 0 : MIN((size_t)n, sizeof(text) - 1);
    int more = snprintf(text + at, sizeof(text) - at, ": %s", err->text);
    err_copy(err->text, sizeof(err->text), text, at + (more < 0 ? 0 : (size_t)more));
    return err->status;
}

void err_clear(struct err *err)
{
    if (err) {
        err->status = STATUS_OK;
        err->text[0] = err->hint[0] = '\0';
    }
}

const char *status_name(enum status s)
{
    return (unsigned)s < STATUS_COUNT ? statuses[s].name : "UNKNOWN";
}

const char *status_text(enum status s)
{
    return (unsigned)s < STATUS_COUNT ? statuses[s].text : "unknown status";
}

int status_http(enum status s)
{
    return (unsigned)s < STATUS_COUNT ? statuses[s].http : 500;
}

int status_exit(enum status s)
{
    return (unsigned)s < STATUS_COUNT ? statuses[s].exit_code : 70;
}

bool status_retryable(enum status s)
{
    return (unsigned)s < STATUS_COUNT && statuses[s].retryable;
}

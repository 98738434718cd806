/* SPDX-License-Identifier: Apache-2.0 */
/* multipart: multipart/form-data bodies (RFC 7578), piece by piece. No I/O; memory is one line and one piece.
 * Forms of the other kind (application/x-www-form-urlencoded) are read by url_parse_query of codec/url.h. */
#ifndef VITRINE_HTTP_MULTIPART_H
#define VITRINE_HTTP_MULTIPART_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct multipart;

struct multipart_part { /* borrowed: valid until the part's last data call returned */
    str name;           /* of the form field; UTF-8 as sent */
    str filename;       /* p == NULL: a plain field. Path parts are the sender's: never use it to open a file */
    str content_type;   /* empty when absent */
};
struct multipart_sink {
    void *arg;
    /* A part begins. Anything but OK stops the parser with that status. */
    enum status (*begin)(void *arg, const struct multipart_part *part, struct err *err);
    enum status (*data)(void *arg, str bytes, struct err *err); /* pieces of any size, only those of this part */
    enum status (*end)(void *arg, struct err *err);
};

/* The boundary of a Content-Type field, unquoted; empty with p == NULL when the type is not multipart/form-data or has
 * no valid boundary (RFC 2046 section 5.1.1: 1 to 70 characters). */
str multipart_boundary(str content_type);
/* boundary is copied; sink must outlive the parser. At most max_parts parts. */
struct multipart *multipart_new(str boundary, size_t max_parts, const struct multipart_sink *sink) MUST_USE;
void multipart_free(struct multipart *m); /* NULL is fine */
/* Takes the next piece of the body. Returns OK, INVALID, TOO_LARGE (headers of a part, number of parts), or what the
 * sink returned; after anything but OK only multipart_free helps. */
enum status multipart_feed(struct multipart *m, str bytes, struct err *err) MUST_USE;
/* The body is at its end. INVALID: the closing boundary is missing. */
enum status multipart_finish(struct multipart *m, struct err *err) MUST_USE;

#endif

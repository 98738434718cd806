/* SPDX-License-Identifier: Apache-2.0 */
/* sink: the bodies of routes marked ROUTE_SPOOL, which go to a file as they come in, however large they are.
 *
 * Who may send one is asked when its first piece is here, on a worker, before anything is written; a refusal ends the
 * receiving, and the view tells it. The view then finds the whole body as an open file. */
#ifndef VITRINE_SITE_UPLOAD_SINK_H
#define VITRINE_SITE_UPLOAD_SINK_H

#include "site/request.h"

struct body_sink {
    struct http_sink base;
    struct site *site;
    struct http_exchange *exchange;
    struct request_note *note;
    struct request rq; /* from the first piece on: route and actor are known */
    struct http_response response;
    const struct body_kind *kind;
    bool admitted;
    int fd;          /* of the whole body; -1 = none */
    int64_t held;    /* bytes of it that no look at the disk can see (space/disk.h) */
    void *state;     /* the kind's */
    int http_status; /* of a refusal that `failed` cannot say; 0 = that of its status */
};

/* What becomes of the bodies of one view. All on workers. */
struct body_kind {
    enum status (*view)(struct request *rq, struct err *err);
    /* The first piece is here: may the actor send this, and where does it go? Leaves fd. */
    enum status (*begin)(struct body_sink *s, struct err *err);
    enum status (*write)(struct body_sink *s, str bytes, struct err *err); /* NULL = to fd */
    void (*close)(struct body_sink *s);                                    /* before fd is closed; NULL = nothing */
};
extern const struct body_kind upload_kind, upload_one_kind; /* form.c, tus.c */

/* Loop's thread. */
struct http_sink *body_sink_new(struct site *s, struct http_exchange *x) MUST_USE;
enum status body_write_file(struct body_sink *s, str bytes, struct err *err) MUST_USE;
/* In the view: the body as a file without a name, at its start; closed with the request. *ret_fd -1 = no body. Fails
 * with what went wrong while it came in: DISK_FULL, TOO_LARGE, the refusal of begin. */
enum status body_file(struct request *rq, int *ret_fd, struct err *err) MUST_USE;
/* A file without a name in the folder of uploads, for reading and writing. */
enum status body_temporary(struct site *s, int *ret_fd, struct err *err) MUST_USE;

#endif

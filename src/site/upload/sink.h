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
    bool admitted;
    int fd; /* of the whole body; -1 = none */
};

/* One row a view that takes bodies as files. */
struct body_kind {
    enum status (*view)(struct request *rq, struct err *err);
    enum status (*admit)(struct request *rq, struct err *err); /* may the actor send this? */
};

/* Loop's thread. */
struct http_sink *body_sink_new(struct site *s, struct http_exchange *x) MUST_USE;
/* In the view: the body as a file without a name, at its start; closed with the request. *ret_fd -1 = no body. Fails
 * with what went wrong while it came in: DISK_FULL, TOO_LARGE, the refusal of admit. */
enum status body_file(struct request *rq, int *ret_fd, struct err *err) MUST_USE;
/* A file without a name in the folder of uploads, for reading and writing. */
enum status body_temporary(struct site *s, int *ret_fd, struct err *err) MUST_USE;

#endif

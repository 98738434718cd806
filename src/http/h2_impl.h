/* SPDX-License-Identifier: Apache-2.0 */
/* h2_impl: the session as h2.c (the session, what comes in) and h2_stream.c (what goes out) see it. */
#ifndef VITRINE_HTTP_H2_IMPL_H
#define VITRINE_HTTP_H2_IMPL_H

#include <nghttp2/nghttp2.h>

#include "http/h2.h"
#include "http/h2_head.h"

struct h2_bucket {
    int64_t level_us; /* in microseconds of refill: token = 1e6 / rate */
    int64_t at_us;
};

struct h2_session {
    nghttp2_session *ng;
    struct h2_limits limits;
    const struct h2_handler *handler;
    void *arg;
    struct h2_stream *streams, *reading; /* reading: its head comes now */
    struct h2_head head;
    size_t decoded; /* of the head that comes now */
    bool in_head;
    int32_t highest; /* stream that was opened */
    uint64_t seen;   /* bit k: highest - 2k was, too */
    struct h2_bucket resets, control;
    int64_t now_us;
    size_t bytes;   /* allocated by nghttp2 */
    size_t waiting; /* bytes of bodies */
    struct buf *out;
    size_t out_most;
    bool noticed, final; /* GOAWAY: the first, the second */
    bool over;
    uint32_t error; /* to end with */
    const char *why;
};

static inline struct h2_stream *h2_stream_of(struct h2_session *h, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h->ng, id);
}

/* Callbacks of nghttp2. */
int h2_on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t length,
                    nghttp2_data_source *source, void *arg);
int h2_on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* response: what the server needs of a response beyond message.h: fitting it to a request, writing its header lines. */
#ifndef VITRINE_HTTP_RESPONSE_H
#define VITRINE_HTTP_RESPONSE_H

#include "http/message.h"

/* compress_gzip wants whole pieces of room, whatever comes out. */
#define RESPONSE_GZIP_ROOM 32768

enum response_fit_flags { RESPONSE_GZIP = 1 };
/* response_prepare with a choice: without RESPONSE_GZIP nothing is compressed, so that it may run on the loop. */
void response_fit(struct http_response *r, const struct http_request *rq, unsigned flags);

/* Body bytes a receiver of this response would get with GET; -1 = not known beforehand (STREAM), or no length is to be
 * announced (304, 204). */
int64_t response_length(const struct http_response *r);
/* Appends the header lines of `r`, Content-Length or Transfer-Encoding with them, and the empty line. Of a BLOB only
 * the headers that were added to `r`, without the empty line: the rest is in the blob. */
void response_write_head(const struct http_response *r, bool chunked, struct buf *out);
/* Which parts of a blob answer this request. Sets r->status 304 and r->no_body as due. */
struct blob_choice {
    str head, body;
};
struct blob_choice response_choose_blob(struct http_response *r, const struct http_request *rq);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "http/message.h"

#include <unistd.h>

static const char *const method_names[] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",       [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH",     [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE",
    [HTTP_CONNECT] = "CONNECT", [HTTP_OTHER] = "",
};

enum http_method http_method_parse(str token)
{
    for (int m = HTTP_GET; m < HTTP_OTHER; m++)
        if (str_is(token, method_names[m]))
            return (enum http_method)m;
    return HTTP_OTHER;
}

const char *http_method_name(enum http_method m)
{
    return method_names[m];
}

const char *http_reason(int status)
{
    switch (status) {
#define X(code, reason)                                                                                                \
    case code:                                                                                                         \
        return reason;
#include "http/tbl/status.h"
#undef X
    default:
        return "Unknown";
    }
}

str http_header(const struct http_request *rq, str name)
{
    return http_headers_get(&rq->headers, name);
}

void response_init(struct http_response *r, struct arena *arena)
{
    *r = (struct http_response){.status = 200, .arena = arena, .fd = -1};
}

/* Lets go of the body; headers and status stay. */
static void drop_body(struct http_response *r)
{
    buf_release(&r->buf);
    http_blob_unref(r->blob);
    if (r->fd >= 0)
        (void)close(r->fd);
    if (r->stream)
        r->stream->close(r->stream);
    r->blob = NULL;
    r->fd = -1;
    r->stream = NULL;
    r->text = (str){NULL, 0};
    r->offset = r->length = 0;
    r->kind = HTTP_BODY_NONE;
}

void response_release(struct http_response *r)
{
    drop_body(r);
}

void response_clear(struct http_response *r)
{
    drop_body(r);
    response_init(r, r->arena);
}

/* Framing is the server's: two opinions about it on one connection are what response splitting is made of. */
static bool reserved(str name)
{
    static const char *const names[] = {"content-length", "transfer-encoding", "connection", "date", "server"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(name, str_of(names[i])))
            return true;
    return false;
}

bool response_header(struct http_response *r, str name, str value)
{
    bool ok = !reserved(name) && http_headers_add(&r->headers, r->arena, name, value);
    r->bad_header = r->bad_header || !ok;
    return ok;
}

bool response_header_set(struct http_response *r, str name, str value)
{
    bool ok = !reserved(name) && http_headers_set(&r->headers, r->arena, name, value);
    r->bad_header = r->bad_header || !ok;
    return ok;
}

str response_header_get(const struct http_response *r, str name)
{
    return http_headers_get(&r->headers, name);
}

void response_body_take(struct http_response *r, struct buf *own_body)
{
    drop_body(r);
    r->kind = HTTP_BODY_BUF;
    buf_take(&r->buf, own_body);
}

void response_body_text(struct http_response *r, str body)
{
    drop_body(r);
    r->kind = HTTP_BODY_TEXT;
    r->text = body;
}

void response_body_blob(struct http_response *r, struct http_blob *own_blob)
{
    drop_body(r);
    r->kind = HTTP_BODY_BLOB;
    r->blob = own_blob;
    r->status = own_blob->status;
}

void response_body_file(struct http_response *r, int own_fd, int64_t offset, int64_t length)
{
    ASSERT(own_fd >= 0 && offset >= 0 && length >= 0);
    drop_body(r);
    r->kind = HTTP_BODY_FILE;
    r->fd = own_fd;
    r->offset = offset;
    r->length = length;
}

void response_body_stream(struct http_response *r, struct http_stream *own_stream)
{
    drop_body(r);
    r->kind = HTTP_BODY_STREAM;
    r->stream = own_stream;
}

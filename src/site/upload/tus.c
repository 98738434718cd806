/* SPDX-License-Identifier: Apache-2.0 */
/* tus — resumable uploads, tus 1.0.0: core, creation, creation-with-upload, creation-defer-length, expiration,
 * checksum, termination.
 *
 *   POST /-/upload            a file and its row are made; 201 with its address
 *   PATCH /-/upload/ID        bytes go to the end of the file as they come in; 204 with the new offset
 *   HEAD, DELETE /-/upload/ID how far is it; away with it
 *
 * The offset is the length of the file and kept nowhere else, so that it is right after every way of dying. A PATCH
 * whose connection breaks leaves what had come, and the client goes on there; one with a checksum leaves nothing,
 * because what came cannot be checked. Its file is locked: a second one at the same time is refused with 423.
 * Refusals are texts with the status that the protocol names.
 *
 * Tests: tests/site/test_upload.py (requests of its own, kill -9, tus-js-client). */
#include "site/upload/tus.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "codec/b64.h"
#include "codec/digest.h"
#include "site/csrf.h"
#include "site/links.h"
#include "site/route.h"
#include "site/view/view.h"

#define VERSION     "1.0.0"
#define EXTENSIONS  "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination"
#define OFFSET_TYPE "application/offset+octet-stream"

/* Statuses that only tus has. */
enum { TUS_GONE_PAST = 412, TUS_WRONG_TYPE = 415, TUS_LOCKED = 423, TUS_BAD_SUM = 460 };

struct tus {
    struct upload upload;
    int64_t start, at;
    str algorithm, sum; /* of Upload-Checksum; empty = none */
    bool bad_sum;
};

/* ---- answers ---- */

static void headers(struct request *rq)
{
    struct http_response *r = rq->response;
    response_header_set(r, STR("tus-resumable"), STR(VERSION));
    response_header_set(r, STR("cache-control"), STR("no-store"));
    response_header_set(r, STR("x-content-type-options"), STR("nosniff"));
}

static void put_number(struct request *rq, const char *name, int64_t n)
{
    response_header(rq->response, str_of(name), arena_printf(rq->arena, "%lld", (long long)n));
}

static void put_expires(struct request *rq, const struct upload *u)
{
    char text[CLOCK_HTTP_LEN + 1];
    clock_format_http(u->expires, text);
    response_header(rq->response, STR("upload-expires"), arena_str(rq->arena, str_of(text)));
}

static enum status answer(struct request *rq, int http_status)
{
    headers(rq);
    rq->response->status = http_status;
    return STATUS_OK;
}

static enum status refuse(struct request *rq, int http_status, str text)
{
    headers(rq);
    if (http_status == TUS_GONE_PAST)
        response_header(rq->response, STR("tus-version"), STR(VERSION));
    respond_text(rq, http_status, "text/plain; charset=utf-8", ARENA_CAT(rq->arena, text, STR("\n")));
    return STATUS_OK;
}

static enum status refuse_for(struct request *rq, const struct err *err, int http_status)
{
    str text = arena_printf(rq->arena, "%s%s%s", err->text, err->hint[0] ? ". " : "", err->hint);
    return refuse(rq, http_status ? http_status : status_http(err->status), text);
}

/* ---- requests ---- */

bool tus_is(const struct request *rq)
{
    return http_header(rq->http, STR("tus-resumable")).n || rq->http->method == HTTP_OPTIONS;
}

static bool is_version(const struct request *rq)
{
    return str_is(http_header(rq->http, STR("tus-resumable")), VERSION);
}

static enum status options(struct request *rq)
{
    response_header(rq->response, STR("tus-version"), STR(VERSION));
    response_header(rq->response, STR("tus-extension"), STR(EXTENSIONS));
    response_header(rq->response, STR("tus-checksum-algorithm"), STR("sha1,sha256,md5"));
    put_number(rq, "tus-max-size", upload_most(rq->site));
    return answer(rq, 204);
}

/* A count in a header: -1 when there is none. */
static enum status number(const struct request *rq, const char *name, int64_t *ret, struct err *err)
{
    str text = http_header(rq->http, str_of(name));
    *ret = -1;
    if (!text.p)
        return STATUS_OK;
    if (!str_all_digits(text) || !str_to_i64(text, ret))
        return err_set(err, STATUS_INVALID, "%s must be a number of bytes", name);
    return STATUS_OK;
}

/* "filename d29ybGQ=,filetype ..." */
static str file_name(struct arena *a, str metadata)
{
    str pair, key, value, name;
    while (metadata.n) {
        str_cut(metadata, ',', &pair, &metadata);
        str_cut(str_trim(pair), ' ', &key, &value);
        if ((str_is(key, "filename") || str_is(key, "name")) && b64_decode(a, value, &name))
            return utf8_cut(utf8_repair(a, name), LIMIT_UPLOAD_NAME);
    }
    return STR("");
}

static enum status create(struct request *rq, struct upload *u, struct err *err)
{
    int64_t size, most = upload_most(rq->site);
    str metadata = http_header(rq->http, STR("upload-metadata"));
    bool deferred = str_is(http_header(rq->http, STR("upload-defer-length")), "1");
    enum status st =
        upload_may(rq) ? STATUS_OK : err_set(err, STATUS_FORBIDDEN, "You may not put data into any database here");
    if (st == STATUS_OK)
        st = number(rq, "upload-length", &size, err);
    if (st == STATUS_OK && (size < 0) != deferred)
        st = err_set(err, STATUS_INVALID, "one of Upload-Length and Upload-Defer-Length: 1 is needed");
    if (st == STATUS_OK && size > most)
        st = err_set(err, STATUS_TOO_LARGE, "the file is larger than %lld bytes", (long long)most);
    if (st != STATUS_OK)
        return st;
    return upload_create(rq, file_name(rq->arena, metadata), size, arena_str(rq->arena, metadata), u, err);
}

/* ---- bodies ---- */

static enum status read_checksum(struct request *rq, struct tus *t, struct err *err)
{
    str field = http_header(rq->http, STR("upload-checksum")), sum;
    if (!field.p)
        return STATUS_OK;
    str_cut(field, ' ', &t->algorithm, &sum);
    if (!(str_is(t->algorithm, "sha1") || str_is(t->algorithm, "sha256") || str_is(t->algorithm, "md5")) ||
        !b64_decode(rq->arena, sum, &t->sum) || !t->sum.n)
        return err_set(err, STATUS_INVALID, "Upload-Checksum must be sha1, sha256 or md5 and the digest in base64");
    t->algorithm = arena_str(rq->arena, t->algorithm);
    return STATUS_OK;
}

static enum status open_end(struct body_sink *s, struct tus *t, struct err *err)
{
    enum status st = upload_lock(&s->rq, &t->upload, &s->fd, err);
    if (st != STATUS_OK) {
        s->http_status = st == STATUS_CONFLICT ? TUS_LOCKED : 0;
        return st;
    }
    t->start = t->at = lseek(s->fd, 0, SEEK_END); /* with the lock: this is where it ends */
    return t->start >= 0 ? STATUS_OK : err_sys(err, STATUS_IO, errno, "cannot write to the upload");
}

static enum status check_type(struct body_sink *s, struct err *err)
{
    if (str_is(http_header(s->rq.http, STR("content-type")), OFFSET_TYPE))
        return STATUS_OK;
    s->http_status = TUS_WRONG_TYPE;
    return err_set(err, STATUS_INVALID, "Content-Type must be " OFFSET_TYPE);
}

static enum status check_version(struct body_sink *s, struct err *err)
{
    if (is_version(&s->rq))
        return STATUS_OK;
    s->http_status = TUS_GONE_PAST;
    return err_set(err, STATUS_INVALID, "Tus-Resumable must be " VERSION);
}

enum status tus_create_begin(struct body_sink *s, struct err *err)
{
    struct tus *t = ARENA_NEW(s->rq.arena, struct tus);
    enum status st = check_version(s, err);
    if (st == STATUS_OK)
        st = check_type(s, err);
    if (st == STATUS_OK)
        st = read_checksum(&s->rq, t, err);
    if (st == STATUS_OK)
        st = create(&s->rq, &t->upload, err);
    if (st == STATUS_OK)
        st = open_end(s, t, err);
    if (st == STATUS_OK)
        s->state = t;
    return st;
}

/* Upload-Length may come with a PATCH when it was deferred. */
static enum status late_length(struct request *rq, struct upload *u, struct err *err)
{
    int64_t size;
    enum status st = number(rq, "upload-length", &size, err);
    if (st != STATUS_OK || size < 0)
        return st;
    if (u->size >= 0 && u->size != size)
        return err_set(err, STATUS_INVALID, "Upload-Length cannot be changed");
    if (size > upload_most(rq->site))
        return err_set(err, STATUS_TOO_LARGE, "the file is larger than %lld bytes", (long long)upload_most(rq->site));
    u->size = size;
    return upload_save(rq->site, rq->arena, u, err);
}

static enum status patch_begin(struct body_sink *s, struct err *err)
{
    struct request *rq = &s->rq;
    struct tus *t = ARENA_NEW(rq->arena, struct tus);
    int64_t offset;
    enum status st = check_version(s, err);
    if (st == STATUS_OK)
        st = check_type(s, err);
    if (st == STATUS_OK && rq->http->method != HTTP_PATCH)
        st = err_set(err, STATUS_METHOD, "Method not allowed");
    if (st == STATUS_OK)
        st = number(rq, "upload-offset", &offset, err);
    if (st == STATUS_OK)
        st = read_checksum(rq, t, err);
    if (st == STATUS_OK)
        st = upload_find(rq, rq->params[0], &t->upload, err);
    if (st == STATUS_OK)
        st = open_end(s, t, err);
    if (st == STATUS_OK && (t->upload.state != UPLOAD_RECEIVING || offset != t->start))
        st = err_set(err, STATUS_CONFLICT, "Upload-Offset must be %lld", (long long)t->start);
    if (st == STATUS_OK)
        st = late_length(rq, &t->upload, err);
    if (st == STATUS_OK)
        s->state = t;
    return st;
}

enum status tus_write(struct body_sink *s, str bytes, struct err *err)
{
    struct tus *t = s->state;
    int64_t most = t->upload.size >= 0 ? t->upload.size : upload_most(s->site);
    if ((int64_t)bytes.n > most - t->at)
        return err_set(err, STATUS_TOO_LARGE, "the upload would be larger than its %lld bytes", (long long)most);
    enum status st = body_write_file(s, bytes, err);
    t->at = st == STATUS_OK ? t->at + (int64_t)bytes.n : lseek(s->fd, 0, SEEK_END);
    return st;
}

/* Of a body that came whole: is it what the client sent? */
static enum status check_sum(struct body_sink *s, struct err *err)
{
    struct tus *t = s->state;
    unsigned char raw[DIGEST_RAW_MAX];
    size_t n;
    if (!t->sum.n)
        return STATUS_OK;
    if (lseek(s->fd, t->start, SEEK_SET) != t->start)
        return err_sys(err, STATUS_IO, errno, "cannot read the upload again");
    enum status st = digest_rest(s->fd, t->algorithm, raw, &n, err);
    if (st == STATUS_OK && !str_eq(str_make((const char *)raw, n), t->sum)) {
        t->bad_sum = true;
        s->http_status = TUS_BAD_SUM;
        st = err_set(err, STATUS_INVALID, "Checksum Mismatch: what came was thrown away");
    }
    return st;
}

void tus_close(struct body_sink *s)
{
    struct tus *t = s->state;
    if (t && t->sum.n && (t->bad_sum || s->base.failed.status != STATUS_OK) && ftruncate(s->fd, t->start) != 0)
        s->base.failed.status = STATUS_IO;
}

/* The body in its view: whole and checked, or what was wrong. */
static enum status take_body(struct request *rq, struct tus **ret, int *ret_http, struct err *err)
{
    struct body_sink *s = (struct body_sink *)rq->body;
    int fd;
    enum status st = body_file(rq, &fd, err);
    if (st == STATUS_OK && s->state)
        st = check_sum(s, err);
    *ret_http = s->http_status;
    if (st == STATUS_OK)
        *ret = s->state;
    return st;
}

/* ---- views ---- */

enum status tus_create(struct request *rq, struct err *err)
{
    struct upload u = {0};
    struct tus *t = NULL;
    int http = 0;
    if (rq->http->method == HTTP_OPTIONS)
        return options(rq);
    if (!is_version(rq))
        return refuse(rq, TUS_GONE_PAST, STR("Tus-Resumable must be " VERSION));
    if (rq->http->method != HTTP_POST)
        return refuse(rq, 405, STR("Method not allowed"));
    enum status st = rq->body ? take_body(rq, &t, &http, err) : create(rq, &u, err);
    if (st != STATUS_OK)
        return refuse_for(rq, err, http);
    if (t) {
        u = t->upload;
        put_number(rq, "upload-offset", t->at);
    }
    response_header(rq->response, STR("location"), link_path(rq, ARENA_CAT(rq->arena, STR("/-/upload/"), u.id)));
    put_expires(rq, &u);
    return answer(rq, 201);
}

static enum status head(struct request *rq, const struct upload *u)
{
    put_number(rq, "upload-offset", u->offset);
    if (u->size >= 0)
        put_number(rq, "upload-length", u->size);
    else
        response_header(rq->response, STR("upload-defer-length"), STR("1"));
    if (u->metadata.n)
        response_header(rq->response, STR("upload-metadata"), u->metadata);
    put_expires(rq, u);
    return answer(rq, 200);
}

static enum status patch(struct request *rq, struct err *err)
{
    struct tus *t = NULL;
    int http = 0;
    enum status st = take_body(rq, &t, &http, err);
    if (st != STATUS_OK)
        return refuse_for(rq, err, http);
    put_number(rq, "upload-offset", t->at);
    put_expires(rq, &t->upload);
    return answer(rq, 204);
}

/* PATCH without a body: what an empty file needs. */
static enum status patch_nothing(struct request *rq, struct upload *u, struct err *err)
{
    int64_t at;
    enum status st = number(rq, "upload-offset", &at, err);
    if (st == STATUS_OK && at != u->offset)
        st = err_set(err, STATUS_CONFLICT, "Upload-Offset must be %lld", (long long)u->offset);
    if (st == STATUS_OK)
        st = late_length(rq, u, err);
    if (st != STATUS_OK)
        return refuse_for(rq, err, 0);
    put_number(rq, "upload-offset", u->offset);
    put_expires(rq, u);
    return answer(rq, 204);
}

static enum status terminate(struct request *rq, const struct upload *u, struct err *err)
{
    int fd;
    enum status st = upload_lock(rq, u, &fd, err);
    if (st != STATUS_OK)
        return refuse_for(rq, err, st == STATUS_CONFLICT ? TUS_LOCKED : 0);
    st = upload_delete(rq, u, err);
    close(fd);
    return st == STATUS_OK ? answer(rq, 204) : refuse_for(rq, err, 0);
}

enum status view_upload_one(struct request *rq, struct err *err)
{
    struct upload u;
    enum http_method m = rq->http->method;
    if (m == HTTP_GET) {
        respond_redirect(rq, 302, link_path(rq, ARENA_CAT(rq->arena, STR("/-/import/"), rq->params[0])));
        return STATUS_OK;
    }
    if (m == HTTP_OPTIONS)
        return options(rq);
    if (m == HTTP_PATCH && rq->body)
        return patch(rq, err);
    if (!is_version(rq))
        return refuse(rq, TUS_GONE_PAST, STR("Tus-Resumable must be " VERSION));
    if (m != HTTP_HEAD && m != HTTP_DELETE && m != HTTP_PATCH)
        return refuse(rq, 405, STR("Method not allowed"));
    enum status st = m == HTTP_HEAD ? STATUS_OK : csrf_check(rq, err);
    if (st == STATUS_OK)
        st = upload_find(rq, rq->params[0], &u, err);
    if (st != STATUS_OK)
        return refuse_for(rq, err, 0);
    return m == HTTP_HEAD ? head(rq, &u) : m == HTTP_DELETE ? terminate(rq, &u, err) : patch_nothing(rq, &u, err);
}

const struct body_kind upload_one_kind = {view_upload_one, patch_begin, tus_write, tus_close};

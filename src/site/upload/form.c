/* SPDX-License-Identifier: Apache-2.0 */
/* form — the page /-/upload: a file or pasted cells from a plain form, which needs no script. The form is taken apart
 * while it comes in: the file goes to its place, and the other fields, which are short, to memory. */
#include "http/multipart.h"

#include <unistd.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "codec/url.h"
#include "site/links.h"
#include "site/render/page.h"
#include "site/route.h"
#include "site/upload/tus.h"
#include "site/view/view.h"

#define FIELDS_MAX  16
#define FIELD_BYTES 4096
#define PASTED_NAME "pasted.tsv"
#define MAY_NOT     "You may not put data into any database here"

struct form {
    struct body_sink *sink;
    struct multipart *parser;
    struct multipart_sink events;
    struct upload upload;
    bool has_upload, is_file; /* is_file: the present part is what is uploaded */
    str name, file_name;      /* of the present part */
    struct buf text;          /* a field */
    struct value fields;      /* DICT */
    int64_t bytes;
};

/* ---- parts ---- */

static enum status part_begin(void *arg, const struct multipart_part *part, struct err *err)
{
    struct form *f = arg;
    struct arena *a = f->sink->rq.arena;
    (void)err;
    f->name = arena_str(a, part->name);
    f->is_file = part->filename.p || str_is(part->name, "cells");
    str file = part->filename.p ? part->filename : STR(PASTED_NAME);
    size_t slash = str_rfind_char(file, '/'), back = str_rfind_char(file, '\\');
    if (slash != STR_NPOS)
        file = str_from(file, slash + 1);
    else if (back != STR_NPOS)
        file = str_from(file, back + 1);
    f->file_name = utf8_cut(utf8_repair(a, arena_str(a, file)), LIMIT_UPLOAD_NAME);
    buf_clear(&f->text);
    return STATUS_OK;
}

static enum status file_data(struct form *f, str bytes, struct err *err)
{
    struct body_sink *s = f->sink;
    enum status st = STATUS_OK;
    if (f->has_upload && !f->bytes)
        return STATUS_OK; /* one is enough: pasted cells beside a file */
    if (!f->has_upload) {
        st = upload_create(&s->rq, f->file_name, -1, (str){0}, &f->upload, err);
        if (st == STATUS_OK)
            st = upload_lock(&s->rq, &f->upload, &s->fd, err);
        f->has_upload = st == STATUS_OK;
    }
    if (st == STATUS_OK)
        st = body_write_file(s, bytes, err);
    f->bytes += (int64_t)bytes.n;
    return st;
}

static enum status part_data(void *arg, str bytes, struct err *err)
{
    struct form *f = arg;
    if (f->is_file)
        return file_data(f, bytes, err);
    buf_puts(&f->text, bytes);
    return f->text.over ? err_set(err, STATUS_TOO_LARGE, "the field %.*s is too long", STR_ARG(f->name)) : STATUS_OK;
}

static enum status part_end(void *arg, struct err *err)
{
    struct form *f = arg;
    (void)err;
    if (!f->is_file) {
        value_set(f->fields, f->name, value_str(arena_str(f->sink->rq.arena, buf_str(&f->text))));
    } else if (f->has_upload && f->bytes) {
        f->upload.size = f->bytes;
        f->bytes = 0; /* what follows is another part */
    }
    return STATUS_OK;
}

/* ---- the sink ---- */

static enum status form_begin(struct body_sink *s, struct err *err)
{
    struct request *rq = &s->rq;
    if (tus_is(rq))
        return tus_create_begin(s, err);
    if (!upload_may(rq))
        return err_set(err, STATUS_FORBIDDEN, MAY_NOT);
    str boundary = multipart_boundary(http_header(rq->http, STR("content-type")));
    if (!boundary.p)
        return err_set(err, STATUS_INVALID, "send the file as multipart/form-data, or with tus");
    struct form *f = ARENA_NEW(rq->arena, struct form);
    f->sink = s;
    f->fields = value_dict(rq->arena);
    f->events = (struct multipart_sink){f, part_begin, part_data, part_end};
    buf_init(&f->text, FIELD_BYTES);
    f->parser = multipart_new(boundary, FIELDS_MAX, &f->events);
    s->state = f;
    return STATUS_OK;
}

static enum status form_write(struct body_sink *s, str bytes, struct err *err)
{
    struct form *f = s->state;
    return tus_is(&s->rq) ? tus_write(s, bytes, err) : multipart_feed(f->parser, bytes, err);
}

static void form_close(struct body_sink *s)
{
    struct form *f = s->state;
    if (tus_is(&s->rq)) {
        tus_close(s);
        return;
    }
    if (!f)
        return;
    if (f->has_upload && f->upload.size < 0) /* it did not come whole, and nobody knows its id */
        (void)!upload_delete(&s->rq, &f->upload, NULL);
    multipart_free(f->parser);
    buf_release(&f->text);
}

const struct body_kind upload_kind = {view_upload, form_begin, form_write, form_close};

/* ---- the page ---- */

static enum status respond_form(struct request *rq, int http_status, str message, struct err *err)
{
    struct value d = value_dict(rq->arena);
    const str names[] = {STR("upload.html")};
    VALUE_SET(d, "message", value_str_if(message.n, message));
    VALUE_SET(d, "chosen_database", value_str_if(request_has_arg(rq, "database"), request_arg(rq, "database")));
    VALUE_SET(d, "chosen_table", value_str_if(request_has_arg(rq, "table"), request_arg(rq, "table")));
    VALUE_SET(d, "most_bytes", value_int(upload_most(rq->site)));
    VALUE_SET(d, "keep_hours", value_int(rq->site->config.settings.upload_keep_hours));
    rq->response_varies = true;
    return page_respond(rq, http_status, names, 1, d, false, err);
}

static str import_address(struct request *rq, const struct form *f)
{
    static const char *const keys[] = {"database", "table"};
    struct url_pair pairs[ARRAY_LEN(keys)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        str value = value_get_text(f->fields, str_of(keys[i]));
        if (value.n)
            pairs[n++] = (struct url_pair){str_of(keys[i]), value};
    }
    str path = link_path(rq, ARENA_CAT(rq->arena, STR("/-/import/"), f->upload.id));
    return n ? url_with_added(rq->arena, path, (str){0}, pairs, n) : path;
}

static enum status take_form(struct request *rq, struct form **ret, struct err *err)
{
    struct body_sink *s = (struct body_sink *)rq->body;
    int fd;
    enum status st = s ? body_file(rq, &fd, err) : err_set(err, STATUS_INVALID, "The form is empty");
    if (st != STATUS_OK)
        return st;
    struct form *f = s->state;
    st = multipart_finish(f->parser, err);
    if (st == STATUS_OK && !f->has_upload)
        st = err_set(err, STATUS_INVALID, "Choose a file that is not empty, or paste some cells");
    if (st == STATUS_OK)
        st = upload_save(rq->site, rq->arena, &f->upload, err);
    if (st == STATUS_OK)
        *ret = f;
    else
        f->upload.size = -1;
    return st;
}

static enum status post(struct request *rq, struct err *err)
{
    struct form *f;
    enum status st = take_form(rq, &f, err);
    if (st == STATUS_FORBIDDEN)
        return st;
    if (st != STATUS_OK) {
        str text = arena_printf(rq->arena, "%s%s%s", err->text, err->hint[0] ? ". " : "", err->hint);
        err_clear(err);
        return respond_form(rq, status_http(st), text, err);
    }
    respond_redirect(rq, 303, import_address(rq, f));
    return STATUS_OK;
}

enum status view_upload(struct request *rq, struct err *err)
{
    if (tus_is(rq))
        return tus_create(rq, err);
    if (rq->http->method == HTTP_POST)
        return post(rq, err);
    if (!request_is_get(rq))
        return err_set(err, STATUS_METHOD, "Method not allowed");
    return upload_may(rq) ? respond_form(rq, 200, (str){0}, err) : err_set(err, STATUS_FORBIDDEN, MAY_NOT);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/logo.h"

#include <string.h>

#include "base/limits.h"
#include "codec/digest.h"
#include "http/multipart.h"
#include "hub/audit.h"
#include "hub/space.h"
#include "rt/fault.h"

#define PARTS_MAX 8

const char *logo_kind(str bytes)
{
    if (bytes.n > 24 && memcmp(bytes.p, "\x89PNG\r\n\x1a\n", 8) == 0 && memcmp(bytes.p + 12, "IHDR", 4) == 0)
        return "png";
    if (bytes.n > 20 && memcmp(bytes.p, "\xff\xd8\xff", 3) == 0)
        return "jpg";
    if (bytes.n > 20 && memcmp(bytes.p, "RIFF", 4) == 0 && memcmp(bytes.p + 8, "WEBP", 4) == 0)
        return "webp";
    return NULL;
}

/* ---- the form ---- */

struct form {
    struct buf file;
    bool here, found; /* here: the part that comes now is the file */
};

static enum status part_begin(void *arg, const struct multipart_part *part, struct err *err)
{
    struct form *f = arg;
    (void)err;
    f->here = str_is(part->name, "logo") && part->filename.p;
    f->found = f->found || f->here;
    return STATUS_OK;
}

static enum status part_data(void *arg, str bytes, struct err *err)
{
    struct form *f = arg;
    if (!f->here)
        return STATUS_OK;
    buf_puts(&f->file, bytes);
    if (!f->file.over)
        return STATUS_OK;
    err_set(err, STATUS_TOO_LARGE, "A logo may have %d KiB at most.", (int)(LIMIT_HUB_LOGO / 1024));
    return err_hint(err, "Save it smaller: it is shown 28 pixels high.");
}

static enum status part_end(void *arg, struct err *err)
{
    (void)arg;
    (void)err;
    return STATUS_OK;
}

enum status logo_read_form(const struct hub_request *rq, str *ret, struct err *err)
{
    str boundary = multipart_boundary(http_header(rq->http, STR("content-type")));
    struct form f = {0};
    const struct multipart_sink events = {&f, part_begin, part_data, part_end};
    if (!boundary.n)
        return err_set(err, STATUS_INVALID, "The picture must be sent as multipart/form-data, in a field \"logo\".");
    buf_init(&f.file, (size_t)LIMIT_HUB_LOGO);
    struct multipart *m = multipart_new(boundary, PARTS_MAX, &events);
    enum status st = multipart_feed(m, rq->http->body, err);
    if (st == STATUS_OK)
        st = multipart_finish(m, err);
    multipart_free(m);
    str bytes = arena_str(rq->a, buf_str(&f.file));
    buf_release(&f.file);
    if (st != STATUS_OK)
        return st;
    if (!f.found || !bytes.n) {
        err_set(err, STATUS_INVALID, "No picture was chosen.");
        return err_hint(err, "Choose a PNG, JPEG or WebP file.");
    }
    if (!logo_kind(bytes)) {
        err_set(err, STATUS_INVALID, "This is no PNG, JPEG or WebP picture.");
        return err_hint(err, "Save it as PNG. SVG is not taken: it can hold programs.");
    }
    *ret = bytes;
    return STATUS_OK;
}

/* ---- hub.db ---- */

struct change {
    struct hub_request *rq;
    str id, bytes;
};

static enum status write_logo(struct conn *c, void *arg, struct err *err)
{
    const struct change *l = arg;
    char hash[DIGEST_HEX_MAX];
    enum status st = SQL_RUN(c, err, "delete from logos where space_id = ?1", SQL_T(l->id));
    digest_sha256_hex(l->bytes, hash);
    if (st == STATUS_OK && l->bytes.n)
        st = SQL_RUN(c, err, "insert into logos (space_id, name, bytes) values (?1, ?2, ?3)", SQL_T(l->id),
                     SQL_T(arena_printf(l->rq->a, "%.32s.%s", hash, logo_kind(l->bytes))), SQL_B(l->bytes));
    if (st == STATUS_OK)
        st = space_changed(c, l->id, err);
    return st == STATUS_OK ? hub_audit(c, l->rq, l->bytes.n ? "space.logo" : "space.logo-removed", l->id, STR(""), err)
                           : st;
}

enum status logo_set(struct hub_request *rq, str space_id, str bytes, struct err *err)
{
    struct change l = {rq, space_id, bytes};
    hub_conn_release(rq);
    enum status st = store_write(rq->hub->store, write_logo, &l, err);
    (void)FAULT("hub.logo.changed");
    if (st == STATUS_OK)
        space_tell(rq->hub);
    return st;
}

str logo_url(const struct hub_config *c, struct arena *a, str name)
{
    return name.n ? ARENA_CAT(a, c->origin, STR("/-/logo/"), name) : STR("");
}

enum status logo_copy(struct conn *c, str from_space, str to_space, struct err *err)
{
    enum status st = SQL_RUN(c, err,
                             "insert into logos (space_id, name, bytes) select ?2, name, bytes from logos where"
                             " space_id = ?1",
                             SQL_T(from_space), SQL_T(to_space));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "update spaces set theme = (select theme from spaces where id = ?1) where id = ?2",
                     SQL_T(from_space), SQL_T(to_space));
    return st == STATUS_OK ? space_changed(c, to_space, err) : st;
}

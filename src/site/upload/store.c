/* SPDX-License-Identifier: Apache-2.0 */
#include "site/upload/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "site/internal.h"
#include "site/view/resources.h"
#include "site/write/new_database.h"
#include "site/write/write.h"

#define ID_DIGITS 32

static const char *const state_names[UPLOAD_STATES] = {"receiving", "running", "done", "failed", "cancelled", "undone"};

const char *upload_state_name(enum upload_state state)
{
    return state_names[state];
}

int64_t upload_most(const struct site *s)
{
    int64_t mb = s->config.settings.max_upload_mb;
    return mb > 0 && mb < INT64_MAX >> 21 ? mb << 20 : INT64_MAX / 2;
}

str upload_path(const struct site *s, struct arena *a, str id)
{
    return ARENA_CAT(a, s->shared->upload_folder, STR("/"), id);
}

static str actor_of(const struct request *rq)
{
    struct value id = VALUE_GET(rq->actor, "id");
    return value_is_null(id) ? STR("") : value_to_str(rq->arena, id);
}

bool upload_may(struct request *rq)
{
    bool writable = false;
    for (size_t i = 0; i < rq->site->published_count; i++) {
        const struct published *p = rq->site->published[i];
        writable = writable || p->writer;
        if (p->writer && (request_allowed(rq, ACTION_CREATE_TABLE, p->name, (str){0}) ||
                          request_allowed(rq, ACTION_INSERT_ROW, p->name, (str){0})))
            return true;
    }
    if (new_database_may(rq, (str){0}))
        return true;
    struct resource *found; /* somebody who may add rows to single tables only */
    size_t count = 0;
    return writable && !value_is_null(rq->actor) &&
           resources_allowed(rq, ACTION_INSERT_ROW, (str){0}, &found, &count, NULL) == STATUS_OK && count;
}

/* ---- the table ---- */

struct change {
    struct arena *arena;
    const char *sql;
    struct db_value values[12];
    size_t count;
    struct value rows; /* LIST, of what the statement gives */
};

static void add_text(struct change *c, str s)
{
    c->values[c->count++] = s.p ? (struct db_value){.kind = DB_TEXT, .s = s} : (struct db_value){.kind = DB_NULL};
}

static void add_int(struct change *c, int64_t i)
{
    c->values[c->count++] = (struct db_value){.kind = DB_INT, .i = i};
}

static void add_json(struct change *c, struct value v)
{
    struct buf b;
    if (v.kind != VALUE_DICT) {
        add_text(c, (str){0});
        return;
    }
    buf_init(&b, LIMIT_JSON_OUTPUT);
    value_to_json(&b, v, VALUE_JSON_UTF8 | VALUE_JSON_COMPACT);
    add_text(c, arena_str(c->arena, buf_str(&b)));
    buf_release(&b);
}

static enum status change_run(struct conn *conn, void *arg, struct err *err)
{
    struct change *c = arg;
    c->rows = value_list(c->arena);
    return write_fetch(c->arena, conn, str_of(c->sql), c->values, c->count, SIZE_MAX, c->rows, err);
}

static enum status change(struct site *s, struct change *c, struct err *err)
{
    return internal_write(s->internal, change_run, c, err);
}

/* ---- expiring ---- */

static enum status delete_row(struct site *s, struct arena *a, str id, struct err *err)
{
    struct change c = {.arena = a, .sql = "delete from uploads where id = ?1"};
    add_text(&c, id);
    upload_drop_file(s, a, id);
    return change(s, &c, err);
}

/* Those that are being imported stay: their lock is taken. */
static void sweep(struct site *s, struct arena *a)
{
    struct change find = {.arena = a, .sql = "select id from uploads where expires < ?1 limit 100"};
    add_int(&find, clock_unix_s());
    if (change(s, &find, NULL) != STATUS_OK)
        return;
    for (size_t i = 0; i < value_count(find.rows); i++) {
        str id = VALUE_GET(value_at(find.rows, i), "id").s;
        if (!upload_is_locked(s, id))
            (void)!delete_row(s, a, id, NULL);
    }
}

void upload_sweep(struct site *s)
{
    struct arena *a = arena_new(0);
    struct stat folder;
    if (stat(arena_cstr(a, s->shared->upload_folder), &folder) == 0) /* else nothing was ever uploaded */
        sweep(s, a);
    arena_free(a);
}

/* ---- doors ---- */

static enum status count_kept(struct request *rq, struct err *err)
{
    struct change c = {.arena = rq->arena, .sql = "select count(*) n from uploads where actor = ?1"};
    add_text(&c, actor_of(rq));
    enum status st = change(rq->site, &c, err);
    if (st != STATUS_OK || VALUE_GET(value_at(c.rows, 0), "n").i < LIMIT_UPLOADS)
        return st;
    err_set(err, STATUS_RATE, "you have %d uploads already", LIMIT_UPLOADS);
    return err_hint(err, "Import or delete some of them, or wait until they expire.");
}

enum status upload_create(struct request *rq, str name, int64_t size, str metadata, struct upload *ret, struct err *err)
{
    struct arena *a = rq->arena;
    struct upload u = {.actor = actor_of(rq), .name = name, .size = size, .metadata = metadata};
    int fd;
    sweep(rq->site, a);
    enum status st = count_kept(rq, err);
    if (st == STATUS_OK)
        st = state_random(a, &u.id, err);
    if (st != STATUS_OK)
        return st;
    u.id = str_sub(u.id, 0, ID_DIGITS);
    u.expires = clock_unix_s() + MAX(rq->site->config.settings.upload_keep_hours, 0) * 3600;
    u.options = value_dict(a);
    str path = upload_path(rq->site, a, u.id);
    st = fs_make_folders(path, 0700, err);
    if (st == STATUS_OK)
        st = fs_open(arena_cstr(a, path), O_CREAT | O_EXCL | O_WRONLY, 0600, &fd, err);
    if (st != STATUS_OK)
        return st;
    close(fd);
    struct change c = {.arena = a,
                       .sql = "insert into uploads (id, actor, name, size, metadata, expires) values (?1, ?2, ?3, ?4,"
                              " ?5, ?6)"};
    add_text(&c, u.id);
    add_text(&c, u.actor);
    add_text(&c, u.name.p ? u.name : STR(""));
    add_int(&c, size);
    add_text(&c, metadata.p ? metadata : STR(""));
    add_int(&c, u.expires);
    st = change(rq->site, &c, err);
    if (st == STATUS_OK)
        *ret = u;
    else
        unlink(arena_cstr(a, path));
    return st;
}

static bool is_id(str id)
{
    bool good = id.n == ID_DIGITS;
    for (size_t i = 0; good && i < id.n; i++)
        good = (id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f');
    return good;
}

static struct value json_of(struct arena *a, struct value text)
{
    struct value v;
    return value_is_text(text) && value_from_json(a, text.s, &v, NULL) == STATUS_OK ? v : VALUE_UNDEF;
}

static void read_row(struct arena *a, struct value row, struct upload *u)
{
    str state = value_get_text(row, STR("state"));
    u->actor = value_get_text(row, STR("actor"));
    u->name = value_get_text(row, STR("name"));
    u->metadata = value_get_text(row, STR("metadata"));
    u->size = VALUE_GET(row, "size").i;
    u->expires = VALUE_GET(row, "expires").i;
    u->database = value_get_text(row, STR("database_name"));
    u->table = value_get_text(row, STR("table_name"));
    u->fault = value_get_text(row, STR("fault"));
    u->options = json_of(a, VALUE_GET(row, "options"));
    if (u->options.kind != VALUE_DICT)
        u->options = value_dict(a);
    u->report = json_of(a, VALUE_GET(row, "report"));
    for (size_t i = 0; i < UPLOAD_STATES; i++)
        if (str_is(state, state_names[i]))
            u->state = (enum upload_state)i;
}

enum status upload_find(struct request *rq, str id, struct upload *ret, struct err *err)
{
    struct arena *a = rq->arena;
    struct change c = {.arena = a, .sql = "select * from uploads where id = ?1 and actor = ?2 and expires >= ?3"};
    struct upload u = {.id = id};
    struct stat file;
    add_text(&c, id);
    add_text(&c, actor_of(rq));
    add_int(&c, clock_unix_s());
    if (!is_id(id))
        return err_set(err, STATUS_NOT_FOUND, "There is no such upload");
    /* Before its row: an import that ends meanwhile says so first, and then the file goes. */
    bool there = stat(arena_cstr(a, upload_path(rq->site, a, id)), &file) == 0;
    enum status st = change(rq->site, &c, err);
    if (st == STATUS_OK && !value_count(c.rows)) {
        sweep(rq->site, a);
        st = err_set(err, STATUS_NOT_FOUND, "There is no such upload: it may have expired");
    }
    if (st != STATUS_OK)
        return st;
    read_row(a, value_at(c.rows, 0), &u);
    if (!there && u.state != UPLOAD_DONE && u.state != UPLOAD_UNDONE)
        return err_set(err, STATUS_NOT_FOUND, "There is no such upload: its file is gone");
    u.offset = there ? file.st_size : u.size;
    *ret = u;
    return STATUS_OK;
}

enum status upload_lock(struct request *rq, const struct upload *u, int *ret_fd, struct err *err)
{
    int fd;
    enum status st = fs_open(arena_cstr(rq->arena, upload_path(rq->site, rq->arena, u->id)), O_RDWR, 0, &fd, err);
    if (st != STATUS_OK)
        return st;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return err_set(err, STATUS_CONFLICT, "This upload is in use: another request writes to it or imports it");
    }
    *ret_fd = fd;
    return STATUS_OK;
}

bool upload_is_locked(struct site *s, str id)
{
    struct arena *a = arena_new(0);
    int fd = open(arena_cstr(a, upload_path(s, a, id)), O_RDONLY | O_CLOEXEC);
    bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
    if (fd >= 0)
        close(fd);
    arena_free(a);
    return locked;
}

enum status upload_save(struct site *s, struct arena *a, const struct upload *u, struct err *err)
{
    struct change c = {.arena = a,
                       .sql = "update uploads set size = ?2, state = ?3, database_name = ?4, table_name = ?5,"
                              " options = ?6, report = ?7, fault = ?8 where id = ?1"};
    add_text(&c, u->id);
    add_int(&c, u->size);
    add_text(&c, str_of(state_names[u->state]));
    add_text(&c, u->database);
    add_text(&c, u->table);
    add_json(&c, u->options);
    add_json(&c, u->report);
    add_text(&c, u->fault);
    return change(s, &c, err);
}

void upload_drop_file(struct site *s, struct arena *a, str id)
{
    unlink(arena_cstr(a, upload_path(s, a, id)));
}

enum status upload_delete(struct request *rq, const struct upload *u, struct err *err)
{
    return delete_row(rq->site, rq->arena, u->id, err);
}

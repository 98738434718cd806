/* SPDX-License-Identifier: Apache-2.0 */
/* import_page — /-/import/ID: one uploaded file, from the first look at it to what came of it.
 *
 * GET shows whatever the upload is at: how much of it is here, a preview with a form, progress, the report or the
 * fault; .json says the same. POST with action = start, preview, cancel, undo or delete. Works with links and forms
 * alone: a page that waits asks for itself again. */
#include <unistd.h>

#include "base/limits.h"
#include "db/history.h"
#include "ingest/target.h"
#include "site/links.h"
#include "site/query/plan.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/upload/job.h"
#include "site/view/resources.h"
#include "site/view/view.h"
#include "site/write/def.h"
#include "site/write/new_database.h"
#include "site/write/write.h"

#define REJECTS_SHOWN 20

struct page {
    struct request *rq;
    struct upload upload;
    bool interrupted; /* its process died */
    struct value preview;
    str message; /* why the form was refused, or what happened */
    str fresh;   /* a database that is to be made for it */
    int http_status;
};

/* ---- state ---- */

/* Imported, and its file is gone. */
static bool is_over(const struct upload *u)
{
    return u->state == UPLOAD_DONE || u->state == UPLOAD_UNDONE;
}

static bool is_whole(const struct upload *u)
{
    return u->size >= 0 && u->offset >= u->size;
}

static enum status look(struct page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct import_progress progress;
    enum status st = upload_find(rq, rq->params[0], &p->upload, err);
    if (st != STATUS_OK || p->upload.state != UPLOAD_RUNNING)
        return st;
    bool runs = import_progress(rq->site, p->upload.id, &progress) || upload_is_locked(rq->site, p->upload.id);
    if (!runs) /* it may have ended just now */
        st = upload_find(rq, rq->params[0], &p->upload, err);
    if (st == STATUS_OK && !runs && p->upload.state == UPLOAD_RUNNING) {
        p->interrupted = true;
        p->upload.state = UPLOAD_FAILED;
        p->upload.fault = STR("The server stopped while it imported. Nothing was changed: import it again");
    }
    return st;
}

static const char *state_word(const struct page *p)
{
    return p->upload.state == UPLOAD_RECEIVING && is_whole(&p->upload) ? "ready" : upload_state_name(p->upload.state);
}

static struct value progress_of(struct page *p)
{
    struct import_progress now = {.phase = "waiting"};
    (void)import_progress(p->rq->site, p->upload.id, &now);
    return import_progress_json(p->rq->arena, &now);
}

/* ---- who may ---- */

static bool may_import(const struct request *rq, const struct published *p, str table)
{
    return p->writer && request_allowed(rq, ACTION_VIEW_DATABASE, p->name, (str){0}) &&
           (request_allowed(rq, ACTION_CREATE_TABLE, p->name, (str){0}) ||
            request_allowed(rq, ACTION_INSERT_ROW, p->name, table));
}

static enum status check_mode(struct request *rq, const struct upload *u, struct err *err)
{
    static const struct {
        const char *mode;
        enum action needs[4];
    } rows[] = {
        {"create", {ACTION_CREATE_TABLE, ACTION_NONE, ACTION_NONE, ACTION_NONE}},
        {"append", {ACTION_INSERT_ROW, ACTION_NONE, ACTION_NONE, ACTION_NONE}},
        {"upsert", {ACTION_INSERT_ROW, ACTION_UPDATE_ROW, ACTION_NONE, ACTION_NONE}},
        {"replace", {ACTION_DROP_TABLE, ACTION_CREATE_TABLE, ACTION_INSERT_ROW, ACTION_NONE}},
    };
    str mode = value_get_text(u->options, STR("mode"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t k = 0; str_is(mode, rows[i].mode) && k < ARRAY_LEN(rows[i].needs); k++) {
            enum action a = rows[i].needs[k];
            str child = a == ACTION_CREATE_TABLE ? (str){0} : u->table;
            if (a != ACTION_NONE && !request_allowed(rq, a, u->database, child))
                return err_set(err, STATUS_FORBIDDEN, "You may not do that to this table: it needs %s",
                               action_rows[a].name);
        }
        if (str_is(mode, rows[i].mode))
            return STATUS_OK;
    }
    return err_set(err, STATUS_INVALID, "Say what to do with the rows: create, append, replace or upsert");
}

/* SQLite finds a table in other letters too, and what one may do goes by what it is called. */
static enum status settle_name(struct request *rq, struct upload *u, struct err *err)
{
    enum status st = request_connect(rq, err);
    const struct schema_table *t = st == STATUS_OK ? schema_table(rq->schema, u->table) : NULL;
    if (t)
        u->table = arena_str(rq->arena, t->name);
    request_disconnect(rq);
    return st;
}

static enum status check_start(struct request *rq, struct upload *u, struct err *err)
{
    bool alter = value_truth(VALUE_GET(u->options, "alter"));
    rq->db = site_find(rq->site, u->database);
    enum status st = rq->db ? settle_name(rq, u, err) : STATUS_OK;
    if (st != STATUS_OK)
        return st;
    if (!rq->db || !may_import(rq, rq->db, u->table))
        return err_set(err, STATUS_INVALID, "Choose a database that you may put data into");
    st = write_require_mutable(rq, err);
    if (st == STATUS_OK && history_is_own_table(u->table))
        st = err_set(err, STATUS_FORBIDDEN, "%.*s is part of a history, which nobody changes", STR_ARG(u->table));
    if (st == STATUS_OK && !def_table_name_is_valid(u->table))
        st = err_set(err, STATUS_INVALID, "\"%.*s\" cannot be the name of a table", STR_ARG(u->table));
    if (st == STATUS_OK)
        st = check_mode(rq, u, err);
    if (st == STATUS_OK && alter && !request_allowed(rq, ACTION_ALTER_TABLE, u->database, u->table))
        st = err_set(err, STATUS_FORBIDDEN, "You may not add columns to this table: it needs alter-table");
    return st;
}

/* What taking it back needs: it may drop the table, or delete and change rows. */
static bool may_undo(struct page *p)
{
    struct request *rq = p->rq;
    const struct upload *u = &p->upload;
    str mode = value_get_text(u->options, STR("mode"));
    rq->db = site_find(rq->site, u->database);
    if (u->state != UPLOAD_DONE || !rq->db || !rq->db->writer || !value_get_text(u->report, STR("import_id")).n)
        return false;
    if (str_is(mode, "create") || str_is(mode, "replace"))
        return request_allowed(rq, ACTION_DROP_TABLE, u->database, u->table);
    return request_allowed(rq, ACTION_DELETE_ROW, u->database, u->table) &&
           (!str_is(mode, "upsert") || request_allowed(rq, ACTION_UPDATE_ROW, u->database, u->table));
}

/* ---- the form ---- */

static str chosen(const struct request *rq, struct value options, const char *key)
{
    str given = request_arg(rq, key);
    str kept = value_get_text(options, str_of(key));
    return given.p ? given : kept.p ? kept : STR("");
}

/* How the file is read may be changed by arguments of the address: the preview follows. */
static void take_arguments(struct page *p)
{
    static const char *const texts[] = {"delimiter", "encoding", "entry"};
    struct request *rq = p->rq;
    struct value o = p->upload.options;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        value_set(o, str_of(texts[i]), value_str(chosen(rq, o, texts[i])));
    if (request_has_arg(rq, "no_headers"))
        VALUE_SET(o, "no_headers", value_bool(str_is(request_arg(rq, "no_headers"), "1")));
    if (request_has_arg(rq, "database"))
        p->upload.database = request_arg(rq, "database");
    if (request_has_arg(rq, "table"))
        p->upload.table = request_arg(rq, "table");
}

static str field(const struct args *form, struct arena *a, const char *name, size_t i)
{
    str s = args_get(form, arena_printf(a, "%s.%zu", name, i));
    return s.p ? s : STR("");
}

static str named(const struct args *form, const char *name)
{
    str s = args_get(form, str_of(name));
    return s.p ? str_trim(s) : STR("");
}

static void take_form(struct page *p, const struct args *form)
{
    static const char *const texts[] = {"mode", "encoding", "entry"};
    struct arena *a = p->rq->arena;
    struct value o = value_dict(a), columns = value_list(a), pk = value_list(a);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        value_set(o, str_of(texts[i]), value_str(named(form, texts[i])));
    str delimiter = args_get(form, STR("delimiter")); /* a tab is white space */
    VALUE_SET(o, "delimiter", value_str(delimiter.p ? delimiter : STR("")));
    VALUE_SET(o, "no_headers", value_bool(named(form, "no_headers").n));
    VALUE_SET(o, "alter", value_bool(named(form, "alter").n));
    for (size_t i = 0; i < LIMIT_INGEST_COLUMNS && args_has(form, arena_printf(a, "name.%zu", i)); i++) {
        struct value c = value_dict(a);
        str name = field(form, a, "name", i), as = str_trim(field(form, a, "as", i));
        VALUE_SET(c, "name", value_str(name));
        VALUE_SET(c, "as", value_str(as));
        VALUE_SET(c, "type", value_str(field(form, a, "type", i)));
        value_push(columns, c);
        if (field(form, a, "pk", i).n)
            value_push(pk, value_str(as.n ? as : name));
    }
    VALUE_SET(o, "columns", columns);
    VALUE_SET(o, "pk", pk);
    p->upload.options = o;
    p->fresh = named(form, "new_database");
    p->upload.database = p->fresh.n ? p->fresh : named(form, "database");
    p->upload.table = named(form, "table");
}

static enum status check_form(const struct upload *u, struct err *err)
{
    struct value columns = VALUE_GET(u->options, "columns"), seen = value_dict(columns.list->arena);
    str delimiter = value_get_text(u->options, STR("delimiter"));
    for (size_t i = 0; i < value_count(columns); i++) {
        struct value c = value_at(columns, i), as = VALUE_GET(c, "as");
        str name = as.s.n ? as.s : VALUE_GET(c, "name").s, type = VALUE_GET(c, "type").s;
        if (value_has(seen, name))
            return err_set(err, STATUS_INVALID, "Two columns would be called \"%.*s\"", STR_ARG(name));
        if (str_find_char(name, '\0') != STR_NPOS || name.n > LIMIT_INGEST_NAME)
            return err_set(err, STATUS_INVALID, "A name of a column is too long or holds a NUL");
        if (type.n && !str_is(type, "TEXT") && !str_is(type, "INTEGER") && !str_is(type, "REAL"))
            return err_set(err, STATUS_INVALID, "\"%.*s\" is no type of a column", STR_ARG(type));
        value_set(seen, name, VALUE_NULL);
    }
    if (delimiter.n > 1 || (delimiter.n && ((unsigned char)delimiter.p[0] >= 0x80 || strchr("\r\n\"", delimiter.p[0]))))
        return err_set(err, STATUS_INVALID, "The delimiter must be one ASCII character");
    if (str_is(VALUE_GET(u->options, "mode").s, "upsert") && !value_count(VALUE_GET(u->options, "pk")))
        return err_set(err, STATUS_INVALID, "Changing rows by their key needs a key: choose its columns");
    return STATUS_OK;
}

/* ---- answers ---- */

static struct value databases_of(struct page *p)
{
    struct request *rq = p->rq;
    struct value list = value_list(rq->arena);
    struct published **order = published_by_name(rq);
    for (size_t i = 0; i < rq->site->published_count; i++)
        if (may_import(rq, order[i], p->upload.table))
            value_push(list, value_str(order[i]->name));
    return list;
}

/* The columns of the preview with what was typed for them. */
static struct value columns_of(struct page *p)
{
    struct arena *a = p->rq->arena;
    struct value list = value_list(a), found = VALUE_GET(p->preview, "columns"),
                 typed = VALUE_GET(p->upload.options, "columns"), pk = VALUE_GET(p->upload.options, "pk");
    bool fits = value_count(typed) == value_count(found);
    for (size_t i = 0; i < value_count(found); i++) {
        struct value c = value_copy(a, value_at(found, i)), t = fits ? value_at(typed, i) : VALUE_UNDEF;
        str name = VALUE_GET(c, "name").s, as = value_get_text(t, STR("as")), forced = value_get_text(t, STR("type"));
        bool key = false;
        VALUE_SET(c, "as", value_str(as.n ? as : name));
        VALUE_SET(c, "forced", value_str(forced.p ? forced : STR("")));
        for (size_t k = 0; k < value_count(pk); k++)
            key = key || str_eq(value_at(pk, k).s, as.n ? as : name);
        VALUE_SET(c, "is_pk", value_bool(key));
        value_push(list, c);
    }
    return list;
}

static str table_url(struct page *p, str table)
{
    return link_table(p->rq, p->upload.database, table);
}

static struct value describe(struct page *p)
{
    struct arena *a = p->rq->arena;
    const struct upload *u = &p->upload;
    struct value d = value_dict(a);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "id", value_str(u->id));
    VALUE_SET(d, "name", value_str(u->name));
    VALUE_SET(d, "size", u->size >= 0 ? value_int(u->size) : VALUE_NULL);
    VALUE_SET(d, "offset", value_int(u->offset));
    VALUE_SET(d, "state", value_cstr(state_word(p)));
    VALUE_SET(d, "database", value_str_if(u->database.n, u->database));
    VALUE_SET(d, "table", value_str_if(u->table.n, u->table));
    VALUE_SET(d, "fault", value_str_if(u->fault.n, u->fault));
    VALUE_SET(d, "interrupted", value_bool(p->interrupted));
    VALUE_SET(d, "progress", u->state == UPLOAD_RUNNING ? progress_of(p) : VALUE_NULL);
    VALUE_SET(d, "report", u->report.kind == VALUE_DICT ? u->report : VALUE_NULL);
    if (u->state == UPLOAD_DONE) {
        struct value rejects = VALUE_GET(u->report, "rejects_table");
        VALUE_SET(d, "table_url", value_str(table_url(p, u->table)));
        VALUE_SET(d, "rejects_url", value_is_text(rejects) ? value_str(table_url(p, rejects.s)) : VALUE_NULL);
    }
    return d;
}

/* The first lines that did not fit, for who may see them: LIST of {line, column, text, reason}. */
static struct value rejects_of(struct page *p)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    str table = value_get_text(p->upload.report, STR("rejects_table"));
    struct err why = ERR_INIT;
    rq->db = site_find(rq->site, p->upload.database);
    if (!table.n || !VALUE_GET(p->upload.report, "rejected").i || !rq->db ||
        !request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, table) || request_connect(rq, &why) != STATUS_OK)
        return list;
    str sql = ARENA_CAT(a, STR("select line, \"column\", text, reason from "), query_quoted(a, table),
                        STR(" order by rowid desc"));
    /* Later imports may have added to it: the last ones are of this one, if it is the last. */
    sql = ARENA_CAT(a, STR("select * from ("), sql,
                    arena_printf(a, " limit %lld) order by line limit %d",
                                 (long long)VALUE_GET(p->upload.report, "rejected").i, REJECTS_SHOWN));
    (void)!write_fetch(a, rq->conn, sql, NULL, 0, REJECTS_SHOWN, list, &why);
    return list;
}

static enum status respond_page(struct page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct upload *u = &p->upload;
    struct err why = ERR_INIT;
    bool choose = is_whole(u) && u->state != UPLOAD_RUNNING && !is_over(u);
    p->preview = VALUE_UNDEF;
    if (choose && import_preview(rq, u, &p->preview, &why) != STATUS_OK && !p->message.n)
        p->message = arena_printf(rq->arena, "%s%s%s", why.text, why.hint[0] ? ". " : "", why.hint);
    struct value d = describe(p);
    if (choose) {
        str stem = value_get_text(p->preview, STR("stem"));
        VALUE_SET(d, "preview", p->preview.kind == VALUE_DICT ? p->preview : VALUE_NULL);
        VALUE_SET(d, "columns", columns_of(p));
        VALUE_SET(d, "options", u->options);
        VALUE_SET(d, "databases", databases_of(p));
        VALUE_SET(d, "may_make", value_bool(new_database_may(rq, (str){0})));
        VALUE_SET(d, "new_database", value_str_if(p->fresh.n, p->fresh));
        if (!u->table.n)
            VALUE_SET(d, "table", value_str(target_table_name(rq->arena, stem)));
        VALUE_SET(d, "to_table", value_bool(request_arg(rq, "table").n));
    }
    VALUE_SET(d, "may_undo", value_bool(may_undo(p)));
    VALUE_SET(d, "asks_undo", value_bool(may_undo(p) && request_arg(rq, "undo").n && !p->message.n));
    VALUE_SET(d, "mode", value_str(value_get_text(u->options, STR("mode"))));
    response_header_set(rq->response, STR("cache-control"), STR("no-store"));
    rq->response_varies = true;
    if (str_is(rq->format, "json")) {
        respond_json(rq, p->http_status ? p->http_status : 200, d);
        return STATUS_OK;
    }
    const str names[] = {STR("import.html")};
    VALUE_SET(d, "rejects", u->state == UPLOAD_DONE ? rejects_of(p) : value_list(rq->arena));
    VALUE_SET(d, "message", value_str_if(p->message.n, p->message));
    VALUE_SET(d, "import_url", value_str(link_path(rq, ARENA_CAT(rq->arena, STR("/-/import/"), u->id))));
    return page_respond(rq, p->http_status ? p->http_status : 200, names, 1, d, false, err);
}

static enum status respond_again(struct page *p, const struct err *why, struct err *err)
{
    int code = status_http(why->status);
    p->message = arena_printf(p->rq->arena, "%s%s%s", why->text, why->hint[0] ? ". " : "", why->hint);
    p->http_status = code >= 500 || code == 403 ? code : 400;
    err_clear(err);
    return respond_page(p, err);
}

static enum status respond_here(struct page *p)
{
    respond_redirect(p->rq, 303, link_path(p->rq, ARENA_CAT(p->rq->arena, STR("/-/import/"), p->upload.id)));
    return STATUS_OK;
}

/* ---- actions ---- */

static enum status start(struct page *p, struct err *err)
{
    struct upload *u = &p->upload;
    int fd;
    enum status st = STATUS_OK;
    if (is_over(u))
        st = err_set(err, STATUS_CONFLICT, "This file was imported already");
    else if (!is_whole(u))
        st = err_set(err, STATUS_CONFLICT, "This file is not here yet: upload the rest of it first");
    if (st == STATUS_OK)
        st = check_form(u, err);
    if (st == STATUS_OK && p->fresh.n)
        st = new_database_make(p->rq, p->fresh, err);
    if (st == STATUS_OK)
        st = check_start(p->rq, u, err);
    if (st == STATUS_OK)
        st = upload_lock(p->rq, u, &fd, err);
    return st == STATUS_OK ? import_start(p->rq, u, fd, err) : st;
}

static enum status remove_upload(struct page *p, struct err *err)
{
    int fd = -1;
    enum status st = is_over(&p->upload) ? STATUS_OK : upload_lock(p->rq, &p->upload, &fd, err);
    if (st == STATUS_OK)
        st = upload_delete(p->rq, &p->upload, err);
    if (fd >= 0)
        close(fd);
    if (st != STATUS_OK)
        return st;
    messages_add(p->rq, ARENA_CAT(p->rq->arena, STR("The upload "), p->upload.name, STR(" was deleted")), MESSAGE_INFO);
    respond_redirect(p->rq, 303, link_path(p->rq, STR("/")));
    return STATUS_OK;
}

static enum status undo(struct page *p, struct err *err)
{
    str text;
    if (!may_undo(p))
        return err_set(err, STATUS_FORBIDDEN, "This import cannot be taken back, or not by you");
    enum status st = import_undo(p->rq, &p->upload, &text, err);
    if (st != STATUS_OK)
        return st;
    messages_add(p->rq, text, MESSAGE_INFO);
    return respond_here(p);
}

static enum status post(struct page *p, struct err *err)
{
    struct args form;
    struct err why = ERR_INIT;
    enum status st = form_parse(p->rq, &form, err);
    if (st != STATUS_OK)
        return st;
    str action = named(&form, "action");
    if (str_is(action, "delete")) {
        st = remove_upload(p, &why);
        return st == STATUS_OK ? st : respond_again(p, &why, err);
    }
    if (str_is(action, "undo")) {
        st = undo(p, &why);
        return st == STATUS_OK ? st : respond_again(p, &why, err);
    }
    if (str_is(action, "cancel")) {
        (void)import_cancel(p->rq->site, p->upload.id);
        return respond_here(p);
    }
    if (p->upload.state == UPLOAD_RUNNING)
        return respond_here(p);
    take_form(p, &form);
    if (str_is(action, "preview")) {
        VALUE_SET(p->upload.options, "columns", value_list(p->rq->arena)); /* they may be others now */
        return respond_page(p, err);
    }
    st = start(p, &why);
    if (st == STATUS_AGAIN) /* answered: the form comes again when the new database is there */
        return STATUS_OK;
    return st == STATUS_OK ? respond_here(p) : respond_again(p, &why, err);
}

enum status view_import_file(struct request *rq, struct err *err)
{
    struct page p = {.rq = rq};
    enum status st = look(&p, err);
    if (st != STATUS_OK)
        return st;
    if (rq->http->method == HTTP_POST)
        return post(&p, err);
    take_arguments(&p);
    return respond_page(&p, err);
}

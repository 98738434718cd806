/* SPDX-License-Identifier: Apache-2.0 */
/* new_database — /-/create-database, and what imports need for "a new database".
 *
 * A file that appears in a directory that is served is published by the next generation of the site (live.c). The
 * request that made it belongs to the one before: it answers 307, so that the browser sends the same form again, to a
 * generation that has it. Ten or twenty times at most, a moment apart; as a rule once.
 *
 * The file is made whole under another name, in WAL mode, and then linked to its own, which fails when that exists. */
#include "site/write/new_database.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "codec/url.h"
#include "site/links.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/state.h"
#include "site/view/resources.h"
#include "site/view/view.h"

#define WAIT_MS    250
#define ROUNDS_MAX 18 /* browsers follow 20 redirects */

bool new_database_may(const struct request *rq, str name)
{
    return rq->site->database_folder.n && !value_is_null(rq->actor) &&
           request_allowed(rq, ACTION_CREATE_TABLE, name, (str){0});
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_name(str s)
{
    bool good = s.n && s.n <= LIMIT_DATABASE_NAME && is_word(s.p[0]);
    for (size_t i = 1; good && i < s.n; i++)
        good = is_word(s.p[i]) || s.p[i] == '-';
    return good;
}

static enum status make_file(struct arena *a, str path, struct err *err)
{
    struct database *db = NULL;
    struct conn *c = NULL;
    struct database_options o = {.name = path, .path = path, .create = true};
    enum status st = database_new(&o, &db, err);
    if (st == STATUS_OK)
        st = database_check(db, err);
    if (st == STATUS_OK)
        st = conn_open_private(db, CONN_WRITE, &c, err);
    if (st == STATUS_OK)
        st = conn_execute(c, STR("pragma journal_mode = wal; pragma user_version = 0"), err);
    conn_close(c);
    database_unref(db);
    unlink(arena_cstr(a, ARENA_CAT(a, path, STR("-wal"))));
    unlink(arena_cstr(a, ARENA_CAT(a, path, STR("-shm"))));
    return st;
}

static enum status make(struct request *rq, str name, struct err *err)
{
    struct arena *a = rq->arena;
    str random, path = ARENA_CAT(a, rq->site->database_folder, STR("/"), name, STR(".db"));
    enum status st = state_random(a, &random, err);
    if (st != STATUS_OK)
        return st;
    str made = ARENA_CAT(a, rq->site->database_folder, STR("/."), str_sub(random, 0, 16), STR(".new"));
    st = make_file(a, made, err);
    if (st == STATUS_OK && link(arena_cstr(a, made), arena_cstr(a, path)) != 0)
        st = errno == EEXIST ? err_set(err, STATUS_CONFLICT, "There is a file %.*s.db already", STR_ARG(name))
                             : err_sys(err, STATUS_IO, errno, "%.*s.db cannot be made", STR_ARG(name));
    unlink(arena_cstr(a, made));
    return st;
}

static enum status come_again(struct request *rq, int64_t round, struct err *err)
{
    struct timespec pause = {.tv_nsec = WAIT_MS * 1000000L};
    if (round >= ROUNDS_MAX) {
        err_set(err, STATUS_BUSY, "The new database is made, but not served yet");
        return err_hint(err, "Send the form again in a moment.");
    }
    nanosleep(&pause, NULL);
    struct url_pair pair = {STR("made"), arena_printf(rq->arena, "%lld", (long long)round + 1)};
    respond_redirect(rq, 307, url_with_added(rq->arena, link_path(rq, rq->path), (str){0}, &pair, 1));
    return STATUS_AGAIN;
}

enum status new_database_make(struct request *rq, str name, struct err *err)
{
    int64_t round = 0;
    bool again = str_to_i64(request_arg(rq, "made"), &round) && round > 0;
    if (!new_database_may(rq, name))
        return err_set(err, STATUS_FORBIDDEN, "You may not make databases here");
    if (!is_name(name)) {
        err_set(err, STATUS_INVALID, "\"%.*s\" cannot be the name of a database", STR_ARG(name));
        return err_hint(err, "Use letters, digits, - and _; it becomes the name of a file and part of addresses.");
    }
    if (site_find(rq->site, name))
        return again ? STATUS_OK : err_set(err, STATUS_CONFLICT, "There is a database %.*s already", STR_ARG(name));
    enum status st = again ? STATUS_OK : make(rq, name, err);
    return st == STATUS_OK ? come_again(rq, round, err) : st;
}

/* ---- the page ---- */

static enum status respond_form(struct request *rq, int http_status, str name, str message, struct err *err)
{
    struct value d = value_dict(rq->arena);
    const str names[] = {STR("create_database.html")};
    VALUE_SET(d, "name", value_str(name));
    VALUE_SET(d, "message", value_str_if(message.n, message));
    return page_respond(rq, http_status, names, 1, d, false, err);
}

static enum status post(struct request *rq, struct err *err)
{
    struct args form;
    struct err why = ERR_INIT;
    enum status st = form_parse(rq, &form, err);
    if (st != STATUS_OK)
        return st;
    str name = args_get(&form, STR("name"));
    name = name.p ? str_trim(name) : STR("");
    st = new_database_make(rq, name, &why);
    if (st == STATUS_OK) {
        messages_add(rq, ARENA_CAT(rq->arena, STR("Database "), name, STR(" made")), MESSAGE_INFO);
        respond_redirect(rq, 303, link_database(rq, name));
    }
    if (st == STATUS_OK || st == STATUS_AGAIN)
        return STATUS_OK;
    str text = arena_printf(rq->arena, "%s%s%s", why.text, why.hint[0] ? ". " : "", why.hint);
    return respond_form(rq, st == STATUS_CONFLICT ? 400 : status_http(st), name, text, err);
}

enum status view_create_database(struct request *rq, struct err *err)
{
    if (!rq->site->database_folder.n) {
        err_set(err, STATUS_NOT_FOUND, "Databases cannot be made here");
        return err_hint(err, "Serve a directory: vitrine serve DIRECTORY.");
    }
    if (!new_database_may(rq, (str){0}))
        return err_set(err, STATUS_FORBIDDEN, "You may not make databases here");
    return rq->http->method == HTTP_POST ? post(rq, err) : respond_form(rq, 200, STR(""), (str){0}, err);
}

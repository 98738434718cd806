/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/backups.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/seal.h"
#include "hub/brought.h"
#include "hub/copies.h"
#include "hub/edge_apps.h"
#include "hub/sql.h"
#include "replicate/tree.h"
#include "rt/fault.h"

bool backups_wanted(const struct hub_config *c)
{
    return c->backup_folder.n > 0;
}

int64_t backups_next(const struct hub_config *c, int64_t now_s)
{
    int64_t today = now_s - now_s % 86400 + c->backup_minute * 60;
    return today > now_s ? today : today + 86400;
}

/* ---- results ---- */

struct result {
    str space, failed;
    int64_t bytes;
};

static enum status write_result(struct conn *c, void *arg, struct err *err)
{
    const struct result *r = arg;
    return SQL_RUN(c, err,
                   "insert into backups (space_id, at, failed, bytes) values (?1, ?2, ?3, ?4) on conflict (space_id) do"
                   " update set at = excluded.at, failed = excluded.failed, bytes = excluded.bytes, well_at ="
                   " case when excluded.failed = '' then excluded.at else well_at end",
                   SQL_T(r->space), SQL_I(clock_unix_s()), SQL_T(r->failed), SQL_I(r->bytes));
}

static void note(struct hub *h, str space, const struct err *err, int64_t bytes)
{
    struct result r = {space, err ? str_of(err->text) : STR(""), bytes};
    struct err own = ERR_INIT;
    if (err)
        log_line(LOG_ERROR, "backup", "%.*s: %s", STR_ARG(space.n ? space : STR("the hub")), err->text);
    if (store_write(h->store, write_result, &r, &own) != STATUS_OK)
        log_line(LOG_ERROR, "backup", "%s", own.text);
    (void)FAULT("hub.backup.noted");
}

/* ---- one space ---- */

static void push(struct value list, const char *word)
{
    value_push(list, value_cstr(word));
}

/* Of the whole folder but mail on its way, which is not to go again, and space.json, which comes of hub.db. */
static enum status save(struct hub *h, struct arena *a, str space_id, str folder, bool prune, struct err *err)
{
    struct value words = value_list(a);
    const struct hub_config *c = &h->config;
    const str whole[] = {STR("backup"),   arena_printf(a, "%.*s/spaces/%.*s", STR_ARG(c->dir), STR_ARG(space_id)),
                         STR("--name"),   STR(BACKUPS_SPACE),
                         STR("--except"), STR("outbox"),
                         STR("--except"), STR("space.json"),
                         STR("--quiet"),  STR("--to"),
                         folder};
    const struct {
        const char *name;
        int64_t n;
    } keep[] = {{"--keep-daily", c->backup_keep.daily},
                {"--keep-weekly", c->backup_keep.weekly},
                {"--keep-monthly", c->backup_keep.monthly}};
    for (size_t i = 0; i < ARRAY_LEN(whole); i++)
        value_push(words, value_str(whole[i]));
    for (size_t i = 0; prune && i < ARRAY_LEN(keep); i++) {
        if (keep[i].n) {
            push(words, keep[i].name);
            value_push(words, value_str(arena_i64(a, keep[i].n)));
        }
    }
    return edge_apps_run(h, a, space_id, folder, words, LIMIT_HUB_BACKUP_MS, err);
}

static enum status take(struct hub *h, struct arena *a, str space_id, str folder, struct err *err)
{
    struct value check = value_list(a);
    enum status st = save(h, a, space_id, folder, true, err);
    push(check, "restore");
    value_push(check, value_str(folder));
    push(check, "--check");
    push(check, "--quiet");
    return st == STATUS_OK ? edge_apps_run(h, a, space_id, folder, check, LIMIT_HUB_BACKUP_MS, err) : st;
}

/* Of the newest backup; a database's lies there under its own name. */
static int64_t file_bytes(struct arena *a, str folder)
{
    struct tree t = {0};
    str *ids;
    size_t count;
    int shelf = -1;
    int64_t bytes = 0;
    if (tree_ids(a, folder, STR(BACKUPS_SPACE), &ids, &count, NULL) == STATUS_OK && count &&
        tree_open(a, folder, STR(BACKUPS_SPACE), &shelf, NULL) == STATUS_OK &&
        tree_read(a, shelf, ids[count - 1], &t, NULL) == STATUS_OK)
        for (size_t i = 0; i < t.count; i++)
            bytes += t.entries[i].kind == TREE_FILE ? t.entries[i].bytes : 0;
    if (shelf >= 0)
        close(shelf);
    return bytes;
}

static int64_t folder_bytes(struct arena *a, str folder)
{
    str *names;
    size_t count;
    int64_t bytes = file_bytes(a, folder);
    if (backup_names(a, folder, &names, &count, NULL) != STATUS_OK)
        return bytes;
    for (size_t i = 0; i < count; i++) {
        struct backup_list list;
        if (backup_list(a, folder, names[i], &list, NULL) == STATUS_OK && list.count)
            bytes += list.items[list.count - 1].size_bytes;
    }
    return bytes;
}

enum status backups_space(struct hub *h, str space_id, struct err *err)
{
    struct arena *a = arena_new(0);
    struct err own = ERR_INIT;
    str folder = ARENA_CAT(a, h->config.backup_folder, STR("/"), space_id);
    enum status st = fs_make_folders(ARENA_CAT(a, folder, STR("/")), 0711, &own);
    if (st == STATUS_OK)
        st = copies_give(h, folder, space_id, &own);
    if (st == STATUS_OK)
        st = take(h, a, space_id, folder, &own);
    (void)FAULT("hub.backup.taken");
    note(h, arena_str(a, space_id), st == STATUS_OK ? NULL : &own, st == STATUS_OK ? folder_bytes(a, folder) : 0);
    if (st != STATUS_OK && err)
        *err = own;
    arena_free(a);
    return st;
}

/* ---- back ---- */

static enum status find_space(struct hub *h, struct arena *a, str name, struct value *ret, struct err *err)
{
    struct conn *c = NULL;
    struct value row = VALUE_NULL;
    enum status st = store_read(h->store, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, a, &row, err, "select id, state from spaces where name = ?1", SQL_T(name));
    conn_release(c);
    if (st == STATUS_OK && row.kind != VALUE_DICT) {
        st = err_set(err, STATUS_NOT_FOUND, "there is no space \"%.*s\"", STR_ARG(name));
        err_hint(err, "The first part of its address is its name; the page Administration lists all.");
    }
    *ret = row;
    return st;
}

/* The new files are taken up by another version of the app, so that nobody waits. */
static enum status begin_anew(struct hub *h, str id, struct err *err)
{
    struct conn *c = NULL;
    enum status st = store_read(h->store, &c, err);
    if (st == STATUS_OK && (st = edge_apps_put(h, c, id, false, err)) != STATUS_OK)
        err_hint(err, "Its files are brought back. Where the hub does not run, it takes them up when it is started.");
    conn_release(c);
    return st;
}

/* The id of the newest backup not after `at`. NOT_FOUND: *ret_some tells whether there are younger ones. */
static enum status find_tree(struct arena *a, str folder, str at, str *ret, bool *ret_some, struct err *err)
{
    str *ids;
    size_t count = 0, i = 0;
    enum status st = tree_ids(a, folder, STR(BACKUPS_SPACE), &ids, &count, err);
    *ret_some = st == STATUS_OK && count;
    if (st == STATUS_OK && (i = shelf_find(ids, count, at)) == count)
        return STATUS_NOT_FOUND;
    if (st == STATUS_OK)
        *ret = ids[i];
    return st;
}

static enum status put_back(struct hub *h, struct arena *a, str id, str folder, str tree, struct err *err)
{
    struct value words = value_list(a);
    const str list[] = {STR("restore"),
                        folder,
                        STR(BACKUPS_SPACE),
                        STR("--no-backup"),
                        STR("--quiet"),
                        STR("--at"),
                        tree,
                        STR("--to"),
                        arena_printf(a, "%.*s/spaces/%.*s", STR_ARG(h->config.dir), STR_ARG(id))};
    for (size_t k = 0; k < ARRAY_LEN(list); k++)
        value_push(words, value_str(list[k]));
    return edge_apps_run(h, a, id, folder, words, LIMIT_HUB_BACKUP_MS, err);
}

enum status backups_bring(struct hub *h, struct arena *a, str space_id, str folder, str at, str *ret_taken,
                          struct err *err)
{
    str tree;
    bool some;
    enum status st = find_tree(a, folder, at, &tree, &some, err);
    if (st == STATUS_NOT_FOUND)
        return err_set(err, st, "there is no backup of it%s", some ? " so old" : "");
    if (st == STATUS_OK)
        st = put_back(h, a, space_id, folder, tree, err);
    if (st == STATUS_OK)
        *ret_taken = tree;
    return st;
}

enum status backups_restore(struct hub *h, struct arena *a, str name, str at, str *ret_taken, struct err *err)
{
    struct value row;
    struct err own = ERR_INIT;
    str tree;
    bool some;
    enum status st = find_space(h, a, name, &row, err);
    if (st != STATUS_OK)
        return st;
    str id = VALUE_GET(row, "id").s, folder = ARENA_CAT(a, h->config.backup_folder, STR("/"), id);
    st = find_tree(a, folder, at, &tree, &some, err);
    if (st == STATUS_NOT_FOUND) {
        err_set(err, st, "there is no backup of \"%.*s\"%s", STR_ARG(name), some ? " so old" : "");
        return err_hint(err, "vitrine restore %.*s lists what there is.", STR_ARG(folder));
    }
    if (st == STATUS_OK && save(h, a, id, folder, false, &own) != STATUS_OK) /* a damaged one may be why we are asked */
        log_line(LOG_WARN, "backup", "%.*s as it is now: %s", STR_ARG(name), own.text);
    if (st == STATUS_OK)
        st = put_back(h, a, id, folder, tree, err);
    if (st != STATUS_OK)
        return st;
    *ret_taken = tree;
    return str_is(VALUE_GET(row, "state").s, "deleted") ? STATUS_OK : begin_anew(h, id, err);
}

/* ---- all ---- */

/* It may have passwords of others in it, so it goes only where the keys are not (0068). */
static enum status take_settings(struct hub *h, struct arena *a, str folder, struct err *err)
{
    str text, path = ARENA_CAT(a, folder, STR("/" BACKUPS_SETTINGS));
    enum status st = fs_read_file(hub_path(a, &h->config, "hub.yaml").p, LIMIT_HUB_CONFIG, a, &text, err);
    return st == STATUS_OK ? fs_write_atomic(path.p, seal_close(a, h->secret, STR(BACKUPS_SETTINGS), text), 0600, err)
                           : st;
}

static enum status take_hub(struct hub *h, struct err *err)
{
    struct arena *a = arena_new(0);
    struct err own = ERR_INIT;
    struct backup b = {0};
    struct backup_list removed;
    str folder = ARENA_CAT(a, h->config.backup_folder, STR("/hub"));
    const struct copy_progress none = {0};
    enum status st = fs_make_folders(ARENA_CAT(a, folder, STR("/")), 0700, &own);
    if (st == STATUS_OK)
        st = backup_take(a, hub_path(a, &h->config, "hub.db"), folder, STR("hub"), &none, &b, &own);
    if (st == STATUS_OK)
        st = brought_mark(h, &own);
    if (st == STATUS_OK)
        st = backup_check(a, &b, &none, &own);
    if (st == STATUS_OK)
        st = backup_prune(a, folder, STR("hub"), &h->config.backup_keep, &removed, &own);
    if (st == STATUS_OK)
        st = take_settings(h, a, folder, &own);
    note(h, STR(""), st == STATUS_OK ? NULL : &own, b.size_bytes);
    if (st != STATUS_OK && err)
        *err = own;
    arena_free(a);
    return st;
}

/* One run at a time, of whatever process. */
static enum status lock(struct hub *h, struct arena *a, int *ret_fd, struct err *err)
{
    str path = ARENA_CAT(a, h->config.backup_folder, STR("/lock"));
    enum status st = fs_make_folders(path, 0711, err);
    if (st == STATUS_OK)
        st = fs_open(path.p, O_RDWR | O_CREAT, 0600, ret_fd, err);
    if (st == STATUS_OK && flock(*ret_fd, LOCK_EX | LOCK_NB) != 0) {
        close(*ret_fd);
        return err_set(err, STATUS_BUSY, "backups are being taken already");
    }
    return st;
}

enum status backups_all(struct hub *h, struct backups_result *ret, struct err *err)
{
    struct arena *a = arena_new(0);
    struct conn *c = NULL;
    struct value rows = VALUE_NULL;
    int fd = -1;
    *ret = (struct backups_result){0};
    enum status st = lock(h, a, &fd, err);
    if (st == STATUS_OK)
        st = store_read(h->store, &c, err);
    if (st == STATUS_OK)
        st = sql_rows(c, a, "select id from spaces where state in ('live', 'suspended') order by id", NULL, 0, &rows,
                      err);
    conn_release(c);
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows) && !atomic_load(&h->stopping); i++)
        *(backups_space(h, VALUE_GET(value_at(rows, i), "id").s, NULL) == STATUS_OK ? &ret->done : &ret->failed) += 1;
    if (st == STATUS_OK) /* last: it says what became of the others */
        *(take_hub(h, NULL) == STATUS_OK ? &ret->done : &ret->failed) += 1;
    if (fd >= 0)
        close(fd);
    arena_free(a);
    return st;
}

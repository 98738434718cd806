/* SPDX-License-Identifier: Apache-2.0 */
/* backup — in which order things are written.
 *
 *   .ID.part        the copy, while it is made and checked      a kill leaves it: the next take or prune removes it
 *   ID.db           renamed, or a link to an equal older copy   without its .json it does not count; likewise
 *   ID.json         written whole, with fsync of file and folder: from here on the backup exists
 *
 * Removing goes the other way: first .json, then .db. So every .json stands beside a whole, checked copy. A restore
 * checks the bytes again before it touches anything: disks forget.
 *
 * Fault points: backup.copied, backup.named, backup.restore. Tests: tests/replicate/test_backup.py. */
#include "replicate/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "codec/digest.h"
#include "db/count.h"
#include "db/stmt.h"
#include "replicate/shelf.h"
#include "rt/fault.h"

#include "base/banned.h"

/* ---- reading a folder ---- */

static enum status read_manifest(struct arena *a, str folder, str name, str id, struct backup *ret, struct err *err)
{
    str path = shelf_path(a, folder, name, ARENA_CAT(a, id, STR(".json"))), text;
    struct value v;
    enum status st = fs_read_file(arena_cstr(a, path), LIMIT_BACKUP_MANIFEST, a, &text, err);
    if (st == STATUS_OK)
        st = value_from_json(a, text, &v, err);
    if (st != STATUS_OK)
        return err_prefix(err, "%.*s", STR_ARG(path));
    struct value tables = VALUE_GET(v, "tables"), bytes = VALUE_GET(v, "bytes");
    *ret = (struct backup){.id = id,
                           .file = shelf_path(a, folder, name, ARENA_CAT(a, id, STR(".db"))),
                           .taken = value_get_text(v, STR("taken")),
                           .sha256 = value_get_text(v, STR("sha256")),
                           .source = value_get_text(v, STR("source")),
                           .size_bytes = bytes.kind == VALUE_INT ? bytes.i : -1,
                           .tables = tables};
    if (tables.kind != VALUE_DICT || ret->size_bytes < 0 || ret->sha256.n != DIGEST_HEX_MAX - 1)
        return err_set(err, STATUS_CORRUPT, "%.*s is not what vitrine backup writes", STR_ARG(path));
    return STATUS_OK;
}

enum status backup_list(struct arena *a, str folder, str name, struct backup_list *ret, struct err *err)
{
    VEC(struct backup) found = {0};
    struct shelf_names names;
    enum status st = shelf_name_check(name, err);
    if (st == STATUS_OK)
        st = shelf_entries(a, ARENA_CAT(a, folder, STR("/"), name), &names, err);
    for (size_t i = 0; st == STATUS_OK && i < names.v.count; i++) {
        str entry = names.v.items[i];
        struct backup one;
        if (!str_ends(entry, STR(".json")) || !shelf_is_id(str_sub(entry, 0, entry.n - 5)))
            continue;
        st = read_manifest(a, folder, name, str_sub(entry, 0, entry.n - 5), &one, err);
        if (st == STATUS_OK)
            VEC_PUSH(a, &found, one);
    }
    if (st == STATUS_OK)
        *ret = (struct backup_list){found.items, found.count};
    return st;
}

enum status backup_names(struct arena *a, str folder, str **ret, size_t *ret_count, struct err *err)
{
    struct shelf_names all;
    size_t n = 0;
    enum status st = shelf_entries(a, folder, &all, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < all.v.count; i++) {
        struct stat s;
        str path = ARENA_CAT(a, folder, STR("/"), all.v.items[i]);
        if (all.v.items[i].p[0] != '.' && stat(arena_cstr(a, path), &s) == 0 && S_ISDIR(s.st_mode))
            all.v.items[n++] = all.v.items[i];
    }
    *ret = all.v.items;
    *ret_count = n;
    return STATUS_OK;
}

static str *ids_of(struct arena *a, const struct backup_list *l)
{
    str *ids = ARENA_ARRAY(a, str, l->count + 1);
    for (size_t i = 0; i < l->count; i++)
        ids[i] = l->items[i].id;
    return ids;
}

const struct backup *backup_find(struct arena *a, const struct backup_list *l, str at)
{
    size_t i = shelf_find(ids_of(a, l), l->count, at);
    return i < l->count ? &l->items[i] : NULL;
}

/* ---- taking ---- */

static enum status count_tables(struct arena *a, str file, struct value *ret, struct err *err)
{
    const struct database_options o = {.name = file, .path = file, .immutable = true};
    struct database *db;
    struct conn *c = NULL;
    str *names = NULL;
    size_t count = 0;
    struct value tables = value_dict(a);
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = conn_open_private(db, CONN_READ, &c, err);
    if (st == STATUS_OK)
        st = conn_fetch_texts(c, a, STR("select name from sqlite_schema where type = 'table' order by name"), (str){0},
                              &names, &count, err);
    for (size_t i = 0; st == STATUS_OK && i < count; i++) {
        int64_t n = 0;
        struct err why = ERR_INIT;
        enum status counted = count_rows(c, names[i], 0, 0, &n, &why);
        if (counted == STATUS_OK)
            value_set(tables, names[i], value_int(n));
        else if (counted != STATUS_SQL) /* a module that is not here: its shadow tables are counted */
            st = err_set(err, counted, "%.*s: %s", STR_ARG(names[i]), why.text);
    }
    conn_close(c);
    database_unref(db);
    *ret = tables;
    return st;
}

static enum status write_manifest(struct arena *a, str path, const struct backup *s, struct err *err)
{
    struct value v = value_dict(a);
    struct buf text;
    VALUE_SET(v, "taken", value_str(s->taken));
    VALUE_SET(v, "source", value_str(s->source));
    VALUE_SET(v, "bytes", value_int(s->size_bytes));
    VALUE_SET(v, "sha256", value_str(s->sha256));
    VALUE_SET(v, "tables", s->tables);
    buf_init(&text, LIMIT_BACKUP_MANIFEST);
    value_to_json_indent(&text, v, VALUE_JSON_UTF8, 2);
    buf_putc(&text, '\n');
    enum status st =
        text.over ? err_set(err, STATUS_TOO_LARGE, "its list of tables is longer than %d bytes", LIMIT_BACKUP_MANIFEST)
                  : fs_write_atomic(arena_cstr(a, path), buf_str(&text), 0644, err);
    buf_release(&text);
    return st;
}

static enum status read_size(const char *path, int64_t *ret, struct err *err)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot read %s", path);
    *ret = (int64_t)s.st_size;
    return STATUS_OK;
}

/* The checked copy gets its name; where the newest one has the same bytes, it is that file under another name. */
static enum status name_copy(struct arena *a, str folder, str name, const char *part, const struct backup *s,
                             struct err *err)
{
    struct backup_list older = {0};
    const char *file = arena_cstr(a, s->file);
    struct err ignored = ERR_INIT;
    if (backup_list(a, folder, name, &older, &ignored) == STATUS_OK && older.count) {
        const struct backup *newest = &older.items[older.count - 1];
        if (str_eq(newest->sha256, s->sha256) && newest->size_bytes == s->size_bytes &&
            link(arena_cstr(a, newest->file), file) == 0) {
            unlink(part);
            return STATUS_OK;
        }
    }
    return rename(part, file) == 0 ? STATUS_OK : err_sys(err, STATUS_IO, errno, "cannot write %.*s", STR_ARG(s->file));
}

static enum status take(struct arena *a, str file, str folder, str name, const struct copy_progress *p,
                        struct backup *s, const char *part, struct err *err)
{
    const struct database_options o = {.name = file, .path = file};
    struct database *db;
    char hex[DIGEST_HEX_MAX];
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = database_check(db, err);
    if (st == STATUS_OK)
        st = copy_database(db, part, p, err);
    database_unref(db);
    if (st == STATUS_OK && FAULT("backup.copied"))
        st = err_set(err, STATUS_IO, "the copy cannot be read");
    if (st == STATUS_OK)
        st = copy_check(part, false, p ? p->cancelled : NULL, err);
    if (st == STATUS_OK)
        st = count_tables(a, str_of(part), &s->tables, err);
    if (st == STATUS_OK)
        st = digest_sha256_file(part, hex, err);
    if (st == STATUS_OK)
        st = read_size(part, &s->size_bytes, err);
    if (st != STATUS_OK)
        return st;
    s->sha256 = arena_str(a, str_of(hex));
    st = name_copy(a, folder, name, part, s, err);
    if (st == STATUS_OK && FAULT("backup.named"))
        st = err_set(err, STATUS_IO, "the folder cannot be written");
    return st == STATUS_OK ? write_manifest(a, shelf_path(a, folder, name, ARENA_CAT(a, s->id, STR(".json"))), s, err)
                           : st;
}

enum status backup_take(struct arena *a, str file, str folder, str name, const struct copy_progress *p,
                        struct backup *ret, struct err *err)
{
    struct backup s = {.source = file};
    int lock;
    enum status st = shelf_begin(a, folder, name, &lock, &s.id, &s.taken, err);
    if (st != STATUS_OK)
        return st;
    s.file = shelf_path(a, folder, name, ARENA_CAT(a, s.id, STR(".db")));
    const char *part = arena_cstr(a, shelf_path(a, folder, name, ARENA_CAT(a, STR("."), s.id, STR(".part"))));
    st = take(a, file, folder, name, p, &s, part, err);
    if (st == STATUS_OK) {
        *ret = s;
    } else {
        unlink(part);
        unlink(arena_cstr(a, s.file));
    }
    close(lock);
    return st;
}

/* ---- checking and restoring ---- */

enum status backup_check(struct arena *a, const struct backup *s, const struct copy_progress *p, struct err *err)
{
    char hex[DIGEST_HEX_MAX];
    struct value tables;
    const char *file = arena_cstr(a, s->file);
    enum status st = digest_sha256_file(file, hex, err);
    if (st == STATUS_OK && !str_is(s->sha256, hex)) {
        err_set(err, STATUS_CORRUPT, "%s is not what was written: its bytes have changed", file);
        return err_hint(err, "Use an older backup, and look after the disk.");
    }
    if (st == STATUS_OK)
        st = copy_check(file, false, p ? p->cancelled : NULL, err);
    if (st == STATUS_OK)
        st = count_tables(a, s->file, &tables, err);
    if (st == STATUS_OK && !value_equal(tables, s->tables))
        st = err_set(err, STATUS_CORRUPT, "%s has other rows than were written", file);
    return st;
}

enum status backup_restore(struct arena *a, const struct backup *s, str to, const struct copy_progress *p,
                           struct err *err)
{
    const struct database_options o = {.name = s->file, .path = s->file, .immutable = true};
    struct database *db;
    bool there = access(arena_cstr(a, to), F_OK) == 0;
    const char *target = arena_cstr(a, there ? to : ARENA_CAT(a, to, STR(".part")));
    enum status st = backup_check(a, s, p, err);
    if (st == STATUS_OK)
        st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    if (!there)
        unlink(target);
    st = copy_database(db, target, p, err);
    database_unref(db);
    if (there)
        return st;
    if (st == STATUS_OK && FAULT("backup.restore"))
        st = err_set(err, STATUS_IO, "the file cannot be written");
    if (st == STATUS_OK && link(target, arena_cstr(a, to)) != 0) /* not rename: what came meanwhile stays */
        st = err_sys(err, STATUS_IO, errno, "cannot write %.*s", STR_ARG(to));
    unlink(target);
    return st;
}

/* ---- keeping ---- */

/* What ended half-way: copies without a name or without a .json. The lock is ours, so nobody is at work on them. */
static enum status sweep(struct arena *a, str folder, str name, struct err *err)
{
    struct shelf_names names;
    enum status st = shelf_entries(a, ARENA_CAT(a, folder, STR("/"), name), &names, err);
    for (size_t i = 0; st == STATUS_OK && i < names.v.count; i++) {
        str entry = names.v.items[i];
        bool part = entry.p[0] == '.' && str_ends(entry, STR(".part"));
        if (str_ends(entry, STR(".db")) && shelf_is_id(str_sub(entry, 0, entry.n - 3))) {
            str json = ARENA_CAT(a, str_sub(entry, 0, entry.n - 3), STR(".json"));
            part = access(arena_cstr(a, shelf_path(a, folder, name, json)), F_OK) != 0;
        }
        if (part)
            unlink(arena_cstr(a, shelf_path(a, folder, name, entry)));
    }
    return st;
}

enum status backup_prune(struct arena *a, str folder, str name, const struct backup_keep *k,
                         struct backup_list *ret_removed, struct err *err)
{
    struct backup_list l;
    VEC(struct backup) removed = {0};
    int lock = -1;
    bool all = !k->last && !k->daily && !k->weekly && !k->monthly;
    enum status st = backup_list(a, folder, name, &l, err);
    if (st == STATUS_OK)
        st = shelf_lock(a, folder, name, &lock, err);
    if (st != STATUS_OK)
        return st;
    bool *kept = arena_alloc(a, l.count + 1);
    shelf_mark_kept(ids_of(a, &l), l.count, k, kept);
    for (size_t i = 0; st == STATUS_OK && !all && i < l.count; i++) {
        if (kept[i])
            continue;
        str json = shelf_path(a, folder, name, ARENA_CAT(a, l.items[i].id, STR(".json")));
        if (unlink(arena_cstr(a, json)) != 0)
            st = err_sys(err, STATUS_IO, errno, "cannot remove %.*s", STR_ARG(json));
        else
            VEC_PUSH(a, &removed, l.items[i]);
    }
    if (st == STATUS_OK)
        st = sweep(a, folder, name, err);
    close(lock);
    if (st == STATUS_OK)
        *ret_removed = (struct backup_list){removed.items, removed.count};
    return st;
}

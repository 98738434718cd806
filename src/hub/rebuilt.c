/* SPDX-License-Identifier: Apache-2.0 */
/* rebuilt — what a backup lacks is what decides here: the keys (they come from a file of their own), the programs of
 * versions (spaces run this one), and how often hub.db was copied (so the hub ends all sessions at its start:
 * brought.c).
 *
 *   FROM/hub/hub.yaml.sealed  opened with the keys, when DIR has no hub.yaml
 *   FROM/hub/hub              -> DIR/hub.db.coming: its keys are ours? versions that are not here go
 *   FROM/ID/space             -> DIR/spaces/ID, each in its sandbox, as its user
 *   DIR/hub.db.coming         -> DIR/hub.db, last: until then DIR is a hub without people, and all may be done again
 *
 * Copies that came over a network or a disk mostly belong to root by then: each space is given its own again.
 * Tests: tests/hub/test_new_machine.py. */
#include "hub/rebuilt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "codec/seal.h"
#include "db/conn_cache.h"
#include "http/edge_call.h"
#include "hub/backups.h"
#include "hub/edge_apps.h"
#include "hub/keys.h"
#include "hub/seals.h"
#include "hub/sql.h"
#include "rt/sandbox.h"

struct rebuild {
    struct arena *a;
    struct hub hub; /* arena, config and program only */
    const struct rebuilt_options *o;
    struct rebuilt_report *report;
    str secret, coming;  /* of the keys, empty: none were given; DIR/hub.db.coming */
    struct store *store; /* of that */
};

static const struct copy_progress no_progress;

static str of_hub(struct rebuild *b, const char *below)
{
    return hub_path(b->a, &b->hub.config, below);
}

/* The last connection that closes puts all into the one file, and takes the log away. */
static void close_store(struct store *store)
{
    conn_cache_clear_thread();
    store_free(store);
}

/* ---- what there is ---- */

static enum status find_copy(struct rebuild *b, const struct backup **ret, struct err *err)
{
    struct backup_list list = {0};
    str folder = ARENA_CAT(b->a, b->o->from, STR("/hub"));
    enum status st = backup_list(b->a, folder, STR("hub"), &list, err);
    if (st == STATUS_NOT_FOUND || (st == STATUS_OK && !list.count)) {
        err_set(err, STATUS_NOT_FOUND, "there are no backups of a hub in '%.*s'", STR_ARG(b->o->from));
        return err_hint(err, "Name the folder that has the folder \"hub\" in it: \"backups\" of the old machine.");
    }
    if (st != STATUS_OK)
        return st;
    *ret = backup_find(b->a, &list, b->o->at);
    if (*ret)
        return STATUS_OK;
    err_set(err, STATUS_NOT_FOUND, "no backup of the hub is so old: the oldest is of %.*s",
            STR_ARG(list.items[0].taken));
    return err_hint(err, "Leave --at out for the newest.");
}

static enum status find_program(struct rebuild *b, struct err *err)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program);
    if (n <= 0 || (size_t)n >= sizeof program)
        return err_set(err, STATUS_IO, "where this program lies is not to be found out: is /proc mounted?");
    b->hub.program = arena_str(b->a, str_make(program, (size_t)n));
    return STATUS_OK;
}

/* hub.yaml that is here was made for this machine: it stays. */
static enum status find_settings(struct rebuild *b, str dir, struct err *err)
{
    str path = ARENA_CAT(b->a, dir, STR("/hub.yaml")), sealed, text;
    if (access(path.p, F_OK) == 0)
        return STATUS_OK;
    str from = ARENA_CAT(b->a, b->o->from, STR("/hub/" BACKUPS_SETTINGS));
    enum status st = access(from.p, F_OK) == 0 && b->secret.n ? STATUS_OK : STATUS_NOT_FOUND;
    if (st != STATUS_OK) {
        err_set(err, st, "there is no hub.yaml in '%.*s', and none that can be opened in '%.*s'", STR_ARG(dir),
                STR_ARG(b->o->from));
        return err_hint(err, "%svitrine hub init --domain DOMAIN --dir %.*s makes one; then this again.",
                        b->secret.n ? "" : "With --keys FILE that of the backup comes back. Or: ", STR_ARG(dir));
    }
    st = fs_read_file(from.p, LIMIT_HUB_CONFIG + SEAL_OVERHEAD, b->a, &sealed, err);
    if (st != STATUS_OK)
        return st;
    if (seal_open(b->a, b->secret, STR(BACKUPS_SETTINGS), sealed, &text, NULL) != STATUS_OK) {
        err_set(err, STATUS_CONFLICT, "the keys in '%.*s' do not belong to these backups", STR_ARG(b->o->keys));
        return err_hint(err, "Name the file that vitrine hub keys --save wrote on the machine of these backups.");
    }
    st = fs_make_folders(path, 0700, err);
    if (st == STATUS_OK)
        st = fs_write_atomic(path.p, text, 0600, err);
    b->report->settings = st == STATUS_OK;
    return st;
}

/* Nobody's work is written over. */
static enum status is_free(struct rebuild *b, struct err *err)
{
    struct store *store = NULL;
    struct conn *c = NULL;
    struct value v, row = VALUE_NULL;
    str dir = b->hub.config.dir, path = of_hub(b, "hub.db");
    if (edge_call(b->a, of_hub(b, "edge"), "GET", STR("/status"), VALUE_UNDEF, &v, NULL) == STATUS_OK) {
        err_set(err, STATUS_CONFLICT, "the hub in '%.*s' runs", STR_ARG(dir));
        return err_hint(err, "Stop it first (systemctl stop vitrine-hub, or end vitrine up), then this again.");
    }
    if (access(path.p, F_OK) != 0)
        return STATUS_OK;
    enum status st = store_open(path, &store, err);
    if (st == STATUS_OK)
        st = store_read(store, &c, err);
    if (st == STATUS_OK)
        st = sql_row(c, b->a, "select (select count(*) from users) + (select count(*) from spaces) as n", NULL, 0, &row,
                     err);
    conn_release(c);
    close_store(store);
    if (st != STATUS_OK)
        return err_hint(err, "Where %s is damaged, move it away, then this again.", path.p);
    if (VALUE_GET(row, "n").i == 0)
        return STATUS_OK;
    err_set(err, STATUS_CONFLICT, "there is a hub with people in '%.*s' already", STR_ARG(dir));
    return err_hint(err,
                    "One space of it comes back with: vitrine hub restore SPACE. The whole hub comes into an empty "
                    "folder: --dir, or move %s away.",
                    path.p);
}

/* ---- hub.db ---- */

static enum status check_keys(struct rebuild *b, struct err *err)
{
    str key;
    enum status st = seals_key(b->store, b->a, &key, err);
    if (st != STATUS_OK || !key.n || (!b->secret.n && b->o->lost))
        return st;
    if (!b->secret.n) {
        err_set(err, STATUS_CONFLICT, "the hub of these backups is sealed with its keys, which no backup has");
        return err_hint(err,
                        "--keys FILE names what vitrine hub keys --save wrote. Are they lost, --new makes new ones: "
                        "apps with codes are set up anew then.");
    }
    if (str_eq(key, seal_name(b->a, b->secret)))
        return STATUS_OK;
    err_set(err, STATUS_CONFLICT, "the hub of these backups is sealed with other keys than those in '%.*s'",
            STR_ARG(b->o->keys));
    return err_hint(err, "Name the file that vitrine hub keys --save wrote on the machine of these backups.");
}

/* Programs of versions are in no backup: what would not start runs this one. An upgrade that was under way is over. */
static enum status forget_versions(struct conn *c, void *arg, struct err *err)
{
    struct rebuild *b = arg;
    struct value rows = VALUE_NULL;
    enum status st = sql_rows(c, b->a, "select distinct version from spaces where version <> ''", NULL, 0, &rows, err);
    b->report->versions = 0;
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        str version = VALUE_GET(value_at(rows, i), "version").s;
        int64_t changes = 0;
        if (access(edge_apps_program(&b->hub, b->a, version).p, X_OK) == 0)
            continue;
        st = sql_change(c, "update spaces set version = '' where version = ?1", (struct db_value[]){SQL_T(version)}, 1,
                        &changes, err);
        b->report->versions += changes;
    }
    return st == STATUS_OK
               ? SQL_RUN(c, err, "update fleet_runs set state = 'left', ended_at = ?1 where state = 'running'",
                         SQL_I(clock_unix_s()))
               : st;
}

static void remove_database(struct rebuild *b, str path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        (void)unlink(arena_printf(b->a, "%.*s%s", STR_ARG(path), ends[i]).p);
}

static enum status open_copy(struct rebuild *b, const struct backup *copy, struct err *err)
{
    b->coming = of_hub(b, "hub.db.coming");
    remove_database(b, b->coming);
    enum status st = backup_restore(b->a, copy, b->coming, &no_progress, err);
    if (st == STATUS_OK && chmod(b->coming.p, 0600) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot close %s to others", b->coming.p);
    if (st == STATUS_OK)
        st = store_open(b->coming, &b->store, err);
    if (st == STATUS_OK)
        st = check_keys(b, err);
    return st == STATUS_OK ? store_write(b->store, forget_versions, b, err) : st;
}

/* ---- spaces ---- */

static enum status one_space(struct rebuild *b, struct arena *a, str id, str *ret_taken, struct err *err)
{
    const struct hub_config *c = &b->hub.config;
    str folder = ARENA_CAT(a, b->o->from, STR("/"), id);
    if (access(folder.p, F_OK) != 0)
        return err_set(err, STATUS_NOT_FOUND, "there is no backup of it");
    enum status st =
        fs_make_folders(arena_printf(a, "%.*s/spaces/%.*s/data/", STR_ARG(c->dir), STR_ARG(id)), 0700, err);
    if (st == STATUS_OK && geteuid() == 0 && c->isolation != ISOLATION_OFF)
        st = sandbox_give(folder.p, edge_apps_user(id), err);
    return st == STATUS_OK ? backups_bring(&b->hub, a, id, folder, b->o->at, ret_taken, err) : st;
}

static enum status all_spaces(struct rebuild *b, struct err *err)
{
    struct conn *c = NULL;
    struct value rows = VALUE_NULL;
    enum status st = store_read(b->store, &c, err);
    if (st == STATUS_OK)
        st = sql_rows(c, b->a, "select id, name, state from spaces where state <> 'making' order by name", NULL, 0,
                      &rows, err);
    conn_release(c);
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        struct arena *a = arena_new(0);
        struct value row = value_at(rows, i);
        struct err own = ERR_INIT;
        str taken = {0};
        enum status done = one_space(b, a, VALUE_GET(row, "id").s, &taken, &own);
        bool gone =
            done == STATUS_NOT_FOUND && str_is(VALUE_GET(row, "state").s, "deleted"); /* in no backup: rightly */
        b->report->spaces += done == STATUS_OK;
        b->report->failed += done != STATUS_OK && !gone;
        if (!gone)
            b->o->say(b->o->arg, VALUE_GET(row, "name").s, taken, done == STATUS_OK ? NULL : &own);
        arena_free(a);
    }
    return st;
}

/* ---- the last step ---- */

/* Keys and number of copies of a hub that was made here go first: with them the one that comes would be taken for
 * another, or for the same that went on. */
static enum status put_in_place(struct rebuild *b, struct err *err)
{
    const struct hub_config *c = &b->hub.config;
    str path = of_hub(b, "hub.db");
    int folder = -1;
    if (access(of_hub(b, "hub.db.coming-wal").p, F_OK) == 0)
        return err_set(err, STATUS_IO, "%s is not whole: somebody else has it open", b->coming.p);
    (void)unlink(of_hub(b, "keys/copies").p);
    if (b->secret.n || b->o->lost)
        (void)unlink(of_hub(b, SEALS_FILE).p);
    remove_database(b, path);
    if (rename(b->coming.p, path.p) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot make %s", path.p);
    enum status st = fs_open(c->dir.p, O_RDONLY | O_DIRECTORY, 0, &folder, err);
    if (st == STATUS_OK && fsync(folder) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot write %.*s", STR_ARG(c->dir));
    if (folder >= 0)
        close(folder);
    if (st == STATUS_OK && b->secret.n)
        st = keys_load(c, arena_cstr(b->a, b->o->keys), err);
    else if (st == STATUS_OK && b->o->lost)
        st = keys_renew(c, err);
    return st;
}

enum status rebuilt_from(struct arena *a, str dir, const struct rebuilt_options *o, struct rebuilt_report *ret,
                         struct err *err)
{
    struct rebuild b = {.a = a, .hub = {.arena = a}, .o = o, .report = ret};
    const struct backup *copy = NULL;
    str pem;
    *ret = (struct rebuilt_report){0};
    enum status st = find_copy(&b, &copy, err);
    if (st == STATUS_OK)
        st = find_program(&b, err);
    if (st == STATUS_OK && o->keys.n)
        st = keys_read(a, arena_cstr(a, o->keys), &b.secret, &pem, err);
    if (st == STATUS_OK)
        st = find_settings(&b, dir, err);
    if (st == STATUS_OK)
        st = hub_config_read(a, dir, &b.hub.config, err);
    if (st == STATUS_OK)
        st = is_free(&b, err);
    if (st == STATUS_OK)
        st = open_copy(&b, copy, err);
    if (st == STATUS_OK)
        st = all_spaces(&b, err);
    close_store(b.store);
    if (st == STATUS_OK)
        st = put_in_place(&b, err);
    ret->origin = b.hub.config.origin;
    ret->taken = st == STATUS_OK ? copy->taken : (str){0};
    return st;
}

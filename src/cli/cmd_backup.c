/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_backup — `vitrine backup`, `vitrine restore`: databases, or all of a folder, into a folder and
 * back. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/given.h"
#include "replicate/tree.h"

enum {
    OPT_TO,
    OPT_NAME,
    OPT_EXCEPT,
    OPT_KEEP,
    OPT_DAILY,
    OPT_WEEKLY,
    OPT_MONTHLY,
    OPT_AT,
    OPT_CHECK,
    OPT_ALL,
    OPT_NO_BACKUP,
    OPT_JSON,
    OPT_QUIET,
    OPT_HELP
};

static const struct option backup_options[] = {
    {"--to", 0, OPTION_VALUE, "FOLDER", "Where backups go; made when it does not exist", OPT_TO},
    {"--name", 0, OPTION_VALUE, "NAME", "Name of the backup of one database or folder (default: its own)", OPT_NAME},
    {"--except", 0, OPTION_VALUE, "PATH", "Of a folder: leave this path in it out; may be given again", OPT_EXCEPT},
    {"--keep", 0, OPTION_VALUE, "N", "Keep the newest N; with a rule, what no rule keeps is removed", OPT_KEEP},
    {"--keep-daily", 0, OPTION_VALUE, "N", "Keep the newest of each of N days", OPT_DAILY},
    {"--keep-weekly", 0, OPTION_VALUE, "N", "Keep the newest of each of N weeks", OPT_WEEKLY},
    {"--keep-monthly", 0, OPTION_VALUE, "N", "Keep the newest of each of N months", OPT_MONTHLY},
    {"--json", 0, OPTION_FLAG, NULL, "Say what was done as one JSON object a line", OPT_JSON},
    {"--quiet", 'q', OPTION_FLAG, NULL, "Say nothing but errors", OPT_QUIET},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

static const struct option restore_options[] = {
    {"--to", 0, OPTION_VALUE, "PATH", "The database or folder to make, or to bring back to what it was", OPT_TO},
    {"--at", 0, OPTION_VALUE, "TIME", "The newest backup not after it, in UTC: 2026-11-21, \"2026-11-21 17:03\"",
     OPT_AT},
    {"--no-backup", 0, OPTION_FLAG, NULL, "Do not back up what is there before it is brought back", OPT_NO_BACKUP},
    {"--check", 0, OPTION_FLAG, NULL, "Restore nothing: try whether the newest backup of each name could be",
     OPT_CHECK},
    {"--all", 0, OPTION_FLAG, NULL, "With --check: every backup, not only the newest", OPT_ALL},
    {"--json", 0, OPTION_FLAG, NULL, "Say what there is, or what was done, as one JSON object a line", OPT_JSON},
    {"--quiet", 'q', OPTION_FLAG, NULL, "Say nothing but errors", OPT_QUIET},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct backup_run {
    struct arena *arena;
    struct given given;
    struct copy_progress progress;
    int64_t shown_us;
    bool json, quiet, terminal;
};

static atomic_bool interrupted;

static void on_interrupt(int signo)
{
    (void)signo;
    atomic_store(&interrupted, true);
}

/* ---- what is said ---- */

static void show_progress(void *arg, uint64_t pages, uint64_t of)
{
    struct backup_run *b = arg;
    int64_t now_us = clock_mono_us();
    if (!b->terminal || (now_us - b->shown_us < 100000 && pages < of))
        return;
    b->shown_us = now_us;
    fprintf(stderr, "\r\033[Kcopying: %llu %%%s", (unsigned long long)(of ? pages * 100 / of : 100),
            pages >= of ? "\r\033[K" : "");
    fflush(stderr);
}

static const char *size_text(struct arena *a, int64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double n = (double)bytes;
    size_t unit = 0;
    for (; n >= 1000 && unit + 1 < ARRAY_LEN(units); unit++)
        n /= 1000;
    return arena_cstr(a, unit ? arena_printf(a, "%.1f %s", n, units[unit])
                              : arena_printf(a, "%lld %s", (long long)bytes, units[0]));
}

static int64_t rows_of(const struct backup *s)
{
    int64_t rows = 0;
    for (size_t i = 0; i < s->tables.dict->count; i++)
        rows += s->tables.dict->entries[i].value.i;
    return rows;
}

static void say(struct backup_run *b, const char *what, str name, const struct backup *s, str where)
{
    if (b->quiet)
        return;
    if (!b->json) {
        printf("%s %.*s %.*s: %s, %zu tables, %lld rows%s%.*s\n", what, STR_ARG(name), STR_ARG(s->taken),
               size_text(b->arena, s->size_bytes), value_count(s->tables), (long long)rows_of(s), where.n ? " -> " : "",
               STR_ARG(where));
        return;
    }
    struct value v = value_dict(b->arena);
    VALUE_SET(v, "name", value_str(name));
    VALUE_SET(v, "taken", value_str(s->taken));
    VALUE_SET(v, "id", value_str(s->id));
    VALUE_SET(v, "file", value_str(where.n ? where : s->file));
    VALUE_SET(v, "bytes", value_int(s->size_bytes));
    VALUE_SET(v, "sha256", value_str(s->sha256));
    VALUE_SET(v, "tables", s->tables);
    VALUE_SET(v, "done", value_cstr(what));
    command_print_json(v, VALUE_JSON_UTF8, 0);
}

static void say_tree(struct backup_run *b, const char *what, str name, const struct tree *t, str where)
{
    int64_t files = 0, databases = 0;
    for (size_t i = 0; i < t->count; i++) {
        files += t->entries[i].kind == TREE_FILE;
        databases += t->entries[i].kind == TREE_DATABASE;
    }
    if (b->quiet)
        return;
    if (!b->json) {
        printf("%s %.*s %.*s: %s, a folder with %lld databases, %lld files", what, STR_ARG(name), STR_ARG(t->taken),
               size_text(b->arena, t->bytes), (long long)databases, (long long)files);
        if (t->left_out)
            printf(", %lld links and others left out", (long long)t->left_out);
        printf("%s%.*s\n", where.n ? " -> " : "", STR_ARG(where));
        return;
    }
    struct value v = value_dict(b->arena);
    VALUE_SET(v, "name", value_str(name));
    VALUE_SET(v, "taken", value_str(t->taken));
    VALUE_SET(v, "id", value_str(t->id));
    if (where.n)
        VALUE_SET(v, "file", value_str(where));
    VALUE_SET(v, "bytes", value_int(t->bytes));
    VALUE_SET(v, "databases", value_int(databases));
    VALUE_SET(v, "files", value_int(files));
    VALUE_SET(v, "folders", value_int((int64_t)t->count - files - databases));
    VALUE_SET(v, "left_out", value_int(t->left_out));
    VALUE_SET(v, "done", value_cstr(what));
    command_print_json(v, VALUE_JSON_UTF8, 0);
}

/* ---- backup ---- */

static enum status read_count(const struct given *g, int id, int64_t *ret, struct err *err)
{
    str text = given_text(g, id);
    *ret = 0;
    if (!text.p || (str_to_i64(text, ret) && *ret >= 1 && *ret <= 100000))
        return STATUS_OK;
    return err_set(err, STATUS_USAGE, "how many backups to keep must be a number from 1 to 100000, not '%.*s'",
                   STR_ARG(text));
}

static bool is_folder(struct arena *a, str path)
{
    struct stat now;
    return stat(arena_cstr(a, path), &now) == 0 && S_ISDIR(now.st_mode);
}

/* "data.db" of "a/b/data.db" is "data"; of "a/site.d/" it is "site.d". */
static str name_of(struct arena *a, str file)
{
    if (is_folder(a, file)) {
        while (file.n > 1 && file.p[file.n - 1] == '/')
            file.n--;
        size_t at = str_rfind_char(file, '/');
        return at == STR_NPOS ? file : str_from(file, at + 1);
    }
    size_t slash = str_rfind_char(file, '/');
    str base = slash == STR_NPOS ? file : str_from(file, slash + 1);
    size_t dot = str_rfind_char(base, '.');
    return dot == STR_NPOS || dot == 0 ? base : str_sub(base, 0, dot);
}

static enum status back_up(struct backup_run *b, str file, str folder, str name, const struct backup_keep *keep,
                           struct err *err)
{
    struct backup s;
    struct backup_list removed = {0};
    enum status st = backup_take(b->arena, file, folder, name, &b->progress, &s, err);
    if (st != STATUS_OK)
        return err_prefix(err, "%.*s", STR_ARG(file));
    say(b, "backed up", name, &s, (str){0});
    st = backup_prune(b->arena, folder, name, keep, &removed, err);
    for (size_t i = 0; i < removed.count; i++)
        say(b, "removed", name, &removed.items[i], (str){0});
    return st;
}

/* A folder and the databases in it; `used`: names that are other words of the command line. */
static enum status back_up_folder(struct backup_run *b, str source, str folder, str name, const str *used,
                                  size_t used_count, const struct backup_keep *keep, struct err *err)
{
    struct tree_take o = {.source = source, .used = used, .used_count = used_count};
    struct tree t;
    struct shelf_names names;
    struct err why = ERR_INIT, bad = ERR_INIT;
    str *removed;
    size_t count;
    o.except = given_list(b->arena, &b->given, OPT_EXCEPT, &o.except_count);
    enum status st = tree_take(b->arena, &o, folder, name, &b->progress, &t, &names, &bad);
    if (st != STATUS_OK && st != STATUS_CORRUPT) {
        *err = bad;
        return err_prefix(err, "%.*s", STR_ARG(source));
    }
    if (st == STATUS_OK)
        say_tree(b, "backed up", name, &t, (str){0});
    enum status pruned = tree_prune(b->arena, folder, name, keep, &removed, &count, &why);
    for (size_t i = 0; pruned == STATUS_OK && i < names.v.count; i++) {
        struct backup_list gone;
        pruned = backup_prune(b->arena, folder, names.v.items[i], keep, &gone, &why);
    }
    *err = st != STATUS_OK ? bad : why;
    return st != STATUS_OK ? st : pruned;
}

static enum status run_backup(struct backup_run *b, struct err *err)
{
    const struct given *g = &b->given;
    struct backup_keep keep;
    str folder = given_text(g, OPT_TO), name = given_text(g, OPT_NAME);
    enum status st = read_count(g, OPT_KEEP, &keep.last, err);
    if (st == STATUS_OK)
        st = read_count(g, OPT_DAILY, &keep.daily, err);
    if (st == STATUS_OK)
        st = read_count(g, OPT_WEEKLY, &keep.weekly, err);
    if (st == STATUS_OK)
        st = read_count(g, OPT_MONTHLY, &keep.monthly, err);
    if (st != STATUS_OK)
        return st;
    if (!g->words.count || !folder.n) {
        err_set(err, STATUS_USAGE, g->words.count ? "say where with --to FOLDER" : "which database?");
        return err_hint(err, "vitrine backup data.db --to backups");
    }
    if (name.p && g->words.count > 1)
        return err_set(err, STATUS_USAGE, "--name is for one database or folder");
    str *names = ARENA_ARRAY(b->arena, str, g->words.count);
    for (size_t i = 0; i < g->words.count; i++)
        names[i] = name.p ? name : name_of(b->arena, g->words.items[i]);
    for (size_t i = 0; i < g->words.count; i++) /* two of one name would be taken for one */
        for (size_t k = 0; k < i; k++)
            if (str_eq(names[i], names[k]))
                return err_set(err, STATUS_USAGE,
                               "%.*s and %.*s would have the same name: back them up one by one with --name",
                               STR_ARG(g->words.items[k]), STR_ARG(g->words.items[i]));
    enum status worst = STATUS_OK;
    for (size_t i = 0; i < g->words.count; i++) { /* a bad one does not keep the others from being saved */
        struct err why = ERR_INIT;
        str file = g->words.items[i];
        st = is_folder(b->arena, file) ? back_up_folder(b, file, folder, names[i], names, g->words.count, &keep, &why)
                                       : back_up(b, file, folder, names[i], &keep, &why);
        if (st == STATUS_OK)
            continue;
        if (worst != STATUS_OK)
            command_fail(err);
        *err = why;
        worst = st;
        if (st == STATUS_CANCELLED)
            break;
    }
    return worst;
}

/* ---- restore ---- */

static enum status find(struct backup_run *b, str folder, str name, struct backup_list *l, const struct backup **ret,
                        struct err *err)
{
    str at = given_text(&b->given, OPT_AT);
    enum status st = backup_list(b->arena, folder, name, l, err);
    if (st == STATUS_NOT_FOUND)
        return err_hint(err, "vitrine restore FOLDER lists what there is.");
    if (st != STATUS_OK)
        return st;
    *ret = backup_find(b->arena, l, at);
    if (*ret)
        return STATUS_OK;
    if (!l->count)
        return err_set(err, STATUS_NOT_FOUND, "there is no whole backup of %.*s in %.*s", STR_ARG(name),
                       STR_ARG(folder));
    err_set(err, STATUS_NOT_FOUND, "no backup of %.*s is so old: the oldest is of %.*s", STR_ARG(name),
            STR_ARG(l->items[0].taken));
    return err_hint(err, "Leave --at out for the newest.");
}

/* The folders' backups of one name. */
static enum status list_or_check_trees(struct backup_run *b, str folder, str name, struct err *err)
{
    bool check = given_has(&b->given, OPT_CHECK), newest = check && !given_has(&b->given, OPT_ALL);
    str *ids;
    size_t count = 0;
    int shelf = -1;
    enum status st = tree_ids(b->arena, folder, name, &ids, &count, err);
    if (st == STATUS_OK && count)
        st = tree_open(b->arena, folder, name, &shelf, err);
    for (size_t i = newest && count ? count - 1 : 0; st == STATUS_OK && i < count; i++) {
        struct tree t;
        st = tree_read(b->arena, shelf, ids[i], &t, err);
        if (st == STATUS_OK && check)
            st = tree_check(shelf, &t, &b->progress, err);
        if (st == STATUS_OK)
            say_tree(b, check ? "whole" : "backup", name, &t, (str){0});
    }
    if (shelf >= 0)
        close(shelf);
    return st;
}

static enum status list_or_check(struct backup_run *b, str folder, const str *names, size_t count, struct err *err)
{
    bool check = given_has(&b->given, OPT_CHECK), all = given_has(&b->given, OPT_ALL);
    enum status worst = STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        struct backup_list l;
        struct err why = ERR_INIT;
        enum status st = backup_list(b->arena, folder, names[i], &l, &why);
        for (size_t k = check && !all && st == STATUS_OK && l.count ? l.count - 1 : 0; st == STATUS_OK && k < l.count;
             k++) {
            st = check ? backup_check(b->arena, &l.items[k], &b->progress, &why) : STATUS_OK;
            if (st == STATUS_OK)
                say(b, check ? "whole" : "backup", names[i], &l.items[k], (str){0});
        }
        if (st == STATUS_OK)
            st = list_or_check_trees(b, folder, names[i], &why);
        if (st == STATUS_OK)
            continue;
        if (worst != STATUS_OK)
            command_fail(err);
        *err = why;
        worst = st;
    }
    return worst;
}

static enum status restore_folder(struct backup_run *b, str folder, str name, const str *ids, size_t count, str to,
                                  struct err *err)
{
    str at = given_text(&b->given, OPT_AT);
    size_t i = shelf_find(ids, count, at);
    struct shelf_names there;
    struct tree t;
    int shelf;
    if (i == count) {
        err_set(err, STATUS_NOT_FOUND, "no backup of %.*s is so old: the oldest is of %.*s", STR_ARG(name),
                STR_ARG(ids[0]));
        return err_hint(err, "Leave --at out for the newest.");
    }
    enum status st = tree_open(b->arena, folder, name, &shelf, err);
    if (st != STATUS_OK)
        return st;
    st = tree_read(b->arena, shelf, ids[i], &t, err);
    if (st == STATUS_OK && !given_has(&b->given, OPT_NO_BACKUP) &&
        shelf_entries(b->arena, to, &there, NULL) == STATUS_OK && there.v.count) {
        const struct backup_keep keep = {0};
        st = back_up_folder(b, to, folder, name, NULL, 0, &keep, err);
        if (st != STATUS_OK && st != STATUS_CANCELLED)
            err_hint(err, "--no-backup brings it back without saving what is there now.");
    }
    if (st == STATUS_OK)
        st = tree_restore(b->arena, shelf, &t, folder, name, to, &b->progress, err);
    if (st == STATUS_OK)
        say_tree(b, "restored", name, &t, to);
    close(shelf);
    return st;
}

static enum status run_restore(struct backup_run *b, struct err *err)
{
    const struct given *g = &b->given;
    str to = given_text(g, OPT_TO), folder = g->words.count ? g->words.items[0] : (str){0}, *names;
    size_t count;
    struct backup_list l;
    const struct backup *s = NULL;
    if (!folder.n || g->words.count > 2) {
        err_set(err, STATUS_USAGE, "which folder of backups, and which name in it?");
        return err_hint(err, "vitrine restore backups, then vitrine restore backups NAME --to data.db");
    }
    enum status st = backup_names(b->arena, folder, &names, &count, err);
    if (st != STATUS_OK)
        return st;
    if (!to.p || given_has(g, OPT_CHECK)) {
        if (given_has(g, OPT_AT) || given_has(g, OPT_NO_BACKUP))
            return err_set(err, STATUS_USAGE, "say what to make with --to FILE");
        if (!count && !b->quiet && !b->json)
            printf("There are no backups in %.*s. vitrine backup data.db --to %.*s makes one.\n", STR_ARG(folder),
                   STR_ARG(folder));
        if (g->words.count == 1 && !b->quiet && !b->json &&
            is_folder(b->arena, ARENA_CAT(b->arena, folder, STR("/hub/hub"))))
            printf("These are the backups of a hub, one folder for each space (vitrine restore %.*s/NAME). All of it, "
                   "on a "
                   "new machine:\n  vitrine hub restore --from %.*s --keys FILE\n",
                   STR_ARG(folder), STR_ARG(folder));
        return g->words.count == 2 ? list_or_check(b, folder, &g->words.items[1], 1, err)
                                   : list_or_check(b, folder, names, count, err);
    }
    if (g->words.count < 2 && count != 1)
        return err_set(err, STATUS_USAGE, "there are backups of %zu names: say which NAME", count);
    str name = g->words.count < 2 ? names[0] : g->words.items[1], *ids;
    size_t trees = 0;
    if (tree_ids(b->arena, folder, name, &ids, &trees, NULL) == STATUS_OK && trees)
        return restore_folder(b, folder, name, ids, trees, to, err);
    st = find(b, folder, name, &l, &s, err);
    if (st == STATUS_OK && access(arena_cstr(b->arena, to), F_OK) == 0 && !given_has(g, OPT_NO_BACKUP)) {
        const struct backup_keep keep = {0};
        st = back_up(b, to, folder, name, &keep, err);
        if (st != STATUS_OK && st != STATUS_CANCELLED)
            return err_hint(err, "--no-backup brings it back without saving what is there now.");
    }
    if (st == STATUS_OK)
        st = backup_restore(b->arena, s, to, &b->progress, err);
    if (st == STATUS_OK)
        say(b, "restored", name, s, to);
    return st;
}

static int run(int argc, char **argv, const struct option *options, size_t count, const char *help,
               enum status (*work)(struct backup_run *b, struct err *err))
{
    struct err err = ERR_INIT;
    struct backup_run b = {.arena = arena_new(0), .terminal = isatty(STDERR_FILENO)};
    const struct sigaction on = {.sa_handler = on_interrupt};
    int code = 0;
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
    enum status st = given_read(b.arena, options, count, argc, argv, &b.given, &err);
    b.json = given_has(&b.given, OPT_JSON);
    b.quiet = given_has(&b.given, OPT_QUIET);
    b.progress = (struct copy_progress){show_progress, &b, &interrupted};
    if (st == STATUS_OK && given_has(&b.given, OPT_HELP)) {
        printf("%s", help);
        option_print_help(options, count);
    } else if (st == STATUS_OK) {
        st = work(&b, &err);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    arena_free(b.arena);
    return code;
}

int cmd_backup(int argc, char **argv)
{
    return run(
        argc, argv, backup_options, ARRAY_LEN(backup_options),
        "Usage: vitrine backup DATABASE|FOLDER... --to FOLDER\n\nCopies databases into a folder while they are in use, "
        "of a folder its other files too. Each copy is\nchecked before it counts; what has not changed takes no "
        "further room.\n\nOptions:\n",
        run_backup);
}

int cmd_restore(int argc, char **argv)
{
    return run(argc, argv, restore_options, ARRAY_LEN(restore_options),
               "Usage: vitrine restore FOLDER [NAME]              list backups\n"
               "       vitrine restore FOLDER [NAME] --to PATH    make a database, or a folder, of one\n"
               "       vitrine restore FOLDER [NAME] --check      try whether they could be restored\n\n"
               "A database that exists is backed up, then brought back in one transaction: a server goes on "
               "serving it.\nOf a folder that exists, files that the backup does not hold stay.\n\nOptions:\n",
               run_restore);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* image — an image FROM scratch holds nothing but what is copied into it.
 *
 * The program is linked to a dozen libraries, so the image gets those that this very process has loaded: exactly the
 * ones it needs, in the versions it was tested with here. libcurl comes along although it is loaded only when a URL is
 * imported. Databases are copied page by page at one moment (db/copy), so that nothing is left behind in a write-ahead
 * log. Tests: tests/cli/test_package.py. */
#include "cli/image.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "db/copy.h"
#include "rt/proc_run.h"
#include "site/state.h"

#include "base/banned.h"

#define CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"

/* ---- files ---- */

static enum status copy_file(struct arena *a, const char *from, str to, mode_t mode, struct err *err)
{
    int in = -1, out = -1;
    ssize_t n = 1;
    enum status st = fs_make_folders(to, 0755, err);
    if (st == STATUS_OK)
        st = fs_open(from, O_RDONLY, 0, &in, err);
    if (st == STATUS_OK)
        st = fs_open(arena_cstr(a, to), O_WRONLY | O_CREAT | O_EXCL, mode, &out, err);
    while (st == STATUS_OK && n > 0) {
        n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
        char piece[65536];
        if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
            n = read(in, piece, sizeof piece);
            if (n > 0)
                st = fs_write_fd(out, arena_cstr(a, to), str_make(piece, (size_t)n), err);
        }
        if (n < 0 && errno != EINTR)
            st = err_sys(err, STATUS_IO, errno, "cannot copy %s", from);
        n = n < 0 ? 1 : n;
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return st;
}

static enum status copy_tree(struct arena *a, str from, str to, int depth, struct err *err)
{
    struct stat s;
    const char *path = arena_cstr(a, from);
    if (stat(path, &s) != 0)
        return err_sys(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, errno, "cannot read %s", path);
    if (S_ISREG(s.st_mode))
        return copy_file(a, path, to, 0644, err);
    if (!S_ISDIR(s.st_mode) || depth >= LIMIT_WATCH_DEPTH)
        return err_set(err, STATUS_INVALID, "%s is %s", path, S_ISDIR(s.st_mode) ? "nested too deeply" : "no file");
    DIR *d = opendir(path);
    if (!d)
        return err_sys(err, STATUS_IO, errno, "cannot read %s", path);
    enum status st = fs_make_folders(ARENA_CAT(a, to, STR("/")), 0755, err);
    for (struct dirent *e; st == STATUS_OK && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            st = copy_tree(a, ARENA_CAT(a, from, STR("/"), str_of(e->d_name)),
                           ARENA_CAT(a, to, STR("/"), str_of(e->d_name)), depth + 1, err);
    closedir(d);
    return st;
}

static str inside(struct image *i, const char *part, str name)
{
    return ARENA_CAT(i->a, i->folder, STR("/"), str_of(part), name);
}

/* ---- the program ---- */

struct libraries {
    struct image *image;
    enum status status;
    struct err *err;
};

static enum status add_once(struct image *i, const char *path, struct err *err)
{
    str to = inside(i, "root", str_of(path));
    return access(arena_cstr(i->a, to), F_OK) == 0 ? STATUS_OK : copy_file(i->a, path, to, 0755, err);
}

static int add_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct libraries *l = arg;
    if (info->dlpi_name[0] == '/')
        l->status = add_once(l->image, info->dlpi_name, l->err);
    /* The program itself names the loader that it asks the kernel for: /lib64/ld-linux-x86-64.so.2, often a link. */
    for (int k = 0; !info->dlpi_name[0] && l->status == STATUS_OK && k < info->dlpi_phnum; k++)
        if (info->dlpi_phdr[k].p_type == PT_INTERP)
            l->status =
                add_once(l->image, (const char *)(uintptr_t)(info->dlpi_addr + info->dlpi_phdr[k].p_vaddr), l->err);
    return l->status != STATUS_OK;
}

static enum status add_program(struct image *i, struct err *err)
{
    struct libraries l = {i, STATUS_OK, err};
    (void)dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    enum status st = copy_file(i->a, "/proc/self/exe", inside(i, "root", STR("/vitrine")), 0755, err);
    if (st == STATUS_OK) {
        dl_iterate_phdr(add_library, &l);
        st = l.status;
    }
    if (st == STATUS_OK && access(CERTIFICATES, R_OK) == 0)
        st = copy_file(i->a, CERTIFICATES, inside(i, "root", STR(CERTIFICATES)), 0644, err);
    return st;
}

enum status image_begin(struct image *i, struct err *err)
{
    const char *folder = arena_cstr(i->a, i->folder);
    static const char *const empty[] = {"root/tmp", "root/state", "app"};
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return err_sys(err, STATUS_IO, errno, "cannot make the folder %s", folder);
    i->command = value_list(i->a);
    i->env = value_dict(i->a);
    enum status st = STATUS_OK;
    for (size_t k = 0; st == STATUS_OK && k < ARRAY_LEN(empty); k++) {
        str path = ARENA_CAT(i->a, i->folder, STR("/"), str_of(empty[k]));
        st = fs_make_folders(path, 0755, err);
        if (st == STATUS_OK && mkdir(arena_cstr(i->a, path), 0755) != 0) {
            st = err_set(err, STATUS_CONFLICT, "%s is not empty", folder);
            err_hint(err, "Name a folder that does not exist yet.");
        }
    }
    return st == STATUS_OK ? add_program(i, err) : st;
}

/* ---- the data ---- */

str image_path(struct image *i, str name)
{
    return inside(i, "app/", name);
}

enum status image_add_database(struct image *i, str file, str name, struct err *err)
{
    const struct database_options o = {.name = file, .path = file};
    struct database *db;
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = database_check(db, err);
    if (st == STATUS_OK)
        st = copy_database(db, arena_cstr(i->a, inside(i, "app/", name)), NULL, err);
    database_unref(db);
    return st;
}

enum status image_add(struct image *i, str path, str name, struct err *err)
{
    return copy_tree(i->a, path, inside(i, "app/", name), 0, err);
}

enum status image_add_text(struct image *i, str text, str name, struct err *err)
{
    return fs_write_atomic(arena_cstr(i->a, inside(i, "app/", name)), text, 0644, err);
}

/* ---- the Dockerfile ---- */

static enum status put_variables(struct image *i, struct buf *out, struct err *err)
{
    for (size_t k = 0; k < i->env.dict->count; k++) {
        str name = i->env.dict->entries[k].key, value = i->env.dict->entries[k].value.s;
        buf_printf(out, "ENV %.*s=\"", STR_ARG(name));
        for (size_t n = 0; n < value.n; n++) {
            if ((unsigned char)value.p[n] < ' ' || value.p[n] == 0x7f)
                return err_set(err, STATUS_INVALID, "%.*s: a line end or control byte cannot be in it", STR_ARG(name));
            if (memchr("\"\\$", value.p[n], 3))
                buf_putc(out, '\\');
            buf_putc(out, value.p[n]);
        }
        buf_puts(out, STR("\"\n"));
    }
    return STATUS_OK;
}

enum status image_end(struct image *i, struct err *err)
{
    struct buf out;
    struct value words = value_list(i->a);
    str secret;
    enum status st = STATUS_OK;
    if (!value_has(i->env, STR("DATASETTE_SECRET"))) {
        st = state_random(i->a, &secret, err);
        if (st != STATUS_OK)
            return st;
        VALUE_SET(i->env, "DATASETTE_SECRET", value_str(secret));
    }
    value_push(words, value_cstr("serve"));
    value_push(words, value_cstr("--host"));
    value_push(words, value_cstr("0.0.0.0"));
    for (size_t k = 0; k < value_count(i->command); k++)
        value_push(words, value_at(i->command, k));
    buf_init(&out, LIMIT_JSON_OUTPUT);
    buf_printf(&out,
               "# Made by vitrine package.\nFROM scratch\nCOPY root /\nCOPY app /app\nWORKDIR /app\n"
               "ENV VITRINE_STATE=/state PORT=%lld\n",
               (long long)i->port);
    st = put_variables(i, &out, err);
    buf_printf(&out,
               "VOLUME [\"/state\"]\nEXPOSE %lld\nSTOPSIGNAL SIGTERM\n"
               "HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD [\"/vitrine\", \"healthcheck\"]\n"
               "ENTRYPOINT [\"/vitrine\"]\nCMD ",
               (long long)i->port);
    value_to_json(&out, words, 0);
    buf_putc(&out, '\n');
    if (st == STATUS_OK)
        st =
            fs_write_atomic(arena_cstr(i->a, ARENA_CAT(i->a, i->folder, STR("/Dockerfile"))), buf_str(&out), 0644, err);
    buf_release(&out);
    return st;
}

/* ---- other programs ---- */

enum status image_run(struct image *i, const char *const *words, size_t count, struct err *err)
{
    char **argv = arena_alloc(i->a, (count + 1) * sizeof *argv);
    for (size_t k = 0; k < count; k++)
        argv[k] = (char *)(uintptr_t)words[k];
    argv[count] = NULL;
    /* As long as it takes: its output shows how far it is, Ctrl-C ends both. */
    enum status st = proc_run(&(struct proc_config){.path = words[0], .argv = argv}, 0, NULL, err);
    if (st == STATUS_NOT_FOUND) {
        err_set(err, STATUS_NOT_FOUND, "there is no %s here", words[0]);
        err_hint(err, "Install it, or write what it would work on with --to FOLDER.");
    } else if (st != STATUS_OK) {
        err_set(err, STATUS_IO, "%s %s failed", words[0], count > 1 ? words[1] : "");
    }
    return st;
}

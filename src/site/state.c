/* SPDX-License-Identifier: Apache-2.0 */
#include "site/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/digest.h"

/* Set and not empty. */
static str environment(const char *name)
{
    const char *text = getenv(name);
    return text ? str_of(text) : (str){0};
}

/* A folder is itself; of a file or pattern the one it is in. */
static str folder_of(struct arena *a, str served)
{
    struct stat st;
    if (!served.n || (stat(arena_cstr(a, served), &st) == 0 && S_ISDIR(st.st_mode)))
        return served;
    size_t slash = str_rfind_char(served, '/');
    return slash == STR_NPOS ? (str){0} : slash ? str_sub(served, 0, slash) : STR("/");
}

/* "museums-1f0c4e2a": the folder's name for people, eight digits of its path's hash for uniqueness. */
static str site_name(struct arena *a, str served)
{
    char real[PATH_MAX], hex[DIGEST_HEX_MAX];
    served = folder_of(a, served);
    if (!realpath(served.n ? arena_cstr(a, served) : ".", real))
        snprintf(real, sizeof real, "%s", served.n ? arena_cstr(a, served) : ".");
    digest_sha256_hex(str_of(real), hex);
    str path = str_of(real);
    size_t slash = str_rfind_char(path, '/');
    str base = slash == STR_NPOS ? path : str_from(path, slash + 1);
    return arena_printf(a, "%.*s-%.8s", STR_ARG(base.n ? base : STR("root")), hex);
}

static str find_folder(struct arena *a, const struct state_options *o)
{
    str list = environment("STATE_DIRECTORY"), first, rest, home;
    if (o->folder.n)
        return o->folder;
    if (list.n) { /* systemd: folders with ':' between */
        str_cut(list, ':', &first, &rest);
        return first;
    }
    home = environment("XDG_STATE_HOME");
    if (home.n && home.p[0] == '/') /* the specification ignores relative ones */
        return ARENA_CAT(a, home, STR("/vitrine/"), site_name(a, o->served));
    home = environment("HOME");
    if (home.n && home.p[0] == '/')
        return ARENA_CAT(a, home, STR("/.local/state/vitrine/"), site_name(a, o->served));
    return (str){0};
}

void state_find(struct arena *a, const struct state_options *o, struct state_paths *ret)
{
    str folder = find_folder(a, o);
    *ret = (struct state_paths){.folder = folder};
    if (o->internal.n)
        ret->internal = o->internal;
    else if (folder.n)
        ret->internal = ARENA_CAT(a, folder, STR("/internal.db"));
    /* Who names only the database keeps the secret beside it: that is the place that survives (a volume). */
    if (o->internal.n && !o->folder.n)
        ret->secret = ARENA_CAT(a, o->internal, STR("-secret"));
    else if (folder.n)
        ret->secret = ARENA_CAT(a, folder, STR("/secret"));
}

enum status state_random(struct arena *a, str *ret, struct err *err)
{
    unsigned char bytes[32];
    char hex[DIGEST_HEX_MAX];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set(err, STATUS_IO, "The system has no random numbers");
    digest_to_hex(bytes, sizeof bytes, hex);
    *ret = arena_str(a, str_of(hex));
    return STATUS_OK;
}

/* Written beside and linked to its name, which fails when another process was first: then that one's is read. */
static enum status make_secret(struct arena *a, str path, struct err *err)
{
    str text, beside;
    enum status st = fs_make_folders(path, 0700, err);
    if (st == STATUS_OK)
        st = state_random(a, &text, err);
    if (st != STATUS_OK)
        return st;
    beside = arena_printf(a, "%.*s.%d", STR_ARG(path), (int)getpid());
    st = fs_write_atomic(beside.p, ARENA_CAT(a, text, STR("\n")), 0600, err);
    if (st != STATUS_OK)
        return st;
    if (link(beside.p, arena_cstr(a, path)) != 0 && errno != EEXIST)
        st = err_sys(err, STATUS_IO, errno, "cannot make %.*s", STR_ARG(path));
    unlink(beside.p);
    return st;
}

enum status state_secret(struct arena *a, str path, str *ret, struct err *err)
{
    const char *name = arena_cstr(a, path);
    struct stat meta;
    str text;
    enum status st = stat(name, &meta) != 0 && errno == ENOENT ? make_secret(a, path, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = fs_read_file(name, LIMIT_SECRET_FILE, a, &text, err);
    if (st != STATUS_OK)
        return st;
    text = str_trim(text);
    if (text.n < 16) {
        err_set(err, STATUS_CONFIG, "The secret in %.*s is too short", STR_ARG(path));
        return err_hint(err, "Remove the file: a new one is made, and everybody signs in again.");
    }
    if (stat(name, &meta) == 0 && (meta.st_mode & 077))
        log_line(LOG_WARN, "state", "other users of this machine may read %.*s: chmod 600 it", STR_ARG(path));
    *ret = text;
    return STATUS_OK;
}

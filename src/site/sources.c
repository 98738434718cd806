/* SPDX-License-Identifier: Apache-2.0 */
#include "site/sources.h"

#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

struct found {
    struct arena *arena;
    struct site_options *options;
    VEC(str) files;
    VEC(bool) immutable;
};

static bool is_directory(struct arena *a, str path)
{
    struct stat st;
    return stat(arena_cstr(a, path), &st) == 0 && S_ISDIR(st.st_mode);
}

/* A name with an asterisk that is no file of that name. */
static bool is_pattern(struct arena *a, str path)
{
    return str_find_char(path, '*') != STR_NPOS && access(arena_cstr(a, path), F_OK) != 0;
}

static bool is_configuration_directory(const struct sources *src, struct arena *a)
{
    return src->count == 1 && is_directory(a, src->given[0]);
}

static void add(struct found *f, str path, bool immutable)
{
    VEC_PUSH(f->arena, &f->files, path);
    VEC_PUSH(f->arena, &f->immutable, immutable);
}

static size_t add_pattern(struct found *f, str pattern, bool immutable)
{
    glob_t g;
    size_t n = 0;
    if (glob(arena_cstr(f->arena, pattern), 0, NULL, &g) == 0) {
        n = g.gl_pathc;
        for (size_t i = 0; i < n; i++) {
            const char *path = g.gl_pathv[i];
            add(f, arena_str(f->arena, str_of(path + (strncmp(path, "./", 2) == 0 ? 2 : 0))), immutable);
        }
    }
    globfree(&g);
    return n;
}

static bool find(struct arena *a, str dir, const char *const *names, size_t count, str *ret)
{
    for (size_t i = 0; i < count && !ret->n; i++) {
        str path = ARENA_CAT(a, dir, STR("/"), str_of(names[i]));
        if (access(path.p, F_OK) == 0)
            *ret = path;
    }
    return ret->n > 0;
}

static void configuration_directory(struct found *f, str dir)
{
    static const char *const configs[] = {"vitrine.json",   "vitrine.yaml",   "vitrine.yml",
                                          "datasette.json", "datasette.yaml", "datasette.yml"};
    static const char *const metadata[] = {"metadata.json", "metadata.yaml", "metadata.yml"};
    static const char *const templates[] = {"templates"}, *const statics[] = {"static"};
    static const char *const inspects[] = {"inspect-data.json"};
    static const char *const patterns[] = {"/*.db", "/*.sqlite", "/*.sqlite3"};
    struct site_options *o = f->options;
    struct arena *a = f->arena;
    str folder = {0};
    dir = str_is(dir, "/") ? STR("/.") : dir;
    find(a, dir, configs, ARRAY_LEN(configs), &o->config.config_path);
    find(a, dir, metadata, ARRAY_LEN(metadata), &o->config.metadata_path);
    find(a, dir, templates, 1, &o->template_dir);
    if (!o->inspect_file.n)
        o->inspect_makes_immutable = find(a, dir, inspects, 1, &o->inspect_file);
    if (find(a, dir, statics, 1, &folder)) {
        str *mounts = ARENA_ARRAY(a, str, o->static_mount_count + 1);
        for (size_t i = 0; i < o->static_mount_count; i++)
            mounts[i] = o->static_mounts[i];
        mounts[o->static_mount_count++] = ARENA_CAT(a, STR("static:"), folder);
        o->static_mounts = mounts;
    }
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        add_pattern(f, ARENA_CAT(a, dir, str_of(patterns[i])), false);
}

bool sources_may_change(const struct sources *src, struct arena *a)
{
    if (is_configuration_directory(src, a))
        return true;
    for (size_t i = 0; i < src->count; i++)
        if (is_pattern(a, src->given[i]))
            return true;
    return false;
}

enum status sources_expand(const struct sources *src, bool again, struct arena *a, struct site_options *ret,
                           struct err *err)
{
    struct site_options o = *src->base;
    struct found f = {.arena = a, .options = &o};
    bool directory = is_configuration_directory(src, a);
    if (directory)
        configuration_directory(&f, src->given[0]);
    for (size_t i = 0; i < src->count && !directory; i++) {
        if (!is_pattern(a, src->given[i])) {
            add(&f, src->given[i], src->immutable[i]);
        } else if (!add_pattern(&f, src->given[i], src->immutable[i]) && !again) {
            err_set(err, STATUS_NOT_FOUND, "no file matches %.*s", STR_ARG(src->given[i]));
            return err_hint(err, "Give the path of an SQLite file.");
        }
    }
    o.files_may_go = sources_may_change(src, a);
    o.database_folder = directory ? src->given[0] : (str){0};
    o.files = f.files.items;
    o.file_immutable = f.immutable.items;
    o.file_count = f.files.count;
    *ret = o;
    return STATUS_OK;
}

size_t sources_folders(const struct sources *src, struct arena *a, const str **ret)
{
    str *folders = ARENA_ARRAY(a, str, src->count + 1);
    size_t n = 0;
    if (is_configuration_directory(src, a))
        folders[n++] = src->given[0];
    for (size_t i = 0; i < src->count; i++) {
        if (!is_pattern(a, src->given[i]))
            continue;
        size_t slash = str_rfind_char(src->given[i], '/');
        str folder = slash == STR_NPOS ? STR(".") : slash == 0 ? STR("/") : str_sub(src->given[i], 0, slash);
        if (str_find_char(folder, '*') == STR_NPOS)
            folders[n++] = folder;
    }
    *ret = folders;
    return n;
}

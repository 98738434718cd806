/* SPDX-License-Identifier: Apache-2.0 */
/* app_folder — a watched folder: each file NAME.yaml, NAME.yml or NAME.json in it is the app NAME.
 *
 * A file holds what edge.yaml has below an app's name. It is read again whenever something in the folder changes; the
 * whole folder is small and read at once, so there is no second way in which a file could be missed. Hidden files and
 * those with other endings (an editor's) are nobody. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/yaml.h"
#include "edge/wish.h"
#include "rt/watch.h"

#define SETTLE_MS 60 /* after the last change of a burst */

struct app_folder {
    struct wish_source source;
    struct watch *watch;
};

static str stem_of(str file)
{
    static const char *const ends[] = {".yaml", ".yml", ".json"};
    for (size_t i = 0; i < ARRAY_LEN(ends) && file.n && file.p[0] != '.'; i++)
        if (str_ends(file, str_of(ends[i])))
            return str_sub(file, 0, file.n - strlen(ends[i]));
    return STR("");
}

/* 1-based line on which a field is set; 0: not found. For messages only. */
static size_t line_of(str text, str field)
{
    size_t at = 0, line = 1;
    for (size_t found; field.n && (found = str_find(str_from(text, at), field)) != STR_NPOS; at += found + field.n) {
        size_t begin = at + found, end = begin + field.n;
        char before = begin ? text.p[begin - 1] : '\n';
        while (end < text.n && strchr("\"' \t", text.p[end]))
            end++;
        if (end >= text.n || text.p[end] != ':' || !strchr("\n \t\"'{,", before))
            continue;
        for (size_t i = 0; i < begin; i++)
            line += text.p[i] == '\n';
        return line;
    }
    return 0;
}

static enum status read_spec(struct arena *a, str folder, str app, str text, struct edge_spec *ret, struct err *err)
{
    struct value v;
    str field = STR("");
    enum status st = value_from_yaml(a, text, &v, err); /* JSON is YAML, but for odd corners */
    if (st != STATUS_OK)
        return st;
    if (v.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID,
                       "line 1: the file holds names with values, as in \"host: www.example.com\"");
    if (value_has(v, STR("name")))
        return err_set(err, STATUS_INVALID, "line %zu: name: an app is called as its file is",
                       line_of(text, STR("name")));
    value_set(v, STR("name"), value_str(app));
    str own = value_get_text(v, STR("folder"));
    if (value_has(v, STR("run")) && (!own.n || own.p[0] != '/'))
        value_set(v, STR("folder"), value_str(own.n ? ARENA_CAT(a, folder, STR("/"), own) : folder));
    st = edge_spec_read_at(a, v, ret, &field, err);
    size_t line = line_of(text, field);
    if (st != STATUS_OK && line)
        err_prefix(err, "line %zu", line);
    return st;
}

static void read_file(struct app_folder *f, str file, str app)
{
    struct arena *a = arena_new(0);
    struct edge_spec spec;
    struct err err = ERR_INIT;
    str text, folder = str_of(f->source.where);
    const char *path = arena_printf(a, "%s/%.*s", f->source.where, STR_ARG(file)).p;
    enum status st = fs_read_file(path, LIMIT_CONFIG_FILE, a, &text, &err);
    if (st == STATUS_OK) {
        st = read_spec(a, folder, app, text, &spec, &err);
        if (st != STATUS_OK)
            err_prefix(&err, "%s", path);
    }
    if (st == STATUS_OK) {
        wish_put(&f->source, file, app, &spec, a);
        return;
    }
    wish_broken(&f->source, file, app, &err);
    arena_free(a);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_folder(void *arg, unsigned id)
{
    struct app_folder *f = arg;
    struct dirent **entries = NULL;
    char text[160];
    (void)id;
    int n = scandir(f->source.where, &entries, NULL, by_name);
    if (n < 0) {
        (void)snprintf(text, sizeof(text), "the folder cannot be read: %s", strerrordesc_np(errno));
        wish_source_problem(&f->source, text);
        return;
    }
    wish_source_problem(&f->source, NULL);
    wish_round_begin(&f->source);
    int apps = 0;
    for (int i = 0; i < n; i++) {
        str file = str_of(entries[i]->d_name), app = stem_of(file);
        if (app.n && ++apps <= LIMIT_EDGE_APPS)
            read_file(f, file, app);
        free(entries[i]);
    }
    free(entries);
    wish_round_end(&f->source);
}

static void release(struct wish_source *s)
{
    struct app_folder *f = (struct app_folder *)s; /* its first member */
    watch_free(f->watch);
    wish_source_release(&f->source);
    free(f);
}

enum status app_folder_start(struct edge *e, str folder, struct err *err)
{
    struct app_folder *f = MEM_NEW(struct app_folder);
    char *whole = realpath(arena_cstr(e->arena, folder), NULL); /* status and errors name it for everybody */
    wish_source_add(e, &f->source, "file", whole ? str_of(whole) : folder);
    free(whole);
    f->source.free = release;
    enum status st = watch_new(e->loop, SETTLE_MS, read_folder, f, &f->watch, err);
    if (st == STATUS_OK)
        st = watch_add(f->watch, str_of(f->source.where), WATCH_FOLDER, NULL, err);
    if (st == STATUS_OK)
        read_folder(f, 0);
    return st;
}

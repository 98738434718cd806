/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_config — `vitrine config check`: all problems of configuration and metadata files, with their places. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "cli/command.h"
#include "site/config_check.h"

enum { OPT_METADATA, OPT_JSON, OPT_HELP };
static const struct option options[] = {
    {"--metadata", 'm', OPTION_VALUE, "FILE", "Check this one as a metadata file, whatever its name", OPT_METADATA},
    {"--json", 0, OPTION_FLAG, NULL, "Print the problems as JSON", OPT_JSON},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct check {
    struct arena *arena;
    struct config_findings findings;
    VEC(str) files; /* that were read */
    bool json;
};

static enum status check_file(struct check *c, str path, enum config_file kind, struct err *err)
{
    str text;
    enum status st = fs_read_file(arena_cstr(c->arena, path), LIMIT_CONFIG_FILE, c->arena, &text, err);
    if (st != STATUS_OK)
        return st;
    VEC_PUSH(c->arena, &c->files, path);
    config_check_text(&c->findings, path, text, kind);
    return STATUS_OK;
}

static enum config_file kind_of(str path)
{
    size_t slash = str_rfind_char(path, '/');
    return str_starts(slash == STR_NPOS ? path : str_from(path, slash + 1), STR("metadata.")) ? METADATA_FILE
                                                                                              : CONFIG_FILE;
}

/* Those that `vitrine serve DIR` would use. */
static enum status check_folder(struct check *c, str folder, struct err *err)
{
    static const char *const stems[] = {"datasette", "metadata"}, *const ends[] = {"json", "yaml", "yml"};
    size_t before = c->files.count;
    for (size_t i = 0; i < ARRAY_LEN(stems); i++) {
        for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
            str path = arena_printf(c->arena, "%.*s/%s.%s", STR_ARG(folder), stems[i], ends[k]);
            if (access(path.p, F_OK) != 0)
                continue;
            if (str_is(folder, "."))
                path = str_from(path, 2);
            enum status st = check_file(c, path, kind_of(path), err);
            if (st != STATUS_OK)
                return st;
            break; /* the others of this stem are not read */
        }
    }
    if (c->files.count > before)
        return STATUS_OK;
    err_set(err, STATUS_NOT_FOUND, "%.*s holds neither datasette.yaml nor metadata.yaml (or .json)", STR_ARG(folder));
    return err_hint(err, "Name the file: vitrine config check FILE");
}

static enum status check_path(struct check *c, str path, struct err *err)
{
    struct stat st;
    bool folder = stat(arena_cstr(c->arena, path), &st) == 0 && S_ISDIR(st.st_mode);
    return folder ? check_folder(c, path, err) : check_file(c, path, kind_of(path), err);
}

static void print_text(const struct check *c)
{
    const struct config_findings *f = &c->findings;
    for (size_t i = 0; i < f->count; i++) {
        const struct config_finding *one = &f->items[i];
        printf("%.*s", STR_ARG(one->file));
        if (one->line)
            printf(":%zu:%zu", one->line, one->column);
        printf(": %s: ", one->error ? "error" : "warning");
        if (one->key.n)
            printf("%.*s: ", STR_ARG(one->key));
        printf("%.*s\n", STR_ARG(one->text));
        if (one->remedy.n)
            printf("    %.*s\n", STR_ARG(one->remedy));
    }
    if (f->errors + f->warnings > f->count)
        printf("... and %zu more\n", f->errors + f->warnings - f->count);
    for (size_t i = 0; i < c->files.count; i++)
        printf("%s%.*s", i ? ", " : "", STR_ARG(c->files.items[i]));
    if (f->errors + f->warnings)
        printf(": %zu error%s, %zu warning%s\n", f->errors, f->errors == 1 ? "" : "s", f->warnings,
               f->warnings == 1 ? "" : "s");
    else
        printf(": no problems\n");
}

static void print_json(const struct check *c)
{
    struct arena *a = c->arena;
    const struct config_findings *f = &c->findings;
    struct value d = value_dict(a), files = value_list(a), list = value_list(a);
    for (size_t i = 0; i < c->files.count; i++)
        value_push(files, value_str(c->files.items[i]));
    for (size_t i = 0; i < f->count; i++) {
        const struct config_finding *one = &f->items[i];
        struct value e = value_dict(a);
        VALUE_SET(e, "severity", value_cstr(one->error ? "error" : "warning"));
        VALUE_SET(e, "file", value_str(one->file));
        VALUE_SET(e, "line", one->line ? value_int((int64_t)one->line) : VALUE_NULL);
        VALUE_SET(e, "column", one->line ? value_int((int64_t)one->column) : VALUE_NULL);
        VALUE_SET(e, "key", value_str(one->key));
        VALUE_SET(e, "message", value_str(one->text));
        VALUE_SET(e, "remedy", value_str(one->remedy));
        value_push(list, e);
    }
    VALUE_SET(d, "ok", value_bool(!f->errors));
    VALUE_SET(d, "errors", value_int((int64_t)f->errors));
    VALUE_SET(d, "warnings", value_int((int64_t)f->warnings));
    VALUE_SET(d, "files", files);
    VALUE_SET(d, "problems", list);
    command_print_json(d, 0, 2);
}

static int print_help(void)
{
    printf("Usage: vitrine config check [OPTIONS] [FILE|DIR]...\n\n"
           "Checks configuration (datasette.yaml) and metadata (metadata.yaml) files, or those of a\n"
           "configuration directory (default: the current one). Prints every problem with its line and\n"
           "column. Exit status: 0 when the server would start, 78 when it would not.\n\nOptions:\n");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

static int finish(struct check *c, enum status st, const struct err *err)
{
    int code = c->findings.errors ? status_exit(STATUS_CONFIG) : 0;
    if (st != STATUS_OK)
        code = command_fail(err);
    else if (c->json)
        print_json(c);
    else
        print_text(c);
    arena_free(c->arena);
    return code;
}

int cmd_config(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct check c = {.arena = arena_new(0)};
    struct err err = ERR_INIT;
    enum status st;
    str value, second;
    int id;
    bool verb = false, any = false;
    c.findings.arena = c.arena;
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        if (id == OPT_HELP) {
            arena_free(c.arena);
            return print_help();
        }
        if (id == OPT_JSON)
            c.json = true;
        st = STATUS_OK;
        if (id == -1 && !verb) {
            verb = true;
            if (!str_is(value, "check"))
                st = err_set(&err, STATUS_USAGE, "config knows only the verb check, not \"%.*s\"", STR_ARG(value));
        } else if (id == -1 || id == OPT_METADATA) {
            any = true;
            st = id == -1 ? check_path(&c, value, &err) : check_file(&c, value, METADATA_FILE, &err);
        }
        if (st != STATUS_OK)
            break;
    }
    if (st == STATUS_OK && !verb) {
        st = err_set(&err, STATUS_USAGE, "config needs a verb");
        err_hint(&err, "vitrine config check [FILE|DIR]");
    }
    if (st == STATUS_OK && !any)
        st = check_folder(&c, STR("."), &err);
    return finish(&c, st, &err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_inspect — hash, size and row counts of databases as JSON. `serve --inspect-file` then opens them without reading
 * them whole. Hidden and shadow tables are counted too, as Datasette does. */
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "cli/command.h"
#include "codec/digest.h"
#include "codec/value.h"
#include "db/conn_cache.h"
#include "db/count.h"
#include "db/stmt.h"

enum { OPT_FILE, OPT_EXTENSION, OPT_HELP };
static const struct option options[] = {
    {"--inspect-file", 0, OPTION_VALUE, "FILE", "Write it there (default -, standard output)", OPT_FILE},
    {"--load-extension", 0, OPTION_VALUE, "PATH[:ENTRY]", "Load an SQLite extension", OPT_EXTENSION},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct inspect {
    struct arena *arena;
    VEC(str) files;
    VEC(str) extensions;
    str out;
};

static str database_name_of(struct arena *a, str path, struct value all)
{
    size_t slash = str_rfind_char(path, '/'), dot;
    str base = slash == STR_NPOS ? path : str_from(path, slash + 1);
    dot = str_rfind_char(base, '.');
    if (dot != STR_NPOS && dot > 0)
        base = str_sub(base, 0, dot);
    str name = base;
    for (int n = 2; value_has(all, name); n++)
        name = arena_printf(a, "%.*s_%d", STR_ARG(base), n);
    return name;
}

/* A table of a module that is not loaded counts as empty: there is nothing that could be counted. */
static enum status count_tables(struct arena *a, struct conn *c, struct value tables, struct err *err)
{
    str *names = NULL;
    size_t count = 0;
    enum status st = conn_fetch_texts(c, a, STR("select name from sqlite_schema where type = 'table' order by rowid"),
                                      (str){0}, &names, &count, err);
    for (size_t i = 0; st == STATUS_OK && i < count; i++) {
        struct value entry = value_dict(a);
        int64_t n = 0;
        enum status counted = count_rows(c, names[i], 0, 0, &n, err);
        if (counted == STATUS_CORRUPT || counted == STATUS_IO || counted == STATUS_NO_MEMORY)
            st = counted;
        VALUE_SET(entry, "count", value_int(counted == STATUS_OK ? n : 0));
        value_set(tables, names[i], entry);
    }
    return st;
}

static enum status inspect_database(struct inspect *in, struct database *db, str path, struct value *ret,
                                    struct err *err)
{
    struct arena *a = in->arena;
    struct value d = value_dict(a), tables = value_dict(a);
    char hex[DIGEST_HEX_MAX];
    struct conn *c;
    enum status st = digest_sha256_file(arena_cstr(a, path), hex, err);
    if (st == STATUS_OK)
        st = conn_open_private(db, CONN_READ, &c, err);
    if (st != STATUS_OK)
        return st;
    st = count_tables(a, c, tables, err);
    conn_close(c);
    VALUE_SET(d, "hash", value_str(arena_str(a, str_of(hex))));
    VALUE_SET(d, "size", value_int(database_size_bytes(db)));
    VALUE_SET(d, "file", value_str(path));
    VALUE_SET(d, "tables", tables);
    *ret = d;
    return st;
}

static enum status inspect_file(struct inspect *in, str path, struct value all, struct err *err)
{
    const struct database_options o = {.name = path,
                                       .path = path,
                                       .immutable = true,
                                       .load_extensions = in->extensions.items,
                                       .load_extension_count = in->extensions.count};
    struct database *db;
    struct value entry = VALUE_UNDEF;
    enum status st = database_new(&o, &db, err);
    if (st != STATUS_OK)
        return st;
    st = inspect_database(in, db, path, &entry, err);
    database_unref(db);
    if (st != STATUS_OK)
        return err_prefix(err, "%.*s", STR_ARG(path));
    value_set(all, database_name_of(in->arena, path, all), entry);
    return STATUS_OK;
}

static enum status write_out(struct inspect *in, struct value all, struct err *err)
{
    struct buf b;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    value_to_json_indent(&b, all, 0, 2);
    buf_putc(&b, '\n');
    enum status st = STATUS_OK;
    if (in->out.n && !str_is(in->out, "-"))
        st = fs_write_atomic(arena_cstr(in->arena, in->out), buf_str(&b), 0644, err);
    else
        st = fs_write_fd(STDOUT_FILENO, "standard output", buf_str(&b), err);
    buf_release(&b);
    return st;
}

static void apply(struct inspect *in, int id, str value)
{
    if (id == -1)
        VEC_PUSH(in->arena, &in->files, value);
    if (id == OPT_FILE)
        in->out = value;
    if (id == OPT_EXTENSION)
        VEC_PUSH(in->arena, &in->extensions, value);
}

static int print_help(void)
{
    printf("Usage: vitrine inspect [OPTIONS] FILE...\n\n"
           "Reads SQLite databases once and prints hash, size and the row count of every table as JSON.\n"
           "Give the result to `vitrine serve --inspect-file` (immutable databases then open at once),\n"
           "or call it inspect-data.json in a configuration directory.\n\nOptions:\n");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

int cmd_inspect(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct inspect in = {.arena = arena_new(0)};
    struct err err = ERR_INIT;
    struct value all = value_dict(in.arena);
    str value, second;
    int id;
    enum status st;
    if (environment_find(in.arena, "--load-extension", &value))
        VEC_PUSH(in.arena, &in.extensions, value);
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        if (id == OPT_HELP) {
            arena_free(in.arena);
            return print_help();
        }
        apply(&in, id, value);
    }
    if (st == STATUS_OK && !in.files.count) {
        st = err_set(&err, STATUS_USAGE, "inspect needs a database file");
        err_hint(&err, "vitrine inspect data.db --inspect-file inspect-data.json");
    }
    for (size_t i = 0; st == STATUS_OK && i < in.files.count; i++)
        st = inspect_file(&in, in.files.items[i], all, &err);
    if (st == STATUS_OK)
        st = write_out(&in, all, &err);
    arena_free(in.arena);
    return st == STATUS_OK ? 0 : command_fail(&err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/url.h"
#include "ingest/decode.h"
#include "ingest/dump.h"
#include "ingest/zip.h"

#include "base/banned.h"

#define SQLITE_MAGIC "SQLite format 3" /* with its NUL: 16 bytes */

static void close_fd(void *arg)
{
    close((int)(intptr_t)arg);
}

static enum status cannot_make(const char *name, struct err *err)
{
    err_sys(err, STATUS_IO, errno, "cannot make the temporary file %s", name);
    return err_hint(err, "Set TMPDIR to a folder that is writable and has room.");
}

static char *temporary_name(struct arena *a)
{
    const char *folder = getenv("TMPDIR");
    return arena_cstr(a, ARENA_CAT(a, str_of(folder && *folder ? folder : "/var/tmp"), STR("/vitrine-import-XXXXXX")));
}

/* A file without a name in the folder for temporary files. */
static enum status temporary_file(struct arena *a, int *ret, struct err *err)
{
    char *name = temporary_name(a);
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return cannot_make(name, err);
    unlink(name);
    arena_defer(a, close_fd, (void *)(intptr_t)fd);
    *ret = fd;
    return STATUS_OK;
}

static void remove_folder(void *arg)
{
    static const char *const files[] = {"data.db", "data.db-journal", "data.db-wal", "data.db-shm"};
    const char *folder = arg;
    char path[1024];
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* One with a name, in a folder of its own, until the arena goes: SQLite opens files by their names. */
static enum status temporary_database(struct arena *a, str *ret_path, int *ret, struct err *err)
{
    char *folder = temporary_name(a);
    if (!mkdtemp(folder))
        return cannot_make(folder, err);
    arena_defer(a, remove_folder, folder);
    str path = ARENA_CAT(a, str_of(folder), STR("/data.db"));
    int fd;
    enum status st = fs_open(path.p, O_RDWR | O_CREAT | O_EXCL, 0600, &fd, err);
    if (st != STATUS_OK)
        return st;
    arena_defer(a, close_fd, (void *)(intptr_t)fd);
    *ret_path = path;
    *ret = fd;
    return STATUS_OK;
}

static enum status spool(struct arena *a, int from, const char *name, int *ret, struct err *err)
{
    char *piece = arena_alloc_raw(a, 65536);
    int to = -1;
    enum status st = temporary_file(a, &to, err);
    if (st != STATUS_OK)
        return st;
    for (;;) {
        ssize_t n = read(from, piece, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, STATUS_IO, errno, "cannot read %s", name);
        if (n == 0)
            break;
        st = fs_write_fd(to, "a temporary file", str_make(piece, (size_t)n), err);
        if (st != STATUS_OK)
            return st;
    }
    *ret = to;
    return STATUS_OK;
}

static str last_ending(struct arena *a, str *name)
{
    size_t dot = str_rfind_char(*name, '.');
    if (dot == STR_NPOS || dot == 0 || name->n - dot > 9)
        return str_make("", 0);
    str ending = arena_lower(a, str_from(*name, dot + 1));
    *name = str_sub(*name, 0, dot);
    return ending;
}

static void name_parts(struct arena *a, struct source *s, str path)
{
    size_t slash = str_rfind_char(path, '/');
    str name = slash == STR_NPOS ? path : str_from(path, slash + 1);
    str ending = last_ending(a, &name);
    if (str_is(ending, "gz") || str_is(ending, "zst") || str_is(ending, "zip"))
        ending = last_ending(a, &name);
    s->stem = name;
    s->ending = ending;
}

static enum status find_packing(struct source *s, struct err *err)
{
    unsigned char head[4] = {0};
    s->packing = PACKING_NONE;
    ssize_t n = pread(s->fd, head, sizeof head, 0);
    if (n < 0)
        return err_sys(err, STATUS_IO, errno, "cannot read %.*s", STR_ARG(s->name));
    if (n >= 2 && head[0] == 0x1f && head[1] == 0x8b)
        s->packing = PACKING_GZIP;
    else if (n == 4 && memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0)
        s->packing = PACKING_ZSTD;
    else if (n == 4 && (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0))
        s->packing = PACKING_ZIP;
    return STATUS_OK;
}

static enum status open_fd(struct arena *a, str spec, struct source *s, struct err *err)
{
    struct stat st;
    if (str_is(spec, "-")) {
        s->name = STR("standard input");
        s->stem = STR("stdin");
        if (fstat(0, &st) == 0 && S_ISREG(st.st_mode) && lseek(0, 0, SEEK_CUR) == 0)
            s->fd = 0;
        else
            return spool(a, 0, "standard input", &s->fd, err);
        return STATUS_OK;
    }
    s->name = arena_str(a, spec);
    name_parts(a, s, s->name);
    enum status status = fs_open(s->name.p, O_RDONLY | O_NOCTTY, 0, &s->fd, err);
    if (status != STATUS_OK)
        return status;
    arena_defer(a, close_fd, (void *)(intptr_t)s->fd);
    if (fstat(s->fd, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, STATUS_INVALID, "%.*s is a directory", STR_ARG(s->name));
    if (!S_ISREG(st.st_mode)) /* a pipe or a device: /dev/stdin, <(command) */
        return spool(a, s->fd, s->name.p, &s->fd, err);
    s->path = s->name;
    return STATUS_OK;
}

/* What a file without an ending is, by its media type. */
static str ending_of(str type)
{
    static const struct {
        const char *type, *ending;
    } known[] = {{"text/csv", "csv"},
                 {"text/tab-separated-values", "tsv"},
                 {"application/json", "json"},
                 {"application/geo+json", "geojson"},
                 {"application/x-ndjson", "ndjson"},
                 {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(type, known[i].type))
            return str_of(known[i].ending);
    return str_make("", 0);
}

static enum status open_url(struct arena *a, str url, const struct fetch_url_options *o, struct source *s,
                            struct err *err)
{
    static const struct fetch_url_options plain = {0};
    struct fetch_url_result fetched;
    enum status st = temporary_file(a, &s->fd, err);
    if (st != STATUS_OK)
        return st;
    st = fetch_url(a, url, o ? o : &plain, s->fd, &fetched, err);
    if (st != STATUS_OK)
        return st;
    s->name = url_shown(a, url);
    if (fetched.file_name.n)
        name_parts(a, s, fetched.file_name);
    if (!s->ending.n)
        s->ending = ending_of(fetched.type);
    s->charset = fetched.charset;
    return STATUS_OK;
}

static enum status several_files(struct arena *a, const struct source *s, const str *names, size_t count,
                                 struct err *err)
{
    str list = str_make("", 0);
    for (size_t i = 0; i < MIN(count, 5); i++)
        list = ARENA_CAT(a, list, i ? STR(", ") : STR(""), names[i]);
    err_set(err, STATUS_INVALID, "%.*s holds %zu files: %.*s%s", STR_ARG(s->name), count, STR_ARG(list),
            count > 5 ? ", ..." : "");
    return err_hint(err, "Choose one with --entry NAME.");
}

/* Finds the wanted file of a zip, or the only one. */
static enum status choose_entry(struct arena *a, struct source *s, str wanted, struct err *err)
{
    struct zip_entry *entries;
    size_t count, found = 0;
    enum status st = zip_list(a, s, &entries, &count, err);
    if (st != STATUS_OK)
        return st;
    str *names = ARENA_ARRAY(a, str, count + 1);
    const struct zip_entry *chosen = NULL;
    for (size_t i = 0; i < count; i++) {
        names[i] = entries[i].name;
        if (!wanted.n || str_eq(wanted, entries[i].name)) {
            found++;
            chosen = &entries[i];
        }
    }
    if (!count)
        return err_set(err, STATUS_INVALID, "%.*s holds no file", STR_ARG(s->name));
    if (!found)
        return err_set(err, STATUS_NOT_FOUND, "%.*s holds no file \"%.*s\"", STR_ARG(s->name), STR_ARG(wanted));
    if (found > 1 && !wanted.n)
        return several_files(a, s, names, count, err);
    s->entry = chosen->name;
    s->entry_index = chosen->index;
    name_parts(a, s, s->entry);
    return STATUS_OK;
}

/* By what is in it: uploads and pipes have no name to go by. */
static enum status is_workbook(struct arena *a, struct source *s, struct err *err)
{
    struct zip_entry *entries;
    size_t count;
    bool types = false, folder = false;
    enum status st = zip_list(a, s, &entries, &count, err);
    for (size_t i = 0; st == STATUS_OK && i < count; i++) {
        types |= str_is(entries[i].name, "[Content_Types].xml");
        folder |= str_starts(entries[i].name, STR("xl/")) || str_starts(entries[i].name, STR("xl\\"));
    }
    if (types && folder)
        s->kind = SOURCE_WORKBOOK;
    return st;
}

static enum status identify(struct arena *a, struct source *s, struct err *err)
{
    char head[16] = {0};
    s->kind = SOURCE_STREAM;
    if (pread(s->fd, head, sizeof head, 0) == sizeof head && memcmp(head, SQLITE_MAGIC, sizeof head) == 0)
        s->kind = SOURCE_DATABASE;
    enum status st = find_packing(s, err);
    return st == STATUS_OK && s->packing == PACKING_ZIP ? is_workbook(a, s, err) : st;
}

enum status source_load(struct arena *a, str spec, const struct fetch_url_options *o, struct source *ret,
                        struct err *err)
{
    struct stat st;
    struct source s = {.fd = -1, .stem = STR("data"), .ending = str_make("", 0)};
    enum status status = fetch_url_is(spec) ? open_url(a, spec, o, &s, err) : open_fd(a, spec, &s, err);
    if (status == STATUS_OK && fstat(s.fd, &st) != 0)
        status = err_sys(err, STATUS_IO, errno, "cannot read %.*s", STR_ARG(s.name));
    if (status != STATUS_OK)
        return status;
    s.size_bytes = (uint64_t)st.st_size;
    status = identify(a, &s, err);
    if (status == STATUS_OK)
        *ret = s;
    return status;
}

/* What is inside, from its first bytes: a file that has to be read at several places? */
static enum status look_inside(const struct source *s, bool *ret_workbook, bool *ret_database, struct err *err)
{
    struct unpack *u;
    char head[16] = {0};
    size_t n;
    enum status st = unpack_new(s, &u, err);
    if (st != STATUS_OK)
        return st;
    st = unpack_read(u, head, sizeof head, &n, err);
    unpack_free(u);
    *ret_workbook = memcmp(head, "PK\3\4", 4) == 0;
    *ret_database = memcmp(head, SQLITE_MAGIC, sizeof head) == 0;
    return st;
}

/* Such a file, packed into another one or without a name, becomes a file of its own. */
static enum status make_seekable(struct arena *a, struct source *s, struct err *err)
{
    struct unpack *u;
    bool workbook = false, database = s->kind == SOURCE_DATABASE && !s->path.n;
    int to = -1;
    size_t n = 1;
    enum status st = STATUS_OK;
    if (s->kind == SOURCE_STREAM && s->packing != PACKING_NONE)
        st = look_inside(s, &workbook, &database, err);
    if (st != STATUS_OK || (!workbook && !database))
        return st;
    st = unpack_new(s, &u, err);
    if (st != STATUS_OK)
        return st;
    char *piece = arena_alloc_raw(a, 65536);
    st = database ? temporary_database(a, &s->path, &to, err) : temporary_file(a, &to, err);
    while (st == STATUS_OK && n) {
        st = unpack_read(u, piece, 65536, &n, err);
        if (st == STATUS_OK)
            st = fs_write_fd(to, "a temporary file", str_make(piece, n), err);
    }
    uint64_t size = unpack_unpacked(u);
    unpack_free(u);
    if (st != STATUS_OK)
        return st;
    s->fd = to;
    s->size_bytes = size;
    st = identify(a, s, err);
    return st == STATUS_OK && s->packing == PACKING_ZIP && s->kind == SOURCE_STREAM ? choose_entry(a, s, STR(""), err)
                                                                                    : st;
}

/* SQL text: by its name, or by how `sqlite3 .dump` begins. */
static enum status is_dump(struct arena *a, const struct source *s, bool *ret, struct err *err)
{
    str sample;
    *ret = str_is(s->ending, "sql");
    if (*ret || s->ending.n || s->kind != SOURCE_STREAM)
        return STATUS_OK;
    enum status st = decode_sample(a, s, 64, &sample, err);
    *ret =
        st == STATUS_OK && (str_starts(sample, STR("PRAGMA foreign_keys=")) ||
                            str_starts(sample, STR("BEGIN TRANSACTION;")) || str_starts(sample, STR("CREATE TABLE ")));
    return st;
}

static enum status run_dump(struct arena *a, struct source *s, struct err *err)
{
    str path;
    int fd;
    struct stat st;
    enum status status = temporary_database(a, &path, &fd, err);
    if (status == STATUS_OK)
        status = dump_run(s, path, err);
    if (status != STATUS_OK)
        return status;
    s->path = path;
    s->fd = fd;
    s->size_bytes = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    s->kind = SOURCE_DUMP;
    s->packing = PACKING_NONE;
    return STATUS_OK;
}

enum status source_entries(struct arena *a, const struct source *s, str **ret, size_t *ret_count, struct err *err)
{
    struct zip_entry *entries = NULL;
    size_t count = 0;
    enum status st = STATUS_OK;
    if (s->packing == PACKING_ZIP && s->kind == SOURCE_STREAM)
        st = zip_list(a, s, &entries, &count, err);
    if (st != STATUS_OK)
        return st;
    *ret = ARENA_ARRAY(a, str, count + 1);
    for (size_t i = 0; i < count; i++)
        (*ret)[i] = entries[i].name;
    *ret_count = count;
    return STATUS_OK;
}

enum status source_enter(struct arena *a, const struct source *whole, str entry, struct source *ret, struct err *err)
{
    struct source s = *whole;
    enum status st = STATUS_OK;
    if (s.packing == PACKING_ZIP && s.kind == SOURCE_STREAM)
        st = choose_entry(a, &s, entry, err);
    bool dump = false;
    if (st == STATUS_OK)
        st = make_seekable(a, &s, err);
    if (st == STATUS_OK)
        st = is_dump(a, &s, &dump, err);
    if (st == STATUS_OK && dump)
        st = run_dump(a, &s, err);
    if (st == STATUS_OK)
        *ret = s;
    return st;
}

enum status source_open(struct arena *a, str spec, str entry, const struct fetch_url_options *o, struct source *ret,
                        struct err *err)
{
    struct source s;
    enum status st = source_load(a, spec, o, &s, err);
    return st == STATUS_OK ? source_enter(a, &s, entry, ret, err) : st;
}

enum status source_open_as(struct arena *a, str path, str name, str entry, struct source *ret, struct err *err)
{
    struct source s;
    enum status st = source_load(a, path, NULL, &s, err);
    if (st != STATUS_OK)
        return st;
    s.name = arena_str(a, name);
    name_parts(a, &s, s.name);
    return source_enter(a, &s, entry, ret, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "hub/edge_apps.h"

#define DATABASE_NAME_MAX 60

/* ---- names ---- */

static const struct ending {
    const char *text;
    bool database;
} endings[] =
    {
        {".csv", false},   {".tsv", false},     {".txt", false},  {".json", false}, {".ndjson", false},
        {".jsonl", false}, {".geojson", false}, {".xlsx", false}, {".xlsm", false}, {".db", true},
        {".sqlite", true}, {".sqlite3", true},  {".db3", true},
},
  packings[] = {{".gz", false}, {".zst", false}, {".zip", false}};

static const struct ending *ending_in(str name, const struct ending *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        str end = str_of(all[i].text);
        if (name.n >= end.n && str_eq_nocase(str_from(name, name.n - end.n), end))
            return &all[i];
    }
    return NULL;
}

/* Without its endings, which go to *ret (NULL: none that is known) and *ret_packing. */
static str stem_of(str name, const struct ending **ret, const struct ending **ret_packing)
{
    *ret_packing = ending_in(name, packings, ARRAY_LEN(packings));
    if (*ret_packing)
        name = str_sub(name, 0, name.n - strlen((*ret_packing)->text));
    *ret = ending_in(name, endings, ARRAY_LEN(endings));
    return *ret ? str_sub(name, 0, name.n - strlen((*ret)->text)) : name;
}

bool fill_is_database(str file_name)
{
    const struct ending *end, *packing;
    stem_of(file_name, &end, &packing);
    return end && end->database && !packing;
}

enum status fill_name_check(str file_name, struct err *err)
{
    const struct ending *end, *packing;
    stem_of(file_name, &end, &packing);
    if (end ? !(end->database && packing) : packing != NULL)
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "%.*s is no kind of file that becomes tables.", STR_ARG(file_name));
    return err_hint(err, "Bring CSV, TSV, JSON, an Excel workbook (.xlsx) or a SQLite database (.db, .sqlite).");
}

enum status fill_head_check(str file_name, str head, struct err *err)
{
    bool database = head.n >= 16 && memcmp(head.p, "SQLite format 3", 16) == 0;
    if (database == fill_is_database(file_name))
        return STATUS_OK;
    err_set(err, STATUS_INVALID,
            database ? "%.*s is a SQLite database, though it is not called one." : "%.*s is no SQLite database.",
            STR_ARG(file_name));
    return err_hint(err, database ? "Give it a name that ends with .db, and bring it again."
                                  : "Bring the database file itself, not packed and without a password.");
}

str fill_title(struct arena *a, str file_name)
{
    const struct ending *end, *packing;
    str stem = str_trim(utf8_cut(stem_of(file_name, &end, &packing), LIMIT_HUB_NAME));
    char *out = arena_cstr(a, stem.n ? stem : STR("Data"));
    for (char *p = out; *p; p++)
        if (*p == '_' || (unsigned char)*p < ' ' || *p == 127)
            *p = ' ';
    out[0] = out[0] >= 'a' && out[0] <= 'z' ? (char)(out[0] - 32) : out[0];
    str title = str_trim(str_of(out));
    return title.n ? title : STR("Data");
}

str fill_database(struct arena *a, str file_name)
{
    const struct ending *end, *packing;
    str stem = stem_of(file_name, &end, &packing);
    char *out = arena_alloc(a, stem.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < stem.n && n < DATABASE_NAME_MAX; i++) {
        char c = str_lower_char(stem.p[i]);
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[n++] = c;
        else if (n && out[n - 1] != '_')
            out[n++] = '_';
    }
    while (n && out[n - 1] == '_')
        n--;
    return n ? str_make(out, n) : STR("data");
}

/* ---- into the space ---- */

static enum status copy(int from, const char *to, struct err *err)
{
    off_t at = 0;
    ssize_t n = 1;
    int fd;
    enum status st = fs_open(to, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, err);
    if (st != STATUS_OK)
        return st;
    while (n > 0 || (n < 0 && errno == EINTR))
        n = sendfile(fd, from, &at, 1 << 20);
    if (n < 0 || fsync(fd) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot put the file into the space");
    close(fd);
    return st;
}

/* What a command says names our folders: whoever brought the file knows it by its own name. */
static enum status in_their_words(struct arena *a, str path, str file_name, enum status st, struct err *err)
{
    str said = arena_str(a, str_of(err->text)), hint = arena_str(a, str_of(err->hint));
    size_t at = str_find(said, path);
    log_line(LOG_INFO, "hub", "a file was not taken: %.*s", STR_ARG(said));
    if (str_find(said, STR("disk is full")) != STR_NPOS || str_find(said, STR("No space left")) != STR_NPOS)
        return err->status = STATUS_DISK_FULL; /* whoever asked is told by hub_room_or */
    if (at != STR_NPOS)
        said = ARENA_CAT(a, str_sub(said, 0, at), file_name, str_from(said, at + path.n));
    if (st == STATUS_TIMEOUT)
        err_set(err, STATUS_INVALID, "Reading %.*s takes too long.", STR_ARG(file_name));
    else if (at == STR_NPOS)
        err_set(err, STATUS_INVALID, "%.*s: %.*s", STR_ARG(file_name), STR_ARG(said));
    else
        err_set(err, STATUS_INVALID, "%.*s", STR_ARG(said));
    if (hint.n)
        return err_hint(err, "%.*s", STR_ARG(hint));
    return err_hint(err, "Look at it with the program that made it, save it again, and bring it once more; or make a "
                         "space without it and import it there, where every step is shown.");
}

static void push(struct value words, const char *word)
{
    value_push(words, value_cstr(word));
}

enum status fill_space(struct hub *h, struct arena *a, str space_id, int fd, str file_name, struct err *err)
{
    const struct ending *end, *packing;
    struct value words = value_list(a);
    bool database = fill_is_database(file_name);
    str name = fill_database(a, file_name);
    str folder = arena_printf(a, "%.*s/spaces/%.*s", STR_ARG(h->config.dir), STR_ARG(space_id));
    str db = arena_printf(a, "%.*s/data/%.*s.db", STR_ARG(folder), STR_ARG(name)), path = db;
    stem_of(file_name, &end, &packing);
    if (!database)
        path = arena_printf(a, "%.*s/state/%.*s%s%s", STR_ARG(folder), STR_ARG(name), end ? end->text : "",
                            packing ? packing->text : "");
    enum status st = copy(fd, path.p, err);
    if (st != STATUS_OK)
        return st;
    push(words, database ? "inspect" : "insert");
    value_push(words, value_str(db));
    if (!database) {
        value_push(words, value_str(name));
        value_push(words, value_str(path));
        push(words, "--silent");
    }
    st = edge_apps_run(h, a, space_id, (str){0}, words, LIMIT_HUB_START_MS, err);
    if (!database)
        unlink(path.p);
    return st == STATUS_OK ? st : in_their_words(a, path, file_name, st, err);
}

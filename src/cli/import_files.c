/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/import_files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "ingest/ingest.h"
#include "ingest/target.h"

#include "base/banned.h"

bool import_is_data(struct arena *a, str path)
{
    static const char *const endings[] = {".csv", ".tsv",    ".tab",   ".txt",     ".psv", ".json", ".xlsx", ".xlsm",
                                          ".sql", ".ndjson", ".jsonl", ".geojson", ".gz",  ".zst",  ".zip"};
    char head[16] = {0};
    bool named = false;
    if (fetch_url_is(path))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        size_t n = strlen(endings[i]);
        named |= path.n > n && str_eq_nocase(str_from(path, path.n - n), str_of(endings[i]));
    }
    if (!named)
        return false;
    int fd = open(arena_cstr(a, path), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true; /* importing says why */
    ssize_t n = read(fd, head, sizeof head);
    close(fd);
    return n < (ssize_t)sizeof head || memcmp(head, "SQLite format 3", 16) != 0;
}

void import_folder_remove(struct import_folder *f)
{
    static const char *const companions[] = {"", "-journal", "-wal", "-shm"};
    char path[1024];
    if (!f->folder[0])
        return;
    for (size_t i = 0; i < ARRAY_LEN(companions); i++) {
        snprintf(path, sizeof path, "%.*s%s", STR_ARG(f->database), companions[i]);
        unlink(path);
    }
    rmdir(f->folder);
    f->folder[0] = '\0';
}

/* Ctrl+C during an import: the server's signal handling does not run yet, and the folder must not stay behind. The
 * handler uses what POSIX calls async-signal-safe only. */
static struct import_folder *interrupted;
static char interrupted_journal[1024]; /* while the file is made there is one for a moment */

static void on_interrupt(int signo)
{
    (void)signo;
    if (interrupted) {
        unlink(interrupted->database.p);
        unlink(interrupted_journal);
        rmdir(interrupted->folder);
    }
    _exit(130);
}

static void watch_interrupts(struct import_folder *f)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = f ? on_interrupt : SIG_DFL};
    if (f)
        snprintf(interrupted_journal, sizeof interrupted_journal, "%.*s-journal", STR_ARG(f->database));
    interrupted = f;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &action, NULL);
}

static str stem_of(str path)
{
    static const char *const packed[] = {".gz", ".zst", ".zip"};
    for (size_t i = 0; fetch_url_is(path) && i < path.n; i++)
        if (path.p[i] == '?' || path.p[i] == '#')
            path.n = i;
    size_t slash = str_rfind_char(path, '/');
    str name = slash == STR_NPOS ? path : str_from(path, slash + 1);
    for (size_t i = 0; i < ARRAY_LEN(packed); i++)
        if (name.n > strlen(packed[i]) && str_ends(name, str_of(packed[i])))
            name.n -= strlen(packed[i]);
    size_t dot = str_rfind_char(name, '.');
    return dot == STR_NPOS || dot == 0 ? name : str_sub(name, 0, dot);
}

static enum status make_folder(struct arena *a, str name, struct import_folder *f, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    int n = snprintf(f->folder, sizeof f->folder, "%s/vitrine-XXXXXX", tmp && *tmp ? tmp : "/var/tmp");
    if (n < 0 || (size_t)n >= sizeof f->folder || !mkdtemp(f->folder)) {
        f->folder[0] = '\0';
        err_sys(err, STATUS_IO, errno, "cannot make a temporary folder");
        return err_hint(err, "Set TMPDIR to a folder that is writable, or say where to with --keep FILE.");
    }
    f->database = ARENA_CAT(a, str_of(f->folder), STR("/"), target_table_name(a, utf8_cut(name, 100)), STR(".db"));
    return STATUS_OK;
}

static enum status import_table(struct arena *a, struct conn *c, const struct source *source, str part, str wanted,
                                bool kept, struct err *err)
{
    struct ingest_options o = {.skip_lines = -1, .part = part};
    struct progress progress = progress_terminal();
    struct ingest_report report;
    struct buf text;
    str table;
    wanted = target_table_name(a, wanted);
    enum status st = target_free_name(a, c, wanted, &table, err);
    if (st == STATUS_OK && kept && !str_eq(table, wanted)) {
        err_set(err, STATUS_CONFLICT, "the database has a table \"%.*s\" already", STR_ARG(wanted));
        return err_hint(err, "Serve it as it is, or add the rows with: vitrine insert DATABASE TABLE FILE");
    }
    if (st == STATUS_OK)
        st = ingest_run(a, c, source, table, &o, &progress, &report, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&text, LIMIT_JSON_OUTPUT);
    ingest_report_text(&text, &report);
    fwrite(text.p, 1, text.n, stdout);
    fflush(stdout);
    buf_release(&text);
    return STATUS_OK;
}

static enum status import_entry(struct arena *a, struct conn *c, const struct source *whole, str entry, bool kept,
                                struct err *err)
{
    struct source source;
    str *parts = NULL;
    size_t count = 0;
    enum status st = source_enter(a, whole, entry, &source, err);
    if (st == STATUS_OK)
        st = input_parts(a, &source, &parts, &count, err);
    if (st == STATUS_OK && count < 2)
        return import_table(a, c, &source, count ? parts[0] : STR(""), source.stem, kept, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        st = import_table(a, c, &source, parts[i], parts[i], kept, err);
    return st;
}

static enum status import_path(struct arena *a, struct conn *c, str path, bool kept, struct err *err)
{
    struct progress progress = progress_terminal();
    const struct fetch_url_options fetch = {.progress = &progress};
    struct source whole;
    str *entries;
    size_t count = 0;
    enum status st = source_load(a, path, &fetch, &whole, err);
    if (st == STATUS_OK)
        st = source_entries(a, &whole, &entries, &count, err);
    if (st == STATUS_OK && count == 0)
        st = import_entry(a, c, &whole, STR(""), kept, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        st = import_entry(a, c, &whole, entries[i], kept, err);
    return st;
}

enum status import_files(struct arena *a, const str *paths, size_t count, str keep, struct import_folder *ret,
                         struct err *err)
{
    struct import_folder f = {.database = keep};
    struct conn *c = NULL;
    enum status st = keep.n ? STATUS_OK : make_folder(a, count == 1 ? stem_of(paths[0]) : STR("data"), &f, err);
    if (st == STATUS_OK && !keep.n)
        watch_interrupts(&f);
    if (st == STATUS_OK)
        st = target_open(f.database, !keep.n, &c, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        struct arena *own = arena_new(0); /* files stay open until it goes */
        st = import_path(own, c, paths[i], keep.n > 0, err);
        arena_free(own);
    }
    conn_close(c);
    if (interrupted)
        watch_interrupts(NULL);
    if (st != STATUS_OK) {
        import_folder_remove(&f);
        return st;
    }
    printf("The database is %.*s%s\n", STR_ARG(f.database),
           keep.n ? "" : " (thrown away at the end; keep it with --keep FILE)");
    *ret = f;
    return STATUS_OK;
}

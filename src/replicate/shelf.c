/* SPDX-License-Identifier: Apache-2.0 */
#include "replicate/shelf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"

/* ---- names ---- */

enum status shelf_name_check(str name, struct err *err)
{
    if (name.n && name.n <= LIMIT_BACKUP_NAME && name.p[0] != '.' && !memchr(name.p, '/', name.n) &&
        !memchr(name.p, '\0', name.n))
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "'%.*s' is no name for a backup", STR_ARG(name));
    return err_hint(err, "Give one with --name: up to %d bytes without '/', not beginning with a dot.",
                    LIMIT_BACKUP_NAME);
}

/* "2026-11-21T17:03:00.123Z" -> "20261121T170300.123Z" */
static str id_of(struct arena *a, const char iso[CLOCK_ISO_LEN + 1])
{
    char id[BACKUP_ID_LEN];
    size_t n = 0;
    for (size_t i = 0; i < CLOCK_ISO_LEN && n < sizeof id; i++)
        if (iso[i] != '-' && iso[i] != ':')
            id[n++] = iso[i];
    return arena_str(a, str_make(id, n));
}

/* "20261121T170300.123Z" */
bool shelf_is_id(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char wanted = i == 8 ? 'T' : i == 15 ? '.' : i == 19 ? 'Z' : '0';
        if (wanted == '0' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != wanted)
            return false;
    }
    return s.n == BACKUP_ID_LEN;
}

str shelf_path(struct arena *a, str folder, str name, str file)
{
    return ARENA_CAT(a, folder, STR("/"), name, STR("/"), file);
}

/* ---- what is there ---- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

/* Entries of a folder, sorted; `.` and `..` are left out. */
enum status shelf_entries(struct arena *a, str path, struct shelf_names *ret, struct err *err)
{
    *ret = (struct shelf_names){0};
    DIR *d = opendir(arena_cstr(a, path));
    if (!d)
        return err_sys(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, errno, "cannot read %.*s", STR_ARG(path));
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            VEC_PUSH(a, &ret->v, arena_str(a, str_of(e->d_name)));
    closedir(d);
    if (ret->v.count)
        qsort(ret->v.items, ret->v.count, sizeof *ret->v.items, by_text);
    return STATUS_OK;
}

/* Held by whoever takes, prunes or checks: one at a time for a name. */
enum status shelf_lock(struct arena *a, str folder, str name, int *ret_fd, struct err *err)
{
    str path = shelf_path(a, folder, name, STR(".lock"));
    int fd;
    enum status st = fs_open(arena_cstr(a, path), O_RDWR | O_CREAT, 0644, &fd, err);
    if (st != STATUS_OK)
        return st;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        err_set(err, STATUS_BUSY, "another process takes a backup of %.*s", STR_ARG(name));
        return err_hint(err, "Try again when it has ended.");
    }
    *ret_fd = fd;
    return STATUS_OK;
}

enum status shelf_begin(struct arena *a, str folder, str name, int *ret_lock, str *ret_id, str *ret_taken,
                        struct err *err)
{
    char iso[CLOCK_ISO_LEN + 1];
    clock_format_iso_ms(clock_unix_us(), iso);
    enum status st = shelf_name_check(name, err);
    if (st == STATUS_OK)
        st = fs_make_folders(ARENA_CAT(a, folder, STR("/"), name, STR("/")), 0755, err);
    if (st == STATUS_OK)
        st = shelf_lock(a, folder, name, ret_lock, err);
    if (st != STATUS_OK)
        return st;
    *ret_id = id_of(a, iso);
    *ret_taken = arena_str(a, str_of(iso));
    return STATUS_OK;
}

size_t shelf_find(const str *ids, size_t count, str at)
{
    char digits[BACKUP_ID_LEN + 1];
    size_t n = 0;
    for (size_t i = 0; i < at.n && n < BACKUP_ID_LEN; i++) {
        char c = at.p[i] == ' ' || at.p[i] == 't' ? 'T' : at.p[i];
        if (c != '-' && c != ':')
            digits[n++] = c;
    }
    for (size_t i = count; i > 0; i--)
        if (str_cmp(str_sub(ids[i - 1], 0, n), str_make(digits, n)) <= 0)
            return i - 1;
    return count;
}

/* ---- which stay ---- */

static int64_t digits(str id, size_t at, size_t n)
{
    int64_t sum = 0;
    for (size_t i = at; i < at + n; i++)
        sum = sum * 10 + (id.p[i] - '0');
    return sum;
}

/* A number that is equal for backups of one day, week or month. */
static int64_t period_of(str id, int rule)
{
    int64_t y = digits(id, 0, 4), m = digits(id, 4, 2), d = digits(id, 6, 2);
    if (rule == 2)
        return y * 12 + m;
    int64_t shifted = m > 2 ? y : y - 1, month = m > 2 ? m - 3 : m + 9; /* days since 0000-03-01 */
    int64_t day = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + (month * 153 + 2) / 5 + d - 1;
    return rule == 0 ? day : (day + 2) / 7; /* weeks begin on Monday: 0000-03-01 was a Wednesday */
}

void shelf_mark_kept(const str *ids, size_t count, const struct backup_keep *k, bool *kept)
{
    const int64_t rules[] = {k->daily, k->weekly, k->monthly};
    for (size_t i = 0; i < count; i++)
        kept[i] = (int64_t)(count - i) <= k->last;
    for (int r = 0; r < 3; r++) {
        int64_t seen = 0, period = -1;
        for (size_t i = count; i > 0 && seen < rules[r]; i--) {
            int64_t of = period_of(ids[i - 1], r);
            if (of == period)
                continue;
            period = of;
            seen++;
            kept[i - 1] = true;
        }
    }
}

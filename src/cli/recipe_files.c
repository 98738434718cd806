/* SPDX-License-Identifier: Apache-2.0 */
/* recipe_files — the same table as CSV in many encodings, for readers that have to find out which. */
#include <errno.h>
#include <iconv.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "cli/recipes.h"

struct file_kind {
    const char *name, *encoding, *mark;
    char delimiter;
    bool western; /* the encoding has western letters only */
};

static const struct file_kind kinds[] = {
    {"utf-8", "UTF-8", "", ',', false},
    {"utf-8-mark", "UTF-8", "\xef\xbb\xbf", ',', false},
    {"utf-16le", "UTF-16LE", "\xff\xfe", ',', false},
    {"utf-16be", "UTF-16BE", "\xfe\xff", '\t', false},
    {"windows-1252", "WINDOWS-1252", "", ';', true},
    {"iso-8859-1", "ISO-8859-1", "", ',', true},
    {"iso-8859-15", "ISO-8859-15", "", ';', true},
    {"mac-roman", "MACINTOSH", "", ',', true},
    {"cp850", "CP850", "", '|', true},
    {"shift-jis", "SHIFT_JIS", "", ',', false},
    {"gb18030", "GB18030", "", ',', false},
    {"big5", "BIG5", "", ',', false},
    {"euc-kr", "EUC-KR", "", ',', false},
    {"windows-1251", "WINDOWS-1251", "", ';', false},
};

static const char *words_of(const struct file_kind *k)
{
    static const struct {
        const char *encoding, *words;
    } others[] = {{"SHIFT_JIS", "東京 大阪 カメラ"},
                  {"GB18030", "北京 上海 数据库"},
                  {"BIG5", "臺北 高雄 資料"},
                  {"EUC-KR", "서울 부산 자료"},
                  {"WINDOWS-1251", "Москва данные таблица"}};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_is(str_of(k->encoding), others[i].encoding))
            return others[i].words;
    return k->western ? "Café Müller Ångström señor" : "Café Ångström 東京 Москва";
}

static enum status convert(struct recipe_job *j, const struct file_kind *k, str text, str *ret, struct err *err)
{
    iconv_t cd = iconv_open(k->encoding, "UTF-8");
    size_t in_left = text.n, cap = text.n * 4 + 16, out_left = cap;
    char *in = arena_cstr(j->a, text), *out = arena_alloc_raw(j->a, cap), *to = out;
    if (cd == (iconv_t)-1)
        return err_sys(err, STATUS_IO, errno, "the encoding %s is not known here", k->encoding);
    size_t left = iconv(cd, &in, &in_left, &to, &out_left);
    int why = errno;
    iconv_close(cd);
    if (left == (size_t)-1)
        return err_sys(err, STATUS_IO, why, "cannot write %s", k->encoding);
    *ret = str_make(out, cap - out_left);
    return STATUS_OK;
}

static enum status make_file(struct recipe_job *j, const struct file_kind *k, struct err *err)
{
    struct buf text;
    str bytes;
    buf_init(&text, LIMIT_JSON_OUTPUT);
    buf_printf(&text, "id%cname%cscore\r\n", k->delimiter, k->delimiter);
    for (int64_t i = 1; i <= j->rows; i++) {
        buf_printf(&text, "%lld%c%s %llu%c%llu\r\n", (long long)i, k->delimiter, words_of(k),
                   (unsigned long long)recipe_random(j, 1000), k->delimiter, (unsigned long long)recipe_random(j, 100));
        recipe_step(j);
    }
    enum status st = text.over ? err_set(err, STATUS_TOO_LARGE, "too many rows for one file")
                               : convert(j, k, buf_str(&text), &bytes, err);
    buf_release(&text);
    if (st != STATUS_OK)
        return st;
    char *path = arena_cstr(j->a, ARENA_CAT(j->a, j->path, STR("/"), str_of(k->name), STR(".csv")));
    return fs_write_atomic(path, ARENA_CAT(j->a, str_of(k->mark), bytes), 0666, err);
}

enum status recipe_encodings(struct recipe_job *j, struct err *err)
{
    enum status st = STATUS_OK;
    if (mkdir(arena_cstr(j->a, j->path), 0777) != 0 && errno != EEXIST)
        return err_sys(err, STATUS_IO, errno, "cannot make the folder %.*s", STR_ARG(j->path));
    for (size_t i = 0; i < ARRAY_LEN(kinds) && st == STATUS_OK; i++)
        st = make_file(j, &kinds[i], err);
    return st;
}

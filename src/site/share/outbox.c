/* SPDX-License-Identifier: Apache-2.0 */
#include "site/share/outbox.h"

#include <dirent.h>

#include "base/fs.h"
#include "base/limits.h"
#include "codec/value.h"

static size_t waiting(const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e && n < (size_t)LIMIT_SHARE_MAILS; e = readdir(d))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

enum status outbox_share(str folder, str id, str to, str what, str url, str by, struct err *err)
{
    const struct {
        const char *key;
        str text;
    } pairs[] = {{"kind", STR("share")}, {"to", to}, {"what", what}, {"url", url}, {"by", by}};
    struct arena *a = arena_new(0);
    struct value d = value_dict(a);
    struct buf json;
    str path = ARENA_CAT(a, folder, STR("/"), id, STR(".json"));
    enum status st = fs_make_folders(path, 0700, err);
    if (st == STATUS_OK && waiting(arena_cstr(a, folder)) >= (size_t)LIMIT_SHARE_MAILS)
        st = err_set(err, STATUS_RATE, "%d mails wait to be sent already", (int)LIMIT_SHARE_MAILS);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        value_set(d, str_of(pairs[i].key), value_str(pairs[i].text));
    buf_init(&json, LIMIT_JSON_OUTPUT);
    value_to_json(&json, d, 0);
    if (st == STATUS_OK)
        st = fs_write_atomic(path.p, buf_str(&json), 0600, err);
    buf_release(&json);
    arena_free(a);
    return st;
}

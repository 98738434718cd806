/* SPDX-License-Identifier: Apache-2.0 */
/* tell — space.json: what a space knows of the hub.
 *
 * spaces.changed counts what happened to what stands there; spaces.told is the count that the file was written at. One
 * thread of one process writes at a time, and it reads hub.db after it has the lock: so the file that is written last
 * is the newest, and a failure or a crash leaves told behind changed, which the next call mends. At the start all files
 * are compared: hub.yaml, a key or hub.db may be other ones. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/token.h"
#include "hub/domain.h"
#include "hub/edge_apps.h"
#include "hub/lock.h"
#include "hub/logo.h"
#include "hub/quota.h"
#include "hub/space.h"
#include "rt/fault.h"

#define TELL_MS 10000 /* for another process that is at it */

static struct value json_of(struct arena *a, str text)
{
    struct value v;
    return value_from_json(a, text, &v, NULL) == STATUS_OK ? v : value_dict(a);
}

static struct value keys_value(struct hub *h, struct arena *a)
{
    struct value keys = value_list(a), key = value_dict(a);
    VALUE_SET(key, "id", value_cstr("1"));
    VALUE_SET(key, "ed25519", value_str(token_key_public(h->key, a)));
    value_push(keys, key);
    return keys;
}

static enum status members_value(struct conn *c, struct arena *a, str id, struct value *ret, struct err *err)
{
    struct value people, out = value_dict(a);
    enum status st = space_people(c, a, id, &people, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(people); i++) {
        struct value p = value_at(people, i), m = value_dict(a);
        VALUE_SET(m, "role", VALUE_GET(p, "role"));
        VALUE_SET(m, "name", VALUE_GET(p, "name"));
        if (VALUE_GET(p, "verified_at").i) /* a space may open what is shared with an address: it must be theirs */
            VALUE_SET(m, "email", VALUE_GET(p, "email"));
        value_set(out, VALUE_GET(p, "id").s, m);
    }
    if (st == STATUS_OK)
        *ret = out;
    return st;
}

static enum status revoked_value(struct conn *c, struct arena *a, str id, struct value *ret, struct err *err)
{
    struct value rows, out = value_dict(a);
    enum status st = SQL_ROWS(c, a, &rows, err, "select session_id, until from revoked where space_id = ?1", SQL_T(id));
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++)
        value_set(out, VALUE_GET(value_at(rows, i), "session_id").s, VALUE_GET(value_at(rows, i), "until"));
    if (st == STATUS_OK)
        *ret = out;
    return st;
}

static enum status hosts_value(struct conn *c, struct arena *a, str id, struct value *ret, struct err *err)
{
    struct value rows, out = value_list(a);
    enum status st = domain_list(c, a, id, &rows, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++)
        value_push(out, VALUE_GET(value_at(rows, i), "host"));
    if (st == STATUS_OK)
        *ret = out;
    return st;
}

static enum status make_text(struct hub *h, struct conn *c, struct arena *a, struct value row, str *ret,
                             struct err *err)
{
    struct value v = value_dict(a), members, revoked, hosts;
    struct hub_quota quota;
    struct buf json;
    int64_t after = 0;
    str id = VALUE_GET(row, "id").s, logo = logo_url(&h->config, a, value_get_text(row, STR("logo")));
    enum status st = members_value(c, a, id, &members, err);
    if (st == STATUS_OK)
        st = revoked_value(c, a, id, &revoked, err);
    if (st == STATUS_OK)
        st = store_fact(c, a, "signed_in_after", &after, err);
    if (st == STATUS_OK)
        st = hosts_value(c, a, id, &hosts, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(v, "id", VALUE_GET(row, "id"));
    VALUE_SET(v, "name", VALUE_GET(row, "name"));
    VALUE_SET(v, "title", VALUE_GET(row, "title"));
    VALUE_SET(v, "origin", value_str(hub_space_origin(a, &h->config, VALUE_GET(row, "name").s)));
    VALUE_SET(v, "hosts", hosts);
    VALUE_SET(v, "hub", value_str(h->config.origin));
    VALUE_SET(v, "keys", keys_value(h, a));
    VALUE_SET(v, "visibility", VALUE_GET(row, "visibility"));
    VALUE_SET(v, "members", members);
    VALUE_SET(v, "revoked", revoked);
    VALUE_SET(v, "signed_in_after", value_int(after));
    struct value theme = json_of(a, VALUE_GET(row, "theme").s);
    if (logo.n)
        VALUE_SET(theme, "logo", value_str(logo));
    VALUE_SET(v, "theme", theme);
    quota_of(&h->config, a, VALUE_GET(row, "quota").s, &quota);
    VALUE_SET(v, "quota", quota_value(a, &quota));
    VALUE_SET(v, "suspended", value_bool(str_is(VALUE_GET(row, "state").s, "suspended")));
    VALUE_SET(v, "suspended_for", VALUE_GET(row, "suspended_for"));
    buf_init(&json, LIMIT_JSON_OUTPUT);
    value_to_json_indent(&json, v, VALUE_JSON_UTF8, 1);
    buf_putc(&json, '\n');
    *ret = arena_str(a, buf_str(&json));
    buf_release(&json);
    return STATUS_OK;
}

struct told {
    str id;
    int64_t changed;
};

static enum status mark_told(struct conn *c, void *arg, struct err *err)
{
    const struct told *t = arg;
    return SQL_RUN(c, err, "update spaces set told = ?2 where id = ?1", SQL_T(t->id), SQL_I(t->changed));
}

static enum status tell_one(struct hub *h, struct conn *c, struct arena *a, struct value row, bool *ret_written,
                            struct err *err)
{
    struct told told = {VALUE_GET(row, "id").s, VALUE_GET(row, "changed").i};
    str text, has = {0},
              path = arena_printf(a, "%.*s/spaces/%.*s/space.json", STR_ARG(h->config.dir), STR_ARG(told.id));
    enum status st = make_text(h, c, a, row, &text, err);
    if (st == STATUS_OK)
        st = fs_make_folders(path, 0700, err);
    /* Names and addresses of people: for the space's own user, which is in no group but its own, and nobody else. */
    bool root = geteuid() == 0;
    mode_t mode = root ? 0640 : 0600;
    gid_t group = root ? edge_apps_user(told.id) : (gid_t)-1;
    struct stat s;
    bool same = stat(path.p, &s) == 0 && (s.st_mode & 0777) == mode && (!root || s.st_gid == group) &&
                fs_read_file(path.p, LIMIT_JSON_OUTPUT, a, &has, NULL) == STATUS_OK && str_eq(has, text);
    if (st == STATUS_OK && !same)
        st = fs_write_atomic_group(path.p, text, mode, group, err);
    (void)FAULT("hub.tell.written");
    if (st == STATUS_OK && VALUE_GET(row, "told").i != told.changed)
        st = store_write(h->store, mark_told, &told, err);
    *ret_written = !same;
    return st;
}

/* sql: rows of spaces. How many files were written. */
static size_t tell(struct hub *h, const char *sql)
{
    struct arena *a = arena_new(0);
    struct conn *c = NULL;
    struct err err = ERR_INIT;
    struct value rows = VALUE_NULL;
    size_t n = 0;
    int fd = -1;
    pthread_mutex_lock(&h->tell);
    enum status st = hub_lock(h, "tell", STR(""), TELL_MS, &fd, &err);
    if (st == STATUS_OK)
        st = store_read(h->store, &c, &err);
    if (st == STATUS_OK)
        st = conn_begin_read(c, &err); /* members and the count of changes of one moment */
    if (st == STATUS_OK)
        st = sql_rows(c, a, sql, NULL, 0, &rows, &err);
    for (size_t i = 0; i < value_count(rows); i++) {
        struct arena *one = arena_new_small();
        struct err own = ERR_INIT;
        bool written = false;
        if (tell_one(h, c, one, value_at(rows, i), &written, &own) != STATUS_OK)
            log_line(LOG_ERROR, "hub", "space.json of %.*s: %s", STR_ARG(VALUE_GET(value_at(rows, i), "id").s),
                     own.text);
        else
            n += written;
        arena_free(one);
    }
    if (st != STATUS_OK)
        log_line(LOG_ERROR, "hub", "space.json: %s", err.text);
    conn_release(c);
    hub_unlock(fd);
    pthread_mutex_unlock(&h->tell);
    arena_free(a);
    return n;
}

#define SPACES                                                                                                         \
    "select id, name, title, state, visibility, theme, quota, suspended_for, changed, told,"                           \
    " (select l.name from logos l where l.space_id = spaces.id) as logo from spaces where state <> 'deleted'"

void space_tell(struct hub *h)
{
    (void)tell(h, SPACES " and changed <> told");
}

size_t space_tell_all(struct hub *h)
{
    return tell(h, SPACES);
}

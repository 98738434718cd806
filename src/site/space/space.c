/* SPDX-License-Identifier: Apache-2.0 */
#include "site/space/space.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

static enum status wrong(struct err *err, const char *key, const char *what)
{
    return err_set(err, STATUS_INVALID, "\"%s\" %s", key, what);
}

/* ---- single values ---- */

static bool is_id(str s)
{
    bool good = s.n > 0 && s.n <= LIMIT_SPACE_ID;
    for (size_t i = 0; good && i < s.n; i++)
        good = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
               (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-' || s.p[i] == '_';
    return good;
}

/* "http://host" or "https://host", a port perhaps, no path: it is put into headers and links as it is. */
static bool is_origin(str s)
{
    str host = str_starts(s, STR("https://"))  ? str_from(s, 8)
               : str_starts(s, STR("http://")) ? str_from(s, 7)
                                               : STR("");
    bool good = host.n > 0 && host.n <= LIMIT_EDGE_HOST + 6;
    for (size_t i = 0; good && i < host.n; i++) {
        char c = host.p[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' || c == '[' ||
               c == ']' || c == '_';
    }
    return good;
}

static enum status read_origin(struct value root, const char *key, str *ret, struct err *err)
{
    str s = value_get_text(root, str_of(key));
    if (!is_origin(s))
        return wrong(err, key, "must be an origin such as \"https://data.example.org\"");
    *ret = s;
    return STATUS_OK;
}

static enum status read_keys(struct space *sp, struct value list, struct err *err)
{
    if (list.kind != VALUE_LIST)
        return wrong(err, "keys", "must be a list");
    struct token_public *keys = ARENA_ARRAY(sp->arena, struct token_public, value_count(list) + 1);
    if (value_count(list) > LIMIT_SPACE_KEYS)
        return wrong(err, "keys", "has too many of them");
    for (size_t i = 0; i < value_count(list); i++) {
        struct value k = value_at(list, i);
        struct token_public *to = &keys[sp->key_count];
        if (k.kind == VALUE_DICT && !value_has(k, STR("ed25519")))
            continue; /* of a kind that a later version knows */
        to->id = value_get_text(k, STR("id"));
        if (!to->id.n || !token_public_read(value_get_text(k, STR("ed25519")), to->bytes))
            return wrong(err, "keys", "must hold an \"id\" and 32 bytes in base64url as \"ed25519\"");
        sp->key_count++;
    }
    sp->keys = keys;
    return STATUS_OK;
}

static enum status read_limit(struct value quota, const char *key, int64_t *ret, struct err *err)
{
    struct value v = value_get(quota, str_of(key));
    if (value_is_null(v))
        return STATUS_OK;
    if (v.kind != VALUE_INT || v.i < 0)
        return wrong(err, key, "must be a whole number, 0 for none");
    *ret = v.i;
    return STATUS_OK;
}

static enum status read_people(struct space *sp, struct value root, struct err *err)
{
    str visibility = value_get_text(root, STR("visibility"));
    struct value members = VALUE_GET(root, "members"), revoked = VALUE_GET(root, "revoked");
    if (!str_is(visibility, "public") && !str_is(visibility, "private"))
        return wrong(err, "visibility", "must be \"private\" or \"public\"");
    if (members.kind != VALUE_DICT)
        return wrong(err, "members", "must be an object: id of a user -> role, name, email");
    if (!value_is_null(revoked) && revoked.kind != VALUE_DICT)
        return wrong(err, "revoked", "must be an object: id of a session -> time");
    for (size_t i = 0; i < members.dict->count; i++) {
        struct value m = members.dict->entries[i].value;
        if (m.kind != VALUE_DICT || !value_is_text(VALUE_GET(m, "role")))
            return wrong(err, "members", "must hold an object with a \"role\" for each user");
    }
    sp->people = (struct permit_hub){.is_public = str_is(visibility, "public"), .members = members};
    sp->revoked = revoked;
    return read_limit(root, "signed_in_after", &sp->signed_in_after, err);
}

static enum status read_quota(struct space *sp, struct value root, struct err *err)
{
    struct value quota = VALUE_GET(root, "quota"), suspended = VALUE_GET(root, "suspended");
    if (!value_is_null(quota) && quota.kind != VALUE_DICT)
        return wrong(err, "quota", "must be an object");
    enum status st = read_limit(quota, "disk_bytes", &sp->disk_bytes, err);
    if (st == STATUS_OK)
        st = read_limit(quota, "sql_ms", &sp->sql_ms, err);
    if (st == STATUS_OK)
        st = read_limit(quota, "requests_per_minute", &sp->requests_per_minute, err);
    if (st != STATUS_OK)
        return st;
    if (!value_is_null(suspended) && suspended.kind != VALUE_BOOL && !value_is_text(suspended))
        return wrong(err, "suspended", "must be true, false or a reason");
    sp->suspended = value_truth(suspended);
    sp->suspended_why = value_is_text(suspended) ? suspended.s
                        : sp->suspended          ? value_get_text(root, STR("suspended_for"))
                                                 : (str){0};
    return STATUS_OK;
}

/* ---- decoration ---- */

static bool is_color(str s)
{
    bool good = s.n == 7 && s.p[0] == '#';
    for (size_t i = 1; good && i < s.n; i++)
        good = (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f') || (s.p[i] >= 'A' && s.p[i] <= 'F');
    return good;
}

/* A plain name of a picture: it becomes a part of an address. */
static bool is_picture(str s)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".avif"};
    bool good = false;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        good = good || (s.n > strlen(ends[i]) && str_ends(s, str_of(ends[i])));
    for (size_t i = 0; good && i < s.n; i++)
        good = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
               (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-' || s.p[i] == '_' || (s.p[i] == '.' && i > 0);
    return good && s.n <= LIMIT_SPACE_ID;
}

static void read_theme(struct space *sp, struct value root)
{
    struct value theme = VALUE_GET(root, "theme");
    str title = value_get_text(root, STR("title")), accent = value_get_text(theme, STR("accent")),
        logo = value_get_text(theme, STR("logo"));
    sp->title = str_trim(title).n ? title : sp->name;
    if (accent.n && !is_color(accent))
        log_line(LOG_WARN, "space", "theme.accent \"%.*s\" is no colour such as #1b6e53", STR_ARG(accent));
    else
        sp->accent = accent;
    str below = ARENA_CAT(sp->arena, sp->hub, STR("/-/logo/"));
    if (logo.n && !is_picture(str_starts(logo, below) ? str_from(logo, below.n) : logo))
        log_line(LOG_WARN, "space", "theme.logo \"%.*s\" is no name of a picture", STR_ARG(logo));
    else
        sp->logo = logo;
}

/* ---- the whole ---- */

static enum status fill(struct space *sp, struct value root, struct err *err)
{
    if (root.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "it must hold an object");
    sp->id = value_get_text(root, STR("id"));
    sp->name = value_get_text(root, STR("name"));
    if (!is_id(sp->id))
        return wrong(err, "id", "must be a text of letters and digits");
    if (!is_id(sp->name))
        return wrong(err, "name", "must be a text of letters and digits");
    enum status st = read_origin(root, "origin", &sp->origin, err);
    if (st == STATUS_OK)
        st = read_origin(root, "hub", &sp->hub, err);
    if (st == STATUS_OK)
        st = read_keys(sp, VALUE_GET(root, "keys"), err);
    if (st == STATUS_OK)
        st = read_people(sp, root, err);
    if (st == STATUS_OK)
        st = read_quota(sp, root, err);
    if (st == STATUS_OK)
        read_theme(sp, root);
    sp->https = str_starts(sp->origin, STR("https:"));
    sp->hosts = VALUE_GET(root, "hosts"); /* whatever it is: looked at as a list of texts */
    return st;
}

enum status space_parse(str text, struct space **ret, struct err *err)
{
    struct arena *a = arena_new(0);
    struct space *sp = ARENA_NEW(a, struct space);
    struct value root;
    *sp = (struct space){.arena = a, .generation = str_hash(text)};
    atomic_init(&sp->refs, 1);
    enum status st = value_from_json(a, text, &root, err);
    if (st == STATUS_OK)
        st = fill(sp, root, err);
    if (st == STATUS_OK)
        *ret = sp;
    else
        arena_free(a);
    return st;
}

enum status space_read(const char *path, struct space **ret, struct err *err)
{
    struct arena *a = arena_new(0);
    str text;
    enum status st = fs_read_file(path, LIMIT_SPACE_FILE, a, &text, err);
    if (st == STATUS_OK && (st = space_parse(text, ret, err)) != STATUS_OK)
        err_prefix(err, "%s", path);
    arena_free(a);
    return st;
}

struct space *space_ref(struct space *sp)
{
    atomic_fetch_add_explicit(&sp->refs, 1, memory_order_relaxed);
    return sp;
}

void space_unref(struct space *sp)
{
    if (sp && atomic_fetch_sub(&sp->refs, 1) == 1)
        arena_free(sp->arena);
}

bool space_is_other_host(const struct space *sp, str host)
{
    str name, port;
    str_cut(host, ':', &name, &port);
    for (size_t i = 0; sp->hosts.kind == VALUE_LIST && i < value_count(sp->hosts); i++) {
        struct value one = value_at(sp->hosts, i);
        if (one.kind == VALUE_STR && str_eq_nocase(one.s, name))
            return true;
    }
    return false;
}

bool space_is_revoked(const struct space *sp, str session)
{
    return value_has(sp->revoked, session);
}

str space_owners(const struct space *sp, struct arena *a)
{
    str names[3];
    size_t n = 0;
    const struct value_dict *d = sp->people.members.dict;
    for (size_t i = 0; i < d->count && n < ARRAY_LEN(names); i++) {
        str name = value_get_text(d->entries[i].value, STR("name"));
        if (role_find(value_get_text(d->entries[i].value, STR("role"))) == ROLE_OWNER && name.n)
            names[n++] = name;
    }
    if (n == 3)
        return ARENA_CAT(a, names[0], STR(", "), names[1], STR(" or "), names[2]);
    return n == 2 ? ARENA_CAT(a, names[0], STR(" or "), names[1]) : n == 1 ? arena_str(a, names[0]) : (str){0};
}

/* ---- the cell ---- */

struct space_cell {
    pthread_mutex_t lock; /* of `now`; held for a few instructions */
    struct space *now;
    pthread_mutex_t reading; /* held around a look at the file, and what follows */
    char *path;
    struct stat seen;
};

struct space_cell *space_cell_new(struct space *first, str path)
{
    struct space_cell *c = MEM_NEW(struct space_cell);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->reading, NULL);
    c->path = mem_cstr(path);
    c->now = first;
    return c;
}

void space_cell_free(struct space_cell *c)
{
    if (!c)
        return;
    space_unref(c->now);
    free(c->path);
    pthread_mutex_destroy(&c->reading);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct space *space_cell_get(struct space_cell *c)
{
    if (!c)
        return NULL;
    pthread_mutex_lock(&c->lock);
    struct space *sp = space_ref(c->now);
    pthread_mutex_unlock(&c->lock);
    return sp;
}

static void put(struct space_cell *c, struct space *sp)
{
    pthread_mutex_lock(&c->lock);
    struct space *old = c->now;
    bool new = sp->generation != old->generation;
    if (new)
        c->now = sp;
    pthread_mutex_unlock(&c->lock);
    space_unref(new ? old : sp);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool space_cell_stale(struct space_cell *c)
{
    struct stat file;
    bool stale = true; /* somebody reads it just now */
    if (pthread_mutex_trylock(&c->reading) == 0) {
        stale = stat(c->path, &file) == 0 && !same_file(&file, &c->seen);
        pthread_mutex_unlock(&c->reading);
    }
    return stale;
}

enum status space_cell_read(struct space_cell *c, struct err *err)
{
    struct stat file;
    struct space *sp;
    enum status st = STATUS_OK;
    pthread_mutex_lock(&c->reading);
    if (stat(c->path, &file) == 0 && !same_file(&file, &c->seen)) {
        c->seen = file;
        st = space_read(c->path, &sp, err);
        if (st == STATUS_OK)
            put(c, sp);
    }
    pthread_mutex_unlock(&c->reading);
    return st;
}

static void unref_deferred(void *arg)
{
    space_unref(arg);
}

const struct space *space_cell_borrow(struct space_cell *c, struct arena *a)
{
    struct space *sp = space_cell_get(c);
    if (sp)
        arena_defer(a, unref_deferred, sp);
    return sp;
}

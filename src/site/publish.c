/* SPDX-License-Identifier: Apache-2.0 */
/* publish — the databases of a generation. One that is as it was in the generation before is taken over with its
 * connections, counts and facets; only what is new or changed is opened. */
#include "site/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "db/writer.h"
#include "site/figure_store.h"

int64_t published_size(const struct published *p)
{
    return p->is_mutable ? database_size_bytes(p->database) : p->size_bytes;
}

/* "dir/my data.db" -> "my data"; a second one of the same name becomes "my data_2". */
static str database_name_of(struct site *s, str path)
{
    size_t slash = str_rfind_char(path, '/');
    str base = slash == STR_NPOS ? path : str_from(path, slash + 1);
    size_t dot = str_rfind_char(base, '.');
    if (dot != STR_NPOS && dot > 0)
        base = str_sub(base, 0, dot);
    str name = base;
    for (int n = 2; site_find(s, name); n++)
        name = arena_printf(s->arena, "%.*s_%d", STR_ARG(base), n);
    return arena_str(s->arena, name);
}

struct published *published_ref(struct published *p)
{
    atomic_fetch_add(&p->refs, 1);
    return p;
}

void published_unref(struct published *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    writer_free(p->writer);
    database_unref(p->database);
    figure_store_free(p->figures);
    arena_free(p->arena);
    free((void *)(uintptr_t)p->name.p);
    free((void *)(uintptr_t)p->path.p);
    free((void *)(uintptr_t)p->hash.p);
    free(p);
}

static enum status hash_file(struct site *s, struct published *p, struct err *err)
{
    char hex[DIGEST_HEX_MAX];
    struct value entry = value_get(s->inspect, p->name), hash = VALUE_GET(entry, "hash");
    if (entry.kind == VALUE_DICT) {
        p->arena = arena_new(0);
        p->inspect_tables = value_copy(p->arena, VALUE_GET(entry, "tables"));
    }
    p->size_bytes = database_size_bytes(p->database);
    if (value_is_text(hash)) {
        p->hash = str_make(mem_cstr(hash.s), hash.s.n);
        return STATUS_OK;
    }
    enum status st = digest_sha256_file(p->path.p, hex, err);
    if (st == STATUS_OK)
        p->hash = str_of(mem_cstr(str_of(hex)));
    return st;
}

static void pick_color(struct published *p)
{
    char md5[DIGEST_HEX_MAX];
    digest_md5_hex(p->name, md5);
    snprintf(p->color, sizeof p->color, "%.6s", p->hash.n >= 6 ? p->hash.p : md5);
}

/* Two databases with the same one are the same. A file that nobody writes is a new one when it was replaced. */
static uint64_t options_hash(struct site *s, const struct database_options *d)
{
    struct stat st = {0};
    struct arena *a = arena_new(1u << 16);
    if (d->immutable)
        (void)stat(arena_cstr(a, d->path), &st);
    struct value inspected = d->immutable ? VALUE_GET(value_get(s->inspect, d->name), "hash") : VALUE_UNDEF;
    str text =
        arena_printf(a, "%d %lld %lld %lld %lld.%ld %.*s", d->immutable, (long long)d->cache_size_kb,
                     (long long)st.st_ino, (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                     value_is_text(inspected) ? (int)inspected.s.n : 0, value_is_text(inspected) ? inspected.s.p : "");
    for (size_t i = 0; i < d->attach_count; i++)
        text = ARENA_CAT(a, text, STR("\n"), d->attach[i].name, STR("\n"), d->attach[i].path);
    uint64_t hash = str_hash(text);
    arena_free(a);
    return hash;
}

static struct published *take_over(const struct site *old, const struct database_options *d, uint64_t made_of)
{
    struct published *p = old ? site_find(old, d->name) : NULL;
    if (!p || p->made_of != made_of || p->is_memory != d->memory || !str_eq(p->path, d->path))
        return NULL;
    atomic_fetch_add(&p->refs, 1);
    return p;
}

static enum status publish_new(struct site *s, const struct database_options *d, bool check, uint64_t made_of,
                               enum writer_sync sync, struct published **ret, struct err *err)
{
    struct published *p = MEM_NEW(struct published);
    atomic_init(&p->refs, 1);
    p->name = str_make(mem_cstr(d->name), d->name.n);
    p->path = str_make(mem_cstr(d->path), d->path.n);
    p->made_of = made_of;
    p->inspect_tables = VALUE_UNDEF;
    enum status st = database_new(d, &p->database, err);
    if (st == STATUS_OK) {
        p->figures = figure_store_new(LIMIT_FIGURE_BYTES);
        p->is_memory = d->memory;
        p->is_mutable = !d->immutable;
        if (p->is_mutable)
            p->writer = writer_new(p->database, sync);
        if (check || d->immutable)
            st = database_check(p->database, err);
    }
    if (st == STATUS_OK && d->immutable)
        st = hash_file(s, p, err);
    if (st != STATUS_OK) {
        published_unref(p);
        return st;
    }
    pick_color(p);
    *ret = p;
    return STATUS_OK;
}

static enum status publish(struct site *s, const struct site *old, const struct site_options *o, str path,
                           bool immutable, bool memory, struct err *err)
{
    str name = memory ? STR("_memory") : database_name_of(s, path);
    struct value config = config_database(&s->config, name), kb = VALUE_GET(config, "cache_size_kb");
    struct database_attach attach[LIMIT_DB_ATTACHED];
    immutable = immutable || value_truth(VALUE_GET(config, "immutable")) ||
                (o->inspect_makes_immutable && value_has(s->inspect, name));
    struct database_options d = {
        .name = name,
        .path = memory ? STR("") : path,
        .memory = memory,
        .immutable = immutable && !memory,
        .nolock = o->nolock,
        .create = o->create,
        .load_extensions = o->load_extensions,
        .load_extension_count = o->load_extension_count,
        .cache_size_kb = kb.kind == VALUE_INT ? kb.i : s->config.settings.cache_size_kb,
        .attach = attach,
    };
    for (size_t i = 0; memory && o->crossdb && i < s->published_count && d.attach_count < ARRAY_LEN(attach); i++) {
        if (!s->published[i]->is_memory)
            attach[d.attach_count++] =
                (struct database_attach){s->published[i]->name, s->published[i]->path, !s->published[i]->is_mutable};
    }
    uint64_t made_of = options_hash(s, &d);
    struct published *p = take_over(old, &d, made_of);
    enum status st = STATUS_OK;
    if (!p)
        st = publish_new(s, &d, old || o->file_count <= (size_t)LIMIT_CHECK_AT_START, made_of,
                         o->sync_normal ? WRITER_SYNC_NORMAL : WRITER_SYNC_FULL, &p, err);
    if (st == STATUS_OK)
        s->published[s->published_count++] = p;
    return st;
}

static enum status publish_file(struct site *s, const struct site *old, const struct site_options *o, size_t i,
                                struct err *err)
{
    struct err why = ERR_INIT;
    enum status st = publish(s, old, o, o->files[i], o->file_immutable[i], false, old ? &why : err);
    if (st == STATUS_OK || !old)
        return st;
    LOG_WITH(LOG_WARN, "site", STR("a file is not published"), LOG_STR("file", o->files[i]),
             LOG_STR("why", str_of(why.text)));
    return STATUS_OK;
}

enum status publish_all(struct site *s, const struct site *old, const struct site_options *o, struct err *err)
{
    bool memory = o->memory || o->crossdb || (!o->file_count && !o->space.n);
    s->published = ARENA_ARRAY(s->arena, struct published *, o->file_count + 2);
    for (int immutable = 0; immutable < 2; immutable++) { /* mutable files are listed first, as Datasette does */
        for (size_t i = 0; i < o->file_count; i++) {
            if (o->file_immutable[i] != immutable)
                continue;
            enum status st = publish_file(s, old, o, i, err);
            if (st != STATUS_OK)
                return st;
        }
    }
    if (!memory)
        return STATUS_OK;
    enum status st = publish(s, old, o, STR(""), false, true, err);
    if (st == STATUS_OK && s->published_count > 1) { /* listed first, as Datasette does */
        struct published *m = s->published[s->published_count - 1];
        memmove(s->published + 1, s->published, (s->published_count - 1) * sizeof *s->published);
        s->published[0] = m;
    }
    return st;
}

/* What earlier generations published, so that who asks for it is told more than "not found". */
void publish_note_removed(struct site *s, const struct site *old)
{
    str *names = ARENA_ARRAY(s->arena, str, old->published_count + old->removed_count + 1);
    for (size_t i = 0; i < old->published_count + old->removed_count && s->removed_count < (size_t)LIMIT_REMOVED_NAMES;
         i++) {
        str name = i < old->published_count ? old->published[i]->name : old->removed[i - old->published_count];
        if (!site_find(s, name))
            names[s->removed_count++] = arena_str(s->arena, name);
    }
    s->removed = names;
}

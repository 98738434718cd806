/* SPDX-License-Identifier: Apache-2.0 */
/* state — the state file: what apps are to be and which processes run, written as a whole beside the old one.
 *
 * With thousands of apps nearly all of them sleep, and what is to be said of one that sleeps changes only with its
 * versions and its traffic. So that line is kept (life.line), with what it was made from; the others are made anew.
 * Writing 2,000 apps costs about a millisecond and an fsync, for which the control thread waits: so it is done
 * for what apps are to be, and not for their waking and falling asleep (rest.c). */
#include <stdlib.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "edge/edge_impl.h"
#include "rt/fault.h"

/* What the line of a sleeping app is made from; equal: it is the same line. */
static uint64_t line_key(const struct life *l)
{
    const uint64_t parts[] = {l->last_number,
                              l->version_count,
                              l->version_count ? l->versions[0].number : 0,
                              (uint64_t)l->pause,
                              (uint64_t)l->pause_since_s,
                              l->message ? str_hash(str_of(l->message)) : 0,
                              l->origin ? str_hash(str_of(l->origin)) : 0};
    return str_hash(str_make((const char *)parts, sizeof(parts)));
}

static void put_line(struct buf *out, struct life *l)
{
    bool still = !l->units && sm_state(&l->sm) == LIFE_STEADY;
    uint64_t key = still ? line_key(l) : 0;
    if (still && l->line && l->line_key == key) {
        buf_puts(out, str_of(l->line));
        return;
    }
    struct arena *a = arena_new(0);
    size_t from = out->n;
    value_to_json(out, life_value(a, l, true), VALUE_JSON_UTF8);
    arena_free(a);
    free(l->line);
    l->line = still && !out->over ? mem_cstr(str_make(out->p + from, out->n - from)) : NULL;
    l->line_key = key;
}

void edge_save(struct edge *e)
{
    if (e->heir.handed) /* the file is the heir's */
        return;
    struct arena *a = arena_new(0);
    struct err err = ERR_INIT;
    struct buf out;
    size_t pos = 0;
    void *item;
    const char *between = "";
    buf_init(&out, LIMIT_EDGE_STATE);
    buf_printf(&out, "{\"format\": 1, \"next_instance\": %llu, \"apps\": [",
               (unsigned long long)MAX(e->instance_id, e->instance_reserved));
    while (map_next(e->lives, &pos, NULL, &item)) {
        struct life *l = item;
        if ((!l->version_count && !l->units) || sm_state(&l->sm) == LIFE_REMOVING)
            continue;
        buf_printf(&out, "%s\n", between);
        put_line(&out, l);
        between = ",";
    }
    buf_puts(&out, STR("\n]}\n"));
    (void)FAULT("edge.save");
    enum status st = out.over ? err_set(&err, STATUS_TOO_LARGE, "the state is larger than %d bytes", LIMIT_EDGE_STATE)
                              : fs_write_atomic(edge_path(e, a, "", EDGE_STATE_FILE), buf_str(&out), 0600, &err);
    if (st != STATUS_OK)
        log_line(LOG_ERROR, "edge", "the state was not saved, a restart would not know it: %s", err.text);
    (void)FAULT("edge.saved");
    buf_release(&out);
    arena_free(a);
}

enum status state_restore(struct edge *e, struct err *err)
{
    struct arena *a = arena_new(0);
    str text;
    struct value v = VALUE_NULL;
    const char *path = edge_path(e, a, "", EDGE_STATE_FILE);
    enum status st = fs_read_file(path, LIMIT_EDGE_STATE, a, &text, err);
    if (st == STATUS_NOT_FOUND) {
        arena_free(a);
        return STATUS_OK;
    }
    if (st == STATUS_OK)
        st = value_from_json(a, text, &v, err);
    if (st == STATUS_OK && VALUE_GET(v, "format").i != 1)
        st = err_set(err, STATUS_CONFIG, "it is of another version of Vitrine");
    if (st != STATUS_OK) {
        struct err why = *err;
        err_set(err, STATUS_CONFIG, "%s: %.800s", path, why.text);
        err_hint(err, "Nothing was changed. Move the file away to start without apps.");
        arena_free(a);
        return STATUS_CONFIG;
    }
    struct value apps = VALUE_GET(v, "apps");
    e->instance_id = (uint64_t)MAX(0, VALUE_GET(v, "next_instance").i);
    for (size_t i = 0; i < value_count(apps); i++) {
        str name = value_get_text(value_at(apps, i), STR("name"));
        if (!edge_name_ok(name) || edge_life(e, name))
            continue;
        struct life *l = edge_life_make(e, name);
        life_restore(l, value_at(apps, i));
        if (!l->version_count) { /* its first deploy was not finished */
            map_remove(e->lives, name);
            life_free(l);
        }
    }
    arena_free(a);
    return STATUS_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "site/space/follow.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "rt/watch.h"

#define DEBOUNCE_MS 20
#define LOOK_MS     1000

struct space_follow {
    struct space_follow_config config;
    struct space *told; /* what `changed` was last called for */
    struct watch *watch;
    struct loop_timer timer;
    struct loop_message message;
    bool busy, again;
};

static void look(struct space_follow *f);

/* Who signs on may have read the file too (space_cell_read): so what the cell has is compared with what was told. */
static void on_read(void *arg)
{
    struct space_follow *f = arg;
    struct space *now = space_cell_get(f->config.cell), *old = f->told;
    f->busy = false;
    f->told = now;
    if (now->generation != old->generation) {
        LOG_WITH(LOG_INFO, "space", STR("the hub changed the space"), LOG_STR("space", now->id),
                 LOG_I64("members", (int64_t)value_count(now->people.members)));
        f->config.changed(f->config.arg, now->sql_ms != old->sql_ms);
    }
    space_unref(old);
    if (f->again)
        look(f);
}

static void read_on_worker(void *arg, struct worker *w)
{
    struct space_follow *f = arg;
    struct err err = ERR_INIT;
    (void)w;
    if (space_cell_read(f->config.cell, &err) != STATUS_OK)
        log_line(LOG_ERROR, "space", "%s; what it said before stays in force", err.text);
    f->message = (struct loop_message){.fn = on_read, .arg = f};
    loop_post_message(f->config.loop, &f->message);
}

static void look(struct space_follow *f)
{
    f->again = f->busy;
    if (f->busy)
        return;
    f->busy = pool_submit(f->config.pool, f->config.lane, read_on_worker, f);
}

static void on_change(void *arg, unsigned id)
{
    (void)id;
    look(arg);
}

/* Here and not on a worker: a second of an idle space shall cost one stat and not five changes of threads, for there
 * may be hundreds of them. */
static void on_timer(void *arg)
{
    struct space_follow *f = arg;
    struct space *now = space_cell_get(f->config.cell);
    bool news = now->generation != f->told->generation || space_cell_stale(f->config.cell);
    space_unref(now);
    if (news && !f->busy)
        look(f);
    loop_timer_after_ms(f->config.loop, &f->timer, LOOK_MS);
}

struct space_follow *space_follow_new(const struct space_follow_config *c)
{
    struct space_follow *f = MEM_NEW(struct space_follow);
    struct err err = ERR_INIT;
    f->config = *c;
    f->told = space_cell_get(c->cell);
    enum status st = watch_new(c->loop, DEBOUNCE_MS, on_change, f, &f->watch, &err);
    if (st == STATUS_OK)
        st = watch_add(f->watch, c->path, WATCH_FILE, NULL, &err);
    if (st != STATUS_OK)
        log_line(LOG_WARN, "space", "changes are looked for once a second only: %s", err.text);
    loop_timer_init(&f->timer, on_timer, f);
    loop_timer_after_ms(c->loop, &f->timer, LOOK_MS);
    return f;
}

void space_follow_free(struct space_follow *f)
{
    if (!f)
        return;
    while (f->busy && loop_run_once(f->config.loop, 0, NULL) == STATUS_OK) /* the last look has posted its end */
        f->again = false;
    loop_timer_cancel(f->config.loop, &f->timer);
    watch_free(f->watch);
    space_unref(f->told);
    free(f);
}

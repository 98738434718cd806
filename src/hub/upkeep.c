/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/upkeep.h"

#include "base/clock_jump.h"
#include "base/limits.h"
#include "base/log.h"
#include "hub/account.h"
#include "hub/backups.h"
#include "hub/edge_apps.h"
#include "hub/space.h"
#include "hub/waiting.h"
#include "rt/fault.h"

#define SETTLE_MS     5000 /* after the first failure; then twice as long each time */
#define SETTLE_MAX_MS 3600000

static enum status forget_space(struct conn *c, void *arg, struct err *err)
{
    const str *id = arg;
    return SQL_RUN(c, err, "delete from spaces where id = ?1 and state = 'deleted' and deletes_at <= ?2", SQL_T(*id),
                   SQL_I(clock_unix_s()));
}

static enum status forget_links(struct conn *c, void *arg, struct err *err)
{
    int64_t before = clock_unix_s() - LIMIT_HUB_GRACE_S;
    (void)arg;
    enum status st = SQL_RUN(c, err, "delete from links where ends_at < ?1", SQL_I(before));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "delete from invitations where ends_at < ?1", SQL_I(before));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "delete from sessions where ends_at < ?1", SQL_I(clock_unix_s()));
    return st == STATUS_OK ? SQL_RUN(c, err, "delete from revoked where until < ?1", SQL_I(clock_unix_s())) : st;
}

/* A clock that is wrong must not take away what cannot be brought back. So when it is set ahead while we run, nothing
 * is removed for a day: time for somebody to notice, and to set it right. (A machine that slept was not set ahead.) */
#define JUMP_S  3600
#define DOUBT_S 86400

static bool is_trusted(struct upkeep_clock *k)
{
    int64_t boot_s = clock_boot_s(), offset_s = clock_unix_s() - boot_s, jump_s = offset_s - k->offset_s;
    if (k->offset_s && jump_s > JUMP_S) {
        k->doubt_until_s = boot_s + DOUBT_S;
        log_line(LOG_WARN, "hub", "the clock was set ahead by %lld hours: nothing is removed for a day",
                 (long long)(jump_s / 3600));
    } else if (jump_s < -JUMP_S) {
        k->doubt_until_s = 0;
    }
    k->offset_s = offset_s;
    return boot_s >= k->doubt_until_s;
}

/* Folder and app first: the row is what makes the next round try again. */
static void end_spaces(struct hub *h, struct value rows)
{
    for (size_t i = 0; i < value_count(rows) && !atomic_load(&h->stopping); i++) {
        struct err err = ERR_INIT;
        str id = VALUE_GET(value_at(rows, i), "id").s;
        enum status st = edge_apps_remove(h, id, &err);
        if (st == STATUS_OK)
            st = space_erase(h, id, &err);
        (void)FAULT("hub.space.erased");
        if (st == STATUS_OK)
            st = store_write(h->store, forget_space, &id, &err);
        if (st != STATUS_OK)
            log_line(LOG_ERROR, "hub", "space %.*s: %s", STR_ARG(id), err.text);
        else
            log_line(LOG_INFO, "hub", "space %.*s: its data is removed", STR_ARG(id));
    }
}

static bool backup_is_due(struct hub *h, struct conn *c, struct arena *a)
{
    struct value row;
    int64_t now = clock_unix_s(), due = backups_next(&h->config, now) - 86400;
    if (!backups_wanted(&h->config) ||
        sql_row(
            c, a,
            "select (select at from backups where space_id = '') as at, (select min(created_at) from users) as began",
            NULL, 0, &row, NULL) != STATUS_OK)
        return false;
    int64_t last = VALUE_GET(row, "at").kind == VALUE_INT ? VALUE_GET(row, "at").i : VALUE_GET(row, "began").i;
    bool ahead = clock_age_s(last, now) == INT64_MAX;
    return VALUE_GET(row, "began").kind == VALUE_INT && (last < due || ahead); /* a new hub waits for its first night */
}

static void back_up(struct hub *h)
{
    struct backups_result r;
    struct err err = ERR_INIT;
    if (backups_all(h, &r, &err) != STATUS_OK)
        log_line(LOG_ERROR, "backup", "%s", err.text);
    else
        log_line(r.failed ? LOG_ERROR : LOG_INFO, "backup", "%lld copies taken and tried, %lld failed",
                 (long long)r.done, (long long)r.failed);
}

static enum status forget(struct hub *h, struct err *err)
{
    enum status st = store_write(h->store, forget_links, NULL, err);
    if (st == STATUS_OK)
        st = account_purge(h, err);
    return st == STATUS_OK ? waiting_upkeep(h, err) : st;
}

/* At the start, and after something went wrong; the pauses between failures grow, since each may take a while. */
static void settle(struct hub *h)
{
    struct space_settled s;
    struct err err = ERR_INIT;
    int64_t now = clock_mono_ms();
    if (!atomic_load(&h->unsettled) || now < h->settle_ms)
        return;
    if (space_reconcile(h, &s, &err) != STATUS_OK)
        log_line(LOG_ERROR, "hub", "spaces: %s", err.text);
    bool well = !atomic_load(&h->unsettled);
    h->settle_pause_ms = well ? 0 : MIN(MAX(h->settle_pause_ms * 2, (int64_t)SETTLE_MS), (int64_t)SETTLE_MAX_MS);
    h->settle_ms = clock_mono_ms() + h->settle_pause_ms;
}

void upkeep_round(struct hub *h, struct upkeep_clock *clock)
{
    settle(h);
    struct arena *a = arena_new(0);
    struct conn *c = NULL;
    struct value rows = VALUE_NULL;
    struct err err = ERR_INIT;
    bool trusted = is_trusted(clock);
    enum status st = store_read(h->store, &c, &err);
    if (st == STATUS_OK)
        st = SQL_ROWS(c, a, &rows, &err, "select id from spaces where state = 'deleted' and deletes_at <= ?1",
                      SQL_I(clock_unix_s()));
    bool due = st == STATUS_OK && backup_is_due(h, c, a);
    conn_release(c);
    if (st == STATUS_OK && trusted)
        st = forget(h, &err);
    if (st != STATUS_OK)
        log_line(LOG_ERROR, "hub", "%s", err.text);
    if (trusted)
        end_spaces(h, rows);
    space_tell(h);
    if (due)
        back_up(h);
    arena_free(a);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/upkeep.h"

#include "base/clock_jump.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "hub/account.h"
#include "hub/backups.h"
#include "hub/edge_apps.h"
#include "hub/groups.h"
#include "hub/old_name.h"
#include "hub/space.h"
#include "hub/waiting.h"
#include "rt/fault.h"

#define SETTLE_MS     5000 /* after the first failure; then twice as long each time */
#define SETTLE_MAX_MS 3600000

struct ended {
    str id;
    int64_t now_s;
};

static enum status forget_space(struct conn *c, void *arg, struct err *err)
{
    const struct ended *e = arg;
    enum status st = old_name_keep(c, e->id, err);
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "delete from spaces where id = ?1 and state = 'deleted' and deletes_at <= ?2",
                     SQL_T(e->id), SQL_I(e->now_s));
    return st;
}

static enum status forget_links(struct conn *c, void *arg, struct err *err)
{
    int64_t now_s = *(const int64_t *)arg, before = now_s - LIMIT_HUB_GRACE_S;
    enum status st = SQL_RUN(c, err, "delete from links where ends_at < ?1", SQL_I(before));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "delete from invitations where ends_at < ?1", SQL_I(before));
    if (st == STATUS_OK)
        st = old_name_forget(c, now_s, err);
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "delete from sessions where ends_at < ?1", SQL_I(now_s));
    return st == STATUS_OK ? SQL_RUN(c, err, "delete from revoked where until < ?1", SQL_I(now_s)) : st;
}

/* A clock that is wrong must not take away what cannot be brought back. So when it is set ahead while we run, nothing
 * is removed for a day: time for somebody to notice, and to set it right. (A machine that slept was not set ahead.)
 * What a round removes is over by the time that it trusted at its begin: the clock may be set while it goes on. */
#define JUMP_S  3600
#define DOUBT_S 86400
#define DRIFT_S 60 /* how exactly the offset is kept: clocks are corrected a little all the time */

/* "<id of this start of the machine> <offset> <end of doubt>": seconds of clock_boot_s mean nothing after another. */
static str boot_id(struct arena *a)
{
    str id;
    return fs_read_file("/proc/sys/kernel/random/boot_id", 100, a, &id, NULL) == STATUS_OK ? str_trim(id) : STR("?");
}

/* As the process before left it. After the machine was started anew nobody knows how long that took: then a doubt
 * lasts for a day from now. */
static void begin_clock(struct hub *h, struct upkeep_clock *k, struct arena *a, int64_t boot_s)
{
    struct conn *c = NULL;
    struct value row = VALUE_UNDEF;
    str id, rest, offset, doubt;
    int64_t offset_s, doubt_until_s;
    k->begun = store_read(h->store, &c, NULL) == STATUS_OK &&
               sql_row(c, a, "select value from facts where name = 'clock'", NULL, 0, &row, NULL) == STATUS_OK;
    conn_release(c);
    str text = k->begun ? value_get_text(row, STR("value")) : STR("");
    if (!str_cut(text, ' ', &id, &rest) || !str_cut(rest, ' ', &offset, &doubt) || !str_to_i64(offset, &offset_s) ||
        !str_to_i64(doubt, &doubt_until_s))
        return;
    bool same = str_eq(id, boot_id(a));
    k->offset_s = k->kept_offset_s = same ? offset_s : 0;
    k->doubt_until_s = same ? doubt_until_s : doubt_until_s ? boot_s + DOUBT_S : 0;
    k->kept_doubt_until_s = same ? doubt_until_s : 0;
    if (boot_s < k->doubt_until_s)
        log_line(LOG_WARN, "hub", "the clock was set ahead lately: nothing is removed for another %lld hours",
                 (long long)((k->doubt_until_s - boot_s + 3599) / 3600));
}

static enum status write_clock(struct conn *c, void *arg, struct err *err)
{
    return SQL_RUN(c, err, "insert or replace into facts (name, value) values ('clock', ?1)", SQL_T(*(const str *)arg));
}

static void keep_clock(struct hub *h, struct upkeep_clock *k, struct arena *a)
{
    int64_t drift_s = k->offset_s - k->kept_offset_s;
    if (k->doubt_until_s == k->kept_doubt_until_s && drift_s <= DRIFT_S && drift_s >= -DRIFT_S)
        return;
    struct err err = ERR_INIT;
    str id = boot_id(a),
        text = arena_printf(a, "%.*s %lld %lld", STR_ARG(id), (long long)k->offset_s, (long long)k->doubt_until_s);
    if (store_write(h->store, write_clock, &text, &err) != STATUS_OK) {
        log_line(LOG_ERROR, "hub", "what the clock says could not be kept: %s", err.text);
        return;
    }
    k->kept_offset_s = k->offset_s;
    k->kept_doubt_until_s = k->doubt_until_s;
}

static bool is_trusted(struct hub *h, struct upkeep_clock *k, struct arena *a)
{
    int64_t boot_s = clock_boot_s();
    if (!k->begun)
        begin_clock(h, k, a, boot_s);
    k->now_s = clock_unix_s();
    int64_t offset_s = k->now_s - boot_s, jump_s = offset_s - k->offset_s;
    if (k->offset_s && jump_s > JUMP_S) {
        k->doubt_until_s = boot_s + DOUBT_S;
        log_line(LOG_WARN, "hub", "the clock was set ahead by %lld hours: nothing is removed for a day",
                 (long long)(jump_s / 3600));
    } else if (jump_s < -JUMP_S || boot_s >= k->doubt_until_s) {
        k->doubt_until_s = 0;
    }
    k->offset_s = offset_s;
    keep_clock(h, k, a);
    return k->begun && !k->doubt_until_s;
}

/* Folder and app first: the row is what makes the next round try again. */
static void end_spaces(struct hub *h, struct value rows, int64_t now_s)
{
    for (size_t i = 0; i < value_count(rows) && !atomic_load(&h->stopping); i++) {
        struct err err = ERR_INIT;
        struct ended e = {VALUE_GET(value_at(rows, i), "id").s, now_s};
        enum status st = edge_apps_remove(h, e.id, &err);
        if (st == STATUS_OK)
            st = space_erase(h, e.id, &err);
        (void)FAULT("hub.space.erased");
        if (st == STATUS_OK)
            st = store_write(h->store, forget_space, &e, &err);
        if (st != STATUS_OK)
            log_line(LOG_ERROR, "hub", "space %.*s: %s", STR_ARG(e.id), err.text);
        else
            log_line(LOG_INFO, "hub", "space %.*s: its data is removed", STR_ARG(e.id));
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

static enum status forget(struct hub *h, int64_t now_s, struct err *err)
{
    enum status st = store_write(h->store, forget_links, &now_s, err);
    if (st == STATUS_OK)
        st = account_purge(h, now_s, err);
    if (st == STATUS_OK)
        st = groups_lapse(h, now_s, err);
    return st == STATUS_OK ? waiting_upkeep(h, now_s, err) : st;
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
    bool trusted = is_trusted(h, clock, a);
    enum status st = store_read(h->store, &c, &err);
    if (st == STATUS_OK)
        st = SQL_ROWS(c, a, &rows, &err, "select id from spaces where state = 'deleted' and deletes_at <= ?1",
                      SQL_I(clock->now_s));
    bool due = st == STATUS_OK && backup_is_due(h, c, a);
    conn_release(c);
    if (st == STATUS_OK && trusted)
        st = forget(h, clock->now_s, &err);
    if (st != STATUS_OK)
        log_line(LOG_ERROR, "hub", "%s", err.text);
    if (trusted)
        end_spaces(h, rows, clock->now_s);
    space_tell(h);
    if (due)
        back_up(h);
    arena_free(a);
}

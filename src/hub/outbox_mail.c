/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/outbox_mail.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "hub/outbox.h"
#include "hub/sql.h"
#include "rt/fault.h"

static const struct throttle_rule per_space = {LIMIT_OUTBOX_BURST, 60000};

struct asked {
    struct hub *hub;
    struct arena *a;
    str space;
    const struct outbox_mail *mail;
};

static enum status write_mail(struct conn *c, void *arg, struct err *err)
{
    const struct asked *k = arg;
    struct value row, vars = value_dict(k->a);
    enum status st = SQL_ROW(c, k->a, &row, err,
                             "select u.name from members m join users u on u.id = m.user_id where m.space_id = ?1"
                             " and (u.id = ?2 or u.email = ?2)",
                             SQL_T(k->space), SQL_T(k->mail->by));
    str by = value_get_text(row, STR("name"));
    VALUE_SET(vars, "by", by.n && !mail_is_like_a_link(by) ? value_str(by) : value_cstr("Somebody"));
    VALUE_SET(vars, "what", value_str(k->mail->what));
    VALUE_SET(vars, "url", value_str(k->mail->url));
    return st == STATUS_OK ? mail_add(c, k->a, k->hub->secret, k->mail->to, "share", vars, err) : st;
}

static enum status put(void *arg, str id, const struct outbox_mail *mail, struct err *err)
{
    struct asked k = *(struct asked *)arg;
    str name = ARENA_CAT(k.a, STR("outbox "), id);
    k.space = id;
    k.mail = mail;
    if (throttle_take(k.hub->throttle, name, per_space, clock_mono_ms()))
        return err_set(err, STATUS_BUSY, "the space asks for too many mails");
    enum status st = store_write(k.hub->store, write_mail, &k, err);
    (void)FAULT("hub.outbox.taken");
    return st;
}

void outbox_mail_all(struct hub *h)
{
    struct asked k = {.hub = h, .a = arena_new(0)};
    struct value rows = VALUE_UNDEF;
    struct conn *c = NULL;
    struct err err = ERR_INIT;
    int fd = -1;
    size_t n;
    enum status st = store_read(h->store, &c, &err);
    if (st == STATUS_OK)
        st = sql_rows(c, k.a, "select id, name from spaces where state = 'live'", NULL, 0, &rows, &err);
    conn_release(c);
    if (st == STATUS_OK && value_count(rows))
        st = fs_open(hub_path(k.a, &h->config, "spaces").p, O_RDONLY | O_DIRECTORY, 0, &fd, &err);
    for (size_t i = 0; fd >= 0 && i < value_count(rows) && !atomic_load(&h->stopping); i++) {
        struct value s = value_at(rows, i);
        str origin = hub_space_origin(k.a, &h->config, VALUE_GET(s, "name").s);
        struct err one = ERR_INIT;
        st = outbox_collect(fd, VALUE_GET(s, "id").s, origin, put, &k, &n, &one);
        if (st != STATUS_OK && st != STATUS_BUSY && st != STATUS_NOT_FOUND)
            log_line(LOG_WARN, "outbox", "space %.*s: %s", STR_ARG(VALUE_GET(s, "id").s), one.text);
    }
    if (fd >= 0)
        close(fd);
    else if (st != STATUS_OK)
        log_line(LOG_WARN, "outbox", "%s", err.text);
    arena_free(k.a);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/domain.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "hub/audit.h"
#include "hub/edge_apps.h"
#include "hub/space.h"
#include "rt/fault.h"

/* ---- names ---- */

static bool is_below(str host, str domain)
{
    return str_eq(host, domain) || (host.n > domain.n && host.p[host.n - domain.n - 1] == '.' &&
                                    str_eq(str_from(host, host.n - domain.n), domain));
}

/* Each label of 1 to 63 letters, no hyphen at its ends; two of them; the last no number: that were an address. */
static bool labels_are_good(str host)
{
    size_t count = 0, digits = 0;
    while (host.n) {
        str label;
        size_t dot = str_find_char(host, '.');
        label = str_sub(host, 0, dot == STR_NPOS ? host.n : dot);
        host = str_from(host, MIN(host.n, label.n + 1));
        if (!label.n || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        digits = 0;
        for (size_t i = 0; i < label.n; i++)
            digits += label.p[i] >= '0' && label.p[i] <= '9';
        digits = digits == label.n;
        count++;
    }
    return count > 1 && !digits;
}

enum status domain_host_check(const struct hub_config *c, str host, struct err *err)
{
    enum status st = hub_domain_check(host, err);
    if (st != STATUS_OK)
        return st;
    if (!labels_are_good(host)) {
        err_set(err, STATUS_INVALID, "\"%.*s\" is no host name.", STR_ARG(host));
        return err_hint(err, "Write it as www.example.org.");
    }
    if (is_below(host, c->domain)) {
        err_set(err, STATUS_INVALID, "Hosts below %.*s are given by the names of spaces.", STR_ARG(c->domain));
        return err_hint(err, "Change the address of the space, or take a domain of your own.");
    }
    return STATUS_OK;
}

/* ---- where they lead ---- */

/* Names below localhost are this machine, whatever name servers say (RFC 6761 section 6.3). */
static int look_up(str host, struct addrinfo **ret)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char name[256];
    if (is_below(host, STR("localhost")))
        host = STR("localhost");
    if (host.n >= sizeof name)
        return EAI_NONAME;
    memcpy(name, host.p, host.n);
    name[host.n] = '\0';
    return getaddrinfo(name, NULL, &hints, ret);
}

static bool same_address(const struct addrinfo *x, const struct addrinfo *y)
{
    if (x->ai_family != y->ai_family)
        return false;
    if (x->ai_family == AF_INET)
        return ((const struct sockaddr_in *)x->ai_addr)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)y->ai_addr)->sin_addr.s_addr;
    return x->ai_family == AF_INET6 && memcmp(&((const struct sockaddr_in6 *)x->ai_addr)->sin6_addr,
                                              &((const struct sockaddr_in6 *)y->ai_addr)->sin6_addr, 16) == 0;
}

enum status domain_leads_here(const struct hub_config *c, str host, struct err *err)
{
    struct addrinfo *its = NULL, *ours = NULL;
    if (is_below(c->domain, host)) { /* it belongs to who runs the hub, and often leads to the same machine anyway */
        err_set(err, STATUS_INVALID, "That \"%.*s\" leads here does not prove that it is yours.", STR_ARG(host));
        return err_hint(err, "It is above the address of this hub: a record in the DNS, as shown below, proves it.");
    }
    bool here = false;
    int failed = look_up(host, &its), own = failed ? 0 : look_up(c->domain, &ours);
    for (struct addrinfo *x = failed || own ? NULL : its; x; x = x->ai_next)
        for (struct addrinfo *y = ours; y; y = y->ai_next)
            here = here || same_address(x, y);
    if (its)
        freeaddrinfo(its);
    if (ours)
        freeaddrinfo(ours);
    if (here)
        return STATUS_OK;
    if (own) {
        log_line(LOG_ERROR, "hub", "%.*s has no address in the DNS: %s", STR_ARG(c->domain), gai_strerror(own));
        err_set(err, STATUS_INVALID, "Where %.*s leads cannot be found out.", STR_ARG(c->domain));
        return err_hint(err, "Try again later.");
    }
    if (failed)
        err_set(err, STATUS_INVALID, "\"%.*s\" has no address in the DNS yet.", STR_ARG(host));
    else
        err_set(err, STATUS_INVALID, "\"%.*s\" leads to another machine.", STR_ARG(host));
    return err_hint(
        err, "Where you have the domain, make a CNAME record of it that says %.*s, and try again in some minutes.",
        STR_ARG(c->domain));
}

/* ---- whose they are ---- */

struct domain_change {
    struct hub_request *rq;
    str space, host;
};

static enum status in_use(struct err *err)
{
    err_set(err, STATUS_CONFLICT, "This host is in use already.");
    return err_hint(err, "Remove it where it is, or take another one.");
}

static enum status write_add(struct conn *c, void *arg, struct err *err)
{
    const struct domain_change *d = arg;
    struct value row;
    enum status st =
        SQL_ROW(c, d->rq->a, &row, err, "select count(*) as n from domains where space_id = ?1", SQL_T(d->space));
    if (st == STATUS_OK && VALUE_GET(row, "n").i >= LIMIT_HUB_DOMAINS) {
        err_set(err, STATUS_CONFLICT, "A space may have %d hosts of its own.", LIMIT_HUB_DOMAINS);
        return err_hint(err, "Remove one first.");
    }
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "insert into domains (host, space_id, added_at) values (?1, ?2, ?3)", SQL_T(d->host),
                     SQL_T(d->space), SQL_I(clock_unix_s()));
    if (st == STATUS_CONFLICT)
        return in_use(err);
    if (st == STATUS_OK)
        st = space_changed(c, d->space, err);
    return st == STATUS_OK ? hub_audit(c, d->rq, "domain.added", d->space, d->host, err) : st;
}

static enum status write_remove(struct conn *c, void *arg, struct err *err)
{
    const struct domain_change *d = arg;
    int64_t changes = 0;
    const struct db_value args[] = {SQL_T(d->host), SQL_T(d->space)};
    enum status st = sql_change(c, "delete from domains where host = ?1 and space_id = ?2", args, 2, &changes, err);
    if (st == STATUS_OK && !changes)
        return err_set(err, STATUS_NOT_FOUND, "The space has no such host.");
    if (st == STATUS_OK)
        st = space_changed(c, d->space, err);
    return st == STATUS_OK ? hub_audit(c, d->rq, "domain.removed", d->space, d->host, err) : st;
}

static enum status put(struct domain_change *d, struct err *err)
{
    struct conn *c;
    space_tell(d->rq->hub);
    hub_conn_release(d->rq);
    enum status st = hub_conn(d->rq, &c, err);
    if (st == STATUS_OK)
        st = edge_apps_put(d->rq->hub, c, d->space, false, err);
    hub_conn_release(d->rq);
    return st;
}

enum status domain_add(struct hub_request *rq, str space_id, str host, struct err *err)
{
    struct domain_change d = {rq, space_id, host};
    struct err lost = ERR_INIT;
    bool taken = false;
    hub_conn_release(rq);
    enum status st = edge_apps_host_taken(rq->hub, host, space_id, &taken, err); /* by an app that is no space */
    if (st == STATUS_OK && taken)
        st = in_use(err);
    if (st == STATUS_OK)
        st = store_write(rq->hub->store, write_add, &d, err);
    (void)FAULT("hub.domain.added");
    if (st != STATUS_OK)
        return st;
    st = put(&d, err);
    if (st != STATUS_OK && store_write(rq->hub->store, write_remove, &d, &lost) != STATUS_OK)
        log_line(LOG_ERROR, "hub", "host %.*s: %s", STR_ARG(host), lost.text);
    if (st != STATUS_OK)
        space_tell(rq->hub);
    return st;
}

enum status domain_remove(struct hub_request *rq, str space_id, str host, struct err *err)
{
    struct domain_change d = {rq, space_id, host};
    hub_conn_release(rq);
    enum status st = store_write(rq->hub->store, write_remove, &d, err);
    (void)FAULT("hub.domain.removed");
    return st == STATUS_OK ? put(&d, err) : st;
}

enum status domain_list(struct conn *c, struct arena *a, str space_id, struct value *ret, struct err *err)
{
    return SQL_ROWS(c, a, ret, err, "select host, added_at from domains where space_id = ?1 order by host",
                    SQL_T(space_id));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* legacy — what an edge leaves and what it finds: the sockets it listens on, the control socket, the lock of the state
 * folder, the channel to the supervisor, the keys of session tickets. It comes from a predecessor (an upgrade), from
 * the supervisor (the edge before was killed), or from systemd; it has the same form each time: descriptors with
 * labels.
 *
 *   "listen 127.0.0.1:0"   what --listen said, in the order of the options
 *   "systemd NAME"         of a socket unit, or kept by systemd: taken by its address
 *   "control", "lock", "supervisor"
 *
 * What nobody asks for is closed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "edge/edge_impl.h"
#include "rt/fdpass.h"
#include "rt/msg.h"
#include "rt/notify.h"

/* ---- leaving ---- */

size_t legacy_sockets(struct edge *e, bool for_heir, struct takeover_socket ret[LIMIT_FDPASS_FDS])
{
    size_t n = 0;
    for (size_t i = 0; i < e->listen_count; i++)
        ret[n++] = (struct takeover_socket){listener_fd(e->listeners[i]), e->labels[i]};
    ret[n++] = (struct takeover_socket){listener_fd(http_server_listener(e->control, 0)), STR("control")};
    ret[n++] = (struct takeover_socket){e->lock_fd, STR("lock")};
    if (for_heir && e->channel >= 0)
        ret[n++] = (struct takeover_socket){e->channel, STR("supervisor")};
    return n;
}

str legacy_state(const struct edge *e, char out[EDGE_LEGACY_STATE])
{
    memset(out, 0, EDGE_LEGACY_STATE);
    if (!e->tls)
        return STR("");
    for (int i = 0; i < 8; i++)
        out[i] = (char)((uint64_t)e->keys_since_s >> (8 * i));
    tls_server_ticket_keys(e->tls, out + 8);
    return str_make(out, EDGE_LEGACY_STATE);
}

/* ---- finding ---- */

static enum status from_supervisor(struct edge *e, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + LIMIT_TAKEOVER_ARRIVE_MS;
    char *space = arena_alloc(e->arena, LIMIT_FDPASS_BYTES);
    struct msg m = {0};
    int fds[LIMIT_FDPASS_FDS];
    size_t count = 0;
    str bytes;
    for (;;) {
        enum status st = fdpass_receive(e->channel, space, LIMIT_FDPASS_BYTES, &bytes, fds, &count, err);
        if (st == STATUS_OK)
            st = msg_read(bytes, count, &m, err);
        int64_t left = until_ms - clock_mono_ms();
        struct pollfd p = {.fd = e->channel, .events = POLLIN};
        if (st != STATUS_AGAIN && st != STATUS_OK)
            return st;
        if (st == STATUS_OK && m.type == MSG_KEEP)
            break;
        if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
            return err_set(err, STATUS_TIMEOUT, "the supervisor does not say what there is");
    }
    str rest = m.fields[MSG_TAG_LABELS], label = STR("");
    for (size_t i = 0; i < count; i++) {
        str_cut(rest, '\0', &label, &rest);
        e->legacy[e->legacy_count++] = (struct takeover_socket){fds[i], arena_str(e->arena, label)};
    }
    e->legacy_state = arena_str(e->arena, m.fields[MSG_TAG_STATE]);
    return STATUS_OK;
}

/* The descriptor with that label, once; -1: there is none. */
int legacy_take(struct edge *e, str label)
{
    for (size_t i = 0; i < e->legacy_count; i++) {
        int fd = e->legacy[i].fd;
        if (fd < 0 || !str_eq(e->legacy[i].label, label))
            continue;
        e->legacy[i].fd = -1;
        return fd;
    }
    return -1;
}

enum status legacy_find(struct edge *e, struct err *err)
{
    enum status st = STATUS_OK;
    if (e->config->successor)
        st = takeover_arrive(e->arena, &e->arrival, e->legacy, &e->legacy_count, &e->legacy_state, err);
    else if (e->channel >= 0)
        st = from_supervisor(e, err);
    for (size_t i = 0; i < e->legacy_count; i++) /* what else is passed is not ours to close on exec */
        (void)fcntl(e->legacy[i].fd, F_SETFD, FD_CLOEXEC);
    if (st == STATUS_OK && e->channel < 0)
        e->channel = legacy_take(e, STR("supervisor"));
    e->watched = e->channel >= 0;
    e->lock_fd = legacy_take(e, STR("lock"));
    return st;
}

void legacy_close(struct edge *e)
{
    for (size_t i = 0; i < e->legacy_count; i++)
        if (e->legacy[i].fd >= 0)
            close(e->legacy[i].fd);
    e->legacy_count = 0;
}

/* Of systemd's, the one that is bound where `addr` says. */
static int take_by_address(struct edge *e, const struct addr *addr)
{
    for (size_t i = 0; i < e->legacy_count; i++) {
        struct addr bound = {.len = sizeof(bound.ss)};
        int fd = e->legacy[i].fd;
        if (fd < 0 || !str_starts(e->legacy[i].label, STR("systemd ")) ||
            getsockname(fd, (struct sockaddr *)&bound.ss, &bound.len) < 0)
            continue;
        bool same = addr_is_unix(addr)
                        ? addr_is_unix(&bound) && str_eq(str_of(addr_unix_path(addr)), str_of(addr_unix_path(&bound)))
                        : addr_eq(addr, &bound);
        if (!same)
            continue;
        e->legacy[i].fd = -1;
        return fd;
    }
    return -1;
}

static enum status open_one(struct edge *e, size_t i, struct err *err)
{
    const struct edge_listen_config *c = &e->listens[i];
    char text[ADDR_TEXT_MAX];
    str where = str_make(text, addr_format(&c->addr, text));
    if (!e->labels[i].n)
        e->labels[i] = ARENA_CAT(e->arena, STR("listen "), where);
    int fd = legacy_take(e, e->labels[i]);
    if (fd < 0)
        fd = take_by_address(e, &c->addr);
    if (fd < 0) {
        struct listener_config config = {.addr = c->addr, .backlog = 4096};
        return listener_open(&config, &e->listeners[i], err);
    }
    enum status st = listener_adopt(fd, &e->listeners[i], err);
    if (st != STATUS_OK)
        close(fd);
    else if (addr_is_unix(&c->addr))
        (void)listener_own_path(e->listeners[i], str_of(addr_unix_path(&c->addr)));
    return st;
}

/* Without --listen it is systemd that says where: one whose name begins with "tls" or "https" speaks TLS. */
static void listen_where_systemd_says(struct edge *e)
{
    for (size_t i = 0; i < e->legacy_count && e->listen_count < LIMIT_HTTP_LISTENERS; i++) {
        str label = e->legacy[i].label, name = str_from(label, 8);
        struct edge_listen_config *c = &e->listens[e->listen_count];
        *c = (struct edge_listen_config){.addr.len = sizeof(c->addr.ss)};
        if (!str_starts(label, STR("systemd ")) ||
            getsockname(e->legacy[i].fd, (struct sockaddr *)&c->addr.ss, &c->addr.len) < 0)
            continue;
        c->tls = str_starts(name, STR("tls")) || str_starts(name, STR("https"));
        e->labels[e->listen_count++] = label;
    }
}

enum status legacy_listen(struct edge *e, struct err *err)
{
    e->listen_count = e->config->listen_count;
    for (size_t i = 0; i < e->listen_count; i++)
        e->listens[i] = e->config->listens[i];
    if (!e->listen_count)
        listen_where_systemd_says(e);
    if (!e->listen_count) {
        err_set(err, STATUS_USAGE, "edge: where does it listen?");
        return err_hint(err, "vitrine edge --listen :8080");
    }
    for (size_t i = 0; i < e->listen_count; i++) {
        if (e->listens[i].tls && !e->config->cert_count && !e->config->acme.on)
            return err_set(err, STATUS_USAGE, "%.*s needs a certificate: --cert CERT.pem KEY.pem, or --acme MAIL",
                           STR_ARG(e->labels[i].n ? e->labels[i] : STR("--listen-tls")));
        enum status st = open_one(e, i, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

/* Keys of those before us, while they are young: tickets that were given out stay good. */
str legacy_ticket_keys(struct edge *e)
{
    uint64_t since = 0;
    str s = e->legacy_state;
    e->legacy_state = STR("");
    for (size_t i = 0; i < 8 && s.n == EDGE_LEGACY_STATE; i++)
        since |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
    int64_t age_s = clock_unix_s() - (int64_t)since;
    if (s.n != EDGE_LEGACY_STATE || age_s < 0 || age_s > TICKET_KEYS_LIVE_S)
        return STR("");
    e->keys_since_s = (int64_t)since;
    return str_from(s, 8);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* arrival — the one that comes (takeover.c is the other side and has the essay).
 *
 *   ASKING --sockets--> WARMING --ready--> ADOPTING --done, or the predecessor died--> ALONE
 *      `-- refused, late --'`-- refused ------------------------> FAILED
 *
 * A predecessor that dies while we warm up has left us its listening sockets: we go on, and are alone as soon as we are
 * ready. One that dies before has left nothing: we fail.
 *
 * Fault points: takeover.hello, takeover.warm, takeover.ready, takeover.adopt. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "rt/fault.h"
#include "rt/fdpass.h"
#include "rt/msg.h"
#include "rt/takeover.h"
#include "rt/takeover_impl.h"

#define ADOPT_BATCH 64 /* messages taken in one go; the rest wait for the next round */

const struct sm_state arrival_states[ARRIVAL_STATES] = {
    [ARRIVAL_ASKING] = {"asking", SM_TO(ARRIVAL_WARMING) | SM_TO(ARRIVAL_FAILED), SM_INITIAL},
    [ARRIVAL_WARMING] = {"warming", SM_TO(ARRIVAL_ADOPTING) | SM_TO(ARRIVAL_FAILED), 0},
    [ARRIVAL_ADOPTING] = {"adopting", SM_TO(ARRIVAL_ALONE), 0},
    [ARRIVAL_ALONE] = {"alone", 0, SM_FINAL},
    [ARRIVAL_FAILED] = {"failed", 0, SM_FINAL},
};

struct arrival {
    struct arrival_config config;
    struct sm sm;
    int socket;
    struct loop_fd *watch;
    struct loop_message gone; /* the predecessor died before we were ready */
    char *space;              /* LIMIT_FDPASS_BYTES */
};

bool takeover_expected(void)
{
    const char *text = getenv(TAKEOVER_VARIABLE);
    bool expected = text && str_is(str_of(text), "3");
    unsetenv(TAKEOVER_VARIABLE);
    return expected;
}

static enum status say(struct arrival *r, enum msg_type type, const char *why, struct err *err)
{
    struct buf b;
    buf_init(&b, LIMIT_TAKEOVER_WORD);
    msg_begin(&b, type);
    if (type == MSG_HELLO) {
        msg_put_number(&b, MSG_TAG_PID, (uint64_t)getpid());
        msg_put(&b, MSG_TAG_PROGRAM, str_of(version_text()));
    }
    if (why)
        msg_put(&b, MSG_TAG_WHY, str_of(why));
    enum status st = fdpass_send(r->socket, buf_str(&b), NULL, 0, err);
    buf_release(&b);
    return st == STATUS_AGAIN ? err_set(err, STATUS_IO, "the predecessor does not listen") : st;
}

static enum status wait_for_sockets(struct arrival *r, str *ret_bytes, int fds[LIMIT_FDPASS_FDS], size_t *ret_count,
                                    struct err *err)
{
    int64_t until_ms = clock_mono_ms() + LIMIT_TAKEOVER_ARRIVE_MS;
    for (;;) {
        enum status st = fdpass_receive(r->socket, r->space, LIMIT_FDPASS_BYTES, ret_bytes, fds, ret_count, err);
        int64_t left = until_ms - clock_mono_ms();
        if (st != STATUS_AGAIN)
            return st;
        struct pollfd p = {.fd = r->socket, .events = POLLIN};
        if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
            return err_set(err, STATUS_TIMEOUT, "the predecessor did not hand over its sockets");
    }
}

/* The labels, each ended by NUL, belong to the descriptors one by one. */
static enum status take_sockets(struct arena *a, const struct msg *m, const int *fds, size_t count,
                                struct takeover_socket *ret_sockets, struct err *err)
{
    str rest = m->fields[MSG_TAG_LABELS], label;
    for (size_t i = 0; i < count; i++) {
        if (!str_cut(rest, '\0', &label, &rest))
            return err_set(err, STATUS_PROTOCOL, "a socket without a name");
        ret_sockets[i] = (struct takeover_socket){fds[i], arena_str(a, label)};
    }
    return rest.n || !count ? err_set(err, STATUS_PROTOCOL, "names and sockets do not fit") : STATUS_OK;
}

enum status takeover_arrive(struct arena *a, struct arrival **ret, struct takeover_socket *ret_sockets,
                            size_t *ret_socket_count, str *ret_state, struct err *err)
{
    struct arrival *r = MEM_NEW(struct arrival);
    struct msg m = {0};
    int fds[LIMIT_FDPASS_FDS];
    size_t count = 0;
    str bytes;
    r->socket = TAKEOVER_FD;
    r->space = mem_alloc(LIMIT_FDPASS_BYTES);
    sm_init(&r->sm, "arrival", arrival_states, ARRIVAL_STATES, ARRIVAL_ASKING);
    enum status st = fcntl(r->socket, F_SETFD, FD_CLOEXEC) == 0 && fcntl(r->socket, F_SETFL, O_NONBLOCK) == 0
                         ? STATUS_OK
                         : err_sys(err, STATUS_IO, errno, "the predecessor's socket is not there");
    if (st == STATUS_OK)
        st = FAULT("takeover.hello") ? err_set(err, STATUS_IO, "the predecessor does not listen")
                                     : say(r, MSG_HELLO, NULL, err);
    if (st == STATUS_OK)
        st = wait_for_sockets(r, &bytes, fds, &count, err);
    if (st == STATUS_OK)
        st = msg_read(bytes, count, &m, err);
    if (st == STATUS_OK && m.type != MSG_SOCKETS)
        st = err_set(err, STATUS_PROTOCOL, "the predecessor said \"%s\" instead of \"sockets\"", msg_name(m.type));
    if (st == STATUS_OK)
        st = take_sockets(a, &m, fds, count, ret_sockets, err);
    if (st != STATUS_OK) {
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
        takeover_refuse(r, err ? err->text : "it cannot take over");
        arrival_free(r);
        return st;
    }
    sm_move(&r->sm, ARRIVAL_WARMING);
    *ret = r;
    *ret_socket_count = count;
    *ret_state = arena_str(a, m.fields[MSG_TAG_STATE]);
    (void)FAULT("takeover.warm");
    return STATUS_OK;
}

static void on_gone(void *arg)
{
    struct arrival *r = arg;
    if (sm_final(&r->sm))
        return;
    sm_move(&r->sm, ARRIVAL_ALONE);
    loop_remove_fd(r->config.loop, r->watch);
    r->watch = NULL;
    r->config.alone(r->config.arg);
}

static void on_event(void *arg, unsigned events)
{
    struct arrival *r = arg;
    (void)events;
    /* A bounded batch: those that came already are served between batches. */
    for (int taken = 0; taken < ADOPT_BATCH && r->watch; taken++) {
        struct err err = ERR_INIT;
        struct msg m = {0};
        int fds[LIMIT_FDPASS_FDS];
        size_t count = 0;
        str bytes;
        enum status st = fdpass_receive(r->socket, r->space, LIMIT_FDPASS_BYTES, &bytes, fds, &count, &err);
        if (st == STATUS_AGAIN)
            return;
        if (st == STATUS_OK)
            st = msg_read(bytes, count, &m, &err);
        bool given = st == STATUS_OK && (m.type == MSG_CONNECTION || m.type == MSG_TUNNEL);
        if (given && !FAULT("takeover.adopt")) {
            r->config.adopt(r->config.arg, (unsigned)m.numbers[MSG_TAG_SOCKET], fds[0], count > 1 ? fds[1] : -1,
                            m.fields[MSG_TAG_UNREAD], m.fields[MSG_TAG_NOTE]);
            continue;
        }
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
        if (st == STATUS_OK && m.type != MSG_DONE)
            continue; /* of a later version */
        if (st == STATUS_OK)
            (void)say(r, MSG_ALONE, NULL, NULL);
        else if (st == STATUS_PROTOCOL)
            log_line(LOG_ERROR, "takeover", "the predecessor: %s", err.text);
        else
            log_line(LOG_WARN, "takeover", "the predecessor ended before it had handed over everything");
        on_gone(r);
    }
}

enum status takeover_ready(struct arrival *r, const struct arrival_config *config, struct err *err)
{
    r->config = *config;
    enum status st = FAULT("takeover.ready")
                         ? err_set(err, STATUS_IO, "the predecessor cannot be told")
                         : loop_add_fd(config->loop, r->socket, LOOP_READ, on_event, r, &r->watch, err);
    if (st != STATUS_OK)
        return st;
    st = say(r, MSG_READY, NULL, err);
    if (st != STATUS_OK && st != STATUS_CLOSED)
        return st;
    sm_move(&r->sm, ARRIVAL_ADOPTING);
    if (st == STATUS_CLOSED) {
        log_line(LOG_WARN, "takeover", "the predecessor is gone already");
        r->gone = (struct loop_message){.fn = on_gone, .arg = r};
        loop_post_message(config->loop, &r->gone);
    }
    return STATUS_OK;
}

bool takeover_alone(const struct arrival *r)
{
    return !r || sm_final(&r->sm);
}

void takeover_refuse(struct arrival *r, const char *why)
{
    if (!r || (sm_state(&r->sm) != ARRIVAL_ASKING && sm_state(&r->sm) != ARRIVAL_WARMING))
        return;
    sm_move(&r->sm, ARRIVAL_FAILED);
    if (why)
        (void)say(r, MSG_FAILED, why, NULL);
}

void arrival_free(struct arrival *r)
{
    if (!r)
        return;
    if (r->config.loop)
        loop_remove_fd(r->config.loop, r->watch);
    close(r->socket);
    free(r->space);
    free(r);
}

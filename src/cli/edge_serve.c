/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/edge_serve.h"

#include <stdlib.h>

#include "base/fs.h"
#include "edge/supervisor.h"
#include "rt/proc.h"
#include "rt/takeover.h"
#include "rt/thread.h"

void edge_config_default(struct edge_config *ret)
{
    *ret = (struct edge_config){.loops = MIN(thread_cpus(), LIMIT_EDGE_LOOPS),
                                .grace_ms = 30000,
                                .spool_bytes = LIMIT_EDGE_SPOOL,
                                .upgrade_ready_ms = 60000,
                                .upgrade_grace_ms = 300000};
    edge_limits_default(&ret->limits);
}

/* The supervisor first; it starts this program again as the edge, and each of them finds out here what it is. */
enum status edge_serve(struct edge_config *c, int *ret_exit, struct err *err)
{
    enum supervisor_role role = SUPERVISOR_WATCHED;
    struct supervisor_ends ends = {-1, -1};
    c->successor = takeover_expected();
    if (!c->successor)
        role = supervisor_role(&ends);
    c->channel = ends.channel;
    if (role == SUPERVISOR_FIRST && !c->listen_count && !getenv("LISTEN_FDS")) {
        err_set(err, STATUS_USAGE, "edge: where does it listen?");
        return err_hint(err, "vitrine edge --listen :8080");
    }
    if (!c->state.n)
        return err_set(err, STATUS_USAGE, "no state folder: HOME is not set; give --state DIR");
    struct arena *a = arena_new(0);
    enum status st = fs_make_folders(arena_printf(a, "%.*s/x", STR_ARG(c->state)), 0700, err);
    arena_free(a);
    c->app_files = proc_raise_files();
    if (st == STATUS_OK)
        st = role == SUPERVISOR_WATCHED ? edge_run(c, err) : supervisor_run(&ends, ret_exit, err);
    return st;
}

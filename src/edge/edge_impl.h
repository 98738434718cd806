/* SPDX-License-Identifier: Apache-2.0 */
/* edge_impl: what the files of the control thread share; nobody else includes it.
 *
 *   struct edge   the program: workers, apps, jobs
 *   struct life   one app: what it is to be (versions), what it is (units), what is being done to it (job)
 *   struct unit   one incarnation of one instance: process, health, and the edge_instance that the workers know */
#ifndef VITRINE_EDGE_EDGE_IMPL_H
#define VITRINE_EDGE_EDGE_IMPL_H

#include "base/map.h"
#include "base/sm.h"
#include "edge/edge.h"
#include "edge/probe.h"
#include "edge/spec.h"
#include "edge/spool.h"
#include "http/server.h"
#include "rt/msg.h"
#include "rt/proc.h"
#include "rt/takeover.h"

struct life;
struct job;
struct wish;
struct wish_source;
struct certs;

/* ---- units ---- */
enum unit_state {
    UNIT_STARTING, /* its process runs, or it is elsewhere; it is not well yet */
    UNIT_READY,    /* workers may know it */
    UNIT_DRAINING, /* no new request goes to it; those in hand end */
    UNIT_LEAVING,  /* every worker lets go of it */
    UNIT_STOPPING, /* its process was told to end */
    UNIT_GONE,
    UNIT_STATES
};
extern const struct sm_state unit_states[UNIT_STATES];

struct unit {
    struct unit *next;
    struct life *life;
    struct sm sm;
    struct edge_instance *instance;
    uint32_t version;
    struct proc *proc;  /* NULL: elsewhere, or ended */
    bool exited;        /* its process ended by itself */
    bool out_of_memory; /* ... for lack of memory */
    bool own;           /* started while an upgrade was under way: the next edge does not know it */
    bool adopted;       /* an edge before this one started it */
    bool down;          /* READY, but its probes fail */
    unsigned bad, good; /* probes in a row */
    uint64_t told;      /* what of them those who wait were told last */
    int64_t began_us, ready_us, drain_until_us;
    uint64_t absent_from; /* the first table without it */
    struct edge_probe probe;
    struct loop_timer timer; /* next probe; of DRAINING: look again; of STOPPING: SIGKILL */
    char exit_text[80];
    char *socket; /* path that is removed at the end; NULL: a port */
};
/* Starts one of `version` (the process, or for `to` number `index` only the probes). IO, NOT_FOUND ...: not started. */
enum status unit_start(struct life *l, uint32_t version, const struct edge_spec *spec, size_t index, struct unit **ret,
                       struct err *err) MUST_USE;
/* The same after a start of the edge. saved: what the state file has of the app's units (a list). */
enum status unit_restore(struct life *l, uint32_t version, const struct edge_spec *spec, size_t index,
                         struct value saved, struct unit **ret, struct err *err) MUST_USE;
/* Takes a process of an edge before this one: alive, same start time. */
enum status unit_adopt(struct life *l, uint32_t version, const struct edge_spec *spec, struct value saved,
                       struct unit **ret, struct err *err) MUST_USE;
void unit_retire(struct unit *u); /* on its way to GONE, from any state; the caller publishes afterwards */
void unit_drain_began(struct unit *u, uint64_t version);        /* the workers have this table */
void unit_free(struct unit *u);                                 /* a process that is another edge's too is let run */
struct value unit_value(struct arena *a, const struct unit *u); /* for status and state file */

/* ---- lives ---- */
enum life_state {
    LIFE_STEADY,
    LIFE_STARTING, /* units of a new version are being started */
    LIFE_RETIRING, /* the new ones serve, the old ones end */
    LIFE_FAILING,  /* the new ones end, the old ones never stopped serving */
    LIFE_REMOVING,
    LIFE_STATES
};
extern const struct sm_state life_states[LIFE_STATES];

/* When they run: rest.c. */
enum rest_state { REST_ASLEEP, REST_WAKING, REST_AWAKE, REST_DROWSY, REST_DOWN, REST_STATES };
extern const struct sm_state rest_states[REST_STATES];

struct version {
    uint32_t number;
    int64_t since_unix_s;
    struct arena *arena;
    struct edge_spec spec;
};
struct life {
    struct edge *edge;
    struct sm sm;
    struct edge_app *app;
    struct version versions[LIMIT_EDGE_VERSIONS + 1]; /* the one that serves first, then those before it */
    size_t version_count;
    struct version coming; /* STARTING: number 0 = none */
    uint32_t last_number;
    char *origin;      /* who described it: "file shop.yaml"; NULL: it was deployed by hand */
    int64_t orphan_us; /* since when its source no longer has it; 0 = it has */
    struct unit *units;
    enum edge_pause pause;
    int64_t pause_since_s;      /* unix time; 0 = not known */
    char *message;              /* of a stop; NULL = none */
    struct job *job;            /* what is being done; NULL when steady */
    struct loop_timer deadline; /* of STARTING */
    struct sm rest;
    struct loop_timer restart; /* replaces units that ended */
    uint32_t looked_at;        /* version */
    uint64_t wakes;
    struct loop_timer quiet;   /* of AWAKE: does anybody still ask? */
    int64_t awake_us;          /* since when */
    enum edge_trouble trouble; /* why units ended, while failures is not 0 */
    int64_t trouble_since_s;   /* unix time */
    int64_t pause_ms;          /* until `restart` */
    bool trouble_told;         /* a table says so */
    char trouble_text[160];
    char *line; /* of the state file, while it sleeps: state.c */
    uint64_t line_key;
    struct loop_timer idle; /* a pause waits for requests in hand */
    struct job *pause_job;
    int64_t pause_until_us;
    uint64_t pause_from; /* the table that says so */
    int64_t log_size;    /* of what it wrote, when it was last looked at */
    bool ended;
    unsigned failures; /* units that ended in a row, for the back-off */
};
struct life *life_new(struct edge *e, str name);
void life_free(struct life *l); /* no unit is left */
/* Takes the arena of `spec`. What is not possible now is told to the job. asleep: when nothing of the app runs, the new
 * version is only written down, and the next request starts it. */
void life_deploy(struct life *l, struct arena *arena, const struct edge_spec *spec, bool asleep, struct job *job);
void life_rollback(struct life *l, bool asleep, struct job *job);
void life_remove(struct life *l, struct job *job);
void life_pause(struct life *l, enum edge_pause pause, str message, struct job *job);
void life_published(struct life *l, uint64_t version);
void life_unit_changed(struct unit *u);                       /* READY, GONE, ended, down, up */
bool life_serves(const struct life *l, const struct unit *u); /* belongs into the table */
void life_restore(struct life *l, struct value saved);        /* after a start of the edge */
void life_thaw(struct life *l);                               /* what ended during an upgrade is replaced now */
struct value life_value(struct arena *a, const struct life *l, bool for_state);
const struct edge_spec *life_spec(const struct life *l); /* NULL: never deployed */
uint32_t life_serving(const struct life *l);             /* the number of the version that serves; 0: none */
size_t life_wanted(const struct edge_spec *spec);        /* instances */
size_t life_units_up(const struct life *l);              /* of the version that serves: well, or being started */
void life_unit_late(struct unit *u);                     /* STARTING for too long */

/* rest.c: asleep and awake, and what ends by itself */
void rest_init(struct life *l);
void rest_release(struct life *l);
void rest_look(struct life *l);                   /* units or versions changed; the caller publishes afterwards */
bool rest_runs_nothing(const struct life *l);     /* ASLEEP, DROWSY or DOWN */
void rest_wake(void *edge, struct edge_app *app); /* on a loop's thread */
/* One ended that should not have: plans the next try, and publishes. */
void rest_ended(struct life *l, int64_t lived_us, enum edge_trouble trouble, const char *why);
void rest_target(struct life *l, struct edge_target *ret); /* sets asleep, trouble; ret->count is set */
void rest_value(struct arena *a, const struct life *l, struct value ret);
void rest_reserve(struct edge *e); /* numbers for instances that no state file tells of; the caller saves */
void rest_freeze(struct edge *e);  /* the same, when there are apps that sleep */
void rest_thaw(struct life *l);

/* ---- jobs: what takes time and is followed by its lines ---- */
struct job {
    struct job *next;
    struct edge *edge;
    uint64_t id;
    char *what; /* "deploy shop" */
    char **lines;
    size_t count;
    bool done;
    struct err err;    /* status OK: it went well */
    struct wish *wish; /* what it is to fulfil; NULL: somebody asked for it */
    struct waiter {
        struct waiter *next;
        struct http_exchange *x;
        struct job *job;
        size_t after;
    } * waiters;
};
struct job *job_new(struct edge *e, const char *what, str name);
void job_line(struct job *j, const char *fmt, ...) PRINTF_LIKE(2, 3);  /* NULL is fine: logged only */
void job_end(struct job *j, const struct err *err);                    /* err NULL = well */
void job_answer(struct job *j, struct http_exchange *x, size_t after); /* at once, or when there is news */
void job_free(struct job *j);

/* ---- the program ---- */
struct edge_heir { /* the upgrade that is under way: heir.c */
    struct takeover *takeover;
    struct http_exchange *asked; /* waits for the outcome */
    struct loop_timer cap, again;
    int64_t until_us;
    bool waiting; /* for other changes to be done */
    bool handed;  /* apps, state file and sockets are the heir's */
    bool control_left;
    unsigned workers_left;
    uint64_t given, adopted;
    char *digest; /* of the state when the upgrade began */
};
#define TICKET_KEYS_LIVE_S 86400 /* then a reload or an upgrade makes new ones: who learns them can read old talk */
#define EDGE_LEGACY_STATE  (8 + TLS_TICKET_KEYS) /* when the keys were made, and they */

struct edge {
    const struct edge_config *config;
    struct loop *loop;
    struct arena *arena;
    struct edge_listen_config listens[LIMIT_HTTP_LISTENERS];
    str labels[LIMIT_HTTP_LISTENERS]; /* under which a successor finds them */
    size_t listen_count;
    struct listener *listeners[LIMIT_HTTP_LISTENERS]; /* all of them, in one place: workers hold copies */
    struct tls_server *given;                         /* of the files that were given; NULL: no TLS */
    struct tls_server *tls;                           /* that, with what certs.c has: what the workers show */
    struct certs *certs;                              /* NULL: none are got */
    struct edge_worker *workers[LIMIT_EDGE_LOOPS];
    unsigned worker_count, workers_ended;
    struct http_upstream client; /* of the probes */
    struct map *lives;           /* name -> struct life */
    struct map *apps;            /* name -> struct edge_app: as long as the program */
    struct job *jobs;
    struct wish_source *sources; /* of apps that nobody deploys by hand: wish.h */
    bool poked;
    struct loop_timer logs;
    struct spool spool;
    uint64_t job_id, instance_id, table_version;
    uint64_t instance_reserved; /* numbers up to this are taken, as far as the state file knows */
    struct http_server *control;
    struct signal_source *signals;
    int access_fd, lock_fd;
    unsigned asks; /* questions to the workers under way */
    bool stopping, workers_stopped, reloading, failed;
    uint32_t stop_grace_ms;
    int64_t started_unix_s;

    struct takeover_socket legacy[LIMIT_FDPASS_FDS]; /* what was found at start: legacy.c */
    size_t legacy_count;
    str legacy_state;
    int64_t keys_since_s; /* when the keys of session tickets were made */
    struct arrival *arrival;
    struct edge_heir heir;

    int channel; /* to the supervisor: link.c; -1 = none */
    struct loop_fd *channel_watch;
    bool watched;            /* there is, or should be, a supervisor */
    struct proc *supervisor; /* one that we had to start */
    struct loop_timer supervisor_again;
    struct loop_timer watchdog;
    int64_t watchdog_us;
};
/* Calls fn(worker, arg) on each worker's thread, then done(done_arg) on the control thread (done may be NULL). */
void edge_ask(struct edge *e, void (*fn)(struct edge_worker *w, void *arg), void *arg, void (*done)(void *arg),
              void *done_arg);
/* Gives the workers a table of what is; when all have it, each life is told (life_published). */
void edge_publish(struct edge *e);
void edge_save(struct edge *e); /* the state file; a failure is logged, and told by status */
const char *edge_path(struct edge *e, struct arena *a, const char *folder, const char *name);
/* Certificates and access log anew. A mistake changes nothing; no connection is touched. */
enum status edge_reload(struct edge *e, struct err *err) MUST_USE;
void edge_stop_begin(struct edge *e);
void edge_end(struct edge *e, uint32_t grace_ms); /* this process ends, the apps go on */
void edge_check_stopped(struct edge *e);
void edge_thaw(struct edge *e); /* an upgrade failed: all goes on */
/* What is being changed and must be done before an upgrade: "deploy shop"; NULL: nothing. */
const char *edge_busy_with(struct edge *e);
bool edge_predecessor_lives(const struct edge *e); /* it may still have requests in hand at adopted instances */
struct life *edge_life(struct edge *e, str name);  /* NULL: none */
struct life *edge_life_make(struct edge *e, str name);

/* state.c */
enum status state_restore(struct edge *e, struct err *err) MUST_USE;

/* control.c */
enum status control_start(struct edge *e, struct err *err) MUST_USE;
void edge_metrics(struct edge *e, struct buf *out);
void control_value(struct http_exchange *x, int status, struct value v);
void control_error(struct http_exchange *x, const struct err *err);

/* heir.c: handing over to a new process */
void heir_init(struct edge *e);
void heir_begin(struct edge *e, struct http_exchange *x); /* x is answered when it serves, or failed; NULL: SIGUSR2 */
bool heir_frozen(const struct edge *e);                   /* nothing is started or stopped now */
bool heir_finished(struct edge *e);                       /* the workers ended: may the process? */
void heir_cancel(struct edge *e);                         /* the process stops */
void heir_release(struct edge *e);
enum status heir_arrived(struct edge *e, struct err *err) MUST_USE; /* we are the new one, and serve */

/* legacy.c: what is left and found */
enum status legacy_find(struct edge *e, struct err *err) MUST_USE;
int legacy_take(struct edge *e, str label);
enum status legacy_listen(struct edge *e, struct err *err) MUST_USE;
str legacy_ticket_keys(struct edge *e); /* once */
void legacy_close(struct edge *e);
size_t legacy_sockets(struct edge *e, bool for_heir, struct takeover_socket ret[LIMIT_FDPASS_FDS]);
str legacy_state(const struct edge *e, char out[EDGE_LEGACY_STATE]);

/* strays.c */
str strays_mark(struct edge *e, struct arena *a, const char *instance); /* a variable for its environment */
void strays_end(struct edge *e);                                        /* what nobody knows */
void strays_end_listed(struct edge *e, struct value list);              /* a life's "strays" in the state file */

/* link.c: the supervisor */
void link_tell(const struct edge *e, enum msg_type type, const char *text); /* text NULL = none */
void link_keep(struct edge *e);
void link_reloading(const struct edge *e);
void link_watch(struct edge *e);
void link_unwatch(struct edge *e);
void link_close(struct edge *e);
void link_again(void *arg);                               /* the edge */
void edge_notify(const struct edge *e, const char *text); /* to systemd */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* model: what the control thread and the loop threads share.
 *
 * The control thread owns it all. It gives the loops a table: routes and, for each, the instances that may be asked. A
 * table never changes; a change is a new table, which every loop takes up between two rounds. So a request sees one
 * state of the world, and no request takes a lock.
 *
 * An instance lives until every loop has let go of it (worker_forget); apps live as long as the edge. What a loop
 * counts, it counts in a place of its own: one writer, any number of readers. */
#ifndef VITRINE_EDGE_MODEL_H
#define VITRINE_EDGE_MODEL_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/limits.h"
#include "http/upstream.h"
#include "rt/loop.h"

/* ---- counters: written by one loop, read by the control thread ---- */
struct edge_count {
    _Atomic uint64_t n;
};
static inline void count_add(struct edge_count *c, uint64_t n)
{
    atomic_store_explicit(&c->n, atomic_load_explicit(&c->n, memory_order_relaxed) + n, memory_order_relaxed);
}
static inline uint64_t count_get(const struct edge_count *c)
{
    return atomic_load_explicit(&c->n, memory_order_relaxed);
}

enum edge_counter {
    EDGE_REQUESTS,
    EDGE_1XX, /* answers by first digit of their status; switched protocols count here */
    EDGE_2XX,
    EDGE_3XX,
    EDGE_4XX,
    EDGE_5XX,
    EDGE_HTTP1, /* requests by protocol */
    EDGE_HTTP2,
    EDGE_GONE,      /* clients that left before their answer */
    EDGE_CUT,       /* answers that ended before their end */
    EDGE_SPOOLED,   /* bodies kept on disk while they passed */
    EDGE_UNSPOOLED, /* ... that found no room: they passed, but could not have been sent again */
    EDGE_REPLAYS,   /* uploads sent again, to another instance, from what was kept */
    EDGE_RETRIES,   /* requests sent to a second instance, or a second time */
    EDGE_HELD,      /* requests that had to wait for an instance */
    EDGE_HELD_LOST, /* ... and waited too long or found no room */
    EDGE_RATED,     /* requests that were more than its rate: 429 */
    EDGE_BYTES_IN,
    EDGE_BYTES_OUT,
    EDGE_DURATION_US,
    EDGE_COUNTERS
};
extern const char *const edge_counter_names[EDGE_COUNTERS]; /* as in /metrics: "requests_total" */

/* ---- instances ---- */
struct edge_app;

struct edge_place { /* one loop's part of an instance; only that loop touches it, but for `busy` */
    struct upstream_pool pool;
    bool open;                   /* the pool was made */
    _Atomic uint32_t busy;       /* requests and tunnels in hand; the control thread reads it */
    struct edge_exchange *first; /* those, so that they can be cut */
};
struct edge_instance {
    uint64_t id;
    struct edge_app *app;
    struct addr addr;
    char name[LIMIT_EDGE_NAME + 24]; /* "shop.3": app and number of the instance */
    struct edge_place places[];      /* app->loops */
};
struct edge_instance *edge_instance_new(struct edge_app *app, uint64_t id) MUST_USE;

/* ---- apps ---- */
struct edge_queue { /* one loop's requests that wait for an instance of the app, first in first out */
    struct edge_request *first, *last;
    uint32_t count;
    int64_t bytes;
    int64_t next_us; /* when the next one may go, while they are let out */
    struct edge_app *app;
    struct edge_queue *prev, *next; /* the loop's queues in which somebody waits */
    uint64_t pass;                  /* of hold_release that looked at it last */
};
struct edge_share { /* one loop's part of an app; the control thread reads the counts and last_us */
    struct edge_count counts[EDGE_COUNTERS];
    struct edge_count writes;  /* requests in hand that are no reads */
    struct edge_count in_hand; /* requests and tunnels that an instance has */
    _Atomic int64_t last_us;   /* when one was given to an instance, or ended there */
    struct edge_queue queue;
    char apart[64]; /* the next loop's part shares no cache line with this one */
};
struct edge_app {
    char name[LIMIT_EDGE_NAME + 1];
    _Atomic uint32_t bound;   /* of those that wait, the ones that no other process can take (leave.c) */
    _Atomic uint32_t waiting; /* of all loops: the bound on number counts them together */
    _Atomic int64_t rate_us;  /* when the next request would come if all came evenly: rate.c */
    atomic_bool wake_asked;   /* a loop told the control thread that somebody wants it */
    struct loop_message wake; /* ... by this */
    void *owner;              /* the control thread's */
    unsigned loops;
    struct edge_share shares[]; /* loops */
};
struct edge_app *edge_app_new(str name, unsigned loops) MUST_USE;
uint64_t edge_app_count(const struct edge_app *app, enum edge_counter which); /* of all loops */
uint32_t edge_app_writes(const struct edge_app *app);                         /* of all loops */
uint32_t edge_app_in_hand(const struct edge_app *app);                        /* of all loops */
int64_t edge_app_last_us(const struct edge_app *app);                         /* of all loops; 0: never */
bool edge_is_read(str method);                                                /* GET, HEAD, OPTIONS */
uint32_t edge_instance_busy(const struct edge_instance *i);                   /* of all loops */

/* ---- the table ---- */
enum edge_pause { EDGE_RUNNING, EDGE_PAUSED, EDGE_PAUSED_WRITES, EDGE_STOPPED };

enum edge_trouble { EDGE_WELL, EDGE_CRASHED, EDGE_OUT_OF_MEMORY, EDGE_NOT_STARTED };

struct edge_target { /* an app as a table sees it */
    struct edge_app *app;
    struct edge_instance **instances;
    size_t count;
    enum edge_pause pause;
    bool spool;                /* bodies are kept on disk, so that they can be sent again */
    uint8_t send_proxy;        /* version of the PROXY protocol that connections to it begin with; 0 = none */
    bool managed;              /* we start its instances: what does not answer now soon will */
    bool asleep;               /* none of them runs: the first request that waits wakes it */
    enum edge_trouble trouble; /* why nothing runs and nobody may wait for it */
    int64_t since_unix_s;      /* ... since when */
    int64_t again_us;          /* ... and when it is started the next time, by the clock of the loops */
    uint32_t rate_step_us;     /* between two requests, on average; 0 = any number */
    uint32_t rate_slack_us;    /* so much earlier than that may one come */
    uint32_t in_hand_max;      /* of each loop: more wait; 0 = any number */
    uint32_t answer_ms;        /* from the end of the request to the first byte of the answer */
    uint32_t hold_ms;          /* a request waits this long for an instance */
    uint32_t hold_max;         /* requests that wait, of all loops together */
    uint32_t hold_rate;        /* requests let out per second after a pause; 0 = at once */
    str message;               /* of EDGE_STOPPED */
};
struct edge_route {
    str host;                   /* lower case, without port; "" = any; "*.example.com" = all below it */
    str path;                   /* "/" or "/shop": matches itself and what is below it */
    bool strip;                 /* the app does not see `path` */
    struct edge_target *target; /* NULL: a redirect */
    str redirect;               /* "https://www.example.com": path and query are added */
    int redirect_status;
    uint16_t https_port; /* plain requests go there by a redirect; 0 = they are served */
    size_t group;        /* set by edge_table_finish: routes of the same host */
};
struct edge_group {
    str host;
    size_t path_max; /* bytes of the longest path of them */
};
struct edge_token { /* http-01: what an authority wants to read */
    str token, text;
};
struct edge_table {
    atomic_uint refs;
    uint64_t version;
    struct arena *arena;
    struct edge_route *routes; /* ordered: the first that fits is the one */
    size_t route_count;
    struct edge_group *groups;
    uint32_t *group_index, *route_index, *app_index; /* hash tables: number plus 1, 0 = free; of powers of two slots */
    size_t group_count, group_slots, route_slots, app_slots;
    struct edge_target **targets;
    size_t target_count, target_room, route_room;
    struct edge_token *tokens;
    size_t token_count, token_room;
    struct edge_route *coming; /* of apps whose first version is being started */
    size_t coming_count, coming_room;
};
struct edge_table *edge_table_new(uint64_t version) MUST_USE; /* empty, one reference */
/* Copies all text. A host is lower-cased; a path loses its trailing slash. Before edge_table_finish. */
struct edge_target *edge_table_add_target(struct edge_table *t, const struct edge_target *like);
void edge_table_add_route(struct edge_table *t, const struct edge_route *like);
void edge_table_add_coming(struct edge_table *t, const struct edge_route *like);
void edge_table_add_token(struct edge_table *t, str token, str text);
void edge_table_finish(struct edge_table *t); /* sorts: exact hosts, then wildcards, then any; longer paths first */
struct edge_table *edge_table_ref(struct edge_table *t);
void edge_table_unref(struct edge_table *t); /* NULL is fine; any thread */
/* host as in the request, maybe with a port; path raw. NULL: no route. */
const struct edge_route *edge_table_find(const struct edge_table *t, str host, str path);
/* Where edge_table_find has none: will there be one in a moment? Looks at each: they are few, and it is asked rarely.
 */
const struct edge_route *edge_table_find_coming(const struct edge_table *t, str host, str path);
struct edge_target *edge_table_target(const struct edge_table *t, const struct edge_app *app); /* NULL: gone */

/* The text for an address below /.well-known/acme-challenge/ (RFC 8555 section 8.3); empty (p NULL) = not ours. */
str edge_table_token(const struct edge_table *t, str path);

bool edge_name_ok(str name); /* of apps: a-z 0-9 - _, at most LIMIT_EDGE_NAME */
/* "www.example.com", "*.example.com", "" for any, "[::1]"; INVALID says what is wrong. */
enum status edge_host_check(str host, struct err *err) MUST_USE;
enum status edge_path_check(str path, struct err *err) MUST_USE; /* begins with "/", no "?", no dot segments */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* wish: apps that nobody deploys by hand. A source (a folder of files, the labels of containers) says what is to be;
 * this makes it so: one deploy for each app that differs, none for one that does not, and a removal for what the source
 * no longer has. A wish with a mistake changes nothing: what ran before goes on, and status tells the mistake.
 *
 * Who an app belongs to is kept with it (life.origin, in the state file): a source never touches an app that somebody
 * deployed by hand, and the other way round. Threads: the control thread. */
#ifndef VITRINE_EDGE_WISH_H
#define VITRINE_EDGE_WISH_H

#include "edge/edge_impl.h"

struct wish {
    struct wish *next;
    struct wish_source *source;
    char *origin; /* "file shop.yaml": the source's kind and its own name for it */
    char *name;   /* of the app */
    struct arena *arena;
    struct edge_spec spec; /* when arena is set */
    char *problem;         /* NULL: none */
    struct job *job;       /* its deploy, while it runs */
    bool seen, tried;      /* tried: this very spec was deployed, or failed to be */
};
struct wish_source {
    struct wish_source *next;
    struct edge *edge;
    const char *kind; /* "file", "container": the first word of every origin */
    char *where;      /* folder or socket, for status */
    char *problem;    /* of the source itself; NULL: none */
    bool stays;       /* an app that is gone keeps its routes for as long as its requests may be held */
    bool told;        /* a first round was made: what the source does not have is gone */
    struct wish *wishes;
    struct loop_timer look; /* again: what failed, and apps whose time is over */
    void (*free)(struct wish_source *s);
};
void wish_source_add(struct edge *e, struct wish_source *s, const char *kind, str where);
void wish_sources_free(struct edge *e); /* while its loop is still there */
void wish_source_release(struct wish_source *s);
void wish_source_problem(struct wish_source *s, const char *text); /* NULL: none. Logged when it is news */
/* One round: begin, then each wish by put or broken, then end. wish_put takes the arena in which the spec lives. */
void wish_round_begin(struct wish_source *s);
void wish_put(struct wish_source *s, str own_name, str app, const struct edge_spec *spec, struct arena *arena);
void wish_broken(struct wish_source *s, str own_name, str app, const struct err *err);
void wish_round_end(struct wish_source *s);
/* Something came to an end: what had to wait for it may be done. Safe in any callback: it works at the end of the
 * round.
 */
void wish_poke(struct edge *e);
const struct wish *wish_of(const struct edge *e, str app); /* the one that describes an app; NULL: none */
void wish_job_ended(struct job *j);
/* Is the app of a source that replaces what it runs (containers)? Then what does not answer now soon will. */
bool wish_comes_back(const struct life *l);
struct value wish_value(struct arena *a, const struct edge *e); /* for status: LIST of sources with their apps */

/* The sources. */
enum status app_folder_start(struct edge *e, str folder, struct err *err) MUST_USE;
void engine_start(struct edge *e, const struct addr *addr); /* also while none is there yet */

#endif

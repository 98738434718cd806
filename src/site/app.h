/* SPDX-License-Identifier: Apache-2.0 */
/* app: the data-publishing application of one process: configuration, published databases, templates, caches.
 *
 * A struct site is one generation of it: what the configuration and the folders said at one moment. It never changes;
 * when they say something else, another generation takes its place (live.h), and requests in flight finish on the one
 * they began with. What must outlive a generation hangs on struct site_shared, and databases go from one to the next
 * with their connections. */
#ifndef VITRINE_SITE_APP_H
#define VITRINE_SITE_APP_H

#include <stdatomic.h>

#include "codec/value.h"
#include "db/database.h"
#include "http/forwarded.h"
#include "http/server.h"
#include "rt/pool.h"
#include "site/config.h"
#include "site/permit.h"
#include "site/state.h"
#include "template/template.h"

struct answer_cache;
struct api_log;
struct schedule;
struct shares;
struct accounts;
struct figure_store;
struct import_jobs;
struct internal;
struct kept;
struct static_blobs;
struct static_dir;
struct metrics;
struct throttle;
struct site_shared;
struct space_cell;
struct space_disk;
struct tokens;
struct visitors;
struct template_files;

/* One database as visitors see it: shared by the generations that publish it, immutable. */
struct published {
    atomic_int refs;
    uint64_t made_of;             /* hash of the options it was made with */
    struct arena *arena;          /* ours: of inspect_tables; NULL = none */
    str name;                     /* also its route, tilde-encoded in URLs */
    str path;                     /* file; empty for memory */
    struct database *database;    /* ours */
    struct figure_store *figures; /* ours: counts, facets */
    struct writer *writer;        /* ours; NULL = immutable */
    atomic_bool counts_read;      /* those that an earlier process left; count_file.h */
    char color[7];                /* six hex digits */
    str hash;                     /* sha256 of an immutable file, or what inspect data says; empty when mutable */
    bool is_mutable, is_memory;
    int64_t size_bytes;          /* immutable: fixed; else ask published_size() */
    struct value inspect_tables; /* DICT table -> {count}; UNDEFINED without inspect data */
};

struct static_mount {
    str mount; /* "/assets" */
    struct static_dir *dir;
};

struct site_options {
    struct config_sources config;
    const str *files;           /* databases, in order */
    const bool *file_immutable; /* one each */
    size_t file_count;
    bool memory, crossdb, nolock, create, cors, root, default_deny, reload;
    str secret;                   /* empty = the kept one; made when there is none */
    struct state_options state;   /* where ours is kept */
    str template_dir;             /* empty = none */
    str inspect_file;             /* empty = none */
    bool inspect_makes_immutable; /* databases that the inspect file names are opened as files nobody writes */
    const str *static_mounts;     /* MOUNT:DIR */
    size_t static_mount_count;
    const str *load_extensions;
    size_t load_extension_count;
    size_t cache_bytes; /* answer cache; 0 = off */
    bool sync_normal;   /* --sync normal: see db/writer.h */
    str version_note;
    str metrics_token;   /* opens /-/metrics; empty = none */
    bool files_may_go;   /* from a directory or a pattern */
    str database_folder; /* the directory that is served: new databases go there; empty = none */
    str space;           /* space.json of a space; empty = a site of its own */
};

/* One for the process: the generations of its site point here. */
struct site_shared {
    atomic_bool stopping; /* work in the background ends now */
    struct arena *arena;
    struct pool *pool;
    struct internal *internal;   /* our own state; internal.h */
    struct import_jobs *imports; /* upload/job.h */
    str outbox;                  /* of a space: what it asks of the hub; empty = a site of its own */
    str upload_folder;           /* files that are uploaded; made at first use */
    struct kept *kept;           /* stored queries and column types in it; kept.h */
    struct shares *shares;       /* what was shared, in it; share/shares.h */
    struct tokens *tokens;       /* API tokens that were made here; tokens.h */
    struct schedule *schedule;   /* schedule/schedule.h */
    struct api_log *api_log;     /* requests that may write, in it; api_log.h */
    str secret;
    struct metrics *metrics;
    struct throttle *budgets;                      /* budget.h */
    struct space_cell *space;                      /* what the hub says; NULL = a site of its own */
    struct space_disk *disk;                       /* likewise: what it has on disk */
    struct throttle *requests;                     /* of a space: its requests_per_minute */
    atomic_llong slow_until_us[LIMIT_SLOW_PLACES]; /* likewise */
    uint64_t id_state;                             /* of request ids; loop's thread */
    atomic_bool draining;                          /* /-/ready says so */
    str root_token;                                /* one-time; n becomes 0 (atomically) once it was used */
    int64_t started_unix_us;
};

struct site {
    atomic_int refs;
    uint64_t generation; /* 1, 2 ... */
    struct site_shared *shared;
    struct arena *arena; /* everything that lives as long as this generation */
    struct config config;
    struct permit_policy policy;
    struct published **published; /* in the order given */
    size_t published_count;
    const str *removed; /* names that earlier generations published */
    size_t removed_count;
    struct template_files *template_files;
    struct template_env *templates;
    struct static_mount *mounts;
    size_t mount_count;
    struct static_blobs *static_blobs;
    struct pool *pool;          /* of shared */
    struct answer_cache *cache; /* NULL = off */
    struct kept *kept;          /* of shared */
    struct shares *shares;      /* likewise */
    struct accounts *accounts;
    struct visitors *visitors; /* NULL = none are configured */
    const struct rules *rules;
    struct value inspect;      /* whole inspect file or UNDEFINED */
    str secret;                /* of shared */
    struct internal *internal; /* of shared */
    str metrics_token;         /* empty = none */
    struct proxy_list proxies;
    bool cors, crossdb, cache_headers;
    bool files_may_go;   /* a file that is gone is noticed soon, and no fault */
    str database_folder; /* where new databases are made; empty = nowhere */
    str version_note;
    const str *load_extensions; /* borrowed from the options */
    size_t load_extension_count;
};

/* Lanes of the worker pool, in this order. */
enum site_lane { LANE_PAGE, LANE_SQL, LANE_SIGN_IN, LANE_UPKEEP, LANE_FIGURES, LANE_UPLOAD, LANE_IMPORT, LANE_COUNT };
extern const char *const site_lane_names[LANE_COUNT];

/* The first generation, with all that is shared. Opens nothing on disk beyond what the options name; databases open
 * lazily but unreadable files are refused here. All statuses come with a message that names the file and the remedy. */
enum status site_new(const struct site_options *o, struct site **ret_site, struct err *err) MUST_USE;
/* The next generation. Databases whose options did not change are taken over with their connections; a file that cannot
 * be read is left out, with a line in the log. Anything wrong with the configuration or a folder: `old` stays what it
 * is, and the status says why. Blocks: never on the loop's thread. */
enum status site_renew(struct site *old, const struct site_options *o, struct site **ret_site,
                       struct err *err) MUST_USE;
struct site *site_ref(struct site *s);
/* Any thread; the last one frees the generation, on a worker when there is one. NULL is fine. */
void site_unref(struct site *s);
/* `a` keeps a reference until it is reset. */
void site_hold(struct site *s, struct arena *a);
/* Ends work in the background, runs what visitors wait for, and waits for the workers. Again does nothing. */
void site_stop(struct site *s);
/* The last generation, for which the caller has the only reference, and all that is shared. NULL is fine. */
void site_free(struct site *s);

struct published *site_find(const struct site *s, str name); /* NULL = none */
bool site_had(const struct site *s, str name);               /* an earlier generation had it, this one has not */
/* permit_allowed() with what the site adds: SQL on the memory database of --crossdb reads every attached one, so it
 * needs execute-sql on all of them. `policy`: that of the request. */
bool site_allowed(const struct site *s, const struct permit_policy *policy, struct value actor, enum action a,
                  str parent, str child);
/* What Access-Control-Allow-Origin says to a page of `origin`: "*", that origin, or empty. cors_origins wins over
 * --cors, so that a list given for a site that was open closes it. */
str site_cors_origin(const struct site *s, str origin);
int64_t published_size(const struct published *p); /* bytes; 0 for memory */
struct published *published_ref(struct published *p);
void published_unref(struct published *p); /* any thread; NULL is fine */

#endif

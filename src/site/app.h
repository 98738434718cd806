/* SPDX-License-Identifier: Apache-2.0 */
/* app: the data-publishing application of one process: configuration, published databases, templates, caches.
 *
 * Built before the loop starts; afterwards only `published` lists and caches change, each behind its own lock. */
#ifndef VITRINE_SITE_APP_H
#define VITRINE_SITE_APP_H

#include "codec/value.h"
#include "db/database.h"
#include "http/server.h"
#include "rt/pool.h"
#include "site/config.h"
#include "site/permit.h"
#include "template/template.h"

struct answer_cache;
struct counts;
struct static_blobs;
struct static_dir;

/* One database as visitors see it. Lives as long as the site. */
struct published {
    str name;                  /* also its route, tilde-encoded in URLs */
    str path;                  /* file; empty for memory */
    struct database *database; /* ours */
    struct counts *counts;     /* ours */
    char color[7];             /* six hex digits */
    str hash;                  /* sha256 of an immutable file, or what inspect data says; empty when mutable */
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
    str secret;                   /* empty = made at start */
    str template_dir;             /* empty = none */
    str inspect_file;             /* empty = none */
    bool inspect_makes_immutable; /* databases that the inspect file names are opened as files nobody writes */
    const str *static_mounts;     /* MOUNT:DIR */
    size_t static_mount_count;
    const str *load_extensions;
    size_t load_extension_count;
    size_t cache_bytes; /* answer cache; 0 = off */
    str version_note;
};

struct site {
    struct arena *arena; /* everything that lives as long as the site */
    struct config config;
    struct permit_policy policy;
    struct published **published; /* in the order given */
    size_t published_count;
    struct template_env *templates;
    struct static_mount *mounts;
    size_t mount_count;
    struct static_blobs *static_blobs;
    struct pool *pool;
    struct answer_cache *cache; /* NULL = off */
    struct value inspect;       /* whole inspect file or UNDEFINED */
    str secret;
    str root_token; /* one-time; empty once used */
    bool cors, crossdb, cache_headers;
    int64_t started_unix_us;
    str version_note;
    const str *load_extensions; /* borrowed from the options */
    size_t load_extension_count;
};

/* Lanes of the worker pool, in this order. */
enum site_lane { LANE_PAGE, LANE_SQL, LANE_COUNT };

/* Opens nothing on disk beyond what the options name; databases open lazily but unreadable files are refused here.
 * All statuses come with a message that names the file and the remedy. */
enum status site_new(const struct site_options *o, struct site **ret_site, struct err *err) MUST_USE;
void site_free(struct site *s);

struct published *site_find(const struct site *s, str name); /* NULL = none */
int64_t published_size(const struct published *p);           /* bytes; 0 for memory */

/* The HTTP handler: runs on the loop thread; app is the struct site. */
void site_handle(void *app, struct http_exchange *x);

#endif

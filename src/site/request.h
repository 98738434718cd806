/* SPDX-License-Identifier: Apache-2.0 */
/* request: one request on its way through the site; owned by one worker at a time, memory from its arena. */
#ifndef VITRINE_SITE_REQUEST_H
#define VITRINE_SITE_REQUEST_H

#include "db/conn.h"
#include "db/schema.h"
#include "http/message.h"
#include "http/server.h"
#include "site/access.h"
#include "site/app.h"
#include "site/query/args.h"

#define ROUTE_PARAMS_MAX 4

struct route;
struct space;
struct trace;
struct guest;
struct request;
struct writer;

/* What a view that writes leaves behind (write/write.h): it has looked and planned, now the database's writer works. */
struct write_step {
    /* Writer's thread, inside a transaction: runs the plan and makes the answer, which is sent after the COMMIT. May be
     * called twice. rq->conn is not there. */
    enum status (*apply)(struct request *rq, struct conn *c, void *plan, struct err *err);
    /* After the COMMIT or the failure, on a worker: makes another answer, or one for a failure. NULL = the answer of
     * apply; a failure becomes JSON. Returns OK. */
    enum status (*finish)(struct request *rq, void *plan, enum status st, struct err *err);
    void *plan;
    struct writer *writer;
};

struct request {
    struct site *site;
    struct http_exchange *exchange;
    const struct http_request *http;
    struct arena *arena;
    str path;         /* raw, base_url stripped, starts with "/" */
    str query_string; /* raw, without "?" */
    struct args args; /* decoded, in order */
    const struct route *route;
    str params[ROUTE_PARAMS_MAX]; /* decoded path variables in the order of the pattern; raw for :pks */
    size_t param_count;
    str format;                /* "html" when the path has no extension */
    struct value actor;        /* DICT or NONE */
    const struct space *space; /* what the hub says, for as long as this request; NULL = a site of its own */
    struct permit_policy policy;
    struct published *db;
    struct conn *conn;           /* acquired for `db`; released by the worker when the view has returned */
    const struct schema *schema; /* of rq->db, once request_connect() ran; released with conn */
    struct http_response *response;
    struct http_sink *body;              /* of ROUTE_SPOOL, when there is one; see upload/sink.h */
    struct guest *guest;                 /* what it sees because it was shared; share/guest.h */
    struct request_note *note;           /* ids, cost */
    const struct http_stats *http_stats; /* of ROUTE_STATS, else NULL */
    int64_t started_mono_us;
    int64_t page_sql_us;        /* spent in sql() of templates */
    bool response_varies;       /* by time, chance or the client: never kept */
    int64_t retry_after_s;      /* of an error with Retry-After; 0 = the status's own */
    const char *refusal;        /* said to who may not see rq's database, also when there is none; NULL = by the path */
    const char *challenge;      /* WWW-Authenticate of a 401; NULL = that of a bearer token */
    bool response_is_constant;  /* depends on no database: may be cached for ever */
    const char *error_title;    /* of the error page; NULL = "Error 404" and so on */
    const char *error_template; /* NULL = by status; set = always this page, never JSON */
    struct trace *trace;        /* trace.h; NULL = none is kept */
    struct value error_extra;   /* DICT: more keys of the JSON error, "sql" for the page; or UNDEFINED */
    struct db_signature seen;   /* of the data of `seen_of` when this request first looked: figures.h */
    const struct published *seen_of; /* NULL = not yet */
    struct figure_found *found;      /* figures of that data, not yet kept */
    struct write_step write;         /* the view returned AGAIN: its write waits for the writer */
};

/* Splits path and query, strips base_url, finds the route. No database. */
str request_path(const struct site *site, str path); /* base_url stripped */
void request_init(struct request *rq, struct site *site, struct http_exchange *x, struct http_response *response);

/* First value of a query argument, or empty with p == NULL. */
str request_arg(const struct request *rq, const char *name);
bool request_has_arg(const struct request *rq, const char *name);
/* on/off/true/false/1/0; `fallback` for anything else */
bool request_flag(const struct request *rq, const char *name, bool fallback);

/* TOO_LARGE: the body is over max_post_body_bytes. */
enum status request_body_check(const struct request *rq, struct err *err) MUST_USE;

/* Set once the client went away; NULL for the later pieces of a stream. */
const atomic_bool *request_gone(const struct request *rq);
bool request_is_get(const struct request *rq); /* GET or HEAD */
/* Path of this page with base_url and query string, as links need it. */
str request_full_path(const struct request *rq);
/* "http://host" of this request; https when forced or when TLS ended here. */
str request_origin(const struct request *rq);
str request_absolute_url(const struct request *rq, str path); /* path starts with "/" */

/* Permission helpers; parent and child may be empty. */
bool request_allowed(const struct request *rq, enum action a, str parent, str child);
/* The same for another actor: what the debug pages ask. */
bool request_allows(const struct request *rq, struct value actor, enum action a, str parent, str child);
/* Without what was shared. */
bool request_allowed_by_rules(const struct request *rq, enum action a, str parent, str child);
/* Visible to this actor but not to an anonymous one. */
bool request_private(const struct request *rq, enum action a, str parent, str child);
enum status request_require(const struct request *rq, enum action a, str parent, str child, const char *message,
                            struct err *err) MUST_USE;

/* Resolves params[0] to rq->db. NOT_FOUND "Database not found"; FORBIDDEN for who may not see a database of that name,
 * so that names that are there and names that are not look alike. */
enum status request_find_database(struct request *rq, struct err *err) MUST_USE;
/* The same, and acquires a connection. */
enum status request_open_database(struct request *rq, struct err *err) MUST_USE;
/* Acquires a connection for rq->db and its schema; the worker releases both after the view. */
enum status request_connect(struct request *rq, struct err *err) MUST_USE;
void request_disconnect(struct request *rq);
/* Gives the connection back, on the thread that acquired it, but keeps rq->schema for the answer. */
void request_release_conn(struct request *rq);
/* For templates: DICT name -> value; DICT database, table, pks, format. */
struct value request_cookies(const struct request *rq, struct arena *a);
struct value request_url_vars(const struct request *rq, struct arena *a);

/* Answers: each sets status, content type and body. */
void respond_json(struct request *rq, int http_status, struct value v);
void respond_text(struct request *rq, int http_status, const char *content_type, str body);
/* To OPTIONS: "ok", and the methods in the header Allow. */
void respond_options(struct request *rq, const char *methods);
void respond_buf(struct request *rq, int http_status, const char *content_type, struct buf *own_body);
/* The whole file as body; content type and the rest are the caller's. NOT_FOUND, FORBIDDEN, IO. */
enum status respond_file(struct request *rq, const char *path, struct err *err) MUST_USE;
void respond_redirect(struct request *rq, int http_status, str location);

#endif

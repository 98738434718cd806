/* SPDX-License-Identifier: Apache-2.0 */
/* request: one request as the hub's views see it, and the ways to answer it. A view runs on one worker. */
#ifndef VITRINE_HUB_REQUEST_H
#define VITRINE_HUB_REQUEST_H

#include "http/server.h"
#include "hub/hub.h"
#include "hub/sql.h"

struct hub_route;

struct hub_request {
    struct hub *hub;
    struct http_exchange *exchange;
    const struct http_request *http;
    struct arena *a; /* of the exchange */
    const struct hub_route *route;
    str params[2];     /* what stood for {} in the route's pattern, decoded */
    str client;        /* address */
    str crowd;         /* whose attempts count together: an address, of IPv6 its /64 */
    struct value args; /* DICT: query string */
    struct value form; /* DICT: body of a POST; the last of equal names wins */
    const char *wrong; /* the field that the answer says something about; NULL: none */
    bool said;         /* hub_put_error: the form is shown again, with what was typed */
    struct value user; /* row of users, or NONE: nobody is signed in */
    str session;       /* id of the session; empty = none */
    str device;        /* device_id */
    int64_t identity;  /* by which they sign in just now (identities.id); 0 = not by an issuer */
    int64_t strong_at; /* when it last showed a password or a factor, Unix seconds */
    struct http_response response;
    struct conn *conn; /* hub_conn */
};

/* A text of the form or the query, trimmed; empty when absent. */
str hub_field(const struct hub_request *rq, const char *name);
str hub_arg(const struct hub_request *rq, const char *name);
str hub_user_id(const struct hub_request *rq); /* empty: nobody */
bool hub_is_post(const struct hub_request *rq);
/* The request as views see it, in the arena of the exchange; its route is not known yet. Loop's thread. */
struct hub_request *hub_request_new(struct hub *h, struct http_exchange *x);
/* Not sent by a page of another site. */
bool hub_same_origin(const struct hub_request *rq);
str hub_day(struct arena *a, int64_t unix_s); /* "2026-11-21 20:27 UTC"; empty for 0 */
/* As people say it, {"words": "3 days ago", "iso": "2026-11-18T20:27:00Z"}; NONE for 0. */
struct value hub_when(struct arena *a, int64_t unix_s, int64_t now_s);
void hub_say_when(struct arena *a, struct value rows, const char *column); /* of each row, now; INT before */
/* A connection that reads, until the answer. */
enum status hub_conn(struct hub_request *rq, struct conn **ret, struct err *err) MUST_USE;
/* What was read before is older than a write that this request made: the next hub_conn sees it. */
void hub_conn_release(struct hub_request *rq);

/* ---- answers; each returns OK unless it fails ---- */
/* A page: web/templates/hub/NAME. vars DICT, gets what every page has. */
enum status hub_page(struct hub_request *rq, int status, const char *name, struct value vars, struct err *err) MUST_USE;
/* 303 to a path of ours. note: key of the table in page.c, shown there once; NULL = none. */
enum status hub_go(struct hub_request *rq, str path, const char *note) MUST_USE;
enum status hub_go_outside(struct hub_request *rq, str url) MUST_USE; /* to an address that we made */
enum status hub_json(struct hub_request *rq, int status, struct value v) MUST_USE;
/* st; unless it is OK the form shows that this field was wrong (the first that is named counts). */
enum status hub_of_field(struct hub_request *rq, const char *field, enum status st) MUST_USE;
/* The page of an error: status, sentence, remedy. */
void hub_answer_error(struct hub_request *rq, const struct err *err);
/* Gives a page with a form the sentence and the remedy that templates/hub/_error.html shows. NULL, OK: nothing. */
void hub_put_error(struct hub_request *rq, struct value vars, const struct err *why);
/* It is about what was typed (wrong, taken, too often): the form says so beside itself. The rest is an error page. */
bool hub_in_form(enum status st);
/* The address that a form or a link names to go on to, or "/" where it leads elsewhere (uri_is_own_path). */
str hub_safe_path(str path);
/* Set-Cookie for a cookie of this host only; life_s 0 = take it away. */
void hub_cookie(struct hub_request *rq, const char *name, str value, int64_t life_s);
str hub_cookie_of(const struct hub_request *rq, const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* route: the table of URLs. First match wins; the raw, undecoded path is matched.
 *
 * Patterns: literal segments; ":name" takes one segment (never "." or "/" literally) and is tilde-decoded; ":name*" is
 * kept raw and may hold "."; a trailing "[.json]" allows that extension, "[.*]" any. */
#ifndef VITRINE_SITE_ROUTE_H
#define VITRINE_SITE_ROUTE_H

#include "base/arena.h"
#include "base/err.h"
#include "http/message.h"

struct request;

enum route_flags {
    ROUTE_GET = 1,
    ROUTE_POST = 2,
    ROUTE_POST_JSON = 512, /* POST only with the extension .json */
    ROUTE_ANY_METHOD = 4,  /* PUT, DELETE and OPTIONS are answered as GET, as Datasette's table page does */
    ROUTE_SLOW = 8,        /* runs visitors' SQL: slow lane */
    ROUTE_NO_CACHE = 16,   /* never from the answer cache */
    ROUTE_HASHES = 32,     /* a POST hashes a password: lane of its own */
    ROUTE_POST_SLOW = 128, /* a POST runs visitors' SQL */
    ROUTE_SPOOL = 256,     /* bodies go to disk as they come in (upload/sink.h) */
    ROUTE_OPEN = 1024,     /* answers everybody, also in a private or suspended space */
    ROUTE_STATS = 64,      /* gets the statistics of the HTTP server */
    ROUTE_FILLS = 2048,    /* what is not GET may make the databases larger: refused where there is no room */
    ROUTE_WRITE = ROUTE_POST | ROUTE_NO_CACHE | ROUTE_FILLS,
    ROUTE_CHANGE = ROUTE_POST | ROUTE_NO_CACHE
};

struct route {
    const char *pattern;
    unsigned flags;
    enum status (*view)(struct request *rq, struct err *err);
    const char *help; /* one line for the reference */
};

extern const struct route routes[];
extern const size_t route_count;

struct route_match {
    const struct route *route; /* NULL = none */
    str params[4];             /* decoded into the arena, or raw */
    size_t param_count;
    str format; /* extension without ".", empty when absent */
};

struct route_match route_find(str text, struct arena *a);

#endif

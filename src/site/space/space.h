/* SPDX-License-Identifier: Apache-2.0 */
/* space: what the hub tells a space (docs/design/0060-hub.md): who its members are, who signed out, how it looks, how
 * much it may use. One struct space is what the file said at one moment; it never changes. When the file says
 * something else, another one takes its place in the cell, while requests finish with the one they began with. No
 * database, template or cached answer is touched by that: people come and go more often than configurations. */
#ifndef VITRINE_SITE_SPACE_SPACE_H
#define VITRINE_SITE_SPACE_SPACE_H

#include <stdatomic.h>

#include "codec/token.h"
#include "site/permit.h"

struct space {
    atomic_int refs;
    struct arena *arena;
    uint64_t generation; /* differs when the text does: a part of the key of cached answers */
    str id, name, title; /* title: the name when there is none */
    str origin, hub;     /* "https://museum.example.org", without a slash at the end */
    struct value hosts;  /* LIST of further hosts that lead here ("www.example.org") */
    bool https;          /* of origin */
    const struct token_public *keys;
    size_t key_count;
    struct permit_hub people;
    struct value revoked;                            /* DICT session id -> any */
    int64_t signed_in_after;                         /* Unix seconds: sessions from before are ended */
    str accent;                                      /* "#1b6e53", or empty */
    str logo;                                        /* name in static/, or an address at the hub, or empty */
    int64_t disk_bytes, sql_ms, requests_per_minute; /* 0 = no limit */
    bool suspended;
    str suspended_why; /* may be empty */
};

/* INVALID names the key. What decides who may do what is read strictly; what only decorates is left out with a line in
 * the log when it is wrong, so that it never holds up that somebody was taken away. Keys that are not known here are
 * ignored, and so are roles (their holders are no members). Any thread. */
enum status space_parse(str text, struct space **ret, struct err *err) MUST_USE;
/* The statuses of fs_read_file too. Blocks. */
enum status space_read(const char *path, struct space **ret, struct err *err) MUST_USE;
struct space *space_ref(struct space *sp);
void space_unref(struct space *sp); /* any thread; NULL is fine */

/* Whether `host` ("www.example.org:8080") is one of the further hosts: without a way back from the hub. */
bool space_is_other_host(const struct space *sp, str host);
bool space_is_revoked(const struct space *sp, str session);
/* "Ana and Bo": whom to ask. Names only; empty when there is none. */
str space_owners(const struct space *sp, struct arena *a);

/* Where the one of now is, as the file `path` (kept) said it. Any thread. */
struct space_cell;
struct space_cell *space_cell_new(struct space *first, str path) MUST_USE; /* takes the reference */
void space_cell_free(struct space_cell *c);                                /* NULL is fine */
struct space *space_cell_get(struct space_cell *c) MUST_USE;               /* a reference; NULL when c is NULL */
/* Reads the file if it is not the one that was read last, and puts what it says into the cell. Reads go one after the
 * other, so that the newest stays. After a failure, which is told once a file, the cell is as it was. Blocks. */
enum status space_cell_read(struct space_cell *c, struct err *err) MUST_USE;
/* Whether there is something to read: one stat, never waits. */
bool space_cell_stale(struct space_cell *c);
/* The same for as long as `a` lives. */
const struct space *space_cell_borrow(struct space_cell *c, struct arena *a);

#endif

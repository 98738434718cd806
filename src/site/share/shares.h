/* SPDX-License-Identifier: Apache-2.0 */
/* shares: what somebody let others see: a database, a table, a stored query; to a person, to whoever has a link, to
 * everybody. They live in the internal database; a picture of all of them is in memory.
 *
 * A share only ever adds: it gives view-table of its table, view-query of its query, or view-database and what the
 * configuration does not close inside of its database. It never gives SQL, the file, or anything that writes. It beats
 * the rules of its own level and wider ones, not narrower ones (permit_has_narrower()).
 *
 * Threads: any. shares_generation() may run on the loop's thread; all others may block. */
#ifndef VITRINE_SITE_SHARE_SHARES_H
#define VITRINE_SITE_SHARE_SHARES_H

#include "base/err.h"
#include "base/limits.h"
#include "codec/value.h"
#include "site/permit.h"

struct internal;
struct shares;

enum share_kind { SHARE_DATABASE, SHARE_TABLE, SHARE_QUERY, SHARE_KINDS };
enum share_audience { SHARE_LINK, SHARE_PERSON, SHARE_PUBLIC, SHARE_AUDIENCES };
extern const char *const share_kind_names[SHARE_KINDS];
extern const char *const share_audience_names[SHARE_AUDIENCES];

struct share {
    str id; /* 16 hex digits */
    enum share_kind kind;
    str database, name; /* name: of the table or query; empty for a database */
    str page;           /* what stands behind its address: "?sort=x#part"; empty = nothing */
    enum share_audience audience;
    str who;                              /* of PERSON: an id or an e-mail address */
    str maker, maker_name;                /* who made it: id, and how people know them */
    int64_t made_at, until, withdrawn_at; /* Unix seconds; until 0 = for ever, withdrawn_at 0 = it holds */
    str password;                         /* of LINK: its hash; empty = none */
    str nonce;                            /* of LINK: the token is made of it and the site's secret */
    int64_t version;                      /* counts new links and passwords: passes of older ones are worth nothing */
    str sql_digest;                       /* of QUERY: what it was when it was shared */
    int64_t used_at, uses;
};

/* A link that a browser has opened, as its cookie remembers it. */
struct share_pass {
    str id;
    int64_t version;
};

/* `in` and `secret` must outlive it. Touches no disk. */
struct shares *shares_new(struct internal *in, str secret) MUST_USE;
void shares_free(struct shares *s); /* NULL is fine; writes what was used last */
/* Changes when anything is shared or withdrawn, and when a share with everybody ends: a part of the key of cached
 * answers. */
uint64_t shares_generation(struct shares *s, int64_t now_s);
/* Reads what other processes changed, at most once a second. A worker calls it before a request asks. */
void shares_look(struct shares *s);

struct share_hit {
    char id[17]; /* empty = none */
    enum share_audience audience;
};
/* The narrowest share that gives `a` on this resource to `actor` (DICT or null) or to a holder of `passes`: 2 it is
 * the resource itself, 1 its database, -1 none. Of several of one level one with everybody goes first. */
int shares_level(struct shares *s, struct value actor, const struct share_pass *passes, size_t pass_count,
                 enum action a, str parent, str child, struct share_hit *ret);

/* Copies into `a`. By id, also one that ended or was withdrawn. */
bool shares_get(struct shares *s, struct arena *a, str id, struct share *ret);
/* By the token of its link; likewise. */
bool shares_find(struct shares *s, struct arena *a, str token, struct share *ret);
/* All of a database that hold (and, ended: those that do not), newest first; child.p NULL = of everything in it. */
void shares_list(struct shares *s, struct arena *a, str database, str child, bool ended, struct share **ret,
                 size_t *ret_count);
bool share_holds(const struct share *share, int64_t now_s);
/* The token of its link; empty when the secret is not the one it was made with. */
str shares_token(struct shares *s, struct arena *a, const struct share *share);

/* Fills id, nonce, version and made_at. CONFLICT: there are LIMIT_SHARES already. */
enum status shares_add(struct shares *s, struct arena *a, struct share *share, struct err *err) MUST_USE;
struct share_change {
    bool set_until, set_password, new_link, withdraw, restore;
    int64_t until;
    str password; /* a hash; empty = none */
    str who;      /* does it: for the log */
};
/* NOT_FOUND: there is none of that id, or (but for restore) it was withdrawn. */
enum status shares_change(struct shares *s, str id, const struct share_change *c, struct err *err) MUST_USE;
/* It was used: counted in memory, written now and then. */
void shares_used(struct shares *s, str id);
/* The newest `max` lines of what was done with shares of a database, as LIST of DICT at, actor, what, share. */
enum status shares_log(struct shares *s, struct arena *a, str database, size_t max, struct value *ret,
                       struct err *err) MUST_USE;
/* One more attempt at the password of a share from a client: 0, or seconds to wait. Nobody waits for another client. */
int64_t shares_take_attempt(struct shares *s, str id, str client);
void shares_attempt_was_right(struct shares *s, str id, str client);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* guest: what a request sees because somebody shared it: the links its browser has opened, what of its page came from a
 * share, and pages shown as somebody else sees them. Workers. */
#ifndef VITRINE_SITE_SHARE_GUEST_H
#define VITRINE_SITE_SHARE_GUEST_H

#include "site/share/shares.h"

struct request;

extern const enum action share_actions[SHARE_KINDS]; /* what seeing it is called */

struct guest {
    struct share_pass passes[LIMIT_SHARE_PASSES]; /* newest first */
    size_t pass_count;
    struct share_hit seen, first; /* shares that gave something last and first, and no rule would have */
    str address;                  /* "/-/s/TOKEN" when the page is shown at the link itself; else empty */
    bool embedded;                /* shown in a frame of another site */
    bool preview;                 /* shown to `viewer` as `audience` sees it: rights are those that both have */
    struct value viewer, audience;
};

/* Sets rq->guest: reads the cookie. After the actor is known. */
void guest_begin(struct request *rq);
/* For a request that goes on in an arena of its own. */
struct guest *guest_copy(struct arena *a, const struct guest *g);
bool guest_has_pass(const struct request *rq, const struct share *share);
/* This request holds the share's link from now on; its browser too, when the answer may set a cookie. */
void guest_admit(struct request *rq, const struct share *share, bool set_cookie);
/* For templates: {by, until, kind, preview}, or NONE when nothing of the page came from a link or a person. */
struct value guest_banner(struct request *rq);
/* Cache-Control, X-Robots-Tag and frame-ancestors of pages that were seen by a share. */
void guest_headers(struct request *rq);
/* Answers with the page of `share` as if it had been asked for at this address, in the format of rq (own_path: this
 * request's path stays, so that links of the page lead back here). */
enum status guest_forward(struct request *rq, const struct share *share, bool own_path, struct err *err) MUST_USE;
/* Address of the dialog that shares this page; empty where there is nothing to share, or not by this actor. */
str share_dialog_of_page(struct request *rq);
/* What its button needs that opens this page to everybody, or closes it again: {public, action, database, kind, name};
 * NONE where there is no such button, since nobody may press it or the rules open the page already. */
struct value share_toggle_of_page(struct request *rq);
/* "/db/table?_sort=x#part" of what is shared, with base_url. */
str share_address(const struct request *rq, const struct share *share);
/* NULL = the query is the one that was shared, or it is open anyway; else why it is not shown. */
const char *guest_query_refusal(struct request *rq, str database, str name, str sql, bool is_write);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* certs: certificates that the edge gets by itself. The essay is in certs.c; the files in cert_store.h. All of it is
 * for the control thread. */
#ifndef VITRINE_EDGE_CERTS_H
#define VITRINE_EDGE_CERTS_H

#include "edge/cert_store.h"
#include "edge/edge_impl.h"
#include "net/identity.h"

struct cert {
    struct certs *certs;
    char *name;                /* "www.example.org", "*.example.org" */
    struct identity *identity; /* NULL: there is none yet */
    char *issuer;
    struct cert_note note;
    struct proc *child; /* obtains it now */
    int64_t child_until_us;
    struct job *job; /* somebody follows it; NULL = nobody */
    bool wanted;     /* by a route or by an option */
    bool asked;      /* a visitor waits, and nothing was tried for him */
    bool now;        /* whatever the times say */
    bool reported;   /* the child said how it ended */
};
struct cert_challenge {
    struct cert_challenge *next;
    char *name, *host, *token; /* name: of the certificate that it is for */
    char *text;                /* the key authorization of http-01 */
    struct identity *identity; /* of tls-alpn-01; NULL: it is http-01 */
};
struct cert_group { /* names under one registered domain */
    unsigned orders;
};
struct certs {
    struct edge *edge;
    struct map *all; /* name -> struct cert */
    bool going;      /* this process serves */
    struct cert_challenge *challenges;
    unsigned running;
    struct proc *looker; /* asks when to renew */
    struct loop_timer tick;
    struct map *groups; /* registered domain -> struct cert_group, of this hour */
    int64_t hour_s;
    unsigned orders; /* on demand, in this hour */
    int64_t ask_us;  /* token bucket of visitors' new names: when the next one may come */
};

/* Reads what there is in the state folder. OK when no certificates are to be got (e->certs is NULL then). */
enum status certs_start(struct edge *e, struct err *err) MUST_USE;
void certs_go(struct edge *e);     /* this process serves: it may begin */
void certs_freeze(struct edge *e); /* another process takes over: what is being obtained is its to obtain */
void certs_free(struct edge *e);
void certs_refresh(struct edge *e); /* routes changed: which names are wanted */
struct tls_server *certs_tls(struct edge *e, const struct tls_server *given) MUST_USE; /* given, with ours */
bool certs_cover(const struct edge *e, str host); /* there is one that can be shown */
void certs_wanted(struct edge *e, str host);      /* a handshake waits */
void certs_add_tokens(struct edge *e, struct edge_table *t);
struct cert *certs_find(const struct certs *c, str name);
/* Makes it when it is not there, with what is noted of it on disk. */
struct cert *certs_make(struct certs *c, str name);
void certs_kick(struct certs *c); /* look soon what is due */
/* What a child says. ok: the file is there. */
void certs_result(struct certs *c, str name, struct value result);
void certs_save(struct certs *c, struct cert *t);
void certs_drop_challenges(struct certs *c, str name); /* those for that certificate; "" = all */
int64_t cert_renew_at_s(const struct cert *t);
void certs_metrics(struct edge *e, struct buf *out);

bool certs_is_live(const struct certs *c); /* it may begin something, and what is shown is ours to change */

/* certs_child.c */
void certs_begin(struct certs *c, struct cert *t); /* a child obtains it */
/* The file as it is now. What cannot be used is told and left alone; what we have is kept. */
enum status certs_load(struct certs *c, struct cert *t, struct err *err) MUST_USE;
void certs_refuse(struct edge *e, str host);               /* handshakes that wait for it wait no more */
void certs_end_job(struct cert *t, const struct err *err); /* who follows it is told; err NULL: it went well */
void certs_look_renewals(struct certs *c, int64_t now_s);  /* asks authorities when to renew */

/* certs_control.c: what is asked over the control socket, and what children tell */
void certs_call_list(struct edge *e, struct http_exchange *x);
void certs_call_show(struct edge *e, struct http_exchange *x, str name);
void certs_call_renew(struct edge *e, struct http_exchange *x, str name);
void certs_call_tell(struct edge *e, struct http_exchange *x, str what, struct value body);

/* certs_demand.c: may a visitor's name be asked for? False: not now. Counts it. */
bool certs_demand_ok(struct certs *c, str host);
str certs_group(str host); /* "example.co.uk" of "a.b.example.co.uk": by the shape of the name, not by a list */

/* publish.c */
void edge_make_tls(struct edge *e);    /* e->tls: what is shown from now on, `given` with what else there is */
void edge_publish_tls(struct edge *e); /* the workers get certificates as they are now, then the table */

#endif

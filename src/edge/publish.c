/* SPDX-License-Identifier: Apache-2.0 */
/* publish — what the workers are told: the table of routes, certificates.
 *
 * Workers are asked by messages and answer by messages (edge_ask): a table is taken up, an instance is cut or
 * forgotten. Messages of one sender arrive in order, so a table published later is taken up later. */
#include <stdlib.h>

#include "base/mem.h"
#include "edge/certs.h"
#include "edge/edge_impl.h"
#include "edge/wish.h"

/* ---- asking the workers ---- */

struct ask {
    struct edge *edge;
    atomic_uint left;
    void (*fn)(struct edge_worker *w, void *arg);
    void *arg;
    void (*done)(void *arg);
    void *done_arg;
    struct loop_message answer;
    struct asked {
        struct ask *ask;
        struct edge_worker *worker;
        struct loop_message message;
    } asked[];
};

static void on_answered(void *arg)
{
    struct ask *k = arg;
    struct edge *e = k->edge;
    e->asks--;
    if (k->done)
        k->done(k->done_arg);
    free(k);
    edge_check_stopped(e);
}

static void on_asked(void *arg)
{
    struct asked *one = arg;
    struct ask *k = one->ask;
    k->fn(one->worker, k->arg);
    if (atomic_fetch_sub_explicit(&k->left, 1, memory_order_acq_rel) == 1)
        loop_post_message(k->edge->loop, &k->answer);
}

void edge_ask(struct edge *e, void (*fn)(struct edge_worker *w, void *arg), void *arg, void (*done)(void *arg),
              void *done_arg)
{
    struct ask *k = mem_alloc(sizeof(*k) + e->worker_count * sizeof(k->asked[0]));
    *k = (struct ask){.edge = e, .fn = fn, .arg = arg, .done = done, .done_arg = done_arg};
    k->answer = (struct loop_message){.fn = on_answered, .arg = k};
    e->asks++;
    if (e->workers_stopped) { /* their threads ended: this one may do it */
        for (unsigned i = 0; i < e->worker_count; i++)
            fn(e->workers[i], arg);
        loop_post_message(e->loop, &k->answer);
        return;
    }
    atomic_init(&k->left, e->worker_count);
    for (unsigned i = 0; i < e->worker_count; i++) {
        struct asked *one = &k->asked[i];
        *one = (struct asked){.ask = k, .worker = e->workers[i], .message = {.fn = on_asked, .arg = one}};
        loop_post_message(edge_worker_loop(e->workers[i]), &one->message);
    }
}

/* ---- the table ---- */

static void add_life(struct edge *e, struct edge_table *t, struct life *l)
{
    /* What is being started for the first time has no instance yet: who would find nothing there waits for it. */
    bool coming = !life_spec(l) && sm_state(&l->sm) == LIFE_STARTING;
    const struct edge_spec *spec = coming ? &l->coming.spec : life_spec(l);
    struct edge_instance *instances[LIMIT_EDGE_REPLICAS + LIMIT_EDGE_HOSTS];
    struct edge_target like = {.app = l->app, .instances = instances, .pause = l->pause};
    if (!spec || sm_state(&l->sm) == LIFE_REMOVING)
        return;
    for (struct unit *u = l->units; u; u = u->next)
        if (life_serves(l, u) && like.count < ARRAY_LEN(instances))
            instances[like.count++] = u->instance;
    like.spool = !str_is(spec->spool, "off");
    like.send_proxy = (uint8_t)edge_spec_proxy_version(spec);
    like.managed = spec->run.n > 0 || wish_comes_back(l);
    like.answer_ms = (uint32_t)spec->answer_ms;
    like.hold_ms = (uint32_t)spec->hold_ms;
    like.hold_max = (uint32_t)spec->hold_max;
    /* Each loop lets out its share. */
    like.hold_rate = spec->hold_rate ? (uint32_t)MAX(1, spec->hold_rate / (int64_t)e->worker_count) : 0;
    like.in_hand_max =
        spec->in_hand_max ? (uint32_t)((spec->in_hand_max + e->worker_count - 1) / (int64_t)e->worker_count) : 0;
    like.rate_step_us = spec->rate ? (uint32_t)(1000000 / spec->rate) : 0;
    like.rate_slack_us = (uint32_t)MIN(UINT32_MAX, ((spec->burst ? spec->burst : spec->rate) - 1) * like.rate_step_us);
    if (l->pause == EDGE_STOPPED)
        like.since_unix_s = l->pause_since_s;
    rest_target(l, &like);
    like.message = str_of(l->message);
    struct edge_target *target = spec->redirect.n ? NULL : edge_table_add_target(t, &like);
    size_t hosts = value_count(spec->hosts);
    for (size_t i = 0; i < MAX(hosts, 1); i++) {
        bool https = hosts && e->config->https_port && certs_cover(e, value_at(spec->hosts, i).s);
        struct edge_route route = {.host = hosts ? value_at(spec->hosts, i).s : STR(""),
                                   .path = spec->path,
                                   .strip = spec->strip,
                                   .target = target,
                                   .redirect = spec->redirect,
                                   .https_port = https ? e->config->https_port : 0,
                                   .redirect_status = (int)spec->redirect_status};
        if (coming)
            edge_table_add_coming(t, &route);
        else
            edge_table_add_route(t, &route);
    }
}

struct publication {
    struct edge *edge;
    struct edge_table *table;
};

static void adopt(struct edge_worker *w, void *arg)
{
    edge_worker_adopt(w, ((struct publication *)arg)->table);
}

static void on_published(void *arg)
{
    struct publication *p = arg;
    struct edge *e = p->edge;
    uint64_t version = p->table->version;
    size_t pos = 0;
    void *item;
    edge_table_unref(p->table);
    free(p);
    while (e->lives && map_next(e->lives, &pos, NULL, &item)) /* none: a start that failed half-way is being cleared */
        life_published(item, version);
}

void edge_publish(struct edge *e)
{
    struct publication *p = MEM_NEW(struct publication);
    size_t pos = 0;
    void *item;
    p->edge = e;
    p->table = edge_table_new(++e->table_version);
    certs_refresh(e);
    while (map_next(e->lives, &pos, NULL, &item))
        add_life(e, p->table, item);
    certs_add_tokens(e, p->table);
    edge_table_finish(p->table);
    edge_ask(e, adopt, p, on_published, p);
}

/* ---- certificates ---- */

struct tls_publication {
    struct edge *edge;
    struct tls_server *tls;
};

static void use_certs(struct edge_worker *w, void *arg)
{
    const struct tls_publication *p = arg;
    const struct edge *e = p->edge;
    for (size_t i = 0; i < e->listen_count; i++)
        if (e->listens[i].tls)
            edge_worker_set_tls(w, i, p->tls);
}

static void certs_used(void *arg)
{
    struct tls_publication *p = arg;
    tls_server_unref(p->tls);
    free(p);
}

void edge_make_tls(struct edge *e)
{
    tls_server_unref(e->tls);
    e->tls = NULL;
    if (e->given)
        e->tls = e->certs ? certs_tls(e, e->given) : tls_server_ref(e->given);
}

void edge_publish_tls(struct edge *e)
{
    struct tls_publication *p = MEM_NEW(struct tls_publication);
    edge_make_tls(e);
    *p = (struct tls_publication){e, e->tls ? tls_server_ref(e->tls) : NULL};
    edge_ask(e, use_certs, p, certs_used, p);
    edge_publish(e);
}

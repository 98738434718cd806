/* SPDX-License-Identifier: Apache-2.0 */
/* wish — what sources say is to be, against what is.
 *
 * reconcile() looks at every wish and every app and starts what can be started now: it is called whenever a round of a
 * source ended, a job ended, or a failed deploy may be tried again. It keeps no plan of its own, so nothing can be out
 * of date: what cannot be done now (the app is busy) is found again the next time. */
#include "edge/wish.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

#define RETRY_MS 30000 /* a deploy that failed is tried again: what it waits for may have come up */

static void set_text(char **at, const char *text)
{
    char *copy = text ? mem_cstr(str_of(text)) : NULL;
    free(*at);
    *at = copy;
}

static void wish_problem(struct wish *w, const char *text)
{
    bool news = text && (!w->problem || strcmp(text, w->problem) != 0);
    set_text(&w->problem, text);
    if (news)
        log_line(LOG_ERROR, "edge", "%s", text);
}

void wish_source_problem(struct wish_source *s, const char *text)
{
    bool news = text ? !s->problem || strcmp(text, s->problem) != 0 : s->problem != NULL;
    set_text(&s->problem, text);
    if (news && text)
        log_line(LOG_ERROR, "edge", "%s: %s; what runs goes on", s->where, text);
    else if (news)
        log_line(LOG_INFO, "edge", "%s: well again", s->where);
}

static void wish_free(struct wish *w)
{
    if (w->job)
        w->job->wish = NULL;
    arena_free(w->arena);
    free(w->origin);
    free(w->name);
    free(w->problem);
    free(w);
}

static void reconcile(struct edge *e);

static void on_look(void *arg)
{
    struct wish_source *s = arg;
    for (struct wish *w = s->wishes; w; w = w->next)
        w->tried = w->tried && !w->problem;
    reconcile(s->edge);
}

void wish_source_add(struct edge *e, struct wish_source *s, const char *kind, str where)
{
    s->edge = e;
    s->kind = kind;
    s->where = mem_cstr(where);
    loop_timer_init(&s->look, on_look, s);
    s->next = e->sources;
    e->sources = s;
}

void wish_source_release(struct wish_source *s)
{
    loop_timer_cancel(s->edge->loop, &s->look);
    while (s->wishes) {
        struct wish *w = s->wishes;
        s->wishes = w->next;
        wish_free(w);
    }
    free(s->where);
    free(s->problem);
}

void wish_sources_free(struct edge *e)
{
    while (e->sources) {
        struct wish_source *s = e->sources;
        e->sources = s->next;
        s->free(s);
    }
}

static void look_again(struct wish_source *s, int64_t after_ms)
{
    int64_t at_us = loop_now_us(s->edge->loop) + after_ms * 1000;
    if (!loop_timer_armed(&s->look) || at_us < s->look.at_us)
        loop_timer_at(s->edge->loop, &s->look, at_us);
}

/* ---- rounds ---- */

void wish_round_begin(struct wish_source *s)
{
    for (struct wish *w = s->wishes; w; w = w->next)
        w->seen = false;
}

static struct wish *find(struct wish_source *s, str own_name, str app)
{
    size_t n = strlen(s->kind);
    struct wish **at = &s->wishes;
    for (; *at; at = &(*at)->next)
        if (str_eq(str_from(str_of((*at)->origin), n + 1), own_name))
            break;
    if (!*at) {
        *at = MEM_NEW(struct wish);
        (*at)->source = s;
        (*at)->origin = mem_alloc(n + own_name.n + 2);
        memcpy((*at)->origin, s->kind, n);
        (*at)->origin[n] = ' ';
        memcpy((*at)->origin + n + 1, own_name.p, own_name.n);
        (*at)->name = mem_cstr(app);
    }
    (*at)->seen = true;
    return *at;
}

void wish_put(struct wish_source *s, str own_name, str app, const struct edge_spec *spec, struct arena *arena)
{
    struct wish *w = find(s, own_name, app);
    bool same = w->arena && edge_spec_equal(&w->spec, spec);
    w->tried = w->tried && same;
    if (!same)
        wish_problem(w, NULL);
    arena_free(w->arena);
    w->arena = arena;
    w->spec = *spec;
}

void wish_broken(struct wish_source *s, str own_name, str app, const struct err *err)
{
    struct wish *w = find(s, own_name, app);
    char text[ERR_TEXT_MAX + ERR_HINT_MAX + 8];
    arena_free(w->arena);
    w->arena = NULL;
    w->tried = false;
    (void)snprintf(text, sizeof(text), "%s%s%s", err->text, *err->hint ? "; " : "", err->hint);
    wish_problem(w, text);
}

void wish_round_end(struct wish_source *s)
{
    for (struct wish **at = &s->wishes; *at;) {
        struct wish *w = *at;
        if (w->seen) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        wish_free(w);
    }
    s->told = true;
    reconcile(s->edge);
}

/* ---- making it so ---- */

const struct wish *wish_of(const struct edge *e, str app)
{
    for (const struct wish_source *s = e->sources; s; s = s->next)
        for (const struct wish *w = s->wishes; w; w = w->next)
            if (str_is(app, w->name))
                return w;
    return NULL;
}

static bool busy(const struct life *l)
{
    return l->job || sm_state(&l->sm) != LIFE_STEADY;
}

/* Another wish for the same app, or somebody's own app, comes first. */
static bool may_have(struct edge *e, struct wish *w, const struct life *l)
{
    char text[ERR_TEXT_MAX];
    const struct wish *first = wish_of(e, str_of(w->name));
    if (first != w)
        (void)snprintf(text, sizeof(text), "%s: %s describes the app \"%s\" already", w->origin, first->origin,
                       w->name);
    else if (l && !l->origin)
        (void)snprintf(text, sizeof(text),
                       "%s: the app \"%s\" was deployed by hand; take it away first: vitrine remove %s", w->origin,
                       w->name, w->name);
    else if (!l && map_count(e->lives) >= (size_t)LIMIT_EDGE_APPS)
        (void)snprintf(text, sizeof(text), "%s: there are %d apps already", w->origin, LIMIT_EDGE_APPS);
    else
        return true;
    wish_problem(w, text);
    return false;
}

static void fulfil(struct edge *e, struct wish *w)
{
    struct life *l = edge_life(e, str_of(w->name));
    struct edge_spec spec;
    if (!w->arena || (l && busy(l)) || !may_have(e, w, l))
        return;
    if (l && (!l->origin || strcmp(l->origin, w->origin) != 0))
        set_text(&l->origin, w->origin); /* the file was renamed, or the source before is gone */
    if (l && life_spec(l) && edge_spec_equal(life_spec(l), &w->spec)) {
        wish_problem(w, NULL);
        w->tried = true;
        return;
    }
    if (w->tried)
        return;
    w->tried = true;
    wish_problem(w, NULL);
    struct arena *arena = arena_new_small();
    edge_spec_copy(arena, &w->spec, &spec);
    w->job = job_new(e, "deploy", str_of(w->name));
    w->job->wish = w;
    l = edge_life_make(e, str_of(w->name));
    set_text(&l->origin, w->origin);
    life_deploy(l, arena, &spec, false, w->job);
}

static const struct wish *by_origin(const struct edge *e, const char *origin)
{
    for (const struct wish_source *s = e->sources; s; s = s->next)
        for (const struct wish *w = s->wishes; w; w = w->next)
            if (strcmp(w->origin, origin) == 0)
                return w;
    return NULL;
}

static struct wish_source *source_of(const struct edge *e, const char *origin)
{
    str kind, own_name;
    str_cut(str_of(origin), ' ', &kind, &own_name);
    for (struct wish_source *s = e->sources; s; s = s->next)
        if (str_is(kind, s->kind))
            return s;
    return NULL;
}

bool wish_comes_back(const struct life *l)
{
    const struct wish_source *s = l->origin ? source_of(l->edge, l->origin) : NULL;
    return s && s->stays;
}

/* The first app that its source no longer has and that may be taken away now. */
static struct life *next_orphan(struct edge *e)
{
    size_t pos = 0;
    void *item;
    while (map_next(e->lives, &pos, NULL, &item)) {
        struct life *l = item;
        struct wish_source *s = l->origin ? source_of(e, l->origin) : NULL;
        if (!s || !s->told || by_origin(e, l->origin)) {
            l->orphan_us = 0;
            continue;
        }
        int64_t now_us = loop_now_us(e->loop), stay_us = s->stays && life_spec(l) ? life_spec(l)->hold_ms * 1000 : 0;
        if (!l->orphan_us)
            l->orphan_us = now_us;
        if (l->orphan_us + stay_us > now_us)
            look_again(s, (l->orphan_us + stay_us - now_us) / 1000 + 1);
        else if (!busy(l))
            return l;
    }
    return NULL;
}

static void reconcile(struct edge *e)
{
    struct life *l;
    if (e->stopping || heir_frozen(e)) /* the heir looks too; if it does not come to that, edge_thaw looks again */
        return;
    while ((l = next_orphan(e)) != NULL) {
        log_line(LOG_INFO, "edge", "%s is gone", l->origin);
        life_remove(l, job_new(e, "remove", str_of(l->app->name)));
    }
    for (struct wish_source *s = e->sources; s; s = s->next)
        for (struct wish *w = s->wishes; w; w = w->next) {
            fulfil(e, w);
            if (w->problem)
                look_again(s, RETRY_MS);
        }
}

static void on_poke(void *arg)
{
    struct edge *e = arg;
    e->poked = false;
    reconcile(e);
}

void wish_poke(struct edge *e)
{
    if (!e->sources || e->poked)
        return;
    e->poked = true;
    loop_defer(e->loop, on_poke, e);
}

void wish_job_ended(struct job *j)
{
    struct wish *w = j->wish;
    char text[ERR_TEXT_MAX + ERR_HINT_MAX + 64];
    j->wish = NULL;
    if (w)
        w->job = NULL;
    if (w && j->err.status != STATUS_OK) {
        (void)snprintf(text, sizeof(text), "%s: %s", w->origin, j->err.text);
        wish_problem(w, text);
    }
    wish_poke(j->edge);
}

struct value wish_value(struct arena *a, const struct edge *e)
{
    struct value list = value_list(a);
    for (const struct wish_source *s = e->sources; s; s = s->next) {
        struct value v = value_dict(a), apps = value_list(a);
        for (const struct wish *w = s->wishes; w; w = w->next) {
            struct value one = value_dict(a);
            VALUE_SET(one, "from", value_str(arena_str(a, str_of(w->origin))));
            VALUE_SET(one, "app", value_str(arena_str(a, str_of(w->name))));
            VALUE_SET(one, "problem", value_str_if(w->problem, arena_str(a, str_of(w->problem))));
            value_push(apps, one);
        }
        VALUE_SET(v, "kind", value_cstr(s->kind));
        VALUE_SET(v, "where", value_str(arena_str(a, str_of(s->where))));
        VALUE_SET(v, "problem", value_str_if(s->problem, arena_str(a, str_of(s->problem))));
        VALUE_SET(v, "apps", apps);
        value_push(list, v);
    }
    return list;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* jump — names of databases, tables, views and stored queries that match what was typed, best first. */
#include <stdlib.h>

#include "base/utf8.h"
#include "site/links.h"
#include "site/view/resources.h"
#include "site/view/view.h"

#define MATCHES_MAX 100

struct match {
    const char *type;
    int relevance; /* 0 the name itself, 1 begins with it, 2 somewhere */
    int type_rank;
    size_t length;               /* characters of the label */
    str label, url, description; /* description: of a page, else empty */
};

/* Pages for those who look after the instance: in the list of whoever may debug-menu. */
static const struct debug_page {
    const char *path, *label, *description;
} debug_pages[] = {
    {"-/databases", "Databases", "Databases of this instance, and their files"},
    {"-/plugins", "Installed plugins", "Plugins that are configured or built in"},
    {"-/versions", "Version info", "Versions of this program, SQLite and its extensions"},
    {"-/settings", "Settings", "Settings in force"},
    {"-/permissions", "Debug permissions", "Try who may do what, and why"},
    {"-/messages", "Debug messages", "Try the messages that a page shows once"},
    {"-/allow-debug", "Debug allow rules", "Try an actor against an allow block"},
    {"-/debug/autocomplete", "Debug autocomplete", "Try the search for rows by label"},
    {"-/threads", "Debug threads", "Threads and what they do"},
    {"-/actor", "Debug actor", "Who you are signed in as"},
    {"-/patterns", "Pattern portfolio", "Parts that pages are made of"},
};

struct jump {
    struct request *rq;
    str q, pattern; /* typed text; "%word%word%" */
    VEC(struct match) matches;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* "simple key" -> "%simple%key%" */
static str make_pattern(struct arena *a, str q)
{
    char *out = arena_alloc_raw(a, q.n + 2);
    size_t n = 0;
    out[n++] = '%';
    for (size_t i = 0; i < q.n; i++) {
        if (!is_space(q.p[i]))
            out[n++] = q.p[i];
        else if (out[n - 1] != '%' || !is_space(q.p[i - 1]))
            out[n++] = '%';
    }
    if (q.n)
        out[n++] = '%';
    return str_make(out, n);
}

static void push(struct jump *j, struct match m)
{
    m.relevance = 2;
    m.length = utf8_count(m.label);
    if (str_eq_nocase(m.label, j->q))
        m.relevance = 0;
    else if (m.label.n >= j->q.n && str_eq_nocase(str_sub(m.label, 0, j->q.n), j->q))
        m.relevance = 1;
    VEC_PUSH(j->rq->arena, &j->matches, m);
}

static void consider(struct jump *j, const char *type, int type_rank, enum action action, const struct resource *r)
{
    struct request *rq = j->rq;
    struct arena *a = rq->arena;
    str text = r->child.n ? ARENA_CAT(a, r->parent, STR(" "), r->child) : r->parent;
    if ((j->q.n && !like_matches(j->pattern, text)) || !request_allowed(rq, action, r->parent, r->child))
        return;
    str label = r->child.n ? ARENA_CAT(a, r->parent, STR(": "), r->child) : r->parent;
    str url = r->child.n ? link_table(rq, r->parent, r->child) : link_database(rq, r->parent);
    push(j, (struct match){.type = type, .type_rank = type_rank, .label = label, .url = url});
}

static void consider_debug_pages(struct jump *j)
{
    struct request *rq = j->rq;
    for (size_t i = 0; i < ARRAY_LEN(debug_pages); i++) {
        const struct debug_page *page = &debug_pages[i];
        str text = arena_printf(rq->arena, "debug %s %s", page->label, page->description);
        if (!j->q.n || like_matches(j->pattern, text))
            push(j, (struct match){.type = "debug",
                                   .type_rank = 50,
                                   .label = str_of(page->label),
                                   .url = link_path(rq, str_of(page->path)),
                                   .description = str_of(page->description)});
    }
}

static int best_first(const void *x, const void *y)
{
    const struct match *a = x, *b = y;
    if (a->relevance != b->relevance)
        return a->relevance < b->relevance ? -1 : 1;
    if (a->type_rank != b->type_rank)
        return a->type_rank < b->type_rank ? -1 : 1;
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    return str_cmp(a->label, b->label);
}

static enum status collect(struct jump *j, struct err *err)
{
    struct resource *items = NULL;
    size_t n = 0;
    enum status st = resources_list(j->rq, ACTION_LEVEL_DATABASE, (str){0}, &items, &n, err);
    for (size_t i = 0; st == STATUS_OK && i < n; i++)
        consider(j, "database", 10, ACTION_VIEW_DATABASE, &items[i]);
    if (st == STATUS_OK)
        st = resources_list(j->rq, ACTION_LEVEL_TABLE, (str){0}, &items, &n, err);
    for (size_t i = 0; st == STATUS_OK && i < n; i++)
        consider(j, items[i].is_view ? "view" : "table", items[i].is_view ? 25 : 20, ACTION_VIEW_TABLE, &items[i]);
    if (st == STATUS_OK)
        st = resources_list(j->rq, ACTION_LEVEL_QUERY, (str){0}, &items, &n, err);
    for (size_t i = 0; st == STATUS_OK && i < n; i++)
        consider(j, "query", 30, ACTION_VIEW_QUERY, &items[i]);
    if (st == STATUS_OK && request_allowed(j->rq, ACTION_DEBUG_MENU, (str){0}, (str){0}))
        consider_debug_pages(j);
    return st;
}

enum status view_jump(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct jump j = {.rq = rq, .q = str_trim(request_arg(rq, "q"))};
    j.pattern = make_pattern(a, j.q);
    enum status st = collect(&j, err);
    if (st != STATUS_OK)
        return st;
    if (j.matches.count)
        qsort(j.matches.items, j.matches.count, sizeof *j.matches.items, best_first);
    struct value d = value_dict(a), list = value_list(a);
    for (size_t i = 0; i < j.matches.count && i < MATCHES_MAX; i++) {
        const struct match *m = &j.matches.items[i];
        struct value e = value_dict(a);
        VALUE_SET(e, "name", value_str(m->label));
        VALUE_SET(e, "url", value_str(m->url));
        VALUE_SET(e, "type", value_cstr(m->type));
        VALUE_SET(e, "description", m->description.n ? value_str(m->description) : VALUE_NULL);
        value_push(list, e);
    }
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "matches", list);
    VALUE_SET(d, "truncated", value_bool(j.matches.count > MATCHES_MAX));
    respond_json(rq, 200, d);
    return STATUS_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* stored — lists of stored queries with search, filters and pages, and the definition of one. */
#include <stdlib.h>

#include "base/limits.h"
#include "codec/url.h"
#include "site/links.h"
#include "site/queries.h"
#include "site/render/page.h"
#include "site/view/resources.h"
#include "site/view/view.h"

#define LIMIT_HTML 20
#define LIMIT_JSON 50
#define LIMIT_MAX  1000 /* however large max_returned_rows is */

struct item {
    struct value query; /* DICT of queries_get() */
    str database, name, sort_key;
};

enum choice { CHOICE_ANY = -1, CHOICE_NO, CHOICE_YES };

struct choices {
    enum choice is_write, is_private;
    str q, source, owner_id; /* empty = any */
};

struct list_page {
    struct request *rq;
    struct published *db; /* NULL = of all databases */
    struct choices chosen;
    struct item *items; /* all that the actor may see, in order */
    size_t count;
    int64_t limit;
    str path; /* of the list, with base_url */
};

/* ---- items ---- */

static int in_order(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    int order = str_cmp(a->database, b->database);
    if (!order)
        order = str_cmp(a->sort_key, b->sort_key);
    return order ? order : str_cmp(a->name, b->name);
}

static void collect(struct list_page *p)
{
    struct request *rq = p->rq;
    VEC(struct item) items = {0};
    for (size_t i = 0; i < rq->site->published_count; i++) {
        struct published *db = rq->site->published[i];
        if (p->db && db != p->db)
            continue;
        struct value queries = queries_visible(rq, db->name);
        for (size_t k = 0; k < value_count(queries); k++) {
            struct value q = value_at(queries, k);
            if (value_truth(VALUE_GET(q, "is_private"))) /* lists tell that apart: a mark of its own, no padlock */
                VALUE_SET(q, "private", value_bool(false));
            str name = value_get_text(q, STR("name")), title = value_get_text(q, STR("title"));
            struct item item = {q, db->name, name, arena_lower(rq->arena, title.n ? title : name)};
            VEC_PUSH(rq->arena, &items, item);
        }
    }
    if (items.count)
        qsort(items.items, items.count, sizeof *items.items, in_order);
    p->items = items.items;
    p->count = items.count;
}

static bool has_text(struct arena *a, struct value query, str q)
{
    static const char *const searched[] = {"name", "title", "description", "sql"};
    str pattern = like_containing(a, q);
    for (size_t i = 0; i < ARRAY_LEN(searched); i++)
        if (like_matches(pattern, value_get_text(query, str_of(searched[i]))))
            return true;
    return false;
}

static bool fits_choice(struct value query, const char *key, enum choice want)
{
    return want == CHOICE_ANY || value_truth(value_get(query, str_of(key))) == (want == CHOICE_YES);
}

static bool is_chosen(struct arena *a, const struct item *item, const struct choices *c)
{
    return fits_choice(item->query, "is_write", c->is_write) && fits_choice(item->query, "is_private", c->is_private) &&
           (!c->source.n || str_eq(value_get_text(item->query, STR("source")), c->source)) &&
           (!c->owner_id.n || str_eq(value_get_text(item->query, STR("owner_id")), c->owner_id)) &&
           (!c->q.n || has_text(a, item->query, c->q));
}

static size_t count_chosen(const struct list_page *p, const struct choices *c)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        n += is_chosen(p->rq->arena, &p->items[i], c);
    return n;
}

/* ---- arguments ---- */

static enum status choice_arg(const struct request *rq, const char *name, enum choice *ret, struct err *err)
{
    static const char *const yes[] = {"1", "true", "t", "yes", "on"}, *const no[] = {"0", "false", "f", "no", "off"};
    str text = request_arg(rq, name);
    *ret = CHOICE_ANY;
    if (!text.n)
        return STATUS_OK;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq_nocase(text, str_of(yes[i])))
            *ret = CHOICE_YES;
        if (str_eq_nocase(text, str_of(no[i])))
            *ret = CHOICE_NO;
    }
    return *ret == CHOICE_ANY ? err_set(err, STATUS_INVALID, "%s must be 0 or 1", name) : STATUS_OK;
}

static enum status read_arguments(struct list_page *p, struct err *err)
{
    struct request *rq = p->rq;
    int64_t fallback = str_is(rq->format, "html") ? LIMIT_HTML : LIMIT_JSON;
    enum status st = page_size_arg(rq, fallback, rq->site->config.settings.max_returned_rows, &p->limit, err);
    if (st == STATUS_OK)
        st = choice_arg(rq, "is_write", &p->chosen.is_write, err);
    if (st == STATUS_OK)
        st = choice_arg(rq, "is_private", &p->chosen.is_private, err);
    p->limit = MIN(MAX(p->limit, 1), LIMIT_MAX);
    p->chosen.q = request_arg(rq, "q");
    p->chosen.source = request_arg(rq, "source");
    p->chosen.owner_id = request_arg(rq, "owner_id");
    return st;
}

/* ---- pages ---- */

/* First item past the one that ?_next names: "DATABASE,KEY,NAME" (without the first in a database's own list). A token
 * of another shape is ignored. */
static size_t start_of_page(const struct list_page *p)
{
    struct arena *a = p->rq->arena;
    str rest = request_arg(p->rq, "_next"), parts[3] = {0};
    size_t n = 0, wanted = p->db ? 2 : 3, i = 0;
    bool more = rest.n > 0;
    while (more && n < ARRAY_LEN(parts)) {
        more = str_cut(rest, ',', &parts[n], &rest);
        parts[n] = tilde_decode(a, parts[n]);
        n++;
    }
    if (more || n != wanted)
        return 0;
    struct item last = {
        .database = p->db ? p->db->name : parts[0], .sort_key = parts[wanted - 2], .name = parts[wanted - 1]};
    while (i < p->count && in_order(&p->items[i], &last) <= 0)
        i++;
    return i;
}

static str next_token(const struct list_page *p, const struct item *last)
{
    struct arena *a = p->rq->arena;
    str token = ARENA_CAT(a, tilde_encode(a, last->sort_key), STR(","), tilde_encode(a, last->name));
    return p->db ? token : ARENA_CAT(a, tilde_encode(a, last->database), STR(","), token);
}

/* `path` with the arguments of this page, those of `key` (and ?_next, unless it is set) left out, then key=value. */
static str url_with(const struct list_page *p, str path, const char *key, str value)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct url_pair *given, *pairs;
    size_t n = 0, count;
    if (!url_parse_query(a, rq->query_string, LIMIT_QUERY_ARGS, &given, &count))
        count = 0;
    pairs = ARENA_ARRAY(a, struct url_pair, count + 1);
    for (size_t i = 0; i < count; i++)
        if (!str_is(given[i].key, key) && !str_is(given[i].key, "_next"))
            pairs[n++] = given[i];
    if (value.n)
        pairs[n++] = (struct url_pair){str_of(key), value};
    return n ? ARENA_CAT(a, path, STR("?"), url_encode(a, pairs, n)) : path;
}

/* ---- facets ---- */

static void add_facet_item(struct list_page *p, struct value list, const char *label, const char *key, bool value)
{
    struct arena *a = p->rq->arena;
    struct choices c = p->chosen;
    bool is_write = strcmp(key, "is_write") == 0;
    enum choice *field = is_write ? &c.is_write : &c.is_private, wanted = value ? CHOICE_YES : CHOICE_NO;
    bool active = *field == wanted, other = *field != CHOICE_ANY && !active;
    *field = wanted;
    size_t n = other ? 0 : count_chosen(p, &c);
    if (!active && !n)
        return;
    struct value d = value_dict(a);
    VALUE_SET(d, "label", value_cstr(label));
    VALUE_SET(d, "count", value_int((int64_t)n));
    VALUE_SET(d, "href", value_str(url_with(p, p->path, key, active ? (str){0} : value ? STR("1") : STR("0"))));
    VALUE_SET(d, "active", value_bool(active));
    value_push(list, d);
}

static struct value facet(struct list_page *p, const char *title, const char *key, const char *no, const char *yes)
{
    struct value d = value_dict(p->rq->arena), items = value_list(p->rq->arena);
    add_facet_item(p, items, no, key, false);
    add_facet_item(p, items, yes, key, true);
    VALUE_SET(d, "title", value_cstr(title));
    VALUE_SET(d, "items", items);
    return d;
}

static struct value filters(const struct request *rq)
{
    static const char *const names[] = {"q", "is_write", "is_private", "source", "owner_id"};
    struct value d = value_dict(rq->arena);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        str text = request_arg(rq, names[i]);
        value_set(d, str_of(names[i]), value_str(text.n ? text : STR("")));
    }
    return d;
}

/* ---- the list ---- */

static bool any_is(struct value queries, const char *key)
{
    for (size_t i = 0; i < value_count(queries); i++)
        if (value_truth(value_get(value_at(queries, i), str_of(key))))
            return true;
    return false;
}

static struct value list_vars(struct list_page *p)
{
    struct request *rq = p->rq;
    struct arena *a = rq->arena;
    struct value d = value_dict(a), queries = value_list(a), facets = value_list(a);
    str next = {0}, next_url = {0};
    const struct item *last = NULL;
    for (size_t i = start_of_page(p); i < p->count; i++) {
        if (!is_chosen(a, &p->items[i], &p->chosen))
            continue;
        if ((int64_t)value_count(queries) == p->limit) {
            next = next_token(p, last);
            next_url = request_absolute_url(rq, url_with(p, link_path(rq, rq->path), "_next", next));
            break;
        }
        last = &p->items[i];
        value_push(queries, last->query);
    }
    value_push(facets, facet(p, "Mode", "is_write", "Read-only", "Writable"));
    value_push(facets, facet(p, "Visibility", "is_private", "Not private", "Private"));
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", p->db ? value_str(p->db->name) : VALUE_NULL);
    VALUE_SET(d, "database_color", p->db ? value_cstr(p->db->color) : VALUE_NULL);
    VALUE_SET(d, "queries", queries);
    VALUE_SET(d, "next", text_or_none(next));
    VALUE_SET(d, "next_url", text_or_none(next_url));
    VALUE_SET(d, "limit", value_int(p->limit));
    VALUE_SET(d, "show_private_note", value_bool(any_is(queries, "is_private")));
    VALUE_SET(d, "show_trusted_note", value_bool(any_is(queries, "is_trusted")));
    VALUE_SET(d, "query_list_path", value_str(p->path));
    VALUE_SET(d, "show_database", value_bool(!p->db));
    VALUE_SET(d, "facets", facets);
    VALUE_SET(d, "filters", filters(rq));
    return d;
}

static enum status respond_list(struct list_page *p, struct err *err)
{
    struct request *rq = p->rq;
    struct err local = ERR_INIT;
    const str names[] = {STR("query_list.html")};
    if (read_arguments(p, &local) != STATUS_OK)
        return respond_error_json(rq, &local);
    collect(p);
    struct value d = list_vars(p);
    if (!str_is(rq->format, "json"))
        return page_respond(rq, 200, names, 1, d, true, err);
    respond_json(rq, 200, d);
    return STATUS_OK;
}

enum status view_instance_queries(struct request *rq, struct err *err)
{
    struct list_page p = {.rq = rq, .path = link_path(rq, STR("-/queries"))};
    return respond_list(&p, err);
}

enum status view_database_queries(struct request *rq, struct err *err)
{
    struct list_page p = {.rq = rq};
    enum status st = request_find_database(rq, err);
    if (st == STATUS_OK && !value_count(queries_visible(rq, rq->db->name)))
        st = request_require(rq, ACTION_VIEW_DATABASE, rq->db->name, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    p.db = rq->db;
    p.path = ARENA_CAT(rq->arena, link_database(rq, p.db->name), STR("/-/queries"));
    return respond_list(&p, err);
}

enum status view_query_definition(struct request *rq, struct err *err)
{
    str name = rq->params[1];
    struct err local = ERR_INIT;
    if (request_find_database(rq, err) != STATUS_OK)
        return err->status;
    const struct published *db = rq->db;
    if (!request_allowed(rq, ACTION_VIEW_QUERY, db->name, name))
        err_set(&local, STATUS_FORBIDDEN, "Permission denied");
    else if (!queries_exists(rq, db->name, name))
        err_set(&local, STATUS_NOT_FOUND, "Query not found: %.*s", STR_ARG(name));
    if (local.status != STATUS_OK)
        return respond_error_json(rq, &local);
    struct value d = value_dict(rq->arena), query = queries_get(rq, db->name, name);
    value_remove(query, STR("private"));
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "unstable", value_cstr(UNSTABLE_API));
    VALUE_SET(d, "query", query);
    respond_json(rq, 200, d);
    return STATUS_OK;
}

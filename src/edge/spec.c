/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/spec.h"

#include <stddef.h>

#include "edge/model.h"
#include "http/uri.h"

enum kind { TEXT, TEXTS, DICT, FLAG, COUNT, SECONDS };

static const struct field {
    const char *name;
    enum kind kind;
    size_t at;
    int64_t normal, low, high; /* of numbers; SECONDS: in milliseconds */
    const char *help;
} fields[] = {
#define AT(member) offsetof(struct edge_spec, member)
    {"name", TEXT, AT(name), 0, 0, 0, "Name of the app"},
    {"host", TEXTS, AT(hosts), 0, 0, 0, "Host names it answers for; none: any"},
    {"path", TEXT, AT(path), 0, 0, 0, "Path it answers for, with all below"},
    {"strip", FLAG, AT(strip), 0, 0, 0, "The app does not see the path"},
    {"run", TEXT, AT(run), 0, 0, 0, "Command that starts it; {port} or {socket} is where it listens"},
    {"to", TEXTS, AT(to), 0, 0, 0, "Addresses where it runs already"},
    {"folder", TEXT, AT(folder), 0, 0, 0, "Folder in which the command starts"},
    {"env", DICT, AT(env), 0, 0, 0, "Variables of its environment"},
    {"health", TEXT, AT(health), 0, 0, 0, "Path that answers 2xx when it is ready"},
    {"replicas", COUNT, AT(replicas), 1, 1, LIMIT_EDGE_REPLICAS, "Instances that are started"},
    {"deploy_seconds", SECONDS, AT(deploy_ms), 30000, 100, 3600000, "Time until a new version must be healthy"},
    {"drain_seconds", SECONDS, AT(drain_ms), 30000, 0, 86400000, "Time that requests of the old version have"},
    {"stop_seconds", SECONDS, AT(stop_ms), 10000, 0, 3600000, "Time between SIGTERM and SIGKILL"},
    {"answer_seconds", SECONDS, AT(answer_ms), 60000, 100, 86400000, "Time until an answer must begin"},
    {"hold_seconds", SECONDS, AT(hold_ms), 30000, 0, 3600000, "Time a request waits for an instance"},
    {"hold_max", COUNT, AT(hold_max), 20000, 0, 1000000, "Requests that may wait"},
    {"hold_rate", COUNT, AT(hold_rate), 0, 0, 1000000, "Waiting requests let out per second; 0: at once"},
    {"sleep_seconds", SECONDS, AT(sleep_ms), 0, 0, 31536000000,
     "Time without a request after which it is stopped until the next one; 0: never"},
    {"in_hand_max", COUNT, AT(in_hand_max), 0, 0, 1000000, "Requests it has in hand at once, more wait; 0: any number"},
    {"rate", COUNT, AT(rate), 0, 0, 1000000, "Requests a second, more get 429; 0: any number"},
    {"burst", COUNT, AT(burst), 0, 0, 1000000, "Requests at once within that rate; 0: as many as rate"},
    {"spool", TEXT, AT(spool), 0, 0, 0, "on or off: keep uploads on disk, to send them again when an instance ends"},
    {"send_proxy", TEXT, AT(send_proxy), 0, 0, 0, "v1 or v2: connections to it begin with the PROXY protocol; or off"},
    {"redirect", TEXT, AT(redirect), 0, 0, 0, "Address that everything is redirected to"},
    {"redirect_status", COUNT, AT(redirect_status), 308, 301, 308, "301, 302, 303, 307 or 308"},
#undef AT
};

size_t edge_spec_fields(struct edge_field *ret, size_t room)
{
    for (size_t i = 0; i < MIN(room, ARRAY_LEN(fields)); i++)
        ret[i] = (struct edge_field){fields[i].name, fields[i].help};
    return ARRAY_LEN(fields);
}

static void *at(const struct edge_spec *s, const struct field *f)
{
    return (char *)(uintptr_t)s + f->at;
}

static void set_normal(struct arena *a, struct edge_spec *s)
{
    *s = (struct edge_spec){.path = STR("/")};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *f = &fields[i];
        if (f->kind == COUNT || f->kind == SECONDS)
            *(int64_t *)at(s, f) = f->normal;
        else if (f->kind == TEXTS)
            *(struct value *)at(s, f) = value_list(a);
        else if (f->kind == DICT)
            *(struct value *)at(s, f) = value_dict(a);
        else if (f->kind == TEXT && !((str *)at(s, f))->p)
            *(str *)at(s, f) = STR("");
    }
}

static enum status wrong(const struct field *f, const char *what, struct err *err)
{
    return err_set(err, STATUS_INVALID, "%s: %s", f->name, what);
}

static enum status read_number(const struct field *f, struct value v, int64_t *ret, struct err *err)
{
    double unit = f->kind == SECONDS ? 1000 : 1;
    double n = v.kind == VALUE_INT ? (double)v.i : v.kind == VALUE_FLOAT ? v.f : -1;
    int64_t i;
    if (v.kind == VALUE_STR && str_to_i64(v.s, &i))
        n = (double)i;
    n *= unit;
    if (!(n >= (double)f->low && n <= (double)f->high))
        return err_set(err, STATUS_INVALID, "%s must be a number from %g to %g", f->name, (double)f->low / unit,
                       (double)f->high / unit);
    *ret = (int64_t)n;
    return STATUS_OK;
}

static bool text_ok(str s)
{
    return s.n <= LIMIT_EDGE_RUN && (!s.n || !memchr(s.p, '\0', s.n));
}

static const char *what_is_wrong(struct value v, const char *wanted)
{
    return v.kind == VALUE_STR && v.s.n > LIMIT_EDGE_RUN ? "is longer than 8192 bytes" : wanted;
}

static enum status read_texts(struct arena *a, const struct field *f, struct value v, struct value *ret,
                              struct err *err)
{
    struct value list = value_list(a);
    if (v.kind == VALUE_STR)
        value_push(list, value_str(arena_str(a, v.s)));
    else if (v.kind != VALUE_LIST)
        return wrong(f, "must be a text or a list of texts", err);
    for (size_t i = 0; v.kind == VALUE_LIST && i < value_count(v); i++) {
        struct value item = value_at(v, i);
        if (item.kind != VALUE_STR || !text_ok(item.s))
            return wrong(f, "must be a list of texts", err);
        value_push(list, value_str(arena_str(a, item.s)));
    }
    if (value_count(list) > LIMIT_EDGE_HOSTS)
        return wrong(f, "has too many entries", err);
    *ret = list;
    return STATUS_OK;
}

static enum status read_dict(struct arena *a, const struct field *f, struct value v, struct value *ret, struct err *err)
{
    struct value dict = value_dict(a);
    if (v.kind != VALUE_DICT)
        return wrong(f, "must be names with values", err);
    if (value_count(v) > LIMIT_EDGE_ENV)
        return wrong(f, "has too many entries", err);
    for (size_t i = 0; i < v.dict->count; i++) {
        str key = v.dict->entries[i].key, text = value_to_str(a, v.dict->entries[i].value);
        if (!key.n || str_find_char(key, '=') != STR_NPOS || !text_ok(key) || !text_ok(text))
            return wrong(f, "has a name or value that an environment cannot hold", err);
        value_set(dict, arena_str(a, key), value_str(arena_str(a, text)));
    }
    *ret = dict;
    return STATUS_OK;
}

static enum status read_field(struct arena *a, const struct field *f, struct value v, struct edge_spec *s,
                              struct err *err)
{
    switch (f->kind) {
    case TEXT:
        if (v.kind != VALUE_STR || !text_ok(v.s))
            return wrong(f, what_is_wrong(v, "must be a text"), err);
        *(str *)at(s, f) = arena_str(a, v.s);
        return STATUS_OK;
    case TEXTS:
        return read_texts(a, f, v, at(s, f), err);
    case DICT:
        return read_dict(a, f, v, at(s, f), err);
    case FLAG:
        if (v.kind != VALUE_BOOL)
            return wrong(f, "must be true or false", err);
        *(bool *)at(s, f) = v.b;
        return STATUS_OK;
    default:
        return read_number(f, v, at(s, f), err);
    }
}

static enum status check_places(const struct edge_spec *s, str *ret_field, struct err *err)
{
    *ret_field = STR("host");
    for (size_t i = 0; i < value_count(s->hosts); i++)
        if (edge_host_check(value_at(s->hosts, i).s, err) != STATUS_OK)
            return STATUS_INVALID;
    *ret_field = STR("path");
    if (edge_path_check(s->path, err) != STATUS_OK)
        return STATUS_INVALID;
    *ret_field = STR("health");
    if (s->health.n && edge_path_check(s->health, err) != STATUS_OK) {
        err_prefix(err, "health");
        return STATUS_INVALID;
    }
    *ret_field = STR("to");
    for (size_t i = 0; i < value_count(s->to); i++) {
        struct addr addr;
        if (addr_parse(value_at(s->to, i).s, &addr, err) != STATUS_OK) {
            err_prefix(err, "to");
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

static enum status check(const struct edge_spec *s, str *ret_field, struct err *err)
{
    *ret_field = STR("");
    if (!edge_name_ok(s->name)) {
        err_set(err, STATUS_INVALID, "\"%.*s\" is no name of an app", STR_ARG(str_sub(s->name, 0, 80)));
        return err_hint(err, "Names have lower-case letters, digits, - and _, at most %d of them.", LIMIT_EDGE_NAME);
    }
    int ways = (s->run.n > 0) + (value_count(s->to) > 0) + (s->redirect.n > 0);
    if (ways != 1) {
        err_set(err, STATUS_INVALID, "%.*s: say how it is reached, in one way", STR_ARG(s->name));
        return err_hint(err, "Give --run COMMAND, or --to ADDRESS, or --redirect ADDRESS.");
    }
    *ret_field = STR("run");
    if (s->run.n && str_find(s->run, STR("{port}")) == STR_NPOS && str_find(s->run, STR("{socket}")) == STR_NPOS) {
        err_set(err, STATUS_INVALID, "%.*s: the command does not say where the app listens", STR_ARG(s->name));
        return err_hint(err, "Write {port} or {socket} where the command takes the port or the path of the socket.");
    }
    *ret_field = STR("sleep_seconds");
    if (s->sleep_ms && !s->run.n) {
        err_set(err, STATUS_INVALID, "%.*s: only an app that the edge starts can sleep", STR_ARG(s->name));
        return err_hint(err, "Give --run COMMAND, or leave sleep_seconds out.");
    }
    *ret_field = STR("burst");
    if (s->burst && !s->rate)
        return err_set(err, STATUS_INVALID, "%.*s: burst needs rate", STR_ARG(s->name));
    *ret_field = STR("spool");
    if (s->spool.n && !str_is(s->spool, "on") && !str_is(s->spool, "off"))
        return err_set(err, STATUS_INVALID, "spool must be on or off");
    *ret_field = STR("send_proxy");
    if (s->send_proxy.n && !str_is(s->send_proxy, "v1") && !str_is(s->send_proxy, "v2") &&
        !str_is(s->send_proxy, "off"))
        return err_set(err, STATUS_INVALID, "send_proxy must be v1, v2 or off");
    *ret_field = STR("redirect");
    str scheme = str_starts(s->redirect, STR("https://")) ? STR("https://") : STR("http://");
    if (s->redirect.n && (!str_starts(s->redirect, scheme) || !uri_authority_ok(str_from(s->redirect, scheme.n)) ||
                          s->redirect.n == scheme.n)) {
        err_set(err, STATUS_INVALID, "%.*s: redirect is no address", STR_ARG(s->name));
        return err_hint(err, "Write https://www.example.com; path and query are added.");
    }
    *ret_field = STR("redirect_status");
    if (s->redirect_status == 304 || s->redirect_status == 305 || s->redirect_status == 306)
        return err_set(err, STATUS_INVALID, "redirect_status must be 301, 302, 303, 307 or 308");
    return check_places(s, ret_field, err);
}

enum status edge_spec_read(struct arena *a, struct value v, struct edge_spec *ret, struct err *err)
{
    str field;
    return edge_spec_read_at(a, v, ret, &field, err);
}

enum status edge_spec_read_at(struct arena *a, struct value v, struct edge_spec *ret, str *ret_field, struct err *err)
{
    struct edge_spec s;
    *ret_field = STR("");
    if (v.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "an app is described by names with values");
    set_normal(a, &s);
    for (size_t i = 0; i < v.dict->count; i++) {
        const struct field *f = NULL;
        *ret_field = v.dict->entries[i].key;
        for (size_t k = 0; k < ARRAY_LEN(fields) && !f; k++)
            if (str_is(v.dict->entries[i].key, fields[k].name))
                f = &fields[k];
        if (!f) {
            err_set(err, STATUS_INVALID, "\"%.*s\" is nothing an app has",
                    STR_ARG(str_sub(v.dict->entries[i].key, 0, 80)));
            return err_hint(err, "docs/edge.md lists the names.");
        }
        enum status st = read_field(a, f, v.dict->entries[i].value, &s, err);
        if (st != STATUS_OK)
            return st;
    }
    enum status st = check(&s, ret_field, err);
    if (st == STATUS_OK)
        *ret = s;
    return st;
}

unsigned edge_spec_proxy_version(const struct edge_spec *s)
{
    return str_is(s->send_proxy, "v1") ? 1 : str_is(s->send_proxy, "v2") ? 2 : 0;
}

/* What stands at its default is left out. */
struct value edge_spec_value(struct arena *a, const struct edge_spec *s)
{
    struct value dict = value_dict(a);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct field *f = &fields[i];
        struct value v = VALUE_UNDEF;
        if (f->kind == TEXT && ((str *)at(s, f))->n)
            v = value_str(*(str *)at(s, f));
        else if ((f->kind == TEXTS || f->kind == DICT) && value_count(*(struct value *)at(s, f)))
            v = *(struct value *)at(s, f);
        else if (f->kind == FLAG && *(bool *)at(s, f))
            v = value_bool(true);
        else if (f->kind == COUNT && *(int64_t *)at(s, f) != f->normal)
            v = value_int(*(int64_t *)at(s, f));
        else if (f->kind == SECONDS && *(int64_t *)at(s, f) != f->normal)
            v = value_float((double)*(int64_t *)at(s, f) / 1000);
        if (v.kind != VALUE_UNDEFINED)
            value_set(dict, str_of(f->name), v);
    }
    return dict;
}

void edge_spec_copy(struct arena *a, const struct edge_spec *s, struct edge_spec *ret)
{
    struct err err = ERR_INIT;
    enum status st = edge_spec_read(a, edge_spec_value(a, s), ret, &err);
    ASSERT(st == STATUS_OK); /* it was checked when it was made */
}

bool edge_spec_equal(const struct edge_spec *x, const struct edge_spec *y)
{
    struct arena *a = arena_new(0);
    bool equal = value_equal(edge_spec_value(a, x), edge_spec_value(a, y));
    arena_free(a);
    return equal;
}

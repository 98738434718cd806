/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_edge_apply — vitrine edge apply FILE: makes the edge's apps what a file says. The whole file is checked before
 * anything is done; then what differs is shown and, one app after the other, changed. What is as the file says is not
 * touched. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/command.h"
#include "codec/yaml.h"
#include "edge/edge.h"
#include "edge/spec.h"
#include "http/edge_call.h"

struct apply {
    struct arena *a;
    str state, file, folder;
    bool dry_run, remove, quiet;
    struct edge_spec *wanted;
    size_t count;
    struct value now; /* the edge's apps */
};

/* Paths in the file are meant from where the file lies. */
static str folder_of(struct arena *a, str file)
{
    char *whole = realpath(arena_cstr(a, file), NULL);
    str path = arena_str(a, str_of(whole ? whole : "/"));
    free(whole);
    size_t slash = str_rfind_char(path, '/');
    return slash == STR_NPOS || slash == 0 ? STR("/") : str_sub(path, 0, slash);
}

static enum status read_app(struct apply *p, str name, struct value v, struct edge_spec *ret, struct err *err)
{
    if (v.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "an app is described by names with values");
    struct value own = value_copy(p->a, v);
    value_set(own, STR("name"), value_str(name));
    str folder = value_get_text(own, STR("folder"));
    if (value_has(own, STR("run")) && (!folder.n || folder.p[0] != '/'))
        value_set(own, STR("folder"), value_str(folder.n ? ARENA_CAT(p->a, p->folder, STR("/"), folder) : p->folder));
    return edge_spec_read(p->a, own, ret, err);
}

static enum status read_file(struct apply *p, struct err *err)
{
    str text;
    struct value v, apps;
    enum status st = fs_read_file(arena_cstr(p->a, p->file), LIMIT_CONFIG_FILE, p->a, &text, err);
    if (st == STATUS_OK)
        st = value_from_yaml(p->a, text, &v, err);
    if (st == STATUS_OK) {
        apps = VALUE_GET(v, "apps");
        bool other = v.kind == VALUE_DICT && value_count(v) != value_has(v, STR("apps"));
        if (apps.kind == VALUE_DICT && value_count(apps) > (size_t)LIMIT_EDGE_APPS) {
            st = err_set(err, STATUS_TOO_LARGE, "there are more than %d apps", LIMIT_EDGE_APPS);
            err_hint(err, "Take some out: one edge has no more.");
        } else if (apps.kind != VALUE_DICT || other) {
            st = err_set(err, STATUS_INVALID, "the file holds \"apps:\" and, below it, names of apps");
            err_hint(err, "docs/edge.md has an example.");
        }
    }
    if (st != STATUS_OK) {
        err_prefix(err, "%.*s", STR_ARG(p->file));
        return st;
    }
    p->folder = folder_of(p->a, p->file);
    p->wanted = ARENA_ARRAY(p->a, struct edge_spec, value_count(apps));
    for (size_t i = 0; i < value_count(apps); i++) {
        str name = apps.dict->entries[i].key;
        st = read_app(p, name, apps.dict->entries[i].value, &p->wanted[i], err);
        if (st != STATUS_OK) {
            err_prefix(err, "%.*s: %.*s", STR_ARG(p->file), STR_ARG(name));
            return st;
        }
        p->count++;
    }
    return STATUS_OK;
}

static struct value app_now(const struct apply *p, str name)
{
    for (size_t i = 0; i < value_count(p->now); i++)
        if (str_eq(value_get_text(value_at(p->now, i), STR("name")), name))
            return value_at(p->now, i);
    return VALUE_UNDEF;
}

static bool is_as_wanted(struct apply *p, const struct edge_spec *wanted, struct value now)
{
    struct edge_spec spec;
    struct value latest = value_at(VALUE_GET(now, "versions"), 0);
    return now.kind == VALUE_DICT && value_count(VALUE_GET(now, "versions")) &&
           edge_spec_read(p->a, VALUE_GET(latest, "spec"), &spec, NULL) == STATUS_OK && edge_spec_equal(&spec, wanted);
}

/* "run, replicas": the fields that differ. */
static str differences(struct apply *p, const struct edge_spec *wanted, struct value now)
{
    struct value new_one = edge_spec_value(p->a, wanted);
    struct value old = VALUE_GET(value_at(VALUE_GET(now, "versions"), 0), "spec");
    struct edge_field fields[64];
    size_t count = edge_spec_fields(fields, ARRAY_LEN(fields));
    str text = STR("");
    for (size_t i = 0; i < count; i++) {
        str name = str_of(fields[i].name);
        struct value x = value_get(new_one, name), y = value_get(old, name);
        if (x.kind == y.kind && (x.kind == VALUE_UNDEFINED || value_equal(x, y)))
            continue;
        text = text.n ? ARENA_CAT(p->a, text, STR(", "), name) : name;
    }
    return text;
}

static enum status change(struct apply *p, const struct edge_spec *wanted, struct err *err)
{
    str path = arena_printf(p->a, "/apps/%.*s/deploy", STR_ARG(wanted->name));
    return edge_do(p->a, p->state, path, edge_spec_value(p->a, wanted), p->quiet, err);
}

static enum status bring_about(struct apply *p, struct err *err)
{
    size_t same = 0, changed = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct edge_spec *w = &p->wanted[i];
        struct value now = app_now(p, w->name);
        if (is_as_wanted(p, w, now)) {
            same++;
            continue;
        }
        changed++;
        if (now.kind == VALUE_DICT)
            printf("change %.*s: %.*s\n", STR_ARG(w->name), STR_ARG(differences(p, w, now)));
        else
            printf("add %.*s\n", STR_ARG(w->name));
        (void)fflush(stdout);
        enum status st = p->dry_run ? STATUS_OK : change(p, w, err);
        if (st != STATUS_OK)
            return st;
    }
    for (size_t i = 0; i < value_count(p->now); i++) {
        str name = value_get_text(value_at(p->now, i), STR("name"));
        bool listed = false;
        for (size_t k = 0; k < p->count; k++)
            listed = listed || str_eq(p->wanted[k].name, name);
        str from = value_get_text(value_at(p->now, i), STR("from"));
        if (listed || from.n) { /* what a watched file or a container says is its own business */
            if (!listed)
                printf("keep %.*s: %.*s describes it\n", STR_ARG(name), STR_ARG(from));
            continue;
        }
        printf(p->remove ? "remove %.*s\n" : "keep %.*s: it is not in the file; --remove takes it away\n",
               STR_ARG(name));
        (void)fflush(stdout);
        changed += p->remove;
        str path = arena_printf(p->a, "/apps/%.*s/remove", STR_ARG(name));
        enum status st =
            p->dry_run || !p->remove ? STATUS_OK : edge_do(p->a, p->state, path, VALUE_UNDEF, p->quiet, err);
        if (st != STATUS_OK)
            return st;
    }
    printf("%zu %s, %zu as the file says\n", changed, p->dry_run ? "to be changed" : "changed", same);
    return STATUS_OK;
}

enum { OPT_STATE, OPT_DRY_RUN, OPT_REMOVE, OPT_QUIET, OPT_HELP };
static const struct option options[] = {
    {"--state", 0, OPTION_VALUE, "DIR", "State folder of the edge", OPT_STATE},
    {"--dry-run", 0, OPTION_FLAG, NULL, "Only print what would be changed", OPT_DRY_RUN},
    {"--remove", 0, OPTION_FLAG, NULL, "Remove apps that are not in the file", OPT_REMOVE},
    {"--quiet", 'q', OPTION_FLAG, NULL, "Leave out the progress of each deploy", OPT_QUIET},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

static int help(void)
{
    struct edge_field fields[64];
    size_t count = edge_spec_fields(fields, ARRAY_LEN(fields));
    printf("Usage: vitrine edge apply [OPTIONS] FILE\n\n"
           "Makes the apps behind the running edge what FILE (YAML) says, and touches no other.\n\nOptions:\n");
    option_print_help(options, ARRAY_LEN(options));
    printf("\nBelow apps: and the app's name, FILE may have:\n");
    for (size_t i = 1; i < count; i++)
        printf("  %-18s %s\n", fields[i].name, fields[i].help);
    return 0;
}

int cmd_edge_apply(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct apply p = {.a = arena_new(0)};
    struct err err = ERR_INIT;
    struct value all = VALUE_UNDEF;
    str value, second;
    enum status st;
    int id;
    bool wants_help = false;
    while ((st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        p.dry_run = p.dry_run || id == OPT_DRY_RUN;
        p.remove = p.remove || id == OPT_REMOVE;
        p.quiet = p.quiet || id == OPT_QUIET;
        wants_help = wants_help || id == OPT_HELP;
        if (id == OPT_STATE)
            p.state = value;
        if (id == -1)
            p.file = value;
    }
    p.state = edge_state_folder(p.a, p.state);
    if (st == STATUS_OK && !wants_help && !p.file.n) {
        st = err_set(&err, STATUS_USAGE, "edge apply: which file?");
        err_hint(&err, "vitrine edge apply edge.yaml");
    }
    if (st == STATUS_OK && !wants_help)
        st = read_file(&p, &err);
    if (st == STATUS_OK && !wants_help)
        st = edge_call(p.a, p.state, "GET", STR("/status"), VALUE_UNDEF, &all, &err);
    if (st == STATUS_OK && !wants_help) {
        p.now = VALUE_GET(all, "apps");
        st = bring_about(&p, &err);
    }
    arena_free(p.a);
    if (wants_help)
        return help();
    return st == STATUS_OK ? 0 : command_fail(&err);
}

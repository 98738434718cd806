/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_package — `vitrine package`, `vitrine publish`: data files as a container image that serves them, here or at a
 * host. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "cli/given.h"
#include "cli/image.h"
#include "site/config.h"

enum {
    OPT_TAG,
    OPT_TO,
    OPT_METADATA,
    OPT_CONFIG,
    OPT_EXTRA,
    OPT_TEMPLATES,
    OPT_STATIC,
    OPT_NOTE,
    OPT_SECRET,
    OPT_PORT,
    OPT_TITLE,
    OPT_LICENSE,
    OPT_LICENSE_URL,
    OPT_SOURCE,
    OPT_SOURCE_URL,
    OPT_ABOUT,
    OPT_ABOUT_URL,
    OPT_PLUGINS,
    OPT_INSTALL,
    OPT_BRANCH,
    OPT_SPATIALITE,
    OPT_APP,
    OPT_REGION,
    OPT_PLUGIN_SECRET,
    OPT_HELP
};

/* What both commands take. */
#define ABOUT_THE_IMAGE                                                                                                \
    {"--metadata", 'm', OPTION_VALUE, "FILE", "Metadata file, JSON or YAML", OPT_METADATA},                            \
        {"--config", 'c', OPTION_VALUE, "FILE", "Configuration file, JSON or YAML", OPT_CONFIG},                       \
        {"--extra-options", 0, OPTION_VALUE, "WORDS", "More options for vitrine serve, between blanks", OPT_EXTRA},    \
        {"--template-dir", 0, OPTION_VALUE, "DIR", "Templates that replace built-in ones", OPT_TEMPLATES},             \
        {"--static", 0, OPTION_VALUE, "MOUNT:DIR", "Serve the files of a directory under /MOUNT/; again for more",     \
         OPT_STATIC},                                                                                                  \
        {"--version-note", 0, OPTION_VALUE, "TEXT", "Shown at /-/versions", OPT_NOTE},                                 \
        {"--secret", 0, OPTION_VALUE, "TEXT", "Secret for cookies and tokens (default: a random one)", OPT_SECRET},    \
        {"--port", 'p', OPTION_VALUE, "PORT", "Port in the container (default 8001)", OPT_PORT},                       \
        {"--title", 0, OPTION_VALUE, "TEXT", "Title of the site", OPT_TITLE},                                          \
        {"--license", 0, OPTION_VALUE, "TEXT", "License of the data", OPT_LICENSE},                                    \
        {"--license_url", 0, OPTION_VALUE, "URL", "Where the license is", OPT_LICENSE_URL},                            \
        {"--source", 0, OPTION_VALUE, "TEXT", "Where the data comes from", OPT_SOURCE},                                \
        {"--source_url", 0, OPTION_VALUE, "URL", "Its address", OPT_SOURCE_URL},                                       \
        {"--about", 0, OPTION_VALUE, "TEXT", "What it is about", OPT_ABOUT},                                           \
        {"--about_url", 0, OPTION_VALUE, "URL", "Its address", OPT_ABOUT_URL},                                         \
        {"--plugin-secret", 0, OPTION_TRIPLE, "PLUGIN KEY VALUE", "A secret of a plugin, as a variable of the image",  \
         OPT_PLUGIN_SECRET},                                                                                           \
        {"--plugins-dir", 0, OPTION_VALUE, "DIR", "Accepted for compatibility: Python plugins cannot run here",        \
         OPT_PLUGINS},                                                                                                 \
        {"--install", 0, OPTION_VALUE, "PACKAGE", "Accepted for compatibility: likewise", OPT_INSTALL},                \
        {"--branch", 0, OPTION_VALUE, "NAME", "Accepted for compatibility: the image gets this very program",          \
         OPT_BRANCH},                                                                                                  \
        {"--spatialite", 0, OPTION_FLAG, NULL, "Accepted for compatibility: give --load-extension in --extra-options", \
         OPT_SPATIALITE},                                                                                              \
        {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},

static const struct option package_options[] = {
    {"--tag", 't', OPTION_VALUE, "NAME", "Name of the image, NAME or NAME:TAG", OPT_TAG},
    {"--to", 0, OPTION_VALUE, "FOLDER", "Only write what docker would build: a Dockerfile and its files", OPT_TO},
    ABOUT_THE_IMAGE};

static const struct option publish_options[] = {
    {"--app", 'a', OPTION_VALUE, "NAME", "Name of the app or service at the host", OPT_APP},
    {"--region", 0, OPTION_VALUE, "REGION", "Where it runs, in the host's words", OPT_REGION},
    {"--to", 0, OPTION_VALUE, "FOLDER", "Only write what would be sent; --generate-dir means the same", OPT_TO},
    {"--generate-dir", 0, OPTION_VALUE, "FOLDER", "The same", OPT_TO},
    ABOUT_THE_IMAGE};

static void add_word(struct image *i, const char *option, str value)
{
    if (option)
        value_push(i->command, value_cstr(option));
    if (value.p)
        value_push(i->command, value_str(value));
}

static str last_part(str path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    size_t slash = str_rfind_char(path, '/');
    return slash == STR_NPOS ? path : str_from(path, slash + 1);
}

/* plugins: {PLUGIN: {KEY: {"$env": "PLUGIN_KEY"}}}, and that variable. */
static void add_plugin_secret(struct image *i, struct value metadata, const struct given_option *o)
{
    str name = ARENA_CAT(i->a, o->value[0], STR("_"), o->value[1]);
    char *text = (char *)(uintptr_t)arena_cstr(i->a, name);
    for (char *p = text; *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ? *p : '_';
    struct value reference = value_dict(i->a);
    VALUE_SET(reference, "$env", value_cstr(text));
    value_set(value_dict_in(i->a, value_dict_in(i->a, metadata, STR("plugins")), o->value[0]), o->value[1], reference);
    value_set(i->env, str_of(text), value_str(o->value[2]));
}

/* What the image's site says of itself: the file, with the options on top. */
static enum status add_metadata(struct image *i, const struct given *g, struct err *err)
{
    static const struct {
        int id;
        const char *key;
    } keys[] = {{OPT_TITLE, "title"},        {OPT_LICENSE, "license"},       {OPT_LICENSE_URL, "license_url"},
                {OPT_SOURCE, "source"},      {OPT_SOURCE_URL, "source_url"}, {OPT_ABOUT, "about"},
                {OPT_ABOUT_URL, "about_url"}};
    str file = given_text(g, OPT_METADATA);
    struct value v = value_dict(i->a);
    enum status st = STATUS_OK;
    if (file.p) {
        str text;
        st = fs_read_file(arena_cstr(i->a, file), LIMIT_CONFIG_FILE, i->a, &text, err);
        if (st == STATUS_OK)
            st = config_read(i->a, text, file, &v, err);
        if (st == STATUS_OK && v.kind != VALUE_DICT)
            st = err_set(err, STATUS_INVALID, "%.*s is no object of names and values", STR_ARG(file));
    }
    for (size_t k = 0; st == STATUS_OK && k < ARRAY_LEN(keys); k++)
        if (given_has(g, keys[k].id))
            value_set(v, str_of(keys[k].key), value_str(given_text(g, keys[k].id)));
    for (size_t k = 0; st == STATUS_OK && k < g->options.count; k++)
        if (g->options.items[k].id == OPT_PLUGIN_SECRET)
            add_plugin_secret(i, v, &g->options.items[k]);
    if (st != STATUS_OK || !value_count(v))
        return st;
    struct buf text;
    buf_init(&text, LIMIT_JSON_OUTPUT);
    value_to_json_indent(&text, v, VALUE_JSON_UTF8, 2);
    st = image_add_text(i, buf_str(&text), STR("metadata.json"), err);
    buf_release(&text);
    add_word(i, "--metadata", STR("metadata.json"));
    return st;
}

/* Counts and hashes are worked out now, not at each start of the image. */
static enum status add_counts(struct image *i, const struct given *g, struct err *err)
{
    VEC(char *) argv = {0};
    for (size_t k = 0; k < g->words.count; k++)
        VEC_PUSH(i->a, &argv, (char *)(uintptr_t)arena_cstr(i->a, image_path(i, last_part(g->words.items[k]))));
    VEC_PUSH(i->a, &argv, (char *)(uintptr_t) "--inspect-file");
    VEC_PUSH(i->a, &argv, (char *)(uintptr_t)arena_cstr(i->a, image_path(i, STR("inspect-data.json"))));
    if (cmd_inspect((int)argv.count, argv.items) != 0)
        return err_set(err, STATUS_IO, "the databases cannot be counted");
    add_word(i, "--inspect-file", STR("inspect-data.json"));
    return STATUS_OK;
}

static enum status add_databases(struct image *i, const struct given *g, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t k = 0; st == STATUS_OK && k < g->words.count; k++) {
        str name = last_part(g->words.items[k]);
        for (size_t n = 0; n < k; n++)
            if (str_eq(name, last_part(g->words.items[n])))
                return err_set(err, STATUS_USAGE, "%.*s and %.*s have the same name", STR_ARG(g->words.items[n]),
                               STR_ARG(g->words.items[k]));
        st = image_add_database(i, g->words.items[k], name, err);
        add_word(i, "-i", name);
    }
    return st == STATUS_OK ? add_counts(i, g, err) : st;
}

static enum status add_rest(struct image *i, const struct given *g, struct err *err)
{
    size_t count;
    str *statics = given_list(i->a, g, OPT_STATIC, &count), word, rest = given_text(g, OPT_EXTRA);
    enum status st = add_metadata(i, g, err);
    if (st == STATUS_OK && given_has(g, OPT_CONFIG)) {
        str file = given_text(g, OPT_CONFIG), name = ARENA_CAT(i->a, STR("config-"), last_part(file));
        st = image_add(i, file, name, err);
        add_word(i, "--config", name);
    }
    if (st == STATUS_OK && given_has(g, OPT_TEMPLATES)) {
        st = image_add(i, given_text(g, OPT_TEMPLATES), STR("templates"), err);
        add_word(i, "--template-dir", STR("templates"));
    }
    for (size_t k = 0; st == STATUS_OK && k < count; k++) {
        str mount, folder;
        if (!str_cut(statics[k], ':', &mount, &folder) || !mount.n || !folder.n)
            return err_set(err, STATUS_USAGE, "--static wants MOUNT:DIR, not %.*s", STR_ARG(statics[k]));
        str name = arena_printf(i->a, "static-%zu", k + 1);
        st = image_add(i, folder, name, err);
        add_word(i, "--static", ARENA_CAT(i->a, mount, STR(":"), name));
    }
    if (given_has(g, OPT_NOTE))
        add_word(i, "--version-note", given_text(g, OPT_NOTE));
    add_word(i, "--cors", (str){0});
    while (rest.n) {
        str_cut(rest, ' ', &word, &rest);
        if (word.n)
            add_word(i, NULL, word);
    }
    return st;
}

/* ---- the commands ---- */

struct host {
    const char *name, *file, *text; /* a file that its program wants beside the Dockerfile; {app} in it is the name */
    struct {
        bool may_fail;        /* the app may be there already */
        const char *words[9]; /* {app}, {folder} */
    } steps[2];
    const char *region;
    int64_t port;
};
static const struct host hosts[] = {
    {"fly",
     "fly.toml",
     "app = \"{app}\"\n\n[http_service]\n  internal_port = 8080\n  force_https = true\n  auto_stop_machines = "
     "\"stop\"\n"
     "  auto_start_machines = true\n  min_machines_running = 0\n",
     {{true, {"flyctl", "apps", "create", "{app}"}},
      {false, {"flyctl", "deploy", "{folder}", "--app", "{app}", "--config", "{folder}/fly.toml", "--remote-only"}}},
     "--primary-region",
     8080},
    {"cloudrun",
     NULL,
     NULL,
     {{false, {"gcloud", "run", "deploy", "{app}", "--source", "{folder}", "--allow-unauthenticated", "--port=8080"}}},
     "--region",
     8080},
};

static str filled(struct arena *a, const char *text, str app, str folder)
{
    struct buf out;
    str rest = str_of(text), before;
    buf_init(&out, LIMIT_JSON_OUTPUT);
    while (str_cut(rest, '{', &before, &rest)) {
        bool is_app = str_starts(rest, STR("app}"));
        buf_puts(&out, before);
        buf_puts(&out, is_app ? app : folder);
        rest = str_from(rest, is_app ? sizeof "app}" - 1 : sizeof "folder}" - 1);
    }
    buf_puts(&out, before);
    str got = arena_str(a, buf_str(&out));
    buf_release(&out);
    return got;
}

static enum status send(struct image *i, const struct host *h, const struct given *g, struct err *err)
{
    str app = given_text(g, OPT_APP), region = given_text(g, OPT_REGION);
    for (size_t k = 0; k < ARRAY_LEN(h->steps) && h->steps[k].words[0]; k++) {
        const char *words[ARRAY_LEN(h->steps[k].words) + 2];
        size_t n = 0;
        for (; n < ARRAY_LEN(h->steps[k].words) && h->steps[k].words[n]; n++)
            words[n] = arena_cstr(i->a, filled(i->a, h->steps[k].words[n], app, i->folder));
        if (region.p && !h->steps[k].may_fail) {
            words[n++] = h->region;
            words[n++] = arena_cstr(i->a, region);
        }
        enum status st = image_run(i, words, n, err);
        if (st != STATUS_OK && (st == STATUS_NOT_FOUND || !h->steps[k].may_fail))
            return st;
    }
    return STATUS_OK;
}

static enum status check(const struct given *g, const struct host *h, struct image *i, struct err *err)
{
    str port = given_text(g, OPT_PORT), app = given_text(g, OPT_APP);
    i->port = h ? h->port : 8001;
    if (!g->words.count) {
        err_set(err, STATUS_USAGE, "which database?");
        return err_hint(err, h ? "vitrine publish fly data.db --app my-data" : "vitrine package data.db --tag my-data");
    }
    if (port.p && (!str_to_i64(port, &i->port) || i->port < 1 || i->port > 65535))
        return err_set(err, STATUS_USAGE, "--port must be a number from 1 to 65535, not '%.*s'", STR_ARG(port));
    if (h && port.p)
        return err_set(err, STATUS_USAGE, "%s says which port it is: leave --port out", h->name);
    for (size_t k = 0; k < app.n; k++)
        if (!((app.p[k] >= 'a' && app.p[k] <= 'z') || (app.p[k] >= '0' && app.p[k] <= '9') || (app.p[k] == '-' && k)))
            return err_set(err, STATUS_USAGE, "--app may have small letters, digits and '-', not '%.*s'", STR_ARG(app));
    if (h && !app.n)
        return err_set(err, STATUS_USAGE, "say which app it becomes with --app NAME");
    if (given_has(g, OPT_PLUGINS) || given_has(g, OPT_INSTALL))
        log_line(LOG_WARN, "package", "Python plugins are left out: they cannot run here");
    i->folder = given_text(g, OPT_TO);
    if (i->folder.p && given_has(g, OPT_TAG))
        return err_set(err, STATUS_USAGE, "--to only writes a folder: leave --tag out");
    return STATUS_OK;
}

static enum status fill(struct image *i, const struct host *h, const struct given *g, struct err *err)
{
    if (given_has(g, OPT_SECRET))
        VALUE_SET(i->env, "DATASETTE_SECRET", value_str(given_text(g, OPT_SECRET)));
    enum status st = add_databases(i, g, err);
    if (st == STATUS_OK)
        st = add_rest(i, g, err);
    if (st == STATUS_OK && h) {
        add_word(i, "--setting", STR("force_https_urls"));
        add_word(i, NULL, STR("on"));
    }
    if (st == STATUS_OK)
        st = image_end(i, err);
    if (st == STATUS_OK && h && h->file)
        st = fs_write_atomic(arena_cstr(i->a, ARENA_CAT(i->a, i->folder, STR("/"), str_of(h->file))),
                             filled(i->a, h->text, given_text(g, OPT_APP), i->folder), 0644, err);
    return st;
}

static enum status docker(struct image *i, const struct given *g, struct err *err)
{
    str tag = given_text(g, OPT_TAG);
    const char *words[5] = {"docker", "build"};
    size_t n = 2;
    if (tag.n) {
        words[n++] = "-t";
        words[n++] = arena_cstr(i->a, tag);
    }
    words[n++] = arena_cstr(i->a, i->folder);
    return image_run(i, words, n, err);
}

/* host NULL: an image for the docker that is here. */
static enum status package(struct arena *a, const struct host *h, const struct given *g, struct err *err)
{
    struct image i = {.a = a};
    char temporary[] = "/tmp/vitrine-image-XXXXXX";
    enum status st = check(g, h, &i, err);
    if (st != STATUS_OK)
        return st;
    bool build = !i.folder.p;
    if (build) {
        if (!mkdtemp(temporary))
            return err_set(err, STATUS_IO, "cannot make a folder in /tmp");
        i.folder = str_of(temporary);
    }
    st = image_begin(&i, err);
    if (st == STATUS_CONFLICT)
        return st; /* it is not ours */
    if (st == STATUS_OK)
        st = fill(&i, h, g, err);
    if (st == STATUS_OK && build)
        st = h ? send(&i, h, g, err) : docker(&i, g, err);
    else if (st == STATUS_OK)
        printf("%.*s is ready: docker build -t NAME %.*s, or what your host does with a Dockerfile.\n",
               STR_ARG(i.folder), STR_ARG(i.folder));
    if (build || st != STATUS_OK)
        (void)!fs_remove_tree(arena_cstr(a, i.folder), NULL); /* what went wrong before is the news */
    return st;
}

static const struct host *find_host(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        if (str_is(name, hosts[i].name))
            return &hosts[i];
    return NULL;
}

static enum status publish(struct arena *a, struct given *g, struct err *err)
{
    const struct host *h = g->words.count ? find_host(g->words.items[0]) : NULL;
    if (!h) {
        err_set(err, STATUS_USAGE, g->words.count ? "%.*s is no host that is known" : "publish where?%.*s",
                g->words.count ? (int)g->words.items[0].n : 0, g->words.count ? g->words.items[0].p : "");
        return err_hint(err, "fly or cloudrun; for another one, vitrine package --to FOLDER writes what it can build.");
    }
    g->words.items++;
    g->words.count--;
    return package(a, h, g, err);
}

static int run(int argc, char **argv, const struct option *options, size_t count, const char *help, bool to_host)
{
    struct arena *a = arena_new(LIMIT_REQUEST_ARENA);
    struct given g;
    struct err err = ERR_INIT;
    int code = 0;
    enum status st = given_read(a, options, count, argc, argv, &g, &err);
    if (st == STATUS_OK && given_has(&g, OPT_HELP)) {
        puts(help);
        option_print_help(options, count);
    } else if (st == STATUS_OK) {
        st = to_host ? publish(a, &g, &err) : package(a, NULL, &g, &err);
    }
    if (st != STATUS_OK)
        code = command_fail(&err);
    arena_free(a);
    return code;
}

int cmd_package(int argc, char **argv)
{
    return run(
        argc, argv, package_options, ARRAY_LEN(package_options),
        "Usage: vitrine package DATABASE... [--tag NAME]\n\nBuilds a container image that serves these databases: "
        "this program, the libraries it uses, the\ndata, nothing else. Needs docker; with --to FOLDER it writes "
        "what docker would build.\n\nOptions:",
        false);
}

int cmd_publish(int argc, char **argv)
{
    return run(argc, argv, publish_options, ARRAY_LEN(publish_options),
               "Usage: vitrine publish fly|cloudrun DATABASE... --app NAME\n\nSends databases to a host as a container "
               "image that serves them. Needs the host's own program,\nsigned in: flyctl or gcloud.\n\nOptions:",
               true);
}

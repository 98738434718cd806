/* SPDX-License-Identifier: Apache-2.0 */
/* serve_options — the table of options, where each goes, and the variables that stand for them. */
#include "cli/serve_options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "site/settings.h"

enum {
    OPT_IMMUTABLE,
    OPT_HOST,
    OPT_PORT,
    OPT_UDS,
    OPT_CORS,
    OPT_SETTING,
    OPT_CONFIG,
    OPT_METADATA,
    OPT_SECRET,
    OPT_ROOT,
    OPT_DEFAULT_DENY,
    OPT_STATIC,
    OPT_TEMPLATE_DIR,
    OPT_MEMORY,
    OPT_CROSSDB,
    OPT_NOLOCK,
    OPT_CREATE,
    OPT_INSPECT,
    OPT_EXTENSION,
    OPT_RELOAD,
    OPT_OPEN,
    OPT_CERT,
    OPT_KEY,
    OPT_CACHE,
    OPT_NOTE,
    OPT_INTERNAL,
    OPT_STATE,
    OPT_KEEP,
    OPT_PLUGINS,
    OPT_SYNC,
    OPT_SPACE,
    OPT_GET,
    OPT_HEADERS,
    OPT_TOKEN,
    OPT_ACTOR,
    OPT_PDB,
    OPT_SETTINGS_HELP,
    OPT_LOG_LEVEL,
    OPT_LOG_FORMAT,
    OPT_ACCESS_LOG,
    OPT_DRAIN,
    OPT_GRACE,
    OPT_UPGRADE_TIMEOUT,
    OPT_UPGRADE_GRACE,
    OPT_HELP
};
static const struct option options[] = {
    {"--immutable", 'i', OPTION_VALUE, "FILE", "Open a file that nobody writes: faster, may be downloaded",
     OPT_IMMUTABLE},
    {"--host", 'h', OPTION_VALUE, "HOST", "Listen on this address (default $HOST or 127.0.0.1)", OPT_HOST},
    {"--port", 'p', OPTION_VALUE, "PORT", "Listen on this port, 0 for any (default $PORT or 8001)", OPT_PORT},
    {"--uds", 0, OPTION_VALUE, "PATH", "Listen on a Unix socket instead", OPT_UDS},
    {"--cors", 0, OPTION_FLAG, NULL, "Let pages of other sites use the API", OPT_CORS},
    {"--setting", 's', OPTION_PAIR, "NAME VALUE", "Set a setting, or any configuration by its dotted path",
     OPT_SETTING},
    {"--config", 'c', OPTION_VALUE, "FILE", "Configuration file, JSON or YAML", OPT_CONFIG},
    {"--metadata", 'm', OPTION_VALUE, "FILE", "Metadata file, JSON or YAML", OPT_METADATA},
    {"--secret", 0, OPTION_VALUE, "TEXT", "Secret for signed cookies and tokens ($DATASETTE_SECRET)", OPT_SECRET},
    {"--root", 0, OPTION_FLAG, NULL, "Print a link that signs in as root, once", OPT_ROOT},
    {"--default-deny", 0, OPTION_FLAG, NULL, "Deny everything that the configuration does not allow", OPT_DEFAULT_DENY},
    {"--static", 0, OPTION_VALUE, "MOUNT:DIR", "Serve the files of a directory under /MOUNT/", OPT_STATIC},
    {"--template-dir", 0, OPTION_VALUE, "DIR", "Templates that replace built-in ones", OPT_TEMPLATE_DIR},
    {"--memory", 0, OPTION_FLAG, NULL, "Add an empty database in memory at /_memory", OPT_MEMORY},
    {"--crossdb", 0, OPTION_FLAG, NULL, "Let /_memory query across the first ten databases", OPT_CROSSDB},
    {"--nolock", 0, OPTION_FLAG, NULL, "Read files that another program has locked", OPT_NOLOCK},
    {"--create", 0, OPTION_FLAG, NULL, "Make files that do not exist", OPT_CREATE},
    {"--inspect-file", 0, OPTION_VALUE, "FILE", "Hashes and counts worked out before", OPT_INSPECT},
    {"--load-extension", 0, OPTION_VALUE, "PATH[:ENTRY]", "Load an SQLite extension", OPT_EXTENSION},
    {"--reload", 0, OPTION_FLAG, NULL, "Renew the site when configuration changes; no cache headers", OPT_RELOAD},
    {"--open", 'o', OPTION_FLAG, NULL, "Open a browser", OPT_OPEN},
    {"--ssl-certfile", 0, OPTION_VALUE, "FILE", "Certificate (PEM): serve https", OPT_CERT},
    {"--ssl-keyfile", 0, OPTION_VALUE, "FILE", "Its private key (PEM)", OPT_KEY},
    {"--cache", 0, OPTION_VALUE, "MB", "Memory for finished answers, 0 for none (default 64)", OPT_CACHE},
    {"--version-note", 0, OPTION_VALUE, "TEXT", "Shown at /-/versions", OPT_NOTE},
    {"--internal", 0, OPTION_VALUE, "FILE", "File of the internal database: stored queries and other state of our own",
     OPT_INTERNAL},
    {"--state", 0, OPTION_VALUE, "DIR", "Folder for state of our own (default: one a site in ~/.local/state/vitrine)",
     OPT_STATE},
    {"--space", 0, OPTION_VALUE, "DIR", "Serve a space of a hub: DIR/data, as DIR/space.json says", OPT_SPACE},
    {"--sync", 0, OPTION_VALUE, "full|normal", "Writes survive a power cut (full, default) or a crash (normal)",
     OPT_SYNC},
    {"--keep", 0, OPTION_VALUE, "FILE", "Where data files (CSV, ...) are imported to (default: thrown away at the end)",
     OPT_KEEP},
    {"--plugins-dir", 0, OPTION_VALUE, "DIR", "Accepted for compatibility: Python plugins cannot run here",
     OPT_PLUGINS},
    {"--get", 0, OPTION_VALUE, "PATH", "Print the answer to one request, serve nothing; exit 0 when it is 200",
     OPT_GET},
    {"--headers", 0, OPTION_FLAG, NULL, "With --get: print status and header fields too", OPT_HEADERS},
    {"--token", 0, OPTION_VALUE, "TOKEN", "With --get: ask with this API token", OPT_TOKEN},
    {"--actor", 0, OPTION_VALUE, "JSON", "With --get: ask as this actor, for example '{\"id\": \"root\"}'", OPT_ACTOR},
    {"--pdb", 0, OPTION_FLAG, NULL, "Accepted for compatibility: there is no Python debugger here", OPT_PDB},
    {"--help-settings", 0, OPTION_FLAG, NULL, "List the settings", OPT_SETTINGS_HELP},
    {"--log-level", 0, OPTION_VALUE, "LEVEL", "debug, info, warn, error or off (default info)", OPT_LOG_LEVEL},
    {"--log-format", 0, OPTION_VALUE, "FORMAT", "text or json (default text)", OPT_LOG_FORMAT},
    {"--access-log", 0, OPTION_FLAG, NULL, "Log every request", OPT_ACCESS_LOG},
    {"--drain", 0, OPTION_VALUE, "SECONDS", "After SIGTERM: go on, but not ready, this long (default 0)", OPT_DRAIN},
    {"--grace", 0, OPTION_VALUE, "SECONDS", "Then finish what is on its way, this long (default 10)", OPT_GRACE},
    {"--upgrade-timeout", 0, OPTION_VALUE, "SECONDS",
     "After SIGUSR2: the new process must be ready by then (default 60)", OPT_UPGRADE_TIMEOUT},
    {"--upgrade-grace", 0, OPTION_VALUE, "SECONDS", "Then the old one finishes what it began, this long (default 300)",
     OPT_UPGRADE_GRACE},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

static int print_help(void)
{
    printf("Usage: vitrine serve [OPTIONS] FILE...\n\n"
           "Publishes SQLite databases. Data files (CSV, TSV and so on, also .gz, .zst and .zip) are\n"
           "imported first, and their tables served. A directory given alone is a configuration directory: its\n"
           "databases, datasette.yaml, metadata.yaml, templates/ and static/ are used.\n\nOptions:\n");
    option_print_help(options, ARRAY_LEN(options));
    return 0;
}

static int print_settings(void)
{
    printf("Settings (--setting NAME VALUE):\n\n");
    for (size_t i = 0; i < setting_row_count; i++)
        printf("  %-28s %s (default %s)\n", setting_rows[i].name, setting_rows[i].help, setting_rows[i].default_text);
    return 0;
}

static enum status number(str text, const char *what, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
    int64_t n;
    if (!str_to_i64(text, &n) || n < min || n > max)
        return err_set(err, STATUS_USAGE, "%s must be a number from %lld to %lld, not \"%.*s\"", what, (long long)min,
                       (long long)max, STR_ARG(text));
    *ret = n;
    return STATUS_OK;
}

void serve_options_add_file(struct serve_options *s, str path, bool immutable)
{
    VEC_PUSH(s->arena, &s->files, path);
    VEC_PUSH(s->arena, &s->immutable, immutable);
}

/* Where the plain ones go: offsets in struct serve_options; 0 = see apply(). */
#define AT(member) offsetof(struct serve_options, member)
static const size_t text_at[OPT_HELP + 1] = {
    [OPT_HOST] = AT(host),
    [OPT_UDS] = AT(uds),
    [OPT_CONFIG] = AT(site.config.config_path),
    [OPT_METADATA] = AT(site.config.metadata_path),
    [OPT_SECRET] = AT(site.secret),
    [OPT_TEMPLATE_DIR] = AT(site.template_dir),
    [OPT_INSPECT] = AT(site.inspect_file),
    [OPT_CERT] = AT(cert),
    [OPT_KEY] = AT(key),
    [OPT_NOTE] = AT(site.version_note),
    [OPT_KEEP] = AT(keep),
    [OPT_GET] = AT(get.path),
    [OPT_TOKEN] = AT(get.token),
    [OPT_ACTOR] = AT(get.actor),
    [OPT_INTERNAL] = AT(site.state.internal),
    [OPT_STATE] = AT(site.state.folder),
    [OPT_SPACE] = AT(space),
};
static const size_t flag_at[OPT_HELP + 1] = {
    [OPT_CORS] = AT(site.cors),        [OPT_ROOT] = AT(site.root),       [OPT_DEFAULT_DENY] = AT(site.default_deny),
    [OPT_MEMORY] = AT(site.memory),    [OPT_CROSSDB] = AT(site.crossdb), [OPT_NOLOCK] = AT(site.nolock),
    [OPT_CREATE] = AT(site.create),    [OPT_RELOAD] = AT(site.reload),   [OPT_OPEN] = AT(open_browser),
    [OPT_ACCESS_LOG] = AT(access_log), [OPT_PLUGINS] = AT(note_plugins), [OPT_HEADERS] = AT(get.headers),
    [OPT_PDB] = AT(note_pdb),
};
#undef AT

static enum status apply(struct serve_options *s, int id, str value, str second, struct err *err)
{
    struct site_options *o = &s->site;
    int64_t mb;
    if (id >= 0 && text_at[id])
        *(str *)(void *)((char *)s + text_at[id]) = value;
    if (id >= 0 && flag_at[id])
        *(bool *)((char *)s + flag_at[id]) = true;
    switch (id) {
    case -1:
        serve_options_add_file(s, value, false);
        break;
    case OPT_IMMUTABLE:
        serve_options_add_file(s, value, true);
        break;
    case OPT_PORT:
        return number(value, "--port", 0, 65535, &s->port, err);
    case OPT_SETTING:
        VEC_PUSH(s->arena, &s->settings, (struct value_entry){.key = value, .value = value_str(second)});
        break;
    case OPT_STATIC:
        VEC_PUSH(s->arena, &s->statics, value);
        break;
    case OPT_EXTENSION:
        VEC_PUSH(s->arena, &s->extensions, value);
        break;
    case OPT_CACHE:
        mb = 0;
        if (number(value, "--cache", 0, 1 << 20, &mb, err) != STATUS_OK)
            return STATUS_USAGE;
        o->cache_bytes = (size_t)mb << 20;
        break;
    case OPT_LOG_LEVEL:
        if (!log_level_parse(value, &s->log_level))
            return err_set(err, STATUS_USAGE, "--log-level must be debug, info, warn, error or off");
        break;
    case OPT_LOG_FORMAT:
        if (!str_is(value, "json") && !str_is(value, "text"))
            return err_set(err, STATUS_USAGE, "--log-format must be text or json");
        s->log_format = str_is(value, "json") ? LOG_JSON : LOG_TEXT;
        break;
    case OPT_DRAIN:
        return number(value, "--drain", 0, 3600, &s->drain_s, err);
    case OPT_GRACE:
        return number(value, "--grace", 0, 3600, &s->grace_s, err);
    case OPT_UPGRADE_TIMEOUT:
        return number(value, "--upgrade-timeout", 1, 86400, &s->upgrade_timeout_s, err);
    case OPT_UPGRADE_GRACE:
        return number(value, "--upgrade-grace", 0, 86400, &s->upgrade_grace_s, err);
    case OPT_SYNC:
        if (!str_is(value, "full") && !str_is(value, "normal"))
            return err_set(err, STATUS_USAGE, "--sync must be full or normal");
        o->sync_normal = str_is(value, "normal");
        break;
    default:
        break;
    }
    return STATUS_OK;
}

static enum status apply_variable(void *arg, int id, str value, struct err *err)
{
    return apply(arg, id, value, (str){0}, err);
}

/* Options win because they come later. */
static enum status from_environment(struct serve_options *s, struct err *err)
{
    const char *host = getenv("HOST"), *port = getenv("PORT"), *extension = getenv("SQLITE_EXTENSIONS");
    const char *metrics = getenv("VITRINE_METRICS_TOKEN");
    enum status st = STATUS_OK;
    str text;
    if (host && *host)
        s->host = str_of(host);
    if (metrics)
        s->site.metrics_token = str_of(metrics);
    if (port && *port)
        st = number(str_of(port), "PORT", 0, 65535, &s->port, err);
    if (st == STATUS_OK)
        st = environment_options(s->arena, options, ARRAY_LEN(options), apply_variable, s, err);
    if (extension && *extension && !s->extensions.count) /* Datasette's name before 1.0 */
        VEC_PUSH(s->arena, &s->extensions, str_of(extension));
    for (size_t i = 0; i < setting_row_count; i++)
        if (environment_find(s->arena, setting_rows[i].name, &text))
            VEC_PUSH(s->arena, &s->settings,
                     (struct value_entry){.key = str_of(setting_rows[i].name), .value = value_str(text)});
    return st;
}

/* --space DIR: everything has its place there. */
static enum status apply_space(struct serve_options *s, struct err *err)
{
    struct site_options *o = &s->site;
    struct stat st;
    if (s->files.count || o->config.config_path.n || o->config.metadata_path.n || o->root || o->template_dir.n) {
        err_set(err, STATUS_USAGE, "--space stands alone: no files, --config, --metadata, --template-dir or --root");
        return err_hint(err, "What the space serves lies in %.*s/data.", STR_ARG(s->space));
    }
    str data = ARENA_CAT(s->arena, s->space, STR("/data"));
    if (stat(data.p, &st) != 0 || !S_ISDIR(st.st_mode)) {
        err_set(err, STATUS_NOT_FOUND, "%s is no folder", data.p);
        return err_hint(err, "A space is a folder with space.json and data/ in it; a hub makes them.");
    }
    o->space = ARENA_CAT(s->arena, s->space, STR("/space.json"));
    if (!o->state.folder.n)
        o->state.folder = ARENA_CAT(s->arena, s->space, STR("/state"));
    serve_options_add_file(s, data, false);
    return STATUS_OK;
}

static void point_at_lists(struct serve_options *s)
{
    s->site.config.options = s->settings.items;
    s->site.config.option_count = s->settings.count;
    s->site.static_mounts = s->statics.items;
    s->site.static_mount_count = s->statics.count;
    s->site.load_extensions = s->extensions.items;
    s->site.load_extension_count = s->extensions.count;
}

enum status serve_options_read(struct serve_options *s, struct arena *a, int argc, char **argv, int *ret_exit,
                               struct err *err)
{
    *s = (struct serve_options){.arena = a,
                                .site = {.cache_bytes = (size_t)64 << 20},
                                .host = STR("127.0.0.1"),
                                .port = 8001,
                                .grace_s = 10,
                                .upgrade_timeout_s = 60,
                                .upgrade_grace_s = 300,
                                .log_level = LOG_INFO};
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    str value, second;
    int id;
    enum status st = from_environment(s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = option_next(&r, &id, &value, &second, err)) == STATUS_AGAIN) {
        if (id == OPT_HELP || id == OPT_SETTINGS_HELP) {
            *ret_exit = id == OPT_HELP ? print_help() : print_settings();
            return STATUS_OK;
        }
        st = apply(s, id, value, second, err);
        if (st != STATUS_OK)
            return st;
    }
    if (st == STATUS_OK && s->key.n && !s->cert.n)
        return err_set(err, STATUS_USAGE, "--ssl-keyfile needs --ssl-certfile");
    if (st == STATUS_OK && s->space.n)
        st = apply_space(s, err);
    point_at_lists(s);
    return st == STATUS_OK ? get_check(&s->get, err) : st;
}

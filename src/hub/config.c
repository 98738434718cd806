/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/config.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "codec/yaml.h"
#include "net/addr.h"

#define FILE_NAME "hub.yaml"

static const char *const top_keys[] = {
    "domain",          "origin",    "listen", "listen_tls", "certificates", "acme",        "sign_up",
    "verify_email",    "mail",      "oidc",   "github",     "spaces",       "name_server", "backups",
    "trusted_proxies", "isolation", "links",
};

static enum status wrong(struct err *err, const char *key, const char *what)
{
    err_set(err, STATUS_CONFIG, "%s: %s %s", FILE_NAME, key, what);
    return err_hint(err, "Change the file, then: vitrine hub check");
}

enum status hub_domain_check(str domain, struct err *err)
{
    bool ok = domain.n > 0 && domain.n <= 200 && domain.p[0] != '.' && domain.p[0] != '-' &&
              domain.p[domain.n - 1] != '.' && domain.p[domain.n - 1] != '-' && str_find(domain, STR("..")) == STR_NPOS;
    for (size_t i = 0; ok && i < domain.n; i++) {
        char c = domain.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    }
    if (ok)
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "\"%.*s\" is no domain", STR_ARG(str_sub(domain, 0, 200)));
    return err_hint(err, "A domain is written as data.example.org: lower-case letters, digits, hyphens and dots.");
}

static enum status read_list(struct arena *a, struct value root, const char *key, struct value *ret, struct err *err)
{
    struct value v = value_get(root, str_of(key));
    *ret = value_list(a);
    if (value_is_null(v))
        return STATUS_OK;
    if (v.kind == VALUE_STR) {
        value_push(*ret, v);
        return STATUS_OK;
    }
    if (v.kind != VALUE_LIST)
        return wrong(err, key, "must be a list");
    *ret = v;
    return STATUS_OK;
}

static enum status read_number(struct value v, const char *key, int64_t high, int64_t *io, struct err *err)
{
    if (value_is_null(v))
        return STATUS_OK;
    if (v.kind != VALUE_INT || v.i < 0 || v.i > high) {
        err_set(err, STATUS_CONFIG, "%s: %s must be a whole number from 0 to %lld", FILE_NAME, key, (long long)high);
        return err_hint(err, "Change the file, then: vitrine hub check");
    }
    *io = v.i;
    return STATUS_OK;
}

static enum status read_flag(struct value v, const char *key, bool *io, struct err *err)
{
    if (value_is_null(v))
        return STATUS_OK;
    if (v.kind != VALUE_BOOL)
        return wrong(err, key, "must be true or false");
    *io = v.b;
    return STATUS_OK;
}

static enum status read_spaces(struct value v, struct hub_config *c, struct err *err)
{
    static const char *const keys[] = {"disk_bytes",          "memory_bytes",  "cpu_percent", "sql_ms",
                                       "requests_per_minute", "sleep_seconds", "each"};
    int64_t *at[] = {&c->quota.disk_bytes,          &c->quota.memory_bytes,  &c->quota.cpu_percent, &c->quota.sql_ms,
                     &c->quota.requests_per_minute, &c->quota.sleep_seconds, &c->spaces_each};
    c->quota = (struct hub_quota){.disk_bytes = INT64_C(5) << 30,
                                  .memory_bytes = INT64_C(512) << 20,
                                  .sql_ms = 5000,
                                  .requests_per_minute = 6000,
                                  .sleep_seconds = 600};
    c->spaces_each = LIMIT_HUB_SPACES;
    if (!value_is_null(v) && v.kind != VALUE_DICT)
        return wrong(err, "spaces", "must hold keys and values");
    for (size_t i = 0; i < value_count(v); i++) {
        if (!str_is_any(v.dict->entries[i].key, keys, ARRAY_LEN(keys))) {
            err_set(err, STATUS_CONFIG, "%s: spaces has no key \"%.*s\"", FILE_NAME,
                    STR_ARG(str_sub(v.dict->entries[i].key, 0, 60)));
            return err_hint(err, "It may have: disk_bytes, memory_bytes, cpu_percent, sql_ms, requests_per_minute, "
                                 "sleep_seconds, each.");
        }
    }
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(keys); i++)
        st = read_number(value_get(v, str_of(keys[i])), keys[i], INT64_C(1) << 50, at[i], err);
    return st;
}

static enum status read_backups(struct arena *a, struct value v, struct hub_config *c, struct err *err)
{
    str folder = value_get_text(v, STR("folder")), at = value_get_text(v, STR("at")), hour, minute;
    int64_t h = 3, m = 0;
    c->backup_folder = hub_path(a, c, "backups");
    c->backup_keep = (struct backup_keep){.daily = 7, .weekly = 4, .monthly = 6};
    if (v.kind == VALUE_BOOL && !v.b)
        c->backup_folder = STR("");
    else if (!value_is_null(v) && v.kind != VALUE_DICT)
        return wrong(err, "backups", "must be false, or hold folder, at, keep_daily, keep_weekly, keep_monthly");
    if (folder.n && folder.p[0] != '/')
        return wrong(err, "backups", "folder must be a whole path");
    if (folder.n)
        c->backup_folder = folder;
    if (at.n && (!str_cut(at, ':', &hour, &minute) || !str_to_i64(hour, &h) || !str_to_i64(minute, &m) || h < 0 ||
                 h > 23 || m < 0 || m > 59))
        return wrong(err, "backups", "at must be a time of day in UTC, in quotes: \"03:00\"");
    c->backup_minute = h * 60 + m;
    enum status st = read_number(VALUE_GET(v, "keep_daily"), "keep_daily", 10000, &c->backup_keep.daily, err);
    if (st == STATUS_OK)
        st = read_number(VALUE_GET(v, "keep_weekly"), "keep_weekly", 10000, &c->backup_keep.weekly, err);
    return st == STATUS_OK
               ? read_number(VALUE_GET(v, "keep_monthly"), "keep_monthly", 10000, &c->backup_keep.monthly, err)
               : st;
}

static enum status read_origin(struct arena *a, struct value root, struct hub_config *c, struct err *err)
{
    str given = value_get_text(root, STR("origin"));
    bool tls = value_count(c->listen_tls) > 0;
    c->origin = given.n ? given : ARENA_CAT(a, tls ? STR("https://") : STR("http://"), c->domain);
    c->secure = str_starts(c->origin, STR("https://"));
    str host = str_from(c->origin, c->secure ? 8 : 7);
    if ((!c->secure && !str_starts(c->origin, STR("http://"))) || !str_starts(host, c->domain))
        return wrong(err, "origin", "must be http:// or https://, the domain, and a port where it has one");
    c->port = str_from(host, c->domain.n);
    int64_t port;
    if (c->port.n && (c->port.p[0] != ':' || !str_to_i64(str_from(c->port, 1), &port) || port < 1 || port > 65535))
        return wrong(err, "origin", "must be http:// or https://, the domain, and a port where it has one");
    return STATUS_OK;
}

/* A mail address, or a page: what else browsers run behind a link (javascript:) is no business of hub.yaml. */
static bool is_link(struct value link)
{
    static const char *const schemes[] = {"https://", "http://", "mailto:"};
    str label = value_get_text(link, STR("label")), url = value_get_text(link, STR("url"));
    bool ok = link.kind == VALUE_DICT && value_count(link) == 2 && label.n && label.n <= LIMIT_HUB_NAME;
    for (size_t i = 0; ok && i < ARRAY_LEN(schemes); i++)
        if (str_starts(url, str_of(schemes[i])) && url.n > strlen(schemes[i]))
            return true;
    return false;
}

static enum status read_links(struct arena *a, struct value root, struct hub_config *c, struct err *err)
{
    enum status st = read_list(a, root, "links", &c->links, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(c->links); i++)
        if (!is_link(value_at(c->links, i)))
            return wrong(err, "links", "must be a list of {label: Imprint, url: \"https://example.org/imprint\"}");
    return st;
}

/* One of three words; absent: the first. */
static enum status read_isolation(struct value v, enum hub_isolation *ret, struct err *err)
{
    static const char *const words[] = {"available", "required", "off"};
    *ret = ISOLATION_AVAILABLE;
    if (value_is_null(v))
        return STATUS_OK;
    for (size_t i = 0; v.kind == VALUE_STR && i < ARRAY_LEN(words); i++) {
        if (str_is(v.s, words[i])) {
            *ret = (enum hub_isolation)i;
            return STATUS_OK;
        }
    }
    return wrong(err, "isolation", "must be available, required or \"off\"");
}

static enum status read_name_server(struct value v, struct hub_config *c, struct err *err)
{
    struct addr server;
    if (value_is_null(v))
        return STATUS_OK;
    if (v.kind != VALUE_STR || addr_parse(v.s, &server, NULL) != STATUS_OK || server.ss.ss_family != AF_INET ||
        !addr_port(&server))
        return wrong(err, "name_server", "must be an IPv4 address and a port, in quotes: \"192.0.2.53:53\"");
    c->name_server = v.s;
    return STATUS_OK;
}

/* One text or a list of them. */
static enum status read_proxies(struct arena *a, struct value root, struct hub_config *c, struct err *err)
{
    struct value list;
    struct err why = ERR_INIT;
    enum status st = read_list(a, root, "trusted_proxies", &list, err);
    c->trusted_proxies = STR("");
    for (size_t i = 0; st == STATUS_OK && i < value_count(list); i++)
        c->trusted_proxies =
            ARENA_CAT(a, c->trusted_proxies, i ? STR(", ") : STR(""), value_to_str(a, value_at(list, i)));
    if (st == STATUS_OK && proxy_list_parse(c->trusted_proxies, &c->proxies, &why) != STATUS_OK)
        return wrong(err, "trusted_proxies", arena_printf(a, "holds what is no address or network: %s", why.text).p);
    c->proxies.unix_peers = true; /* whoever reaches the hub's socket is the edge */
    return st;
}

static enum status read_all(struct arena *a, struct value root, struct hub_config *c, struct err *err)
{
    struct value sign_up = VALUE_GET(root, "sign_up");
    if (root.kind != VALUE_DICT)
        return wrong(err, "the file", "must hold keys and values");
    for (size_t i = 0; i < value_count(root); i++)
        if (!str_is_any(root.dict->entries[i].key, top_keys, ARRAY_LEN(top_keys)))
            return wrong(err, arena_printf(a, "\"%.60s\"", arena_cstr(a, root.dict->entries[i].key)).p,
                         "is no key of this file");
    c->root = root;
    c->domain = value_get_text(root, STR("domain"));
    enum status st = hub_domain_check(c->domain, err);
    if (st != STATUS_OK)
        return wrong(err, "domain", "must be written as data.example.org");
    st = read_list(a, root, "listen", &c->listen, err);
    if (st == STATUS_OK)
        st = read_list(a, root, "listen_tls", &c->listen_tls, err);
    if (st == STATUS_OK)
        st = read_list(a, root, "certificates", &c->certificates, err);
    if (st == STATUS_OK)
        st = read_origin(a, root, c, err);
    if (st == STATUS_OK)
        st = read_spaces(VALUE_GET(root, "spaces"), c, err);
    if (st == STATUS_OK)
        st = read_isolation(VALUE_GET(root, "isolation"), &c->isolation, err);
    if (st == STATUS_OK)
        st = read_backups(a, VALUE_GET(root, "backups"), c, err);
    if (st == STATUS_OK)
        st = read_name_server(VALUE_GET(root, "name_server"), c, err);
    if (st == STATUS_OK)
        st = read_proxies(a, root, c, err);
    if (st == STATUS_OK)
        st = read_links(a, root, c, err);
    c->verify = !value_is_null(VALUE_GET(root, "mail"));
    if (st == STATUS_OK)
        st = read_flag(VALUE_GET(root, "verify_email"), "verify_email", &c->verify, err);
    if (st == STATUS_OK && c->verify && value_is_null(VALUE_GET(root, "mail")))
        return wrong(err, "verify_email", "needs mail: nothing could be sent");
    if (st != STATUS_OK || value_is_null(sign_up))
        return st;
    if (sign_up.kind == VALUE_STR && str_is(sign_up.s, "open"))
        c->sign_up = SIGN_UP_OPEN;
    else if (sign_up.kind == VALUE_STR && str_is(sign_up.s, "invited"))
        c->sign_up = SIGN_UP_INVITED;
    else if (sign_up.kind == VALUE_STR && str_is(sign_up.s, "closed"))
        c->sign_up = SIGN_UP_CLOSED;
    else
        return wrong(err, "sign_up", "must be open, invited or closed");
    return STATUS_OK;
}

enum status hub_usual_dir(struct arena *a, str *ret, struct err *err)
{
    const char *own = getenv("VITRINE_HUB"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (own && *own)
        *ret = str_of(own);
    else if (geteuid() == 0)
        *ret = STR("/var/lib/vitrine");
    else if (data && *data == '/')
        *ret = arena_printf(a, "%s/vitrine", data);
    else if (home && *home)
        *ret = arena_printf(a, "%s/.local/share/vitrine", home);
    else
        return err_set(err, STATUS_USAGE, "no folder: HOME is not set; give --dir DIR");
    return STATUS_OK;
}

enum status hub_config_read(struct arena *a, str dir, struct hub_config *ret, struct err *err)
{
    struct hub_config c = {0};
    struct value root;
    str text;
    char *full = realpath(arena_cstr(a, dir), NULL);
    c.dir = full ? arena_str(a, str_of(full)) : dir;
    free(full);
    enum status st = fs_read_file(hub_path(a, &c, FILE_NAME).p, LIMIT_HUB_CONFIG, a, &text, err);
    if (st == STATUS_NOT_FOUND) {
        err_set(err, STATUS_NOT_FOUND, "there is no hub in '%.*s'", STR_ARG(dir));
        return err_hint(err, "Make one: vitrine hub init --domain data.example.org --dir %.*s", STR_ARG(dir));
    }
    if (st == STATUS_OK)
        st = value_from_yaml(a, text, &root, err);
    if (st == STATUS_INVALID)
        return err_prefix(err, FILE_NAME);
    if (st == STATUS_OK)
        st = read_all(a, root, &c, err);
    if (st == STATUS_OK)
        *ret = c;
    return st;
}

bool hub_sends_mail(const struct hub_config *c)
{
    return !value_is_null(VALUE_GET(c->root, "mail"));
}

str hub_path(struct arena *a, const struct hub_config *c, const char *below)
{
    return arena_printf(a, "%.*s/%s", STR_ARG(c->dir), below);
}

str hub_space_origin(struct arena *a, const struct hub_config *c, str name)
{
    return ARENA_CAT(a, c->secure ? STR("https://") : STR("http://"), name, STR("."), c->domain, c->port);
}

str hub_config_text(struct arena *a, str domain, str listen, str listen_tls, str origin, str mail)
{
    str acme = mail.n ? arena_printf(a, "acme: {mail: \"%.*s\", agree: true}", STR_ARG(mail))
                      : STR("#acme: {mail: you@example.org, agree: true}");
    static const char form[] =
        "# The hub's configuration. After a change: vitrine hub check, then vitrine hub reload.\n"
        "# docs/hub.md tells what every key means.\n"
        "\n"
        "# The hub's own host. Spaces are below it: NAME.%.*s\n"
        "domain: %.*s\n"
        "# Where people find it\n"
        "origin: %.*s\n"
        "\n"
        "# Addresses: plain and TLS\n"
        "listen: [%.*s]\n"
        "listen_tls: [%.*s]\n"
        "# Proxies in front, whose X-Forwarded-For and -Proto are believed: addresses, networks. Without it all "
        "visitors who\n"
        "# come by one count as one\n"
        "#trusted_proxies: [10.0.0.5, 10.1.0.0/16]\n"
        "# Certificates from files; each with its chain\n"
        "#certificates:\n"
        "#- {cert: /etc/ssl/data.pem, key: /etc/ssl/data.key}\n"
        "# Certificates that are obtained and renewed (docs/certificates.md): one for each host; with dns "
        "(exec:PROGRAM "
        "or\n"
        "# rfc2136:server=HOST,key=FILE) one for all spaces. agree: to the authority's terms, for Let's Encrypt\n"
        "# https://letsencrypt.org/repository/ - mail: where it writes to; \"-\": nowhere\n"
        "%.*s\n"
        "\n"
        "# Who may make an account: open (everybody), invited (whoever is invited into a space), closed\n"
        "sign_up: open\n"
        "\n"
        "# At the foot of every page: who runs this, what is done with data, whom to ask\n"
        "#links: [{label: Imprint, url: \"https://example.org/imprint\"}, {label: Help, url: "
        "\"mailto:help@example.org\"}]\n"
        "\n"
        "# How mail is sent. Without it addresses are not confirmed and invitations are links to hand on.\n"
        "#mail: {url: \"smtps://user:password@smtp.example.org\", from: \"Data <data@example.org>\"}\n"
        "\n"
        "# Who signs people in besides passwords and passkeys (docs/accounts.md)\n"
        "#oidc:\n"
        "#- {issuer: https://accounts.google.com, client_id: ID, client_secret: SECRET, label: Google}\n"
        "#github: {client_id: ID, client_secret: SECRET}\n"
        "\n"
        "# What keeps spaces apart (docs/sandbox.md): available (what this machine has; the rest is named in the logs "
        "of\n"
        "# spaces), required (a space does not start with less), \"off\"\n"
        "isolation: available\n"
        "\n"
        "# Every night at this time (UTC) a copy of everything, tried by restoring it; false: none\n"
        "backups: {at: \"03:00\", keep_daily: 7, keep_weekly: 4, keep_monthly: 6}\n"
        "\n"
        "# What a space may use, unless an administrator sets something else for it; 0 = no limit\n"
        "spaces:\n"
        "  each: %d                 # spaces that one person may own\n"
        "  disk_bytes: 5368709120   # 5 GiB\n"
        "  memory_bytes: 536870912  # 512 MiB\n"
        "  cpu_percent: 0           # of one processor\n"
        "  sql_ms: 5000             # one query\n"
        "  requests_per_minute: 6000\n"
        "  sleep_seconds: 600       # without a request; the next one wakes it\n";
    return arena_printf(a, form, STR_ARG(domain), STR_ARG(domain), STR_ARG(origin), STR_ARG(listen),
                        STR_ARG(listen_tls), STR_ARG(acme), LIMIT_HUB_SPACES);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_hub — vitrine hub: making a hub, checking it, the process behind the edge; and vitrine up, which starts all. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "cli/certs_options.h"
#include "cli/command.h"
#include "cli/edge_serve.h"
#include "cli/hub_edge.h"
#include "cli/hub_restore.h"
#include "codec/digest.h"
#include "hub/account.h"
#include "hub/audit.h"
#include "hub/backups.h"
#include "hub/edge_apps.h"
#include "hub/factor.h"
#include "hub/hub.h"
#include "hub/keys.h"
#include "hub/space.h"
#include "hub/store.h"

#define ADMIN_LINK_S 86400

enum {
    OPT_DIR,
    OPT_DOMAIN,
    OPT_LISTEN,
    OPT_LISTEN_TLS,
    OPT_ORIGIN,
    OPT_ACME,
    OPT_UDS,
    OPT_AT,
    OPT_FROM,
    OPT_KEYS,
    OPT_SAVE,
    OPT_LOAD,
    OPT_NEW,
    OPT_NO_APP,
    OPT_LOG_LEVEL,
    OPT_HELP
};
static const struct option options[] = {
    {"--dir", 'd', OPTION_VALUE, "DIR", "Folder (default: $VITRINE_HUB, /var/lib/vitrine, ~/.local/share/vitrine)",
     OPT_DIR},
    {"--domain", 0, OPTION_VALUE, "DOMAIN", "init: host of the hub; spaces are below it. data.localhost needs nothing",
     OPT_DOMAIN},
    {"--listen", 'l', OPTION_VALUE, "ADDR", "init: where it listens (default :80, of *.localhost 127.0.0.1:8080)",
     OPT_LISTEN},
    {"--listen-tls", 0, OPTION_VALUE, "ADDR",
     "init: the same with TLS (default :443; of *.localhost, with --origin: none)", OPT_LISTEN_TLS},
    {"--origin", 0, OPTION_VALUE, "URL", "init: where people find it, when something with TLS stands in front",
     OPT_ORIGIN},
    {"--acme", 0, OPTION_VALUE, "MAIL", "init: where Let's Encrypt, which gives the certificates, may write to",
     OPT_ACME},
    {"--uds", 0, OPTION_VALUE, "PATH", "run: Unix socket where the edge asks it", OPT_UDS},
    {"--at", 0, OPTION_VALUE, "TIME", "restore: the newest backup not after it, in UTC: \"2026-11-21 17:03\"", OPT_AT},
    {"--from", 0, OPTION_VALUE, "FOLDER", "restore: the whole hub of these backups, on a machine where there is none",
     OPT_FROM},
    {"--keys", 0, OPTION_VALUE, "FILE", "restore --from: the file that vitrine hub keys --save wrote", OPT_KEYS},
    {"--save", 0, OPTION_VALUE, "FILE", "keys: write them into a new file, to be kept elsewhere", OPT_SAVE},
    {"--load", 0, OPTION_VALUE, "FILE", "keys: put them back", OPT_LOAD},
    {"--new", 0, OPTION_FLAG, NULL,
     "keys, restore --from: new ones, where they are lost; apps with codes are set up anew", OPT_NEW},
    {"--no-app", 0, OPTION_FLAG, NULL,
     "reset-link: take the app with codes away too: phone and recovery codes are lost", OPT_NO_APP},
    {"--log-level", 0, OPTION_VALUE, "LEVEL", "debug, info, warn, error (default info)", OPT_LOG_LEVEL},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct typed {
    struct arena *a;
    str verb, what, dir, domain, listen, listen_tls, origin, acme, uds, at, from, keys, save,
        load; /* what: a space, an address */
    bool help, new, no_app;
};

static enum status apply(struct typed *t, int id, str value, struct err *err)
{
    enum log_level level;
    str *const texts[] = {[OPT_DIR] = &t->dir,       [OPT_DOMAIN] = &t->domain,
                          [OPT_LISTEN] = &t->listen, [OPT_LISTEN_TLS] = &t->listen_tls,
                          [OPT_ORIGIN] = &t->origin, [OPT_ACME] = &t->acme,
                          [OPT_UDS] = &t->uds,       [OPT_AT] = &t->at,
                          [OPT_FROM] = &t->from,     [OPT_KEYS] = &t->keys,
                          [OPT_SAVE] = &t->save,     [OPT_LOAD] = &t->load};
    if (id == OPT_HELP) {
        t->help = true;
    } else if (id == OPT_NEW) {
        t->new = true;
    } else if (id == OPT_NO_APP) {
        t->no_app = true;
    } else if (id == OPT_LOG_LEVEL) {
        if (!log_level_parse(value, &level))
            return err_set(err, STATUS_USAGE, "\"%.*s\" is no log level: debug, info, warn or error", STR_ARG(value));
        log_setup(level, LOG_TEXT, 2);
    } else if (id >= 0) {
        *texts[id] = value;
    } else if (!t->verb.n) {
        t->verb = value;
    } else if (!t->what.n && (str_is(t->verb, "restore") || str_is(t->verb, "reset-link"))) {
        t->what = value;
    } else {
        err_set(err, STATUS_USAGE, "\"%.*s\" is one word too many", STR_ARG(value));
        return err_hint(err, "vitrine hub --help says what goes with \"%.*s\".", STR_ARG(t->verb));
    }
    return STATUS_OK;
}

/* ---- init ---- */

struct link {
    str hash;
};

static enum status write_link(struct conn *c, void *arg, struct err *err)
{
    const struct link *l = arg;
    return account_link_add(c, l->hash, "admin", STR(""), STR(""), ADMIN_LINK_S, err);
}

/* A link that makes an administrator; it holds for a day, once. */
static enum status print_admin_link(struct typed *t, struct err *err)
{
    struct hub h;
    struct link l;
    enum status st = hub_open(&h, t->dir, err);
    str secret = hub_secret(t->a, &l.hash);
    if (st == STATUS_OK)
        st = store_write(h.store, write_link, &l, err);
    if (st == STATUS_OK)
        printf("%.*s/-/admin-link?token=%.*s\n", STR_ARG(h.config.origin), STR_ARG(secret));
    hub_close(&h);
    return st;
}

/* For who has forgotten the password of a hub that sends no mail, or lost what the second step asks for. */
struct reset {
    struct typed *t;
    str hash;
};

static enum status write_reset(struct conn *c, void *arg, struct err *err)
{
    const struct reset *r = arg;
    struct value row;
    enum status st = SQL_ROW(c, r->t->a, &row, err, "select id, email from users where email = ?1 and disabled_at = 0",
                             SQL_T(r->t->what));
    if (st == STATUS_OK && row.kind != VALUE_DICT) {
        err_set(err, STATUS_NOT_FOUND, "nobody here who may sign in has the address \"%.*s\"", STR_ARG(r->t->what));
        return err_hint(err, "The page Administration lists all addresses, and who is disabled.");
    }
    str user = value_get_text(row, STR("id"));
    if (st == STATUS_OK && r->t->no_app)
        st = factor_off(c, user, err);
    if (st == STATUS_OK && r->t->no_app)
        st = hub_audit_of(c, NULL, STR(""), "factor.removed", STR(""), user, err);
    if (st == STATUS_OK)
        st = account_link_add(c, r->hash, "handed", user, VALUE_GET(row, "email").s, ADMIN_LINK_S, err);
    return st == STATUS_OK ? hub_audit_of(c, NULL, STR(""), "password.link", STR(""), user, err) : st;
}

static enum status print_reset_link(struct typed *t, struct err *err)
{
    struct hub h;
    struct reset r = {.t = t};
    if (!t->what.n) {
        err_set(err, STATUS_USAGE, "hub reset-link: for whom?");
        return err_hint(err, "vitrine hub reset-link ana@example.org");
    }
    enum status st = hub_open(&h, t->dir, err);
    str secret = hub_secret(t->a, &r.hash);
    if (st == STATUS_OK)
        st = store_write(h.store, write_reset, &r, err);
    if (st == STATUS_OK)
        printf("With this link %.*s sets a new password; it holds for a day, once. Give it to nobody else:\n"
               "  %.*s/-/reset?token=%.*s\n",
               STR_ARG(t->what), STR_ARG(h.config.origin), STR_ARG(secret));
    hub_close(&h);
    return st;
}

static str quoted_list(struct arena *a, str address)
{
    return address.n ? ARENA_CAT(a, STR("\""), address, STR("\"")) : STR("");
}

/* Without a word about certificates they are what they are for most: of Let's Encrypt. */
static void add_usual(struct typed *t, bool local)
{
    if (!t->listen.n)
        t->listen = local ? STR("127.0.0.1:8080") : STR(":80");
    if (!t->listen_tls.n && !local && (!t->origin.n || t->acme.n))
        t->listen_tls = STR(":443");
    if (!t->acme.n && !local && t->listen_tls.n)
        t->acme = STR("-");
    size_t colon = str_rfind_char(t->listen, ':');
    str port = colon == STR_NPOS ? STR("") : str_from(t->listen, colon);
    if (!t->origin.n)
        t->origin = ARENA_CAT(t->a, t->listen_tls.n ? STR("https://") : STR("http://"), t->domain,
                              t->listen_tls.n || str_is(port, ":80") ? STR("") : port);
}

static void say_made(const struct typed *t, bool local, bool fronted)
{
    printf("Made a hub in %.*s (hub.yaml says what may be changed).\n", STR_ARG(t->dir));
    if (!local)
        printf("In DNS, %.*s and *.%.*s must lead to this machine%s.\n", STR_ARG(t->domain), STR_ARG(t->domain),
               fronted ? ", or to what stands in front" : "");
    if (t->acme.n)
        printf("Certificates are got from Let's Encrypt; whoever starts it agrees to its terms:\n"
               "  https://letsencrypt.org/repository/  (others, or files of yours: \"acme\" and \"certificates\" in "
               "hub.yaml)\n");
    if (fronted)
        printf("Name what stands in front under trusted_proxies in hub.yaml: else all visitors count as one.\n");
    printf("\nStart it:\n  vitrine up --dir %.*s\n\n"
           "Then open this link to make the first account; it holds for a day, once:\n  ",
           STR_ARG(t->dir));
    (void)fflush(stdout);
}

static enum status init(struct typed *t, struct err *err)
{
    bool local = str_ends(t->domain, STR(".localhost")) || str_is(t->domain, "localhost");
    bool fronted = t->origin.n > 0;
    str path = arena_printf(t->a, "%.*s/hub.yaml", STR_ARG(t->dir));
    if (!t->domain.n) {
        err_set(err, STATUS_USAGE, "hub init: which domain?");
        return err_hint(err, "vitrine hub init --domain data.example.org; on a laptop: --domain data.localhost");
    }
    enum status st = hub_domain_check(t->domain, err);
    if (st == STATUS_OK && access(path.p, F_OK) == 0) {
        err_set(err, STATUS_CONFLICT, "there is a hub in '%.*s' already", STR_ARG(t->dir));
        return err_hint(err, "vitrine up --dir %.*s starts it; vitrine hub admin-link makes another administrator.",
                        STR_ARG(t->dir));
    }
    add_usual(t, local);
    struct certs_options acme;
    certs_options_init(&acme);
    if (st == STATUS_OK && t->acme.n)
        st = certs_options_apply(t->a, &acme, CERTS_ACME, t->acme, STR(""), err);
    str text = hub_config_text(t->a, t->domain, quoted_list(t->a, t->listen), quoted_list(t->a, t->listen_tls),
                               t->origin, t->acme);
    if (st == STATUS_OK)
        st = fs_make_folders(path, 0700, err);
    if (st == STATUS_OK)
        st = fs_write_atomic(path.p, text, 0600, err);
    if (st != STATUS_OK)
        return st;
    say_made(t, local, fronted);
    return print_admin_link(t, err);
}

/* All of hub.yaml: the hub's part, and that of the edge in front. */
static enum status read_whole(struct typed *t, struct hub_config *ret, struct err *err)
{
    struct edge_config *edge = NULL;
    enum status st = hub_config_read(t->a, t->dir, ret, err);
    if (st == STATUS_OK)
        st = hub_check(ret, err);
    return st == STATUS_OK ? hub_edge_config(t->a, ret, &edge, err) : st;
}

static enum status check(struct typed *t, struct err *err)
{
    struct hub_config c;
    enum status st = read_whole(t, &c, err);
    if (st == STATUS_OK)
        printf("hub.yaml is fine: %.*s\n", STR_ARG(c.origin));
    return st;
}

#define ANSWER_S 3600 /* what is downloaded is copied before the answer begins */

/* The hub is the app that the edge finds in DIR/apps. With another hub.yaml or program it is another version of it,
 * which the edge starts before it stops the one that runs: an upgrade of the edge takes the hub along. */
static enum status write_app(struct arena *a, const struct hub_config *c, struct err *err)
{
    char program[4096], hash[DIGEST_HEX_MAX];
    struct value v = value_dict(a), env = value_dict(a);
    struct buf json;
    struct stat file;
    ssize_t n = readlink("/proc/self/exe", program, sizeof program);
    if (n <= 0 || (size_t)n >= sizeof program || stat("/proc/self/exe", &file) != 0)
        return err_set(err, STATUS_IO, "where this program lies is not to be found out: is /proc mounted?");
    enum status st = digest_sha256_file(hub_path(a, c, "hub.yaml").p, hash, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(env, "VITRINE_HUB_CONFIG", value_str(arena_str(a, str_make(hash, 16))));
    VALUE_SET(env, "VITRINE_PROGRAM",
              value_str(arena_printf(a, "%lld-%lld-%lld", (long long)file.st_size, (long long)file.st_mtim.tv_sec,
                                     (long long)file.st_mtim.tv_nsec)));
    VALUE_SET(v, "host", value_str(c->domain));
    VALUE_SET(v, "run",
              value_str(arena_printf(a, "%.*s hub run --dir %.*s --uds {socket}",
                                     STR_ARG(edge_apps_quoted(a, str_make(program, (size_t)n))),
                                     STR_ARG(edge_apps_quoted(a, c->dir)))));
    VALUE_SET(v, "health", value_cstr("/-/health"));
    VALUE_SET(v, "answer_seconds", value_int(ANSWER_S));
    VALUE_SET(v, "env", env);
    str path = hub_path(a, c, "apps/hub.json");
    st = fs_make_folders(path, 0700, err);
    buf_init(&json, LIMIT_EDGE_CONTROL);
    value_to_json_indent(&json, v, VALUE_JSON_UTF8, 2);
    if (st == STATUS_OK)
        st = fs_write_atomic(path.p, buf_str(&json), 0600, err);
    buf_release(&json);
    return st;
}

/* Spaces follow hub.yaml and hub.db too. */
static enum status settle(struct typed *t, struct err *err)
{
    struct hub h;
    struct space_settled s = {0};
    struct err none = ERR_INIT;
    enum status st = hub_open(&h, t->dir, err);
    if (st == STATUS_OK)
        st = space_reconcile(&h, &s, &none);
    hub_close(&h);
    if (st == STATUS_NOT_FOUND) {
        printf("Nothing runs yet: vitrine up --dir %.*s starts it.\n", STR_ARG(t->dir));
        return STATUS_OK;
    }
    if (st != STATUS_OK && none.status != STATUS_OK)
        *err = none;
    if (st == STATUS_OK)
        printf("Spaces: %zu were told anew, %zu changed at the edge\n", s.told, s.changed);
    if (st == STATUS_OK && s.left)
        printf("%zu could not be changed now; the log says why, and the hub tries again.\n", s.left);
    return st;
}

/* Addresses and certificates are the edge's: its upgrade reads them. */
static enum status reload(struct typed *t, struct err *err)
{
    struct hub_config c;
    enum status st = read_whole(t, &c, err);
    if (st == STATUS_OK)
        st = write_app(t->a, &c, err);
    if (st == STATUS_OK)
        printf("The edge takes the hub to this hub.yaml. New addresses or certificates: vitrine edge upgrade --state "
               "%.*s/edge\n",
               STR_ARG(c.dir));
    return st == STATUS_OK ? settle(t, err) : st;
}

static enum status run(struct typed *t, struct err *err)
{
    struct hub_run_config c = {.dir = t->dir, .grace_ms = 10000};
    if (!t->uds.n)
        return err_set(err, STATUS_USAGE, "hub run needs --uds PATH: it is what the edge starts; you want vitrine up");
    enum status st = addr_from_unix_path(t->uds, &c.addr, err);
    return st == STATUS_OK ? hub_run(&c, err) : st;
}

static enum status no_backups(struct err *err)
{
    err_set(err, STATUS_CONFIG, "hub.yaml says: backups: false");
    return err_hint(err, "Change it to backups: {at: \"03:00\"}, then: vitrine hub reload");
}

/* Now, beside those of the night. */
static enum status back_up(struct typed *t, struct err *err)
{
    struct hub h;
    struct backups_result r = {0};
    enum status st = hub_open(&h, t->dir, err);
    if (st == STATUS_OK && !backups_wanted(&h.config))
        st = no_backups(err);
    if (st == STATUS_OK)
        st = backups_all(&h, &r, err);
    if (st == STATUS_OK)
        printf(
            "%lld copies taken and tried in %.*s. The keys are in none of them: vitrine hub keys --save FILE, once.\n",
            (long long)r.done, STR_ARG(h.config.backup_folder));
    if (st == STATUS_OK && r.failed) {
        st = err_set(err, STATUS_IO, "%lld failed; the lines above say which", (long long)r.failed);
    }
    hub_close(&h);
    return st;
}

static enum status bring_back(struct typed *t, struct err *err)
{
    struct hub h;
    str taken;
    if (t->from.n && !t->what.n) {
        struct rebuilt_options o = {.from = t->from, .keys = t->keys, .at = t->at, .lost = t->new};
        return hub_restore_whole(t->a, t->dir, &o, err);
    }
    if (!t->what.n || t->from.n) {
        err_set(err, STATUS_USAGE, "hub restore: %s", t->what.n ? "one space, or the whole hub?" : "which space?");
        return err_hint(err, "vitrine hub restore NAME, with --at TIME for an older backup; the whole hub, on a new "
                             "machine: vitrine hub restore --from BACKUPS --keys FILE");
    }
    enum status st = hub_open(&h, t->dir, err);
    if (st == STATUS_OK && !backups_wanted(&h.config))
        st = no_backups(err);
    if (st == STATUS_OK)
        st = backups_restore(&h, t->a, t->what, t->at, &taken, err);
    if (st == STATUS_OK)
        printf("%.*s is what it was at %.*s; what was there before is a backup now.\n"
               "Its API tokens and shares are those of then too: revoke again, on its pages /-/tokens and /-/shares, "
               "what was revoked since.\n",
               STR_ARG(t->what), STR_ARG(taken));
    hub_close(&h);
    return st;
}

/* What no backup has: the keys, into a file and back. */
static enum status keys(struct typed *t, struct err *err)
{
    struct hub_config c;
    bool save = t->save.n > 0, load = t->load.n > 0;
    if (save + load + t->new != 1) {
        err_set(err, STATUS_USAGE, "hub keys: do what?");
        return err_hint(err, "One of --save FILE, --load FILE and --new.");
    }
    enum status st = hub_config_read(t->a, t->dir, &c, err);
    if (st != STATUS_OK)
        return st;
    st = save   ? keys_save(&c, arena_cstr(t->a, t->save), err)
         : load ? keys_load(&c, arena_cstr(t->a, t->load), err)
                : keys_renew(&c, err);
    if (st == STATUS_OK && save)
        printf("The keys are in %.*s. Whoever has it and a backup can read what the hub keeps secret: keep it apart.\n",
               STR_ARG(t->save));
    else if (st == STATUS_OK)
        printf("The keys are in %.*s/keys.%s\n", STR_ARG(c.dir),
               t->new ? " Apps with codes and recovery codes are gone: people sign in with their password, and set "
                        "them up anew."
                      : "");
    return st;
}

static const struct verb {
    const char *name;
    enum status (*run)(struct typed *t, struct err *err);
} verbs[] = {{"init", init},
             {"check", check},
             {"admin-link", print_admin_link},
             {"run", run},
             {"reload", reload},
             {"backup", back_up},
             {"restore", bring_back},
             {"keys", keys},
             {"reset-link", print_reset_link}};

static enum status read_typed(struct typed *t, int argc, char **argv, struct err *err)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    str value, second;
    int id;
    enum status st;
    while ((st = option_next(&r, &id, &value, &second, err)) == STATUS_AGAIN)
        if ((st = apply(t, id, value, err)) != STATUS_OK)
            return st;
    return st == STATUS_OK && !t->dir.n ? hub_usual_dir(t->a, &t->dir, err) : st;
}

static enum status no_verb(str word, struct err *err)
{
    err_set(err, STATUS_USAGE, "\"%.*s\" is nothing hub does", STR_ARG(word));
    return err_hint(err,
                    "It does init, check, reload, admin-link, reset-link, backup, restore, keys: vitrine hub --help");
}

int cmd_hub(int argc, char **argv)
{
    struct typed t = {.a = arena_new(0)};
    struct err err = ERR_INIT;
    const struct verb *v = NULL;
    enum status st = read_typed(&t, argc, argv, &err);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (str_is(t.verb, verbs[i].name))
            v = &verbs[i];
    if (t.help || (st == STATUS_OK && !t.verb.n)) {
        printf("Usage: vitrine hub init --domain DOMAIN [OPTIONS]\n"
               "       vitrine hub check | reload | admin-link | backup | keys | run --uds PATH [--dir DIR]\n"
               "       vitrine hub restore SPACE [--at TIME] [--dir DIR]\n"
               "       vitrine hub restore --from BACKUPS --keys FILE [--at TIME] [--dir DIR]\n"
               "       vitrine hub reset-link ADDRESS [--no-app] [--dir DIR]\n\n"
               "A data cloud of your own: people sign up, get a space on a subdomain, put files in and share them.\n"
               "\n"
               "  init        makes its folder and prints a link for the first administrator; vitrine up starts it\n"
               "  check       reads hub.yaml and says what is wrong in it\n"
               "  reload      takes the hub and its spaces to hub.yaml as it is now\n"
               "  admin-link  prints a link for another administrator\n"
               "  reset-link  prints a link with which somebody sets a new password\n"
               "  backup      copies everything now, and tries the copies\n"
               "  restore     brings a space back from its newest backup, or that of --at; with --from the whole hub\n"
               "  keys        writes what no backup has into a file, and back\n"
               "  run         is what the edge starts\n\nOptions:\n");
        option_print_help(options, ARRAY_LEN(options));
        st = STATUS_OK;
    } else if (st == STATUS_OK) {
        st = v ? v->run(&t, &err) : no_verb(t.verb, &err);
    }
    arena_free(t.a);
    return st == STATUS_OK ? 0 : command_fail(&err);
}

/* ---- up ---- */

static enum status up(struct typed *t, int *ret_exit, struct err *err)
{
    struct edge_config *edge = NULL;
    struct hub_config c;
    enum status st = hub_config_read(t->a, t->dir, &c, err);
    if (st == STATUS_OK)
        st = hub_edge_config(t->a, &c, &edge, err);
    if (st == STATUS_OK)
        st = write_app(t->a, &c, err);
    if (st != STATUS_OK)
        return st;
    printf("The hub is at %.*s (Ctrl+C stops it)\n", STR_ARG(c.origin)); /* no other name of the machine leads there */
    (void)fflush(stdout);
    return edge_serve(edge, ret_exit, err);
}

int cmd_up(int argc, char **argv)
{
    struct typed t = {.a = arena_new(0)};
    struct err err = ERR_INIT;
    int code = 0;
    enum status st = read_typed(&t, argc, argv, &err);
    if (t.help) {
        printf(
            "Usage: vitrine up [--dir DIR]\n\n"
            "Starts the hub that vitrine hub init made: the edge with the addresses of hub.yaml, the hub behind it,\n"
            "and every space when it is asked for. Ends with SIGTERM or Ctrl+C. vitrine edge upgrade --state DIR/edge\n"
            "replaces the program without losing a request.\n\nOptions:\n");
        option_print_help(options, ARRAY_LEN(options));
    } else if (st == STATUS_OK && t.verb.n) {
        st = err_set(&err, STATUS_USAGE, "\"%.*s\" is nothing that up knows", STR_ARG(t.verb));
        err_hint(&err, "vitrine up [--dir DIR]; what else there is to say stands in hub.yaml.");
    } else if (st == STATUS_OK) {
        st = up(&t, &code, &err);
    }
    arena_free(t.a);
    return st == STATUS_OK ? code : command_fail(&err);
}

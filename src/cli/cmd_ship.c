/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_ship — vitrine ship USER@HOST: a hub on another machine, over ssh.
 *
 *   check -> look -> (send the program) -> libraries -> settle
 *
 * What is found out and done there is one shell script, packaging/ship/remote.sh, that the program carries; each step
 * is one verb of it and may be run again at any time, so that a run that broke off is simply repeated. The script goes
 * over on standard input, the program too (when its SHA-256 differs from what is installed); all steps share one
 * connection (ControlMaster). ssh asks nothing (BatchMode): keys and known hosts are its own business.
 *
 * A hub that runs already is upgraded in place: file replaced, `vitrine edge upgrade`, back again when the new program
 * does not take over. Tests: tests/cli/test_ship.py. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "assets/assets.h"
#include "base/fs.h"
#include "cli/given.h"
#include "codec/digest.h"
#include "codec/value.h"
#include "hub/config.h"
#include "rt/proc_run.h"

#include "base/banned.h"

#define OUTPUT_BYTES 65536
#define STEP_MS      1800000 /* packages over a slow line */
#define SHIPPED      "/usr/bin/.vitrine-shipped"

enum { OPT_DOMAIN, OPT_ACME, OPT_PROGRAM, OPT_DRY_RUN, OPT_JSON, OPT_HELP };
static const struct option options[] = {
    {"--domain", 0, OPTION_VALUE, "DOMAIN", "Host of the hub; it and *.DOMAIN must lead to that machine", OPT_DOMAIN},
    {"--acme", 0, OPTION_VALUE, "MAIL",
     "For a new hub: where Let's Encrypt, which gives the certificates, may write to", OPT_ACME},
    {"--program", 0, OPTION_VALUE, "FILE", "The vitrine that is sent (default: this one)", OPT_PROGRAM},
    {"--dry-run", 0, OPTION_FLAG, NULL, "Only look, and say what would be done", OPT_DRY_RUN},
    {"--json", 0, OPTION_FLAG, NULL, "What was done, for programs", OPT_JSON},
    {"--help", 'h', OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct ship {
    struct arena *a;
    str to, domain, mail, program, become; /* become: "sudo -n ", or empty */
    bool dry_run, json, sent;
    char folder[32];    /* of the shared connection's socket */
    struct value facts; /* DICT: what the script said */
};

/* ---- words to the other machine ---- */

static str shell_word(struct arena *a, str word)
{
    str out = STR("'"), part;
    for (bool more = true; more;) {
        more = str_cut(word, '\'', &part, &word);
        out = ARENA_CAT(a, out, part, more ? STR("'\\''") : STR("'"));
    }
    return out;
}

static str fact(const struct ship *s, const char *key)
{
    return value_get_text(s->facts, str_of(key));
}

static void say(const struct ship *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const struct ship *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (!s->json) {
        (void)vprintf(fmt, ap);
        (void)putchar('\n');
        (void)fflush(stdout);
    }
    va_end(ap);
}

/* "@KEY VALUE" lines become facts; of the others the last is what went wrong, when something did. */
static str read_facts(struct ship *s, str output)
{
    str line, key, value, last = STR("");
    while (output.n) {
        (void)str_cut(output, '\n', &line, &output);
        line = str_trim(line);
        if (line.n > 1 && line.p[0] == '@') {
            (void)str_cut(str_from(line, 1), ' ', &key, &value);
            value_set(s->facts, arena_str(s->a, key), value_str(arena_str(s->a, value)));
        } else if (line.n) {
            last = arena_str(s->a, line);
        }
    }
    return last;
}

static enum status explain(struct ship *s, enum status st, const char *step, str last, struct err *err)
{
    str error = fact(s, "error");
    if (st == STATUS_NOT_FOUND || st == STATUS_FORBIDDEN) {
        err_set(err, st, "there is no ssh here");
        return err_hint(err, "Install it (apt-get install openssh-client), then ship again.");
    }
    if (error.n) {
        err_set(err, STATUS_CONFLICT, "%.*s, %s: %.*s", STR_ARG(s->to), step, STR_ARG(error));
        return err_hint(err, "%.*s", STR_ARG(fact(s, "hint")));
    }
    if (st == STATUS_TIMEOUT)
        return err_prefix(err, "%.*s, %s", STR_ARG(s->to), step);
    err_set(err, st, "%.*s, %s: %.*s", STR_ARG(s->to), step, STR_ARG(last.n ? last : STR("no answer")));
    return err_hint(err, "Does this work without a question: ssh %.*s true", STR_ARG(s->to));
}

/* Runs a command there with `in` as its standard input. */
static enum status ask(struct ship *s, const char *step, str command, int in, struct err *err)
{
    const char *control = arena_printf(s->a, "ControlPath=%s/%%C", s->folder).p;
    const char *words[] = {"ssh",
                           "-T",
                           "-o",
                           "BatchMode=yes",
                           "-o",
                           "ConnectTimeout=15",
                           "-o",
                           "ServerAliveInterval=15",
                           "-o",
                           "ControlMaster=auto",
                           "-o",
                           "ControlPersist=60",
                           "-o",
                           control,
                           "--",
                           arena_cstr(s->a, s->to),
                           arena_cstr(s->a, command)};
    char *argv[ARRAY_LEN(words) + 1] = {0};
    const struct proc_fd fds[] = {{in, 0}};
    struct buf output;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        argv[i] = (char *)(uintptr_t)words[i];
    buf_init(&output, OUTPUT_BYTES);
    enum status st =
        proc_run(&(struct proc_config){.path = "ssh", .argv = argv, .fds = fds, .fd_count = 1}, STEP_MS, &output, err);
    str last = read_facts(s, buf_str(&output));
    buf_release(&output);
    return st == STATUS_OK ? st : explain(s, st, step, last, err);
}

/* The script as a file that can be read from its beginning. */
static enum status open_script(struct ship *s, int *ret_fd, struct err *err)
{
    const struct asset *script = asset_find(STR("ship/remote.sh"));
    const struct asset *unit = asset_find(STR("systemd/vitrine-hub.service"));
    ASSERT(script && unit);
    str text = ARENA_CAT(s->a, STR("unit_text="), shell_word(s->a, str_trim(unit->data)), STR("\n"), script->data);
    int fd = memfd_create("ship", MFD_CLOEXEC);
    enum status st = fd < 0 ? err_sys(err, STATUS_IO, errno, "no room for a script") : STATUS_OK;
    if (st == STATUS_OK)
        st = fs_write_fd(fd, "a script", text, err);
    if (st == STATUS_OK && lseek(fd, 0, SEEK_SET) == 0)
        *ret_fd = fd;
    else if (fd >= 0)
        close(fd);
    return st;
}

/* A verb of the script, and its arguments, quoted as they need. */
static enum status there(struct ship *s, const char *step, str verb, struct err *err)
{
    int in = -1;
    enum status st = open_script(s, &in, err);
    if (st != STATUS_OK)
        return st;
    st = ask(s, step, ARENA_CAT(s->a, s->become, STR("sh -s -- "), verb), in, err);
    close(in);
    return st;
}

/* ---- the steps ---- */

static enum status check(struct ship *s, struct err *err)
{
    struct utsname here;
    enum status st = there(s, "looking at the machine", STR("check"), err);
    if (st != STATUS_OK)
        return st;
    if (str_is(fact(s, "root"), "sudo"))
        s->become = STR("sudo -n ");
    say(s, "%.*s is %.*s, %.*s", STR_ARG(s->to), STR_ARG(fact(s, "system")), STR_ARG(fact(s, "machine")));
    if (str_is(s->program, "/proc/self/exe") && uname(&here) == 0 && !str_is(fact(s, "machine"), here.machine)) {
        err_set(err, STATUS_CONFLICT, "%.*s is a machine of another kind: %.*s, this program is for %s", STR_ARG(s->to),
                STR_ARG(fact(s, "machine")), here.machine);
        return err_hint(err, "Build it there, or name one that is for it: --program FILE");
    }
    return STATUS_OK;
}

static enum status look(struct ship *s, struct err *err)
{
    bool local = str_ends(s->domain, STR(".localhost"));
    return there(s, "looking for a hub",
                 ARENA_CAT(s->a, STR("look "), s->domain, local ? STR(" 8080") : STR(" 80 443")), err);
}

static enum status send_program(struct ship *s, struct err *err)
{
    int in = -1;
    struct stat file;
    const char *path = arena_cstr(s->a, s->program);
    enum status st = fs_open(path, O_RDONLY, 0, &in, err);
    if (st != STATUS_OK)
        return st;
    if (fstat(in, &file) == 0)
        say(s, "Sending the program (%.1f MB)", (double)file.st_size / 1e6);
    st = ask(s, "sending the program",
             ARENA_CAT(s->a, s->become, STR("sh -c 'umask 022; cat >" SHIPPED " && chmod 755 " SHIPPED "'")), in, err);
    close(in);
    s->sent = st == STATUS_OK;
    return st;
}

static void say_plan(const struct ship *s, bool send)
{
    bool hub = fact(s, "hub").n > 0, active = fact(s, "active").n > 0;
    if (send)
        say(s, "would send the program, and install libraries that it misses");
    if (!hub)
        say(s, "would make a hub for %.*s in /var/lib/vitrine%s", STR_ARG(s->domain),
            str_ends(s->domain, STR(".localhost")) ? ""
                                                   : "; its certificates are got from Let's Encrypt, under its terms: "
                                                     "https://letsencrypt.org/repository/");
    if (!active)
        say(s, "would install and start vitrine-hub.service");
    else if (send)
        say(s, "would take the running hub to the new program, without losing a request");
    if (active && !send)
        say(s, "nothing to do: it runs this program");
}

static void say_result(const struct ship *s)
{
    if (fact(s, "packages").n)
        say(s, "Installed %.*s", STR_ARG(fact(s, "packages")));
    if (fact(s, "made").n)
        say(s, "Made a hub in /var/lib/vitrine (hub.yaml says what may be changed)");
    if (fact(s, "started").n)
        say(s, "Started vitrine-hub.service; it starts with the machine from now on");
    else if (fact(s, "upgraded").n)
        say(s, "The running hub went over to the new program; spaces follow with: vitrine fleet upgrade");
    else
        say(s, "It runs this program already");
    say(s, "\nThe hub: %.*s", STR_ARG(fact(s, "address")));
    if (fact(s, "link").n)
        say(s, "The first account is made with this link; it holds for a day, once:\n  %.*s", STR_ARG(fact(s, "link")));
    else
        say(s, "A link for another administrator: ssh %.*s %.*svitrine hub admin-link", STR_ARG(s->to),
            STR_ARG(s->become));
    if (str_ends(s->domain, STR(".localhost")))
        return;
    say(s, "In DNS, %.*s and *.%.*s must lead to that machine.", STR_ARG(s->domain), STR_ARG(s->domain));
    if (fact(s, "made").n)
        say(s, "Its certificates are got from Let's Encrypt, under its terms: https://letsencrypt.org/repository/");
}

static enum status ship(struct ship *s, struct err *err)
{
    char sum[DIGEST_HEX_MAX] = "";
    enum status st = digest_sha256_file(arena_cstr(s->a, s->program), sum, err);
    if (st == STATUS_OK)
        st = check(s, err);
    if (st == STATUS_OK)
        st = look(s, err);
    bool send = !str_is(fact(s, "sum"), sum);
    if (st == STATUS_OK && s->dry_run) {
        say_plan(s, send);
        return st;
    }
    if (st == STATUS_OK && send)
        st = send_program(s, err);
    if (st == STATUS_OK)
        st = there(s, "looking for libraries", arena_printf(s->a, "libraries %s", sum), err);
    if (st == STATUS_OK)
        st = there(s, "installing", ARENA_CAT(s->a, STR("settle "), s->domain, STR(" "), shell_word(s->a, s->mail)),
                   err);
    if (st == STATUS_OK)
        say_result(s);
    return st;
}

/* ---- the command ---- */

static void hang_up(struct ship *s)
{
    const char *control = arena_printf(s->a, "ControlPath=%s/%%C", s->folder).p;
    const char *words[] = {"ssh", "-o", control, "-O", "exit", "--", arena_cstr(s->a, s->to)};
    char *argv[ARRAY_LEN(words) + 1] = {0};
    struct buf output;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        argv[i] = (char *)(uintptr_t)words[i];
    buf_init(&output, OUTPUT_BYTES);
    (void)!proc_run(&(struct proc_config){.path = "ssh", .argv = argv}, 10000, &output, NULL);
    buf_release(&output);
    (void)rmdir(s->folder);
}

static struct value text_or_null(str text)
{
    return text.n ? value_str(text) : VALUE_NULL;
}

static void print_json(const struct ship *s, enum status st, const struct err *err)
{
    static const char *const done[] = {"made", "started", "upgraded"};
    struct value v = value_dict(s->a), packages = value_list(s->a);
    str rest = fact(s, "packages"), one;
    while (rest.n) {
        (void)str_cut(rest, ' ', &one, &rest);
        value_push(packages, value_str(one));
    }
    VALUE_SET(v, "ok", value_bool(st == STATUS_OK));
    VALUE_SET(v, "host", text_or_null(s->to));
    VALUE_SET(v, "domain", text_or_null(s->domain));
    VALUE_SET(v, "system", text_or_null(fact(s, "system")));
    VALUE_SET(v, "machine", text_or_null(fact(s, "machine")));
    VALUE_SET(v, "dry_run", value_bool(s->dry_run));
    VALUE_SET(v, "sent", value_bool(s->sent));
    VALUE_SET(v, "packages", packages);
    for (size_t i = 0; i < ARRAY_LEN(done); i++)
        value_set(v, str_of(done[i]), value_bool(fact(s, done[i]).n > 0));
    VALUE_SET(v, "address", text_or_null(fact(s, "address")));
    VALUE_SET(v, "admin_link", text_or_null(fact(s, "link")));
    VALUE_SET(v, "error", st == STATUS_OK ? VALUE_NULL : value_cstr(err->text));
    VALUE_SET(v, "hint", st == STATUS_OK || !*err->hint ? VALUE_NULL : value_cstr(err->hint));
    command_print_json(v, VALUE_JSON_UTF8, 0);
}

static enum status read_given(struct ship *s, const struct given *g, struct err *err)
{
    if (g->words.count != 1 || g->words.items[0].n == 0 || g->words.items[0].p[0] == '-') {
        err_set(err, STATUS_USAGE, g->words.count > 1 ? "ship: one machine at a time" : "ship: to which machine?");
        return err_hint(err, "vitrine ship root@data.example.org --domain data.example.org");
    }
    s->to = g->words.items[0];
    s->domain = given_text(g, OPT_DOMAIN);
    s->mail = given_has(g, OPT_ACME) ? given_text(g, OPT_ACME) : STR("");
    s->program = given_has(g, OPT_PROGRAM) ? given_text(g, OPT_PROGRAM) : STR("/proc/self/exe");
    s->dry_run = given_has(g, OPT_DRY_RUN);
    s->json = given_has(g, OPT_JSON);
    if (!s->domain.p) {
        err_set(err, STATUS_USAGE, "ship: which domain is the hub's?");
        return err_hint(err, "vitrine ship %.*s --domain data.example.org", STR_ARG(s->to));
    }
    return hub_domain_check(s->domain, err);
}

int cmd_ship(int argc, char **argv)
{
    struct ship s = {.a = arena_new(0), .folder = "/tmp/vitrine-ship-XXXXXX"};
    struct given g;
    struct err err = ERR_INIT;
    s.facts = value_dict(s.a);
    enum status st = given_read(s.a, options, ARRAY_LEN(options), argc, argv, &g, &err);
    if (st == STATUS_OK && given_has(&g, OPT_HELP)) {
        puts("Usage: vitrine ship USER@HOST --domain DOMAIN [OPTIONS]\n\n"
             "Makes a hub on another machine, a Debian or Ubuntu that ssh reaches without a question: sends this\n"
             "program, installs the libraries that it misses, makes the hub, starts it as a service with TLS, and\n"
             "prints the link for the first account. Where a hub runs already, it takes that to this program without\n"
             "losing a request. What is as it should be stays as it is: run it again at any time.\n\nOptions:");
        option_print_help(options, ARRAY_LEN(options));
        arena_free(s.a);
        return 0;
    }
    if (st == STATUS_OK)
        st = read_given(&s, &g, &err);
    if (st == STATUS_OK && !mkdtemp(s.folder))
        st = err_sys(&err, STATUS_IO, errno, "no folder for the connection in /tmp");
    if (st == STATUS_OK) {
        st = ship(&s, &err);
        hang_up(&s);
    }
    if (s.json)
        print_json(&s, st, &err);
    arena_free(s.a);
    return st == STATUS_OK ? 0 : command_fail(&err);
}

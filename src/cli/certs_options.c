/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/certs_options.h"

#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "edge/cert_store.h"

void certs_options_init(struct certs_options *o)
{
    *o = (struct certs_options){.directory = STR(ACME_LETS_ENCRYPT)};
}

static bool is_http(str s)
{
    return str_starts(s, STR("https://")) || str_starts(s, STR("http://"));
}

static enum status bad(struct err *err, const char *option, str value, const char *hint)
{
    err_set(err, STATUS_USAGE, "%s: \"%.*s\" cannot be used", option, STR_ARG(str_sub(value, 0, 200)));
    return err_hint(err, "%s", hint);
}

static enum status set_contact(struct certs_options *o, str value, struct err *err)
{
    size_t at = str_find_char(value, '@');
    bool plain = at != STR_NPOS && at > 0 && at + 1 < value.n;
    for (size_t i = 0; i < value.n; i++)
        plain = plain && value.p[i] > ' ' && value.p[i] != '"' && value.p[i] != '\\' && value.p[i] != ',' &&
                value.p[i] != '?';
    o->on = true;
    o->contact = str_is(value, "-") ? STR("") : value;
    return plain || str_is(value, "-") ? STATUS_OK : bad(err, "--acme", value, "Give one mail address, or - for none.");
}

static enum status set_directory(struct certs_options *o, str value, struct err *err)
{
    o->directory = str_is(value, "letsencrypt")           ? STR(ACME_LETS_ENCRYPT)
                   : str_is(value, "letsencrypt-staging") ? STR(ACME_STAGING)
                                                          : value;
    return is_http(o->directory)
               ? STATUS_OK
               : bad(err, "--acme-directory", value, "Give an URL, letsencrypt, or letsencrypt-staging.");
}

static enum status set_dns(struct arena *a, struct certs_options *o, str value, struct err *err)
{
    enum status st = STATUS_OK;
    o->has_dns = true;
    if (str_starts(value, STR("exec:"))) {
        o->hook = str_from(value, 5);
        if (!o->hook.n || access(arena_cstr(a, o->hook), X_OK) != 0)
            st = bad(err, "--acme-dns", value, "After exec: comes the path of a program that may be run.");
    } else if (str_starts(value, STR("rfc2136:"))) {
        st = dns_server_parse(a, str_from(value, 8), &o->dns, err);
        if (st != STATUS_OK)
            err_prefix(err, "--acme-dns");
    } else {
        st = bad(err, "--acme-dns", value, "Write exec:PROGRAM or rfc2136:server=HOST,key=FILE");
    }
    return st;
}

static enum status set_eab(struct arena *a, struct certs_options *o, str kid, str path, struct err *err)
{
    o->eab_kid = kid;
    enum status st = fs_read_file(arena_cstr(a, path), LIMIT_DNS_KEY_FILE, a, &o->eab_key, err);
    o->eab_key = str_trim(o->eab_key);
    return st;
}

static enum status set_ask(struct certs_options *o, str value, struct err *err)
{
    o->ask = str_starts(value, STR("ask=")) ? str_from(value, 4) : STR("");
    return is_http(o->ask) ? STATUS_OK
                           : bad(err, "--acme-on-demand", value, "Write ask=URL; it is asked as URL?domain=NAME.");
}

static enum status set_kind(struct certs_options *o, str value, struct err *err)
{
    static const enum edge_acme_kind kinds[] = {EDGE_ACME_HTTP, EDGE_ACME_ALPN, EDGE_ACME_DNS};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_is(value, edge_acme_kind_name(kinds[i]))) {
            o->kinds = kinds[i];
            return STATUS_OK;
        }
    return bad(err, "--acme-challenge", value, "Choose http-01, tls-alpn-01 or dns-01.");
}

static enum status set(struct arena *a, struct certs_options *o, int id, str value, str second, struct err *err)
{
    switch (id) {
    case CERTS_ACME:
        return set_contact(o, value, err);
    case CERTS_AGREE:
        o->agree = true;
        return STATUS_OK;
    case CERTS_DIRECTORY:
        return set_directory(o, value, err);
    case CERTS_CA:
        o->ca_file = value;
        return access(arena_cstr(a, value), R_OK) == 0
                   ? STATUS_OK
                   : bad(err, "--acme-ca", value, "It is no file that can be read.");
    case CERTS_EAB:
        return set_eab(a, o, value, second, err);
    case CERTS_DNS:
        return set_dns(a, o, value, err);
    case CERTS_DOMAIN:
        VEC_PUSH(a, &o->names, value);
        return cert_name_ok(value) ? STATUS_OK
                                   : bad(err, "--acme-domain", value,
                                         "Give a name in lower case, like www.example.org or *.example.org");
    case CERTS_CHALLENGE:
        return set_kind(o, value, err);
    default:
        return set_ask(o, value, err);
    }
}

enum status certs_options_apply(struct arena *a, struct certs_options *o, int id, str value, str second,
                                struct err *err)
{
    static const struct option table[] = {CERTS_OPTIONS};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].id != id)
            continue;
        VEC_PUSH(a, &o->args, (char *)(uintptr_t)table[i].name);
        if (table[i].kind != OPTION_FLAG)
            VEC_PUSH(a, &o->args, (char *)(uintptr_t)arena_cstr(a, value));
        if (table[i].kind == OPTION_PAIR)
            VEC_PUSH(a, &o->args, (char *)(uintptr_t)arena_cstr(a, second));
    }
    return set(a, o, id, value, second, err);
}

static enum status read_key(struct arena *a, struct certs_options *o, int id, bool list, struct value v,
                            struct err *err)
{
    enum status st = STATUS_OK;
    if (id == CERTS_AGREE)
        return value_truth(v) ? certs_options_apply(a, o, id, STR(""), STR(""), err) : STATUS_OK;
    if (id == CERTS_EAB && value_count(v) == 2)
        return certs_options_apply(a, o, id, value_to_str(a, value_at(v, 0)), value_to_str(a, value_at(v, 1)), err);
    for (size_t i = 0; list && i < value_count(v) && st == STATUS_OK; i++)
        st = certs_options_apply(a, o, id, value_to_str(a, value_at(v, i)), STR(""), err);
    if (list && v.kind == VALUE_LIST)
        return st;
    if (v.kind != VALUE_STR)
        return err_set(err, STATUS_CONFIG, "it must be a text");
    return certs_options_apply(a, o, id, id == CERTS_ON_DEMAND ? ARENA_CAT(a, STR("ask="), v.s) : v.s, STR(""), err);
}

enum status certs_options_read(struct arena *a, struct certs_options *o, struct value v, struct err *err)
{
    static const struct {
        const char *key;
        int id;
        bool list;
    } keys[] = {{"mail", CERTS_ACME, false},     {"agree", CERTS_AGREE, false}, {"directory", CERTS_DIRECTORY, false},
                {"ca", CERTS_CA, false},         {"eab", CERTS_EAB, false},     {"dns", CERTS_DNS, false},
                {"ask", CERTS_ON_DEMAND, false}, {"names", CERTS_DOMAIN, true}, {"challenge", CERTS_CHALLENGE, false}};
    if (v.kind != VALUE_DICT)
        return err_set(err, STATUS_CONFIG, "acme must hold keys and values: {mail: you@example.org, agree: true}");
    for (size_t i = 0; i < value_count(v); i++) {
        const struct value_entry *entry = &v.dict->entries[i];
        enum status st = STATUS_NOT_FOUND;
        for (size_t k = 0; k < ARRAY_LEN(keys); k++)
            if (str_is(entry->key, keys[k].key))
                st = read_key(a, o, keys[k].id, keys[k].list, entry->value, err);
        if (st == STATUS_NOT_FOUND && !(err && err->text[0]))
            return err_set(err, STATUS_CONFIG, "acme: \"%.*s\" is no key of it", STR_ARG(str_sub(entry->key, 0, 60)));
        if (st != STATUS_OK) {
            err_prefix(err, "acme: %.*s", STR_ARG(str_sub(entry->key, 0, 60)));
            return st;
        }
    }
    return STATUS_OK;
}

enum status certs_options_check(const struct certs_options *o, struct err *err)
{
    if (!o->on && o->args.count) {
        err_set(err, STATUS_USAGE, "%s says how, and nobody said --acme", o->args.items[0]);
        return err_hint(err, "Add --acme with a mail address that the authority may write to.");
    }
    if (o->on && !o->agree) {
        err_set(err, STATUS_USAGE, "--acme needs your consent to the authority's terms of service");
        return err_hint(err, "Add --acme-agree (in hub.yaml: agree: true). Let's Encrypt's are at "
                             "https://letsencrypt.org/repository/");
    }
    return STATUS_OK;
}

/* Where systemd says where to listen, both may be there. */
static unsigned kinds_of(const struct edge_config *c)
{
    unsigned kinds = 0;
    for (size_t i = 0; i < c->listen_count; i++)
        kinds |= c->listens[i].tls ? EDGE_ACME_ALPN : EDGE_ACME_HTTP;
    return kinds ? kinds : EDGE_ACME_HTTP | EDGE_ACME_ALPN;
}

enum status certs_options_edge(const struct certs_options *o, struct edge_config *c, struct err *err)
{
    enum status st = certs_options_check(o, err);
    bool wild = o->kinds == EDGE_ACME_DNS;
    if (st != STATUS_OK)
        return st;
    if (o->on && !(kinds_of(c) & EDGE_ACME_ALPN)) {
        err_set(err, STATUS_USAGE, "--acme gets certificates, and no listener speaks TLS");
        return err_hint(err, "Add --listen-tls :443 (in hub.yaml: listen_tls: [\":443\"]).");
    }
    for (size_t i = 0; i < o->names.count; i++)
        wild = wild || str_starts(o->names.items[i], STR("*."));
    if (wild && !o->has_dns) {
        err_set(err, STATUS_USAGE, "authorities look for wildcards in the DNS, and nobody said how it is changed");
        return err_hint(err, "Add --acme-dns exec:PROGRAM or --acme-dns rfc2136:server=HOST,key=FILE");
    }
    c->acme = (struct edge_acme){.on = o->on,
                                 .kinds = o->kinds ? o->kinds : kinds_of(c),
                                 .dns = o->has_dns,
                                 .ask = o->ask.n > 0,
                                 .names = o->names.items,
                                 .name_count = o->names.count,
                                 .args = o->args.items,
                                 .arg_count = o->args.count};
    return STATUS_OK;
}

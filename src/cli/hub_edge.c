/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/hub_edge.h"

#include <unistd.h>

#include "base/limits.h"
#include "cli/certs_options.h"
#include "cli/edge_serve.h"

/* What the edge is given; edge points into the rest. */
struct front {
    struct edge_config edge;
    struct edge_listen_config listens[LIMIT_HTTP_LISTENERS];
    struct tls_config certs[LIMIT_EDGE_HOSTS];
    struct certs_options acme;
};

static enum status add_listens(struct front *f, struct value list, bool tls, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < value_count(list); i++) {
        str text = value_at(list, i).kind == VALUE_STR ? value_at(list, i).s : STR("");
        if (f->edge.listen_count == LIMIT_HTTP_LISTENERS)
            return err_set(err, STATUS_CONFIG, "hub.yaml: more than %d addresses to listen on", LIMIT_HTTP_LISTENERS);
        struct edge_listen_config *l = &f->listens[f->edge.listen_count];
        st = addr_parse(text, &l->addr, err);
        l->tls = tls;
        f->edge.listen_count += st == STATUS_OK;
    }
    return st == STATUS_OK ? st : (err_prefix(err, "hub.yaml: %s", tls ? "listen_tls" : "listen"), st);
}

static enum status add_certs(struct arena *a, struct front *f, const struct hub_config *c, struct err *err)
{
    for (size_t i = 0; i < value_count(c->certificates); i++) {
        struct value v = value_at(c->certificates, i);
        str cert = value_get_text(v, STR("cert")), key = value_get_text(v, STR("key"));
        if (!cert.n || !key.n || i >= LIMIT_EDGE_HOSTS)
            return err_set(err, STATUS_CONFIG, "hub.yaml: certificates: each needs cert and key, files in PEM form");
        for (const str *path = (const str[]){cert, key, {0}}; path->n; path++) {
            if (access(arena_cstr(a, *path), R_OK) == 0)
                continue;
            err_set(err, STATUS_CONFIG, "hub.yaml: certificates: '%.*s' cannot be read", STR_ARG(*path));
            return err_hint(err, "Each entry needs cert, a file with its chain, and key, both in PEM form.");
        }
        f->certs[f->edge.cert_count++] = (struct tls_config){.cert_path = cert, .key_path = key};
    }
    if (value_count(c->listen_tls) && !f->edge.cert_count && value_is_null(VALUE_GET(c->root, "acme"))) {
        err_set(err, STATUS_CONFIG, "hub.yaml: listen_tls needs certificates");
        return err_hint(err, "Name the files under certificates, have them obtained with acme: {mail: you@example.org, "
                             "agree: true}, or leave listen_tls empty.");
    }
    return STATUS_OK;
}

/* Hosts get theirs when they have a route; where the DNS can be changed, one is for all spaces. */
static enum status add_acme(struct arena *a, struct front *f, const struct hub_config *c, struct err *err)
{
    struct value v = VALUE_GET(c->root, "acme");
    certs_options_init(&f->acme);
    if (value_is_null(v))
        return STATUS_OK;
    enum status st = certs_options_read(a, &f->acme, v, err);
    if (st == STATUS_OK && f->acme.has_dns)
        st = certs_options_apply(a, &f->acme, CERTS_DOMAIN, ARENA_CAT(a, STR("*."), c->domain), STR(""), err);
    if (st == STATUS_OK)
        st = certs_options_edge(&f->acme, &f->edge, err);
    for (size_t i = 0; i < f->edge.listen_count && st == STATUS_OK; i++)
        if (f->listens[i].tls && !f->edge.https_port)
            f->edge.https_port = (uint16_t)addr_port(&f->listens[i].addr);
    return st == STATUS_OK ? st : (err_prefix(err, "hub.yaml"), st);
}

enum status hub_edge_config(struct arena *a, const struct hub_config *c, struct edge_config **ret, struct err *err)
{
    struct front *f = ARENA_NEW(a, struct front);
    edge_config_default(&f->edge);
    f->edge.listens = f->listens;
    f->edge.certs = f->certs;
    enum status st = add_listens(f, c->listen, false, err);
    if (st == STATUS_OK)
        st = add_listens(f, c->listen_tls, true, err);
    if (st == STATUS_OK)
        st = add_certs(a, f, c, err);
    if (st == STATUS_OK)
        st = add_acme(a, f, c, err);
    if (st == STATUS_OK)
        st = proxy_list_parse(c->trusted_proxies, &f->edge.trusted, err);
    f->edge.state = hub_path(a, c, "edge");
    f->edge.apps = hub_path(a, c, "apps");
    if (st == STATUS_OK)
        *ret = &f->edge;
    return st;
}

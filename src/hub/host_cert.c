/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/host_cert.h"

#include "http/edge_call.h"
#include "hub/request.h"

/* "*.x" covers one label below x, no more (RFC 6125 section 6.4.3). */
static bool covers(str name, str host)
{
    size_t dot = str_find_char(host, '.');
    if (str_starts(name, STR("*.")) && dot != STR_NPOS)
        return str_eq_nocase(str_from(name, 1), str_from(host, dot));
    return str_eq_nocase(name, host);
}

static bool is_of(struct value cert, str host)
{
    struct value names = VALUE_GET(cert, "names"); /* of a file */
    bool found = covers(value_get_text(cert, STR("name")), host);
    for (size_t i = 0; i < value_count(names); i++)
        found = found || (value_at(names, i).kind == VALUE_STR && covers(value_at(names, i).s, host));
    return found;
}

#define SOON "The certificate is on its way. That takes a minute or two: look again"

/* What the edge calls its states (edge/certs_control.c), the best first. {}: a day, or what went wrong. */
static const struct state {
    const char *name, *before, *key, *after;
    bool well;
} states[] = {
    {"valid", "https works. The certificate is good until ", "expires", "", true},
    {"renewing", "https works. The certificate is good until ", "expires", "; a new one is on its way", true},
    {"renewal failed", "https works, but the certificate could not be renewed: ", "error", "", false},
    {"obtaining", SOON, NULL, "", true},
    {"waiting", SOON, NULL, "", true},
    {"failed", "There is no certificate yet: ", "error", "", false},
    {"expired", "The certificate is over since ", "expires", "", false},
};

static str value_of(struct value cert, const char *key)
{
    str text = key ? value_get_text(cert, str_of(key)) : STR("");
    return key && strcmp(key, "expires") == 0 ? str_sub(text, 0, 10) : text;
}

static str hint_of(struct arena *a, const struct state *s, struct value cert)
{
    str hint = value_get_text(cert, STR("hint")), at = value_get_text(cert, STR("retry_at"));
    if (s->well)
        return STR("");
    if (at.n >= 16)
        return arena_printf(a, "%.*s%sIt is tried again by itself at %.10s %.5s UTC.", STR_ARG(hint), hint.n ? " " : "",
                            at.p, at.p + 11);
    return hint;
}

struct value host_cert_of(struct arena *a, struct value certs, str host)
{
    struct value list = VALUE_GET(certs, "certificates"), ret = value_dict(a);
    const struct state *best = NULL;
    struct value of = VALUE_NULL;
    for (size_t i = 0; i < value_count(list); i++) {
        str state = value_get_text(value_at(list, i), STR("state"));
        for (size_t k = 0; is_of(value_at(list, i), host) && k < ARRAY_LEN(states); k++) {
            if (!str_is(state, states[k].name) || (best && best <= &states[k]))
                continue;
            best = &states[k];
            of = value_at(list, i);
        }
    }
    if (!best) {
        bool soon = value_truth(VALUE_GET(certs, "acme")); /* the edge has not heard of the host yet */
        VALUE_SET(ret, "well", value_bool(soon));
        VALUE_SET(ret, "words",
                  value_cstr(soon ? "The certificate is on its way. That takes a minute or two: look again."
                                  : "No certificate is for this host: browsers warn of it."));
        VALUE_SET(ret, "hint", value_cstr(soon ? "" : "Ask whoever runs this hub to add one to hub.yaml."));
        return ret;
    }
    str text = value_of(of, best->key);
    bool dot = !*best->after && str_ends(text, STR("."));
    VALUE_SET(ret, "well", value_bool(best->well));
    VALUE_SET(ret, "words",
              value_str(arena_printf(a, "%s%.*s%s%s", best->before, STR_ARG(text), best->after, dot ? "" : ".")));
    VALUE_SET(ret, "hint", value_str(hint_of(a, best, of)));
    return ret;
}

void host_cert_add(struct hub *h, struct arena *a, struct value rows)
{
    struct value certs;
    if (!value_count(rows) || !value_count(h->config.listen_tls) ||
        edge_call(a, hub_path(a, &h->config, "edge"), "GET", STR("/certs"), VALUE_UNDEF, &certs, NULL) != STATUS_OK)
        return;
    for (size_t i = 0; i < value_count(rows); i++)
        VALUE_SET(value_at(rows, i), "cert", host_cert_of(a, certs, value_get_text(value_at(rows, i), STR("host"))));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* certs_options: what `vitrine edge` is told about an authority, and hands on word for word to `vitrine certs obtain`.
 */
#ifndef VITRINE_CLI_CERTS_OPTIONS_H
#define VITRINE_CLI_CERTS_OPTIONS_H

#include "acme/acme.h"
#include "acme/dns_update.h"
#include "cli/command.h"
#include "codec/value.h"
#include "edge/edge.h"

struct certs_options {
    bool on, agree;
    str contact; /* "" = none */
    str directory, ca_file, eab_kid, eab_key;
    str ask;      /* URL; empty = names of routes only */
    bool has_dns; /* one of the next two */
    str hook;     /* program */
    struct dns_server dns;
    VEC(str) names;   /* wanted whatever the routes say */
    unsigned kinds;   /* EDGE_ACME_*; 0 = what the listeners allow */
    VEC(char *) args; /* the options again, as they were given */
};

#define CERTS_OPTION 800 /* ids that both tables of options share */
enum {
    CERTS_ACME = CERTS_OPTION,
    CERTS_AGREE,
    CERTS_DIRECTORY,
    CERTS_CA,
    CERTS_EAB,
    CERTS_DNS,
    CERTS_ON_DEMAND,
    CERTS_DOMAIN,
    CERTS_CHALLENGE,
    CERTS_OPTION_END
};
#define CERTS_OPTIONS                                                                                                  \
    {"--acme",                                                                                                         \
     0,                                                                                                                \
     OPTION_VALUE,                                                                                                     \
     "MAIL",                                                                                                           \
     "Get certificates for the hosts of apps; the authority writes to MAIL (- for none)",                              \
     CERTS_ACME},                                                                                                      \
        {"--acme-agree", 0, OPTION_FLAG, NULL, "You agree to the authority's terms of service", CERTS_AGREE},          \
        {"--acme-directory",                                                                                           \
         0,                                                                                                            \
         OPTION_VALUE,                                                                                                 \
         "URL",                                                                                                        \
         "The authority: its directory, letsencrypt (default), or letsencrypt-staging",                                \
         CERTS_DIRECTORY},                                                                                             \
        {"--acme-ca", 0, OPTION_VALUE, "FILE", "Certificates to trust the authority's own server by", CERTS_CA},       \
        {"--acme-eab", 0, OPTION_PAIR, "KID FILE", "External account: its id, and a file with its key", CERTS_EAB},    \
        {"--acme-dns", 0, OPTION_VALUE, "HOW", "For wildcards: exec:PROGRAM, or rfc2136:server=HOST,key=FILE",         \
         CERTS_DNS},                                                                                                   \
        {"--acme-domain", 0, OPTION_VALUE, "NAME", "One more name to get one for: *.example.org; may be repeated",     \
         CERTS_DOMAIN},                                                                                                \
        {"--acme-challenge", 0, OPTION_VALUE, "KIND", "http-01, tls-alpn-01 or dns-01, for all", CERTS_CHALLENGE},     \
    {                                                                                                                  \
        "--acme-on-demand", 0, OPTION_VALUE, "ask=URL",                                                                \
            "Also for names that visitors bring, when URL?domain=NAME answers 200", CERTS_ON_DEMAND                    \
    }

void certs_options_init(struct certs_options *o);
/* id: one of CERTS_*. Files are read now. USAGE, CONFIG, NOT_FOUND, IO. */
enum status certs_options_apply(struct arena *a, struct certs_options *o, int id, str value, str second,
                                struct err *err) MUST_USE;
/* The same from a document: {mail, agree, directory, ca, eab: [KID, FILE], dns, names, challenge, ask}. CONFIG too. */
enum status certs_options_read(struct arena *a, struct certs_options *o, struct value v, struct err *err) MUST_USE;
/* When all are read: what is missing. */
enum status certs_options_check(const struct certs_options *o, struct err *err) MUST_USE;
/* Checks, and tells the edge, whose listeners are known. It borrows from `o`. */
enum status certs_options_edge(const struct certs_options *o, struct edge_config *c, struct err *err) MUST_USE;

#endif

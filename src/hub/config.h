/* SPDX-License-Identifier: Apache-2.0 */
/* config: hub.yaml: what an administrator may change. Read at the start and at SIGHUP; everything has a default but the
 * domain. */
#ifndef VITRINE_HUB_CONFIG_H
#define VITRINE_HUB_CONFIG_H

#include "codec/value.h"
#include "http/forwarded.h"
#include "replicate/backup.h"

enum hub_isolation { ISOLATION_AVAILABLE, ISOLATION_REQUIRED, ISOLATION_OFF };
enum hub_sign_up { SIGN_UP_OPEN, SIGN_UP_INVITED, SIGN_UP_CLOSED };

struct hub_quota { /* of a space; 0 = no limit */
    int64_t disk_bytes, memory_bytes, cpu_percent, sql_ms, requests_per_minute, sleep_seconds;
};
struct hub_config { /* all text lives in the arena it was read into */
    str dir;        /* the hub's folder, absolute */
    str domain;     /* "data.example.org", lower case */
    str origin;     /* "https://data.example.org", "http://data.localhost:8080": of the hub; no slash at its end */
    str port;       /* ":8080" when the origin has one, else empty */
    bool secure;    /* https */
    enum hub_sign_up sign_up;
    enum hub_isolation isolation; /* of spaces: with what the machine has, only whole, or none */
    struct hub_quota quota;       /* of spaces without one of their own (quota.h) */
    int64_t spaces_each;          /* that one person may own */
    str trusted_proxies;          /* "10.0.0.5, 10.1.0.0/16": those in front of the edge; empty: none */
    struct proxy_list proxies;    /* the same, and the edge itself: whose X-Forwarded-* the hub believes */
    str name_server;              /* "127.0.0.1:53", asked for TXT records; empty: those of the machine */
    bool verify;                  /* an e-mail address must be confirmed before the account is used */
    str backup_folder;            /* empty: none are taken */
    int64_t backup_minute;        /* of the day, UTC */
    struct backup_keep backup_keep;
    struct value listen, listen_tls; /* LISTs of STR: addresses of the edge */
    struct value certificates;       /* LIST of DICT {cert, key} */
    struct value links;              /* LIST of DICT {label, url}: at the foot of every page */
    struct value root;               /* the whole document: mail, oidc, github, acme are read by their parts */
};
/* The folder of the hub when nobody names one: $VITRINE_HUB; /var/lib/vitrine for root, else "vitrine" in
 * $XDG_DATA_HOME or ~/.local/share. USAGE: there is no home either. Reads the environment: before threads start. */
enum status hub_usual_dir(struct arena *a, str *ret, struct err *err) MUST_USE;
/* DIR/hub.yaml. NOT_FOUND: there is none (vitrine hub init makes it). CONFIG names file, key and what it may be. */
enum status hub_config_read(struct arena *a, str dir, struct hub_config *ret, struct err *err) MUST_USE;
/* The commented file that `vitrine hub init` writes. mail: for the authority that gives certificates, "-": it gets
 * none; empty: no certificates are asked for. */
str hub_config_text(struct arena *a, str domain, str listen, str listen_tls, str origin, str mail);
bool hub_sends_mail(const struct hub_config *c);
/* "museum" -> "https://museum.data.example.org" */
str hub_space_origin(struct arena *a, const struct hub_config *c, str name);
str hub_path(struct arena *a, const struct hub_config *c, const char *below); /* DIR/below; a C string too */
/* Lower-case letters, digits, hyphens and dots as host names have them; INVALID. */
enum status hub_domain_check(str domain, struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* edge: the program `vitrine edge`: the control thread, its workers, its apps. */
#ifndef VITRINE_EDGE_EDGE_H
#define VITRINE_EDGE_EDGE_H

#include "edge/worker.h"
#include "http/edge_call.h"

struct edge_listen_config {
    struct addr addr;
    bool tls; /* with the certificates below */
};
/* How an authority may look whether a name is ours; bits. */
enum edge_acme_kind { EDGE_ACME_HTTP = 1, EDGE_ACME_ALPN = 2, EDGE_ACME_DNS = 4 };
const char *edge_acme_kind_name(enum edge_acme_kind kind); /* "http-01" */
struct edge_acme {
    bool on;
    unsigned kinds;   /* that may be used for names that are no wildcards */
    bool dns;         /* wildcards can be had */
    bool ask;         /* names that no route has are asked for */
    const str *names; /* wanted whatever the routes say: "*.example.org" */
    size_t name_count;
    char *const *args; /* options for `vitrine certs obtain` */
    size_t arg_count;
};
struct edge_config {
    const struct edge_listen_config *listens;
    size_t listen_count;            /* 0.. LIMIT_HTTP_LISTENERS; 0: where systemd says */
    const struct tls_config *certs; /* the first is for clients that name no host */
    size_t cert_count;
    struct edge_acme acme;
    uint16_t https_port; /* plain requests to hosts with a certificate are sent there; 0 = they are served */
    str state;           /* folder; it exists */
    unsigned loops;
    struct edge_limits limits;
    struct proxy_list trusted;
    struct proxy_list proxied;                   /* whose connections begin with the PROXY protocol */
    int64_t spool_bytes;                         /* of uploads kept on disk, of all together; 0 = none */
    str apps;                                    /* folder of app files that is watched; "" = none */
    const struct addr *engine;                   /* of containers, whose labels are followed; NULL = none */
    str access_log;                              /* file, "-" = standard output, "" = none */
    uint64_t app_files;                          /* soft limit of descriptors that apps get; 0 = ours */
    uint32_t grace_ms;                           /* after SIGTERM, for requests in hand */
    uint32_t upgrade_ready_ms, upgrade_grace_ms; /* a new process must be ready; what is in hand here must end */
    bool successor;                              /* of a running edge (rt/takeover.h) */
    int channel;                                 /* to the supervisor; -1: none, or a predecessor has it */
};
/* Runs until SIGTERM or SIGINT. Returns OK after an orderly stop. CONFLICT: another edge uses this state folder or
 * address. Blocks. */
enum status edge_run(const struct edge_config *config, struct err *err) MUST_USE;

/* Files in the state folder; the control socket is EDGE_CONTROL_SOCKET of edge_call.h. */
#define EDGE_STATE_FILE "state.json"
#define EDGE_LOG_FOLDER "logs"
#define EDGE_RUN_FOLDER "run"

#endif

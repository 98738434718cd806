/* SPDX-License-Identifier: Apache-2.0 */
/* labels: containers, as an engine lists them (GET /containers/json of the Docker Engine API), to apps.
 *
 * Each router that a container's labels describe is an app; containers that describe the same router are its instances.
 * Names of labels are Traefik's:
 *
 *   traefik.enable                                          false: the container is nobody
 *   traefik.http.routers.R.rule                             rule.h; one app for each path it names
 *   traefik.http.routers.R.service                          which service, when the container has several
 *   traefik.http.routers.R.middlewares                      stripprefix of its own path alone; others are refused
 *   traefik.http.services.S.loadbalancer.server.port        default: the lowest port that the image exposes
 *   traefik.http.services.S.loadbalancer.server.scheme      http alone
 *   traefik.http.services.S.loadbalancer.healthcheck.path   path that must answer 2xx
 *   traefik.docker.network                                  which network's address
 *
 * Entry points, TLS and priorities of routers say nothing here: every listener answers, the longest path wins. Pure;
 * any thread. */
#ifndef VITRINE_EDGE_LABELS_H
#define VITRINE_EDGE_LABELS_H

#include "codec/value.h"

struct labels_out {
    /* An app as edge_spec_read takes it, with its name. */
    void (*app)(void *arg, str router, struct value fields);
    void (*broken)(void *arg, str router, const struct err *err);
    /* Containers that are about to end get no new requests, whatever the list says. May be NULL. */
    bool (*leaving)(void *arg, str id);
    void *arg;
};
/* `containers` is the parsed list. Everything handed out lives in `a`. INVALID: it is no list of containers. */
enum status labels_read(struct arena *a, struct value containers, const struct labels_out *out,
                        struct err *err) MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* hub_edge: what hub.yaml says of the edge in front of a hub: addresses, certificates, proxies before it. */
#ifndef VITRINE_CLI_HUB_EDGE_H
#define VITRINE_CLI_HUB_EDGE_H

#include "edge/edge.h"
#include "hub/config.h"

/* *ret lives in `a`. CONFIG names the key of hub.yaml and what it may be. */
enum status hub_edge_config(struct arena *a, const struct hub_config *c, struct edge_config **ret,
                            struct err *err) MUST_USE;

#endif
